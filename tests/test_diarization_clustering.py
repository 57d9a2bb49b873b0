"""Counting and telling apart, on embeddings made by hand: directions for voices, noise for what they happen to say."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roundtable.diarization.clustering import SpeechWindows, cluster_speakers, viterbi
from roundtable.errors import Cancelled

TURN = 20  # windows: 4 s


def voices(count: int, alike: float, seed: int = 0) -> NDArray[np.float64]:
    """Unit vectors, nowhere negative like the encoder's, with cosine similarity of about `alike` between any two."""
    own = np.abs(np.random.default_rng(seed).standard_normal((count, 256)))
    own *= np.arange(256) % count == np.arange(count)[:, None] if count > 1 else 1
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    common = np.full(256, 1 / 16)
    # common . own is not 0: mix, measure, and solve for the share by bisection.
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        mixed = (1 - share) * own + share * common
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        low, high = (share, high) if count > 1 and mixed[0] @ mixed[1] < alike else (low, share)
    return mixed


def spoken(order: list[int], directions: NDArray[np.float64], noise: float = 0.9, seed: int = 1) -> SpeechWindows:
    """`TURN` windows for each entry of `order`. Noise changes as slowly as windows overlap, and is weaker in longer ones."""
    random = np.random.default_rng(seed)
    count = len(order) * TURN
    labels = np.repeat(order, TURN)

    def embed(length: int, noise: float) -> NDArray[np.float32]:
        white = random.standard_normal((count + length, 256)).astype(np.float32)
        summed = np.cumsum(white, axis=0)
        slow = (summed[length:] - summed[:-length]) / np.sqrt(length * 256)
        vectors = np.maximum(directions[labels] + noise * slow, 0)
        unit: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        return unit

    return SpeechWindows(np.arange(count), embed(8, noise * 0.7), embed(4, noise))


def nothing() -> None:
    return None


def grouping(labels: NDArray[np.intp]) -> list[int]:
    """Labels renumbered by first appearance."""
    names: dict[int, int] = {}
    return [names.setdefault(int(label), len(names)) for label in labels]


@pytest.mark.parametrize("turns", [1, 2, 5, 30])
def test_one_voice_is_one_speaker(turns: int) -> None:
    windows = spoken([0] * turns, voices(1, 1.0))
    assert set(cluster_speakers(windows, 1, 20, nothing)) == {0}


@pytest.mark.parametrize(
    ("order", "alike"),
    [
        ([0, 1, 0, 1], 0.6),
        ([0, 1, 0, 1, 0, 1, 1, 0], 0.8),
        ([0, 1, 2, 0, 1, 2], 0.6),
        ([0, 1, 0, 2, 2, 1, 3, 0, 3], 0.6),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 0.6),
    ],
)
def test_voices_are_counted_and_told_apart(order: list[int], alike: float) -> None:
    windows = spoken(order, voices(max(order) + 1, alike))
    labels = cluster_speakers(windows, 1, 20, nothing)
    truth = np.repeat(order, TURN)
    assert len(set(labels)) == len(set(order))
    assert np.mean(np.array(grouping(labels)) == truth) > 0.97


def test_more_than_most_are_never_found() -> None:
    windows = spoken([0, 1, 2, 3, 0, 1, 2, 3], voices(4, 0.5))
    for most in (1, 2, 3, 4):
        assert len(set(cluster_speakers(windows, 1, most, nothing))) == most


def test_fewest_are_found_even_in_one_voice() -> None:
    windows = spoken([0] * 4, voices(1, 1.0))
    for fewest in (2, 3, 7):
        assert len(set(cluster_speakers(windows, fewest, 20, nothing))) == fewest


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.integers(1, 15), st.booleans())
def test_bounds_are_kept_as_far_as_there_are_windows(count: int, asked: int, identical: bool) -> None:
    vectors = np.abs(np.random.default_rng(count).standard_normal((count, 256))).astype(np.float32)
    if identical:
        vectors = np.ones_like(vectors)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = cluster_speakers(SpeechWindows(np.arange(count) * 2, vectors, vectors), asked, asked, nothing)
    assert sorted(set(labels.tolist())) == list(range(min(asked, count)))


def test_windows_in_which_nothing_was_heard_are_one_speaker() -> None:
    silence = np.zeros((30, 256), np.float32)
    assert set(cluster_speakers(SpeechWindows(np.arange(30), silence, silence), 1, 20, nothing)) == {0}


def test_a_check_that_raises_ends_the_work() -> None:
    def cancelled() -> None:
        raise Cancelled("The request was cancelled.")

    with pytest.raises(Cancelled):
        cluster_speakers(spoken([0, 1], voices(2, 0.5)), 1, 20, cancelled)


@pytest.mark.slow
def test_four_hours_need_no_square_of_memory() -> None:
    # 57,600 windows; a matrix of all pairs would take 13 GB in float32. 64 dimensions, since tracing every allocation is slow.
    random = np.random.default_rng(3)
    truth = np.repeat([0, 1] * 1440, TURN)
    vectors = np.abs(random.standard_normal((len(truth), 64), dtype=np.float32))
    vectors[np.arange(len(truth)), truth] += 10
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    windows = SpeechWindows(np.arange(len(truth)), vectors, vectors)
    tracemalloc.start()
    labels = cluster_speakers(windows, 1, 2, nothing)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(windows) == 57_600
    assert grouping(labels) == grouping(truth)
    assert peak < 150e6


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 3), st.floats(0, 3), st.integers(0, 2**32 - 1))
def test_viterbi_finds_the_best_of_all_paths(count: int, states: int, price: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    likelihoods, costs = random.standard_normal((count, states)), price * random.random(count)

    def score(path: tuple[int, ...]) -> float:
        changes = sum(costs[i] for i in range(1, count) if path[i] != path[i - 1])
        return float(sum(likelihoods[i, state] for i, state in enumerate(path)) - changes)

    found = score(tuple(viterbi(likelihoods, costs).tolist()))
    assert found == pytest.approx(max(score(path) for path in itertools.product(range(states), repeat=count)))
