"""What a call may raise, split by how far it got.

    ClientError
    ├── NotSentError                  nothing left this machine: change the call              also a ValueError
    │   ├── InvalidCallError          an argument is wrong
    │   ├── UnreadableRecordingError  the file cannot be read
    │   └── OversizedRecordingError   larger than the caller's own limit
    ├── NoReplyError                  no answer, or none that can be used
    │   ├── ConnectionFailedError     not reached, or the connection broke
    │   ├── TimedOutError             reached, and silent for too long
    │   ├── RedirectError             it points elsewhere, and nothing was sent there
    │   └── UnusableReplyError        a success whose body is no reply of a Roundtable endpoint
    └── RefusedError                  the endpoint, or a proxy before it, answered with an error
        ├── InvalidRequestError       400, 415, 422 and the like: change the request
        ├── AccessError               401, 403
        ├── NotFoundError             404: no endpoint at this address
        ├── TooLargeError             413: too many bytes, or too long
        ├── PausedError               400 «invalid state»: resume the endpoint
        ├── CapacityError             429, 502, 503, 504: try again, later or smaller
        └── ServerError               any other 5xx

Hugging Face's containers flatten every status to 400 or 500, so that Roundtable's own `code`, where there is one, decides
before the status does. No message holds a token, a path, what was said, or text that the other side chose: that is in
`server_text`, for callers who want to see it.
"""

from __future__ import annotations

from typing import ClassVar


class ClientError(Exception):
    """The root.

    `retryable`: the same call may succeed later. `attempts`: how many requests were sent or tried. `status`: the HTTP status,
    where there was one. `code` and `request_id`: Roundtable's own, where it was Roundtable that answered, else empty.
    `server_text`: the start of the answer's body, the token masked. It may quote the request: show it to nobody else.
    """

    may_succeed_later: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retryable: bool | None = None,
        server_text: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retryable = self.may_succeed_later if retryable is None else retryable
        self.server_text = server_text
        self.attempts = 0

    def __str__(self) -> str:
        facts = [str(self.status) if self.status else "", self.code, f"request {self.request_id}" if self.request_id else ""]
        facts.append(f"{self.attempts} attempts" if self.attempts > 1 else "")
        known = ", ".join(fact for fact in facts if fact)
        return f"{self.message} ({known})" if known else self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class NotSentError(ClientError, ValueError):
    """Nothing left this machine."""


class InvalidCallError(NotSentError):
    """An argument is wrong. The message names it, never its value."""


class UnreadableRecordingError(NotSentError):
    """The file cannot be read. The message says why, without the path."""


class OversizedRecordingError(NotSentError):
    """Larger than `max_recording_bytes`."""


class NoReplyError(ClientError):
    """No answer, or none that can be used."""


class ConnectionFailedError(NoReplyError):
    """Not reached, or the connection broke before the reply was complete."""

    may_succeed_later = True


class TimedOutError(NoReplyError):
    """Reached, and silent for too long. It may still be at work on the recording, which is why nothing was sent again."""

    may_succeed_later = True


class RedirectError(NoReplyError):
    """It points to another host. Neither the token nor the recording was sent there."""


class UnusableReplyError(NoReplyError):
    """A success whose body is no reply of a Roundtable endpoint: cut short, no JSON, or a page."""


class RefusedError(ClientError):
    """The endpoint, or a proxy before it, answered with an error."""


class InvalidRequestError(RefusedError):
    """The request has to change. The message says where, if it was Roundtable that refused it."""


class AccessError(RefusedError):
    """No token, a wrong one, or one that may not use this endpoint."""


class NotFoundError(RefusedError):
    """There is no endpoint at this address."""


class TooLargeError(RefusedError):
    """The recording has too many bytes, or lasts too long."""


class PausedError(RefusedError):
    """The endpoint was paused: it does not wake up by itself."""


class CapacityError(RefusedError):
    """Asleep, overloaded, rate-limited, out of time or out of memory."""

    may_succeed_later = True


class ServerError(RefusedError):
    """The endpoint failed."""
