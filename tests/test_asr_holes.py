"""Speech without words is found, and what a second hearing says there stands only where it was not said already."""

from __future__ import annotations

import numpy as np
import pytest

from roundtable.asr.gates import Attempt
from roundtable.asr.holes import fills, holes
from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.transcript import Word
from roundtable.windows import Window

SURE = np.ones(2000, np.float32)
AUDIO = Audio(np.zeros(60 * SAMPLE_RATE_HZ, np.float32))


def window(*pieces_s: tuple[float, float]) -> Window:
    return Window(AUDIO, tuple((round(start * SAMPLE_RATE_HZ), round(end * SAMPLE_RATE_HZ)) for start, end in pieces_s))


def words(*timed: tuple[str, float, float]) -> tuple[Word, ...]:
    return tuple(Word(f" {text}", start, end) for text, start, end in timed)


def spans(found: Window) -> list[tuple[float, float]]:
    return [(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ) for start, end in found.pieces]


def attempt(avg_logprob: float = -0.1) -> Attempt:
    return Attempt(" heard anew", (1, 2), avg_logprob, 0.0, 0.0, True, 2.0)


def test_speech_before_between_and_after_the_words() -> None:
    heard = words(("one", 3.0, 3.5), ("two", 6.0, 6.5))
    found = [spans(hole) for hole in holes(window((1.0, 9.0)), heard, SURE)]
    assert found == [[(1.0, 3.0)], [(3.5, 6.0)], [(6.5, 9.0)]]


def test_silence_that_the_window_leaves_out_is_no_part_of_a_hole() -> None:
    heard = words(("one", 0.0, 1.0), ("two", 19.0, 20.0))
    found = [spans(hole) for hole in holes(window((0.0, 2.0), (10.0, 11.0), (18.5, 20.0)), heard, SURE)]
    assert found == [[(1.0, 2.0), (10.0, 11.0), (18.5, 19.0)]]
    assert list(holes(window((0.0, 1.2), (18.8, 20.0)), heard, SURE)) == []


def test_a_window_without_words_has_no_holes() -> None:
    assert list(holes(window((0.0, 30.0)), (), SURE)) == []


def test_what_is_hardly_speech_is_no_hole() -> None:
    heard = words(("one", 0.0, 1.0), ("two", 5.0, 6.0))
    assert list(holes(window((0.0, 6.0)), heard, SURE * np.float32(0.5))) == []


def test_words_that_overlap_or_end_before_they_begin_leave_no_hole() -> None:
    heard = words(("one", 0.0, 4.0), ("two", 1.0, 3.0), ("three", 5.0, 4.5))
    assert list(holes(window((0.0, 5.0)), heard, SURE)) == []


def test_other_words_fill_it() -> None:
    found = words(("send", 2.0, 2.3), ("the", 2.3, 2.5), ("report", 2.5, 3.0))
    assert fills(attempt(), found, words(("please", 1.0, 1.4)), words(("today", 3.2, 3.6)))


def test_nothing_and_what_the_model_hardly_believes_do_not() -> None:
    assert not fills(attempt(), (), (), ())
    assert not fills(attempt(-0.8), words(("hm", 2.0, 3.0)), (), ())
    assert not fills(attempt(float("nan")), words(("hm", 2.0, 3.0)), (), ())


@pytest.mark.parametrize("side", ["before", "after"])
def test_words_whose_time_was_wrong_are_not_said_twice(side: str) -> None:
    found = words(("send", 2.0, 2.3), ("the", 2.3, 2.5), ("report", 2.5, 3.0))
    hurried = words(("Send", 1.0, 1.04), ("the", 1.04, 1.06), ("report.", 1.06, 1.1))
    before, after = (hurried, ()) if side == "before" else ((), hurried)
    assert not fills(attempt(), found, before, after)


def test_what_was_said_twice_is() -> None:
    found = words(("good", 2.0, 2.4), ("evening", 2.4, 3.0))
    assert fills(attempt(), found, words(("Good", 1.0, 1.3), ("evening.", 1.3, 1.9)), ())
