"""The embedded summarizer, end to end: a meeting as Whisper writes it and as PocketSphinx does, and whatever else may come."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roundtable.summarization
from roundtable.control import Control
from roundtable.errors import Cancelled, DeadlineExceeded, EngineUnavailable
from roundtable.summarization import SummarizeOptions, load_summarizer
from roundtable.summarization.extractive import NO_SPEECH, ExtractiveSummarizer
from roundtable.summarization.text import count_tokens
from roundtable.transcript import ActionItem, Point, SpeakerTurn, Summary, Word

ENGINE = ExtractiveSummarizer()
STRUCTURED = SummarizeOptions(format="structured")

# About 90 seconds. Two decisions, three action items, and a dozen sentences that only look like one.
MEETING = (
    (0, "Good morning, everyone. Thanks for joining. Today we need to settle the launch date and the press release."),
    (1, "Morning. The beta testers reported nine crashes last week, and seven of the crashes are fixed already."),
    (2, "The other two crashes only happen on old phones. I don't think we decided whether old phones matter for the launch."),
    (0, "If we decided to support old phones, the launch would slip by a month. How many customers have old phones?"),
    (1, "About three percent of our customers. I would say that is not enough to delay the launch of the app."),
    (0, "I agree. So we agreed to launch the app on the third of May, without support for old phones."),
    (2, "Good. Then let's go with the smaller agency for the press release, because the big agency needs six weeks."),
    (0, "Fine with me. Sarah, can you send the agency our screenshots by Friday?"),
    (2, "Sure, no problem."),
    (1, "I will fix the last two crashes before the end of the month. I'll be honest, one of them is nasty."),
    (0, "Thank you. Will we have enough time for the testing?"),
    (1, "Yes, the testing takes four days."),
    (2, "I will not book the venue this time. Last year the venue was far too big."),
    (0, "That is fair. I'll write the invitation for the customers tomorrow. Anything else? No? Thanks, everyone."),
)


def turn(place: int, speaker: str | None, text: str, words: tuple[Word, ...] = ()) -> SpeakerTurn:
    return SpeakerTurn(place, speaker, float(place), place + 1.0, text, words)


def as_whisper() -> list[SpeakerTurn]:
    return [turn(place, f"SPEAKER_0{who}", text) for place, (who, text) in enumerate(MEETING)]


def as_pocketsphinx() -> list[SpeakerTurn]:
    """Lower case, no punctuation but apostrophes; words of 0.3 s with a pause of 0.6 s where a sentence ends."""
    turns = []
    at = 0.0
    for place, (who, text) in enumerate(MEETING):
        words: list[Word] = []
        for written in text.split():
            heard = re.sub(r"[^a-z']", "", written.lower())
            words.append(Word(f" {heard}" if words else heard, at, at + 0.3, 0.9))
            at += 0.9 if written[-1] in ".?" else 0.3
        turns.append(turn(place, f"SPEAKER_0{who}", "".join(word.text for word in words), tuple(words)))
    return turns


def summarize(turns: list[SpeakerTurn], options: SummarizeOptions = STRUCTURED) -> Summary:
    return ENGINE.summarize(turns, options, Control())


# --- the meeting -------------------------------------------------------------------------------------------------------------


def test_the_meeting_as_whisper_writes_it() -> None:
    summary = summarize(as_whisper())
    assert summary.decisions == (
        Point("So we agreed to launch the app on the third of May, without support for old phones.", (5,)),
        Point(
            "Then let's go with the smaller agency for the press release, because the big agency needs six weeks.",
            (6,),
        ),
    )
    assert summary.action_items == (
        ActionItem("send the agency our screenshots", "Sarah", "by Friday", (7, 8)),
        ActionItem("fix the last two crashes", "SPEAKER_01", "before the end of the month", (9,)),
        ActionItem("write the invitation for the customers", "SPEAKER_00", "tomorrow", (13,)),
    )
    assert (summary.method, summary.warnings) == ("extractive", ())


def test_the_meeting_as_pocketsphinx_writes_it() -> None:
    summary = summarize(as_pocketsphinx())
    assert summary.decisions == (
        Point("so we agreed to launch the app on the third of may without support for old phones", (5,)),
        Point("then let's go with the smaller agency for the press release because the big agency needs six weeks", (6,)),
    )
    assert summary.action_items == (
        ActionItem("send the agency our screenshots", "SPEAKER_02", "by friday", (7, 8)),
        ActionItem("fix the last two crashes", "SPEAKER_01", "before the end of the month", (9,)),
        ActionItem("write the invitation for the customers", "SPEAKER_00", "tomorrow", (13,)),
    )


def test_the_summary_tells_who_said_what_in_the_order_of_the_meeting() -> None:
    assert summarize(as_whisper()).text == (
        "SPEAKER_00: If we decided to support old phones, the launch would slip by a month. "
        "So we agreed to launch the app on the third of May, without support for old phones.\n"
        "SPEAKER_02: Then let's go with the smaller agency for the press release, because the big agency needs six weeks.\n"
        "SPEAKER_00: Sarah, can you send the agency our screenshots by Friday?\n"
        "SPEAKER_01: I will fix the last two crashes before the end of the month."
    )
    assert summarize(as_whisper()).title == "Old phones, press release, agency"


def test_a_gap_between_unpunctuated_sentences_is_shown() -> None:
    said = [turn(0, None, "the launch of the mobile app is in may"), turn(1, None, "the budget for the launch is small")]
    assert summarize(said).text == "the launch of the mobile app is in may… the budget for the launch is small"


def test_every_speaker_has_a_sentence_of_their_own() -> None:
    summary = summarize(as_whisper())
    assert list(summary.per_speaker) == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]
    for speaker, sentence in summary.per_speaker.items():
        assert any(sentence in turn.text for turn in as_whisper() if turn.speaker == speaker)


def test_key_points_leave_decisions_and_action_items_to_their_own_lists() -> None:
    summary = summarize(as_whisper())
    assert [point.evidence for point in summary.key_points] == [(0,), (1,), (3,)]


def test_a_long_conversation_has_seven_key_points() -> None:
    said = [turn(place, "A", f"The {name} of project {name} is late again.") for place, name in enumerate(map(str, range(300)))]
    assert len(summarize(said).key_points) == 7


def test_what_is_said_twice_is_told_once() -> None:
    said = [turn(place, f"S{place % 2}", "The budget report is late.") for place in range(4)]
    assert summarize(said).text == "S0: The budget report is late."


# --- bounds ------------------------------------------------------------------------------------------------------------------


def test_the_bounds_hold_at_their_edges() -> None:
    said = [turn(0, "A", "Nine birds sing above the quiet river."), turn(1, "B", "Two boats carry coal to the harbour.")]
    both = "A: Nine birds sing above the quiet river.\nB: Two boats carry coal to the harbour."
    assert summarize(said, SummarizeOptions(max_tokens=16, min_tokens=14)).text == both
    assert summarize(said, SummarizeOptions(max_tokens=15, min_tokens=14)).text in both.split("\n")
    assert summarize(said, SummarizeOptions(max_tokens=16, min_tokens=0)).text == both


def test_a_sentence_longer_than_the_bound_is_cut_at_a_word_with_a_warning() -> None:
    said = [turn(0, "A", "Nine birds sing above the quiet river."), turn(1, "B", "Two big boats carry coal to the harbour.")]
    summary = summarize(said, SummarizeOptions(max_tokens=4, min_tokens=0))
    assert summary.text in {"A: Nine birds sing", "B: Two big boats"}
    assert [warning.code for warning in summary.warnings] == ["summary_cut"]
    one = summarize(said, SummarizeOptions(max_tokens=1, min_tokens=0))
    assert one.text in {"Nine", "Two"}


def test_a_longer_conversation_gets_a_longer_summary_within_the_bound() -> None:
    said = [turn(place, "A", f"Item{place} of list{place} goes to place{place} by way{place}.") for place in range(400)]
    # 4 times the root of 3,200 words is 226.3, and every sentence has 8.
    assert count_tokens(summarize(said, SummarizeOptions(max_tokens=8000)).text) == 232
    assert 477 <= count_tokens(summarize(said, SummarizeOptions(min_tokens=530)).text) <= 530


# --- no speech, little speech, other languages --------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [[], [""], ["  \n", "..."], ["🙂", "!"]])
def test_no_speech_is_said_and_is_no_error(said: list[str]) -> None:
    summary = summarize([turn(place, "A", text) for place, text in enumerate(said)])
    assert summary == Summary("No speech was found in the recording.")


def test_a_single_word_is_its_own_summary() -> None:
    assert summarize([turn(3, None, "hello")]) == Summary("hello", "Hello", (Point("hello", (3,)),))


def test_japanese_is_joined_without_spaces_and_rules_are_said_to_be_english() -> None:
    said = [turn(0, "A", "予算について話します。公開日は六月一日です。"), turn(1, "B", "予算は一万ドルです。")]
    summary = summarize(said)
    assert summary.text == "A: 予算について話します。公開日は六月一日です。\nB: 予算は一万ドルです。"
    assert [warning.code for warning in summary.warnings] == ["rules_need_english"]
    assert summarize(said, SummarizeOptions()).warnings == ()


def test_rules_are_not_applied_to_another_language() -> None:
    said = [turn(0, "A", "I will send the report by Friday."), turn(1, "B", "Yes.")]
    assert summarize(said, replace(STRUCTURED, language="de")).action_items == ()
    assert len(summarize(said, replace(STRUCTURED, language="en")).action_items) == 1


# --- the engine --------------------------------------------------------------------------------------------------------------


def test_the_loader_gives_this_engine() -> None:
    engine = load_summarizer("embedded")
    assert isinstance(engine, ExtractiveSummarizer)
    assert engine.name == "embedded (textrank)"


def test_nothing_heavy_is_imported_before_the_engine_is_constructed() -> None:
    program = (
        "import sys, roundtable.summarization.extractive as e; before = {'sklearn', 'networkx', 'numpy'} & set(sys.modules); "
        "e.ExtractiveSummarizer(); print(sorted(before), sorted({'sklearn', 'networkx'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[] ['networkx', 'sklearn']"


def test_a_missing_package_is_said_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(roundtable.summarization, "textrank")
    monkeypatch.delitem(sys.modules, "roundtable.summarization.textrank")
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(EngineUnavailable, match="scikit-learn and networkx"):
        ExtractiveSummarizer()


def test_threads_get_the_answer_that_one_gets() -> None:
    expected = summarize(as_whisper())
    with ThreadPoolExecutor(4) as pool:
        assert set(map(repr, pool.map(lambda _: summarize(as_whisper()), range(8)))) == {repr(expected)}


def test_a_cancelled_or_late_request_stops() -> None:
    cancelled = Control()
    cancelled.cancel()
    with pytest.raises(Cancelled):
        ENGINE.summarize(as_whisper(), STRUCTURED, cancelled)
    ticks = iter(range(1000))
    with pytest.raises(DeadlineExceeded):  # not at the first check, but at the fourth
        ENGINE.summarize(as_whisper(), STRUCTURED, Control(timeout_s=4, clock=lambda: float(next(ticks))))


def test_ten_thousand_turns() -> None:
    said = [
        turn(
            place,
            f"S{place % 3}",
            f"{'Nobody has' if place % 10 else 'I will send'} part{place // 2} of list{place} yet{place}.",
        )
        for place in range(10_000)
    ]
    summary = summarize(said)
    assert 477 <= count_tokens(summary.text) <= 530
    assert [item.evidence for item in summary.action_items] == [(place,) for place in range(0, 10_000, 10)]


# --- properties --------------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(
            "yes",
            "no",
            "okay",
            "Tom",
            "tom",
            "can",
            "you",
            "i'll",
            "I",
            "will",
            "send",
            "book",
            "the",
            "report",
            "by",
            "Friday",
        ),
        *("tomorrow", "please", "we", "decided", "to", "go", "let's go with", "so we agreed to", "if", "not", "Anna Lee will"),
        *("action item:", "todo:", ".", "?", "!", ",", ":", "\n", "…", "'", "-", "$%^"),
        *("予算は", "。", "สวัสดี", "שלום", "مرحبا؟", "🙂", "\ud800", "\x00", "é", "ﬁ", "ß"),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=60).map(" ".join), st.text(max_size=80))
TURNS = st.lists(st.tuples(st.sampled_from([None, "SPEAKER_00", "SPEAKER_01", "Anna Lee"]), TEXTS), max_size=12).map(
    lambda said: [turn(7 * place + 3, speaker, text) for place, (speaker, text) in enumerate(said)]
)
OPTIONS = st.builds(
    SummarizeOptions,
    format=st.sampled_from(["text", "structured"]),
    max_tokens=st.integers(1, 80),
    min_tokens=st.integers(0, 80),
    language=st.sampled_from([None, "en", "ja"]),
)


def flat(text: str) -> str:
    return " ".join(text.split())


@settings(deadline=None, max_examples=150)
@given(TURNS, OPTIONS)
def test_nothing_is_invented_and_every_bound_holds(turns: list[SpeakerTurn], options: SummarizeOptions) -> None:
    summary = ENGINE.summarize(turns, options, Control())
    said = {turn.id: flat(turn.text) for turn in turns}
    speakers = {turn.speaker for turn in turns}

    for point in (*summary.key_points, *summary.decisions):
        assert point.evidence
        assert point.evidence[0] in said
        assert set(point.evidence) <= set(said)
        assert point.text
        assert point.text in said[point.evidence[0]]
    for item in summary.action_items:
        assert set(item.evidence) <= set(said)
        assert item.task in said[item.evidence[0]]
        assert item.due is None or any(item.due in said[id_] for id_ in item.evidence)
        assert item.owner is None or item.owner in speakers or any(item.owner in said[id_] for id_ in item.evidence)
    for speaker, sentence in summary.per_speaker.items():
        assert any(turn.speaker == speaker and sentence in flat(turn.text) for turn in turns)

    assert len(summary.key_points) <= 7
    assert summary.text == NO_SPEECH or 1 <= count_tokens(summary.text) <= options.max_tokens
    everything = " ".join(said.values()).casefold()
    assert all(word in everything for word in summary.title.casefold().replace(",", " ").split())
    assert ENGINE.summarize(turns, options, Control()) == summary
