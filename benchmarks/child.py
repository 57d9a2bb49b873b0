"""A system in a process of its own, so that its memory and its threads are its alone: both ends of the pipe to it.

Line by line, as JSON: the child says that it is ready, or why not; each request is answered by one line. What libraries print
goes to a log, which is shown only when the child ends early. The child may run in an environment that has nothing of ours:
this file imports the standard library alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent

LIMIT_S = 3600.0
"""The longest that an answer may take. Ten minutes of audio take the slowest system a minute and a half."""


class Child:
    """The parent's end. `ready` is the first thing that the child said. `python`: the interpreter of its environment.

    A child that has not answered after `limit_s` is ended.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        threads: int,
        environment: Mapping[str, str],
        python: Path | str = sys.executable,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._limit_s = limit_s
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  open as long as the child
        self._process = subprocess.Popen(  # noqa: S603  our own program
            [str(python), "-m", module, *arguments],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        if hasattr(os, "sched_setaffinity"):  # as many cores as threads: what works in two places at once gains nothing by it
            os.sched_setaffinity(self._process.pid, sorted(os.sched_getaffinity(0))[:threads])
        self.ready = self._answer()

    def ask(self, *request: object) -> dict[str, Any]:
        """Raises RuntimeError, with the end of its log, when the child has ended or did not answer in time."""
        assert self._process.stdin is not None  # noqa: S101  it is a pipe
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101  as above
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        patience = threading.Timer(self._limit_s, end)
        patience.daemon = True
        patience.start()
        try:
            line = self._process.stdout.readline()
        finally:
            patience.cancel()
        if not line:
            self._process.wait()
            self._log.seek(0)
            told = self._log.read()[-4000:]
            self.close()
            how = f"did not answer within {self._limit_s:g} s" if late.is_set() else "ended early"
            raise RuntimeError(f"A system of the benchmark {how}:\n{told}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the child. Its log goes with it."""
        if not self._log.closed:
            self._process.communicate()
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


# --- In the child ----------------------------------------------------------------------------------------------------


def serve(load: Callable[[], Callable[..., object]]) -> None:
    """Load, say so, and answer requests until stdin ends. A package that is missing is told instead."""
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes to the log
    os.dup2(2, 1)

    def answer(said: object) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    try:
        work = load()
    except ModuleNotFoundError as error:
        return answer({"missing": error.name})
    answer({"ready": True})
    for line in sys.stdin:
        answer(work(*json.loads(line)))
    return None


def peak_mb() -> float | None:
    """The high-water mark of this program. Linux only: `ru_maxrss` would include what the parent held when it started us."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), None)
