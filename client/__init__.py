"""A small typed client for a Roundtable endpoint, on any host: one call, `transcribe`, synchronous or asynchronous.

    from client import Client

    with Client("https://….endpoints.huggingface.cloud") as endpoint:      # the token: HF_TOKEN
        reply = endpoint.transcribe("meeting.m4a", num_speakers=3)

Usable alone: this folder and httpx2 (requirements.txt) are all that it needs. What a call does about a failure is written
once, without any input or output, in `rules.py`; `clients.py` has the two thin drivers. Not here: streaming, a job queue, and
the management of endpoints.
"""

from client.clients import AsyncClient, Client
from client.errors import (
    AccessError,
    CapacityError,
    ClientError,
    ConnectionFailedError,
    InvalidCallError,
    InvalidRequestError,
    NoReplyError,
    NotFoundError,
    NotSentError,
    OversizedRecordingError,
    PausedError,
    RedirectError,
    RefusedError,
    ServerError,
    TimedOutError,
    TooLargeError,
    UnreadableRecordingError,
    UnusableReplyError,
)
from client.parameters import Parameters, SpeakerReference
from client.reply import ActionItem, Notice, Point, Reply, Segment, SpeakerStats, SpeakerTurn, Summary, Word
from client.retry import Retry, Waiting
from client.wire import Timeouts

__all__ = [
    "AccessError",
    "ActionItem",
    "AsyncClient",
    "CapacityError",
    "Client",
    "ClientError",
    "ConnectionFailedError",
    "InvalidCallError",
    "InvalidRequestError",
    "NoReplyError",
    "NotFoundError",
    "NotSentError",
    "Notice",
    "OversizedRecordingError",
    "Parameters",
    "PausedError",
    "Point",
    "RedirectError",
    "RefusedError",
    "Reply",
    "Retry",
    "Segment",
    "ServerError",
    "SpeakerReference",
    "SpeakerStats",
    "SpeakerTurn",
    "Summary",
    "TimedOutError",
    "Timeouts",
    "TooLargeError",
    "UnreadableRecordingError",
    "UnusableReplyError",
    "Waiting",
    "Word",
]
