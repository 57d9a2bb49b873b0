"""A stretch of speech as 256 numbers: the same voice gives nearby vectors, another voice vectors further away.

The network is the GE2E speaker encoder (Wan et al. 2018, arXiv 1710.10467) whose trained weights the Resemblyzer 0.1.4 wheel
carries, 5.7 MB of float32 in all: three LSTM layers of 256 cells over 40 mel bands, a linear layer, ReLU, unit length. Only
the weights file of that package is read. The package itself is never imported, because it wants librosa, numba and webrtcvad
(which needs a compiler), and the arithmetic fits on this page. The test pins numbers that the original code computed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from roundtable.audio import SAMPLE_RATE_HZ
from roundtable.errors import EngineUnavailable

FloatArray = NDArray[np.float32]

HOP_SAMPLES = 160
"""10 ms from one mel frame to the next."""

DIMENSION = 256
"""Length of an embedding."""

MEL_BANDS = 40

_FFT_SAMPLES = 400
_LSTM_LAYERS = 3
_BATCH = 64
"""Windows run together. Larger is not faster on a CPU; activations of a batch of 1.6 s windows take 10 MB a layer."""

_FRAMES_PER_BLOCK = 8_192
_PACKAGE, _WEIGHTS_FILE = "resemblyzer", "pretrained.pt"
_INSTALL = "pip install --no-deps Resemblyzer==0.1.4"


class SpeakerEncoder:
    """Loads the weights once; `embed` may be called from several threads at once.

    Raises `EngineUnavailable`, with the command that mends it, when the weights are not installed or not readable.
    """

    def __init__(self) -> None:
        state = _load_weights()
        self._lstm = torch.nn.LSTM(MEL_BANDS, DIMENSION, _LSTM_LAYERS, batch_first=True)
        self._linear = torch.nn.Linear(DIMENSION, DIMENSION)
        try:
            # Two further tensors, the slope and offset of the training loss, are not needed to embed.
            self._lstm.load_state_dict({k.removeprefix("lstm."): v for k, v in state.items() if k.startswith("lstm.")})
            self._linear.load_state_dict({k.removeprefix("linear."): v for k, v in state.items() if k.startswith("linear.")})
        except RuntimeError as error:
            raise EngineUnavailable(f"The speaker encoder's weights have another shape. Run: {_INSTALL}") from error
        self._lstm.requires_grad_(False).eval()
        self._linear.requires_grad_(False).eval()

    def embed(self, windows: FloatArray, after: Sequence[int]) -> FloatArray:
        """Unit vectors for windows of mel frames, (n, frames, 40) -> (len(after), n, 256).

        Entry i tells the voice in each window's first `after[i]` frames: the network reads a window once, from left to right,
        so that shorter windows with the same beginning cost nothing. A vector of zeros stands for a window in which no cell
        fired, which digital silence does. About 3 ms of one CPU core for a window of 160 frames.
        """
        embeddings = np.zeros((len(after), len(windows), DIMENSION), np.float32)
        steps = [count - 1 for count in after]
        with torch.inference_mode():
            for first in range(0, len(windows), _BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(windows[first : first + _BATCH]))
                outputs, _ = self._lstm(batch)
                raw = torch.relu(self._linear(outputs[:, steps].transpose(0, 1)))
                embeddings[:, first : first + _BATCH] = torch.nn.functional.normalize(raw, dim=-1).numpy()
        return embeddings


def mel_frames(samples: FloatArray) -> FloatArray:
    """Mel *power* (no logarithm) in 40 bands, one frame every 10 ms: (n,) -> (n // 160 + 1, 40).

    Frame i is centred on sample 160 * i; beyond its ends the recording is taken to be silent. Worked through in blocks: the
    result takes 16 kB per second of audio, and the work beside it less than 200 MB for a recording of any length.
    """
    count = len(samples) // HOP_SAMPLES + 1
    half = _FFT_SAMPLES // 2
    mel = np.empty((count, MEL_BANDS), np.float32)
    for first in range(0, count, _FRAMES_PER_BLOCK):
        last = min(first + _FRAMES_PER_BLOCK, count) - 1
        begin, end = first * HOP_SAMPLES - half, last * HOP_SAMPLES + half
        heard = samples[max(0, begin) : end]
        block = np.zeros(end - begin, np.float32)
        block[max(0, -begin) : max(0, -begin) + len(heard)] = heard
        framed = np.lib.stride_tricks.sliding_window_view(block, _FFT_SAMPLES)[::HOP_SAMPLES]
        spectrum = np.fft.rfft(framed * _window(), axis=1)
        mel[first : last + 1] = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ _filters()
    return mel


def _load_weights() -> dict[str, torch.Tensor]:
    missing = f"The embedded diarization engine needs the weights in the Resemblyzer package. Run: {_INSTALL}"
    package = importlib.util.find_spec(_PACKAGE)  # finds the folder; runs none of the package's code
    if package is None or not package.submodule_search_locations:
        raise EngineUnavailable(missing)
    path = Path(package.submodule_search_locations[0]) / _WEIGHTS_FILE
    if not path.is_file():
        raise EngineUnavailable(missing)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, torch.Tensor] = checkpoint["model_state"]
    except Exception as error:  # a damaged file fails in the archive reader, the unpickler or the key, each with its own type
        raise EngineUnavailable(f"The speaker encoder's weights cannot be read. Run: {_INSTALL} --force-reinstall") from error
    return state


@cache
def _window() -> FloatArray:
    """A periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT_SAMPLES) / _FFT_SAMPLES)).astype(np.float32)


@cache
def _filters() -> FloatArray:
    """Triangles evenly spaced on Slaney's mel scale, each of area one: (201 FFT bins, 40 bands)."""
    top = _mel(SAMPLE_RATE_HZ / 2)
    corners = np.array([_hertz(top * i / (MEL_BANDS + 1)) for i in range(MEL_BANDS + 2)])
    bins = np.fft.rfftfreq(_FFT_SAMPLES, 1 / SAMPLE_RATE_HZ)[:, None]
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    triangles = np.maximum(0, np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)))
    filters: FloatArray = (triangles * 2 / (high - low)).astype(np.float32)
    return filters


# Slaney's scale is linear, 200/3 Hz a mel, up to 1000 Hz, and logarithmic above: 27 mels for each factor of 6.4.
_HZ_PER_MEL, _KNEE_HZ, _LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def _mel(hertz: float) -> float:
    if hertz < _KNEE_HZ:
        return hertz / _HZ_PER_MEL
    return float(_KNEE_HZ / _HZ_PER_MEL + np.log(hertz / _KNEE_HZ) / _LOG_STEP)


def _hertz(mel: float) -> float:
    knee = _KNEE_HZ / _HZ_PER_MEL
    return mel * _HZ_PER_MEL if mel < knee else float(_KNEE_HZ * np.exp((mel - knee) * _LOG_STEP))
