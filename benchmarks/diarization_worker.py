"""One pyannote pipeline in a process of its own (`child.py`).

`python -m benchmarks.diarization_worker FOLDER SYSTEM THREADS DEVICE`. Each request names a recording (.npy, float32 at 16 kHz)
and the two batch sizes; each answer is what it cost and what was found. Loading and reading are not in the cost.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import Child, peak_mb, serve
from roundtable.audio import SAMPLE_RATE_HZ

STOCK, OURS, EXACT = "stock", "ours", "ours, not folded"
SYSTEMS = (STOCK, OURS, EXACT)


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds are the whole process's, all threads, also by stage. Peaks are since the process began; VRAM only on CUDA."""

    wall_s: float
    cpu_s: float
    stages_s: dict[str, float]
    peak_mb: float | None
    vram_mb: float | None
    turns: dict[str, list[dict[str, Any]]]


class Worker(Child):
    """The parent's end."""

    def __init__(self, folder: Path, system: str, threads: int, device: str = "cpu") -> None:
        arguments = (str(folder.absolute()), system, str(threads), device)
        environment = {"PYANNOTE_METRICS_ENABLED": "0", "HF_HUB_OFFLINE": "1"}
        super().__init__("benchmarks.diarization_worker", *arguments, threads=threads, environment=environment)

    def diarize(self, recording: Path, embedding_batch: int, segmentation_batch: int) -> Measured:
        """One recording, from samples to turns."""
        return Measured(**self.ask(str(recording.absolute()), embedding_batch, segmentation_batch))


# --- The child -------------------------------------------------------------------------------------------------------


def main(folder: str, system: str, threads: str, device: str) -> None:
    """Serve requests until stdin ends."""

    def load() -> Callable[..., object]:
        import torch
        from pyannote.audio import Pipeline

        from roundtable.diarization.pyannote_frames import share_frames
        from roundtable.diarization.pyannote_memory import keep_small

        torch.set_num_threads(int(threads))
        pipeline: Any = Pipeline.from_pretrained(Path(folder))
        pipeline.to(torch.device(device))
        if system != STOCK and not share_frames(pipeline, fold=system == OURS):
            raise RuntimeError("This pipeline does not let frames be shared.")
        if system != STOCK:
            keep_small(pipeline)

        def work(recording: str, embedding_batch: int, segmentation_batch: int) -> object:
            pipeline.embedding_batch_size, pipeline.segmentation_batch_size = embedding_batch, segmentation_batch
            return asdict(_measure(pipeline, Path(recording)))

        return work

    serve(load)


def _measure(pipeline: Any, recording: Path) -> Measured:
    import torch

    waveform = torch.from_numpy(np.load(recording))[None]
    stages_s: dict[str, float] = {}
    wall_s = time.perf_counter()
    cpu_s = began = time.process_time()

    def hook(stage: str, _artefact: Any, **_told: Any) -> None:
        nonlocal began
        now = time.process_time()
        stages_s[stage] = stages_s.get(stage, 0.0) + now - began
        began = now

    found = pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE_HZ}, hook=hook)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    vram_mb = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else None
    return Measured(wall_s, cpu_s, stages_s, peak_mb(), vram_mb, found.serialize())


if __name__ == "__main__":
    main(*sys.argv[1:])
