"""Speech to words: the protocol every ASR engine keeps, and the one place that chooses an engine.

`load_transcriber` is the only name that callers need; which file serves it is decided here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.errors import InvalidSettings
from roundtable.transcript import Transcript

Dtype = Literal["auto", "float16", "bfloat16", "float32", "int8"]


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


@dataclass(frozen=True, slots=True)
class AsrModel:
    """What to load. `model`: `embedded`, a Hub id or a local folder, holding a Whisper for transformers or for CTranslate2.

    `dtype` auto is float16 on CUDA; on a CPU float32, or int8 for CTranslate2. `assistant` is a smaller Whisper with the same
    vocabulary, for speculative decoding. `token` opens gated repositories.
    """

    model: str
    revision: str | None = None
    token: str | None = field(default=None, repr=False)
    dtype: Dtype = "auto"
    assistant: str | None = None
    assistant_revision: str | None = None


def load_transcriber(wanted: AsrModel | str) -> Transcriber:
    """Load the engine for a model. Raises `EngineUnavailable` or `InvalidSettings`; never returns a half-loaded engine."""
    wanted = AsrModel(wanted) if isinstance(wanted, str) else wanted
    if wanted.model == "embedded":
        from roundtable.asr.embedded import EmbeddedTranscriber

        return EmbeddedTranscriber()
    from roundtable.asr.ctranslate2 import CTranslate2Transcriber, is_ctranslate2_model

    if is_ctranslate2_model(wanted.model, wanted.revision, wanted.token):
        if wanted.assistant is not None:
            raise InvalidSettings("ASR_ASSISTANT_MODEL: CTranslate2 has no speculative decoding; leave it unset.")
        return CTranslate2Transcriber(wanted.model, wanted.revision, wanted.token, wanted.dtype)
    if wanted.dtype == "int8":
        raise InvalidSettings("ASR_DTYPE: int8 is for CTranslate2 models; this one takes float16, bfloat16 or float32.")
    from roundtable.asr.checkpoint import load_assistant, load_checkpoint
    from roundtable.asr.whisper import WhisperTranscriber

    checkpoint = load_checkpoint(wanted.model, revision=wanted.revision, token=wanted.token, dtype=wanted.dtype)
    if wanted.assistant is None:
        return WhisperTranscriber(checkpoint)
    assistant = load_assistant(wanted.assistant, checkpoint, revision=wanted.assistant_revision, token=wanted.token)
    return WhisperTranscriber(checkpoint, assistant)
