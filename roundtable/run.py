"""What is noted down about one request while it runs: stage, timings, warnings. Nothing that was said ever stands in it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from roundtable.errors import Cancelled, EngineFailed, OutOfMemory, RequestError, RoundtableError
from roundtable.transcript import Stage, Warning_

logger = logging.getLogger("roundtable")

_TIMED_STAGES: tuple[Stage, ...] = ("decode", "asr", "diarize", "merge", "summarize")


_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def contained(work: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """`work` for a thread of its own: what would end a process there, such as SystemExit, is a failure of the stage."""

    def run(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        try:
            return work(*args, **kwargs)
        except Exception:
            raise
        except BaseException as error:
            raise EngineFailed(f"The engine gave up ({type(error).__name__}).") from error

    return run


def frames(error: BaseException) -> list[str]:
    """Where an error comes from, innermost last, for a log line: file names and lines, never a path or a value."""
    found, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found[-12:]


class Run:
    """One per request. `stage` is where the request's own thread is; `outcome` is what its log line will say."""

    def __init__(self) -> None:
        self.request_id = ""
        self.stage: Stage | str = "parse"
        self.outcome = ""
        self.audio_s = 0.0
        self.degraded = False
        self.warnings: list[Warning_] = []
        self._started = time.perf_counter()
        self._stage_s: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Time a stage; also usable as a decorator, for the one that runs in a thread beside another."""
        if stage != "diarize":  # which runs beside "asr" and must not take its name
            self.stage = stage
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stage_s[stage] = time.perf_counter() - started

    @contextmanager
    def degrades(self, stage: Stage, message: str) -> Iterator[None]:
        """A failure in here costs this stage's part of the reply, and nothing else. The caller's errors stay errors."""
        try:
            yield
        except (RequestError, Cancelled):
            raise
        except RoundtableError as error:
            self._degrade(Warning_(stage, error.code, f"{message} {error.message}"))
        except MemoryError:
            self._degrade(Warning_(stage, OutOfMemory.code, f"{message} There was not enough memory."))
        except Exception as error:
            self.log_failure(error, stage)
            self._degrade(Warning_(stage, EngineFailed.code, message))

    def _degrade(self, warning: Warning_) -> None:
        self.degraded = True
        self.warnings.append(warning)

    def timings_s(self) -> dict[str, float]:
        """Seconds per stage that ran, and in all so far. Stages that run at the same time each count their own."""
        timings = {f"{stage}_s": self._stage_s[stage] for stage in _TIMED_STAGES if stage in self._stage_s}
        return {**timings, "total_s": time.perf_counter() - self._started}

    def log(self) -> None:
        """The one line that every request leaves."""
        fields = {"event": "request", "request_id": self.request_id, "outcome": self.outcome, "audio_s": round(self.audio_s, 3)}
        logger.info(json.dumps({**fields, **{name: round(value, 3) for name, value in self.timings_s().items()}}))

    def log_failure(self, error: BaseException, stage: str | None = None) -> None:
        """Where it failed and with what kind of error; never the error's own text, which may quote what was said."""
        fields = {"event": "stage_failed", "request_id": self.request_id, "stage": stage or self.stage}
        logger.error(json.dumps({**fields, "error": type(error).__name__, "frames": frames(error)}))
