"""One ASR system in a process of its own (`child.py`): `python -m benchmarks.asr_worker SYSTEM MODEL THREADS`.

Each request names a recording (.npy, float32 at 16 kHz); each answer is what was heard and what it cost. Loading, reading and
everything outside `hear` is not in the cost.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.asr_ours import OURS, ours
from benchmarks.asr_peers import PEERS, Heard, Loaded
from benchmarks.child import Child, peak_mb, serve

SYSTEMS = {OURS: ours, **PEERS}


class MissingPackageError(Exception):
    """A package that the system needs is not installed. The text is its name."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one recording took. CPU seconds are the whole process's, all threads.

    `encoder_rows`: windows that went through the encoder, each time counted; `decoder_rows`: sequences times steps of the
    decoder; None where the model cannot be looked into. `peak_mb` is the most that was resident since the process began.
    `stages_s` and `windows` are known of ours only: CPU seconds by stage, and windows of speech.
    """

    heard: Heard
    wall_s: float
    cpu_s: float
    peak_mb: float | None
    encoder_rows: int | None = None
    decoder_rows: int | None = None
    windows: int | None = None
    tokens: int | None = None
    stages_s: Mapping[str, float] = field(default_factory=dict)


class Worker(Child):
    """The parent's end. Raises `MissingPackageError` when the system cannot be loaded for want of a package."""

    def __init__(self, system: str, model: Path, threads: int) -> None:
        arguments = (system, str(model.absolute()), str(threads))
        super().__init__("benchmarks.asr_worker", *arguments, threads=threads, environment={"TOKENIZERS_PARALLELISM": "false"})
        if "missing" in self.ready:
            self.close()
            raise MissingPackageError(self.ready["missing"])

    def hear(self, recording: Path, language: str | None, limit: int | None = None) -> Measured:
        """One recording, from samples to text. `limit`: the most tokens a window may have."""
        answer = self.ask(str(recording.absolute()), language, limit)
        words = answer["heard"]["words"]
        heard = Heard(answer["heard"]["text"], None if words is None else tuple((text, start) for text, start in words))
        return Measured(**{**answer, "heard": heard})


# --- The child -------------------------------------------------------------------------------------------------------


def main(system: str, model: str, threads: str) -> None:
    """Serve requests until stdin ends."""

    def load() -> Callable[..., object]:
        import torch

        torch.set_num_threads(int(threads))
        loaded = SYSTEMS[system](Path(model), int(threads))
        counts = _count_passes(loaded)
        return lambda recording, language, limit: asdict(_measure(loaded, counts, Path(recording), language, limit))

    serve(load)


def _measure(loaded: Loaded, counts: dict[str, int], recording: Path, language: str | None, limit: int | None) -> Measured:
    samples = np.load(recording)
    counts.update(dict.fromkeys(counts, 0))
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    heard = loaded.hear(samples, language, limit)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return Measured(heard, wall_s, cpu_s, peak_mb(), **{**counts, **loaded.details()})


def _count_passes(loaded: Loaded) -> dict[str, int]:
    """Counters that the model itself drives; empty where it cannot be looked into."""
    if loaded.torch_model is None:
        return {}
    counts = {"encoder_rows": 0, "decoder_rows": 0}

    def count(name: str, output: Any) -> None:
        counts[name] += len(output[0])

    inside = loaded.torch_model.model
    inside.encoder.register_forward_hook(lambda _module, _inputs, output: count("encoder_rows", output))
    inside.decoder.register_forward_hook(lambda _module, _inputs, output: count("decoder_rows", output))
    return counts


if __name__ == "__main__":
    main(*sys.argv[1:])
