"""How far off the words that were heard right begin.

A least-errors alignment pairs the words of both sides; those that are the same count. Only where they start: where a word ends
is a matter of taste, and references differ in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import jiwer

from evaluation.normalize import normalize

Timed = tuple[str, float]
"""A word and its start in seconds."""


def starts_off_s(heard: Sequence[Timed], said: Sequence[Timed]) -> list[float]:
    """|start heard - start said| in seconds of each word heard right, in order.

    Each word is normalised for itself, to keep its time, so a number of two words pairs only with one of two words.
    """
    hypothesis, reference = list(_normalized(heard)), list(_normalized(said))
    if not hypothesis or not reference:
        return []
    found = jiwer.process_words(" ".join(word for word, _ in reference), " ".join(word for word, _ in hypothesis))
    return [
        abs(hypothesis[chunk.hyp_start_idx + n][1] - reference[chunk.ref_start_idx + n][1])
        for chunk in found.alignments[0]
        if chunk.type == "equal"
        for n in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]


def _normalized(words: Iterable[Timed]) -> Iterable[Timed]:
    return ((part, start) for text, start in words for part in normalize(text))
