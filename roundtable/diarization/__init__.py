"""Who speaks when: the protocol every diarization engine keeps, and the one place that chooses an engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.transcript import Diarization


@dataclass(frozen=True, slots=True)
class SpeakerReference:
    """Somebody whose voice is known: 2 to 10 seconds of nobody else. `name` becomes the speaker's label."""

    name: str = field(repr=False)
    audio: Audio


@dataclass(frozen=True, slots=True)
class DiarizeOptions:
    """How many people speak, as far as the caller knows. `num_speakers` overrides the bounds; None means "find out".

    `references`: speakers that sound like one of these carry that name, each name at most once; a stranger keeps SPEAKER_nn.
    `embeddings`: fill `Diarization.embeddings`.
    """

    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    references: tuple[SpeakerReference, ...] = ()
    embeddings: bool = False


class Diarizer(Protocol):
    """Loaded and warm once constructed. `diarize` may be called from several threads at once, and is deterministic."""

    @property
    def name(self) -> str:
        """`repository@revision`, or `embedded (what it is)`: what the reply's `models` says."""

    def diarize(self, audio: Audio, options: DiarizeOptions, control: Control) -> Diarization: ...


@dataclass(frozen=True, slots=True)
class DiarizationModel:
    """What to load. `model`: `embedded`, or a pipeline of pyannote.audio: a Hub id or a folder. `token` opens gated ones."""

    model: str
    revision: str | None = None
    token: str | None = field(default=None, repr=False)


def load_diarizer(wanted: DiarizationModel | str) -> Diarizer:
    """Load the engine for a model. Raises `EngineUnavailable` or `InvalidSettings`; never returns a half-loaded engine."""
    wanted = DiarizationModel(wanted) if isinstance(wanted, str) else wanted
    if wanted.model == "embedded":
        from roundtable.diarization.embedded import EmbeddedDiarizer

        return EmbeddedDiarizer()
    from roundtable.diarization.pyannote import load_pyannote

    return load_pyannote(wanted)
