"""Tensors that last lie outside the heap and are otherwise what they would be."""

from __future__ import annotations

import gc
import mmap
from weakref import ref

import pytest
import torch

from roundtable import torch_memory
from roundtable.torch_memory import new_lasting, ran_out_of_memory


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ref[mmap.mmap]]]:
    made: list[tuple[int, ref[mmap.mmap]]] = []

    class Mapped(mmap.mmap):
        """One that can be seen to go."""

    def own_pages(size_bytes: int) -> mmap.mmap:
        pages = Mapped(-1, size_bytes)
        made.append((size_bytes, ref(pages)))
        return pages

    monkeypatch.setattr(torch_memory, "own_pages", own_pages)
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64])
def test_a_large_one_has_pages_of_its_own_until_nothing_refers_to_it(
    mapped: list[tuple[int, ref[mmap.mmap]]], dtype: torch.dtype
) -> None:
    like = torch.empty(0, dtype=dtype)
    tensor = new_lasting(like, (3, 1000, 500))
    assert (tensor.shape, tensor.dtype, tensor.is_contiguous()) == ((3, 1000, 500), dtype, True)
    assert not tensor.any()
    [(size_bytes, pages)] = mapped
    assert size_bytes == 1_500_000 * like.element_size()
    part = tensor[1:].copy_(torch.ones(()))
    del tensor
    gc.collect()
    assert pages() is not None
    assert part.sum() == 1_000_000 if dtype in (torch.float32, torch.int64) else part.all()
    del part
    gc.collect()
    assert pages() is None


@pytest.mark.parametrize("shape", [(0, 4), (10,), (1 << 18,)])
def test_a_small_one_stays_on_the_heap(mapped: list[tuple[int, ref[mmap.mmap]]], shape: tuple[int, ...]) -> None:
    assert new_lasting(torch.empty(0, dtype=torch.int8), shape).shape == shape
    assert mapped == []


def test_more_than_there_is_counts_as_having_run_out_of_memory() -> None:
    with pytest.raises(MemoryError) as refused:
        new_lasting(torch.empty(0), (1 << 40, 1 << 10))
    assert ran_out_of_memory(refused.value)


@pytest.mark.parametrize(
    "told",
    [
        "[enforce fail at alloc_cpu.cpp:125] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.",
        "could not create a primitive",
        "std::bad_alloc",
    ],
)
def test_what_torch_says_of_exhausted_memory_on_a_cpu_is_understood(told: str) -> None:
    """The second is oneDNN's: pyannote's speakers were lost by it, where smaller batches would have fitted."""
    assert ran_out_of_memory(RuntimeError(told))
    assert not ran_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
