"""Speech to words: the protocol every ASR engine keeps, and the one place that chooses an engine.

`load_transcriber` is the only name that callers need; which file serves it is decided here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.errors import InvalidSettings
from roundtable.transcript import Transcript


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """What one request asks of a transcriber. An engine that cannot do a thing raises `Unsupported`, or warns when the
    result is merely less than it could be; it never ignores a field silently."""

    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = None
    batch_size: int = 24
    chunk_length_s: int = 30
    word_timestamps: bool = True
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    temperature: float = 0.0


class Transcriber(Protocol):
    """Loaded and warm once constructed. `transcribe` may be called from several threads at once.

    The same audio and options give the same transcript, whatever else is running. Times lie in [0, duration] and ascend.
    """

    @property
    def name(self) -> str:
        """`repository@revision`, or `embedded (what it is)`: what the reply's `models` says."""

    def transcribe(self, audio: Audio, options: TranscribeOptions, control: Control) -> Transcript: ...


def load_transcriber(model: str) -> Transcriber:
    """Load the engine for `model`. Raises `EngineUnavailable` or `InvalidSettings`; never returns a half-loaded engine."""
    if model == "embedded":
        from roundtable.asr.embedded import EmbeddedTranscriber

        return EmbeddedTranscriber()
    raise InvalidSettings("ASR_MODEL must be 'embedded': this release has no other ASR engine.")
