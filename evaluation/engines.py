"""Which engines can be evaluated here, on which recordings.

The tiny Whisper and the tiny pyannote of `tests/models` know one small language and its voices, so they hear the dialogues of
`tests/models/held_out`, which they were not trained on, and the clips in which nobody speaks. The embedded engines hear
everything. Whatever the environment names (ASR_MODEL, …) hears everything as well, with the embedded engines for what it does
not name.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evaluation.cases import HELD_OUT, HELD_OUT_PYANNOTE, Case, phone_call_cases, sample_cases
from evaluation.machine import ROOT

EMBEDDED = "embedded"
ENVIRONMENT = ("ASR_MODEL", "DIARIZATION_MODEL", "SUMMARIZE_MODEL")
SAMPLES = ROOT / "samples"
MODELS = ROOT / "tests" / "models"

_UNSET = {
    "asr_revision": None,
    "asr_dtype": "auto",
    "asr_assistant_model": None,
    "asr_assistant_revision": None,
    "diarization_revision": None,
    "summarize_revision": None,
    "summarize_dtype": "auto",
}
"""So that the environment does not reach into the engines that are always the same."""


@dataclass(frozen=True, slots=True)
class EngineSet:
    """Three engines under one name, which is also that of their results file.

    `settings`: given a scratch folder, what `ModelSettings.load` is to be called with. `needs`: packages that may be missing.
    """

    name: str
    title: str
    settings: Callable[[Path], dict[str, str | None]]
    cases: Callable[[], list[Case]]
    needs: tuple[str, ...] = ()
    counts_encoder_passes: bool = False
    quick_to_load: bool = False

    def missing(self) -> str | None:
        """The first package that is not installed."""
        return next((name for name in self.needs if not _installed(name)), None)


def embedded_cases() -> list[Case]:
    """The samples, pyannote's phone call, and the held-out dialogues, of which nothing is promised."""
    return [*sample_cases(SAMPLES), *phone_call_cases(), *sample_cases(MODELS / "held_out", {})]


def edge_clips() -> list[Path]:
    """Clips in which nobody speaks, or hardly."""
    return sorted((SAMPLES / "edge").glob("*.flac"))


def _embedded(_scratch: Path) -> dict[str, str | None]:
    return {"asr_model": EMBEDDED, "diarization_model": EMBEDDED, "summarize_model": EMBEDDED, **_UNSET}


def _tiny(scratch: Path) -> dict[str, str | None]:
    return {**_embedded(scratch), "asr_model": str(MODELS / "whisper-tiny")}


def _tiny_pyannote(scratch: Path) -> dict[str, str | None]:
    return {**_tiny(scratch), "diarization_model": str(MODELS / "pyannote-tiny")}


def _tiny_ctranslate2(scratch: Path) -> dict[str, str | None]:
    from ctranslate2.converters import TransformersConverter  # late: optional

    target = scratch / "whisper-tiny-ctranslate2"
    TransformersConverter(str(MODELS / "whisper-tiny"), copy_files=["tokenizer.json"]).convert(str(target), force=True)
    return {**_tiny(scratch), "asr_model": str(target)}


def _environment(_scratch: Path) -> dict[str, str | None]:
    return {name.lower(): os.environ.get(name) or EMBEDDED for name in ENVIRONMENT}


def _held_out() -> list[Case]:
    return sample_cases(MODELS / "held_out", HELD_OUT)


def _held_out_pyannote() -> list[Case]:
    return sample_cases(MODELS / "held_out", HELD_OUT_PYANNOTE)


STANDARD = (
    EngineSet(
        "embedded",
        "Embedded engines: PocketSphinx, Silero VAD with speaker embeddings, TextRank",
        _embedded,
        embedded_cases,
        quick_to_load=True,
    ),
    EngineSet(
        "tiny-whisper",
        "Tiny Whisper on transformers, embedded diarization and summary",
        _tiny,
        _held_out,
        counts_encoder_passes=True,
    ),
    EngineSet(
        "tiny-whisper-ctranslate2",
        "Tiny Whisper on CTranslate2, embedded diarization and summary",
        _tiny_ctranslate2,
        _held_out,
        ("ctranslate2", "faster_whisper"),
    ),
    EngineSet(
        "tiny-whisper-pyannote",
        "Tiny Whisper on transformers, tiny pyannote, embedded summary",
        _tiny_pyannote,
        _held_out_pyannote,
        ("pyannote.audio",),
        counts_encoder_passes=True,
    ),
)
"""The same on every machine: their figures are in evaluation/results/."""


def environments_own() -> EngineSet | None:
    """The engines that the environment names; None if it names none."""
    if not any(os.environ.get(name) for name in ENVIRONMENT):
        return None
    title = "Engines that the environment names, embedded ones for the rest"
    return EngineSet("environment", title, _environment, embedded_cases)


def _installed(package: str) -> bool:
    parent = package.partition(".")[0]
    return importlib.util.find_spec(parent) is not None and importlib.util.find_spec(package) is not None
