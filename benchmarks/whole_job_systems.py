"""The systems of `benchmarks.whole_job`: which program each one is, in which environment, on which form of the same weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.child import Child
from benchmarks.peers.protocol import Heard, Request
from evaluation.machine import ROOT

OURS = "ours"
OURS_INT8 = "ours, CTranslate2, int8"
OURS_FLOAT32 = "ours, CTranslate2, float32"
TUTORIAL = "tutorial handler"
TUTORIAL_GREEDY = "tutorial handler, greedy"
SEQUENTIAL = "transformers, sequential, greedy"
WHISPERX = "whisperX, int8"
WHISPERX_FLOAT32 = "whisperX, float32"
DEFAULT_BEAMS = 5


@dataclass(frozen=True, slots=True)
class System:
    """`environment`: the peer's own, None for the one that ours runs in. `converted`: it takes CTranslate2's format."""

    module: str
    arguments: Sequence[str] = ()
    converted: bool = False
    diarizes: bool = True
    environment: str | None = None

    def python(self) -> Path | None:
        """Its interpreter; None when its environment is not built."""
        if self.environment is None:
            return Path(sys.executable)
        python = ROOT / f".venv-peer-{self.environment}" / "bin" / "python"
        return python if python.exists() else None


def batched(compute_type: str, beams: int = DEFAULT_BEAMS) -> str:
    """The name of a batched faster-whisper."""
    return _named("batched", compute_type, beams)


def _named(mode: str, compute_type: str, beams: int) -> str:
    return f"faster-whisper, {mode}, {compute_type}, {f'{beams} beams' if beams > 1 else 'greedy'}"


def _faster_whisper(mode: str, compute_type: str, beams: int) -> System:
    arguments = (compute_type, mode, str(beams))
    return System("run_faster_whisper", arguments, converted=True, diarizes=False, environment="faster-whisper")


COMPUTE_TYPES = ("float32", "int8")

SYSTEMS = {
    OURS: System("ours", ("float32",)),
    OURS_INT8: System("ours", ("int8",), converted=True),
    OURS_FLOAT32: System("ours", ("float32",), converted=True),
    TUTORIAL: System("tutorial_handler"),
    TUTORIAL_GREEDY: System("tutorial_handler", ("1",)),
    SEQUENTIAL: System("sequential_generate", diarizes=False),
    **{
        _named(mode, compute_type, beams): _faster_whisper(mode, compute_type, beams)
        for mode in ("sequential", "without context", "batched")
        for compute_type in COMPUTE_TYPES
        for beams in ((DEFAULT_BEAMS,) if mode == "without context" else (DEFAULT_BEAMS, 1))
    },
    WHISPERX: System("run_whisperx", ("int8",), converted=True, environment="whisperx"),
    WHISPERX_FLOAT32: System("run_whisperx", ("float32",), converted=True, environment="whisperx"),
}


class NotBuiltError(Exception):
    """The environment of a peer is not there. The text says what builds it."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The same Whisper in both formats, and a diarization pipeline, unless nobody is to be told apart."""

    whisper: Path
    converted: Path
    diarization: Path | None = None


def convert(whisper: Path, folder: Path) -> Path:
    """The same weights in CTranslate2's format, by its own converter, in float32: a compute type is chosen on loading."""
    from ctranslate2.converters import TransformersConverter

    files = [name for name in ("tokenizer.json", "preprocessor_config.json") if (whisper / name).is_file()]
    TransformersConverter(str(whisper), copy_files=files).convert(str(folder))
    return folder


@dataclass(frozen=True, slots=True)
class Measured:
    """See `peers.protocol.measured`."""

    heard: Heard
    wall_s: float
    cpu_s: float
    peak_mb: float | None

    def cost(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "heard"}


class Worker(Child):
    """A system in its process. Raises `NotBuiltError`."""

    def __init__(self, name: str, weights: Weights, threads: int) -> None:
        system = SYSTEMS[name]
        python = system.python()
        if python is None:
            raise NotBuiltError(f"not built: make .venv-peer-{system.environment}/.installed")
        module = "benchmarks.whole_job_ours" if system.module == "ours" else f"benchmarks.peers.{system.module}"
        models = [str((weights.converted if system.converted else weights.whisper).absolute())]
        if system.diarizes:
            models.append(str(weights.diarization.absolute()) if weights.diarization else "")
        super().__init__(module, *models, str(threads), *system.arguments, threads=threads, environment={}, python=python)
        if "missing" in self.ready:
            self.close()
            raise NotBuiltError(f"lacks {self.ready['missing']}: make -B .venv-peer-{system.environment}/.installed")

    def hear(self, recording: Path, **wanted: Any) -> Measured:
        """One recording; `wanted` are the other fields of a `Request`."""
        answer = self.ask(asdict(Request(str(recording.absolute()), **wanted)))
        return Measured(**{**answer, "heard": Heard(**answer["heard"])})
