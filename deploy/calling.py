"""How `smoke` speaks to a running endpoint: the seam that the HTTP client plugs into. There is no second client here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import SecretStr


@dataclass(frozen=True)
class Answer:
    """What came back. `status` is None where nobody answered; `code` is our error's, if it was one; `reply` is of a 200."""

    status: int | None
    code: str = ""
    reply: Mapping[str, Any] | None = None


class Caller(Protocol):
    """Sends one recording to an endpoint, and waits for it to wake up where it sleeps."""

    def send(
        self, url: str, recording: bytes, *, raw: bool, parameters: Mapping[str, Any], token: SecretStr | None, limit_s: float
    ) -> Answer:
        """`raw`: the bytes themselves, as audio/flac, the parameters in the query; else all of it as JSON with base64.

        Without a token none is sent. Raises nothing: an error of the endpoint is an `Answer` too.
        """
