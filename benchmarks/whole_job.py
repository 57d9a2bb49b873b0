"""The whole job and ASR alone, ours beside the peers: same weights, same audio, in turn. `python -m benchmarks.whole_job`.

job       file to reply on ten minutes of held-out dialogue, the tiny trained models: seconds, memory, WER, DER, cpWER
asr       ASR alone on the same dialogue, samples to text: transformers, faster-whisper in every mode, whisperX, our engines
lengths   10 s to an hour, each in a fresh process: how cost and memory grow
shapes    ASR alone with random weights of real shapes that write a fixed number of tokens: speed only

Each system has a process of its own, the peers an environment of their own (`peers/`). Speech is synthetic and weights are tiny
or random, since no others can be had everywhere: compare systems, not papers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import whole_job_tables
from benchmarks.outcome import add_options, command, keep, publish
from benchmarks.whole_job_parts import Bench, Scale
from benchmarks.whole_job_systems import SYSTEMS
from evaluation.machine import describe_machine
from evaluation.report import announced

PARTS = ("job", "asr", "lengths", "shapes")
MARKS = ("<!-- figures of benchmarks.whole_job -->", "<!-- end of figures of benchmarks.whole_job -->")

FULL = Scale(10.0, 5, (10.0, 60.0, 600.0, 3600.0), 600.0, {"tiny": 2.0, "base": 2.0, "small": 1.0}, 64)
QUICK = Scale(0.5, 1, (10.0, 20.0), 10.0, {"tiny": 0.5}, 8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 1 with --strict if anything fell short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_job", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few minutes: shows that it works; the figures mean little")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=tuple(SYSTEMS), metavar="NAME", help="these alone")
    parser.add_argument("--rounds", type=int, metavar="N", help="default: 5")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of each system (default: 2)")
    parser.add_argument("--lengths", type=float, nargs="+", metavar="S", help="default: 10 60 600 3600")
    parser.add_argument("--longest-peers", type=float, metavar="S", help="they hear nothing longer (default: 600)")
    add_options(parser)
    parser.add_argument("--from", type=Path, nargs="+", metavar="PATH", dest="measured", help="print such files as one")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    if options.measured:
        for path in options.measured:
            figures |= json.loads(path.read_text(encoding="utf-8"))
    else:
        scale = QUICK if options.quick else FULL
        given = {name: getattr(options, name) for name in ("rounds", "lengths", "longest_peers")}
        scale = replace(scale, **{name: value for name, value in given.items() if value})
        typed = command("benchmarks.whole_job", arguments)
        for part, measured in measure(scale, options.only, options.systems, options.threads, typed):
            figures[part] = measured
            keep(options, figures)
    return publish(options, figures, whole_job_tables.text(figures), MARKS, whole_job_tables.checks(figures))


def measure(
    scale: Scale, parts: Sequence[str], systems: Sequence[str], threads: int, typed: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each part with its figures, as they go into the JSON file. Each says on what machine and by which command."""
    machine = {**describe_machine(), "command": typed, "load before": f"{os.getloadavg()[0]:.2f}"}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(scale, systems, threads, Path(folder))
        works: dict[str, Callable[[], dict[str, Any]]] = {
            "job": bench.job,
            "asr": bench.asr,
            "lengths": bench.lengths,
            "shapes": bench.shapes,
        }
        for part in announced(list(parts), str):
            yield part, {"machine": machine, "threads": threads, "rounds": scale.rounds, **works[part]()}


if __name__ == "__main__":
    sys.exit(main())
