"""Windows hold every region once, none is too long, and times find their way back."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roundtable import voice_activity
from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.voice_activity import FRAME_S, Region
from roundtable.windows import Window, pack_windows

TICK_S = 0.01
untimed = settings(deadline=None)  # a shared machine may take a nap in any example


def ramp(seconds: float) -> Audio:
    """Every sample is its own index, so that what a window holds can be read off."""
    return Audio(np.arange(int(seconds * SAMPLE_RATE_HZ), dtype=np.float32))


RAMP = ramp(120.0)


@pytest.fixture(autouse=True, scope="module")
def _no_network() -> None:
    """The ramp is no speech; what the network thinks of it only costs time."""
    entry = voice_activity._Entry()
    entry.probabilities = np.full(-(-len(RAMP.samples) // voice_activity.FRAME_SAMPLES), 0.9, np.float32)
    voice_activity._memory[RAMP] = entry


def with_probabilities(audio: Audio, probabilities: NDArray[np.float32]) -> Audio:
    entry = voice_activity._Entry()
    entry.probabilities = probabilities
    voice_activity._memory[audio] = entry
    return audio


@st.composite
def region_lists(draw: st.DrawFn) -> list[Region]:
    """Sorted, disjoint regions inside RAMP, on a grid of 10 ms; some touch, some are longer than a window."""
    steps = draw(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 3000)), max_size=12))
    regions, at = [], 0
    for gap, length in steps:
        start, end = at + gap, at + gap + length
        if end * TICK_S > RAMP.duration_s:
            break
        regions.append(Region(start * TICK_S, end * TICK_S))
        at = end
    return regions


gaps = st.sampled_from([0.0, 0.1, 0.5, 1.0, math.inf])


def samples_of(regions: list[Region]) -> NDArray[np.int64]:
    parts = [np.arange(round(r.start * SAMPLE_RATE_HZ), round(r.end * SAMPLE_RATE_HZ)) for r in regions]
    return np.concatenate([np.empty(0, np.int64), *parts])


@untimed
@given(region_lists(), st.floats(1.0, 40.0), gaps, gaps)
def test_every_region_is_held_once_in_order_and_no_window_is_too_long(
    regions: list[Region], max_s: float, max_gap_s: float, keep_gap_s: float
) -> None:
    windows = pack_windows(RAMP, regions, max_s, max_gap_s=max_gap_s, keep_gap_s=keep_gap_s)
    heard = np.concatenate([np.empty(0, np.float32), *(window.samples() for window in windows)]).astype(np.int64)
    assert (np.diff(heard) > 0).all()  # nothing twice, nothing out of order
    speech = samples_of(regions)
    assert np.isin(speech, heard).all()
    if keep_gap_s == 0.0:
        np.testing.assert_array_equal(heard, speech)
    assert all(0 < window.duration_s <= max_s for window in windows)
    assert all(len(window.samples()) == round(window.duration_s * SAMPLE_RATE_HZ) for window in windows)
    for window in windows:
        for (_, left_end), (right_start, _) in pairwise(window.pieces):
            assert 0 < right_start - left_end <= max_gap_s * SAMPLE_RATE_HZ


@untimed
@given(region_lists(), st.floats(1.0, 40.0), gaps, st.lists(st.floats(-1.0, 41.0), min_size=2, max_size=20))
def test_file_time_never_falls_and_comes_back(
    regions: list[Region], max_s: float, keep_gap_s: float, times: list[float]
) -> None:
    times.sort()
    for window in pack_windows(RAMP, regions, max_s, keep_gap_s=keep_gap_s):
        for side in ("start", "end"):
            there = [window.to_file_time(time, side) for time in times]
            assert there == sorted(there)
            assert all(window.start <= time <= window.end for time in there)
            clipped = [min(max(time, 0.0), window.duration_s) for time in times]
            assert [window.to_window_time(time) for time in there] == pytest.approx(clipped, abs=1e-9)
        assert all(window.to_file_time(time, "end") <= window.to_file_time(time, "start") for time in times)


@untimed
@given(region_lists(), st.floats(1.0, 40.0), st.lists(st.floats(0.0, 120.0), min_size=2, max_size=20))
def test_window_time_never_falls(regions: list[Region], max_s: float, times: list[float]) -> None:
    times.sort()
    for window in pack_windows(RAMP, regions, max_s):
        there = [window.to_window_time(time) for time in times]
        assert there == sorted(there)
        assert all(0.0 <= time <= window.duration_s for time in there)


@untimed
@given(region_lists(), st.floats(1.0, 40.0), st.data())
def test_a_sample_of_the_window_is_the_sample_at_its_file_time(
    regions: list[Region], max_s: float, data: st.DataObject
) -> None:
    for window in pack_windows(RAMP, regions, max_s):
        samples = window.samples()
        index = data.draw(st.integers(0, len(samples) - 1))
        assert round(window.to_file_time(index / SAMPLE_RATE_HZ) * SAMPLE_RATE_HZ) == int(samples[index])


def seconds(windows: tuple[Window, ...]) -> list[list[tuple[float, float]]]:
    return [[(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ) for start, end in window.pieces] for window in windows]


SPOKEN = [Region(1.0, 4.0), Region(5.0, 9.0), Region(9.2, 12.0), Region(20.0, 22.0)]


def test_no_regions_no_windows() -> None:
    assert pack_windows(RAMP, [], 30.0) == ()


def test_regions_are_packed_until_the_window_is_full() -> None:
    assert seconds(pack_windows(RAMP, SPOKEN, 9.8)) == [
        [(1.0, 4.0), (5.0, 9.0), (9.2, 12.0)],
        [(20.0, 22.0)],
    ]
    assert seconds(pack_windows(RAMP, SPOKEN, 9.7)) == [
        [(1.0, 4.0), (5.0, 9.0)],
        [(9.2, 12.0), (20.0, 22.0)],
    ]


def test_a_long_pause_ends_a_window() -> None:
    assert seconds(pack_windows(RAMP, SPOKEN, 30.0, max_gap_s=0.5)) == [
        [(1.0, 4.0)],
        [(5.0, 9.0), (9.2, 12.0)],
        [(20.0, 22.0)],
    ]


def test_pauses_may_be_kept_whole_or_in_part() -> None:
    assert seconds(pack_windows(RAMP, SPOKEN, 30.0, keep_gap_s=math.inf)) == [[(1.0, 22.0)]]
    assert seconds(pack_windows(RAMP, SPOKEN, 30.0, keep_gap_s=0.5)) == [[(1.0, 4.25), (4.75, 12.25), (19.75, 22.0)]]


def test_a_kept_pause_counts_towards_the_length() -> None:
    assert len(pack_windows(RAMP, SPOKEN[:2], 8.0, keep_gap_s=math.inf)) == 1
    assert len(pack_windows(RAMP, SPOKEN[:2], 7.99, keep_gap_s=math.inf)) == 2


def test_a_joint_is_the_end_of_one_piece_and_the_start_of_the_next() -> None:
    (window,) = pack_windows(RAMP, SPOKEN[:2], 30.0)
    assert window.to_file_time(3.0, "end") == 4.0
    assert window.to_file_time(3.0, "start") == 5.0
    assert window.to_file_time(2.5) == 3.5
    assert window.to_file_time(-1.0) == 1.0
    assert window.to_file_time(99.0) == 9.0
    assert window.to_file_time(99.0, "end") == 9.0
    assert window.to_window_time(4.7) == 3.0


def test_a_word_that_seems_to_span_what_was_dropped_is_in_the_piece_that_holds_most_of_it() -> None:
    (window,) = pack_windows(RAMP, [Region(1.0, 3.0), Region(10.0, 13.0)], 30.0)
    assert window.stretch_in_file(0.5, 1.0) == (1.5, 2.0)
    assert window.stretch_in_file(1.2, 2.3) == (2.2, 3.0)
    assert window.stretch_in_file(1.8, 2.3) == (10.0, 10.3)
    assert window.stretch_in_file(1.0, 2.0) == (2.0, 3.0)
    assert window.stretch_in_file(2.0, 3.0) == (10.0, 11.0)
    assert window.stretch_in_file(4.9, 7.0) == (12.9, 13.0)


@untimed
@example(
    [Region(0.0, 0.01), Region(0.01, 0.02), Region(0.02, 4.03), Region(4.04, 4.05)], 0.0, 5.0
)  # 4.03 s are 64480.0…1 samples
@given(region_lists(), st.floats(-1.0, 40.0), st.floats(0.0, 20.0))
def test_a_stretch_stays_within_one_piece_of_its_window(regions: list[Region], start: float, length: float) -> None:
    for window in pack_windows(RAMP, regions, 30.0):
        first, last = window.stretch_in_file(start, start + length)
        assert first <= last
        assert last - first <= length + 1e-6
        pieces = [(begin / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ) for begin, end in window.pieces]
        assert any(begin - 1e-6 <= first and last <= end + 1e-6 for begin, end in pieces)


def test_a_long_region_is_cut_where_speech_is_least_likely() -> None:
    probabilities = np.full(1000, 0.95, np.float32)
    probabilities[round(17.0 / FRAME_S)] = 0.1
    audio = with_probabilities(Audio(np.full(1000 * 512, 0.1, np.float32)), probabilities)
    first, second = pack_windows(audio, [Region(0.0, 32.0)], 20.0)
    assert first.end == pytest.approx(17.0, abs=2 * FRAME_S)
    assert second.start == first.end
    assert second.end == 32.0


def test_a_long_region_is_cut_in_a_quiet_moment_when_all_is_speech() -> None:
    samples = np.random.default_rng(0).standard_normal(32 * SAMPLE_RATE_HZ).astype(np.float32)
    samples[round(14.0 * SAMPLE_RATE_HZ) : round(14.2 * SAMPLE_RATE_HZ)] *= 0.05
    audio = with_probabilities(Audio(samples), np.full(1000, 1.0, np.float32))
    first, _ = pack_windows(audio, [Region(0.0, 32.0)], 20.0)
    assert 14.0 < first.end < 14.2


def test_a_cut_leaves_no_crumb() -> None:
    audio = with_probabilities(Audio(np.full(40 * SAMPLE_RATE_HZ, 0.1, np.float32)), np.full(1250, 0.9, np.float32))
    first, second = pack_windows(audio, [Region(0.0, 30.01)], 30.0)
    assert first.duration_s <= 29.51
    assert second.duration_s >= 0.5


@pytest.mark.parametrize("length_s", [29.99, 30.0])
def test_what_just_fits_is_not_cut(length_s: float) -> None:
    assert len(pack_windows(RAMP, [Region(2.0, 2.0 + length_s)], 30.0)) == 1


def test_windows_under_a_second_are_refused() -> None:
    with pytest.raises(ValueError, match="max_s"):
        pack_windows(RAMP, SPOKEN, 0.99)


def test_windows_hold_no_samples_until_asked() -> None:
    (window,) = pack_windows(RAMP, [Region(0.0, 2.0), Region(3.0, 4.0)], 30.0)
    assert window.audio is RAMP
    assert window.samples() is not window.samples()
