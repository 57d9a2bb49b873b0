"""Memory for engines on torch: large tensors that last, and whether it ran out, so that one tries again with less."""

from __future__ import annotations

import gc
import math

import torch
from torch import Tensor

from roundtable.heap import own_pages

_OWN_PAGES_FROM = 1 << 20  # bytes

_WORDS = ("can't allocate memory", "std::bad_alloc", "could not create a primitive")
"""On a CPU torch's allocator, C++ and oneDNN say so in words only."""


def new_lasting(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`like.new_empty(shape)`, for what outlives the step it is made in: on a CPU, outside the heap if it is large.

    Raises `MemoryError` on a CPU, `torch.OutOfMemoryError` elsewhere.
    """
    size_bytes = math.prod(shape) * like.element_size()
    if like.device.type != "cpu" or size_bytes < _OWN_PAGES_FROM:
        return like.new_empty(shape)
    return torch.frombuffer(own_pages(size_bytes), dtype=like.dtype, count=math.prod(shape)).view(shape)


def ran_out_of_memory(error: Exception) -> bool:
    """Whether that is what `error` says. If so, what can be freed has been freed: call it outside of what held the memory."""
    if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and not any(words in str(error) for words in _WORDS):
        return False
    error.__traceback__ = None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return True
