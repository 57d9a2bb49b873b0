"""Whether memory ran out, for engines on torch that try again with less."""

from __future__ import annotations

import gc

import torch


def ran_out_of_memory(error: Exception) -> bool:
    """Whether that is what `error` says. If so, what can be freed has been freed: call it outside of what held the memory."""
    # A CPU allocator says so in words only.
    if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "can't allocate memory" not in str(error):
        return False
    error.__traceback__ = None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return True
