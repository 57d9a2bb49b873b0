"""How a system answers in its own process (`benchmarks/child.py`), whatever environment that is: no package of ours is needed.

A request names a recording, and says whether speakers are wanted. A .npy (float32, mono, 16 kHz) is heard as samples; anything
else is a file, which the system reads and decodes by itself, within its measured time. The answer says what was heard and what
it cost. Loading is not in the cost.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ParamSpec, TypeVar

from benchmarks.child import peak_mb, serve

BATCH_SIZE = 24
"""The tutorial handler's default, and everybody's here."""

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True)
class Request:
    """`limit`: the most tokens a window may have, for weights that never end by themselves; None leaves it to the system."""

    recording: str
    language: str | None = "en"
    speakers: bool = False
    limit: int | None = None


@dataclass
class Heard:
    """What a system made of a recording; times in seconds, None where the system does not say.

    `utterances`: (speaker, start, end, text), by speaker as the reply has them; None for nobody.
    `turns`: (speaker, start, end), as the diarizer found them. `stages_s`: wall seconds, of stages that may run at once.
    """

    text: str
    utterances: list[tuple[str | None, float, float, str]] = field(default_factory=list)
    turns: list[tuple[str, float, float]] | None = None
    stages_s: dict[str, float] = field(default_factory=dict)
    windows: int | None = None
    tokens: int | None = None


System = Callable[[Request], Callable[[], Heard]]
"""Makes ready what the caller would hand over, and gives the work that is measured."""

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Stages:
    """Wall seconds of one recording's stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, stage: str, work: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
        """`work`, timed as `stage`."""

        def timed(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
            began_s = time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began_s

        return timed

    def taken(self) -> dict[str, float]:
        """What was timed since the last call."""
        seconds, self.seconds = self.seconds, {}
        return seconds


def serve_system(load: Callable[[], System]) -> None:
    """Load, say so, and answer requests until stdin ends."""
    # Set before anything is imported that would phone home.
    os.environ.update(
        PYANNOTE_METRICS_ENABLED="0", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false"
    )

    def loaded() -> Callable[..., object]:
        system = load()
        return lambda request: measured(system, Request(**request))

    serve(loaded)


def measured(system: System, request: Request) -> dict[str, Any]:
    """What was heard, wall seconds, and CPU seconds of all threads and of programs that were run, such as ffmpeg.

    `peak_mb` is the most that was resident since the process began.
    """
    work = system(request)
    wall_s, cpu_s = time.perf_counter(), _cpu_s()
    heard = work()
    wall_s, cpu_s = time.perf_counter() - wall_s, _cpu_s() - cpu_s
    return {"heard": asdict(heard), "wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": peak_mb()}


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
