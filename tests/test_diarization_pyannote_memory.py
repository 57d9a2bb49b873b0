"""Less memory, the same turns: on pyannote's own pipeline at random weights."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from roundtable.audio import SAMPLE_RATE_HZ, decode_audio
from roundtable.diarization.pyannote_memory import _OneByOne, keep_small
from tests.models.random_pyannote import random_pyannote

from pyannote.audio import Pipeline  # isort: skip  # after telemetry is off, in the line above
from pyannote.core import SlidingWindow, SlidingWindowFeature  # isort: skip

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Stock, and ours."""
    folder = tmp_path_factory.mktemp("pipeline")
    random_pyannote(folder, embedding="slim", lstm=(16, 1))
    stock: Any = Pipeline.from_pretrained(folder)
    ours: Any = Pipeline.from_pretrained(folder)
    keep_small(ours)
    assert isinstance(ours.reconstruct, _OneByOne)
    return stock, ours


def recording(seconds: float) -> torch.Tensor:
    samples = decode_audio((ROOT / "samples" / "meeting.flac").read_bytes(), max_bytes=10**7, max_seconds=600).samples
    return torch.from_numpy(samples[None, : int(seconds * SAMPLE_RATE_HZ)].copy())


@pytest.mark.parametrize("bounds", [{}, {"num_speakers": 2}, {"min_speakers": 4}])
def test_the_same_turns_and_voices(pair: tuple[Any, Any], bounds: dict[str, int]) -> None:
    file = {"waveform": recording(14), "sample_rate": SAMPLE_RATE_HZ}
    stock, ours = (pipeline(file, **bounds) for pipeline in pair)
    assert ours.serialize() == stock.serialize()
    assert len(stock.serialize()["diarization"]) > 3
    assert np.array_equal(ours.speaker_embeddings, stock.speaker_embeddings, equal_nan=True)


def test_yes_and_no_take_a_byte_in_pages_of_their_own(pair: tuple[Any, Any]) -> None:
    stock, ours = pair
    chunks = recording(20).reshape(2, 1, -1)
    scores = ours._segmentation.infer(chunks)
    assert scores.dtype == np.int8
    assert np.array_equal(scores, stock._segmentation.infer(chunks))
    below = scores
    while isinstance(below, np.ndarray):
        below = below.base
    assert isinstance(below.obj if isinstance(below, memoryview) else below, mmap.mmap)


def test_scores_between_yes_and_no_stay_what_they_are(pair: tuple[Any, Any]) -> None:
    pipeline = Pipeline.__new__(type(pair[0]))
    soft = np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 4, 3)
    pipeline._segmentation = type("Soft", (), {"infer": staticmethod(lambda chunks: soft)})()
    pipeline.reconstruct = pair[0].reconstruct
    keep_small(pipeline)
    scores = pipeline._segmentation.infer(recording(1))
    assert scores.dtype == np.float32
    assert np.array_equal(scores, soft)


@given(seed=st.integers(0), chunks=st.integers(1, 6), clusters=st.integers(1, 5), soft=st.booleans())
def test_clusters_come_together_as_in_stock(pair: tuple[Any, Any], seed: int, chunks: int, clusters: int, soft: bool) -> None:
    noise = np.random.default_rng(seed)
    scores = noise.random((chunks, 40, 3), np.float32)
    activity = scores if soft else (scores < 0.5).astype(np.int8)
    of_chunk = noise.integers(-1, clusters, (chunks, 3)).astype(np.int8)
    of_chunk[of_chunk == -1] = -2  # as the library marks who is nobody
    of_chunk[0, 0] = clusters - 1
    said = SlidingWindowFeature(activity, SlidingWindow(start=0.0, duration=1.0, step=0.25))
    frame = SlidingWindow(start=0.0, duration=0.025, step=0.025)
    count = SlidingWindowFeature(noise.integers(0, 4, (20 + 10 * chunks, 1), np.uint8), frame)
    stock = pair[0].reconstruct(said, of_chunk, count)
    ours = _OneByOne(pair[0])(said, of_chunk, count)
    assert np.array_equal(ours.data, stock.data)
    windows = [(one.sliding_window.start, one.sliding_window.duration, one.sliding_window.step) for one in (ours, stock)]
    assert windows[0] == windows[1]


def test_a_library_that_reconstructs_in_another_way_keeps_its_own(pair: tuple[Any, Any]) -> None:
    stock, _ = pair
    pipeline = Pipeline.__new__(type(stock))
    pipeline._segmentation = type("Any", (), {"infer": staticmethod(lambda chunks: chunks)})()

    def reconstruct(segmentations: Any, hard_clusters: Any, count: Any) -> Any:
        said = stock.reconstruct(segmentations, hard_clusters, count)
        return SlidingWindowFeature(1 - said.data, said.sliding_window)

    pipeline.reconstruct = reconstruct
    keep_small(pipeline)
    assert pipeline.reconstruct is reconstruct


def test_a_library_that_looks_at_more_keeps_its_own(pair: tuple[Any, Any]) -> None:
    stock, _ = pair
    pipeline = Pipeline.__new__(type(stock))
    pipeline._segmentation = type("Any", (), {"infer": staticmethod(lambda chunks: chunks)})()
    pipeline.reconstruct = stock.reconstruct
    pipeline.to_diarization = lambda segmentations, count: stock.to_diarization(segmentations.data.copy(), count)
    before = pipeline.reconstruct
    keep_small(pipeline)
    assert pipeline.reconstruct == before
