"""Whisper's log-mel features, and the colourings of sound that are cheapest to do on them."""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
import torch
from transformers.audio_utils import mel_filter_bank

MEL_BINS = 80
FRAME_S = 0.02  # of the encoder; the features have two frames in it
_FFT, _HOP = 400, 160


@cache
def _filters() -> torch.Tensor:
    filters = mel_filter_bank(1 + _FFT // 2, MEL_BINS, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(np.asarray(filters, np.float32)).T.contiguous()


@cache
def _hann() -> torch.Tensor:
    return torch.hann_window(_FFT)


def log_mel(track: torch.Tensor, frames: int, rng: Random | None = None) -> torch.Tensor:
    """`MEL_BINS` x `frames` features of the track, with 0.0 behind its end; with an `rng`, coloured at random."""
    power = torch.stft(track, _FFT, _HOP, window=_hann(), return_complex=True)[:, :-1].abs().square()
    mel = _filters() @ power
    if rng is not None:
        mel = mel * _equaliser(rng)[:, None]
    mel = mel.clamp(min=1e-10).log10()
    mel = (torch.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0
    if rng is not None and rng.random() < 0.2:  # a narrow band missing
        low = rng.randrange(MEL_BINS - 8)
        mel[low : low + rng.randint(1, 8)] = mel.mean()
    mel = mel[:, :frames]
    return torch.nn.functional.pad(mel, (0, frames - mel.shape[1]))


def _equaliser(rng: Random) -> torch.Tensor:
    """Power gain of each band: mostly flat, sometimes tilted and bent, sometimes a telephone's."""
    bands = torch.linspace(-1.0, 1.0, MEL_BINS)
    decibels = torch.zeros(MEL_BINS)
    if rng.random() < 0.35:
        decibels += rng.uniform(-8.0, 8.0) * bands + rng.uniform(-4.0, 4.0) * torch.cos(3.0 * bands + rng.uniform(0.0, 6.0))
    if rng.random() < 0.12:
        decibels[:5] -= rng.uniform(10.0, 30.0)  # under about 300 Hz
        decibels[rng.randint(54, 60) :] -= rng.uniform(25.0, 60.0)  # over about 3400 Hz
    return torch.as_tensor(10.0 ** (decibels / 10.0))
