"""Where nobody speaks, no engine is asked for words: the first of the two nets, the second being Whisper's own."""

from __future__ import annotations

import numpy as np
import pytest

from roundtable.voice_activity import speech_regions
from tests.nonspeech import LSB, SOUNDS, recording

VOICE_LIKE = {"knocks"}
"""One soft thud in fourteen passes for a short syllable, in sound and in spectrum; "two" can hold as little above 500 Hz."""


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_is_the_same_each_time_and_as_loud_as_asked(name: str) -> None:
    once, again = recording(name, 4.0, -6.0, seed=3), recording(name, 4.0, -6.0, seed=3)
    np.testing.assert_array_equal(once.samples, again.samples)
    assert once.samples.dtype == np.float32
    assert len(once.samples) == 64_000
    assert float(np.abs(once.samples).max()) == pytest.approx(0 if name == "silence" else 10 ** (-6 / 20), abs=LSB)


@pytest.mark.parametrize("name", sorted(SOUNDS.keys() - VOICE_LIKE))
@pytest.mark.parametrize(("seconds", "peak_db"), [(5.0, -3.0), (5.0, -60.0), (20.0, -30.0)])
def test_no_speech_is_found(name: str, seconds: float, peak_db: float) -> None:
    assert speech_regions(recording(name, seconds, peak_db, seed=1), min_speech_s=0.1, min_silence_s=0.3, pad_s=0.2) == ()


def test_no_speech_is_found_in_dither() -> None:
    assert speech_regions(recording("white noise", 20.0, -84.0), min_speech_s=0.1, min_silence_s=0.3, pad_s=0.2) == ()
