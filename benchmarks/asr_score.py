"""How well a recording was heard: words wrong, by kind, and how far off the words that were heard right begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.asr_peers import Heard
from evaluation.normalize import normalize
from evaluation.score import Rate, Spoken, word_errors
from evaluation.word_times import Timed as Timed
from evaluation.word_times import starts_off_s as starts_off_s

NEAR_S = 0.3


@dataclass(frozen=True, slots=True)
class Hearing:
    """Word errors, and |start heard - start said| in seconds of each word heard right; None without word times."""

    wer: Rate
    starts_off_s: tuple[float, ...] | None

    def __add__(self, other: Hearing) -> Hearing:
        """Both recordings as one; word times count only if both have them."""
        both = self.starts_off_s is not None and other.starts_off_s is not None
        return Hearing(self.wer + other.wer, (*(self.starts_off_s or ()), *(other.starts_off_s or ())) if both else None)

    def as_json(self) -> dict[str, float | None]:
        """The figures that the tables show. `starts_near` is the share within `NEAR_S`."""
        off = self.starts_off_s
        known = bool(off)
        return {
            "words": self.wer.length,
            "wer": self.wer.value,
            **self.wer.errors_by_kind,
            "starts": None if off is None else len(off),
            "start_median_s": float(np.median(off)) if off and known else None,
            "start_p95_s": float(np.percentile(off, 95)) if off and known else None,
            "starts_near": sum(one <= NEAR_S for one in off) / len(off) if off and known else None,
        }


def judge(heard: Heard, said: Sequence[Timed]) -> Hearing:
    """Compare with the reference, whose words are in order."""
    wer = word_errors(_utterance(heard.text), _utterance(" ".join(text for text, _ in said)))
    return Hearing(wer, None if heard.words is None else tuple(starts_off_s(heard.words, said)))


def _utterance(text: str) -> list[Spoken]:
    words = normalize(text)
    return [Spoken("", 0.0, 0.0, tuple(words))] if words else []
