"""The reins of one request: how much time is left, whether anybody still wants it, and how far it has come.

Engines call `check()` between windows and `report()` after each. Both are cheap and safe from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from roundtable.errors import Cancelled, DeadlineExceeded
from roundtable.transcript import Stage

ProgressCallback = Callable[[Stage, float], None]

_WAIT_S = 0.05
"""Between two looks of whoever waits for an engine."""


class Control:
    """One per request. `timeout_s` None means no limit; `on_progress(stage, fraction)` gets fractions in [0, 1].

    The callback may be called from the threads of several stages; calls never overlap, and a stage's fractions never fall.
    """

    def __init__(
        self,
        timeout_s: float | None = None,
        on_progress: ProgressCallback | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._deadline = None if timeout_s is None else clock() + timeout_s
        self._timeout_s = timeout_s
        self._on_progress = on_progress
        self._reached: dict[Stage, float] = {}
        self._cancelled = threading.Event()
        self._lock = threading.Lock()

    def remaining_s(self) -> float | None:
        """Seconds left, never below 0; None without a limit."""
        return None if self._deadline is None else max(0.0, self._deadline - self._clock())

    def cancel(self) -> None:
        """Make every later `check()` raise `Cancelled`."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise `Cancelled` or `DeadlineExceeded` if this request should stop here."""
        if self._cancelled.is_set():
            raise Cancelled("The request was cancelled.")
        if self._deadline is not None and self._clock() >= self._deadline:
            raise DeadlineExceeded(f"The request did not finish within timeout_s={self._timeout_s:g}.")

    @contextmanager
    def alone(self, turn: threading.Lock) -> Iterator[None]:
        """Hold `turn`, an engine's. Raises as `check()` does, also while another request holds it."""
        self.check()
        while not turn.acquire(timeout=_WAIT_S):
            self.check()
        try:
            self.check()
            yield
        finally:
            turn.release()

    def report(self, stage: Stage, fraction: float) -> None:
        """Tell the listener how much of a stage is done."""
        if self._on_progress is None:
            return
        with self._lock:
            reached = max(self._reached.get(stage, 0.0), min(1.0, max(0.0, fraction)))
            self._reached[stage] = reached
            self._on_progress(stage, reached)
