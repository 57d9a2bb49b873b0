"""Which windows of speech belong to one voice, and how many voices there are.

Starts with one speaker and divides, as long as a division survives the question "could these two be one voice?". A division is
proposed by the directions in which embeddings, averaged over 2.4 s, differ most; it is then refined with a hidden Markov model
whose states are the speakers' mean directions (Viterbi, with a price for changing the speaker), first alone, then together
with all other speakers.

The question is asked of window pairs that share no audio. With s(x, y) the mean cosine similarity of the pairs between x and y,

    sameness(a, b) = s(a, b) / sqrt(s(a, a) * s(b, b))

is 1 for two samples of one voice, however noisy or short the windows are, because noise lowers the numerator and the
denominator alike; plain similarity of mean vectors is not. It is computed on short windows (0.8 s) away from speaker changes,
while the division itself is found on long ones (1.6 s): more than a third fewer chance divisions of one voice pass that way.

Cost: time and memory grow with the number of windows n, never with its square: sums over all pairs are products of sums, and
only the pairs that share audio, a narrow band, are visited one by one.

The constants were chosen on conversations put together from recorded prompts of 15 people and from synthetic voices, clean,
noisy, over the telephone and as MP3, and on one real telephone call. With 16 other people the number of speakers was right in 3
of 4 conversations of one to six, and mostly one too small in the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.intp]

SAME_VOICE = 0.945
"""Sameness from which two groups are taken for one voice. Measured: mostly 0.95-1 within a voice, 0.6-0.94 between two."""

_CONTRAST = 0.15
"""Where the speakers found so far differ plainly, finer differences are less likely to be voices: the limit for the next
division comes down by this share of the distance between `SAME_VOICE` and the mean sameness of the speakers found."""

_ENOUGH_WINDOWS = 40
_CAUTION = 0.03
"""A group of fewer than 40 windows (8 s) has to differ more: by this much for every factor of e."""

_FEWEST_WINDOWS = 5
"""Speakers with fewer windows (about 1.6 s of speech) are not told apart unless the caller asks for so many."""

_STEEPNESS = 20.0
_CHANGE_COST = 8.0
_CHANGE_COST_AFTER_PAUSE = 2.4
"""The Markov model: log-likelihood per unit of cosine similarity, and the price of another speaker in the next window."""

_PROPOSAL_ROUNDS = 12
_REFINEMENT_ROUNDS = 6
_DIRECTIONS = 3
_SMOOTHING_STEPS = 6
_CORE_STEPS = 2
_SHARED_AUDIO_STEPS = 5
"""Short windows this many grid steps (0.2 s each) apart share no audio."""

_TYPICAL_WEIGHT = 40.0
"""The similarity within a group is averaged with the recording's typical one, which counts as this many pairs."""

MOST_SPEAKERS = 20
"""Nobody is looked for beyond this many, unless the caller names a higher number."""


@dataclass(frozen=True, slots=True)
class SpeechWindows:
    """Embeddings of n windows, in time order. `grid`: the windows' centres, ascending, in steps of 0.2 s.

    `long` and `short` are unit vectors, (n, 256), for 1.6 s and 0.8 s around the same centre.
    """

    grid: IntArray
    long: FloatArray
    short: FloatArray

    def __len__(self) -> int:
        return len(self.grid)

    def take(self, index: IntArray) -> SpeechWindows:
        return SpeechWindows(self.grid[index], self.long[index], self.short[index])


def cluster_speakers(windows: SpeechWindows, fewest: int, most: int, check: Callable[[], None]) -> IntArray:
    """One label, 0 … k-1, per window, with `fewest` <= k <= `most`; k is smaller only when there are fewer windows.

    `check` is called between divisions, and may raise. Deterministic.
    """
    labels = np.zeros(len(windows), np.intp)
    speakers = min(1, len(windows))
    proposals: dict[bytes, _Division | None] = {}
    while speakers < min(most, len(windows)):
        check()
        limit = _limit(windows, labels, speakers)
        divisions = []
        for speaker in range(speakers):
            members = labels == speaker
            key = members.tobytes()  # most groups are unchanged since the last round
            if key not in proposals:
                proposals[key] = _propose(windows, np.flatnonzero(members))
            division = proposals[key]
            if division is not None:
                divisions.append(division)
        divided = None
        for division in sorted(divisions, key=lambda division: division.sameness):
            divided = _apply(windows, labels, speakers, division, None if speakers < fewest else limit)
            if divided is not None:
                break
        if divided is None and speakers < fewest:
            divided = _divide_by_force(windows, labels, speakers)
        if divided is None:
            break
        labels, speakers = divided, speakers + 1
    return labels


@dataclass(frozen=True, slots=True)
class _Division:
    """One group divided in two: its windows, those of them that leave, and how alike the two halves are."""

    members: IntArray
    leaving: IntArray
    sameness: float


def _propose(windows: SpeechWindows, members: IntArray) -> _Division | None:
    """The division of a group that brings its windows closest to their two mean directions; None if there is none."""
    if len(members) < 2:
        return None
    group = windows.take(members)
    differences = group.long - group.long.mean(axis=0)
    smooth = differences.copy()
    counts = np.ones(len(group))
    for step in range(1, _SMOOTHING_STEPS + 1):
        left, right = _pairs(group.grid, step)
        smooth[left] += differences[right]
        smooth[right] += differences[left]
        counts[left] += 1
        counts[right] += 1
    smooth /= counts[:, None].astype(np.float32)
    directions = np.linalg.eigh(smooth.T @ smooth)[1][:, ::-1]
    best: tuple[float, IntArray] | None = None
    for direction in directions.T[:_DIRECTIONS]:
        labels = (smooth @ direction > 0).astype(np.intp)
        refined = _refine(group, labels, 2, _PROPOSAL_ROUNDS)
        if refined is None:
            continue
        closeness = float(sum(np.linalg.norm(group.long[refined == side].sum(axis=0)) for side in (0, 1)))
        if best is None or closeness > best[0]:
            best = closeness, refined
    if best is None:
        return None
    return _Division(members, members[best[1] == 1], float(_sameness(group, best[1], 2)[0, 1]))


def _apply(
    windows: SpeechWindows, labels: IntArray, speakers: int, division: _Division, limit: float | None
) -> IntArray | None:
    """All windows relabelled with one more speaker; None if the result does not stand. Without a limit anything does."""
    if limit is not None and division.sameness >= limit:
        return None
    divided = labels.copy()
    divided[division.leaving] = speakers
    refined = _refine(windows, divided, speakers + 1, _REFINEMENT_ROUNDS)
    if refined is None or limit is None:
        return refined
    if np.bincount(refined).min() < _FEWEST_WINDOWS:
        return None
    alike = _sameness(windows, refined, speakers + 1)
    return None if alike[~np.eye(speakers + 1, dtype=bool)].max() >= limit else refined


def _divide_by_force(windows: SpeechWindows, labels: IntArray, speakers: int) -> IntArray | None:
    """The largest group cut where its windows differ most: for a caller who knows of more speakers than can be heard."""
    members = np.flatnonzero(labels == np.bincount(labels).argmax())
    if len(members) < 2:
        return None
    differences = windows.long[members] - windows.long[members].mean(axis=0)
    along = differences @ np.linalg.eigh(differences.T @ differences)[1][:, -1]
    leaving = members[np.argsort(along, kind="stable")[len(members) // 2 :]]
    divided = labels.copy()
    divided[leaving] = speakers
    return divided


def _limit(windows: SpeechWindows, labels: IntArray, speakers: int) -> float:
    if speakers < 2:
        return SAME_VOICE
    found = _sameness(windows, labels, speakers)[np.triu_indices(speakers, 1)].mean()
    return float(SAME_VOICE - _CONTRAST * (SAME_VOICE - found))


def _refine(windows: SpeechWindows, labels: IntArray, speakers: int, rounds: int) -> IntArray | None:
    """Mean directions and most likely speakers in turn, until nothing changes; None when a speaker loses all windows."""
    pause = np.diff(windows.grid, prepend=windows.grid[0]) > 1
    costs = np.where(pause, _CHANGE_COST_AFTER_PAUSE, _CHANGE_COST)
    if np.bincount(labels, minlength=speakers).min() == 0:
        return None
    for _ in range(rounds):
        likelihoods = np.zeros((len(windows), speakers), np.float32)
        for embeddings in (windows.long, windows.short):
            means = np.stack([embeddings[labels == speaker].mean(axis=0) for speaker in range(speakers)])
            means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
            likelihoods += _STEEPNESS / 2 * (embeddings @ means.T)
        again = viterbi(likelihoods, costs)
        if np.bincount(again, minlength=speakers).min() == 0:
            return None
        if np.array_equal(again, labels):
            break
        labels = again
    return labels


def viterbi(likelihoods: NDArray[np.floating], costs: NDArray[np.floating]) -> IntArray:
    """The best path through (n, states) log-likelihoods, where changing the state at step i costs `costs[i]`."""
    # Plain floats: for a handful of states they are five times as fast as small arrays.
    total = likelihoods[0].tolist()
    before: list[list[float]] = [total]
    for gains, cost in zip(likelihoods[1:].tolist(), costs[1:].tolist(), strict=True):
        changed = max(total) - cost
        total = [max(stayed, changed) + gain for stayed, gain in zip(total, gains, strict=True)]
        before.append(total)
    path = np.empty(len(before), np.intp)
    state = total.index(max(total))
    path[-1] = state
    for step in range(len(before) - 1, 0, -1):
        earlier = before[step - 1]
        best = max(earlier)
        if earlier[state] < best - costs[step]:
            state = earlier.index(best)
        path[step - 1] = state
    return path


def _sameness(windows: SpeechWindows, labels: IntArray, speakers: int) -> NDArray[np.float64]:
    """The sameness of every two groups (see the module's page), raised for small groups; -inf on the diagonal.

    Groups without a pair of windows that share no audio cannot be told apart: +inf.
    """
    sizes = np.bincount(labels, minlength=speakers)
    core = _core(windows.grid, labels)
    few = np.bincount(labels[core], minlength=speakers) < 3
    core |= few[labels]  # a group that is all edges is judged by what there is
    grid, group, vectors = windows.grid[core], labels[core], windows.short[core]
    sums = np.stack([vectors[group == speaker].sum(axis=0, dtype=np.float64) for speaker in range(speakers)])
    counts = np.bincount(group, minlength=speakers).astype(np.float64)
    similarity = sums @ sums.T
    pairs = np.outer(counts, counts)
    for step in range(_SHARED_AUDIO_STEPS):
        left, right = _pairs(grid, step)
        products = np.einsum("ij,ij->i", vectors[left], vectors[right])
        near = np.zeros((speakers, speakers))
        near_pairs = np.zeros((speakers, speakers))
        np.add.at(near, (group[left], group[right]), products)
        np.add.at(near_pairs, (group[left], group[right]), 1.0)
        similarity -= near + near.T if step else near
        pairs -= near_pairs + near_pairs.T if step else near_pairs
    within, within_pairs = similarity.diagonal(), pairs.diagonal()
    if within_pairs.sum() <= 0:
        unknown = np.full((speakers, speakers), np.inf)
        np.fill_diagonal(unknown, -np.inf)
        return unknown
    typical = within.sum() / within_pairs.sum()
    spread = np.sqrt(np.maximum(1e-9, (within + _TYPICAL_WEIGHT * typical) / (within_pairs + _TYPICAL_WEIGHT)))
    smaller = np.minimum(np.minimum.outer(sizes, sizes), _ENOUGH_WINDOWS)
    sameness: NDArray[np.float64]
    sameness = similarity / np.maximum(pairs, 1.0) / np.outer(spread, spread) - _CAUTION * np.log(smaller / _ENOUGH_WINDOWS)
    sameness[pairs <= 0] = np.inf
    np.fill_diagonal(sameness, -np.inf)
    return sameness


def _core(grid: IntArray, labels: IntArray) -> NDArray[np.bool_]:
    """Windows whose neighbours within 0.4 s have the same label."""
    core = np.ones(len(labels), bool)
    for step in range(1, _CORE_STEPS + 1):
        left, right = _pairs(grid, step)
        differ = labels[left] != labels[right]
        core[left[differ]] = False
        core[right[differ]] = False
    return core


def _pairs(grid: IntArray, step: int) -> tuple[IntArray, IntArray]:
    """The indices of all windows that have another one exactly `step` later, and the indices of those."""
    later = np.searchsorted(grid, grid + step)
    exists = later < len(grid)
    exists[exists] = grid[later[exists]] == grid[exists] + step
    return np.flatnonzero(exists), later[exists]
