"""How `smoke` speaks to a running endpoint: through the client that callers use, one recording at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from client import Client, ClientError, Retry, Timeouts


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
        """`raw`: the bytes themselves, the parameters in the query; else all of it as JSON with base64.

        Without a token none is sent. Raises nothing: an error of the endpoint is an `Answer` too.
        """


class ClientCaller:
    """The real client. It sends again for 503, 429 and a broken connection only, and no longer than `limit_s`."""

    def send(
        self, url: str, recording: bytes, *, raw: bool, parameters: Mapping[str, Any], token: SecretStr | None, limit_s: float
    ) -> Answer:
        bearer: str | Literal[False] = token.get_secret_value() if token is not None else False
        try:
            with Client(url, token=bearer, retry=Retry(total_s=limit_s), timeouts=Timeouts(answer_s=limit_s)) as endpoint:
                reply = endpoint.transcribe(recording, parameters, send_as="raw" if raw else "base64")
        except ClientError as error:
            return Answer(error.status, error.code)
        return Answer(200, reply=reply.raw)
