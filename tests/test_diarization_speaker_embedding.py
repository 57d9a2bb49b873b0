"""The encoder computes what the original code computes, to the last digit that float32 keeps."""

from __future__ import annotations

import importlib.util
import sys
import wave
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from roundtable.diarization import speaker_embedding
from roundtable.diarization.speaker_embedding import DIMENSION, HOP_SAMPLES, MEL_BANDS, SpeakerEncoder, mel_frames
from roundtable.errors import EngineUnavailable

# Computed once by Resemblyzer 0.1.4's own code (with librosa 0.11) on the same recording.
ORIGINAL_MEL_FRAME_1000 = [1.587e-05, 0.02186168, 0.13637011, 0.03724234, 0.00055332, 0.01310111]
ORIGINAL_MEL_SUM = 540.4564208984375
ORIGINAL_WINDOW_STARTS = (700, 1100, 2000)
ORIGINAL_LARGEST = [
    {20: 0.244106, 127: 0.228349, 13: 0.225747, 244: 0.192199},
    {13: 0.263488, 113: 0.227554, 199: 0.220158, 218: 0.201048},
    {13: 0.271342, 190: 0.227093, 61: 0.196978, 11: 0.196057},
]
ORIGINAL_SIMILARITIES = [0.547415, 0.590139, 0.868011]


@pytest.fixture(scope="module")
def samples() -> NDArray[np.float32]:
    """The telephone call that comes with pyannote.audio: 30 s, 16 kHz, mono."""
    package = importlib.util.find_spec("pyannote.audio")
    assert package is not None
    assert package.origin is not None
    with wave.open(str(Path(package.origin).parent / "sample" / "sample.wav"), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return (np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768).astype(np.float32)


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder()


def windows(samples: NDArray[np.float32], length: int = 160) -> NDArray[np.float32]:
    mel = mel_frames(samples)
    return np.stack([mel[start : start + length] for start in ORIGINAL_WINDOW_STARTS])


def test_mel_frames_are_the_originals(samples: NDArray[np.float32]) -> None:
    mel = mel_frames(samples)
    assert mel.shape == (len(samples) // HOP_SAMPLES + 1, MEL_BANDS) == (3001, 40)
    assert mel.dtype == np.float32
    assert mel[1000, :6] == pytest.approx(ORIGINAL_MEL_FRAME_1000, rel=1e-4, abs=1e-8)
    assert mel.sum(dtype=np.float64) == pytest.approx(ORIGINAL_MEL_SUM, rel=1e-5)


def test_mel_frames_do_not_depend_on_the_blocks(samples: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch) -> None:
    cut = samples[100_000:150_001]
    at_once = mel_frames(cut)
    monkeypatch.setattr(speaker_embedding, "_FRAMES_PER_BLOCK", 7)
    # Not exactly: a matrix product of another height may be summed in another order.
    np.testing.assert_allclose(mel_frames(cut), at_once, rtol=1e-4, atol=1e-9)


def test_one_sample_is_one_frame() -> None:
    assert mel_frames(np.ones(1, np.float32)).shape == (1, 40)


def test_embeddings_are_the_originals(encoder: SpeakerEncoder, samples: NDArray[np.float32]) -> None:
    (embeddings,) = encoder.embed(windows(samples), (160,))
    assert embeddings.shape == (3, DIMENSION)
    for embedding, largest in zip(embeddings, ORIGINAL_LARGEST, strict=True):
        assert embedding[list(largest)] == pytest.approx(list(largest.values()), abs=2e-5)
    assert (embeddings @ embeddings.T)[np.triu_indices(3, 1)] == pytest.approx(ORIGINAL_SIMILARITIES, abs=2e-5)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx([1, 1, 1], abs=1e-6)


def test_a_window_s_beginning_is_embedded_on_the_way(encoder: SpeakerEncoder, samples: NDArray[np.float32]) -> None:
    short, long = encoder.embed(windows(samples), (80, 160))
    (alone,) = encoder.embed(windows(samples, 80), (80,))
    assert short == pytest.approx(alone, abs=1e-6)
    assert long == pytest.approx(encoder.embed(windows(samples), (160,))[0], abs=1e-6)


def test_no_windows_no_embeddings(encoder: SpeakerEncoder) -> None:
    assert encoder.embed(np.zeros((0, 160, 40), np.float32), (80, 160)).shape == (2, 0, DIMENSION)


def test_the_package_itself_is_never_imported(encoder: SpeakerEncoder) -> None:
    assert {"resemblyzer", "librosa", "numba", "webrtcvad"}.isdisjoint(sys.modules)


def test_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match=r"Run: pip install --no-deps Resemblyzer==0\.1\.4"):
        SpeakerEncoder()


def folder_instead(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    package = ModuleSpec("resemblyzer", None, is_package=True)
    package.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: package)


def test_missing_weights_name_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder_instead(monkeypatch, tmp_path)
    with pytest.raises(EngineUnavailable, match=r"Run: pip install --no-deps Resemblyzer==0\.1\.4"):
        SpeakerEncoder()


def test_damaged_weights_are_told_apart_from_missing_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pretrained.pt").write_bytes(b"not a checkpoint")
    folder_instead(monkeypatch, tmp_path)
    with pytest.raises(EngineUnavailable, match="cannot be read") as caught:
        SpeakerEncoder()
    assert str(tmp_path) not in str(caught.value)


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.save({"model_state": {"lstm.weight_ih_l0": torch.zeros(4, 4)}}, tmp_path / "pretrained.pt")
    folder_instead(monkeypatch, tmp_path)
    with pytest.raises(EngineUnavailable, match="another shape"):
        SpeakerEncoder()
