"""Speech, packed: the regions of a recording cut into windows for an engine, and the way back from window time to file time.

An engine that hears only windows spends no time on silence and cannot invent words there. Nothing here knows which engine it
is: `max_s` is how much it can hear at once, `max_gap_s` and `keep_gap_s` say what it makes of pauses.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.voice_activity import FRAME_SAMPLES, Region, speech_probabilities

_CUT_FRAMES = 3
"""A cut wants a hundred quiet milliseconds, not one quiet frame between two loud ones."""

_CRUMB_S = 0.5
"""No cut leaves less than this of a region, unless `max_s` forces it."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Stretches of one recording, joined. `pieces` are their half-open ranges of samples, ascending and disjoint."""

    audio: Audio
    pieces: tuple[tuple[int, int], ...]

    @property
    def duration_s(self) -> float:
        return sum(end - start for start, end in self.pieces) / SAMPLE_RATE_HZ

    @property
    def start(self) -> float:
        """File time of its first sample."""
        return self.pieces[0][0] / SAMPLE_RATE_HZ

    @property
    def end(self) -> float:
        """File time just after its last sample."""
        return self.pieces[-1][1] / SAMPLE_RATE_HZ

    def samples(self) -> NDArray[np.float32]:
        """The pieces joined. Made anew at each call, so that the windows of a long recording cost no memory."""
        return np.concatenate([self.audio.samples[start:end] for start, end in self.pieces])

    def to_file_time(self, seconds: float, side: Literal["start", "end"] = "start") -> float:
        """The file time of a window time; a time outside the window is taken as its nearest end. Never falls as time grows.

        Where two pieces meet, one window time is two file times: `side` says whether something starts there (the later one)
        or ends there (the earlier one).
        """
        joints = self._joints()
        at = min(max(round(seconds * SAMPLE_RATE_HZ, 6), 0.0), float(joints[-1]))  # a joint in seconds is that joint again
        find = bisect_right if side == "start" else bisect_left
        piece = min(max(find(joints, at) - 1, 0), len(self.pieces) - 1)
        return (self.pieces[piece][0] + at - joints[piece]) / SAMPLE_RATE_HZ

    def to_window_time(self, seconds: float) -> float:
        """The window time of a file time; what was dropped between two pieces lies at their joint."""
        joints = self._joints()
        at = seconds * SAMPLE_RATE_HZ
        piece = max(bisect_right(self.pieces, at, key=lambda ends: ends[0]) - 1, 0)
        start, end = self.pieces[piece]
        return (joints[piece] + min(max(at, start), end) - start) / SAMPLE_RATE_HZ

    def stretch_in_file(self, start_s: float, end_s: float) -> tuple[float, float]:
        """The file times of a stretch of window time, `start_s` <= `end_s`, kept within one piece.

        A word that seems to span a joint did not last through what was dropped there: the piece that holds most of it has it.
        """
        joints = [joint / SAMPLE_RATE_HZ for joint in self._joints()]
        if bisect_right(joints, start_s) < (right := bisect_left(joints, end_s)):
            left = max(bisect_right(joints, start_s), 1)
            shares = [
                min(end_s, joints[at]) - max(start_s, joints[at - 1]) for at in range(left, min(right, len(joints) - 1) + 1)
            ]
            piece = left + max(range(len(shares)), key=shares.__getitem__)
            start_s, end_s = max(start_s, joints[piece - 1]), min(end_s, joints[piece])
        return self.to_file_time(start_s, "start"), self.to_file_time(end_s, "end")

    def _joints(self) -> list[int]:
        """The window's own sample numbers at which its pieces begin, and its length."""
        return list(accumulate((end - start for start, end in self.pieces), initial=0))


def pack_windows(
    audio: Audio,
    regions: Sequence[Region],
    max_s: float,
    *,
    max_gap_s: float = math.inf,
    keep_gap_s: float = 0.0,
) -> tuple[Window, ...]:
    """Windows of at most `max_s` seconds that hold every region exactly once, in order. `regions` are sorted and disjoint.

    A region longer than `max_s` is cut where there is least speech, in the second half of what a window could hold. Regions
    more than `max_gap_s` apart never share a window. Of a pause within a window, `keep_gap_s` seconds are kept, half at either
    side; 0 drops it, infinity keeps all of it. Raises ValueError unless `max_s` is at least 1.
    """
    if max_s < 1.0:
        raise ValueError("max_s must be at least 1 second.")
    limit = int(max_s * SAMPLE_RATE_HZ)
    windows: list[list[tuple[int, int]]] = []
    length = 0
    for start, end in _short_enough(audio, regions, limit):
        gap = start - windows[-1][-1][1] if windows else 0
        kept = int(min(gap, keep_gap_s * SAMPLE_RATE_HZ))
        if windows and length + kept + end - start <= limit and gap <= max_gap_s * SAMPLE_RATE_HZ:
            windows[-1].append((start, end))
            length += kept + end - start
        else:
            windows.append([(start, end)])
            length = end - start
    return tuple(Window(audio, _with_gaps(pieces, keep_gap_s)) for pieces in windows)


def _short_enough(audio: Audio, regions: Sequence[Region], limit: int) -> Iterator[tuple[int, int]]:
    """The regions as ranges of samples, those beyond `limit` cut in two or more."""
    for region in regions:
        start, end = round(region.start * SAMPLE_RATE_HZ), round(region.end * SAMPLE_RATE_HZ)
        while end - start > limit:
            cut = _best_cut(audio, start + limit // 2, max(start + limit // 2, min(start + limit, end - _CRUMB)))
            yield start, cut
            start = cut
        if start < end:
            yield start, end


_CRUMB = int(_CRUMB_S * SAMPLE_RATE_HZ)


def _best_cut(audio: Audio, earliest: int, latest: int) -> int:
    """The sample, in the middle of a frame, around which there is least speech; `latest` when no such middle is in range."""
    first = math.ceil((earliest - FRAME_SAMPLES / 2) / FRAME_SAMPLES)
    last = math.floor((latest - FRAME_SAMPLES / 2) / FRAME_SAMPLES)
    if last < first:
        return latest
    reach = _CUT_FRAMES // 2
    near = np.arange(first - reach, last + reach + 1).clip(0, len(speech_probabilities(audio)) - 1)
    # Probability says "somebody talks" all through a sentence; the level tells its pauses from its vowels. Both in [0, 1].
    level = np.array([np.abs(audio.samples[at * FRAME_SAMPLES : (at + 1) * FRAME_SAMPLES]).mean() for at in near])
    cost = speech_probabilities(audio)[near] + level / max(float(level.max()), np.finfo(np.float32).tiny)
    smooth = np.convolve(cost, np.full(_CUT_FRAMES, 1 / _CUT_FRAMES), mode="valid")
    best = len(smooth) - 1 - int(np.argmin(smooth[::-1]))  # of equals the last, which fills the window best
    return (first + best) * FRAME_SAMPLES + FRAME_SAMPLES // 2


def _with_gaps(pieces: list[tuple[int, int]], keep_gap_s: float) -> tuple[tuple[int, int], ...]:
    """The pieces, grown into the pauses between them; those that then touch become one."""
    grown = [pieces[0]]
    for (_, left_end), (start, end) in pairwise(pieces):
        kept = int(min(start - left_end, keep_gap_s * SAMPLE_RATE_HZ))
        if kept == start - left_end:
            grown[-1] = (grown[-1][0], end)
        else:
            grown[-1] = (grown[-1][0], left_end + kept // 2)
            grown.append((start - (kept - kept // 2), end))
    return tuple(grown)
