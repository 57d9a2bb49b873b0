"""Sends what was planned, when it was planned, and notes what came of each request.

Through `client/`, since its errors tell a busy host from a broken one whatever status the host flattens them to. It is told
never to send anything twice: a second attempt would turn an error into a latency. Connections are as many as it takes. A
recording is read into memory before the run and made into a request when it is due, as for any caller: that is in the latency.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.load_arrivals import Arrival
from client import AsyncClient, ClientError, Reply, Retry, Timeouts
from client.parameters import SendAs

OK, DEGRADED, UNFINISHED = "ok", "degraded", "unfinished"

Transcribe = Callable[[bytes], Awaitable[Reply]]
"""Raises `ClientError`."""

NEVER_AGAIN = Retry(attempts=1, connection_attempts=1, total_s=0.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of an arrival. `kind`: `ok`, `degraded`, `unfinished` (cut off at the hard stop), or what kind of error.

    Seconds after the start, `begun_s` and `ended_s`; `served_s` is the server's own total, None where there is no reply.
    """

    at_s: float
    audio_s: float
    begun_s: float
    ended_s: float
    kind: str
    served_s: float | None = None

    @property
    def answered(self) -> bool:
        return self.kind in (OK, DEGRADED)

    @property
    def latency_s(self) -> float:
        """From when it was meant to be sent, not from when it was. Of one that is unfinished: at least so much."""
        return self.ended_s - self.at_s

    @property
    def queueing_s(self) -> float:
        """All of the latency that the handler did not work: waiting for it, the way there and back, encoding and decoding."""
        return self.latency_s - (self.served_s or 0.0)


def over_http(client: AsyncClient, send_as: SendAs) -> Transcribe:
    return lambda recording: client.transcribe(recording, send_as=send_as)


def one_attempt_client(url: str, limit_s: float) -> AsyncClient:
    """Sends each request once. `limit_s`: longer than the run, so that it is the hard stop that ends the wait for a reply.

    One timeout of the client's stays: a server that takes not a byte for 60 s is a `TimedOutError`.
    """
    return AsyncClient(url, retry=NEVER_AGAIN, timeouts=Timeouts(connect_s=limit_s, answer_s=limit_s))


async def send_all(
    transcribe: Transcribe,
    arrivals: Sequence[Arrival],
    recordings: Mapping[float, bytes],
    stop_s: float,
    on_end: Callable[[], object] = lambda: None,
) -> list[Sent]:
    """One `Sent` per arrival, in their order. Returns at `stop_s` at the latest: what is not answered by then is cut off.

    `on_end` is called each time that a request has ended.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def one(arrival: Arrival) -> Sent:
        begun_s = loop.time() - start
        served_s = None
        try:
            reply = await transcribe(recordings[arrival.audio_s])
            kind = DEGRADED if reply.outcome == DEGRADED else OK
            served_s = reply.timings_s.get("total_s")
        except ClientError as error:
            kind = kind_of(error)
        except asyncio.CancelledError:  # by the lines below, and by nobody else
            kind = UNFINISHED
        on_end()
        return Sent(arrival.at_s, arrival.audio_s, begun_s, loop.time() - start, kind, served_s)

    requests = []
    for arrival in arrivals:
        await asyncio.sleep(start + arrival.at_s - loop.time())  # 0 or less: at once
        requests.append(asyncio.create_task(one(arrival)))
    _, unfinished = await asyncio.wait(requests, timeout=max(0.0, start + stop_s - loop.time()))
    for request in unfinished:
        request.cancel()
    return await asyncio.gather(*requests)


def kind_of(error: ClientError) -> str:
    """The status, Roundtable's code and the client's exception, as far as there are any: `503 CapacityError`."""
    return " ".join(str(part) for part in (error.status, error.code, type(error).__name__) if part)
