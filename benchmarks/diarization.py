"""pyannote as it comes and as we run it. `python -m benchmarks.diarization` (`make bench-diarization`).

speed      whole pipeline, real architectures at random weights: each system at the batch size that suits it best, in turn
memory     how much a long recording takes beyond a short one, each in a fresh process
dialogues  the whole job with both trained tiny models, on dialogues that were held out (needs flite and espeak-ng)
gpu        where there is CUDA: seconds per hour of audio and video memory

What random weights say is noise, but of the same amount: turns of several speakers, which have to come out the same.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import diarization_dialogues
from benchmarks.diarization_worker import EXACT, OURS, STOCK, SYSTEMS, Measured, Worker
from benchmarks.outcome import add_options, command, publish
from evaluation.checks import Check, check_table
from evaluation.machine import ROOT, describe_machine
from evaluation.report import aligned, announced
from roundtable.audio import SAMPLE_RATE_HZ, decode_audio

RECORDINGS = (
    "samples/meeting.flac",
    "samples/call.flac",
    *(f"tests/models/held_out/{n}.flac" for n in ("two_people", "three_people_noisy")),
)
PARTS = ("speed", "memory", "dialogues", "gpu")
PACKAGES = ("torch", "pyannote.audio")
BATCHES = (1, 2, 4, 8, 16, 32)
GPU_BATCH = 32
TRIAL_S = 20
"""Of sound: what the batch sizes are tried on."""

RATIO, GROWTH = 3.0, 2.0
BYTES_PER_S = 4 * SAMPLE_RATE_HZ
"""A waveform: float32."""

MARKS = ("<!-- figures of benchmarks.diarization -->", "<!-- end of figures of benchmarks.diarization -->")

Figures = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 1 with --strict if anything fell short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diarization", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--minutes", type=float, default=5, metavar="N", help="of the speed part (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of the speed part (default: 3)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of each system (default: 2)")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, metavar="N", help="sizes to try (default: 1 to 32)")
    parser.add_argument("--memory-minutes", type=float, nargs=2, default=(5, 30), metavar=("SHORT", "LONG"))
    parser.add_argument("--memory-network", choices=("resnet34", "slim"), default="slim", help="slim: a hundredth of the work")
    parser.add_argument("--dialogues", type=int, default=10, metavar="N", help="the first so many (default: 10)")
    parser.add_argument("--dialogue-minutes", type=float, default=2.5, metavar="N", help="each that long (default: 2.5)")
    add_options(parser)
    parser.add_argument(
        "--from", type=Path, nargs="+", metavar="PATH", dest="measured", help="print such files as one; measure nothing"
    )
    options = parser.parse_args(arguments)
    if options.measured:
        figures: dict[str, Any] = {}
        for path in options.measured:
            figures |= json.loads(path.read_text(encoding="utf-8"))
    else:
        typed = command("benchmarks.diarization", arguments)
        figures = measure(options, typed)
    return publish(options, figures, text(figures), MARKS, checks(figures))


def measure(options: argparse.Namespace, command: str) -> dict[str, Any]:
    """The figures, as they go into the JSON file. Every part says on what machine and by which command it was measured."""
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in PACKAGES)
    machine = {**describe_machine(), "packages": versions, "command": command, "load before": f"{os.getloadavg()[0]:.2f}"}
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if "speed" in options.only:
            figures["speed"] = {"machine": machine, **speed(options, scratch)}
        if "memory" in options.only:
            figures["memory"] = {"machine": machine, **memory(options, scratch)}
        if "dialogues" in options.only:
            measured = diarization_dialogues.dialogues(scratch, options.dialogues, options.dialogue_minutes)
            figures["dialogues"] = {"machine": machine, **measured}
        if "gpu" in options.only and (name := _gpu_name()) is not None:
            figures["gpu"] = {"machine": {**machine, "device": name}, **gpu(options, scratch)}
    return figures


# --- Recordings and weights ------------------------------------------------------------------------------------------


def recording(scratch: Path, seconds: float) -> Path:
    """Our recordings one after the other, again and again until they fill so much, as .npy."""
    path = scratch / f"{seconds:g}.npy"
    sound = [decode_audio((ROOT / name).read_bytes(), max_bytes=10**8, max_seconds=3600).samples for name in RECORDINGS]
    np.save(path, np.resize(np.concatenate(sound), round(seconds * SAMPLE_RATE_HZ)))
    return path


def weights(scratch: Path, embedding: str) -> Path:
    """A pipeline at random weights."""
    from tests.models.random_pyannote import random_pyannote

    folder = scratch / embedding
    if not folder.exists():
        random_pyannote(folder, embedding=embedding)
    return folder


# --- Speed -----------------------------------------------------------------------------------------------------------


def speed(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Every system on the same recording, round by round one after the other."""
    folder, short, long = weights(scratch, "resnet34"), recording(scratch, TRIAL_S), recording(scratch, 60 * options.minutes)
    with ExitStack() as stack:
        workers = {system: stack.enter_context(Worker(folder, system, options.threads)) for system in SYSTEMS}
        trials: dict[str, dict[int, Measured]] = {system: {} for system in SYSTEMS}
        workers[STOCK].diarize(short, 1, 8)
        for size in announced(options.batches, lambda size: f"batches of {size}"):
            for system, worker in workers.items():
                trials[system][size] = worker.diarize(short, size, 8)
        best = {system: min(tried, key=lambda size: tried[size].cpu_s) for system, tried in trials.items()}
        rounds = [
            {system: worker.diarize(long, best[system], 8) for system, worker in workers.items()}
            for _ in announced(range(options.rounds), lambda number: f"round {number + 1}, {options.minutes:g} minutes")
        ]
    first = rounds[0][STOCK].turns
    return {
        "minutes": options.minutes,
        "threads": options.threads,
        "turns": len(first["diarization"]),
        "speakers": len({turn["speaker"] for turn in first["diarization"]}),
        "systems": {
            system: {
                "trials_cpu_s": {str(size): one.cpu_s for size, one in trials[system].items()},
                "batch": best[system],
                "cpu_s": [one[system].cpu_s for one in rounds],
                "wall_s": [one[system].wall_s for one in rounds],
                "embeddings_s": [one[system].stages_s["embeddings"] for one in rounds],
                "segmentation_s": [one[system].stages_s["segmentation"] for one in rounds],
                "same_turns": all(one[system].turns == first for one in rounds),
            }
            for system in SYSTEMS
        },
    }


def ratio(figures: Figures, system: str, clock: str) -> float:
    """How many times as long stock takes: the median of the rounds."""
    stock, ours = figures["systems"][STOCK][clock], figures["systems"][system][clock]
    return float(median(theirs / own for theirs, own in zip(stock, ours, strict=True)))


# --- Memory and GPU --------------------------------------------------------------------------------------------------


def memory(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Peaks of fresh processes."""
    folder = weights(scratch, options.memory_network)
    cases = [(system, minutes) for system in (STOCK, OURS) for minutes in options.memory_minutes]
    rows = []
    for system, minutes in announced(cases, lambda case: f"memory: {case[0]}, {case[1]:g} minutes"):
        with Worker(folder, system, options.threads) as worker:
            measured = worker.diarize(recording(scratch, 60 * minutes), 8, 8)
        turns = len(measured.turns["diarization"])
        rows.append(
            {"system": system, "minutes": minutes, "peak_mb": measured.peak_mb, "cpu_s": measured.cpu_s, "turns": turns}
        )
    return {"network": options.memory_network, "rows": rows}


def growth_mb(figures: Figures, system: str) -> tuple[float, float]:
    """How much the peak rises from the short recording to the long one, and how much the waveform does."""
    short, long = (row for row in figures["rows"] if row["system"] == system)
    return long["peak_mb"] - short["peak_mb"], (long["minutes"] - short["minutes"]) * 60 * BYTES_PER_S / 1e6


def gpu(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Wall seconds for an hour, since that is what the GPU is waited for. A first short recording warms it up."""
    folder, short, long = weights(scratch, "resnet34"), recording(scratch, TRIAL_S), recording(scratch, 3600)
    rows: dict[str, Any] = {}
    turns = []
    for system in announced((STOCK, OURS), lambda system: f"gpu: {system}"):
        with Worker(folder, system, options.threads, "cuda") as worker:
            worker.diarize(short, GPU_BATCH, GPU_BATCH)
            measured = worker.diarize(long, GPU_BATCH, GPU_BATCH)
        turns.append(measured.turns)
        rows[system] = {"wall_s": measured.wall_s, "vram_mb": measured.vram_mb, "peak_mb": measured.peak_mb}
    return {"systems": rows, "same_turns": turns[0] == turns[1]}


def _gpu_name() -> str | None:
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


# --- Tables and promises ---------------------------------------------------------------------------------------------


def text(figures: Figures) -> str:
    """Every table that the figures allow, each below the machine it was measured on, then the promises."""
    parts = []
    for title, tables in (("speed", _speed), ("memory", _memory), ("dialogues", _dialogues), ("gpu", _gpu)):
        if title in figures:
            parts.append("\n".join(f"{name}: {value}" for name, value in figures[title]["machine"].items()))
            parts += tables(figures[title])
    return "\n\n".join([*parts, check_table(checks(figures))]) + "\n"


def _speed(figures: Figures) -> Iterator[str]:
    systems = figures["systems"]
    sizes = list(systems[STOCK]["trials_cpu_s"])
    rows = [(name, *(f"{one['trials_cpu_s'][size]:.1f}" for size in sizes)) for name, one in systems.items()]
    yield (
        f"BATCH SIZE of the embeddings, CPU seconds for {TRIAL_S} s of audio, {figures['threads']} threads\n"
        + aligned([("system", *sizes), *rows])
    )
    rows = [
        (
            name,
            str(one["batch"]),
            *(f"{median(one[clock]):.1f}" for clock in ("cpu_s", "wall_s", "segmentation_s", "embeddings_s")),
            f"{ratio(figures, name, 'cpu_s'):.2f}",
            f"{ratio(figures, name, 'embeddings_s'):.2f}",
            "yes" if one["same_turns"] else "NO",
        )
        for name, one in systems.items()
    ]
    heading = ("system", "batch", "CPU s", "wall s", "segmentation", "embeddings", "stock / it", "embeddings", "same turns")
    yield (
        f"SPEED of the whole pipeline, {figures['minutes']:g} minutes, {len(systems[STOCK]['cpu_s'])} rounds in turn, medians:"
        f" {figures['turns']} turns of {figures['speakers']} speakers\n" + aligned([heading, *rows])
    )


def _memory(figures: Figures) -> Iterator[str]:
    rows = [
        (row["system"], f"{row['minutes']:g} min", f"{row['peak_mb']:.0f}", f"{row['cpu_s']:.0f}", str(row["turns"]))
        for row in figures["rows"]
    ]
    yield (
        f"MEMORY, each recording in a fresh process, waveform included; batches of 8; embedding network: {figures['network']}\n"
        + aligned([("system", "recording", "peak MB", "CPU s", "turns"), *rows])
    )


def _dialogues(figures: Figures) -> Iterator[str]:
    yield diarization_dialogues.text(figures)


def _gpu(figures: Figures) -> Iterator[str]:
    rows = [(name, f"{one['wall_s']:.1f}", f"{one['vram_mb']:.0f}") for name, one in figures["systems"].items()]
    yield f"GPU, batches of {GPU_BATCH}\n" + aligned([("system", "s per hour of audio", "peak VRAM MB"), *rows])


def checks(figures: Figures) -> list[Check]:
    """What must be reached, of the parts that were measured."""
    found: list[Check] = []
    if "speed" in figures:
        reached = ratio(figures["speed"], OURS, "cpu_s")
        name = f"{figures['speed']['minutes']:g} min"
        found.append(Check(name, "stock / ours, CPU", f"{reached:.2f}", f">= {RATIO:.2f}", reached >= RATIO))
        for system in (OURS, EXACT):
            same = figures["speed"]["systems"][system]["same_turns"]
            found.append(Check(name, f"turns, {system}", "the same" if same else "others", "the same", same))
    if "memory" in figures:
        grown, waveform = growth_mb(figures["memory"], OURS)
        limit = GROWTH * waveform
        found.append(Check("ours", "peak grows by, MB", f"{grown:.0f}", f"<= {limit:.0f}", grown <= limit))
    if "dialogues" in figures:
        found += diarization_dialogues.checks(figures["dialogues"])
    if "gpu" in figures:
        same = figures["gpu"]["same_turns"]
        found.append(Check("GPU", "turns", "the same" if same else "others", "the same", same))
    return found


if __name__ == "__main__":
    sys.exit(main())
