"""One ASR system in a process of its own, so that its memory and its threads are its alone.

The parent holds a `Worker`; the child is `python -m benchmarks.asr_worker SYSTEM MODEL THREADS`. Line by line, as JSON: the
child says that it is ready, or which package is missing; each request names a recording (.npy, float32 at 16 kHz); each answer
is what was heard and what it cost. Loading, reading and everything outside `hear` is not in the cost.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.asr_ours import OURS, ours
from benchmarks.asr_peers import PEERS, Heard, Loaded

ROOT = Path(__file__).resolve().parent.parent
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


class Worker:
    """The parent's end. Raises `MissingPackageError` when the system cannot be loaded for want of a package."""

    def __init__(self, system: str, model: Path, threads: int) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  open as long as the child
        self._child = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "benchmarks.asr_worker", system, str(model.absolute()), str(threads)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        ready = self._answer()
        if "missing" in ready:
            self.close()
            raise MissingPackageError(ready["missing"])

    def hear(self, recording: Path, language: str | None, limit: int | None = None) -> Measured:
        """One recording, from samples to text. `limit`: the most tokens a window may have."""
        assert self._child.stdin is not None  # noqa: S101  it is a pipe
        self._child.stdin.write(json.dumps([str(recording.absolute()), language, limit]) + "\n")
        self._child.stdin.flush()
        answer = self._answer()
        words = answer["heard"]["words"]
        heard = Heard(answer["heard"]["text"], None if words is None else tuple((text, start) for text, start in words))
        return Measured(**{**answer, "heard": heard})

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


def main(system: str, model: str, threads: str) -> None:
    """Serve requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes to the log
    os.dup2(2, 1)

    def answer(said: object) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    import torch

    torch.set_num_threads(int(threads))
    try:
        loaded = SYSTEMS[system](Path(model), int(threads))
    except ModuleNotFoundError as error:
        return answer({"missing": error.name})
    counts = _count_passes(loaded)
    answer({"ready": True})
    for line in sys.stdin:
        recording, language, limit = json.loads(line)
        answer(asdict(_measure(loaded, counts, Path(recording), language, limit)))
    return None


def _measure(loaded: Loaded, counts: dict[str, int], recording: Path, language: str | None, limit: int | None) -> Measured:
    samples = np.load(recording)
    counts.update(dict.fromkeys(counts, 0))
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    heard = loaded.hear(samples, language, limit)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return Measured(heard, wall_s, cpu_s, _peak_mb(), **{**counts, **loaded.details()})


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


def _peak_mb() -> float | None:
    """The high-water mark of this program. Linux only: `ru_maxrss` would include what the parent held when it started us."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) / 1000 * 1.024 for line in lines if line.startswith("VmHWM")), None)


if __name__ == "__main__":
    main(*sys.argv[1:])
