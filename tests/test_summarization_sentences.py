import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtable.summarization.sentences import PUNCTUATED_LIMIT, UNPUNCTUATED_LIMIT, split_turns
from roundtable.summarization.text import count_tokens, has_words
from roundtable.transcript import SpeakerTurn, Word


def turn(text: str, words: tuple[Word, ...] = ()) -> SpeakerTurn:
    return SpeakerTurn(0, "SPEAKER_00", 0.0, 1.0, text, words)


def spoken(*parts: str | float) -> SpeakerTurn:
    """A turn of words of 0.25 s each; a number between them is a silence of so many seconds."""
    words: list[Word] = []
    at = 0.0
    for part in parts:
        if isinstance(part, float):
            at += part
            continue
        for text in part.split():
            words.append(Word(" " + text if words else text, at, at + 0.25))
            at += 0.25
    return turn("".join(word.text for word in words), tuple(words))


def texts(*turns: SpeakerTurn) -> list[str]:
    return [unit.text for unit in split_turns(turns)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Good. We start at nine! Agreed?  Yes…", ["Good.", "We start at nine!", "Agreed?", "Yes…"]),
        ("Dr. Smith pays 3.5 euros, e.g. for tea. J. Doe pays.", ["Dr. Smith pays 3.5 euros, e.g. for tea.", "J. Doe pays."]),
        (
            "We meet at 5 p.m. in Rome. He said “go.” Then we went.",
            ["We meet at 5 p.m. in Rome.", "He said “go.”", "Then we went."],
        ),
        ("So do I. No. We wait... and see.", ["So do I.", "No.", "We wait...", "and see."]),
        ("今日は。「はい！」次は何？終わり", ["今日は。", "「はい！」", "次は何？", "終わり"]),
        ("مرحبا. كيف حالك؟ بخير", ["مرحبا.", "كيف حالك؟", "بخير"]),
        ("नमस्ते। आप कैसे हैं?", ["नमस्ते।", "आप कैसे हैं?"]),
        ("one\ntwo.", ["one", "two."]),
        ("... 🙂 !", []),
    ],
)
def test_punctuated_text_is_split_at_sentence_ends(text: str, sentences: list[str]) -> None:
    assert texts(turn(text)) == sentences


def test_unpunctuated_text_is_split_at_pauses() -> None:
    said = spoken("the report is late", 0.5, "nobody knows why", 0.4, "it rains")
    assert texts(said) == ["the report is late", "nobody knows why it rains"]


def test_a_shorter_pause_splits_before_a_word_that_opens_a_sentence() -> None:
    said = spoken("the report is late", 0.2, "i will call them", 0.2, "tomorrow", 0.1, "so there")
    assert texts(said) == ["the report is late", "i will call them tomorrow so there"]


def test_a_pause_is_no_sentence_end_where_there_is_punctuation() -> None:
    assert texts(spoken("The report", 2.0, "is late. Nobody knows.")) == ["The report is late.", "Nobody knows."]


def test_a_long_piece_is_cut_at_its_widest_pause() -> None:
    said = spoken("a " * 12 + "b", 0.3, "c " + "d " * 15)
    assert texts(said) == [" ".join("a" * 12) + " b", "c " + " ".join("d" * 15)]


def test_a_long_piece_without_pauses_is_cut_in_the_middle() -> None:
    numbers = [str(number) for number in range(30)]
    assert texts(turn(" ".join(numbers))) == [" ".join(numbers[:15]), " ".join(numbers[15:])]


def test_an_unspaced_script_has_twice_as_many_characters_in_a_unit() -> None:
    assert texts(turn("日" * 50)) == ["日" * 50]
    assert texts(turn("日" * 52)) == ["日" * 26, "日" * 26]


def test_words_that_are_not_in_the_text_end_no_unit() -> None:
    words = (Word("other", 0.0, 0.2), Word("things", 3.0, 3.2), Word("", 4.0, 4.0))
    assert texts(turn("the report is late", words)) == ["the report is late"]


def test_units_know_their_turn() -> None:
    turns = [turn("One. Two."), turn(""), turn("Three.")]
    assert [(unit.position, unit.turn is turns[unit.position]) for unit in split_turns(turns)] == [
        (0, True),
        (0, True),
        (2, True),
    ]


@given(st.lists(st.text(alphabet=st.sampled_from("ab .!?。日本\n\t\ud800é'🙂"), max_size=400), max_size=4))
def test_units_are_the_text_in_order_and_none_is_endless(said: list[str]) -> None:
    units = split_turns([turn(text) for text in said])
    assert all(has_words(unit.text) for unit in units)
    assert all(count_tokens(unit.text) <= 2 * max(PUNCTUATED_LIMIT, UNPUNCTUATED_LIMIT) for unit in units)
    kept = "".join("".join(unit.text.split()) for unit in units)
    everything = "".join("".join(text.split()) for text in said)
    assert [c for c in kept if c.isalnum()] == [c for c in everything if c.isalnum()]
