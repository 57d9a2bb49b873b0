"""The errors of Roundtable, split by who can act on them.

    RoundtableError
    ├── RequestError            the caller's: change the request             also a ValueError and a starlette HTTPException
    │   ├── InvalidParameters   invalid_parameters     422
    │   ├── MissingInputs       missing_inputs         400
    │   ├── InvalidBase64       invalid_base64         400
    │   ├── EmptyAudio          empty_audio            400   no bytes, or no samples in them
    │   ├── NotAudio            not_audio              415   not a container or codec that we read
    │   ├── NoAudioTrack        no_audio_track         415   a video, or a picture, without sound
    │   ├── TruncatedAudio      truncated_audio        400   the file ends before its own index says so
    │   ├── InvalidSamples      invalid_samples        400   NaN or infinity among the samples
    │   ├── AudioTooLarge       audio_too_large        413
    │   ├── AudioTooLong        audio_too_long         413
    │   └── Unsupported         unsupported            422   this engine cannot do what was asked
    ├── CapacityError           nobody's: try again, later or smaller
    │   ├── DeadlineExceeded    deadline_exceeded      504
    │   ├── Cancelled           cancelled              499
    │   └── OutOfMemory         out_of_memory          503
    └── EngineError             ours                                         also a RuntimeError
        ├── InvalidSettings     invalid_settings       500   at start-up: a setting is missing or wrong
        ├── EngineUnavailable   engine_unavailable     500   at start-up: a package or model for this engine is not there
        └── EngineFailed        engine_failed          500

Hugging Face's containers flatten every exception to a 400 or a 500 with `str(error)` as its text. `str()` of ours is
therefore compact JSON, `{"code","message","retryable","request_id"}`: the one thing that survives. Messages never hold user
content, a path, a token or a body.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

try:
    from starlette.exceptions import HTTPException
except ImportError:  # a plain Python call needs no web framework

    class HTTPException(Exception):  # type: ignore[no-redef]  # stands in for the class that is not installed
        """Stands in for starlette's class, so that the tree has the same shape everywhere."""


class RoundtableError(Exception):
    """The root. `code` is stable for ever; `status` is the HTTP status that a host of ours answers with."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, request_id: str = "") -> None:
        # Not super().__init__(): starlette's HTTPException, further along in RequestError's bases, wants other arguments.
        Exception.__init__(self, message)
        self.message = message
        self.request_id = request_id
        # What starlette's own exception handler reads.
        self.status_code = self.status
        self.detail: Any = self.as_dict()
        self.headers: Mapping[str, str] | None = None

    def with_request_id(self, request_id: str) -> RoundtableError:
        """The same error, naming the request that met it (unless one is named already)."""
        self.request_id = self.request_id or request_id
        self.detail = self.as_dict()
        return self

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "request_id": self.request_id,
        }

    def __str__(self) -> str:
        return json.dumps(self.as_dict(), separators=(",", ":"), ensure_ascii=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray and multiprocessing pickle exceptions; the default would call __init__ with the wrong arguments.
        return (_rebuild, (type(self), self.message, self.request_id))


def _rebuild(kind: type[RoundtableError], message: str, request_id: str) -> RoundtableError:
    return kind(message, request_id=request_id)


class RequestError(RoundtableError, ValueError, HTTPException):
    """The caller can mend it. Retrying the same request gives the same error."""

    code = "invalid_request"
    status = 400


class InvalidParameters(RequestError):
    code = "invalid_parameters"
    status = 422


class MissingInputs(RequestError):
    code = "missing_inputs"


class InvalidBase64(RequestError):
    code = "invalid_base64"


class EmptyAudio(RequestError):
    code = "empty_audio"


class NotAudio(RequestError):
    code = "not_audio"
    status = 415


class NoAudioTrack(RequestError):
    code = "no_audio_track"
    status = 415


class TruncatedAudio(RequestError):
    code = "truncated_audio"


class InvalidSamples(RequestError):
    code = "invalid_samples"


class AudioTooLarge(RequestError):
    code = "audio_too_large"
    status = 413


class AudioTooLong(RequestError):
    code = "audio_too_long"
    status = 413


class Unsupported(RequestError):
    code = "unsupported"
    status = 422


class CapacityError(RoundtableError):
    """Nobody's fault: the same request may succeed later, or with more time, or with less audio."""

    code = "capacity"
    status = 503
    retryable = True


class DeadlineExceeded(CapacityError):
    code = "deadline_exceeded"
    status = 504


class Cancelled(CapacityError):
    code = "cancelled"
    status = 499


class OutOfMemory(CapacityError):
    code = "out_of_memory"


class EngineError(RoundtableError, RuntimeError):
    """Ours. The message says which stage; the cause is chained for whoever reads the traceback."""

    code = "engine_error"
    status = 500


class InvalidSettings(EngineError):
    code = "invalid_settings"


class EngineUnavailable(EngineError):
    code = "engine_unavailable"


class EngineFailed(EngineError):
    code = "engine_failed"
