"""What sends a window back, in every script; and that nobody's real words fail for good."""

from __future__ import annotations

import math
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtable.asr.gates import TEMPERATURES, Attempt, Quality, choose, confirmed_silence, failures, without_tail_loop

# About 20 seconds of ordinary speech each; made up for this file.
SPOKEN = {
    "latin": (
        "We looked at the figures for last month and they are a little better than we had expected. The new "
        "office opens in spring, so everybody who wants a desk near the window should tell Anna before Friday. "
        "After lunch we went through the open questions one by one, and I think only the budget is left."
    ),
    "cyrillic": (
        "Мы посмотрели цифры за прошлый месяц, и они немного лучше, чем мы ожидали. Новый офис откроется весной, "
        "поэтому все, кто хочет стол у окна, должны сказать Анне до пятницы. После обеда мы разобрали открытые "
        "вопросы один за другим, и, по-моему, остался только бюджет."
    ),
    "greek": (
        "Κοιτάξαμε τα νούμερα του περασμένου μήνα και είναι λίγο καλύτερα από όσο περιμέναμε. Το νέο γραφείο "
        "ανοίγει την άνοιξη, οπότε όποιος θέλει θέση κοντά στο παράθυρο ας το πει στην Άννα πριν από την "
        "Παρασκευή. Μετά το φαγητό είδαμε τα ανοιχτά θέματα ένα προς ένα."
    ),
    "arabic": (
        "نظرنا في أرقام الشهر الماضي وهي أفضل قليلا مما توقعنا. سيفتح المكتب الجديد في الربيع، لذلك على كل من "
        "يريد مكانا قرب النافذة أن يخبر آنا قبل يوم الجمعة. بعد الغداء راجعنا الأسئلة المفتوحة واحدا تلو الآخر."
    ),
    "devanagari": (
        "हमने पिछले महीने के आँकड़े देखे और वे हमारी उम्मीद से थोड़े बेहतर हैं। नया दफ़्तर वसंत में खुलेगा, "
        "इसलिए जिसे खिड़की के पास मेज़ चाहिए वह शुक्रवार से पहले अन्ना को बता दे। खाने के बाद हमने बचे हुए "
        "सवालों पर एक एक करके बात की, और मुझे लगता है कि सिर्फ़ बजट बाकी है।"
    ),
    "tamil": (
        "கடந்த மாத எண்களைப் பார்த்தோம், அவை நாங்கள் எதிர்பார்த்ததை விட கொஞ்சம் நன்றாக உள்ளன. புதிய அலுவலகம் "
        "வசந்த காலத்தில் திறக்கும், எனவே ஜன்னல் அருகே மேசை வேண்டும் என்பவர்கள் வெள்ளிக்கிழமைக்கு முன் அன்னாவிடம் "
        "சொல்ல வேண்டும். மதிய உணவுக்குப் பிறகு மீதி கேள்விகளை ஒவ்வொன்றாகப் பார்த்தோம், பட்ஜெட் மட்டுமே மிச்சம் "
        "என்று நினைக்கிறேன்."
    ),
    "thai": (
        "เราดูตัวเลขของเดือนที่แล้วแล้ว ดีกว่าที่เราคาดไว้นิดหน่อย สำนักงานใหม่จะเปิดในฤดูใบไม้ผลิ ใครอยากได้โต๊ะ"
        "ใกล้หน้าต่างให้บอกแอนนาก่อนวันศุกร์ หลังอาหารกลางวันเราคุยเรื่องคำถามที่เหลือทีละข้อ และผมคิดว่าเหลือแค่"
        "เรื่องงบประมาณเท่านั้น"
    ),
    "georgian": (
        "ჩვენ ვნახეთ გასული თვის ციფრები და ისინი ცოტა უკეთესია, ვიდრე ველოდით. ახალი ოფისი გაზაფხულზე "
        "გაიხსნება, ამიტომ ვისაც ფანჯარასთან მაგიდა უნდა, ანას პარასკევამდე უთხრას. სადილის შემდეგ ღია კითხვები "
        "სათითაოდ განვიხილეთ და მგონი მხოლოდ ბიუჯეტი დარჩა."
    ),
    "ethiopic": (
        "ያለፈውን ወር ቁጥሮች ተመለከትን እና ከጠበቅነው ትንሽ የተሻሉ ናቸው። አዲሱ ቢሮ በጸደይ ይከፈታል፣ ስለዚህ በመስኮት አጠገብ ጠረጴዛ የሚፈልግ ሁሉ ከአርብ በፊት ለአና ይንገራት።"
    ),
    "han": (
        "我们看了上个月的数字，比我们预期的稍微好一点。新办公室春天开放，所以想要靠窗座位的人请在星期五之前告诉安"
        "娜。午饭以后我们把没有解决的问题一个一个过了一遍，我觉得只剩下预算了。"
    ),
    "kana": (
        "先月の数字を見ましたが、思っていたより少し良かったです。新しいオフィスは春に開くので、窓の近くの机がほし"
        "い人は金曜日までにアンナに言ってください。"
    ),
    "hangul": (
        "지난달 숫자를 살펴보니 우리가 기대했던 것보다 조금 더 좋았습니다. 새 사무실은 봄에 문을 열기 때문에 "
        "창가 자리를 원하는 사람은 금요일까지 안나에게 말해 주세요."
    ),
}
PHRASES_S = {
    "Please hold the line.": 1.3,
    "Не кладите трубку.": 1.4,
    "कृपया लाइन पर बने रहें।": 1.8,
    "请不要挂断电话。": 1.5,
    "전화를 끊지 마세요.": 1.6,
}
"""And the seconds that one of them takes."""


def attempt(text: str = " Good morning.", speech_s: float = 1.5, **changes: float | bool | tuple[int, ...]) -> Attempt:
    """Text that passes every gate, but for the changes. Tokens: the characters'."""
    usual = Attempt(text, tuple(map(ord, text)), -0.2, 0.01, 0.0, True, speech_s)
    return replace(usual, **changes)  # type: ignore[arg-type]  # each change fits its field


# ---- Gates


def test_ordinary_speech_passes() -> None:
    assert failures(attempt()) == ()


@pytest.mark.parametrize("script", SPOKEN)
@pytest.mark.parametrize("characters", [5, 20, 60, 120, 400])
@pytest.mark.parametrize("seconds_per_whole", [12.0, 40.0])
def test_ordinary_speech_passes_in_every_script(script: str, characters: int, seconds_per_whole: float) -> None:
    """Twice as fast and half as fast as usual, whatever the length."""
    whole = SPOKEN[script]
    text = whole[:characters]
    assert failures(attempt(text, seconds_per_whole * len(text) / len(whole))) == ()


@pytest.mark.parametrize("script", SPOKEN)
def test_a_loop_to_the_limit_fails_in_every_script(script: str) -> None:
    """224 tokens of one phrase, as characters or as tokens of three, in a full window and in a short one."""
    unit = SPOKEN[script][:9] + " "
    for text in (unit * 23, unit * 67):
        looped = attempt(text, 30.0, tokens=tuple(range(100, 110)) * 22 + (100, 101, 102, 103), finished=False)
        assert {"compression_ratio", "loop", "unfinished"} <= set(failures(looped))
        assert {"compression_ratio", "loop"} <= set(failures(replace(looped, speech_s=2.0, finished=True)))


@pytest.mark.parametrize("phrase", PHRASES_S)
@pytest.mark.parametrize("pace", [0.5, 1.0, 1.25])
def test_a_phrase_said_five_times_passes(phrase: str, pace: float) -> None:
    assert failures(attempt(" " + " ".join([phrase] * 5), 5 * PHRASES_S[phrase] / pace)) == ()


def test_a_long_sentence_said_five_times_passes() -> None:
    assert failures(attempt(SPOKEN["latin"][:100] * 5, 29.0)) == ()


def test_a_phrase_five_times_in_no_time_fails() -> None:
    assert "speed" in failures(attempt(" ".join(["Please hold the line."] * 5), 1.5))


@pytest.mark.parametrize(
    ("text", "speech_s"),
    [
        (" No, no, no, no.", 1.2),
        (" no no no no", 0.9),
        (" Ha ha ha ha ha ha ha ha ha ha", 2.4),
        (" 0 0 0 0 0 0 0 0", 2.8),
        (" 4 8 1 5 9 0 2 2 7 3 4 1 8 6 6 0 1 9 5 3 7 2 8 4 0 6 1 9 3 5 8 2 7 4 0 1 6 9 3 8", 18.0),
        (" " + " ".join(map(str, range(1, 60))), 40.0),
        (" 5, 5, 5, 1, 2, 1, 2", 2.5),
        (" It costs $1,000,000,000.", 1.6),
        (" 3.14159265358979", 4.6),
        (" 1984", 0.9),
        (" Yes.", 0.45),
        (" Hm.", 12.0 - 2.5),
        (" 一 二 三 四 五 六 七 八 九 十", 4.0),
    ],
)
def test_what_people_really_say_passes(text: str, speech_s: float) -> None:
    assert failures(attempt(text, speech_s)) == ()


def test_spoken_digits_pass_at_any_length_and_pace() -> None:
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    for count in (7, 20, 40, 60):
        digits = [(at * 7 + at // 10 * 3) % 10 for at in range(count)]
        for each_s in (0.25, 0.5):
            assert failures(attempt(" " + " ".join(map(str, digits)), count * each_s)) == ()
            assert failures(attempt(" " + " ".join(names[digit] for digit in digits), count * each_s)) == ()


def test_an_unlikely_text_fails() -> None:
    assert failures(attempt(avg_logprob=-1.01)) == ("avg_logprob",)
    assert failures(attempt(avg_logprob=-1.0)) == ()
    assert failures(attempt(avg_logprob=math.nan)) == ("avg_logprob",)


def test_a_text_that_its_time_cannot_hold_fails() -> None:
    farewell = " Thanks for watching, please like, share and subscribe to my channel."
    assert failures(attempt(farewell, 0.7)) == ("speed",)
    assert failures(attempt(farewell, 4.0)) == ()
    assert failures(attempt(SPOKEN["han"][:40], 1.5)) == ("speed",)
    assert failures(attempt(SPOKEN["hangul"][:40], 1.0)) == ("speed",)


def test_next_to_nothing_for_long_speech_fails_unless_the_model_doubts_that_there_is_any() -> None:
    assert failures(attempt(" You", 20.0)) == ("speed",)
    assert failures(attempt("", 20.0)) == ("speed",)
    assert failures(attempt("", 20.0, no_speech_prob=0.61)) == ()
    assert failures(attempt("", 9.9)) == ()
    assert failures(attempt(" Thank you.", 25.0)) == ()


def test_an_unfinished_text_fails() -> None:
    assert failures(attempt(finished=False)) == ("unfinished",)


def test_silence_is_an_answer_and_no_failure() -> None:
    noise = attempt(" Thank you. Thank you.", avg_logprob=-1.2, no_speech_prob=0.7)
    assert failures(noise) == ()
    assert failures(replace(noise, no_speech_prob=0.6)) == ("avg_logprob",)


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "silent"),
    [
        (" Thank you.", -1.1, 0.61, True),
        (" Thank you.", -1.0, 0.99, False),
        (" Thank you.", -5.0, 0.6, False),
        ("", -0.1, 0.0, True),
        (" ...", -0.1, 0.0, True),
        (" ♪♪", -0.1, 0.0, True),
        (" 7", -0.1, 0.0, False),
        (" 好", -0.1, 0.0, False),
    ],
)
def test_only_confirmed_silence_is_dropped(text: str, logprob: float, no_speech: float, silent: bool) -> None:
    assert confirmed_silence(attempt(text, avg_logprob=logprob, no_speech_prob=no_speech)) is silent


def test_quality_is_what_openai_reports() -> None:
    text = " Bonjour à tous. Bonjour à tous."
    stripped = text.strip().encode()
    expected = Quality(-0.2, 0.01, len(stripped) / len(zlib.compress(stripped)), 0.4)
    assert attempt(text, temperature=0.4).quality == expected
    assert attempt("").compression_ratio == 0.0
    assert attempt("\ud800").compression_ratio > 0  # not even half a surrogate pair is an error


# ---- Choice


def test_the_first_that_passes_is_chosen() -> None:
    tries = [attempt(avg_logprob=-1.5), attempt(" Good evening.", avg_logprob=-0.9), attempt(avg_logprob=-0.1)]
    assert choose(tries) is tries[1]


def test_when_all_fail_sound_text_comes_first_then_likelihood_then_order() -> None:
    looping = attempt("la " * 75, 3.0, finished=False, avg_logprob=-0.05)
    unlikely = attempt(avg_logprob=-1.4)
    likelier = attempt(avg_logprob=-1.1)
    repetitive = attempt("One. " * 60, 29.0, avg_logprob=-0.1)
    lost = attempt(avg_logprob=math.nan)
    assert failures(repetitive) == ("compression_ratio",)
    assert choose([looping, repetitive]) is repetitive
    assert choose([repetitive, lost, unlikely, likelier, looping]) is likelier
    assert choose([lost, looping]) is lost
    twins = [attempt(avg_logprob=-1.2), attempt(avg_logprob=-1.2)]
    assert choose(twins) is twins[0]


def test_what_every_attempt_says_stays() -> None:
    tries = [attempt("One. " * 60, 29.0, temperature=temperature) for temperature in TEMPERATURES]
    assert choose(tries) is tries[0]
    assert not confirmed_silence(choose(tries))


def test_nothing_to_choose_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        choose([])


# ---- Tail loops

SOME = st.lists(st.integers(0, 5), max_size=30)


def test_the_first_occurrence_of_a_loop_stays() -> None:
    assert without_tail_loop([1, 2, 3] + [7, 8, 9] * 20 + [7]) == [1, 2, 3, 7, 8, 9]
    assert without_tail_loop([4] * 224) == [4]
    assert without_tail_loop([1, *[4] * 13]) == [1, 4]


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [4],
        [5, 5, 5, 5],
        [1, *[4] * 12],  # eleven repetitions
        [1, 2, 3, 4, 5, 6, 7, 8] * 2,
        list(range(60)),
        [*[7, 8, 9] * 20, 1],
    ],
)
def test_what_is_no_tail_loop_stays_whole(tokens: list[int]) -> None:
    assert without_tail_loop(tokens) == tokens


@settings(deadline=None)
@given(SOME, st.lists(st.integers(6, 9), min_size=1, max_size=12), st.integers(14, 40), st.integers(0, 11))
def test_any_loop_is_cut_to_once(before: list[int], unit: list[int], times: int, more: int) -> None:
    looped = [*before, *unit * times, *unit[:more]]
    kept = without_tail_loop(looped)
    assert kept == looped[: len(kept)]
    assert len(before) + 1 <= len(kept) <= len(before) + len(unit)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=80))
def test_a_cut_is_a_beginning_and_keeps_every_token_that_was_written(tokens: list[int]) -> None:
    kept = without_tail_loop(tokens)
    assert kept == tokens[: len(kept)]
    assert set(kept) == set(tokens)


# ---- Any text at all


@settings(deadline=None)
@given(st.text(max_size=300), st.floats(0, 60), st.floats(-5, 0), st.floats(0, 1), st.booleans())
def test_every_attempt_is_judged_and_one_is_chosen(
    text: str, speech_s: float, logprob: float, no_speech: float, finished: bool
) -> None:
    one = attempt(text, speech_s, avg_logprob=logprob, no_speech_prob=no_speech, finished=finished)
    assert set(failures(one)) <= {"avg_logprob", "compression_ratio", "loop", "speed", "unfinished"}
    assert choose([one]) is one
    good = attempt()
    assert choose([one, good]) is (good if failures(one) else one)
    if confirmed_silence(one) and any(character.isalnum() for character in text):
        assert failures(one) == ()


@settings(deadline=None)
@given(st.text(max_size=200), st.floats(0.1, 30), st.floats(1, 3))
def test_more_time_never_makes_a_text_too_fast(text: str, speech_s: float, longer: float) -> None:
    if "speed" not in failures(attempt(text, speech_s)) and speech_s * longer < 10:
        assert "speed" not in failures(attempt(text, speech_s * longer))
