"""Whisper through ours and through its peers: accuracy, speed and memory. `python -m benchmarks.asr` (`make bench-asr`).

accuracy   the tiny Whisper of tests/models on held-out dialogues with exact references, the same weights in every system
speed      the tutorial handler's ASR call against ours: random weights of real shapes that write a fixed number of tokens
memory     how much an hour takes beyond ten minutes
gpu        where there is CUDA: an hour with the shape of large-v3-turbo in float16, against transformers

Speech is synthetic and weights are tiny or random, since no others can be had everywhere: compare systems, not papers.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import metadata
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks import asr_tables
from benchmarks.asr_ours import OURS
from benchmarks.asr_peers import DEFAULT_BEAMS, GREEDY, SEQUENTIAL
from benchmarks.asr_score import Hearing, Timed, judge
from benchmarks.asr_tables import SAME_TOTAL
from benchmarks.asr_worker import SYSTEMS, Measured, MissingPackageError, Worker
from benchmarks.outcome import add_options, command, publish
from evaluation.machine import ROOT, describe_machine
from evaluation.report import announced
from roundtable.audio import SAMPLE_RATE_HZ

MODEL = ROOT / "tests" / "models" / "whisper-tiny"
PARTS = ("accuracy", "speed", "memory", "gpu")
PACKAGES = ("torch", "transformers", "faster-whisper", "ctranslate2", "silero-vad", "onnxruntime")

MARKS = ("<!-- figures of benchmarks.asr -->", "<!-- end of figures -->")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. Dialogues are (seed, minutes, voices, noise in dB against full scale); speech is at -26."""

    dialogues: Sequence[tuple[int, float, int, float]]
    languages: Sequence[str | None]
    shapes: Sequence[str]
    speed_minutes: float
    tokens: int
    rounds: int
    memory_minutes: tuple[float, float]
    gpu_minutes: float


FULL = Scale(
    dialogues=((9001, 2, 2, -62), (9002, 2, 3, -46), (9003, 3, 2, -54), (9004, 3, 4, -46), (9005, 5, 3, -50)),
    languages=("en", None),
    shapes=("tiny", "base"),
    speed_minutes=10,
    tokens=64,
    rounds=3,
    memory_minutes=(10, 60),
    gpu_minutes=60,
)
QUICK = Scale(
    dialogues=((9001, 1, 2, -62), (9002, 1, 3, -46)),
    languages=("en",),
    shapes=("tiny",),
    speed_minutes=2,
    tokens=12,
    rounds=1,
    memory_minutes=(5, 15),
    gpu_minutes=10,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 1 with --strict if anything fell short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asr", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few minutes: shows that it works; the figures mean little")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--model", type=Path, default=MODEL, metavar="DIR", help="the Whisper whose accuracy is measured")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="threads of each system (default: 2)")
    parser.add_argument("--rounds", type=int, metavar="N", help="of the speed part (default: 3)")
    parser.add_argument("--dialogues", type=int, metavar="N", help="of the accuracy part, the first so many (default: all)")
    add_options(parser)
    parser.add_argument("--from", type=Path, metavar="PATH", dest="measured", help="print such a file; measure nothing")
    options = parser.parse_args(arguments)
    if options.measured is not None:
        figures = json.loads(options.measured.read_text(encoding="utf-8"))
    else:
        typed = command("benchmarks.asr", arguments)
        scale = QUICK if options.quick else FULL
        scale = replace(
            scale, rounds=options.rounds or scale.rounds, dialogues=scale.dialogues[: options.dialogues or len(scale.dialogues)]
        )
        figures = measure(scale, options.only, options.model, options.threads, typed)
    return publish(options, figures, asr_tables.text(figures), MARKS, asr_tables.checks(figures))


def measure(scale: Scale, parts: Iterable[str], model: Path, threads: int, command: str) -> dict[str, Any]:
    """The figures, as they go into the JSON file."""
    versions = {package: metadata.version(package) for package in PACKAGES if importlib.util.find_spec(_module(package))}
    figures: dict[str, Any] = {
        "machine": {
            **describe_machine(),
            "packages": ", ".join(f"{name} {version}" for name, version in versions.items()),
            "command": command,
            "load before": f"{os.getloadavg()[0]:.2f}",
        }
    }
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if "accuracy" in parts:
            figures["accuracy"] = accuracy(scale, model, threads, scratch)
        if "speed" in parts:
            figures["speed"] = speed(scale, threads, scratch)
        if "memory" in parts:
            figures["memory"] = memory(scale, model, threads, scratch)
        if "gpu" in parts and _gpu_name() is not None:
            figures["gpu"] = gpu(scale, threads, scratch)
    return figures


def _module(package: str) -> str:
    return package.replace("-", "_")


# --- Recordings and weights ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples on disk (.npy), and every word with its start."""

    name: str
    samples: Path
    seconds: float
    said: tuple[Timed, ...]


def dialogue(scratch: Path, seed: int, minutes: float, voices: int = 2, noise_db: float = -62) -> Recording:
    """A held-out conversation."""
    from tests.models.conversations import dialogue as spoken

    talk = spoken(seed, minutes, speakers=voices, noise_db=noise_db)
    name = f"{minutes:g} min, {voices} voices, {noise_db:g} dB"
    return _stored(scratch, name, talk.samples, [(word.text, word.start) for word in talk.words])


def again_and_again(scratch: Path, recording: Recording, minutes: float) -> Recording:
    """The recording, as often as fills so many minutes. Its words are not wanted."""
    samples = np.resize(np.load(recording.samples), int(minutes * 60 * SAMPLE_RATE_HZ))
    return _stored(scratch, f"{minutes:g} min", samples, [])


def _stored(scratch: Path, name: str, samples: np.typing.NDArray[np.float32], said: Sequence[Timed]) -> Recording:
    path = scratch / f"{name}.npy"
    np.save(path, samples)
    return Recording(name, path, len(samples) / SAMPLE_RATE_HZ, tuple(said))


def endless(scratch: Path, shape: str, *, half: bool = False) -> Path:
    """Random weights of a real shape that never write <|endoftext|>, nor a timestamp unless they are made to.

    So every system writes as many tokens as it is allowed, in one go per window. One position of the decoder's output is set
    to a constant; those tokens, and they alone, look at it and get a score far below all others.
    """
    import torch
    from transformers import GenerationConfig, WhisperForConditionalGeneration

    from tests.models.random_whisper import random_whisper

    folder = scratch / f"random-{shape}"
    random_whisper(folder, shape, dtype=torch.float16 if half else torch.float32)
    whisper = WhisperForConditionalGeneration.from_pretrained(folder)
    generation: Any = GenerationConfig.from_pretrained(folder)
    words = whisper.model.decoder.embed_tokens.weight.data
    whisper.model.decoder.layer_norm.bias.data[0] = _LOUD
    words[:, 0] = 0.0
    words[generation.eos_token_id, 0] = -_LOUD
    words[generation.no_timestamps_token_id + 1 :, 0] = -_LOUD
    whisper.save_pretrained(folder)
    return folder


_LOUD = 20.0


# --- Accuracy --------------------------------------------------------------------------------------------------------


def accuracy(scale: Scale, model: Path, threads: int, scratch: Path) -> dict[str, Any]:
    """Every system on every recording, with the language given and (unless it is quick) without."""
    recordings = [dialogue(scratch, *which) for which in announced(scale.dialogues, lambda which: f"speaking #{which[0]}")]
    weights = _own_copy(model, scratch)
    blocks: list[dict[str, Any]] = [{"language": language, "systems": {}} for language in scale.languages]
    for system in announced(list(SYSTEMS), lambda system: f"accuracy: {system}"):
        try:
            with Worker(system, weights, threads) as worker:
                for block in blocks:
                    block["systems"][system] = _hear_all(worker, recordings, block["language"])
        except MissingPackageError as missing:
            for block in blocks:
                block["systems"][system] = {"missing": str(missing)}
    note = f"{len(recordings)} dialogues, {sum(one.seconds for one in recordings) / 60:.1f} minutes, {threads} threads."
    return {"model": model.name, "note": note, "blocks": blocks}


def _own_copy(model: Path, scratch: Path) -> Path:
    """A link to the weights where files may be written beside them."""
    link = scratch / model.name
    link.symlink_to(model.resolve())
    return link


def _hear_all(worker: Worker, recordings: Sequence[Recording], language: str | None) -> dict[str, Any]:
    heard = [worker.hear(one.samples, language) for one in recordings]
    judged = [judge(measured.heard, one.said) for one, measured in zip(recordings, heard, strict=True)]
    rows = [
        _accuracy_row(hearing, [measured], one.seconds)
        for one, measured, hearing in zip(recordings, heard, judged, strict=True)
    ]
    total = judged[0]
    for hearing in judged[1:]:
        total = total + hearing
    return {
        "recordings": {one.name: row for one, row in zip(recordings, rows, strict=True)},
        "total": _accuracy_row(total, heard, sum(one.seconds for one in recordings)),
    }


def _accuracy_row(hearing: Hearing, measured: Sequence[Measured], seconds: float) -> dict[str, Any]:
    return {
        **hearing.as_json(),
        "seconds": seconds,
        "cpu_s": sum(one.cpu_s for one in measured),
        "wall_s": sum(one.wall_s for one in measured),
        "encoder_rows": _sum(one.encoder_rows for one in measured),
        "windows": _sum(one.windows for one in measured),
    }


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


# --- Speed -----------------------------------------------------------------------------------------------------------


def speed(scale: Scale, threads: int, scratch: Path) -> dict[str, Any]:
    """The tutorial handler's ASR call, as it defaults and greedy, against ours."""
    recording = dialogue(scratch, 9100, scale.speed_minutes)
    shapes = {
        shape: in_turn([DEFAULT_BEAMS, GREEDY], endless(scratch, shape), recording, scale, threads, equal_to=GREEDY)
        for shape in announced(scale.shapes, lambda shape: f"speed: {shape}")
    }
    return {
        "seconds": recording.seconds,
        "threads": threads,
        "rounds": scale.rounds,
        "note": f"Every window gets exactly {scale.tokens} tokens; in the last row of a shape, more, so that all together"
        " get as many as the pipeline's.\nOurs gives word times, the pipeline's call does not. No language is given, as the"
        " handler defaults to.",
        "shapes": shapes,
    }


def in_turn(
    peers: Sequence[str],
    model: Path,
    recording: Recording,
    scale: Scale,
    threads: int,
    *,
    equal_to: str,
    language: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Rounds in which each system hears the recording once, one after the other. A first hearing is not counted."""
    limits = {**dict.fromkeys((*peers, OURS), scale.tokens), SAME_TOTAL: 0}
    with ExitStack() as stack:
        workers = {row: stack.enter_context(Worker(OURS if row == SAME_TOTAL else row, model, threads)) for row in limits}
        warm = {row: worker.hear(recording.samples, "en", 2) for row, worker in workers.items()}
        wanted = scale.tokens * (warm[equal_to].encoder_rows or 0)
        limits[SAME_TOTAL] = ceil(wanted / (warm[SAME_TOTAL].windows or 1))
        rounds = [
            {row: worker.hear(recording.samples, language, limits[row]) for row, worker in workers.items()}
            for _ in range(scale.rounds)
        ]
    return {row: _speed_row([one[row] for one in rounds], limit, warm[row].encoder_rows or 0) for row, limit in limits.items()}


def _speed_row(measured: Sequence[Measured], limit: int, windows: int) -> dict[str, Any]:
    """`windows`: encoder passes when the language is given. Detecting it costs the pipeline another one for each."""
    last = measured[-1]
    steps = last.decoder_rows or 0
    # A step of the decoder reads one row per beam and window. Ours counts what it wrote.
    beams = round(steps / (windows * limit)) if last.tokens is None else 1
    return {
        "windows": windows,
        "encoded": last.encoder_rows,
        "tokens": steps / beams if last.tokens is None else last.tokens,
        "beams": beams,
        "cpu_s": [one.cpu_s for one in measured],
        "wall_s": [one.wall_s for one in measured],
        "peak_mb": last.peak_mb,
        "stages_s": {stage: fmean(one.stages_s[stage] for one in measured) for stage in last.stages_s},
    }


# --- Memory and GPU --------------------------------------------------------------------------------------------------


def memory(scale: Scale, model: Path, threads: int, scratch: Path) -> dict[str, Any]:
    """Ours on the same dialogue, once and again and again, each in a fresh process."""
    short, long = scale.memory_minutes
    once = dialogue(scratch, 9200, short)
    rows = []
    for recording in announced([once, again_and_again(scratch, once, long)], lambda recording: f"memory: {recording.name}"):
        with Worker(OURS, model, threads) as worker:
            measured = worker.hear(recording.samples, "en")
        rows.append({"seconds": recording.seconds, "peak_mb": measured.peak_mb, "cpu_s": measured.cpu_s})
    return {"model": model.name, "rows": rows}


def gpu(scale: Scale, threads: int, scratch: Path) -> dict[str, Any]:
    """An hour on CUDA: wall seconds, since that is what the GPU is waited for."""
    shape = "large-v3-turbo"
    recording = again_and_again(scratch, dialogue(scratch, 9300, 10), scale.gpu_minutes)
    print(f"gpu: {shape}", file=sys.stderr, flush=True)
    systems = in_turn([SEQUENTIAL, GREEDY], endless(scratch, shape, half=True), recording, scale, threads, equal_to=SEQUENTIAL)
    return {
        "device": _gpu_name(),
        "shape": shape,
        "seconds": recording.seconds,
        "note": f"Every window gets exactly {scale.tokens} tokens; in the last row, as many in all as sequentially.",
        "systems": systems,
    }


def _gpu_name() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


if __name__ == "__main__":
    sys.exit(main())
