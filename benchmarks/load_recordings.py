"""Recordings of any length, cut from those that are there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluation.readers import ReadError
from roundtable.audio import SAMPLE_RATE_HZ, decode_audio
from roundtable.errors import RoundtableError
from samples.make_samples import write_flac


def cut(sources: Sequence[Path], lengths: Iterable[float]) -> dict[float, bytes]:
    """FLAC files of these lengths, by length: the sources one after the other, from their beginning, as often as it takes.

    Raises `ReadError` for a source that is no recording.
    """
    speech = np.concatenate([_samples(source) for source in sources])
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for length in lengths:
            path = Path(folder, f"{length:g}.flac")
            write_flac(path, np.resize(speech, round(length * SAMPLE_RATE_HZ)))
            files[length] = path.read_bytes()
    return files


def _samples(source: Path) -> npt.NDArray[np.float32]:
    try:
        return decode_audio(source.read_bytes(), max_bytes=1 << 30, max_seconds=86400.0).samples
    except OSError as error:
        raise ReadError(f"{source.name}: cannot be read as a file.") from error
    except RoundtableError as error:
        raise ReadError(f"{source.name}: {error.message}") from error
