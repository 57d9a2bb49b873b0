"""An answer that is an error, whoever wrote it, as one of our errors.

    {"error": "<our envelope as text>"}            Hugging Face's toolkits, whatever went wrong, with status 400
    {"detail": "<our envelope as text>"}           hf-serve, 400 or 500
    {"detail": {our envelope}}, {our envelope}     servers that pass statuses on
    {"error": "…"}, {"detail": "…"}, {"detail": […]}   the same hosts speaking for themselves
    text, HTML, nothing                            a proxy, or a server that fell over

Our envelope is `{"code", "message", "retryable", "request_id"}`, and its message is made to be shown. Everything else may
quote the request, a recording of somebody included, and is kept out of messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from client.errors import (
    AccessError,
    CapacityError,
    InvalidRequestError,
    NotFoundError,
    PausedError,
    RefusedError,
    ServerError,
    TooLargeError,
)

CODES: dict[str, type[RefusedError]] = {
    **dict.fromkeys(("invalid_request", "invalid_parameters", "missing_inputs", "invalid_base64"), InvalidRequestError),
    **dict.fromkeys(("empty_audio", "not_audio", "no_audio_track", "truncated_audio", "invalid_samples"), InvalidRequestError),
    "unsupported": InvalidRequestError,
    **dict.fromkeys(("audio_too_large", "audio_too_long"), TooLargeError),
    **dict.fromkeys(("capacity", "deadline_exceeded", "cancelled", "out_of_memory"), CapacityError),
    **dict.fromkeys(("error", "engine_error", "invalid_settings", "engine_unavailable", "engine_failed"), ServerError),
}
"""Roundtable's codes. One that is not here yet goes by its status."""

_STATUSES: dict[int, tuple[type[RefusedError], str]] = {
    400: (InvalidRequestError, "The endpoint does not take this request."),
    401: (AccessError, "The endpoint wants a token, or does not accept this one."),
    403: (AccessError, "This token may not use the endpoint."),
    404: (NotFoundError, "There is no endpoint at this address."),
    405: (NotFoundError, "Nothing at this address takes recordings."),
    413: (TooLargeError, "The recording is larger than the endpoint, or a proxy before it, takes."),
    422: (InvalidRequestError, "The host does not take a request of this shape; raw audio is not taken everywhere."),
    429: (CapacityError, "Too many requests."),
    502: (CapacityError, "A proxy got no answer from the endpoint."),
    503: (CapacityError, "The endpoint is asleep, not up yet, or busy."),
    504: (CapacityError, "A proxy gave up waiting for the endpoint."),
}
_UNSUPPORTED_TYPE = "The host does not take this kind of recording as it is; send it as base64."
_PAUSED = "The endpoint is paused, or failed: it has to be resumed by its owner."

_SHOWN_CHARACTERS = 500
_KEPT_CHARACTERS = 2000
_CODE = re.compile(r"[a-z0-9_]{1,64}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


@dataclass(frozen=True)
class _Envelope:
    code: str
    message: str
    retryable: bool
    request_id: str


def refusal(status: int, body: bytes, mask: Callable[[str], str] = str) -> RefusedError:
    """The error that an answer other than a success stands for. `mask` takes secrets out of text."""
    text = body.decode("utf-8", "replace")
    kept = mask(text)[:_KEPT_CHARACTERS]
    kind, message = _by_status(status)
    ours = _envelope(text, mask)
    if ours is not None:
        shown = " ".join(mask(ours.message).split())[:_SHOWN_CHARACTERS]
        return CODES.get(ours.code, kind)(
            shown or message,
            status=status,
            code=ours.code,
            request_id=ours.request_id,
            retryable=ours.retryable,
            server_text=kept,
        )
    if status == HTTPStatus.BAD_REQUEST and "invalid state" in text[:_KEPT_CHARACTERS].lower():
        kind, message = PausedError, _PAUSED
    elif status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE or re.search(
        r"content type .{0,200}not supported", text[:_KEPT_CHARACTERS], re.I
    ):
        message = _UNSUPPORTED_TYPE
    return kind(message, status=status, server_text=kept)


def _by_status(status: int) -> tuple[type[RefusedError], str]:
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerError, "The endpoint failed."
    return InvalidRequestError, "The endpoint does not take this request."


def _envelope(body: str, mask: Callable[[str], str]) -> _Envelope | None:
    """Ours, if it is in there. Hosts wrap it at most twice, once as an object and once as text."""
    value: Any = body
    for _ in range(5):
        if isinstance(value, str):
            try:
                value = json.loads(re.sub(r"^\d{3}: ", "", value))  # starlette's text of an error: its status first
            except (ValueError, RecursionError):
                return None
        if not isinstance(value, dict):
            return None
        if value.keys() >= {"code", "message", "retryable", "request_id"}:
            return _checked(value, mask)
        value = value.get("error", value.get("detail"))
    return None


def _checked(value: dict[str, Any], mask: Callable[[str], str]) -> _Envelope | None:
    code, message, retryable, request_id = (value[key] for key in ("code", "message", "retryable", "request_id"))
    if not (isinstance(code, str) and _CODE.fullmatch(code) and isinstance(message, str) and isinstance(retryable, bool)):
        return None
    if code not in CODES and mask(code) != code:  # somebody gives back what was sent
        return None
    ours = isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id) and mask(request_id) == request_id
    named = str(request_id) if ours else ""
    return _Envelope(code, message, retryable, named)
