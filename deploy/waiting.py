"""Waiting until an endpoint serves what it should. The client's own `wait` hangs on a paused endpoint, and believes a
`running` that is still the old one's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from deploy.errors import EndpointFailed, EndpointGone, EndpointPaused, NotReady
from deploy.hub import Hub
from deploy.hub_answers import Raw

HEALTHY_TIMES = 3
"""So often in a row it has to be running, on the revision that is meant, and healthy."""

SETTLE_S = 60.0
"""So long the API may go on showing the state of before, which is the old container's. No answer of it says which container
it speaks of: `updatedAt` and the revision are those of what was asked for, at once."""


TELL_EVERY_S = 60.0
"""So often somebody who waits hears that we still do."""

Clock = Callable[[], float]
"""Seconds since some moment."""


@dataclass(frozen=True)
class Patience:
    """How long to wait and how often to look, in seconds."""

    limit_s: float = 1800.0
    every_s: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    clock: Clock = time.monotonic


def wait_until_serving(
    hub: Hub,
    namespace: str,
    name: str,
    *,
    revision: str,
    token: SecretStr | None,
    changed_from: str | None,
    patience: Patience,
    progress: Callable[[str], None],
) -> Raw:
    """What the API says once it serves `revision` and is healthy, three times running.

    `changed_from`: the state before, where something was changed: until another was seen, or `SETTLE_S` have passed, or half
    of the patience, it is taken as the old container's. An endpoint scaled to zero is woken by the look at its health. Raises
    `EndpointFailed`, `EndpointPaused`, `EndpointGone` or `NotReady`.
    """
    begun, healthy, missing, told, told_at = patience.clock(), 0, 0, "", 0.0
    settled_s = min(SETTLE_S, patience.limit_s / 2)
    is_new = changed_from is None
    while True:
        raw = hub.endpoint(namespace, name)
        if raw is None:
            missing, healthy = missing + 1, 0
            if missing >= HEALTHY_TIMES:  # once may be a Hub that stumbles
                raise EndpointGone(f"{name} is gone: somebody deleted it while we waited", "`apply` makes it anew")
            patience.sleep(patience.every_s)
            continue
        missing = 0
        status = raw["status"]
        state, message = status["state"], status.get("message") or ""
        health: int | None = None
        is_new = is_new or state != changed_from or patience.clock() - begun >= settled_s
        if is_new and state in ("failed", "updateFailed"):
            raise EndpointFailed(
                f"{name} is {state}: {message.rstrip(' .') or 'the API gives no reason'}",
                "`logs` shows why; mend it, publish and apply again",
            )
        if is_new and state == "paused":
            raise EndpointPaused(f"{name} was paused while we waited", "`resume` goes on, once you know who paused it")
        if state in ("running", "scaledToZero") and status.get("url"):
            health = hub.health(status["url"].rstrip("/") + raw["healthRoute"], token)
        serving = state == "running" and is_new and raw["model"]["revision"] == revision and status.get("readyReplica", 0) >= 1
        healthy = healthy + 1 if serving and health == 200 else 0
        if healthy >= HEALTHY_TIMES:
            return raw
        now = f"{name}: {state}" + (f", {message}" if message else "") + _health_text(state, health)
        waited = patience.clock() - begun
        if now != told:
            progress(now)
            told, told_at = now, waited
        elif waited - told_at >= TELL_EVERY_S:
            progress(f"{now}; {waited:.0f} s so far, of at most {patience.limit_s:.0f}")
            told_at = waited
        if waited >= patience.limit_s:
            raise NotReady(
                f"{name} is still {state} after {waited:.0f} s{_health_text(state, health)}",
                "`status` and `logs` show how far it is; --timeout waits longer",
            )
        patience.sleep(patience.every_s)


def _health_text(state: str, health: int | None) -> str:
    if state != "running":
        return ""
    return ", nobody answers at its address" if health is None else f", health {health}"
