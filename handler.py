"""One recording in, who said what, when, in which language and what it means out: the door that every host comes through.

Hugging Face's containers, our own server, Ray Serve and a plain Python call all construct `EndpointHandler(path)` once and
call it with `{"inputs": <audio>, "parameters": {...}}`. This file is the contract and the order of the stages. What a
parameter means is in `config.py`, what an engine does in `roundtable/`, who said what in `diarization_utils.py`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# hf-serve loads this file without putting its folder on sys.path; the other hosts may have a `config` of their own there.
_HERE = str(Path(__file__).resolve().parent)
if not sys.path or sys.path[0] != _HERE:
    sys.path.insert(0, _HERE)

# Third-party telemetry is opt-in here, and has to be off before the import that would start it.
for _variable, _off in {
    "PYANNOTE_METRICS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime keeps a device id and a queue of events in the home folder, and sends them
    "DO_NOT_TRACK": "1",
}.items():
    os.environ.setdefault(_variable, _off)

from collections.abc import Callable, Mapping  # the lines above must come first
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from config import REFERENCE_BYTES, InferenceConfig, ModelSettings, release_in, request_id_of
from diarization_utils import clean_diarization, clean_transcript, merge, plain_turns, speaker_stats
from roundtable.asr import AsrModel, TranscribeOptions
from roundtable.audio import Audio, decode_audio, decode_base64
from roundtable.control import Control, ProgressCallback
from roundtable.diarization import DiarizationModel, DiarizeOptions, SpeakerReference
from roundtable.diarization.references import decode_references
from roundtable.engines import Engines
from roundtable.errors import (
    EngineError,
    EngineFailed,
    InvalidParameters,
    MissingInputs,
    OutOfMemory,
    RoundtableError,
)
from roundtable.formats import render
from roundtable.run import Run, contained
from roundtable.summarization import SummarizeOptions, SummaryModel
from roundtable.transcript import Conversation, Diarization, SpeakerStats, SpeakerTurn, Summary, Transcript, Warning_

_Answer = TypeVar("_Answer")
_Finish = Callable[[Conversation, InferenceConfig], _Answer]
_NO_SPEAKERS = "The speakers could not be told apart; the transcript is complete."


class EndpointHandler:
    """Loaded and warm once constructed; raises `EngineError` otherwise. May be called from several threads at once."""

    def __init__(self, path: str = "", *, settings: ModelSettings | None = None, engines: Engines | None = None) -> None:
        """`path` is the repository's folder, as every host passes it. Settings come from the environment unless given."""
        self.path = path or _HERE
        self.settings = settings or ModelSettings.load()
        self.engines = engines or self._load_engines()
        release = release_in(_HERE)
        self._handler: Mapping[str, str] = {"handler": release} if release else {}

    def _load_engines(self) -> Engines:
        settings = self.settings
        token = settings.hf_token.get_secret_value() if settings.hf_token else None
        asr = AsrModel(
            model=self._here(settings.asr_model),
            revision=settings.asr_revision,
            token=token,
            dtype=settings.asr_dtype,
            assistant=settings.asr_assistant_model and self._here(settings.asr_assistant_model),
            assistant_revision=settings.asr_assistant_revision,
        )
        diarization = settings.diarization_model and DiarizationModel(
            self._here(settings.diarization_model), settings.diarization_revision, token
        )
        summary = settings.summarize_model and SummaryModel(
            model=self._here(settings.summarize_model),
            revision=settings.summarize_revision,
            token=token,
            dtype=settings.summarize_dtype,
            context_tokens=settings.summarize_context_tokens,
        )
        return Engines.load(asr, diarization or None, summary or None)

    def _here(self, model: str) -> str:
        """`.` is this repository, wherever the host has put it."""
        return self.path if model == "." else model

    def __call__(self, data: Any, *, on_progress: ProgressCallback | None = None) -> dict[str, Any]:
        """Answer one request with plain JSON types.

        Raises `RequestError` if the caller can mend it, `CapacityError` if trying again may help, `EngineError` otherwise.
        """
        return self._answer(data, on_progress, _render)

    def converse(self, data: Any, *, on_progress: ProgressCallback | None = None) -> Conversation:
        """The same, before it is made into a reply: for callers in this process that want more than one format."""
        return self._answer(data, on_progress, lambda conversation, config: conversation)

    def _answer(self, data: Any, on_progress: ProgressCallback | None, finish: _Finish[_Answer]) -> _Answer:
        run = Run()
        try:
            run.request_id = request_id_of(data)
            inputs, config = _parse(data)
            conversation = self._converse(inputs, config, Control(config.timeout_s, on_progress), run)
            answer = _finish(finish, conversation, config, run)
            run.outcome = "degraded" if run.degraded else "ok"
            run.log()
            return answer
        except RoundtableError as error:
            if isinstance(error, EngineError) and error.__cause__ is not None:
                run.log_failure(error.__cause__)
            failure = error.with_request_id(run.request_id)
        except MemoryError:
            failure = OutOfMemory("There was not enough memory for this recording.", request_id=run.request_id)
        except Exception as error:
            run.log_failure(error)
            failure = EngineFailed(f"The {run.stage} stage failed.", request_id=run.request_id)
        run.outcome = failure.code
        run.log()
        # Out here and bare: what led to it may quote what was said, and hosts log the whole chain.
        failure.__cause__ = failure.__context__ = None
        raise failure

    def _converse(self, inputs: bytes | str, config: InferenceConfig, control: Control, run: Run) -> Conversation:
        with run.timed("decode"):
            known = [(speaker.name, speaker.audio) for speaker in config.speaker_references]
            references = decode_references(known, max_bytes=REFERENCE_BYTES)
            audio = self._decode(inputs)
        run.audio_s = audio.duration_s
        if audio.holes:
            message = f"The recording is damaged: in {audio.holes} place(s) there was no sound that decodes."
            run.warnings.append(Warning_("decode", "damaged_audio", message))
        control.check()

        transcript, diarization = self._listen(audio, references, config, control, run)

        turns: tuple[SpeakerTurn, ...] = ()
        stats: tuple[SpeakerStats, ...] = ()
        merged = False
        with run.timed("merge"):
            if diarization is not None:
                with run.degrades("merge", "Words and speakers could not be brought together; the transcript is complete."):
                    diarization = clean_diarization(diarization, audio.duration_s)
                    # Before its times are put straight: words without any are placed by the turns.
                    said = merge(transcript, diarization, audio.duration_s)
                    turns, stats, merged = said, speaker_stats(said, diarization), True  # all of it or nothing
            transcript = clean_transcript(transcript, audio.duration_s)

        summary_turns = turns if merged else plain_turns(transcript)
        summary = self._summarize(summary_turns, transcript, config, control, run)

        return Conversation(
            transcript=transcript,
            duration_s=audio.duration_s,
            diarization=diarization if merged else None,
            turns=turns,
            speaker_stats=stats,
            summary=summary,
            evidence_in="speakers" if merged else "chunks",
            outcome="degraded" if run.degraded else "ok",
            warnings=tuple(run.warnings),
            models={**self.engines.names(), **self._handler},
            timings_s=run.timings_s(),
            request_id=run.request_id,
            task=config.task,
        )

    def _decode(self, inputs: bytes | str) -> Audio:
        max_bytes = self.settings.max_audio_bytes
        data = decode_base64(inputs, max_bytes=max_bytes) if isinstance(inputs, str) else inputs
        return decode_audio(data, max_bytes=max_bytes, max_seconds=self.settings.max_audio_seconds)

    def _listen(
        self, audio: Audio, references: tuple[SpeakerReference, ...], config: InferenceConfig, control: Control, run: Run
    ) -> tuple[Transcript, Diarization | None]:
        """Transcribe and diarize at the same time. Without a transcript there is nothing to say; without turns there is."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="diarize")
        try:
            diarizing: Future[Diarization] | None = None
            if self.engines.diarizer is not None and config.diarize:
                options = DiarizeOptions(
                    config.num_speakers, config.min_speakers, config.max_speakers, references, config.speaker_embeddings
                )
                diarize = run.timed("diarize")(contained(self.engines.diarizer.diarize))
                with run.degrades("diarize", _NO_SPEAKERS):
                    diarizing = pool.submit(diarize, audio, options, control)
            else:
                run.warnings += _in_vain(config)
            try:
                with run.timed("asr"):
                    transcript = self.engines.transcriber.transcribe(audio, _transcribe_options(config), control)
            except BaseException:
                control.cancel()  # nobody will read the turns
                raise
            run.warnings += transcript.warnings
            if diarizing is None:
                return transcript, None
            with run.degrades("diarize", _NO_SPEAKERS):
                while not wait([diarizing], control.remaining_s()).done:
                    control.check()  # the deadline has passed, and the diarizer has not looked at the clock yet
                diarization = diarizing.result()
                run.warnings += diarization.warnings
                return transcript, diarization
            return transcript, None
        finally:
            pool.shutdown(wait=False)

    def _summarize(
        self, turns: tuple[SpeakerTurn, ...], transcript: Transcript, config: InferenceConfig, control: Control, run: Run
    ) -> Summary | None:
        if self.engines.summarizer is None or not config.summarize:
            return None
        options = SummarizeOptions(
            format=config.summary_format,
            max_tokens=config.summary_max_tokens,
            min_tokens=min(config.summary_min_tokens, config.summary_max_tokens),
            language="en" if config.task == "translate" else transcript.language.code if transcript.language else None,
        )
        with run.degrades("summarize", "The summary could not be made; the transcript is complete."), run.timed("summarize"):
            control.check()
            summary = self.engines.summarizer.summarize(turns, options, control)
            run.warnings += summary.warnings
            return summary
        return None


def _parse(data: Any) -> tuple[bytes | str, InferenceConfig]:
    """Take a request apart. Parameters are checked before anything costs time."""
    if not isinstance(data, Mapping):
        raise InvalidParameters("The request must be an object with 'inputs' and, if needed, 'parameters'.")
    parameters = data.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InvalidParameters("parameters: must be an object.")
    config = InferenceConfig.parse(parameters)
    if set(data) - {"inputs", "parameters"}:
        raise InvalidParameters("The request has fields other than 'inputs' and 'parameters'; settings go into 'parameters'.")
    inputs = data.get("inputs")
    if inputs is None:
        raise MissingInputs("inputs: is missing; it holds the recording, as base64 text or as raw bytes.")
    if isinstance(inputs, (bytearray, memoryview)):
        inputs = bytes(inputs)
    if not isinstance(inputs, (bytes, str)):
        raise InvalidParameters("inputs: must be base64 text, a data: URI or raw bytes.")
    return inputs, config


def _in_vain(config: InferenceConfig) -> list[Warning_]:
    """Where nobody is told apart: what was asked for all the same. Bounds on the number of speakers ask for nothing."""
    asked = {"speaker_references": config.speaker_references, "speaker_embeddings": config.speaker_embeddings}
    return [
        Warning_("diarize", "diarization_off", f"{name} had no effect: nobody is told apart.")
        for name, value in asked.items()
        if value
    ]


def _finish(finish: _Finish[_Answer], conversation: Conversation, config: InferenceConfig, run: Run) -> _Answer:
    """Finish with all there is; if an engine's turns or summary cannot be written down, with the transcript alone."""
    run.stage = "format"
    with run.degrades("format", "The speakers and the summary could not be written down; the transcript is complete."):
        return finish(conversation, config)
    bare = Conversation(
        transcript=conversation.transcript,
        duration_s=conversation.duration_s,
        outcome="degraded",
        warnings=tuple(warning for warning in run.warnings if warning.stage == "format"),
        models=conversation.models,
        timings_s=conversation.timings_s,
        request_id=conversation.request_id,
        task=conversation.task,
    )
    return finish(bare, config)


def _render(conversation: Conversation, config: InferenceConfig) -> dict[str, Any]:
    return render(
        conversation,
        config.response_format,
        word_timestamps=config.word_timestamps,
        structured_summary=config.summary_format == "structured",
        speaker_embeddings=config.speaker_embeddings,
    )


def _transcribe_options(config: InferenceConfig) -> TranscribeOptions:
    return TranscribeOptions(
        task=config.task,
        language=config.language,
        batch_size=config.batch_size,
        chunk_length_s=config.chunk_length_s,
        word_timestamps=config.word_timestamps or config.diarize,  # the merge wants them even if the caller does not
        prompt=config.prompt,
        hotwords=config.hotwords,
        temperature=config.temperature,
    )
