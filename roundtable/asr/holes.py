"""Speech that a window's text passes over: found by the words' times, and heard again by itself.

Whisper now and then skips a sentence of a full window without a sign of doubt: probability, compression and length are all as
they should be. What gives it away is that a stretch of certain speech has no words. Such a stretch is a window of its own; what
is heard there goes between the words beside it, unless it is one of those words, whose time the alignment got wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from roundtable.asr.gates import Attempt, failures, fastest_s
from roundtable.audio import SAMPLE_RATE_HZ
from roundtable.transcript import Word
from roundtable.voice_activity import FRAME_SAMPLES, FloatArray
from roundtable.windows import Window

_LEAST_S = 1.4
"""Shorter ones are breath, laughter, or a word drawn out longer than the alignment says; each costs a pass of the encoder."""

_LEAST_SPEECH = 0.6
"""Mean probability of speech. Music and noise that the model rightly wrote nothing for stay below, as a rule."""

_LEAST_LOGPROB = -0.7
"""Stricter than the gates: here it is one hearing against another, which heard nothing."""

_OWN_TIME = 1.5
"""A word that took so many times the least it can be said in was said where it stands."""

_BESIDE = 3
"""Words more than those heard anew that are looked at on either side."""


def holes(window: Window, words: Sequence[Word], probabilities: FloatArray) -> Iterator[Window]:
    """Stretches of the window's speech without words, in order. `words` are in file time, in order; none: there is no hole.

    `probabilities`: of speech, per frame of the recording (`voice_activity.speech_probabilities`).
    """
    if not words:
        return
    ends = accumulate((word.end for word in words), max, initial=window.start)
    for start_s, end_s in zip(ends, [*(word.start for word in words), window.end], strict=True):
        left, right = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
        pieces = tuple((max(start, left), min(end, right)) for start, end in window.pieces if start < right and left < end)
        hole = Window(window.audio, tuple((start, end) for start, end in pieces if start < end))
        if hole.duration_s >= _LEAST_S and _speech(hole, probabilities) >= _LEAST_SPEECH:
            yield hole


def fills(attempt: Attempt, found: Sequence[Word], before: Sequence[Word], after: Sequence[Word]) -> bool:
    """Whether what was heard in a hole is to stand there, between the words `before` and `after` it."""
    if not found or failures(attempt) or attempt.avg_logprob < _LEAST_LOGPROB:
        return False
    said = [_plain(word) for word in found]
    reach = len(found) + _BESIDE
    return not any(_holds(said, beside) for beside in (before[-reach:], after[:reach]))


def _holds(said: Sequence[str], beside: Sequence[Word]) -> bool:
    """Whether most of it stands among these words already, in next to no time."""
    hurried = [_plain(word) for word in beside if word.end - word.start < _OWN_TIME * fastest_s(word.text)]
    return 2 * sum(word in hurried for word in said) > len(said)


def _plain(word: Word) -> str:
    return "".join(filter(str.isalnum, word.text.casefold()))


def _speech(hole: Window, probabilities: FloatArray) -> float:
    heard = [probabilities[start // FRAME_SAMPLES : -(-end // FRAME_SAMPLES)] for start, end in hole.pieces]
    return float(np.concatenate(heard).mean())
