"""Words that cannot have been said in the time they were given: gone, and nothing else with them."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtable.asr.soundless import without_soundless
from roundtable.transcript import Word


def words(*timed: tuple[str, float]) -> tuple[Word, ...]:
    """Texts and how long each takes, one after the other."""
    ends = list(accumulate(seconds for _, seconds in timed))
    return tuple(Word(f" {text}", end - seconds, end) for (text, seconds), end in zip(timed, ends, strict=True))


def said(text: str, each_s: float) -> list[tuple[str, float]]:
    return [(word, each_s) for word in text.split()]


def left(found: tuple[Word, ...]) -> str:
    return "".join(word.text for word in found).strip()


def test_a_sentence_that_is_finished_in_the_models_own_way() -> None:
    heard = words(
        *said("From January until November", 0.4), *said("the restaurant is silent.", 0.02), *said("the island is bad", 0.3)
    )
    assert left(without_soundless(heard)) == "From January until November the island is bad"


def test_a_tail_after_the_last_word() -> None:
    heard = words(*said("Welcome to the marketing meeting.", 0.35), *said("Who moved the marketing meeting? Who moved?", 0.02))
    assert left(without_soundless(heard)) == "Welcome to the marketing meeting."


def test_the_times_of_the_words_that_stay_are_theirs() -> None:
    heard = words(*said("one two", 0.4), *said("entirely invented words", 0.02), *said("three four", 0.4))
    assert without_soundless(heard) == (*heard[:2], *heard[5:])


@pytest.mark.parametrize(
    ("why", "run"),
    [
        ("two words prove nothing", "undoubtedly extraordinary"),
        ("nor do a few letters", "5 7 7 1"),
    ],
)
def test_little_of_it_stays(why: str, run: str) -> None:
    heard = words(*said("My number is", 0.3), *said(run, 0.02), *said("thank you", 0.3))
    assert without_soundless(heard) == heard, why


def test_characters_that_are_syllables_take_longer_than_letters() -> None:
    heard = words(*said("今 日 は い い 天 気 で す", 0.15), *said("明 日 も い い ね", 0.02), *said("晴 れ", 0.2))
    assert left(without_soundless(heard)) == " ".join("今日はいい天気です晴れ")


def test_real_words_whose_sound_went_to_a_neighbour_stay() -> None:
    # A phrase said three times, aligned as if the first had taken all the time.
    heard = words(*said("call me back", 0.3), ("tomorrow", 3.0), *said("call me back tomorrow", 0.02))
    assert without_soundless(heard) == heard


@pytest.mark.parametrize("stretched", [[("a", 0.06), ("um", 2.74)], [("a", 0.06), ("table", 0.3)]])
def test_real_words_whose_sound_went_to_the_word_after_the_next_or_into_a_gap_stay(stretched: list[tuple[str, float]]) -> None:
    heard = words(*said("Peter said", 0.4), *said("please send the report today", 0.02), *stretched)
    if stretched[-1][1] < 1.0:  # a comma has the time: no word does
        heard = (*heard[:2], *(replace(word, start=word.start + 2.4, end=word.end + 2.4) for word in heard[2:]))
    assert without_soundless(heard) == heard


def test_where_most_has_no_time_the_alignment_is_worth_nothing() -> None:
    heard = words(("well", 0.3), *said("everything else was put into no time at all", 0.02), ("then", 0.3))
    assert without_soundless(heard) == heard


@given(st.lists(st.tuples(st.text("abc 天", min_size=1, max_size=12), st.floats(0.0, 2.0)), max_size=30))
def test_what_stays_is_unchanged_and_in_order_and_no_word_with_time_goes(timed: list[tuple[str, float]]) -> None:
    heard = words(*timed)
    kept = without_soundless(heard)
    remaining = iter(heard)
    assert all(any(word is other for other in remaining) for word in kept)
    gone = [word for word in heard if not any(word is other for other in kept)]
    assert all(word.end - word.start <= 0.045 for word in gone)
    assert without_soundless(()) == ()
