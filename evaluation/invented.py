"""Words that were heard where the reference says that nobody speaks.

Recognisers write words into noise and silence, and WER hides it: such an insertion counts as much as a doubled "the". Here a
word is invented if all of it lies further than `NEAR_S` from all speech of the reference. Only its time counts, not what it is
paired with for WER: under a reference that is shifted, right words are invented too, more of them than there are insertions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evaluation.normalize import normalize
from evaluation.readers import Recording
from evaluation.score import Rate
from roundtable.transcript import Word

NEAR_S = 0.25
"""Word times and the borders of references are off by about this much."""

Span = tuple[float, float]
"""Start and end, in seconds."""


def invented_words(heard: Iterable[Word], reference: Recording, duration_s: float) -> Rate:
    """Error: words invented. Length: MINUTES without speech, so that the rate is words per minute of it.

    Speech is the turns of the reference or, without any, its utterances. Fillers are no words.
    """
    speech = _joined([(one.start, one.end) for one in reference.turns or reference.utterances or ()])
    invented = sum(len(normalize(word.text)) for word in heard if not _near(word, speech))
    silent_s = duration_s - sum(min(end, duration_s) - min(start, duration_s) for start, end in speech)
    return Rate({"invented": invented}, silent_s / 60)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Without overlaps, in order."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _near(word: Word, speech: Sequence[Span]) -> bool:
    return any(word.start < end + NEAR_S and word.end > start - NEAR_S for start, end in speech)
