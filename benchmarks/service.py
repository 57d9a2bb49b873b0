"""What the service around the engines costs: `python -m benchmarks.service` (`make bench-service`).

overhead  the handler beyond the bare engines, for a clip of 10 s: the embedded engines, the tiny Whisper and pyannote, and
          engines that answer at once (service_overhead.py says what is bare)
start     from the start of a process to its first reply, embedded engines, step by step (service_start.py)
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import service_tables
from benchmarks.load_recordings import cut
from benchmarks.outcome import add_options, command, publish
from benchmarks.service_start import first_reply
from evaluation.machine import ROOT, describe_machine
from evaluation.report import announced

MARKS = ("<!-- figures of benchmarks.service -->", "<!-- end of the service's figures -->")
PARTS = ("overhead", "start")
CLIP_S = 10.0
SETTINGS = ("ASR_MODEL", "DIARIZATION_MODEL", "SUMMARIZE_MODEL")

MODELS = ROOT / "tests" / "models"
ENGINES = {
    "embedded": (("embedded", "embedded", "embedded"), ROOT / "samples" / "call.flac"),
    "tiny Whisper, tiny pyannote": (
        (str(MODELS / "whisper-tiny"), str(MODELS / "pyannote-tiny"), "embedded"),
        MODELS / "held_out" / "two_people.flac",
    ),
}
"""The three models, and a recording in a language that they know."""

AT_ONCE = "embedded, answers at once"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. Engines that answer at once are asked `at_once` times: they cost next to nothing."""

    rounds: int
    at_once: int
    starts: int


FULL = Scale(rounds=21, at_once=201, starts=5)
QUICK = Scale(rounds=3, at_once=51, starts=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 1 with --strict if anything fell short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute: shows that it works; the figures mean little")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    add_options(parser)
    options = parser.parse_args(arguments)
    figures = measure(QUICK if options.quick else FULL, options.only, command("benchmarks.service", arguments))
    return publish(options, figures, service_tables.text(figures), MARKS, service_tables.checks(figures))


def measure(scale: Scale, parts: Sequence[str], command: str) -> dict[str, Any]:
    """The figures, as they go into the JSON file."""
    figures: dict[str, Any] = {
        "machine": {**describe_machine(), "command": command, "load before": f"{os.getloadavg()[0]:.2f}"}
    }
    if "start" in parts:  # before this process fills the memory
        figures["start"] = start(scale.starts)
    if "overhead" in parts:
        figures["overhead"] = overhead(scale)
    return figures


def start(count: int) -> dict[str, Any]:
    """So many processes one after the other, and one before them that is not counted: it brings the files into memory."""
    models, recording = ENGINES["embedded"]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "clip.flac")
        clip.write_bytes(cut([recording], [CLIP_S])[CLIP_S])
        environment = dict(zip(SETTINGS, models, strict=True))
        first_reply(clip, environment)
        starts = announced(range(count), lambda number: f"start {number + 1}")
        return {"starts": [first_reply(clip, environment) for _ in starts]}


def overhead(scale: Scale) -> dict[str, Any]:
    """Every set of engines, loaded once and called in both ways."""
    from benchmarks.service_overhead import measure, recorded
    from roundtable.engines import Engines

    figures: dict[str, Any] = {}
    for name in announced(list(ENGINES), lambda name: f"overhead: {name}"):
        models, recording = ENGINES[name]
        engines, clip = Engines.load(*models), cut([recording], [CLIP_S])[CLIP_S]
        figures[name] = measure(engines, clip, scale.rounds)
        if name == "embedded":
            figures[AT_ONCE] = measure(recorded(engines, clip), clip, scale.at_once)
    return {"seconds": CLIP_S, "engines": figures}


if __name__ == "__main__":
    sys.exit(main())
