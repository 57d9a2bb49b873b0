"""Whisper's text decoder, run step by step over a checkpoint's own layers (Radford et al. 2022, arXiv:2212.04356).

transformers' `generate` encodes again for the language, for the no-speech probability and for every fallback, and gives the
cross-attention only by switching the whole model to a slower attention. Here the same modules of the same model are called in
the same order, with three differences: what the encoder heard is a value that the caller keeps (`Memory`) and may decode from
as often as needed; rows that are done leave the batch; and the attention of single heads can be read off without touching the
model. The numbers are those of `model(...)`: tests hold the logits to it.

Rows may begin with prompts of unequal length: the shorter ones are padded on the left, see `Past`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from roundtable.torch_memory import new_lasting

_FULL_TILE = 16
"""So many rows go through the vocabulary's matrix on a CPU in half the time of 12: fewer are filled up."""


class Memory:
    """What the encoder heard, as the decoder reads it: per layer the keys and values of its cross-attention.

    `keys` are (rows, heads, head size, frames), `values` (rows, heads, frames, head size): in this order one query for each
    row, the usual case, costs half of what the fused attention takes on a CPU. See `bytes_per_row`.
    """

    def __init__(self, keys: Sequence[Tensor], values: Sequence[Tensor]) -> None:
        self.keys: Final = tuple(keys)
        self.values: Final = tuple(values)

    def __len__(self) -> int:
        return self.keys[0].shape[0]

    def part(self, first: int, end: int) -> Memory:
        """Rows from `first` to before `end`, not copied."""
        return Memory([kept[first:end] for kept in self.keys], [kept[first:end] for kept in self.values])

    @contextmanager
    def front(self, order: Sequence[int]) -> Iterator[Memory]:
        """These rows, `in_front`, not copied: meanwhile they change places with others, and nobody else may read this."""
        for kept in (*self.keys, *self.values):
            _bring_to_front(kept, order)
        try:
            yield self.part(0, len(order))
        finally:
            for kept in (*self.keys, *self.values):
                _bring_to_front(kept, order)  # changing places twice is staying


def in_front(rows: Iterable[int]) -> list[int]:
    """The same rows in an order in which each is in its own place or comes from behind all of them, so that few move."""
    chosen = set(rows)
    behind = sorted(row for row in chosen if row >= len(chosen))
    return [place if place in chosen else behind.pop() for place in range(len(chosen))]


class Past:
    """What the decoder has read and written so far: keys and values of its self-attention, in columns.

    Row b begins at column `starts[b]`; the columns before are padding that no row ever looks at. None: nothing is padded.
    """

    def __init__(self, layers: int, capacity: int, starts: Tensor | None = None) -> None:
        self.capacity: Final = capacity
        self.length = 0
        self.starts = starts
        self.keys: list[Tensor | None] = [None] * layers
        self.values: list[Tensor | None] = [None] * layers

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's new columns behind `length`; gives all columns up to and with them."""
        end = self.length + keys.shape[2]
        kept_keys, kept_values = self.keys[layer], self.values[layer]
        if kept_keys is None or kept_values is None:
            shape = (keys.shape[0], keys.shape[1], self.capacity, keys.shape[3])
            kept_keys = self.keys[layer] = new_lasting(keys, shape)
            kept_values = self.values[layer] = new_lasting(values, shape)
        kept_keys[:, :, self.length : end] = keys
        kept_values[:, :, self.length : end] = values
        return kept_keys[:, :, :end], kept_values[:, :, :end]

    def keep(self, order: Sequence[int]) -> None:
        """Forget all but these rows, `in_front`."""
        for store in (self.keys, self.values):
            for layer, kept in enumerate(store):
                if kept is not None:
                    _bring_to_front(kept, order)
                    store[layer] = kept[: len(order)]
        if self.starts is not None:
            self.starts = self.starts[list(order)]


class TextDecoder:
    """The decoder of a loaded `WhisperForConditionalGeneration`. Keeps no state: any number of threads may use it."""

    def __init__(self, model: Any) -> None:
        decoder = model.model.decoder
        self._embed_tokens = decoder.embed_tokens
        self._embed_positions = decoder.embed_positions
        self._layers = tuple(decoder.layers)
        self._norm = decoder.layer_norm
        self._vocabulary = model.proj_out
        self._heads = int(model.config.decoder_attention_heads)

    def remember(self, states: Tensor) -> Memory:
        """The cross-attention's keys and values of encoder states (rows, frames, model size), computed once for all steps."""
        rows, frames, size = states.shape
        keys = [new_lasting(states, (rows, self._heads, size // self._heads, frames)) for _ in self._layers]
        values = [new_lasting(states, (rows, self._heads, frames, size // self._heads)) for _ in self._layers]
        at_once = 1 if states.device.type == "cpu" else rows  # a CPU's cache holds one row's on their way
        for first in range(0, rows, at_once):
            some, these = slice(first, first + at_once), states[first : first + at_once]
            for index, layer in enumerate(self._layers):
                keys[index][some] = self._split(layer.encoder_attn.k_proj(these)).transpose(2, 3)
                values[index][some] = self._split(layer.encoder_attn.v_proj(these))
        return Memory(keys, values)

    def bytes_per_row(self, frames: int) -> int:
        """What `Memory` takes for one window: 18 MB for tiny in float32, 246 MB for large-v3 in float16."""
        projections = [layer.encoder_attn.k_proj.weight for layer in self._layers]
        return sum(2 * frames * weight.shape[0] * weight.element_size() for weight in projections)

    def begin(self, capacity: int, starts: Tensor | None = None) -> Past:
        """An empty past with room for `capacity` columns."""
        return Past(len(self._layers), capacity, starts)

    def read(self, ids: Tensor, past: Past, memory: Memory) -> Tensor:
        """The states (rows, columns, model size) of new tokens `ids` (rows, columns). `past` grows by them."""
        hidden, mask = self._enter(ids, past)
        for index, layer in enumerate(self._layers):
            hidden = self._self_attention(layer, index, hidden, past, mask)
            heard = _looks(self._query(layer, hidden), memory.keys[index]).to(hidden.dtype) @ memory.values[index]
            hidden = _feed_forward(layer, hidden + layer.encoder_attn.out_proj(_join(heard)))
        past.length += ids.shape[1]
        return self._norm(hidden)  # type: ignore[no-any-return]  # transformers' modules are published without types

    def logits(self, states: Tensor) -> Tensor:
        """Float32 scores over the vocabulary."""
        rows = len(states)
        if states.device.type == "cpu" and states.dim() == 2 and 4 <= rows < _FULL_TILE:
            states = pad(states, (0, 0, 0, _FULL_TILE - rows))
        return self._vocabulary(states)[:rows].float()  # type: ignore[no-any-return]  # as above

    def attention(self, ids: Tensor, memory: Memory, heads: Sequence[tuple[int, int]]) -> Tensor:
        """Where chosen heads look while the tokens `ids` (rows, columns) are read, nothing padded on the left.

        `heads` are (layer, head) pairs. Float32, (rows, heads, columns, frames), each row of frames summing to 1. One forward
        pass, through no more layers than it takes and without the vocabulary.
        """
        wanted: dict[int, list[int]] = {}
        for at, head in heads:
            wanted.setdefault(at, []).append(head)
        past = self.begin(ids.shape[1])
        hidden, mask = self._enter(ids, past)
        seen: dict[tuple[int, int], Tensor] = {}
        last = max(wanted)
        for index, layer in enumerate(self._layers[: last + 1]):
            hidden = self._self_attention(layer, index, hidden, past, mask)
            looks = _looks(self._query(layer, hidden), memory.keys[index])
            seen.update({(index, head): looks[:, head] for head in wanted.get(index, ())})
            if index < last:
                heard = looks.to(hidden.dtype) @ memory.values[index]
                hidden = _feed_forward(layer, hidden + layer.encoder_attn.out_proj(_join(heard)))
        return torch.stack([seen[pair] for pair in heads], dim=1)

    def _enter(self, ids: Tensor, past: Past) -> tuple[Tensor, Tensor | None]:
        """Embedded tokens at their positions, and which columns each may look at; None: itself and all before."""
        end = past.length + ids.shape[1]
        columns = torch.arange(past.length, end, device=ids.device)
        if past.starts is None:
            positions, mask = columns[None], None
            if ids.shape[1] > 1 and past.length > 0:
                mask = (torch.arange(end, device=ids.device)[None] <= columns[:, None])[None, None]
        else:
            positions = (columns[None] - past.starts[:, None]).clamp(min=0)
            every = torch.arange(end, device=ids.device)
            visible = (every[None, None] <= columns[None, :, None]) & (every[None, None] >= past.starts[:, None, None])
            # Padding looks at itself: a row with nothing to look at would be NaN.
            mask = (visible | (every[None, None] == columns[None, :, None]))[:, None]
        return self._embed_tokens(ids) + self._embed_positions.weight[positions], mask

    def _self_attention(self, layer: Any, index: int, hidden: Tensor, past: Past, mask: Tensor | None) -> Tensor:
        attention = layer.self_attn
        normed = layer.self_attn_layer_norm(hidden)
        query = self._split(attention.q_proj(normed) * attention.scaling)
        keys, values = past.extend(index, self._split(attention.k_proj(normed)), self._split(attention.v_proj(normed)))
        causal = mask is None and hidden.shape[1] > 1
        heard = scaled_dot_product_attention(query, keys, values, attn_mask=mask, is_causal=causal, scale=1.0)
        return hidden + attention.out_proj(_join(heard))  # type: ignore[no-any-return]  # as above

    def _query(self, layer: Any, hidden: Tensor) -> Tensor:
        attention = layer.encoder_attn
        return self._split(attention.q_proj(layer.encoder_attn_layer_norm(hidden)) * attention.scaling)

    def _split(self, states: Tensor) -> Tensor:
        """(rows, columns, model size) as (rows, heads, columns, head size)."""
        rows, columns, size = states.shape
        return states.view(rows, columns, self._heads, size // self._heads).transpose(1, 2)


def _bring_to_front(kept: Tensor, order: Sequence[int]) -> None:
    moved = [(place, row) for place, row in enumerate(order) if place != row]
    if moved:
        places, rows = (list(side) for side in zip(*moved, strict=True))
        kept[places], kept[rows] = kept[rows], kept[places]


def _join(states: Tensor) -> Tensor:
    """(rows, heads, columns, head size) as (rows, columns, model size)."""
    return states.transpose(1, 2).flatten(2)


def _feed_forward(layer: Any, hidden: Tensor) -> Tensor:
    widened = layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden)))
    return hidden + layer.fc2(widened)  # type: ignore[no-any-return]  # as above


def _looks(query: Tensor, keys: Tensor) -> Tensor:
    """Where each head looks: float32 (rows, heads, columns, frames), each row of frames summing to 1."""
    return (query @ keys).float().softmax(dim=-1)
