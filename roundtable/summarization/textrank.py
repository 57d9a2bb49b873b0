"""Which sentences matter, and which of them say the same thing: TextRank and maximal marginal relevance.

TextRank (Mihalcea and Tarau, 2004) ranks sentences by PageRank over their similarity, here the cosine of their TF-IDF vectors
as in LexRank (Erkan and Radev, 2004). Maximal marginal relevance (Carbonell and Goldstein, 1998) picks what is important and
unlike what is already picked. Both are deterministic.

Cost: a term links at most `COMMON_TERM` sentences and a sentence keeps `NEIGHBOURS` links, so time and memory grow linearly
with the number of sentences; no dense similarity matrix ever exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import networkx
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from roundtable.control import Control

NEIGHBOURS = 10
COMMON_TERM = 500
"""A term in more sentences than this links none of them: it tells them apart too little for what it costs."""

_BLOCK = 256
_OTHER_SPEAKER = 1.25
"""A link between two speakers counts this much more: what somebody else takes up matters more than a repetition."""

_RELEVANCE = 0.7
"""The share of importance, against novelty, in maximal marginal relevance."""

_DUPLICATE = 0.8
"""Two sentences with a cosine above this say the same; only the more important one is ever picked."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """`scores` in [0, 1], the best is 1; `vectors` has a row of unit length (or zeros) for each sentence."""

    scores: NDArray[np.float64]
    vectors: Any  # scipy.sparse.csr_array of float64; scipy has no types

    def diverse(self, candidates: Sequence[int], costs: Sequence[int] | None = None, room: int = 0) -> Iterator[int]:
        """The candidates by maximal marginal relevance, best first, duplicates left out.

        With `costs` (one for each candidate), only what still fits into `room` beside everything yielded before. Each step
        costs one sparse product, so take only as many as are needed.
        """
        chosen = np.asarray(candidates, dtype=np.intp)
        vectors = self.vectors[chosen]
        relevance = _RELEVANCE * self.scores[chosen]
        cost = np.zeros(len(chosen)) if costs is None else np.asarray(costs, dtype=np.float64)
        nearest = np.zeros(len(chosen))
        free = cost <= room
        left = float(room)
        while free.any():
            best = int(np.argmax(np.where(free, relevance - (1 - _RELEVANCE) * nearest, -np.inf)))
            yield int(chosen[best])
            likeness = vectors @ vectors[[best]].toarray().ravel()
            np.maximum(nearest, likeness, out=nearest)
            left -= cost[best]
            free &= (likeness <= _DUPLICATE) & (cost <= left)
            free[best] = False


def rank(
    sentences: Sequence[Sequence[str]], speakers: Sequence[str | None], prior: Sequence[float], control: Control
) -> Ranking:
    """Rank sentences given as lists of terms. `prior` (> 0) is what is known of each before its links are.

    The prior enters twice: PageRank restarts at a sentence in proportion to it, and the result is multiplied by it.
    """
    weights = np.asarray(prior, dtype=np.float64)
    if not any(sentences):
        return Ranking(weights / weights.max(initial=1e-9), sparse.csr_array((len(sentences), 1), dtype=np.float64))
    vectors = sparse.csr_array(TfidfVectorizer(analyzer=_as_it_is, sublinear_tf=True).fit_transform(sentences))
    control.check()
    graph = networkx.from_scipy_sparse_array(_links(vectors, speakers, control))
    control.check()
    restart = dict(enumerate((weights / weights.sum()).tolist()))
    importance = networkx.pagerank(graph, personalization=restart, weight="weight")
    scores = weights * np.fromiter((importance[node] for node in range(len(sentences))), dtype=np.float64)
    return Ranking(scores / scores.max(), vectors)


def _as_it_is(sentence: Sequence[str]) -> Sequence[str]:
    return sentence


def _links(vectors: Any, speakers: Sequence[str | None], control: Control) -> Any:
    """The symmetric sparse similarity of each sentence and its nearest neighbours, without the diagonal."""
    count = vectors.shape[0]
    frequency = np.bincount(vectors.indices, minlength=vectors.shape[1])
    linking = vectors[:, np.flatnonzero((frequency > 1) & (frequency <= COMMON_TERM))]
    transposed = linking.T.tocsr()
    codes = {speaker: code for code, speaker in enumerate(dict.fromkeys(speakers))}
    voices = np.array([codes[speaker] for speaker in speakers])
    rows, columns, values = [], [], []
    for start in range(0, count, _BLOCK):
        control.check()
        block = (linking[start : start + _BLOCK] @ transposed).tocoo()
        row, column = block.row + start, block.col
        weight = block.data * np.where(voices[row] == voices[column], 1.0, _OTHER_SPEAKER)
        others = row != column
        row, column, weight = row[others], column[others], weight[others]
        order = np.lexsort((column, -weight, row))
        row, column, weight = row[order], column[order], weight[order]
        place_in_row = np.arange(len(row)) - np.searchsorted(row, row, side="left")
        near = place_in_row < NEIGHBOURS
        rows.append(row[near])
        columns.append(column[near])
        values.append(weight[near])
    nearest = sparse.coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
    ).tocsr()
    return nearest.maximum(nearest.T)
