"""Who speaks when: the protocol every diarization engine keeps, and the one place that chooses an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.errors import InvalidSettings
from roundtable.transcript import Diarization


@dataclass(frozen=True, slots=True)
class DiarizeOptions:
    """How many people speak, as far as the caller knows. `num_speakers` overrides the bounds; None means "find out"."""

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None


class Diarizer(Protocol):
    """Loaded and warm once constructed. `diarize` may be called from several threads at once, and is deterministic."""

    @property
    def name(self) -> str:
        """`repository@revision`, or `embedded (what it is)`: what the reply's `models` says."""

    def diarize(self, audio: Audio, options: DiarizeOptions, control: Control) -> Diarization: ...


def load_diarizer(model: str) -> Diarizer:
    """Load the engine for `model`. Raises `EngineUnavailable` or `InvalidSettings`; never returns a half-loaded engine."""
    if model == "embedded":
        from roundtable.diarization.embedded import EmbeddedDiarizer

        return EmbeddedDiarizer()
    raise InvalidSettings("DIARIZATION_MODEL must be 'embedded' or unset: this release has no other diarization engine.")
