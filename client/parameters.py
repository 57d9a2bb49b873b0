"""The `parameters` of a request, and a request as it goes out: JSON with base64 in it, or the bytes with a query string.

Nothing is validated here but what could not be sent: the endpoint knows its parameters, and may know newer ones.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict
from urllib.parse import urlencode

from client.errors import InvalidCallError

SendAs = Literal["base64", "raw"]

_CONTENT = ("prompt", "hotwords", "speaker_references")
"""Words and voices of people. A query string ends up in the access logs of everything on the way."""

_LONGEST_QUERY = 4096


class SpeakerReference(TypedDict):
    """A voice that is known: 2 to 10 seconds of this person alone, as a file's bytes or as their base64."""

    name: str
    audio: bytes | str


class Parameters(TypedDict, total=False):
    """What may be asked of an endpoint; README lists meanings and defaults. None is the same as left out."""

    task: Literal["transcribe", "translate"] | None
    batch_size: int | None
    chunk_length_s: int | None
    sampling_rate: int | None
    language: str | None
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    speaker_references: Sequence[SpeakerReference] | None
    speaker_embeddings: bool | None
    word_timestamps: bool | None
    diarize: bool | None
    summarize: bool | None
    summary_format: Literal["text", "structured"] | None
    summary_max_tokens: int | None
    summary_min_tokens: int | None
    prompt: str | None
    hotwords: Sequence[str] | None
    temperature: float | None
    response_format: Literal["json", "verbose_json", "diarized_json", "srt", "vtt", "tsv", "txt", "rttm"] | None
    timeout_s: float | None
    request_id: str | None


@dataclass(frozen=True, repr=False)
class Outgoing:
    """One request, ready to be sent any number of times."""

    body: bytes
    content_type: str
    query: str = ""


def merged(parameters: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping and keyword arguments as one. Raises `InvalidCallError` where both name a parameter."""
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InvalidCallError("parameters: must be a mapping of names to values.")
    given = dict(parameters or {})
    if not all(isinstance(name, str) for name in given):
        raise InvalidCallError("parameters: names must be text.")
    twice = sorted(given.keys() & named.keys())
    if twice:
        raise InvalidCallError(f"{', '.join(twice)}: named in the mapping and as an argument.")
    return {name: value for name, value in {**given, **named}.items() if value is not None}


def outgoing(audio: bytes, media_type: str, parameters: Mapping[str, Any], send_as: SendAs) -> Outgoing:
    """Put a request together. As base64 it holds a third more than the recording, beside the recording itself.

    Raises `InvalidCallError` for values that are not JSON, and as `raw` for parameters that do not belong into a query string.
    """
    if send_as == "raw":
        return Outgoing(audio, media_type, _query(parameters))
    if send_as != "base64":
        raise InvalidCallError("send_as: must be 'base64' or 'raw'.")
    parts = [b'{"inputs":"', base64.b64encode(audio), b'","parameters":', _json(parameters).encode(), b"}"]
    # Letter by letter what every host takes: without a charset, which one of them refuses in lower case.
    return Outgoing(b"".join(parts), "application/json")


def _query(parameters: Mapping[str, Any]) -> str:
    refused = [name for name in _CONTENT if name in parameters]
    if refused:
        raise InvalidCallError(f"{', '.join(refused)}: would end up in access logs; send the recording as base64.")
    texts = {name: value if isinstance(value, str) else _json(value) for name, value in parameters.items()}
    try:
        query = urlencode(texts)
    except UnicodeEncodeError:
        query = None
    if query is None or len(query) > _LONGEST_QUERY:
        raise InvalidCallError("parameters: do not fit into a query string; send the recording as base64.")
    return query


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_base64_of_bytes)
    except (TypeError, ValueError, RecursionError):
        pass  # out of here: the cause may quote a value
    raise InvalidCallError("parameters: must be text, finite numbers, true, false, null, lists and mappings.")


def _base64_of_bytes(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    raise TypeError
