"""Random input that no engine should give and some do: how often does each algorithm answer at all?"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from benchmarks.merge_peers import Speakers, hugging_face, sentence_majority, whisperx
from diarization_utils import merge
from roundtable.transcript import Diarization, Segment, Transcript, Turn, Word

DURATION_S = 20.0
LABELS = ("SPEAKER_00", "SPEAKER_01", "Ann")
NO_NUMBERS: tuple[Any, ...] = (math.nan, math.inf, -math.inf)
ANY_TIMES: tuple[Any, ...] = (*NO_NUMBERS, None, -1.0, -0.0, 5e-324, 1e308, -1e308, DURATION_S)

Timed = TypeVar("Timed", Word, Turn)
Input = tuple[list[Word], list[Turn]]


class UnsoundError(Exception):
    """An answer of `merge` that breaks one of its promises."""


# ---- Inputs


def random_input(kind: str, rng: random.Random) -> Input:
    """A few words and turns with the named defect."""
    words, turns = DEFECTS[kind](_words(rng), _turns(rng), rng)
    return list(words), list(turns)


def _words(rng: random.Random) -> list[Word]:
    return [Word(f" {rng.choice('abc')}{rng.choice(('', '', ',', '.'))}", start, end) for start, end in _spans(rng, 12)]


def _turns(rng: random.Random) -> list[Turn]:
    return [Turn(start, end, rng.choice(LABELS)) for start, end in _spans(rng, 8)]


def _spans(rng: random.Random, most: int) -> Iterator[tuple[float, float]]:
    times = sorted(rng.uniform(0.0, DURATION_S) for _ in range(2 * rng.randint(1, most)))
    return zip(times[::2], times[1::2], strict=True)


def _reversed(words: list[Word], turns: list[Turn], rng: random.Random) -> Input:
    """The last comes first, and half of all end before they start."""
    back = partial(_swapped, rng)
    return list(map(back, reversed(words))), list(map(back, reversed(turns)))


def _swapped(rng: random.Random, item: Timed) -> Timed:
    return replace(item, start=item.end, end=item.start) if rng.random() < 0.5 else item


def _nested(words: list[Word], turns: list[Turn], rng: random.Random) -> Input:
    inner = []
    for turn in turns:
        start, end = sorted(rng.uniform(turn.start, turn.end) for _ in range(2))
        inner.append(Turn(start, end, rng.choice(LABELS)))
    return words, sorted([*turns, *inner], key=lambda turn: turn.start)


def _at_once(words: list[Word], turns: list[Turn], rng: random.Random) -> Input:
    return [replace(word, start=5.0, end=5.0) for word in words], [
        replace(turn, start=5.0, end=rng.choice((5.0, 6.0))) for turn in turns
    ]


def _blank(words: list[Word], turns: list[Turn], rng: random.Random) -> Input:
    return [replace(word, text=rng.choice(("", " ", word.text))) for word in words], turns


def _anything(words: list[Word], turns: list[Turn], rng: random.Random) -> Input:
    wild = partial(_with_times, rng, ANY_TIMES, ANY_TIMES)
    return rng.sample(list(map(wild, words)), len(words)), rng.sample(list(map(wild, turns)), len(turns))


def _with_times(rng: random.Random, starts: Sequence[Any], ends: Sequence[Any], item: Timed) -> Timed:
    """One time in three the start, and one in three the end, is of these; an empty list changes nothing."""
    start = rng.choice(starts) if starts and rng.random() < 1 / 3 else item.start
    return replace(item, start=start, end=rng.choice(ends) if rng.random() < 1 / 3 else item.end)


DEFECTS: dict[str, Callable[[list[Word], list[Turn], random.Random], Input]] = {
    "none": lambda words, turns, rng: (words, turns),
    "no words": lambda words, turns, rng: ([], turns),
    "no turns": lambda words, turns, rng: (words, []),
    "neither": lambda words, turns, rng: ([], []),
    "reversed": _reversed,
    "nested turns": _nested,
    "one instant": _at_once,
    "ends are None": lambda words, turns, rng: ([_with_times(rng, (), (None,), word) for word in words], turns),
    "NaN, infinity": lambda words, turns, rng: (
        [_with_times(rng, NO_NUMBERS, NO_NUMBERS, word) for word in words],
        [_with_times(rng, NO_NUMBERS, NO_NUMBERS, turn) for turn in turns],
    ),
    "blank words": _blank,
    "anything": _anything,
}


# ---- Answers


def ours(words: list[Word], turns: list[Turn]) -> Speakers:
    """`merge`, held to its promises. Raises `UnsoundError`."""
    half = len(words) // 2
    segments = tuple(
        Segment(part[0].start, part[-1].end, "".join(word.text for word in part), tuple(part))
        for part in (words[:half], words[half:])
        if part
    )
    merged = merge(Transcript(segments), Diarization(tuple(turns)), DURATION_S)
    said = [word for turn in merged for word in turn.words]
    times = [0.0, *(time for word in said for time in (word.start, word.end)), DURATION_S]
    if (
        [word.text for word in said] != [word.text for word in words]
        or not all(earlier <= later for earlier, later in pairwise(times))
        or any((word.speaker is None) != word.outside_speech for word in said)
        or not {word.speaker for word in said} <= {*LABELS, None}
    ):
        raise UnsoundError
    return [word.speaker for word in said]


ALGORITHMS: dict[str, Callable[[list[Word], list[Turn]], Speakers]] = {
    "ours": ours,
    "HF blog": hugging_face,
    "whisperX": whisperx,
    "whisperX, filled": partial(whisperx, fill_nearest=True),
    "sentence majority": sentence_majority,
}


def measure(inputs: int) -> dict[str, Any]:
    """So many inputs, of each defect equally many, through each algorithm: how many raise, by the name of the error."""
    raised: dict[str, dict[str, Counter[str]]] = {kind: {name: Counter() for name in ALGORITHMS} for kind in DEFECTS}
    kinds = list(DEFECTS)
    for number in range(inputs):
        kind = kinds[number % len(kinds)]
        words, turns = random_input(kind, random.Random(number))  # noqa: S311 - the same on every machine
        for name, attribute in ALGORITHMS.items():
            try:
                with np.errstate(all="ignore"):
                    answers = attribute(list(words), list(turns))
                if len(answers) != len(words):
                    raise UnsoundError
            except Exception as error:  # whatever it is: what is counted here is that there is one
                raised[kind][name][type(error).__name__] += 1
    counts = Counter(kinds[number % len(kinds)] for number in range(inputs))
    rows = [{"kind": kind, "inputs": counts[kind], "raised": {n: dict(c) for n, c in raised[kind].items()}} for kind in kinds]
    return {"inputs": inputs, "rows": rows}
