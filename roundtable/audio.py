"""Bytes to samples: `decode_audio` turns any recording into one mono waveform at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Audio:
    """Mono float32 samples at 16 kHz, shape (n,), n >= 1, read-only. Compared and hashed by identity."""

    samples: NDArray[np.float32]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ
