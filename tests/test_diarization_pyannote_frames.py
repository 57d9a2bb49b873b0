"""Once per chunk instead of once per speaker: the same answer, on pyannote's own pipeline and networks at random weights."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roundtable.audio import SAMPLE_RATE_HZ, decode_audio
from roundtable.diarization.pyannote_frames import _padded, share_frames
from tests.models.random_pyannote import random_pyannote

from pyannote.audio import Pipeline  # isort: skip  # after telemetry is off, in the line above
from pyannote.audio.models.embedding.wespeaker.resnet import ResNet  # isort: skip
from pyannote.audio.models.embedding.xvector import XVectorSincNet  # isort: skip
from pyannote.audio.pipelines import SpeakerDiarization  # isort: skip
from pyannote.core import SlidingWindow, SlidingWindowFeature  # isort: skip

ROOT = Path(__file__).resolve().parent.parent
FRAMES = 589
"""Of a chunk of 10 s."""

Load = Callable[[str], Any]


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """A fresh pipeline with the named embedding network."""
    folder = tmp_path_factory.mktemp("pipelines")

    def loaded(embedding: str) -> Any:
        if not (folder / embedding).exists():
            random_pyannote(folder / embedding, embedding=embedding, lstm=(16, 1))
        return Pipeline.from_pretrained(folder / embedding)

    return loaded


def recording(seconds: float) -> dict[str, Any]:
    samples = decode_audio((ROOT / "samples" / "meeting.flac").read_bytes(), max_bytes=10**7, max_seconds=600).samples
    return {"waveform": torch.from_numpy(samples[None, : int(seconds * SAMPLE_RATE_HZ)].copy()), "sample_rate": SAMPLE_RATE_HZ}


def answer(pipeline: Any, seconds: float, **options: Any) -> tuple[dict[str, Any], NDArray[np.float64]]:
    said = pipeline(recording(seconds), **options)
    return said.serialize(), said.speaker_embeddings


def off(ours: NDArray[np.float64], stock: NDArray[np.float64]) -> float:
    """How far embeddings lie apart, as a share of the length of the longest, at most."""
    assert ours.shape == stock.shape
    assert ours.dtype == stock.dtype
    assert np.array_equal(np.isnan(ours), np.isnan(stock))  # what too little sound gives
    ours, stock = np.nan_to_num(ours), np.nan_to_num(stock)
    return float(np.linalg.norm(ours - stock, axis=-1).max() / np.linalg.norm(stock, axis=-1).max())


# --- The same answer -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_real_network_gives_the_same_turns_and_embeddings(load: Load) -> None:
    turns, embeddings = answer(load("resnet34"), 11)
    assert len(turns["diarization"]) > 10
    assert {turn["speaker"] for turn in turns["diarization"]} >= {"SPEAKER_00", "SPEAKER_01"}
    for fold, margin in ((False, 1e-6), (True, 1e-4)):
        ours = load("resnet34")
        assert share_frames(ours, fold=fold) is True
        found, also = answer(ours, 11)
        assert found == turns
        assert off(also, embeddings) < margin


def test_an_x_vector_gives_the_same_turns_and_embeddings_to_the_bit(load: Load) -> None:
    turns, embeddings = answer(load("xvector"), 14)
    assert len(turns["diarization"]) > 3
    ours = load("xvector")
    assert share_frames(ours) is True
    found, also = answer(ours, 14)
    assert found == turns
    assert off(also, embeddings) < 1e-6


@pytest.mark.parametrize("exclude_overlap", [True, False])
def test_the_same_turns_at_every_batch_size(load: Load, exclude_overlap: bool) -> None:
    pipeline, ours = load("slim"), load("slim")
    assert share_frames(ours)
    pipeline.embedding_exclude_overlap = ours.embedding_exclude_overlap = exclude_overlap
    turns, embeddings = answer(pipeline, 14)
    for size in (1, 3, 8, 32):
        ours.embedding_batch_size = ours.segmentation_batch_size = size
        found, also = answer(ours, 14)
        assert found == turns
        assert off(also, embeddings) < 1e-4


@pytest.mark.parametrize("bounds", [{"num_speakers": 3}, {"num_speakers": 1}, {"min_speakers": 3}, {"max_speakers": 2}])
def test_the_same_turns_for_a_given_number_of_speakers(load: Load, bounds: dict[str, int]) -> None:
    ours = load("slim")
    assert share_frames(ours)
    turns, embeddings = answer(load("slim"), 14, **bounds)
    found, also = answer(ours, 14, **bounds)
    assert found == turns
    assert off(also, embeddings) < 1e-4


@pytest.fixture(scope="module")
def pair(load: Load) -> tuple[Any, Any]:
    stock, ours = load("slim"), load("slim")
    assert share_frames(ours, fold=False)
    return stock, ours


_levels = st.sampled_from(["nobody", "a moment alone", "alone", "together", "unknown"])


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    chunks=st.lists(_levels, min_size=1, max_size=6), exclude_overlap=st.booleans(), size=st.integers(1, 7), seed=st.integers(0)
)
def test_the_same_embeddings_for_any_activity(
    pair: tuple[Any, Any], chunks: list[str], exclude_overlap: bool, size: int, seed: int
) -> None:
    stock, ours = pair
    random = np.random.default_rng(seed)
    data = np.zeros((len(chunks), FRAMES, 3), np.float32)
    for chunk, what in zip(data, chunks, strict=True):
        if what == "a moment alone":  # fewer frames than the network needs: those with others count after all
            chunk[:300, 1:] = 1.0
            chunk[300:301, 1] = 1.0
        elif what == "alone":
            chunk[np.arange(FRAMES), random.integers(0, 3, FRAMES)] = 1.0
        elif what == "together":
            chunk[:] = random.random((FRAMES, 3)) < 0.5
        elif what == "unknown":
            chunk[:] = random.random((FRAMES, 3)) < 0.5
            chunk[random.random((FRAMES, 3)) < 0.3] = np.nan
    activity = SlidingWindowFeature(data, SlidingWindow(start=0.0, duration=10.0, step=1.0))
    stock.embedding_batch_size = ours.embedding_batch_size = size
    expected = stock.get_embeddings(recording(12), activity, exclude_overlap=exclude_overlap)
    found = ours.get_embeddings(recording(12), activity, exclude_overlap=exclude_overlap)
    assert off(found, expected) < 1e-5


# --- At a third of the work ------------------------------------------------------------------------------------------


def test_the_network_hears_each_chunk_once_and_silence_never(load: Load) -> None:
    pipeline = load("slim")
    assert share_frames(pipeline, fold=False)
    pipeline.embedding_batch_size = 2
    heard: list[int] = []
    pipeline._embedding.model_.resnet.layer1.register_forward_hook(lambda _module, _input, output: heard.append(len(output)))
    data = np.ones((6, FRAMES, 3), np.float32)
    data[[0, 4]] = 0.0
    data[5, :, :2] = 0.0
    reports: list[tuple[Any, int, int]] = []

    def hook(step: str, artefact: Any, *, total: int, completed: int) -> None:
        assert step == "embeddings"
        reports.append((None if artefact is None else artefact.shape, total, completed))

    activity = SlidingWindowFeature(data, SlidingWindow(start=0.0, duration=10.0, step=1.0))
    pipeline.get_embeddings(recording(15), activity, hook=hook)
    assert heard == [2, 2]
    assert reports == [(None, 2, 0), ((6, 256), 2, 1), ((6, 256), 2, 2)]

    heard.clear()
    pipeline.embedding_batch_size = 3
    pipeline.get_embeddings(recording(15), activity)
    assert heard == [3, 1]


def test_elsewhere_than_on_a_cpu_the_last_batch_is_filled_up() -> None:
    rows = torch.arange(6.0).reshape(2, 1, 3)
    assert torch.equal(_padded(rows, 4), torch.tensor([[[0.0, 1, 2]], [[3, 4, 5]], [[0, 0, 0]], [[0, 0, 0]]]))
    assert torch.equal(_padded(rows, 2), rows)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_the_turns_are_stocks_and_every_batch_is_full(load: Load) -> None:
    stock, ours = (load("slim").to(torch.device("cuda")) for _ in range(2))
    assert share_frames(ours)
    heard: list[int] = []
    ours._embedding.model_.resnet.layer1.register_forward_hook(lambda _module, _input, output: heard.append(len(output)))
    ours.embedding_batch_size = stock.embedding_batch_size = 8
    assert answer(ours, 14)[0] == answer(stock, 14)[0]
    assert set(heard) == {8}


# --- Where it does not apply -----------------------------------------------------------------------------------------


class _OtherNames(XVectorSincNet):
    """The same network, its layers under a name of its own."""

    layers: Any

    def forward(self, waveforms: torch.Tensor, weights: torch.Tensor | None = None) -> Any:  # type: ignore[override]  # as its own
        heard = self.sincnet(waveforms)
        for layer in self.layers:
            heard = layer(heard)
        return self.embedding(self.stats_pool(heard, weights=weights))


def test_a_model_without_the_methods_keeps_stock(load: Load) -> None:
    pipeline = load("xvector")
    before = answer(pipeline, 11)
    model = pipeline._embedding.model_
    model.layers, model.__class__ = model.tdnns, _OtherNames
    del model.tdnns
    assert share_frames(pipeline) is False
    assert untouched(pipeline)
    after = answer(pipeline, 11)
    assert after[0] == before[0]
    assert np.array_equal(after[1], before[1], equal_nan=True)


def _raises(*_args: Any, **_named: Any) -> torch.Tensor:
    raise TypeError("another signature")


def _depends_on_the_sound(frames: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return weights.mean(dim=2, keepdim=True).expand(-1, -1, 256) + frames.mean()


def _one_for_all(frames: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(frames), 256)


def _nobody_at_all(frames: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(frames), 3, 256)


@pytest.mark.parametrize("other", [_raises, _depends_on_the_sound, _one_for_all, _nobody_at_all])
def test_a_model_that_means_something_else_by_them_keeps_stock(load: Load, other: Callable[..., torch.Tensor]) -> None:
    pipeline = load("slim")
    pipeline._embedding.model_.forward_embedding = other
    assert share_frames(pipeline) is False
    assert untouched(pipeline)


def test_a_network_that_folding_changes_computes_its_frames_itself(load: Load) -> None:
    """Two layers behind one convolution: what belongs to the one must not be folded into it."""
    pipeline, stock = load("slim"), load("slim")
    for each in (pipeline, stock):
        each._embedding.model_.resnet.__class__ = _TwoUsesOfAConvolution
    assert share_frames(pipeline)
    assert answer(pipeline, 11)[0] == answer(stock, 11)[0]


class _TwoUsesOfAConvolution(ResNet):
    def forward_frames(self, fbank: torch.Tensor) -> torch.Tensor:
        first = self.conv1(fbank.permute(0, 2, 1).unsqueeze(1))
        return self.layer4(self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(first)) - first))))  # type: ignore[no-any-return]

    def forward(self, fbank: torch.Tensor, weights: torch.Tensor | None = None) -> Any:
        frames: Any = self.forward_frames(fbank)
        return self.forward_embedding(frames, weights=weights)  # type: ignore[arg-type]  # as its own forward does


def test_while_hyperparameters_are_tuned_stock_decides(load: Load) -> None:
    pipeline = load("slim")
    assert share_frames(pipeline)
    pipeline.training = True
    file = recording(12)
    activity = SlidingWindowFeature(np.ones((3, FRAMES, 3), np.float32), SlidingWindow(start=0.0, duration=10.0, step=1.0))
    embeddings = pipeline.get_embeddings(file, activity)
    assert file["training_cache/embeddings"]["embeddings"] is embeddings


def test_one_pipeline_is_changed_and_no_other(load: Load) -> None:
    methods = {name: getattr(SpeakerDiarization, name) for name in ("get_embeddings", "get_segmentations", "apply")}
    ours, stock = load("slim"), load("slim")
    weights = {name: weight.clone() for name, weight in ours._embedding.model_.state_dict().items()}
    assert share_frames(ours)
    assert {name: getattr(SpeakerDiarization, name) for name in methods} == methods
    assert untouched(stock)
    assert all(torch.equal(weight, weights[name]) for name, weight in ours._embedding.model_.state_dict().items())
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda pipeline: answer(pipeline, 11)[0], [ours, stock, ours, stock]))
    assert answers == [answers[0]] * 4
    assert len(answers[0]["diarization"]) > 10


def untouched(pipeline: Any) -> bool:
    return "get_embeddings" not in vars(pipeline)
