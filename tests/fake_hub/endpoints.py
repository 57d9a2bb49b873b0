"""The states that an endpoint goes through. Guarantees: a state changes only when it is asked for (so no test waits for a
clock); whatever is PUT is kept; secrets are kept apart and never given out; a script decides how the next deployment ends.

Not known of the real API, and so decided here: PUT merges `env` and `secrets` into what is there, and a paused endpoint
that is updated stays paused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Raw = dict[str, Any]
Boot = Callable[[Raw, dict[str, str]], str | None]
"""Starts what a `model` and its secrets describe; returns the log if that fails."""

_ticks = count(1)

ENDINGS: dict[str, list[tuple[str, str]]] = {
    "good": [("initializing", "Pulling the image"), ("running", "Endpoint is ready")],
    "slow": [("initializing", "Waiting for an instance")] * 12 + [("running", "Endpoint is ready")],
    "failed": [("initializing", "Pulling the image"), ("failed", "Application startup failed. Exiting.")],
    "updateFailed": [("updating", "Starting the new replica"), ("updateFailed", "Application startup failed. Exiting.")],
    "stale": [
        ("running", "Endpoint is ready"),
        ("running", "Endpoint is ready"),
        ("updating", "Starting"),
        ("running", "Endpoint is ready"),
    ],
    "paused": [("initializing", "Pulling the image"), ("paused", "Paused by a user")],
    "scaledToZero": [("initializing", "Pulling the image"), ("scaledToZero", "Scaled to zero")],
    "stuck": [("initializing", "Waiting for an instance")] * 100_000,
}
"""How a deployment can go, step by step; the last step stays."""

SERVING = ("running", "updating", "updateFailed")
"""The states in which the address answers; while updating, with what ran before."""


@dataclass
class Endpoint:
    """One endpoint: what was asked of it, and where it has come to."""

    raw: Raw
    secrets: dict[str, str]
    steps: deque[tuple[str, str]]
    live: Raw | None = None
    """The `model` of what serves at its address."""

    live_secrets: dict[str, str] = field(default_factory=dict)
    log: str = ""
    boot: Boot = field(default=lambda model, secrets: None)

    def advance(self) -> None:
        """One step on, as time would do it."""
        if self.steps:
            state, message = self.steps.popleft()
            self.enter(state, message)

    def enter(self, state: str, message: str) -> None:
        status = self.raw["status"]
        status |= {"state": state, "message": message, "readyReplica": int(state in SERVING and self.live is not None)}
        if state in ("failed", "updateFailed"):
            self.log += f"{message}\n"
        if state == "running" and not self.steps:
            failure = self.boot(self.raw["model"], self.secrets)
            if failure is not None:
                self.log += failure
                self.enter("failed" if self.live is None else "updateFailed", "Application startup failed. Exiting.")
                return
            self.live, self.live_secrets = _copy(self.raw["model"]), dict(self.secrets)
            self.log += "Application startup complete.\n"
            status["readyReplica"] = 1

    def wake(self) -> None:
        """What a request to a scaled-to-zero endpoint does."""
        if self.raw["status"]["state"] == "scaledToZero":
            self.steps = deque([("initializing", "Waking up"), ("running", "Endpoint is ready")])
            self.enter("initializing", "Waking up")

    def shown(self) -> Raw:
        """What GET gives: everything but the values of the secrets."""
        shown: Raw = _copy(self.raw)
        shown["model"]["secrets"] = dict.fromkeys(self.secrets, "")
        return shown


class Endpoints:
    """All of them, by name. `script` holds how the coming deployments end, the first first; then they are good."""

    def __init__(self, url_of: Callable[[str], str], boot: Boot) -> None:
        self.by_name: dict[str, Endpoint] = {}
        self.created: list[str] = []
        self.script: list[str] = []
        self._url_of = url_of
        self._boot = boot

    def create(self, payload: Raw) -> Endpoint:
        model = dict(payload["model"])
        secrets = model.pop("secrets", {})
        model.setdefault("env", {})
        raw = {
            **payload,
            "model": {**model, "task": model.get("task")},
            "healthRoute": "/health",
            "status": {
                "createdAt": _stamp(),
                "updatedAt": _stamp(),
                "state": "pending",
                "message": "",
                "readyReplica": 0,
                "url": self._url_of(payload["name"]),
            },
        }
        endpoint = Endpoint(raw, secrets, self._steps(), boot=self._boot)
        self.by_name[payload["name"]] = endpoint
        self.created.append(payload["name"])
        return endpoint

    def update(self, endpoint: Endpoint, payload: Raw) -> None:
        model = dict(payload.get("model", {}))
        endpoint.secrets |= model.pop("secrets", {})
        _merge(endpoint.raw, {**payload, "model": model} if model else {k: v for k, v in payload.items() if k != "model"})
        endpoint.raw["status"]["updatedAt"] = _stamp()
        if endpoint.raw["status"]["state"] != "paused":
            endpoint.steps = self._steps()
            if endpoint.steps[0][0] != "running":  # "stale" goes on saying what was true before
                endpoint.enter("updating", "Updating")

    def pause(self, endpoint: Endpoint) -> None:
        endpoint.steps.clear()
        endpoint.live = None
        endpoint.enter("paused", "Paused")

    def resume(self, endpoint: Endpoint) -> bool:
        """False where it runs already."""
        if endpoint.raw["status"]["state"] != "paused":
            return False
        endpoint.steps = self._steps()
        endpoint.enter("pending", "")
        return True

    def _steps(self) -> deque[tuple[str, str]]:
        return deque(ENDINGS[self.script.pop(0) if self.script else "good"])


def _merge(into: Raw, what: Raw) -> None:
    for key, value in what.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict) and key not in ("image", "measure"):
            _merge(into[key], value)
        else:
            into[key] = value


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _stamp() -> str:
    tick = next(_ticks)
    return f"2026-01-01T{tick // 3600:02}:{tick // 60 % 60:02}:{tick % 60:02}.000Z"
