"""The spectrogram is that of transformers' own feature extractor where there is content, and 0.0 after it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roundtable.asr.mel import FRAMES, LogMel, mel_filters

transformers: Any = import_module("transformers")  # typed in parts, and in some versions
CPU = torch.device("cpu")
LENGTHS = [1, 159, 160, 161, 400, 33_333, 479_799, 479_841, 480_000]


def speech_like(length: int, seed: int = 0) -> NDArray[np.float32]:
    """A gliding tone that swells and fades, in faint noise: every band and every level occurs."""
    random = np.random.default_rng(seed)
    time = np.arange(length) / 16000
    tone = np.sin(2 * np.pi * (200 + 900 * time) * time) * (0.5 + 0.5 * np.sin(3 * time))
    samples: NDArray[np.float32] = (0.3 * tone + 1e-4 * random.standard_normal(length)).astype(np.float32)
    return samples


@pytest.mark.parametrize("bins", [80, 128])
@pytest.mark.parametrize("length", LENGTHS)
def test_content_is_what_the_feature_extractor_gives_and_the_rest_is_zero(bins: int, length: int) -> None:
    samples = speech_like(length)
    mel = LogMel(bins, CPU)(samples)
    expected = transformers.WhisperFeatureExtractor(feature_size=bins)(samples, sampling_rate=16000, return_tensors="pt")
    frames = -(-length // 160)
    assert (mel.shape, mel.dtype, mel.device.type) == ((bins, FRAMES), torch.float32, "cpu")
    torch.testing.assert_close(mel[:, :frames], expected.input_features[0, :, :frames], atol=1e-4, rtol=0)
    assert not mel[:, frames:].any()


@pytest.mark.parametrize("bins", [80, 128])
def test_filters_are_those_of_transformers(bins: int) -> None:
    expected = transformers.audio_utils.mel_filter_bank(201, bins, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_filters(bins), expected.T, atol=1e-12)


def test_silence_is_flat_and_nothing_is_all_zeros() -> None:
    mel = LogMel(80, CPU)
    assert (mel(np.zeros(1600, dtype=np.float32))[:, :10] == -1.5).all()
    assert not mel(np.zeros(0, dtype=np.float32)).any()


def test_more_than_thirty_seconds_are_refused() -> None:
    with pytest.raises(ValueError, match="480001 samples: at most 480000"):
        LogMel(80, CPU)(np.zeros(480_001, dtype=np.float32))


def test_the_floor_is_eight_bels_under_the_content_s_own_loudest_point() -> None:
    burst = np.zeros(16000, dtype=np.float32)
    burst[8000:8400] = speech_like(400)
    content = LogMel(80, CPU)(burst)[:, :100]
    assert content.max() - content.min() == 2.0  # 8 bels are 2.0 after the division by 4


def test_samples_are_read_only_and_stay_as_they_are() -> None:
    samples = speech_like(5000)
    samples.flags.writeable = False
    before = samples.copy()
    LogMel(80, CPU)(samples)
    np.testing.assert_array_equal(samples, before)


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1600, 20_000), gain=st.floats(0.1, 3.0), seed=st.integers(0, 2**16))
def test_a_gain_shifts_the_whole_spectrogram(length: int, gain: float, seed: int) -> None:
    """By log10(gain) / 2, and 8 bels are kept whatever the level: nothing is measured against anything but the content."""
    samples = np.random.default_rng(seed).standard_normal(length).astype(np.float32) * np.float32(0.1)
    mel, frames = LogMel(80, CPU), -(-length // 160)
    plain, louder = mel(samples)[:, :frames], mel(samples * np.float32(gain))[:, :frames]
    assert plain.max() - plain.min() <= 2.0
    torch.testing.assert_close(louder, plain + float(np.log10(gain)) / 2, atol=2e-3, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("bins", [80, 128])
def test_a_gpu_gives_the_same(bins: int) -> None:
    samples = speech_like(123_456)
    mel = LogMel(bins, torch.device("cuda"))(samples)
    assert mel.device.type == "cuda"
    torch.testing.assert_close(mel.cpu(), LogMel(bins, CPU)(samples), atol=1e-4, rtol=0)
