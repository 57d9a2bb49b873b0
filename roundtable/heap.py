"""Freed memory: given back to the system at once, or, where blocks of one size come and go, kept for the next one.

glibc learns from what is freed: before long it serves blocks of up to 32 MB from a heap in which they leave holes, and an hour
of audio takes 50 to 100 MB more than ten minutes do, although nothing is kept. With a fixed threshold it takes the waveform.
Then, however, each intermediate result of a network is paged in anew, which costs Whisper's encoder a fifth of its time, and
pyannote half of it. So these reuse blocks, and what outlives a network's step lies elsewhere, in `own_pages`: between blocks
that come and go it would be what keeps the next one from fitting.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_RETURNED_FROM, _REUSED_TO = 1 << 20, 32 << 20  # bytes; the second is the most that glibc takes
_TOP_RETURNED_FROM, _TOP_KEPT = 128 << 10, 128 << 20  # of what is free at the heap's end; the first is glibc's own


@cache
def return_large_blocks() -> None:
    """For the whole process, from now on. Where the C library is not glibc, does nothing."""
    _set(_RETURNED_FROM, _TOP_RETURNED_FROM)


@contextmanager
def reusing_large_blocks() -> Iterator[None]:
    """Not so meanwhile, in the whole process; afterwards what the heap holds in vain goes back, in a few milliseconds.

    Several may at the same time, from any thread: it is over when the last has ended. Changes nothing where nobody has asked
    for large blocks to be returned.
    """
    if not return_large_blocks.cache_info().currsize:
        yield
        return
    with _lock:
        _reusing.append(None)
        _set(_REUSED_TO, _TOP_KEPT)
    try:
        yield
    finally:
        with _lock:
            _reusing.pop()
            if not _reusing:
                _set(_RETURNED_FROM, _TOP_RETURNED_FROM)
        _function("malloc_trim")(0)


def give_back() -> None:
    """What the heap holds in vain goes back while blocks are still reused: for work whose steps leave holes over time."""
    if _reusing:
        _function("malloc_trim")(0)


def own_pages(size_bytes: int) -> mmap.mmap:
    """Zeros outside the heap, which go back to the system when nothing refers to them any more. Raises `MemoryError`."""
    # Shared ones, Python's default, belong to a file system in memory, and cost more to page in.
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
    try:
        return mmap.mmap(-1, max(size_bytes, 1), **private)
    except OSError as error:
        raise MemoryError(f"no memory for {size_bytes} bytes") from error


def own_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """`np.zeros(shape, dtype)` in `own_pages`: memory is taken where something is written. Raises `MemoryError`."""
    kind, count = np.dtype(dtype), math.prod(shape)
    return np.frombuffer(own_pages(count * kind.itemsize), kind, count).reshape(shape)


_lock = threading.Lock()
_reusing: list[None] = []


def _set(mmap_threshold: int, trim_threshold: int) -> None:
    tune = _function("mallopt")
    tune(_M_MMAP_THRESHOLD, mmap_threshold)
    tune(_M_TRIM_THRESHOLD, trim_threshold)


@cache
def _function(name: str) -> Callable[..., Any]:
    try:
        return getattr(ctypes.CDLL("libc.so.6"), name)  # type: ignore[no-any-return]  # ctypes has no types for them
    except (OSError, AttributeError):
        return lambda *_: 0
