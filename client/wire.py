"""All that touches httpx2: who gets the token, how long anything may take, and what a failure of the network is called."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import httpx2

from client.address import Address
from client.errors import ConnectionFailedError, InvalidCallError, NoReplyError, TimedOutError, UnusableReplyError
from client.masking import Mask
from client.parameters import Outgoing
from client.rules import Answer, Broken

_WRITE_S = 60.0
_LONGEST_S = 1e6
"""More than eleven days; an operating system's own limit is at twenty-four."""

_TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105  # the name of a variable


@dataclass(frozen=True)
class Timeouts:
    """How long one request may take; how long a call may is `Retry.total_s` and one request."""

    connect_s: float = 10.0
    """Until the connection stands."""

    answer_s: float = 900.0
    """From the recording's last byte to the answer's first; and from there to its last one."""

    def __post_init__(self) -> None:
        for seconds in (self.connect_s, self.answer_s):
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= _LONGEST_S:
                raise InvalidCallError(f"Timeouts: seconds must be greater than 0, and at most {_LONGEST_S:.0f}.")


class Bearer(httpx2.Auth):
    """The token, for one origin. It shows itself nowhere: not in `repr`, not in text, and not to another host."""

    def __init__(self, token: str, address: Address) -> None:
        self.__token = token
        self.__address = address
        self.mask = Mask(token)

    @classmethod
    def find(cls, token: str | Literal[False] | None, address: Address, allow_plain_http: bool) -> Bearer | None:
        """The token that was given, else `HF_TOKEN`; None if there is neither, or for False.

        Raises `InvalidCallError` for a token that no header can carry, and where others on the way could read it.
        """
        given = os.environ.get(_TOKEN_VARIABLE, "") if token is None else token or ""
        found = given.strip() if isinstance(given, str) else "\n"
        if not found:
            return None
        if not (found.isascii() and found.isprintable() and " " not in found):
            raise InvalidCallError("token: has characters that no token has.")
        if not (address.is_private_line or allow_plain_http):
            raise InvalidCallError(
                "url: is plain http, where others could read the token: use https, token=False (--no-token) or "
                "allow_plain_http=True (--allow-plain-http)."
            )
        return cls(found, address)

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the header, unless the request goes anywhere but to the endpoint."""
        if self.__address.redirected(str(request.url)) is not None:
            request.headers["Authorization"] = f"Bearer {self.__token}"
        yield request

    def __repr__(self) -> str:
        return "Bearer(***)"


def client_options(auth: Bearer | None, timeouts: Timeouts, scale_up_timeout_s: int | None) -> dict[str, Any]:
    """What `httpx2.Client` and `httpx2.AsyncClient` are both made with."""
    headers = {"Accept": "application/json", "User-Agent": "roundtable-client"}
    if scale_up_timeout_s is not None:
        headers["X-Scale-Up-Timeout"] = str(scale_up_timeout_s)
    answer_s = timeouts.answer_s + (scale_up_timeout_s or 0)
    return {
        "auth": auth,
        "headers": headers,
        "timeout": httpx2.Timeout(connect=timeouts.connect_s, read=answer_s, write=_WRITE_S, pool=None),
        "limits": httpx2.Limits(max_connections=None),
        # Redirects are for rules.py to judge. A proxy of the environment gets what is encrypted, and nothing else: the token
        # and the recording of a plain request would lie open to it.
        "follow_redirects": False,
        "mounts": {"http://": None},
    }


Sender = TypeVar("Sender", httpx2.Client, httpx2.AsyncClient)


def opened(sender: type[Sender], options: dict[str, Any]) -> Sender:
    """A client of httpx2. Raises `InvalidCallError` where the environment has proxies or certificates that cannot be used."""
    try:
        return sender(**options)
    except Exception:  # noqa: S110  # out of here: whatever it is, its text quotes a path, or a proxy's address with a password
        pass
    raise InvalidCallError(
        "environment: a proxy (HTTPS_PROXY, ALL_PROXY) or the certificates (SSL_CERT_FILE, SSL_CERT_DIR) cannot be used."
    )


def request_options(outgoing: Outgoing) -> dict[str, Any]:
    return {"content": outgoing.body, "headers": {"Content-Type": outgoing.content_type}}


class Arriving:
    """An answer on its way in, within a size and a time: a peer that sends a byte now and then holds nobody for ever."""

    def __init__(self, response: httpx2.Response, limit_s: float, max_bytes: int) -> None:
        self._response = response
        self._limit_s = limit_s
        self._until = time.monotonic() + limit_s
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._size = 0
        self.refused: Broken | None = None

    def take(self, chunk: bytes) -> bool:
        """Keep a chunk. False: it is too much, or too late; `refused` says which."""
        self._size += len(chunk)
        self._chunks.append(chunk)
        if self._size > self._max_bytes:
            self.refused = Broken(UnusableReplyError(f"The answer is larger than {self._max_bytes} bytes."), again=False)
        elif time.monotonic() > self._until:
            self.refused = Broken(TimedOutError(f"The answer did not end within {self._limit_s:g} s."), again=False)
        return self.refused is None

    def outcome(self) -> Answer | Broken:
        headers = self._response.headers
        whole = Answer(self._response.status_code, b"".join(self._chunks), headers.get("Location"), headers.get("Retry-After"))
        return self.refused or whole


def broken(error: httpx2.HTTPError | httpx2.InvalidURL, timeouts: Timeouts) -> Broken:
    """A failure below HTTP. Only a connection's is worth another request: after a timeout the endpoint may be at work still."""
    if isinstance(error, httpx2.ConnectTimeout):
        return _again(f"No connection within {timeouts.connect_s:g} s.")
    if isinstance(error, httpx2.TimeoutException):
        return Broken(TimedOutError("The endpoint was silent for too long; it may still be at work on this."), again=False)
    if isinstance(error, httpx2.ProxyError):
        return Broken(ConnectionFailedError("The proxy of the environment refused.", retryable=False), again=False)
    if _certificate_refused(error):
        return Broken(ConnectionFailedError("The endpoint's certificate is not valid.", retryable=False), again=False)
    if isinstance(error, httpx2.ConnectError):
        return _again(f"The endpoint cannot be reached: {_reason(error)}.")
    if isinstance(error, (httpx2.NetworkError, httpx2.RemoteProtocolError)):
        return _again("The connection broke before the answer was complete.")
    what = "address cannot be used" if isinstance(error, httpx2.InvalidURL) else "answer cannot be read"
    return Broken(NoReplyError(f"The {what}."), again=False)


def _again(message: str) -> Broken:
    return Broken(ConnectionFailedError(message), again=True)


def _certificate_refused(error: BaseException) -> bool:
    return any(isinstance(link, ssl.SSLCertVerificationError) for link in _chain(error))


def _reason(error: BaseException) -> str:
    """In words of the operating system's that name neither host nor port."""
    for link in _chain(error):
        if isinstance(link, socket.gaierror):
            return "its name is not known here"
        if isinstance(link, OSError) and link.errno is not None:
            return os.strerror(link.errno)
    return "no connection"


def _chain(error: BaseException) -> Generator[BaseException, None, None]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
