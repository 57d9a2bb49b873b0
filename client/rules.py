"""What a call does, step by step, without input or output: the one implementation behind both clients.

`steps` is a generator. It yields what to do next, is sent what came of it, and ends with `Done` or raises. A driver sends
requests and waits; it decides nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from client.address import Address, host_of
from client.errors import ClientError, NoReplyError, RedirectError
from client.parameters import Outgoing
from client.refusals import refusal
from client.retry import OnWait, Reason, Retry, Waiting, retry_after_s

_SENT_AGAIN = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
_KEEPS_THE_METHOD = (HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
_MOST_REDIRECTS = 3
_NOWHERE = "The address redirects without saying where; nothing was sent again."
_OWN_HOST = "The address redirects in a way that a request with a body does not follow: a page to log in, perhaps."


@dataclass(frozen=True, repr=False)
class Send:
    """Send this request to this URL, once."""

    url: str
    outgoing: Outgoing


@dataclass(frozen=True)
class Wait:
    """Do nothing for a while."""

    seconds: float


@dataclass(frozen=True, repr=False)
class Answer:
    """An answer, whole. Headers are None where they were not sent."""

    status: int
    body: bytes
    location: str | None = None
    retry_after: str | None = None


@dataclass(frozen=True)
class Broken:
    """No answer. `again`: it was the connection, so that sending the request again makes sense."""

    error: NoReplyError
    again: bool


@dataclass(frozen=True, repr=False)
class Done:
    """A success, after this many requests."""

    answer: Answer
    attempts: int


Outcome = Answer | Broken | None
Steps = Generator[Send | Wait | Done, Outcome, None]


@dataclass(frozen=True)
class Rules:
    """What calls to one endpoint have in common. Clocks and chance are arguments so that a test can hold them still."""

    address: Address
    retry: Retry
    on_wait: OnWait | None = None
    mask: Callable[[str], str] = str
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    chance: Callable[[], float] = random.random

    def steps(self, outgoing: Outgoing) -> Steps:
        """One call. Raises `NoReplyError` or `RefusedError` once nothing more is to be tried."""
        began = self.clock()
        attempt = broken_in_a_row = 0
        while True:
            attempt += 1
            outcome = yield from self._attempt(outgoing)
            if isinstance(outcome, Answer) and outcome.status < HTTPStatus.MULTIPLE_CHOICES:
                # Not returned: a StopIteration would hold the reply in the chain of whatever is wrong with it.
                yield Done(outcome, attempt)
                return
            error, reason, asked_s = self._judge(outcome)
            error.attempts = attempt
            broken_in_a_row = broken_in_a_row + 1 if isinstance(outcome, Broken) else 0
            if reason is None or attempt >= self.retry.attempts or broken_in_a_row >= self.retry.connection_attempts:
                raise error
            wait_s = max(self.retry.wait_s(attempt, self.chance()), asked_s or 0.0)
            elapsed_s = self.clock() - began
            if elapsed_s + wait_s > self.retry.total_s:
                raise error
            if self.on_wait is not None:
                self.on_wait(Waiting(reason, attempt, wait_s, elapsed_s, error.status))
            yield Wait(wait_s)

    def _attempt(self, outgoing: Outgoing) -> Generator[Send | Wait, Outcome, Answer | Broken]:
        """One request, and where redirects on the same host lead."""
        here = self.address
        url = f"{here.url}?{outgoing.query}" if outgoing.query else here.url
        for _ in range(1 + _MOST_REDIRECTS):
            outcome = yield Send(url, outgoing)
            assert outcome is not None, "a driver answers what it was told to send"  # noqa: S101  # a driver's mistake, not a caller's
            if isinstance(outcome, Broken) or not _redirects(outcome.status):
                return outcome
            location = (outcome.location or "").strip()
            there = here.redirected(location)
            if there is None:
                return Broken(_elsewhere(outcome), again=False)
            if outcome.status not in _KEEPS_THE_METHOD:
                return Broken(RedirectError(_OWN_HOST, status=outcome.status), again=False)
            if not location:  # which would read as the same address again
                return Broken(RedirectError(_NOWHERE, status=outcome.status), again=False)
            here, url = there, there.url
        return Broken(RedirectError("The address redirects too often."), again=False)

    def _judge(self, outcome: Answer | Broken) -> tuple[ClientError, Reason | None, float | None]:
        """What went wrong, why to send the request again (None: do not), and what wait was asked for, in seconds."""
        if isinstance(outcome, Broken):
            return outcome.error, "no_connection" if outcome.again else None, None
        error = refusal(outcome.status, outcome.body, self.mask)
        if outcome.status not in _SENT_AGAIN or not error.retryable:
            return error, None, None
        reason: Reason = "busy" if error.code else "waking_up"
        if outcome.status == HTTPStatus.TOO_MANY_REQUESTS:
            reason = "rate_limited"
        return error, reason, retry_after_s(outcome.retry_after, self.now())


def _redirects(status: int) -> bool:
    return HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST


def _elsewhere(answer: Answer) -> RedirectError:
    host = host_of(answer.location or "")
    where = f" ({host})" if host else ""
    message = (
        f"The address redirects to another host{where}; nothing was sent there. If it is the endpoint, call it by that address."
    )
    return RedirectError(message, status=answer.status)
