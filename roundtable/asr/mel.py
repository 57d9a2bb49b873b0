"""What Whisper's encoder hears: the log-mel spectrogram of one window, as transformers' feature extractor computes it.

The content is followed by 0.0, as in OpenAI's own transcription, and not by the spectrogram of silence as in transformers: the
former costs fewer errors (github.com/SYSTRAN/faster-whisper/pull/1101). The floor, 8 bels under the loudest point, is taken
over the window's content, so that its spectrogram does not depend on what else is in the recording.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roundtable.audio import SAMPLE_RATE_HZ

HOP = 160
"""Samples from one frame to the next: 10 ms."""

FRAMES = 3000
"""What the encoder takes, always: 30 s."""

_FFT = 400
_SAMPLES = FRAMES * HOP


class LogMel:
    """Samples of one window to float32 (bins, 3000) on `device`; 80 bins, or 128 as in large-v3. Threads may share one."""

    def __init__(self, bins: int, device: torch.device) -> None:
        self._device: Final = device
        self._window: Final = torch.hann_window(_FFT, device=device)
        self._filters: Final = torch.from_numpy(mel_filters(bins).astype(np.float32)).to(device)

    def __call__(self, samples: NDArray[np.float32]) -> Tensor:
        """At most 480000 samples, of -1 to 1. Each begun 10 ms is a frame; the frames after them are 0.0."""
        if len(samples) > _SAMPLES:
            raise ValueError(f"a window of {len(samples)} samples: at most {_SAMPLES} are heard at once")
        frames = -(-len(samples) // HOP)
        mel = torch.zeros(len(self._filters), FRAMES, device=self._device)
        if not frames:
            return mel
        # Zeros that the last frame may look into. A full window has none, and is mirrored there, as its beginning is.
        heard = np.zeros(min(frames * HOP + _FFT, _SAMPLES), dtype=np.float32)
        heard[: len(samples)] = samples
        wave = torch.from_numpy(heard).to(self._device)
        spectrum = torch.stft(wave, _FFT, HOP, window=self._window, return_complex=True)[:, :frames]
        power = spectrum.real.square() + spectrum.imag.square()
        bels = (self._filters @ power).clamp_(min=1e-10).log10_()
        mel[:, :frames] = (bels.clamp(min=bels.max() - 8.0) + 4.0) / 4.0
        return mel


def mel_filters(bins: int) -> NDArray[np.float64]:
    """(bins, 201) triangles over 0 to 8000 Hz, evenly spaced on Slaney's mel scale, each of area 1 (Auditory Toolbox, 1998)."""
    highest_hz = SAMPLE_RATE_HZ / 2
    hz = np.linspace(0.0, highest_hz, _FFT // 2 + 1)
    corners = _mel_to_hz(np.linspace(0.0, _hz_to_mel(highest_hz), bins + 2))
    lower, centre, upper = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    triangles = np.minimum((hz - lower) / (centre - lower), (upper - hz) / (upper - centre))
    areas_1: NDArray[np.float64] = np.maximum(triangles, 0.0) * 2.0 / (upper - lower)
    return areas_1


# Slaney's scale: 3 mel to 200 Hz up to 1000 Hz, from there 27 mel to each factor of 6.4.
_KNEE_HZ = 1000.0
_HZ_PER_MEL = 200.0 / 3.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_MEL_PER_E = 27.0 / np.log(6.4)


def _hz_to_mel(hz: float) -> float:
    return hz / _HZ_PER_MEL if hz < _KNEE_HZ else float(_KNEE_MEL + _MEL_PER_E * np.log(hz / _KNEE_HZ))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _KNEE_HZ * np.exp((mel - _KNEE_MEL) / _MEL_PER_E)
    return np.where(mel < _KNEE_MEL, mel * _HZ_PER_MEL, above)
