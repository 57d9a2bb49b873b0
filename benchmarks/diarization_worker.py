"""One pyannote pipeline in a process of its own, so that its memory and its threads are its alone.

The parent holds a `Worker`; the child is `python -m benchmarks.diarization_worker FOLDER SYSTEM THREADS DEVICE`. Line by line,
as JSON: the child says that it is ready; each request names a recording (.npy, float32 at 16 kHz) and the two batch sizes; each
answer is what it cost and what was found. Loading and reading are not in the cost.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from roundtable.audio import SAMPLE_RATE_HZ

ROOT = Path(__file__).resolve().parent.parent
STOCK, OURS, EXACT = "stock", "ours", "ours, not folded"
SYSTEMS = (STOCK, OURS, EXACT)


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds are the whole process's, all threads, also by stage. Peaks are since the process began; VRAM only on CUDA."""

    wall_s: float
    cpu_s: float
    stages_s: dict[str, float]
    peak_mb: float
    vram_mb: float | None
    turns: dict[str, list[dict[str, Any]]]


class Worker:
    """The parent's end."""

    def __init__(self, folder: Path, system: str, threads: int, device: str = "cpu") -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  open as long as the child
        self._child = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "benchmarks.diarization_worker", str(folder.absolute()), system, str(threads), device],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYANNOTE_METRICS_ENABLED": "0", "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._answer()

    def diarize(self, recording: Path, embedding_batch: int, segmentation_batch: int) -> Measured:
        """One recording, from samples to turns."""
        assert self._child.stdin is not None  # noqa: S101  it is a pipe
        self._child.stdin.write(json.dumps([str(recording.absolute()), embedding_batch, segmentation_batch]) + "\n")
        self._child.stdin.flush()
        return Measured(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None  # noqa: S101  as above
        line = self._child.stdout.readline()
        if not line:
            self._child.wait()
            self._log.seek(0)
            raise RuntimeError(f"A system of the benchmark ended early:\n{self._log.read()[-4000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the child. Its log goes with it."""
        self._child.communicate()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


# --- The child -------------------------------------------------------------------------------------------------------


def main(folder: str, system: str, threads: str, device: str) -> None:
    """Serve requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes to the log
    os.dup2(2, 1)

    def answer(said: object) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    import torch
    from pyannote.audio import Pipeline

    from roundtable.diarization.pyannote_frames import share_frames

    torch.set_num_threads(int(threads))
    pipeline: Any = Pipeline.from_pretrained(Path(folder))
    pipeline.to(torch.device(device))
    if system != STOCK and not share_frames(pipeline, fold=system == OURS):
        raise RuntimeError("This pipeline does not let frames be shared.")
    answer({"ready": True})
    for line in sys.stdin:
        recording, pipeline.embedding_batch_size, pipeline.segmentation_batch_size = json.loads(line)
        answer(asdict(_measure(pipeline, Path(recording))))


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
    return Measured(wall_s, cpu_s, stages_s, _peak_mb(), vram_mb, found.serialize())


def _peak_mb() -> float:
    """The high-water mark of this program. Linux only: `ru_maxrss` would include what the parent held when it started us."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])
