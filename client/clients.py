"""`Client` and `AsyncClient`: the same arguments, the same rules, two ways to wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, ClassVar, Literal, Self, Unpack

import httpx2

from client.address import Address
from client.errors import InvalidCallError, UnusableReplyError
from client.parameters import Outgoing, Parameters, SendAs, merged, outgoing
from client.recording import Recording, read_recording
from client.reply import Reply
from client.retry import OnWait, Retry
from client.rules import Answer, Broken, Done, Outcome, Rules, Send, Wait
from client.wire import Arriving, Bearer, Timeouts, broken, client_options, opened, request_options

_MAX_REPLY_BYTES = 256 * 1024 * 1024
"""Far more than the reply to a day of speech, word by word."""


_LONGEST_SCALE_UP_S = 24 * 3600


def _whole_or_none(value: int | None, most: int | None) -> bool:
    """Whether it is None or a whole number from 0 to `most`."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value is None or (whole and (most is None or value <= most))


class _Endpoint:
    """What the two clients share: everything but sending and waiting.

    `url`: the endpoint's. `token`: a Hugging Face token; None takes HF_TOKEN, False sends none. Over plain http it is sent to
    this machine only, unless `allow_plain_http`. `max_recording_bytes`: refuse larger recordings before anything is sent.
    `scale_up_timeout_s`: have Hugging Face's proxy hold a request for so many seconds while the endpoint wakes up from zero
    (`X-Scale-Up-Timeout`), which sends a recording once; without it the proxy answers 503 at once, the request is sent again
    as `retry` says, and `on_wait` is told each time. `on_wait` is called in the caller's thread; what it raises ends the call.

    Raises `InvalidCallError` for arguments that cannot be used.
    """

    _sender: ClassVar[Any]

    def __init__(
        self,
        url: str,
        *,
        token: str | Literal[False] | None = None,
        retry: Retry | None = None,
        timeouts: Timeouts | None = None,
        scale_up_timeout_s: int | None = None,
        max_recording_bytes: int | None = None,
        on_wait: OnWait | None = None,
        allow_plain_http: bool = False,
    ) -> None:
        if not _whole_or_none(scale_up_timeout_s, _LONGEST_SCALE_UP_S):
            raise InvalidCallError("scale_up_timeout_s: must be whole seconds, not negative, and at most a day.")
        if not _whole_or_none(max_recording_bytes, None):
            raise InvalidCallError("max_recording_bytes: must be a whole number, not negative.")
        address = Address.parse(url)
        bearer = Bearer.find(token, address, allow_plain_http)
        self._timeouts = timeouts or Timeouts()
        self._max_recording_bytes = max_recording_bytes
        self._rules = Rules(address, retry or Retry(), on_wait, bearer.mask if bearer else str)
        self._http: Any = opened(self._sender, client_options(bearer, self._timeouts, scale_up_timeout_s))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._rules.address.host!r})"

    def _prepare(self, recording: Recording, parameters: Mapping[str, Any], send_as: SendAs) -> Outgoing:
        if self._http.is_closed:
            raise InvalidCallError("client: it is closed, and cannot be used again.")
        audio, media_type = read_recording(recording, self._max_recording_bytes)
        return outgoing(audio, media_type, parameters, send_as)

    def _arriving(self, response: httpx2.Response) -> Arriving:
        return Arriving(response, self._timeouts.answer_s, _MAX_REPLY_BYTES)


class Client(_Endpoint):
    """Synchronous. May be used by several threads at once. Close it, or use it with `with`: it keeps connections open."""

    _sender = httpx2.Client
    _http: httpx2.Client

    def transcribe(
        self,
        recording: Recording,
        parameters: Mapping[str, Any] | None = None,
        *,
        send_as: SendAs = "base64",
        **named: Unpack[Parameters],
    ) -> Reply:
        """Send a recording, and wait for who said what.

        `recording`: a path, bytes, or an open binary file. `parameters` and keyword arguments are the same thing in two
        spellings; a mapping is sent as it is, known names or not. `send_as="raw"` sends the bytes themselves, a quarter less,
        to hosts that take them (not hf-serve), with parameters in the query string. Memory: the recording, and as base64
        another 4/3 of it, twice that while it is put together. Raises `NotSentError`, `NoReplyError` or `RefusedError`.
        """
        prepared = self._prepare(recording, merged(parameters, named), send_as)
        steps = self._rules.steps(prepared)
        outcome: Outcome = None
        while not isinstance(step := steps.send(outcome), Done):
            if isinstance(step, Wait):
                time.sleep(step.seconds)
                outcome = None
            else:
                outcome = self._send(step)
        return _reply(step)

    def _send(self, step: Send) -> Answer | Broken:
        try:
            with self._http.stream("POST", step.url, **request_options(step.outgoing)) as response:
                arriving = self._arriving(response)
                for chunk in response.iter_bytes():
                    if not arriving.take(chunk):
                        break
                return arriving.outcome()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return broken(error, self._timeouts)

    def close(self) -> None:
        """Close all connections. A closed client cannot be used again."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncClient(_Endpoint):
    """For asyncio. Close it, or use it with `async with`: it keeps connections open. Cancelling a call closes its own."""

    _sender = httpx2.AsyncClient
    _http: httpx2.AsyncClient

    async def transcribe(
        self,
        recording: Recording,
        parameters: Mapping[str, Any] | None = None,
        *,
        send_as: SendAs = "base64",
        **named: Unpack[Parameters],
    ) -> Reply:
        """As `Client.transcribe`; the recording is read and encoded in a thread."""
        prepared = await asyncio.to_thread(self._prepare, recording, merged(parameters, named), send_as)
        steps = self._rules.steps(prepared)
        outcome: Outcome = None
        while not isinstance(step := steps.send(outcome), Done):
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                outcome = None
            else:
                outcome = await self._send(step)
        return _reply(step)

    async def _send(self, step: Send) -> Answer | Broken:
        try:
            async with self._http.stream("POST", step.url, **request_options(step.outgoing)) as response:
                arriving = self._arriving(response)
                async for chunk in response.aiter_bytes():
                    if not arriving.take(chunk):
                        break
                return arriving.outcome()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return broken(error, self._timeouts)

    async def aclose(self) -> None:
        """Close all connections. A closed client cannot be used again."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _reply(done: Done) -> Reply:
    try:
        return Reply.parse(done.answer.body, done.attempts)
    except UnusableReplyError as error:
        error.status, error.attempts = done.answer.status, done.attempts
        raise
