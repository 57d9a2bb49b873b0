"""A search for `SmoothingCosts` on conversations that the table does not use: `python -m benchmarks.merge --tune`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from benchmarks.merge_disturbances import CONDITIONS, disturbed
from benchmarks.merge_score import ours, wrong_speakers
from diarization_utils import COSTS, SmoothingCosts

SEEDS = range(6)

GRID = {
    "mid_clause": (1.1, 1.25, 1.5, 2.0),
    "unpunctuated": (0.25, 0.3, 0.4, 0.6),
    "clause_end": (0.2, 0.3, 0.4, 0.6, 0.8),
    "segment_end": (0.05, 0.1, 0.2, 0.4, 0.6),
    "sentence_end": (0.02, 0.05, 0.1, 0.2),
    "pause": (0.05, 0.1, 0.15),
    "own_turn_share": (0.5, 0.6, 0.7, 0.75),
    "overlapped": (0.75, 0.9, 0.95, 1.0),
    "nearby": (0.1, 0.3, 0.5, 0.7),
}
"""What `tests/test_diarization_utils.py` asks for sets bounds. `mid_clause` stays above 1, so that a whole word that the next
turn took goes back to its sentence; `unpunctuated` at 0.25, so that a false turn that cuts through two words splits no clause;
`own_turn_share` at 0.75, so that one long word is a turn of 2 s; and `pause` well below `unpunctuated`, so that a silence is
the better place for a change in every text."""


def tune(seeds: Sequence[int] = SEEDS) -> SmoothingCosts:
    """Coordinate descent over `GRID`, to the least mean WDER over all conditions, with and without punctuation."""
    talks = [
        disturbed(kind, level, seed, punctuated=punctuated)
        for kind, level in CONDITIONS
        for seed in seeds
        for punctuated in (True, False)
    ]

    def score(costs: SmoothingCosts) -> float:
        return fmean(wrong_speakers(talk, ours(talk, costs)) / len(talk.words) for talk in talks)

    best, best_score = COSTS, score(COSTS)
    print(f"{100 * best_score:.3f} %  {best}", flush=True)
    improved = True
    while improved:
        improved = False
        for name, values in GRID.items():
            for value in values:
                costs = replace(best, **{name: value})
                if costs.pause > costs.segment_end:  # merging a result again would not be stable: its turns are segments
                    continue
                if (found := score(costs)) < best_score - 1e-9:
                    best, best_score, improved = costs, found, True
                    print(f"{100 * best_score:.3f} %  {name} = {value}", flush=True)
    return best
