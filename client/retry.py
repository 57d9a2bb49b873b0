"""When a request is sent again: after 503, 429 and a connection that failed, within two caps, and never otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from client.errors import InvalidCallError

Reason = Literal["waking_up", "busy", "rate_limited", "no_connection"]


@dataclass(frozen=True)
class Retry:
    """The caps. The defaults wait a quarter of an hour for an endpoint that wakes up, and not long for one that is gone."""

    attempts: int = 100
    """Requests in all, the first included. 1: never again."""

    connection_attempts: int = 5
    """Of these, connections that fail one after the other."""

    total_s: float = 900.0
    """No request begins later than this many seconds after the first one did."""

    first_wait_s: float = 1.0
    """Before the second request; it doubles from then on. At least what `Retry-After` asks for."""

    longest_wait_s: float = 15.0
    """What doubling ends at. `Retry-After` may ask for more, and gets it if `total_s` allows."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.connection_attempts < 1:
            raise InvalidCallError("Retry: attempts and connection_attempts must be at least 1.")
        if not (self.total_s >= 0 and 0 <= self.first_wait_s <= self.longest_wait_s < math.inf):
            raise InvalidCallError("Retry: seconds must not be negative, and first_wait_s at most longest_wait_s.")

    def wait_s(self, attempt: int, chance: float) -> float:
        """How long to wait after the request number `attempt` (from 1), somewhere in the upper half of the doubling.

        `chance` in [0, 1) spreads callers that were refused together.
        """
        doubled = self.first_wait_s * 2.0 ** min(attempt - 1, 64)
        return min(doubled, self.longest_wait_s) * (0.5 + chance / 2)


@dataclass(frozen=True)
class Waiting:
    """What `on_wait` is told before each wait: why, for how long, and what has been tried so far."""

    reason: Reason
    """`waking_up` is any 503 that is not the handler's own: proxies say the same of an endpoint at zero and of a full one."""
    attempt: int
    wait_s: float
    elapsed_s: float
    status: int | None


OnWait = Callable[[Waiting], None]


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """What a `Retry-After` header asks for, in seconds from `now`: a whole number or an HTTP date; None if it is neither."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 300 else math.inf
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    return max(0.0, (until - now).total_seconds())
