"""When glibc is told what. Whether it helps is for the benchmarks to say."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from roundtable import heap

RETURN = [("mallopt", -3, 1 << 20), ("mallopt", -1, 128 << 10)]
REUSE = [("mallopt", -3, 32 << 20), ("mallopt", -1, 128 << 20)]
TRIM = [("malloc_trim", 0)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[object, ...]]]:
    calls: list[tuple[object, ...]] = []

    def function(name: str) -> Callable[..., int]:
        def call(*arguments: object) -> int:
            calls.append((name, *arguments))
            return 1

        return call

    heap.return_large_blocks.cache_clear()
    monkeypatch.setattr(heap, "_function", function)
    yield calls
    heap.return_large_blocks.cache_clear()


def test_nothing_changes_where_nobody_asked_for_blocks_to_be_returned(told: list[tuple[object, ...]]) -> None:
    with heap.reusing_large_blocks():
        pass
    assert told == []


def test_the_last_to_end_returns_blocks_again(told: list[tuple[object, ...]]) -> None:
    heap.return_large_blocks()
    with heap.reusing_large_blocks(), heap.reusing_large_blocks():
        pass
    assert told == [*RETURN, *REUSE, *REUSE, *TRIM, *RETURN, *TRIM]


def test_an_error_ends_it_too(told: list[tuple[object, ...]]) -> None:
    heap.return_large_blocks()
    with pytest.raises(ZeroDivisionError), heap.reusing_large_blocks():
        raise ZeroDivisionError
    assert told == [*RETURN, *REUSE, *RETURN, *TRIM]


def test_from_several_threads_it_ends_once(told: list[tuple[object, ...]]) -> None:
    heap.return_large_blocks()
    together = Barrier(4)

    def work(_: int) -> None:
        with heap.reusing_large_blocks():
            together.wait(10)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert told.count(RETURN[0]) == 2
    assert told[-1] == TRIM[0]


def test_what_is_held_in_vain_goes_back_only_while_blocks_are_reused(told: list[tuple[object, ...]]) -> None:
    heap.return_large_blocks()
    heap.give_back()
    with heap.reusing_large_blocks():
        heap.give_back()
    assert told == [*RETURN, *REUSE, *TRIM, *RETURN, *TRIM]


def test_pages_of_their_own_are_zeros_and_more_than_there_are_is_a_memory_error() -> None:
    with heap.own_pages(5000) as pages:
        assert pages[:] == bytes(5000)
    with heap.own_pages(0) as none:
        assert len(none) == 1
    with pytest.raises(MemoryError, match="no memory for 4611686018427387904 bytes"):
        heap.own_pages(1 << 62)


def test_glibc_has_what_is_called() -> None:
    assert heap._function("malloc_trim")(0) in (0, 1)
    assert hasattr(ctypes.CDLL(None), "mallopt") == hasattr(ctypes.CDLL(None), "malloc_trim")
