"""A recording, from wherever the caller has it, as bytes; and the media type under which hosts take it."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import BinaryIO

from client.errors import InvalidCallError, OversizedRecordingError, UnreadableRecordingError

Recording = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A file's path, its bytes, or an open binary file, which is read from where it stands."""

ANY_AUDIO = "audio/x-audio"
"""For what is neither known by its bytes nor by its name: hosts let it pass, and the handler reads the bytes anyway."""

_BY_SUFFIX = {
    **dict.fromkeys((".wav", ".wave"), "audio/wav"),
    ".flac": "audio/flac",
    **dict.fromkeys((".mp3", ".mp2", ".mpga"), "audio/mpeg"),
    **dict.fromkeys((".ogg", ".oga", ".opus"), "audio/ogg"),
    **dict.fromkeys((".webm", ".mkv", ".mka"), "audio/webm"),
    **dict.fromkeys((".m4a", ".mp4", ".m4v", ".mov", ".3gp"), "audio/m4a"),
    ".amr": "audio/amr",
}


def read_recording(recording: Recording, max_bytes: int | None = None) -> tuple[bytes, str]:
    """The recording's bytes and media type. A file that is too large is not read to its end.

    Raises `OversizedRecordingError` above `max_bytes`, `UnreadableRecordingError`, or `InvalidCallError` for anything else.
    """
    try:
        data, name = _read(recording, max_bytes)
    except InvalidCallError:
        raise
    except OSError as error:
        # By its number: the text may be the caller's own, and quote a path.
        reason = os.strerror(error.errno) if error.errno is not None else "it cannot be opened"
    except ValueError:  # a null character in a name; a file that was closed
        reason = "that is no file's name" if isinstance(recording, (str, os.PathLike)) else "it is closed"
    except Exception:  # the caller's own `read` may raise anything
        reason = "reading it failed"
    else:
        reason = ""
    if reason:
        raise UnreadableRecordingError(f"The recording cannot be read: {reason}.")  # out here: the cause names the path
    if max_bytes is not None and len(data) > max_bytes:
        raise OversizedRecordingError(f"The recording is larger than max_recording_bytes, {max_bytes}.")
    return data, media_type(data, name if isinstance(name, str) else "")


def media_type(data: bytes, name: str = "") -> str:
    """What hosts call this container: by its first bytes, else by the file's name, else `ANY_AUDIO`.

    Hosts of 2025 compare letter by letter with a short list, in which there is no audio/mp4, audio/aac or video/webm: a
    container goes by the name that is on the list.
    """
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return "audio/wav"
    if data[:4] == b"fLaC":
        return "audio/flac"
    if data[:4] == b"OggS":
        return "audio/ogg"
    if data[:4] == b"\x1aE\xdf\xa3":  # EBML: WebM and Matroska
        return "audio/webm"
    if data[4:8] == b"ftyp":
        return "audio/m4a"
    if data[:5] == b"#!AMR":
        return "audio/amr"
    # An ID3 tag, or a frame's eleven bits of synchronisation with a layer: ADTS, which has none there, is AAC.
    if data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and data[1] & 0x06):
        return "audio/mpeg"
    return _BY_SUFFIX.get(PurePath(name).suffix.lower(), ANY_AUDIO)


def _read(recording: Recording, max_bytes: int | None) -> tuple[bytes, object]:
    """And its name, if it has one."""
    if isinstance(recording, (bytes, bytearray, memoryview)):
        return bytes(recording), ""
    if isinstance(recording, (str, os.PathLike)):
        with Path(recording).open("rb") as file:
            return _read_open(file, max_bytes), os.fspath(recording)
    if hasattr(recording, "read"):
        return _read_open(recording, max_bytes), getattr(recording, "name", "")
    raise InvalidCallError("recording: must be a path, bytes, or a file that is open for reading bytes.")


def _read_open(file: BinaryIO, max_bytes: int | None) -> bytes:
    data = file.read() if max_bytes is None else file.read(max_bytes + 1)
    if not isinstance(data, bytes):
        raise InvalidCallError("recording: the file is open for reading text; open it with mode 'rb'.")
    return data
