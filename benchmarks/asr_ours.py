"""Ours, watched: the engine as `load_transcriber` gives it, with a stopwatch on each of its stages.

For random weights two things change when a limit of tokens is set, and only then. Each window may write that many: the
checkpoint's `max_text_positions` says so. And the quality gates let everything pass, nor is a hole found
between the words: random weights write nonsense, which would be written again; the pipeline has neither by default.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.asr_peers import Heard, Loaded
from roundtable.asr import TranscribeOptions, load_transcriber
from roundtable.audio import Audio
from roundtable.control import Control

OURS = "ours"

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Stopwatch:
    """Seconds of a clock, by stage. Time within an inner stage is the inner one's alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._running: list[str] = []
        self._since = 0.0

    def __call__(self, stage: str, work: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
        """`work`, timed as `stage`."""

        def timed(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
            self._lap(start=stage)
            try:
                return work(*args, **kwargs)
            finally:
                self._lap(start=None)

        return timed

    def _lap(self, start: str | None) -> None:
        now = self._clock()
        if self._running:
            self.seconds[self._running[-1]] = self.seconds.get(self._running[-1], 0.0) + now - self._since
        if start is None:
            self._running.pop()
        else:
            self._running.append(start)
        self._since = now


def ours(model: Path, _threads: int) -> Loaded:
    """Whisper through `load_transcriber`, word times included."""
    import torch

    from roundtable.asr import long_form, whisper
    from roundtable.asr.window_engine import Prompt

    def gpu_clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    transcriber: Any = load_transcriber(str(model))
    engine = transcriber._engine
    checkpoint = engine.checkpoint
    watch = Stopwatch(time.process_time if checkpoint.device.type == "cpu" else gpu_clock)
    seen = {"windows": 0, "tokens": 0}

    def counted(name: str, work: Callable[_Given, _Result], size: Callable[[_Result], int]) -> Callable[_Given, _Result]:
        def counting(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
            result = work(*args, **kwargs)
            seen[name] += size(result)
            return result

        return counting

    inside: Any = long_form
    batch: Any = whisper._Batch
    gates = {name: getattr(inside, name) for name in ("failures", "confirmed_silence", "without_tail_loop", "holes")}
    no_gates: dict[str, Callable[..., Any]] = {
        "failures": lambda attempt: (),
        "confirmed_silence": lambda attempt: False,
        "without_tail_loop": lambda tokens: tokens,
        "holes": lambda window, words, probabilities: (),
    }
    inside.speech_regions = watch("find speech", inside.speech_regions)
    inside.pack_windows = watch("find speech", counted("windows", inside.pack_windows, len))
    engine.hear._mel = watch("mel", engine.hear._mel)
    engine.hear = watch("encode", engine.hear)
    engine.encode = watch("cross-attention keys, first step", engine.encode)
    batch.write = watch("decode", counted("tokens", batch.write, lambda rows: sum(len(row.tokens) for row in rows)))
    batch.align = watch("align", batch.align)
    transcribe = watch("the rest", transcriber.transcribe)

    def hear(samples: NDArray[np.float32], language: str | None, limit: int | None) -> Heard:
        watch.seconds.clear()
        seen.update(dict.fromkeys(seen, 0))
        vars(inside).update(gates if limit is None else no_gates)
        engine.checkpoint = checkpoint
        if limit is not None:
            prompt = whisper._prompt_tokens(checkpoint, Prompt(language or "en", "transcribe"))
            engine.checkpoint = replace(checkpoint, max_text_positions=len(prompt) + limit)
        transcript = transcribe(Audio(samples), TranscribeOptions(language=language), Control())
        return Heard(transcript.text, tuple((word.text, word.start) for word in transcript.words()))

    def details() -> dict[str, Any]:
        return {**seen, "stages_s": dict(watch.seconds)}

    return Loaded(hear, checkpoint.model, details)
