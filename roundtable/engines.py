"""The three engines of one process, loaded and warmed up together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roundtable.asr import AsrModel, TranscribeOptions, Transcriber, load_transcriber
from roundtable.audio import decode_audio
from roundtable.control import Control
from roundtable.diarization import DiarizationModel, DiarizeOptions, Diarizer, load_diarizer
from roundtable.errors import EngineFailed, RoundtableError
from roundtable.summarization import SummarizeOptions, Summarizer, SummaryModel, load_summarizer
from roundtable.transcript import SpeakerTurn, Stage

_WARM_UP_RECORDING = Path(__file__).with_name("warm_up.flac")
"""One second of speech."""

_WARM_UP_TURNS = (
    SpeakerTurn(0, "SPEAKER_00", 0.0, 3.0, "We decided to meet again on Friday, in the large room."),
    SpeakerTurn(1, "SPEAKER_01", 3.0, 6.0, "I will send the report before then, and book the room for the afternoon."),
)


@dataclass(frozen=True, slots=True)
class Engines:
    """A stage that is off is None. Transcription is never off."""

    transcriber: Transcriber
    diarizer: Diarizer | None = None
    summarizer: Summarizer | None = None

    @classmethod
    def load(
        cls,
        asr_model: AsrModel | str,
        diarization_model: DiarizationModel | str | None = None,
        summarize_model: SummaryModel | str | None = None,
    ) -> Engines:
        """Load what is named, then `warm_up`. Raises `EngineError`: a process that gets past this can serve."""
        engines = cls(
            load_transcriber(asr_model),
            load_diarizer(diarization_model) if diarization_model else None,
            load_summarizer(summarize_model) if summarize_model else None,
        )
        engines.warm_up()
        return engines

    def names(self) -> dict[str, str]:
        """What the reply's `models` says."""
        named = {"asr": self.transcriber, "diarization": self.diarizer, "summarization": self.summarizer}
        return {stage: engine.name for stage, engine in named.items() if engine is not None}

    def warm_up(self) -> None:
        """Send one second of real speech through every stage, so that the first request pays nothing and meets no surprise."""
        stage: Stage = "decode"
        try:
            audio = decode_audio(_WARM_UP_RECORDING.read_bytes(), max_bytes=1 << 20, max_seconds=10.0)
            stage = "asr"
            self.transcriber.transcribe(audio, TranscribeOptions(), Control())
            stage = "diarize"
            if self.diarizer is not None:
                self.diarizer.diarize(audio, DiarizeOptions(), Control())
            stage = "summarize"
            if self.summarizer is not None:
                # A few tokens of a model's own: another engine's answer in its place would hide what is wrong with it.
                options = SummarizeOptions(max_tokens=16, min_tokens=0, fallback=False)
                self.summarizer.summarize(_WARM_UP_TURNS, options, Control())
        except RoundtableError:
            raise
        except Exception as error:
            raise EngineFailed(f"The {stage} stage failed while warming up ({type(error).__name__}).") from error
