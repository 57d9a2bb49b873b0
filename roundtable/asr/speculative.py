"""Speculative decoding: a small model drafts a few tokens, the large one reads them all at once and keeps what it would have
written itself (Leviathan et al. 2023, arXiv:2211.17192, in its greedy form). The tokens are those of `decode`, sooner.

It pays for one window at a time only: rows of a batch accept drafts of unequal length and would wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from roundtable.asr.decoder import Memory, Past, TextDecoder
from roundtable.asr.decoding import Rules
from roundtable.asr.window_engine import Decoded

_FIRST_DRAFT, _LONGEST_DRAFT = 5, 20
"""The draft grows by two tokens when all were right and shrinks by one otherwise, as in transformers' assisted decoding."""


def decode_assisted(
    writer: tuple[TextDecoder, Memory],
    drafter: tuple[TextDecoder, Memory],
    prompt: Sequence[int],
    limit: int,
    *,
    rules: Rules,
    eot: int,
) -> Decoded:
    """`decode` of one row at temperature 0. Both models must share one vocabulary; their memories are of the same window."""
    room = len(prompt) + limit + _LONGEST_DRAFT + 1
    large, small = _Reader(*writer, room), _Reader(*drafter, room)
    sequence = list(prompt)
    logprobs: list[float] = []
    ahead = _FIRST_DRAFT
    while len(sequence) - len(prompt) < limit:
        draft: list[int] = []
        # The last token of a full limit cannot be drafted for, only written.
        for _ in range(min(ahead, limit - (len(sequence) - len(prompt)) - 1)):
            scores = _allowed(small.read([*sequence, *draft])[-1:], rules, first=len(sequence) + len(draft) == len(prompt))
            draft.append(int(scores.argmax()))
            if draft[-1] == eot:
                break
        scores = large.read([*sequence, *draft])[-len(draft) - 1 :]
        scores = _allowed(scores, rules, first=len(sequence) == len(prompt))
        best = scores.argmax(dim=-1)
        sure = (scores.gather(1, best[:, None])[:, 0] - scores.logsumexp(dim=-1)).tolist()
        written = best.tolist()
        agreed = next((at for at, token in enumerate(draft) if token != written[at]), len(draft))
        for token, logprob in zip(written[: agreed + 1], sure, strict=False):
            logprobs.append(logprob)
            if token == eot:
                return Decoded(tuple(sequence[len(prompt) :]), tuple(logprobs), finished=True)
            sequence.append(token)
        ahead = min(ahead + 2, _LONGEST_DRAFT) if agreed == len(draft) else max(ahead - 1, 1)
        large.forget(len(sequence) - 1)
        small.forget(len(sequence) - 1)
    return Decoded(tuple(sequence[len(prompt) :]), tuple(logprobs), finished=False)


class _Reader:
    """One decoder and how far it has read."""

    def __init__(self, decoder: TextDecoder, memory: Memory, capacity: int) -> None:
        self._decoder: Final = decoder
        self._memory: Final = memory
        self._past: Final[Past] = decoder.begin(capacity)

    def read(self, sequence: Sequence[int]) -> Tensor:
        """Scores (tokens read just now, vocabulary) for what follows each token that was not read before."""
        ids = torch.tensor([sequence[self._past.length :]], device=self._memory.keys[0].device)
        return self._decoder.logits(self._decoder.read(ids, self._past, self._memory)[0])

    def forget(self, length: int) -> None:
        """Take back everything after the first `length` tokens."""
        self._past.length = min(self._past.length, length)


def _allowed(scores: Tensor, rules: Rules, *, first: bool) -> Tensor:
    """The scores under the rules; `first`: their first row is about the first token after the prompt."""
    if first:
        return torch.cat([scores[:1] + rules.first, scores[1:] + rules.always])
    return scores + rules.always
