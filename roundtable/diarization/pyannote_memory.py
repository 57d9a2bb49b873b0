"""What pyannote keeps for a whole recording, kept small: long ones then take little more memory than their waveform.

As with the frames (`pyannote_frames.py`), one loaded pipeline is changed and nothing for anybody else, and its turns stay what
they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from roundtable.heap import own_array

Floats = NDArray[np.float32]


def keep_small(pipeline: Any) -> None:
    """Make this `SpeakerDiarization` keep its scores in bytes, in pages of their own, and put clusters together chunk by chunk.

    The latter only where a trial shows that it comes to the same in the installed library.
    """
    pipeline._segmentation.infer = _off_the_heap(pipeline._segmentation.infer)
    if _says_the_same(pipeline, one_by_one := _OneByOne(pipeline)):
        pipeline.reconstruct = one_by_one


def _off_the_heap(infer: Callable[[torch.Tensor], Floats]) -> Callable[[torch.Tensor], NDArray[Any]]:
    """The same, with results in pages of their own, and in bytes where they only say yes or no, as a powerset model's do.

    The library keeps the result of every batch until the last. On the heap they end up between the large blocks that each batch
    takes and frees, so that these no longer fit where they were: 0.4 GB more for half an hour than for five minutes. Signed
    bytes: what numpy adds up or turns round stays right.
    """

    def with_own_pages(chunks: torch.Tensor) -> NDArray[Any]:
        scores = infer(chunks)
        kind = np.dtype(np.int8) if ((scores == 0) | (scores == 1)).all() else scores.dtype
        apart = own_array(scores.shape, kind)
        np.copyto(apart, scores, casting="unsafe")
        return apart

    return with_own_pages


class _OneByOne:
    """Stands in for the `reconstruct` of one pipeline: the same, without an array of every cluster in every chunk, which takes
    8 bytes a frame and cluster, and as much again while it is made: 370 MB for an hour with eleven speakers."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def __call__(self, segmentations: Any, hard_clusters: NDArray[np.int8], count: Any) -> Any:
        return self._pipeline.to_diarization(_Clustered(segmentations, hard_clusters), count)


class _Clustered:
    """Scores of clusters, as far as the library's overlap-add looks at them: their shape, their window, and each chunk once."""

    def __init__(self, segmentations: Any, hard_clusters: NDArray[np.int8]) -> None:
        chunks, frames, _ = segmentations.data.shape
        self.sliding_window = segmentations.sliding_window
        self.data = SimpleNamespace(shape=(chunks, frames, int(hard_clusters.max()) + 1))
        self._segmentations, self._clusters = segmentations, hard_clusters

    def __iter__(self) -> Iterator[tuple[Any, NDArray[np.float64]]]:
        _, frames, clusters = self.data.shape
        for of_chunk, (chunk, activity) in zip(self._clusters, self._segmentations, strict=True):
            scores = np.full((frames, clusters), np.nan)
            for cluster in set(of_chunk[of_chunk >= 0].tolist()):
                scores[:, cluster] = activity[:, of_chunk == cluster].max(axis=1)
            yield chunk, scores


def _says_the_same(pipeline: Any, other: Callable[..., Any]) -> bool:
    """Whether `other` reconstructs what the pipeline does: three chunks, with somebody who is nobody in the middle one."""
    from pyannote.core import SlidingWindow, SlidingWindowFeature

    noise = np.random.default_rng(0)
    step = SlidingWindow(start=0.0, duration=1.0, step=0.5)
    activity = SlidingWindowFeature((noise.random((3, 50, 3)) < 0.5).astype(np.int8), step)
    clusters = np.array([[0, 1, 2], [3, -2, 0], [2, 2, 1]], np.int8)
    count = SlidingWindowFeature(noise.integers(0, 3, (100, 1), np.uint8), SlidingWindow(start=0.0, duration=0.02, step=0.02))
    stock = pipeline.reconstruct(activity, clusters, count)
    try:
        ours = other(activity, clusters, count)
    except (AttributeError, IndexError, TypeError, ValueError):
        return False  # a library that looks at more
    windows = [(one.sliding_window.start, one.sliding_window.duration, one.sliding_window.step) for one in (ours, stock)]
    return np.array_equal(ours.data, stock.data) and windows[0] == windows[1]
