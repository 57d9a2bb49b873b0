"""The same tree in less memory: on pyannote's own classes of clustering."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from typing import Any

import fastcluster
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from roundtable.diarization import pyannote_linkage
from roundtable.diarization.pyannote_linkage import link_by_neighbours
from tests.models.random_pyannote import random_pyannote

from pyannote.audio import Pipeline  # isort: skip  # after telemetry is off, in the line above
from pyannote.audio.pipelines import clustering as library  # isort: skip
from pyannote.core import SlidingWindow, SlidingWindowFeature  # isort: skip

ROOT = Path(__file__).resolve().parent.parent
DIMENSION = 64

Voices = NDArray[np.float32]


def voices(count: int, speakers: int, *, seed: int = 0, dimension: int = DIMENSION) -> Voices:
    """Around as many directions as there are speakers, by turns, some much closer than others."""
    noise = np.random.default_rng(seed)
    centres = noise.normal(size=(speakers, dimension))
    spread = noise.uniform(0.1, 1.0, (count, 1))
    return (centres[np.arange(count) % speakers] + spread * noise.normal(size=(count, dimension))).astype(np.float32)


@pytest.fixture(scope="module")
def vbx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vbx")
    random_pyannote(folder, embedding="slim", lstm=(16, 1))
    return folder


def pair(folder: Path | str) -> tuple[Any, Any]:
    """The clustering of a stock pipeline, and of ours."""
    stock: Any = Pipeline.from_pretrained(folder)
    ours: Any = Pipeline.from_pretrained(folder)
    assert link_by_neighbours(ours)
    return stock.clustering, ours.clustering


def clustered(clustering: Any, heard: Voices, **bounds: int) -> tuple[Any, ...]:
    """As the pipeline asks: three speakers a chunk, all of them clean."""
    chunks = len(heard) // 3
    active = SlidingWindowFeature(np.ones((chunks, 20, 3)) / 2 > 0, SlidingWindow(start=0.0, duration=1.0, step=0.5))
    active.data = np.repeat(np.eye(3)[None, np.arange(21) % 3], chunks, axis=0)
    asked = {"num_clusters": None, "min_clusters": 1, "max_clusters": 20, **bounds}
    return tuple(clustering(embeddings=heard.reshape(chunks, 3, -1).copy(), segmentations=active, **asked))


@pytest.mark.parametrize("bounds", [{}, {"min_clusters": 7}, {"num_clusters": 3, "min_clusters": 3, "max_clusters": 3}])
@pytest.mark.parametrize("agglomerative", [True, False])
def test_the_same_clusters(vbx: Path, agglomerative: bool, bounds: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    linked: list[int] = []
    by_neighbours = fastcluster.linkage_vector

    def counted(heard: Voices, **how: str) -> Any:
        linked.append(len(heard))
        return by_neighbours(heard, **how)

    monkeypatch.setattr(fastcluster, "linkage_vector", counted)
    stock, ours = pair(ROOT / "tests" / "models" / "pyannote-tiny" if agglomerative else vbx)
    heard = voices(1200, 5, dimension=DIMENSION if agglomerative else 256)
    expected, found = clustered(stock, heard, **bounds), clustered(ours, heard, **bounds)
    assert len(set(expected[0].ravel().tolist())) > 1
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert linked == [1200]


@settings(max_examples=25)
@given(count=st.integers(2, 200), speakers=st.integers(1, 9), seed=st.integers(0, 2**32 - 1), cut=st.floats(0.05, 1.5))
def test_the_same_tree_at_every_height(count: int, speakers: int, seed: int, cut: float) -> None:
    heard = voices(count, speakers, seed=seed, dimension=8)
    heard /= np.linalg.norm(heard, axis=1, keepdims=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyannote_linkage, "_ALL_DISTANCES_UP_TO", 1)
        tree = pyannote_linkage._linkage(pytest.fail, fastcluster.linkage_vector)(heard, method="centroid", metric="euclidean")
    stock = linkage(heard, method="centroid", metric="euclidean")
    assert np.allclose(tree[:, 2], stock[:, 2], atol=1e-9)
    assert np.array_equal(fcluster(tree, cut, "distance"), fcluster(stock, cut, "distance"))


def test_memory_does_not_grow_with_the_square_of_the_voices() -> None:
    stock, ours = pair(ROOT / "tests" / "models" / "pyannote-tiny")

    def peak_mb(clustering: Any, count: int) -> float:
        heard = voices(count, 4)
        tracemalloc.start()
        try:
            clustered(clustering, heard)
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    assert peak_mb(ours, 3600) < 3.5 * peak_mb(ours, 1200)
    assert peak_mb(stock, 3600) > 3600**2 / 2 * 8 / 1e6


def test_few_voices_and_those_that_are_not_finite_go_to_scipy() -> None:
    asked: list[int] = []

    def stock(heard: Any, **how: str) -> Any:
        asked.append(len(heard))
        return linkage(heard, **how)

    ours = pyannote_linkage._linkage(stock, lambda *_, **__: "by neighbours")
    many = voices(1001, 3)
    assert ours(many, method="centroid", metric="euclidean") == "by neighbours"
    ours(many[:1000], method="centroid", metric="euclidean")
    ours(many, method="average", metric="cosine")
    many[7, 3] = np.nan
    with pytest.raises(ValueError, match="finite"):
        ours(many, method="centroid", metric="euclidean")
    assert asked == [1000, 1001, 1001]


def test_the_library_stays_as_it_is_for_everybody_else(vbx: Path) -> None:
    before = (vars(library)["linkage"], library.VBxClustering.__call__, library.AgglomerativeClustering.cluster)
    stock, ours = pair(vbx)
    assert type(stock) is library.VBxClustering
    assert isinstance(ours, library.VBxClustering)
    assert (vars(library)["linkage"], library.VBxClustering.__call__, library.AgglomerativeClustering.cluster) == before


def test_without_fastcluster_the_clustering_is_stock(vbx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline: Any = Pipeline.from_pretrained(vbx)
    monkeypatch.setitem(sys.modules, "fastcluster", None)
    assert not link_by_neighbours(pipeline)
    assert type(pipeline.clustering) is library.VBxClustering


def test_a_clustering_that_links_in_another_way_is_left_alone() -> None:
    pipeline = type("Pipeline", (), {"clustering": library.KMeansClustering()})()
    assert not link_by_neighbours(pipeline)
    assert type(pipeline.clustering) is library.KMeansClustering
