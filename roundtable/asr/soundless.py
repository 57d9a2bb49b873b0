"""Words that no sound is left for: what Whisper makes up once it has heard everything, or to end a sentence its own way.

The alignment has to put them somewhere, and gives each the least it can, a step or two of 20 ms. Several such words in a row
were not said: nobody talks more than twice as fast as the fastest. Where real words come out like that, it is the alignment
that went wrong, and then their time is found with the words beside them; those stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from roundtable.asr.gates import fastest_s
from roundtable.transcript import Word

_SHORTEST_S = 0.045
"""Two steps, and what rounding adds."""

_LEAST_WORDS, _LEAST_S = 3, 0.3
"""A run of fewer words, or of less than twelve letters or six digits, proves nothing."""

_TIMES_TOO_FAST = 2.5
_ORDINARY = 3.0
"""How much longer than the least time that words can be said in people take for them."""

_BESIDE = 2
"""Words on either side of a run that may have got its time."""

_PAUSE_S = 0.45
"""The longest that a window keeps, and a step of the alignment."""

_MOST_OF_A_WINDOW = 0.75
"""Where more than this were to go, the alignment is worth nothing."""


def without_soundless(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words of one window, in order, without runs that cannot have been said in their time."""
    dropped = [run for run in _runs(words) if not _can_be_said(words, run)]
    seconds = sum(fastest_s(_text(words[run.start : run.stop])) for run in dropped)
    if not dropped or seconds > _MOST_OF_A_WINDOW * fastest_s(_text(words)):
        return tuple(words)
    gone = {at for run in dropped for at in run}
    return tuple(word for at, word in enumerate(words) if at not in gone)


def _runs(words: Sequence[Word]) -> Iterator[range]:
    """Stretches of words that take next to no time each, as long as they go."""
    start = 0
    for at in range(len(words) + 1):
        if at == len(words) or words[at].end - words[at].start > _SHORTEST_S:
            if at - start >= _LEAST_WORDS:
                yield range(start, at)
            start = at + 1


def _can_be_said(words: Sequence[Word], run: range) -> bool:
    least_s = fastest_s(_text(words[run.start : run.stop]))
    took_s = words[run.stop - 1].end - words[run.start].start
    if least_s < _LEAST_S or took_s * _TIMES_TOO_FAST >= least_s:
        return True
    return _to_spare_s(words[max(0, run.start - _BESIDE) : run.stop + _BESIDE]) > least_s * _ORDINARY / 2


def _to_spare_s(words: Sequence[Word]) -> float:
    """Sound that these words have beyond what they need: in words that are drawn out, and in gaps, which in a window are speech
    when they are longer than the pauses that it keeps."""
    drawn_out = sum(max(0.0, word.end - word.start - _ORDINARY * fastest_s(word.text)) for word in words)
    return drawn_out + sum(max(0.0, right.start - left.end - _PAUSE_S) for left, right in pairwise(words))


def _text(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)
