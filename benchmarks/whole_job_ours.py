"""Ours behind the peers' protocol: `python -m benchmarks.whole_job_ours ASR_MODEL DIARIZATION_MODEL THREADS DTYPE`.

A file goes through the whole handler, samples through its transcriber alone. With a limit of tokens (random weights) every
window gets exactly that many, the quality gates let everything pass, and no hole is found between the words: either would have
nonsense written again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.protocol import BATCH_SIZE, Heard, Request, System, serve_system

_NO_GATES: dict[str, Callable[..., Any]] = {
    "failures": lambda attempt: (),
    "confirmed_silence": lambda attempt: False,
    "without_tail_loop": lambda tokens: tokens,
    "holes": lambda window, words, probabilities: (),
}


def load(asr_model: str, diarization_model: str, threads: str, dtype: str) -> System:
    """The handler with these models; '' is nobody told apart."""
    import torch

    from config import ModelSettings
    from handler import EndpointHandler

    torch.set_num_threads(int(threads))
    settings: dict[str, Any] = {"asr_model": asr_model, "diarization_model": diarization_model or None, "asr_dtype": dtype}
    handler = EndpointHandler(settings=ModelSettings.load(**settings, summarize_model=None))
    watched = _Watched(handler.engines.transcriber)

    def system(request: Request) -> Callable[[], Heard]:
        if request.recording.endswith(".npy"):
            return _transcription(watched, request)
        data = {"inputs": Path(request.recording).read_bytes(), "parameters": {"language": request.language}}
        return lambda: _whole_job(handler, data)

    return system


def _whole_job(handler: Any, data: dict[str, Any]) -> Heard:
    from roundtable.formats import render

    conversation = handler.converse(data)
    reply: Any = render(conversation, "json")
    found = conversation.diarization
    return Heard(
        reply["text"],
        [(turn["speaker"], *turn["timestamp"], turn["text"]) for turn in reply["speakers"]],
        [(turn.speaker, turn.start, turn.end) for turn in (*found.turns, *found.overlaps)] if found else None,
        {name.removesuffix("_s"): seconds for name, seconds in reply["timings"].items()},
    )


def _transcription(watched: _Watched, request: Request) -> Callable[[], Heard]:
    from roundtable.asr import TranscribeOptions
    from roundtable.audio import Audio
    from roundtable.control import Control

    audio = Audio(np.load(request.recording))
    options = TranscribeOptions(language=request.language, batch_size=BATCH_SIZE)
    watched.limit(request.limit)

    def work() -> Heard:
        text = watched.transcriber.transcribe(audio, options, Control()).text
        return Heard(text, windows=watched.windows, tokens=watched.tokens)

    return work


@dataclass
class _Watched:
    """A transcriber of either engine: counts windows and tokens, and can be told how many tokens a window gets."""

    transcriber: Any
    windows: int = 0
    tokens: int = 0

    def __post_init__(self) -> None:
        from roundtable.asr import ctranslate2, long_form, whisper

        inside: Any = long_form
        engines: tuple[Any, ...] = (ctranslate2, whisper)
        self._inside, self._engines = inside, engines
        self._usual = {name: getattr(inside, name) for name in _NO_GATES}
        self._usual_limit = engines[0].token_limit
        pack = inside.pack_windows

        def packed(*args: Any) -> Any:
            found = pack(*args)
            self.windows += len(found)
            return found

        inside.pack_windows = packed
        for engine in engines:
            engine._Batch.write = self._counted(engine._Batch.write)

    def _counted(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def written(*args: Any) -> Any:
            rows = write(*args)
            self.tokens += sum(len(row.tokens) for row in rows)
            return rows

        return written

    def limit(self, tokens: int | None) -> None:
        """For the recordings from here on. None: as it is without a benchmark."""
        self.windows = self.tokens = 0
        vars(self._inside).update(self._usual if tokens is None else _NO_GATES)
        for engine in self._engines:
            engine.token_limit = self._usual_limit if tokens is None else lambda window, room: min(room, tokens)


if __name__ == "__main__":
    serve_system(lambda: load(*sys.argv[1:]))
