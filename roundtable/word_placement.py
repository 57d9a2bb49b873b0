"""Words for a segment that has none: its text cut into words, and a time for each, from the turns that the segment covers.

For engines that give the times of segments only. Such times are guesses, and `diarization_utils` marks them `approximate`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, groupby, pairwise
from operator import attrgetter

from roundtable.transcript import Turn

# Which turns may take a piece of the text, and where it may be cut.
MIN_PIECE_S = 1.0
MIN_PIECE_SHARE = 0.2
LONG_SEGMENT_S = 15.0
"""`MIN_PIECE_SHARE` is a share of the segment, or of this, so that a minute-long segment does not hide a turn of 3 s."""
SNAP_S = 1.0
"""A cut moves to the end of a sentence that lies within this much speech of it."""

SENTENCE_ENDS = frozenset(".?!…。？！｡।॥؟۔።")
CLOSING_MARKS = "\"'”’»)]}」』）》\u200b \t\n"


def place_words(texts: Sequence[str], start: float, end: float, turns: Sequence[Turn]) -> Iterator[tuple[float, float]]:
    """Times for the words of a segment, as if its characters were spoken evenly during the turns that it covers.

    `turns`: those that overlap [start, end]. Only the substantial ones get words, see `_substantial`. Where one speaker's
    piece meets the next one's, the cut moves to the end of a sentence nearby: people tend to finish their sentences.
    """
    pieces = _substantial(turns, start, end) or [[Turn(start, end, "")]]
    positions = [0, *accumulate(max(1, len(text)) for text in texts)]
    sentence_ends = [position for position, text in zip(positions[1:], texts, strict=True) if last_mark(text) in SENTENCE_ENDS]
    characters_per_s = positions[-1] / max(sum(map(_length_s, pieces)), 1e-9)
    begin, reached_s = 0, 0.0
    for piece in pieces:
        reached_s += _length_s(piece)
        target = reached_s * characters_per_s
        cut = _nearest(sentence_ends, target)
        if cut is None or abs(cut - target) > SNAP_S * characters_per_s:
            cut = _nearest(positions, target)
        stop = len(texts) if piece is pieces[-1] else max(begin, bisect_left(positions, cut or 0))
        yield from _spread([position - positions[begin] for position in positions[begin : stop + 1]], piece)
        begin = stop


def _substantial(turns: Sequence[Turn], start: float, end: float) -> list[list[Turn]]:
    """The runs of one speaker in [start, end] that are long enough to trust with a piece of the text, else the main speaker's.

    Interpolated times are too coarse for more: blind splitting at every change breaks about as much as it mends.
    """
    inside = [Turn(max(turn.start, start), min(turn.end, end), turn.speaker) for turn in turns]
    runs = _runs(inside)
    needed_s = max(MIN_PIECE_S, MIN_PIECE_SHARE * min(end - start, LONG_SEGMENT_S))
    kept = [run for run in runs if _length_s(run) >= needed_s]
    if not kept:
        talk_s: dict[str, float] = defaultdict(float)
        for turn in inside:
            talk_s[turn.speaker] += turn.end - turn.start
        kept = [run for run in runs if run[0].speaker == max(talk_s, key=lambda speaker: talk_s[speaker])]
    return _runs(chain.from_iterable(kept))  # what was between two runs of one speaker may be gone


def _runs(turns: Iterable[Turn]) -> list[list[Turn]]:
    return [list(run) for _, run in groupby(turns, key=attrgetter("speaker"))]


def _length_s(turns: Iterable[Turn]) -> float:
    return sum(turn.end - turn.start for turn in turns)


def _nearest(ascending: Sequence[int], target: float) -> int | None:
    at = bisect_left(ascending, target)
    return min(ascending[max(0, at - 1) : at + 1], key=lambda position: abs(position - target), default=None)


def _spread(positions: Sequence[int], turns: Sequence[Turn]) -> Iterator[tuple[float, float]]:
    """The time between each two positions, when all of them are spoken evenly during `turns`. None reaches over a gap."""
    reached_s = [0.0, *accumulate(turn.end - turn.start for turn in turns)]
    seconds_per_position = reached_s[-1] / max(positions[-1], 1)
    for begin, stop in pairwise(position * seconds_per_position for position in positions):
        at = min(bisect_right(reached_s, begin), len(turns)) - 1
        turn = turns[at]
        yield min(turn.start + begin - reached_s[at], turn.end), min(turn.start + stop - reached_s[at], turn.end)


# Scripts written without spaces: Thai, Lao, Tibetan, Myanmar, Khmer, kana, Chinese characters.
_UNSPACED = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_LEANS_ON_NEXT = frozenset("เแโใไເແໂໃໄ")
_LEANS_ON_LAST = frozenset("ะาำะາຳーゃゅょっァィゥェォャュョッ々ๆ")


def split_words(text: str) -> list[str]:
    """Cut a text into words that join to it again; where a script has no spaces, into its characters. Blank text has none."""
    tokens = [
        piece for token in re.findall(r"\s*\S+", text) for piece in (_characters(token) if _UNSPACED.search(token) else [token])
    ]
    if tokens:
        tokens[-1] += text[len(text.rstrip()) :]
    return tokens


def _characters(token: str) -> list[str]:
    """Cut where an unspaced character begins or ends; never before a mark that leans on it, nor inside a Latin word."""
    cuts = [0]
    for at, (last, character) in enumerate(pairwise(token), start=1):
        leans_back = unicodedata.category(character) in {"Mn", "Mc", "Pe", "Pf", "Po", "Pd"} or character in _LEANS_ON_LAST
        leans_on = last.isspace() or unicodedata.category(last) in {"Ps", "Pi"} or last in _LEANS_ON_NEXT
        if not leans_back and not leans_on and (_UNSPACED.match(last) or _UNSPACED.match(character)):
            cuts.append(at)
    return [token[start:end] for start, end in pairwise([*cuts, len(token)])]


def last_mark(text: str) -> str:
    return text.rstrip(CLOSING_MARKS)[-1:]
