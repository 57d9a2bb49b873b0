"""The ASR systems that ours is measured against, each behind the same two lines: load it, then hear samples.

    pipeline         transformers' ASR pipeline as a tutorial handler calls it: `chunk_length_s=30`, `batch_size=24`,
                     `return_timestamps=True`; with the beams it defaults to, greedy, and greedy with word times
    sequential       the same without chunks: it hands the whole recording to Whisper's long-form `generate`; greedy, and with
                     the temperatures and thresholds of the Whisper paper, as transformers' documentation passes them
    faster-whisper   CTranslate2's kernels, one window after the other or batched, float32 or int8; weights converted on first
                     use. Its own defaults (5 beams; the batched pipeline finds speech first), and word times. Batched, it
                     writes no timestamps by default; with them it is another system, so that is shown as well

All of them get samples at 16 kHz: reading the file is nobody's measured work. The packages are imported when a system is
loaded; one that is not installed raises ImportError. Nothing but this benchmark imports this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH_SIZE = 24
"""The tutorial handler's default, and ours."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a system made of a recording. `words`: text and start in seconds; None where it gives no word times."""

    text: str
    words: tuple[tuple[str, float], ...] | None = None


Hear = Callable[[NDArray[np.float32], str | None, int | None], Heard]
"""(samples, language, limit): None detects the language. `limit` is the most tokens a window may have, if that is limited."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A system, ready. `torch_model` is the WhisperForConditionalGeneration inside, where there is one to count passes of.

    `details` says more about the last recording, in fields of `asr_worker.Measured`.
    """

    hear: Hear
    torch_model: Any = None
    details: Callable[[], dict[str, Any]] = dict


def pipeline(model: Path, *, chunk_length_s: int | None = 30, return_timestamps: bool | str = True, **generate: Any) -> Loaded:
    """Without `chunk_length_s`, long-form `generate`."""
    import torch
    import transformers

    whisper = transformers.WhisperForConditionalGeneration.from_pretrained(model)
    whisper.to(**_device_and_dtype())
    processor = transformers.WhisperProcessor.from_pretrained(model)
    recognize: Any = transformers.pipeline(
        "automatic-speech-recognition",
        model=whisper,
        tokenizer=processor.tokenizer,
        feature_extractor=processor.feature_extractor,
        device=whisper.device,
    )
    chunked = {} if chunk_length_s is None else {"chunk_length_s": chunk_length_s, "batch_size": BATCH_SIZE}

    def hear(samples: NDArray[np.float32], language: str | None, limit: int | None) -> Heard:
        torch.manual_seed(0)  # temperatures above 0 draw
        asked = {"task": "transcribe", "language": language, **generate}
        if limit is not None:
            asked["max_new_tokens"] = limit
        found = recognize(samples, return_timestamps=return_timestamps, generate_kwargs=asked, **chunked)
        by_word = return_timestamps == "word"
        return Heard(found["text"], _starts(found["chunks"]) if by_word else None)

    return Loaded(hear, whisper)


def _device_and_dtype() -> dict[str, Any]:
    import torch

    on_gpu = torch.cuda.is_available()
    return {"device": "cuda", "dtype": torch.float16} if on_gpu else {"device": "cpu", "dtype": torch.float32}


def _starts(chunks: list[dict[str, Any]]) -> tuple[tuple[str, float], ...]:
    return tuple((chunk["text"], float(chunk["timestamp"][0])) for chunk in chunks if chunk["timestamp"][0] is not None)


def faster_whisper(model: Path, threads: int, compute_type: str, *, batched: bool = False, **more: Any) -> Loaded:
    """From the same weights, converted to CTranslate2's format in float32 beside the model on first use."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    converted = WhisperModel(str(_converted(model)), device="cpu", compute_type=compute_type, cpu_threads=threads)
    options: dict[str, Any] = {"word_timestamps": True, **more}
    transcribe = converted.transcribe
    if batched:
        transcribe = BatchedInferencePipeline(converted).transcribe
        options["batch_size"] = BATCH_SIZE

    def hear(samples: NDArray[np.float32], language: str | None, limit: int | None) -> Heard:
        segments = list(transcribe(samples, language=language, task="transcribe", max_new_tokens=limit, **options)[0])
        words = tuple((word.word, float(word.start)) for segment in segments for word in segment.words or ())
        return Heard("".join(segment.text for segment in segments), words)

    return Loaded(hear)


def _converted(model: Path) -> Path:
    from ctranslate2.converters import TransformersConverter

    folder = model.with_name(f"{model.name}-ctranslate2")
    if not folder.exists():
        TransformersConverter(str(model), copy_files=["tokenizer.json"]).convert(str(folder))
    return folder


AS_THE_PAPER: Mapping[str, Any] = {
    "temperature": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "compression_ratio_threshold": 1.35,  # over token ids: transformers' counterpart of 2.4 over text
    "logprob_threshold": -1.0,
    "no_speech_threshold": 0.6,
}

DEFAULT_BEAMS = "pipeline, chunked, default beams"
GREEDY = "pipeline, chunked, greedy"
SEQUENTIAL = "sequential, greedy"

PEERS: dict[str, Callable[[Path, int], Loaded]] = {  # name -> load(model, threads)
    DEFAULT_BEAMS: lambda model, _: pipeline(model),
    GREEDY: lambda model, _: pipeline(model, num_beams=1),
    "pipeline, chunked, greedy, word times": lambda model, _: pipeline(model, return_timestamps="word", num_beams=1),
    SEQUENTIAL: lambda model, _: pipeline(model, chunk_length_s=None, num_beams=1),
    "sequential, temperatures": lambda model, _: pipeline(model, chunk_length_s=None, num_beams=1, **AS_THE_PAPER),
    "faster-whisper, float32": lambda model, threads: faster_whisper(model, threads, "float32"),
    "faster-whisper, int8": lambda model, threads: faster_whisper(model, threads, "int8"),
    "faster-whisper, batched, float32": lambda model, threads: faster_whisper(model, threads, "float32", batched=True),
    "faster-whisper, batched, int8": lambda model, threads: faster_whisper(model, threads, "int8", batched=True),
    "faster-whisper, batched, float32, timestamps": lambda model, threads: faster_whisper(
        model, threads, "float32", batched=True, without_timestamps=False
    ),
    "faster-whisper, batched, int8, timestamps": lambda model, threads: faster_whisper(
        model, threads, "int8", batched=True, without_timestamps=False
    ),
}
