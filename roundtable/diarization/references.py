"""The voices that a caller says are known: from what a request holds to sound."""

from __future__ import annotations

from collections.abc import Iterable

from roundtable.audio import decode_audio, decode_base64
from roundtable.diarization import SpeakerReference
from roundtable.errors import AudioTooLong, InvalidParameters, RequestError

SHORTEST_S, LONGEST_S = 2.0, 10.0
_PADDING_S = 0.075  # what MP3 and AAC add to a recording's end


def decode_references(named: Iterable[tuple[str, str]], *, max_bytes: int) -> tuple[SpeakerReference, ...]:
    """`named`: names with recordings, as base64 or a data: URI, each of at most `max_bytes` decoded.

    Raises `InvalidParameters`: what is wrong with a reference is wrong with the parameters, whatever the recording is like.
    """
    references = []
    for place, (name, recording) in enumerate(named):
        field = f"speaker_references[{place}].audio"
        try:
            data = decode_base64(recording, max_bytes=max_bytes)
            audio = decode_audio(data, max_bytes=max_bytes, max_seconds=LONGEST_S + _PADDING_S)
        except AudioTooLong:
            raise InvalidParameters(f"{field}: is longer than {LONGEST_S:g} seconds.") from None
        except RequestError as error:
            raise InvalidParameters(f"{field}: {error.message}") from None
        if audio.duration_s < SHORTEST_S:
            raise InvalidParameters(f"{field}: is shorter than {SHORTEST_S:g} seconds.")
        references.append(SpeakerReference(name, audio))
    return tuple(references)
