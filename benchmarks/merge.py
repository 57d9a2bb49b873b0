"""`diarization_utils.merge` and its peers: `python -m benchmarks.merge` (`make bench-merge`). No audio and no model is needed.

attribution  who said which word: made-up conversations with an exact reference, disturbed the way engines err, in three
             strengths; all algorithms get the same words and the same turns, overlapping where people do
robustness   random input with the defects that real engines produce: who answers at all
speed        seconds and memory of ours for a hundred thousand turns

WDER counts the words that went to another speaker than who said them, or to nobody. cpWER counts, by speaker, the words that
are missing, wrong or too many. The conversations are made up, so the figures promise nothing for others: compare columns.

merge_talks.py         a conversation                    merge_peers.py       the peers' rules, in our words
merge_disturbances.py  what engines do to it             merge_robustness.py  random input
merge_score.py         the algorithms, and their score   merge_speed.py       a very long conversation
merge_tuning.py        the search for `SmoothingCosts`   merge_tables.py      figures to text, and the promises
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import merge_robustness, merge_speed, merge_tables
from benchmarks.merge_disturbances import CONDITIONS, DISTURBANCES, disturbed
from benchmarks.merge_score import ALGORITHMS, cp_errors, out_of_reach, wrong_speakers
from benchmarks.merge_talks import Talk
from benchmarks.merge_tuning import tune
from benchmarks.outcome import add_options, command, publish
from evaluation.machine import describe_machine
from evaluation.report import announced

MARKS = ("<!-- figures of benchmarks.merge -->", "<!-- end of the merge's figures -->")
PARTS = ("attribution", "robustness", "speed")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. No seed of the table is one that the costs were chosen on."""

    seeds: range
    inputs: int
    turns: int


FULL = Scale(seeds=range(1000, 1016), inputs=10_000, turns=100_000)
QUICK = Scale(seeds=range(1000, 1001), inputs=110, turns=1_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 1 with --strict if anything fell short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merge", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that it works; the figures mean little")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--tune", action="store_true", help="search the smoothing costs on other seeds, print them, and end")
    add_options(parser)
    options = parser.parse_args(arguments)
    if options.tune:
        print(tune())
        return 0
    typed = command("benchmarks.merge", arguments)
    figures = measure(QUICK if options.quick else FULL, options.only, typed)
    return publish(options, figures, merge_tables.text(figures), MARKS, merge_tables.checks(figures))


def measure(scale: Scale, parts: Sequence[str], command: str) -> dict[str, Any]:
    """The figures, as they go into the JSON file."""
    figures: dict[str, Any] = {
        "machine": {**describe_machine(), "command": command, "load before": f"{os.getloadavg()[0]:.2f}"}
    }
    if "speed" in parts:  # before the rest fills the memory
        figures["speed"] = merge_speed.measure(scale.turns)
    if "attribution" in parts:
        figures["attribution"] = attribution(scale.seeds)
    if "robustness" in parts:
        figures["robustness"] = merge_robustness.measure(scale.inputs)
    return figures


# ---- Attribution


def attribution(seeds: Sequence[int]) -> dict[str, Any]:
    """Every condition, on the same conversations, with and without punctuation."""
    blocks: list[dict[str, Any]] = [{"punctuated": punctuated, "rows": []} for punctuated in (True, False)]
    for kind, level in announced(CONDITIONS, lambda condition: " ".join(condition)):
        for block in blocks:
            talks = [disturbed(kind, level, seed, punctuated=block["punctuated"]) for seed in seeds]
            block["rows"].append({"kind": kind, "level": level, **condition_row(talks)})
    first = blocks[0]["rows"][0]
    note = f"{len(seeds)} made-up conversations, {first['seconds'] / 60:.0f} minutes, {first['words']} words."
    return {"note": note, "seeds": [seeds[0], seeds[-1]], "blocks": blocks}


def condition_row(talks: Sequence[Talk]) -> dict[str, Any]:
    """Words, errors of each kind and CPU seconds of each algorithm, all talks together."""
    algorithms = {}
    for name, attribute in ALGORITHMS.items():
        begun_s = time.process_time()
        answers = [attribute(talk) for talk in talks]
        cpu_s = time.process_time() - begun_s
        pairs = list(zip(talks, answers, strict=True))
        algorithms[name] = {
            merge_tables.WRONG: sum(wrong_speakers(*pair) for pair in pairs),
            merge_tables.CP_ERRORS: sum(cp_errors(*pair) for pair in pairs),
            "cpu_s": round(cpu_s, 4),
        }
    return {
        "words": sum(len(talk.words) for talk in talks),
        "seconds": sum(talk.duration_s for talk in talks),
        "out_of_reach": sum(map(out_of_reach, talks)),
        "algorithms": algorithms,
    }


def table(seeds: Sequence[int], *, punctuated: bool, level: str = merge_tables.HALF_AT) -> dict[str, dict[str, float]]:
    """WDER by disturbance and algorithm, at one level."""
    return {kind: _wder([disturbed(kind, level, seed, punctuated=punctuated) for seed in seeds]) for kind in DISTURBANCES}


def _wder(talks: Sequence[Talk]) -> dict[str, float]:
    words = sum(len(talk.words) for talk in talks)
    return {name: sum(wrong_speakers(t, attribute(t)) for t in talks) / words for name, attribute in ALGORITHMS.items()}


if __name__ == "__main__":
    sys.exit(main())
