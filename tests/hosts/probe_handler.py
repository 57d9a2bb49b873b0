"""A handler.py that does what `inputs` names: returns an awkward value, fails, or tells what it was called with and where."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse


class CallersError(ValueError, HTTPException):
    """Shaped like roundtable.errors.RequestError, which is all three: a ValueError, an HTTPException, and its own text."""

    def __init__(self) -> None:
        Exception.__init__(self)
        self.status_code, self.detail, self.headers = 422, "not this", None

    def __str__(self) -> str:
        return '{"code":"mine"}'


VALUES: dict[str, Callable[[], Any]] = {
    "float32": lambda: np.float32(1.5),
    "float64": lambda: np.float64(1.5),
    "int64": lambda: np.int64(3),
    "array": lambda: np.arange(3),
    "array with gaps": lambda: np.arange(6)[::2],
    "array of strings": lambda: np.array(["a"]),
    "numpy string": lambda: np.str_("a"),
    "numpy string key": lambda: {np.str_("a"): 1},
    "int key": lambda: {1: 2},
    "nan": lambda: {"a": float("nan"), "b": float("-inf")},
    "lone surrogate": lambda: "a\ud800",
    "set": lambda: {1},
    "bytes": lambda: b"a",
    "bytes that are not text": lambda: b"\xff",
    "tuple": lambda: (1, 2),
    "generator": lambda: (number for number in range(2)),
    "70 bit int": lambda: 2**69,
    "datetime": lambda: datetime.datetime(2026, 1, 2),
    "timedelta": lambda: datetime.timedelta(1),
    "decimal": lambda: decimal.Decimal("1.5"),
    "uuid": lambda: uuid.UUID(int=1),
    "object": object,
    "response": lambda: JSONResponse({"a": 1}, 413),
    "none": lambda: None,
}

FAULTS: dict[str, Callable[[], BaseException]] = {
    "value error": lambda: ValueError("wrong value"),
    "runtime error": lambda: RuntimeError("broken"),
    "http exception": lambda: HTTPException(413, "too long"),
    "caller's fault": CallersError,
    "system exit": lambda: SystemExit(3),
}


class EndpointHandler:
    """One per host process."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.working = 0

    def __call__(self, data: dict[str, Any]) -> Any:
        wanted = data.get("inputs")
        if wanted == "where":
            return self.where()
        if wanted == "count":
            return self.count()
        if wanted == "wait":
            return self.wait(Path(data["until"]))
        if isinstance(wanted, str) and wanted in VALUES:
            return VALUES[wanted]()
        if isinstance(wanted, str) and wanted in FAULTS:
            raise FAULTS[wanted]()
        return {"data": {**data, "inputs": repr(wanted)}}

    def where(self) -> dict[str, Any]:
        try:
            asyncio.get_running_loop()
            on_event_loop = True
        except RuntimeError:
            on_event_loop = False
        return {
            "path": self.path,
            "name": __name__,
            "in_sys_modules": __name__ in sys.modules,
            "on_sys_path": self.path in sys.path,
            "on_event_loop": on_event_loop,
            "main_thread": threading.current_thread() is threading.main_thread(),
        }

    def count(self) -> int:
        """How many calls are in here together, this one included."""
        self.working += 1
        together = self.working
        time.sleep(0.1)
        self.working -= 1
        return together

    def wait(self, until: Path) -> str:
        """Leaves `<until>.started` behind and returns once `until` exists, or after 30 s."""
        until.with_suffix(".started").touch()
        deadline = time.monotonic() + 30
        while not until.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return "waited"
