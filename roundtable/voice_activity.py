"""Where somebody speaks: Silero VAD's probability of speech per 32 ms, and the regions that follow from it.

Silero VAD 6.2 (https://github.com/snakers4/silero-vad) carries its weights in its wheel. Only that file is used, through
onnxruntime, which the wheel requires: the recurrent state is then a value that this module owns, so that several recordings can
be read at once, and the result depends on nothing but the samples. Importing the package itself would import torch.

Recordings are brought to one level first: Silero hears less of somebody who speaks at -50 dB, and more of a hum at 0 dB.
"""

from __future__ import annotations

import importlib.util
import math
import os
import threading
import weakref
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.errors import EngineUnavailable

FloatArray = NDArray[np.float32]

FRAME_SAMPLES = 512
"""The only length that Silero takes at 16 kHz."""

FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ
"""0.032 s, the resolution of everything here."""

_CONTEXT_SAMPLES = 64
"""The end of the frame before, which the network hears ahead of each frame."""

_STATE_UNITS = 128
_FRAMES_PER_BLOCK = 256

_STRETCH_FRAMES, _MOST_STRETCHES = 1875, 8
_BEFORE_FRAMES = 125
"""A recording of two minutes or more is heard in up to eight stretches at once, none under a minute, which takes less than half
the time. Each but the first begins to hear four seconds early: after that, one frame in a thousand is judged another way."""

_TARGET_RMS = 0.05
"""-26 dBFS. Silero takes louder hums and tremolos for speech; from 0.02 to 0.4 this level took in the fewest."""

_LOUD_FRAMES = 8
"""A recording is as loud as its loudest quarter of a second (the median of these frames): a click does not count."""

_FAR_BELOW_DB = 10.0
_UNLIKELY = 0.5
_DEAFENED_FRAMES = 32
"""Frames this far below the loudest one are heard again at a level of their own, if no frame above them is likely speech. In
the second after such a frame the network takes the end of a ringing tone for speech; nothing is heard again there."""

_SURE = 0.9
"""Above this a frame is taken to be speech without doubt; below the same distance from 0, not to be."""

_HYSTERESIS = 0.15
"""Speech, once begun, goes on until the probability falls this far below the threshold. Silero's own value."""


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of the recording, `start` < `end`, in seconds."""

    start: float
    end: float


def speech_probabilities(audio: Audio, control: Control | None = None) -> FloatArray:
    """The probability of speech in each frame of `FRAME_S` seconds, read-only, shape (ceil(samples / 512),).

    Computed once per `Audio`, for as long as that lives: a second caller waits for the first one's result. Costs about 6 ms of
    one CPU core per second of audio, 3 ms in recordings of 8 minutes and more. Raises `EngineUnavailable` when Silero VAD is
    not installed.
    """
    with _memory_lock:
        entry = _memory.setdefault(audio, _Entry())
    with entry.lock:
        if entry.probabilities is None:
            entry.probabilities = _compute(audio.samples, control)
        return entry.probabilities


def speech_regions(
    audio: Audio,
    *,
    threshold: float = 0.5,
    min_speech_s: float = 0.25,
    min_silence_s: float = 0.1,
    pad_s: float = 0.03,
    control: Control | None = None,
) -> tuple[Region, ...]:
    """Where somebody speaks: sorted, disjoint, within [0, duration].

    A region begins at a frame whose probability reaches `threshold` and ends where it falls 0.15 below. Pauses shorter than
    `min_silence_s` are bridged, then what is shorter than `min_speech_s` is dropped, then every region grows by `pad_s` at both
    ends, or up to the middle of the pause.
    """
    probabilities = speech_probabilities(audio, control)
    speech = _hysteresis(probabilities, threshold, max(threshold - _HYSTERESIS, 0.01))
    spans: list[tuple[int, int]] = []
    for start, end in _runs(speech):
        if spans and (start - spans[-1][1]) * FRAME_S < min_silence_s:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    kept = [(start * FRAME_S, min(end * FRAME_S, audio.duration_s)) for start, end in spans]
    kept = [(start, end) for start, end in kept if end - start >= min_speech_s]
    middles = [(left[1] + right[0]) / 2 for left, right in pairwise(kept)]
    bounds = pairwise([0.0, *middles, audio.duration_s]) if kept else ()
    return tuple(
        Region(max(start - pad_s, floor), min(end + pad_s, ceiling))
        for (start, end), (floor, ceiling) in zip(kept, bounds, strict=True)
    )


def signal_to_noise_db(audio: Audio, control: Control | None = None) -> float:
    """How far the typical frame of speech lies above the typical frame without; infinity when there is only one kind.

    Studio recordings reach 60 dB, a quiet room 35; below about 30 dB the noise is plain to hear.
    """
    energies = _frame_energies(audio.samples)
    probabilities = speech_probabilities(audio, control)[: len(energies)]
    speech, rest = energies[probabilities > _SURE], energies[probabilities < 1 - _SURE]
    if not len(speech) or not len(rest) or not (floor := np.median(rest)):
        return math.inf
    return float(10 * np.log10(np.median(speech) / floor))


class _Entry:
    """What is known about one recording. The lock is held while it is being found out."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.probabilities: FloatArray | None = None


_memory: weakref.WeakKeyDictionary[Audio, _Entry] = weakref.WeakKeyDictionary()
_memory_lock = threading.Lock()


def _compute(samples: FloatArray, control: Control | None) -> FloatArray:
    energies = _frame_energies(samples)
    probabilities = _listen(samples, _gain(energies), control)
    # A beep sets the level, and speech far below it goes unheard: what is loud but not speech gets a second hearing without it.
    loud = energies >= energies.max() * 10 ** (-_FAR_BELOW_DB / 10)
    soft = ~np.convolve(loud, np.ones(_DEAFENED_FRAMES))[: len(loud)].astype(bool)
    if soft.any() and probabilities[: len(loud)][loud].max() < _UNLIKELY:
        again = _listen(samples, _gain(energies[soft]), control)
        heard = probabilities[: len(soft)]
        heard[soft] = np.maximum(heard[soft], again[: len(soft)][soft])
    probabilities.setflags(write=False)
    return probabilities


def _listen(samples: FloatArray, gain: np.float32, control: Control | None) -> FloatArray:
    """Row by row as many stretches as there are; what a row hears before its own stretch only brings its state up to date."""
    session = _session()
    count = -(-len(samples) // FRAME_SAMPLES)
    rows = min(max(count // _STRETCH_FRAMES, 1), _MOST_STRETCHES)
    length = -(-count // rows)
    before = _BEFORE_FRAMES if rows > 1 else 0
    probabilities = np.empty((rows, length), dtype=np.float32)
    state = np.zeros((2, rows, _STATE_UNITS), dtype=np.float32)
    rate = np.array(SAMPLE_RATE_HZ, dtype=np.int64)
    # In blocks, so that no second copy of a long recording is made.
    for first in range(-before, length, _FRAMES_PER_BLOCK):
        if control is not None:
            control.check()
        frames = range(first, min(first + _FRAMES_PER_BLOCK, length))
        block = np.zeros((rows, _CONTEXT_SAMPLES + len(frames) * FRAME_SAMPLES), dtype=np.float32)
        for row, heard in enumerate(block):
            begin = (row * length + first) * FRAME_SAMPLES - _CONTEXT_SAMPLES
            skipped = min(max(0, -begin), len(heard))  # before the recording, and after it, there is silence
            piece = samples[begin + skipped : max(0, begin + len(heard))]
            np.multiply(piece, gain, out=heard[skipped : skipped + len(piece)])
        for index, frame in enumerate(frames):
            if frame == 0:
                state[:, 0] = 0.0  # nothing was heard before the recording
            at = index * FRAME_SAMPLES
            heard = np.ascontiguousarray(block[:, at : at + _CONTEXT_SAMPLES + FRAME_SAMPLES])
            probability, state = session.run(None, {"input": heard, "state": state, "sr": rate})
            if frame >= 0:
                probabilities[:, frame] = probability[:, 0]
    return probabilities.reshape(-1)[:count]


def _gain(energies: FloatArray) -> np.float32:
    """What brings the loudest stretch of these frames to `_TARGET_RMS`; 1 for digital silence."""
    stretches = np.lib.stride_tricks.sliding_window_view(energies, min(_LOUD_FRAMES, len(energies)))
    loudest = np.median(stretches, axis=1).max()
    return np.float32(_TARGET_RMS / np.sqrt(loudest)) if loudest > 0 else np.float32(1.0)


def _frame_energies(samples: FloatArray) -> FloatArray:
    """The mean square of each whole frame, or of all there is when that is less than a frame."""
    whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
    frames = samples[:whole].reshape(-1, FRAME_SAMPLES) if whole else samples[np.newaxis]
    energies: FloatArray = np.einsum("ij,ij->i", frames, frames) / frames.shape[1]
    return energies


def _hysteresis(probabilities: FloatArray, enter: float, leave: float) -> NDArray[np.bool_]:
    """Speech from a frame that reaches `enter` to the one before a frame below `leave`; in between, as the frame before."""
    decided = (probabilities >= enter) | (probabilities < leave)
    last_decided = np.maximum.accumulate(np.where(decided, np.arange(len(probabilities)), -1))
    return (last_decided >= 0) & (probabilities[last_decided] >= enter)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The half-open index ranges over which `flags` is true."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


@cache
def _load() -> Any:  # onnxruntime is published without types
    spec = importlib.util.find_spec("silero_vad")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by the import; handler.py, which sets it too, may not be there
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineUnavailable(
            "Voice activity detection needs onnxruntime. Run: pip install 'onnxruntime>=1.17,<2'"
        ) from error
    if spec is None or spec.origin is None:
        raise EngineUnavailable("Voice activity detection needs Silero VAD. Run: pip install 'silero-vad>=6.2,<7'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the frames are too small to share out
    options.log_severity_level = 3
    weights = Path(spec.origin).parent / "data" / "silero_vad.onnx"
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])


_load_lock = threading.Lock()


def _session() -> Any:
    with _load_lock:
        return _load()
