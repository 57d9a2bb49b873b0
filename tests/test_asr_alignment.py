"""The best path is the best, rows keep to themselves, and words end where the speech ends."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roundtable import voice_activity
from roundtable.asr.alignment import FRAME_S, FloatArray, best_path, speech_in, token_times
from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.windows import Window

untimed = settings(deadline=None)
seeds = st.integers(0, 2**32 - 1)


def best_path_cell_by_cell(shares: FloatArray, silence: FloatArray | None) -> list[tuple[int, int]]:
    """Every state at every frame, as a textbook has it. States: silence, row 0, silence, row 1, …, silence."""
    rows, frames = shares.shape
    states = 2 * rows + 1
    quiet = np.full(frames, -np.inf) if silence is None else silence
    worth = [quiet if state % 2 == 0 else shares[state // 2] for state in range(states)]
    best = np.full((states, frames), -np.inf)
    came_from = np.zeros((states, frames), np.int64)
    best[0, 0], best[1, 0] = worth[0][0], worth[1][0]
    for frame, state in product(range(1, frames), range(states)):
        before = [state, state - 1] if state % 2 == 0 else [state, state - 1, state - 2]
        came_from[state, frame] = max((s for s in before if s >= 0), key=lambda s: best[s, frame - 1])
        best[state, frame] = best[came_from[state, frame], frame - 1] + worth[state][frame]
    path = [max((states - 1, states - 2), key=lambda state: best[state, -1])]
    for frame in range(frames - 1, 0, -1):
        path.append(int(came_from[path[-1], frame]))
    path.reverse()
    assert path[0] in (0, 1)
    return [(path.index(2 * row + 1), frames - path[::-1].index(2 * row + 1)) for row in range(rows)]


@untimed
@given(seeds, st.integers(1, 7), st.integers(0, 20), st.booleans())
def test_the_path_is_the_one_that_a_search_cell_by_cell_finds(seed: int, rows: int, spare: int, with_silence: bool) -> None:
    random = np.random.default_rng(seed)
    shares = random.random((rows, rows + spare))
    silence = random.uniform(-1.0, 1.0, rows + spare) if with_silence else None
    assert [tuple(span) for span in best_path(shares, silence).tolist()] == best_path_cell_by_cell(shares, silence)


def attention_of(random: np.random.Generator, heads: int, steps: int, frames: int) -> NDArray[np.float32]:
    raw = np.exp(3 * random.standard_normal((heads, steps, frames)))
    attention: NDArray[np.float32] = (raw / raw.sum(axis=2, keepdims=True)).astype(np.float32)
    return attention


@untimed
@given(seeds, st.lists(st.tuples(st.integers(0, 12), st.integers(0, 60)), min_size=1, max_size=4), st.booleans())
def test_times_ascend_within_the_sound_and_other_rows_and_padding_have_no_say(
    seed: int, shapes: list[tuple[int, int]], with_speech: bool
) -> None:
    random = np.random.default_rng(seed)
    rows = [attention_of(random, 3, tokens + 1, max(frames, 1)) for tokens, frames in shapes]
    speech = [random.random(frames) for _, frames in shapes] if with_speech else None
    batch = np.full((len(shapes), 3, 15, 64), np.nan, np.float32)
    for place, row in zip(batch, rows, strict=True):
        place[:, : row.shape[1], : row.shape[2]] = row
    tokens, frames = [tokens for tokens, _ in shapes], [frames for _, frames in shapes]
    together = token_times(torch.from_numpy(batch), tokens, frames, speech)
    for at, (count, length) in enumerate(shapes):
        alone = token_times(torch.from_numpy(rows[at][None]), [count], [length], speech and [speech[at]])[0]
        np.testing.assert_array_equal(together[at], alone)
        assert alone.shape == (count, 2)
        assert (np.diff(alone.ravel()) >= 0).all()
        assert (alone >= 0).all()
        assert (alone <= length * FRAME_S + 1e-9).all()
        if length:
            assert (alone[:, 0] < alone[:, 1]).all()
        if not with_speech:
            np.testing.assert_array_equal(alone[1:, 0], alone[:-1, 1])
            assert not count or alone[0, 0] == 0.0


def looks_at(spans: list[tuple[int, int]], frames: int, blur: float = 1e-4) -> torch.Tensor:
    """One head that looks at these frames, evenly, and hardly anywhere else."""
    attention = np.full((len(spans), frames), blur)
    for row, (start, stop) in enumerate(spans):
        attention[row, start:stop] = 1.0
    return torch.from_numpy(attention / attention.sum(axis=1, keepdims=True))[None]


SPANS = [(20, 35), (35, 41), (70, 90), (95, 100)]  # three tokens, and the end of the text


def test_words_neither_swallow_pauses_nor_begin_with_the_window() -> None:
    speech = np.zeros(100)
    speech[20:41] = speech[70:90] = 0.95
    times = token_times(looks_at(SPANS, 100)[None], [3], [100], [speech])[0]
    np.testing.assert_allclose(times, [[0.4, 0.7], [0.7, 0.82], [1.4, 1.8]])


def test_without_knowing_the_silence_every_token_lasts_to_the_next() -> None:
    times = token_times(looks_at(SPANS, 100)[None], [3], [100])[0]
    assert times[0, 0] == 0.0
    np.testing.assert_array_equal(times[1:, 0], times[:-1, 1])
    assert times[1, 0] == pytest.approx(0.7)
    assert 41 <= round(times[2, 0] / FRAME_S) <= 70


def test_a_pause_within_the_speech_of_one_token_does_not_end_it() -> None:
    """A word of several syllables, or one that the detector believes only in part."""
    speech = np.full(100, 0.95)
    speech[26:29] = 0.05
    times = token_times(looks_at(SPANS, 100)[None], [3], [100], [speech])[0]
    assert times[0].tolist() == pytest.approx([0.0, 0.7])


def test_heads_that_look_everywhere_or_at_one_frame_change_nothing() -> None:
    sharp = looks_at(SPANS, 100)
    even = torch.full_like(sharp, 0.01)
    stuck = torch.full_like(sharp, 1e-6)
    stuck[:, :, 50] = 1.0
    speech = np.zeros(100)
    speech[20:41] = speech[70:90] = speech[95:] = 0.95
    alone = token_times(sharp[None], [3], [100], [speech])[0]
    np.testing.assert_array_equal(token_times(torch.cat([sharp, even, stuck])[None], [3], [100], [speech])[0], alone)


def test_attention_to_the_padding_counts_for_nothing() -> None:
    """Row by row it is the share of the sound that matters, however much a step looks beyond it."""
    sharp = looks_at(SPANS, 100)
    wide = torch.cat([sharp * torch.tensor([0.9, 0.1, 0.5, 0.02])[None, :, None], torch.rand(1, 4, 40)], dim=2)
    np.testing.assert_array_equal(token_times(wide[None], [3], [100])[0], token_times(sharp[None], [3], [100])[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_dtype_will_do(dtype: torch.dtype) -> None:
    expected = token_times(looks_at(SPANS, 100)[None], [3], [100], [np.full(100, 0.4)])[0]
    times = token_times(looks_at(SPANS, 100)[None].to(dtype), [3], [100], [np.full(100, 0.4)])[0]
    np.testing.assert_array_equal(times, expected)


def test_the_smallest_rows() -> None:
    attention = torch.full((4, 2, 5, 8), 0.125)
    none, no_sound, one_frame, loop = token_times(attention, [0, 2, 1, 4], [8, 0, 1, 2], [np.ones(n) for n in (8, 0, 1, 2)])
    assert none.shape == (0, 2)
    assert no_sound.tolist() == [[0.0, 0.0]] * 2
    assert one_frame.shape == (1, 2)
    assert (one_frame[0, 0], one_frame[0, 1]) == (0.0, 0.01)  # half of the frame: the end of the text wants the rest
    assert loop.shape == (4, 2)
    assert (np.diff(loop.ravel()) >= 0).all()
    assert loop[-1, 1] < 0.04


def test_a_frame_too_many_by_a_rounding_error_is_not_read() -> None:
    attention = torch.full((1, 1, 2, 8), 0.125)
    speech = [np.ones(7)]
    (seven,), (eight,) = token_times(attention, [1], [7], speech), token_times(attention, [1], [8], speech)
    np.testing.assert_array_equal(eight, seven)


def test_a_window_knows_the_speech_in_its_frames_across_its_joints() -> None:
    audio = Audio(np.zeros(2 * SAMPLE_RATE_HZ, np.float32))
    probabilities = np.linspace(0.0, 1.0, 63, dtype=np.float32)
    entry = voice_activity._Entry()
    entry.probabilities = probabilities
    voice_activity._memory[audio] = entry
    pieces = ((1000, 1900), (20_000, 20_100), (31_000, 32_000))
    heard = speech_in(Window(audio, pieces))
    samples = np.concatenate([np.arange(start, end) for start, end in pieces])
    assert len(heard) == 7  # 2000 samples: six whole frames and a quarter
    np.testing.assert_array_equal(heard, probabilities[samples[[160, 480, 800, 1120, 1440, 1760, 1999]] // 512])
