"""The tree of pyannote's clustering without all distances at once.

Both of its pipelines first join voices by the distance of their centroids, with scipy's `linkage`, which holds the distances of
all pairs, twice: 150 MB for an hour with its 4400 voices, 2.4 GB for four hours. The centroid of a cluster is known from its
members alone, so that a nearest neighbour for each is enough (Müllner 2011, "Modern hierarchical, agglomerative clustering
algorithms", section 3.3): 2 MB for four hours. fastcluster, his own program, does it that way. The tree is the same, rounded
in the last digit; only of pairs that are equally close may another one come first. Where a few voices are repeated hundreds of
times to the last bit, so that most pairs are, pyannote's search for a given number of speakers may stop at another cut of it.

Cost: with embeddings of 256 numbers 3 s for an hour and 44 for four (scipy: 2 and 32), in which nothing can be cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

_ALL_DISTANCES_UP_TO = 1000
"""Voices. Their distances take 8 MB and half the time."""

_ASKED_BY = ("cluster", "__call__")
"""Where pyannote's classes of clustering call `linkage`: the agglomerative one, and VBx."""


def link_by_neighbours(pipeline: Any) -> bool:
    """Make this `SpeakerDiarization`, and no other, cluster in memory that grows with the recording and not with its square.

    False where fastcluster is not installed or the clustering does not call `linkage`: then the pipeline is as it was.
    """
    try:
        import fastcluster
    except ImportError:
        return False
    clustering = getattr(pipeline, "clustering", None)
    kind = type(clustering)
    methods = {
        name: (method, method.__globals__["linkage"])
        for name in _ASKED_BY
        if isinstance(method := getattr(kind, name, None), FunctionType) and "linkage" in method.__code__.co_names
    }
    if clustering is None or not methods:
        return False
    # Python looks `__call__` up on the class: this one object gets a class of its own.
    ours = {name: _with(method, _linkage(linkage, fastcluster.linkage_vector)) for name, (method, linkage) in methods.items()}
    clustering.__class__ = type(kind.__name__, (kind,), ours)
    return True


def _with(method: FunctionType, linkage: Callable[..., Any]) -> FunctionType:
    """The same code, for which the global name `linkage` means another function."""
    names = {**method.__globals__, "linkage": linkage}
    copy = FunctionType(method.__code__, names, method.__name__, method.__defaults__, method.__closure__)
    copy.__kwdefaults__ = method.__kwdefaults__
    return copy


def _linkage(stock: Callable[..., Any], by_neighbours: Callable[..., Any]) -> Callable[..., Any]:
    def linkage(voices: Any, method: str = "single", metric: str = "euclidean", **others: Any) -> Any:
        """Tree (voices - 1, 4) of (voices, dimension), as scipy returns it; what is not finite is left to scipy's own error."""
        centroids = (method, metric, others) == ("centroid", "euclidean", {})
        if centroids and len(voices) > _ALL_DISTANCES_UP_TO and np.isfinite(voices).all():
            return by_neighbours(voices, method=method, metric=metric)
        return stock(voices, method=method, metric=metric, **others)

    return linkage
