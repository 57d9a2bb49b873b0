"""What the request says beforehand reaches the model as plain text, and is not taken for speech."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtable.asr.prompting import leaks, loses, previous_tokens

PROMPT = "Minutes of the Roundtable project, with Anna Kowalczyk and Bjørn."
HOTWORDS = ["Kowalczyk", "Siobhán O'Connor", "CTranslate2", "pyannote"]


def spell(text: str) -> list[int]:
    """An encoder whose tokens are characters."""
    return [ord(character) for character in text]


def spelled(tokens: Sequence[int]) -> str:
    return "".join(map(chr, tokens))


# ---- Tokens


def test_hotwords_stand_before_the_prompt() -> None:
    assert spelled(previous_tokens(spell, "We met  on\nMonday.", ["Anna", " Bjørn "])) == " Anna, Bjørn. We met on Monday."


@pytest.mark.parametrize("prompt", [None, "", " \n "])
@pytest.mark.parametrize("hotwords", [[], ["", "  "]])
def test_nothing_given_is_no_tokens(prompt: str | None, hotwords: list[str]) -> None:
    assert previous_tokens(spell, prompt, hotwords) == []


def test_a_hotword_is_named_once() -> None:
    assert spelled(previous_tokens(spell, None, ["Anna", "Bjørn", "Anna", "  Anna"])) == " Anna, Bjørn."


def test_of_a_long_prompt_the_end_stays_from_a_word_on() -> None:
    prompt = " ".join(f"word{at}" for at in range(100))
    assert spelled(previous_tokens(spell, prompt, [], limit=20)) == " word98 word99"
    assert spelled(previous_tokens(spell, prompt, ["Anna"], limit=20)) == " Anna. word98 word99"


def test_of_many_hotwords_the_first_that_fit_stay_whole_and_leave_room_for_the_prompt() -> None:
    hotwords = ["Alexandria", "x" * 60, "Bo", "Constantinople", "Cy"]
    assert spelled(previous_tokens(spell, "and so on", hotwords, limit=28)) == " Alexandria, Bo, Cy. so on"


def test_of_a_prompt_without_spaces_the_last_characters_stay() -> None:
    prompt = "会議の議事録。" * 60
    tokens = previous_tokens(lambda text: list(text.encode()), prompt, [])
    assert bytes(tokens).decode() == " " + prompt[-74:]  # of three bytes each: one more would be too many


def test_no_piece_of_a_word_is_given() -> None:
    assert previous_tokens(spell, "Donaudampfschifffahrtsgesellschaft", [], limit=20) == []


@settings(deadline=None)
@given(
    st.none() | st.text(max_size=60), st.lists(st.text(max_size=15), max_size=8), st.integers(0, 60), st.sampled_from([1, 2, 4])
)
def test_never_more_than_the_limit_and_only_what_was_given(
    prompt: str | None, hotwords: list[str], limit: int, bytes_per: int
) -> None:
    def encode(text: str) -> list[int]:
        return [ord(character) for character in text for _ in range(bytes_per)]

    tokens = previous_tokens(encode, prompt, hotwords, limit)
    assert len(tokens) <= limit
    text = spelled(tokens[::bytes_per])
    assert len(text) * bytes_per == len(tokens)  # no half character
    words = " ".join([*hotwords, prompt or ""]).split()
    assert all(any(piece.rstrip(",.") in word for word in words) for piece in text.split())


@settings(deadline=None)
@given(st.lists(st.text(st.characters(categories=["L", "P"]), min_size=1, max_size=12), max_size=12))
def test_a_prompt_that_fits_is_given_whole(words: list[str]) -> None:
    assert spelled(previous_tokens(spell, " ".join(words), [])) == "".join(f" {word}" for word in words)


# ---- Leaks

SAID = [
    "And then Kowalczyk asked about the budget.",
    "We should use CTranslate2 on a CPU, and pyannote for the speakers.",
    "Siobhán O'Connor and Kowalczyk will look into pyannote and CTranslate2 by Friday.",
    "The minutes of the project are with Anna.",
    "Pyannote, CTranslate2, Siobhán O'Connor, Kowalczyk.",  # not in the order given
    "Kowalczyk, Siobhán, CTranslate2.",  # half of a hotword is none
    "Anna and Bjørn. Anna, Bjørn.",
    "",
    "Hm.",
]


@pytest.mark.parametrize("text", SAID)
def test_using_the_words_is_no_leak(text: str) -> None:
    assert not leaks(text, PROMPT, HOTWORDS)


@pytest.mark.parametrize(
    "text",
    [
        PROMPT,
        "minutes of the roundtable project",
        "So. Roundtable project, with Anna Kowalczyk! So.",
        "Kowalczyk, Siobhán O’Connor, CTranslate2.",
        "siobhan o'connor ctranslate2 PYANNOTE",
    ],
)
def test_repeating_them_is_a_leak_if_nobody_said_it(text: str) -> None:
    assert leaks(text, PROMPT, HOTWORDS)
    assert leaks(text, PROMPT, HOTWORDS, "")
    assert leaks(text, PROMPT, HOTWORDS, "Let us go on with the next item then.")
    assert not leaks(text, PROMPT, HOTWORDS, f"Yes. {text} And so on.")


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("I asked Kowalczyk, Siobhán O'Connor, CTranslate2.", "I asked Kovalchick, Shavon O'Conner, see translate two."),
        ("Siobhán O'Connor, CTranslate2, pyannote, please.", "Chevonne O'Connor, C Translate 2, pie a note, please."),
        ("with Anna Kowalczyk and Bjørn today", "with Hannah Coval chick and Bjorn today"),
        ("We need minutes of the Roundtable project.", "We need minutes of the round table project."),
    ],
)
def test_the_right_spelling_of_what_was_heard_is_no_leak(text: str, heard: str) -> None:
    assert leaks(text, PROMPT, HOTWORDS)
    assert not leaks(text, PROMPT, HOTWORDS, heard)


def test_a_leak_before_real_speech_is_found() -> None:
    said = "I think that we should wait for the figures."
    assert leaks(f"Minutes of the Roundtable project. {said}", PROMPT, [], said)
    assert leaks(f"{said} Kowalczyk, Siobhán O'Connor, CTranslate2, pyannote.", None, HOTWORDS, said)


def test_a_short_prompt_leaks_whole_or_not_at_all() -> None:
    assert leaks("Budget meeting.", "Budget meeting", [], "Hm.")
    assert not leaks("The budget.", "Budget meeting", [])
    assert not leaks("Budget.", "Budget", [], "")
    assert leaks("Anna, Bjørn.", None, ["Anna", "Bjørn"], "")
    assert not leaks("Anna.", None, ["Anna"], "")


@pytest.mark.parametrize("prompt", ["これは会議の議事録です。", "这是项目会议的记录。", "นี่คือรายงานการประชุมโครงการ"])
def test_languages_without_spaces(prompt: str) -> None:
    assert leaks(f"好。{prompt}", prompt, [], "好。")
    assert not leaks(prompt[:5], prompt, [])
    assert not leaks(prompt, prompt, [], prompt)


WORDS = st.lists(st.sampled_from(["a", "the", "Anna", "went", "home", "議", "事", "録", "two", "2"]), max_size=25)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_what_was_heard_without_the_prompt_too_never_leaks(prompt: list[str], said: list[str]) -> None:
    text = " ".join(said)
    assert not leaks(text, " ".join(prompt), prompt, text)


@settings(deadline=None)
@given(WORDS, st.lists(st.sampled_from(["x", "y", "z", "字"]), max_size=25))
def test_other_words_never_leak(prompt: list[str], said: list[str]) -> None:
    assert not leaks(" ".join(said), " ".join(prompt), prompt)


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.lists(st.text(max_size=10), max_size=5), st.text(max_size=80))
def test_any_text_gets_an_answer_and_silence_never_leaks(text: str, prompt: str, hotwords: list[str], heard: str) -> None:
    if leaks(text, prompt, hotwords, heard):
        assert leaks(text, prompt, hotwords)
    assert not leaks("", prompt, hotwords, heard)
    assert not leaks(text, None, [], heard)


# ---- With a real tokenizer

CONTROL = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|nospeech|>", "<|notimestamps|>", "<|0.00|>"]
MODEL = Path(__file__).parent / "models" / "whisper-tiny"


@pytest.mark.parametrize("control", CONTROL)
def test_control_tokens_in_the_request_are_plain_text(control: str) -> None:
    from roundtable.asr.vocabulary import Vocabulary

    vocabulary = Vocabulary(MODEL)
    silent = set(vocabulary.control_tokens.values())
    for prompt, hotwords in ((f"Go on{control}now {control}", []), (None, [control, f"a{control}"]), (control * 60, [control])):
        tokens = previous_tokens(vocabulary.encode, prompt, hotwords)
        assert tokens
        assert len(tokens) <= 223
        assert not silent & set(tokens)
        assert max(tokens) < min(silent)
        assert control in vocabulary.decode(tokens)


@pytest.mark.parametrize(
    ("text", "heard", "lost"),
    [
        ("We met in the street.", "We met in the street.", False),
        ("We met.", "We met in the street.", True),
        ("We met in June.", "We met. In June.", False),
        ("We met.", "We met, Ann.", False),  # one word is within what a prompt may change
        ("Ask Kowalczyk.", "Ask Koval chick.", False),
        ("Ask Kowalczyk.", "Ask Koval chick now please and thank you.", True),
        ("", "Two words.", True),
        ("More was heard with it.", "More.", False),
        ("今天。", "今天我们开会。", True),
    ],
)
def test_words_that_a_prompt_costs_are_missed(text: str, heard: str, lost: bool) -> None:
    assert loses(text, heard) is lost
