"""Speech is found where it is, at any level, and nowhere else."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from roundtable import voice_activity
from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.errors import Cancelled, EngineUnavailable
from roundtable.voice_activity import FRAME_S, FRAME_SAMPLES, Region, signal_to_noise_db, speech_probabilities, speech_regions

SAMPLES = Path(__file__).parents[1] / "samples"
SECONDS = 5
TIME = np.arange(SECONDS * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ


def recording(name: str) -> Audio:
    with av.open(str(SAMPLES / name)) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return Audio((np.concatenate(frames) / 32768).astype(np.float32))


@pytest.fixture(scope="module")
def one_word() -> Audio:
    return recording("edge/one_word.flac")  # "Hello." from 1.20 to 1.85


def pink() -> NDArray[np.float64]:
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(len(TIME)))
    noise: NDArray[np.float64] = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(TIME))
    return noise


def hum() -> NDArray[np.float64]:
    harmonics: NDArray[np.float64] = np.sum([np.sin(2 * np.pi * 50 * k * TIME) / k for k in range(1, 8)], axis=0)
    return harmonics


def clicks() -> NDArray[np.float64]:
    impulses = np.zeros(len(TIME))
    impulses[::8000] = 1.0
    return impulses


def tune() -> NDArray[np.float64]:
    note_s = 0.375
    note = (TIME // note_s).astype(int) % 8
    pitch = np.array([261.6, 329.6, 392.0, 523.2, 392.0, 329.6, 440.0, 349.2])[note]
    harmonics = np.sum([np.sin(2 * np.pi * pitch * k * TIME) / k for k in range(1, 6)], axis=0)
    return np.asarray(harmonics * np.exp(-3 * (TIME % note_s)))


NOT_SPEECH: dict[str, Callable[[], NDArray[np.float64]]] = {
    "silence": lambda: np.zeros(len(TIME)),
    "white noise": lambda: np.random.default_rng(0).standard_normal(len(TIME)),
    "pink noise": pink,
    "hum": hum,
    "tone": lambda: np.sin(2 * np.pi * 440 * TIME),
    "chord": lambda: np.sum([np.sin(2 * np.pi * f * TIME) for f in (261.6, 329.6, 392.0)], axis=0),
    "tremolo": lambda: np.sin(2 * np.pi * 150 * TIME) * (1 + np.sin(2 * np.pi * 4 * TIME)),
    "clicks": clicks,
    "tune": tune,
}


@pytest.mark.parametrize("peak_db", [0, -20, -60])
@pytest.mark.parametrize("kind", NOT_SPEECH)
def test_no_speech_is_invented(kind: str, peak_db: int) -> None:
    sound = NOT_SPEECH[kind]()
    sound = sound / max(np.abs(sound).max(), 1e-9) * 10 ** (peak_db / 20)
    assert speech_regions(Audio(sound.astype(np.float32))) == ()


@pytest.mark.parametrize("name", ["silence", "noise", "tone", "short"])
def test_no_speech_in_the_edge_samples(name: str) -> None:
    assert speech_regions(recording(f"edge/{name}.flac")) == ()


def test_one_word_is_one_region(one_word: Audio) -> None:
    (region,) = speech_regions(one_word)
    assert region.start == pytest.approx(1.20, abs=0.1)
    assert region.end == pytest.approx(1.85, abs=0.1)


@pytest.mark.parametrize("gain_db", [-60, -40, 20])
def test_the_level_of_the_recording_does_not_matter(one_word: Audio, gain_db: int) -> None:
    scaled = Audio(one_word.samples * np.float32(10 ** (gain_db / 20)))
    np.testing.assert_allclose(speech_probabilities(scaled), speech_probabilities(one_word), atol=1e-3)


def test_a_loud_click_does_not_hide_quiet_speech(one_word: Audio) -> None:
    samples = one_word.samples * np.float32(0.003)
    samples[1000:1010] = 1.0
    assert speech_regions(Audio(samples))[-1].start == pytest.approx(1.20, abs=0.1)


@pytest.mark.parametrize("gain_db", [-20, -40])
def test_a_beep_does_not_hide_quiet_speech(gain_db: int) -> None:
    speech = recording("meeting.flac").samples[: 12 * SAMPLE_RATE_HZ]
    beep = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
    quiet = speech_regions(Audio(np.concatenate([speech * 10 ** (gain_db / 20), beep]).astype(np.float32)))
    expected = speech_regions(Audio(speech))
    assert sum(region.end - region.start for region in quiet) == pytest.approx(
        sum(region.end - region.start for region in expected), abs=0.3
    )
    assert quiet[-1].end <= 12.3  # not through the beep, which lasts to 13


@pytest.mark.parametrize("noise_db", [-30, -40])
def test_the_end_of_a_ring_over_noise_is_no_speech(noise_db: int) -> None:
    ring = 0.3 * (np.sin(2 * np.pi * 440 * TIME) + np.sin(2 * np.pi * 480 * TIME)) / 2 * (TIME % 3 < 1.5)
    noise = 0.1 * 10 ** (noise_db / 20) * np.random.default_rng(1).standard_normal(len(TIME))
    assert speech_regions(Audio((ring + noise).astype(np.float32))) == ()


def test_signal_to_noise_is_speech_against_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.repeat(np.array([0.001, 0.1, 0.1, 0.5, 0.001], np.float32), FRAME_SAMPLES)
    probabilities = np.array([0.0, 1.0, 0.95, 0.5, 0.05], np.float32)
    monkeypatch.setattr(voice_activity, "_compute", lambda samples, control: probabilities)
    assert signal_to_noise_db(Audio(levels)) == pytest.approx(40.0, abs=1e-3)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_signal_to_noise_is_infinite_without_a_comparison(probability: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_activity, "_compute", lambda samples, control: np.full(2, probability, np.float32))
    assert signal_to_noise_db(Audio(np.full(2 * FRAME_SAMPLES, 0.1, np.float32))) == np.inf


def test_digital_silence_is_no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_activity, "_compute", lambda samples, control: np.array([1.0, 0.0], np.float32))
    samples = np.repeat(np.array([0.1, 0.0], np.float32), FRAME_SAMPLES)
    assert signal_to_noise_db(Audio(samples)) == np.inf


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (511, 1), (512, 1), (513, 2), (16_000, 32)])
def test_one_probability_per_frame_of_512_samples(samples: int, frames: int) -> None:
    probabilities = speech_probabilities(Audio(np.full(samples, 0.1, np.float32)))
    assert probabilities.shape == (frames,)
    assert probabilities.dtype == np.float32
    assert not probabilities.flags.writeable


def test_blocks_leave_no_seam(one_word: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = speech_probabilities(one_word)
    monkeypatch.setattr(voice_activity, "_FRAMES_PER_BLOCK", 7)
    np.testing.assert_array_equal(speech_probabilities(Audio(one_word.samples)), whole)


def test_computed_once_for_all_threads(one_word: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    audio, computed, results = Audio(one_word.samples), [], []
    compute = voice_activity._compute

    def counting(samples: NDArray[np.float32], control: Control | None) -> NDArray[np.float32]:
        computed.append(threading.get_ident())
        return compute(samples, control)

    monkeypatch.setattr(voice_activity, "_compute", counting)
    threads = [threading.Thread(target=lambda: results.append(speech_probabilities(audio))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(computed) == 1
    assert [result is results[0] for result in results] == [True] * 4


def test_two_recordings_at_once_give_what_each_gives_alone(one_word: Audio) -> None:
    other = one_word.samples[::-1].copy()
    alone = [speech_probabilities(Audio(samples)) for samples in (one_word.samples, other)]
    together: dict[int, NDArray[np.float32]] = {}

    def run(index: int, samples: NDArray[np.float32]) -> None:
        together[index] = speech_probabilities(Audio(samples))

    threads = [threading.Thread(target=run, args=item) for item in enumerate((one_word.samples, other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(together[0], alone[0])
    np.testing.assert_array_equal(together[1], alone[1])


def test_a_recording_is_forgotten_with_its_last_user(one_word: Audio) -> None:
    audio = Audio(one_word.samples)
    speech_probabilities(audio)
    known, alive = len(voice_activity._memory), weakref.ref(audio)
    del audio
    gc.collect()
    assert alive() is None
    assert len(voice_activity._memory) == known - 1


def test_cancelled_work_is_done_afresh_by_the_next_caller(one_word: Audio) -> None:
    audio, control = Audio(one_word.samples), Control()
    control.cancel()
    with pytest.raises(Cancelled):
        speech_probabilities(audio, control)
    assert len(speech_probabilities(audio)) == -(-len(audio.samples) // FRAME_SAMPLES)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    voice_activity._load.cache_clear()
    with pytest.raises(EngineUnavailable, match="silero-vad"):
        speech_probabilities(Audio(np.zeros(512, np.float32)))
    monkeypatch.undo()
    voice_activity._load.cache_clear()


# The rules that turn probabilities into regions, on probabilities written by hand: one digit is a frame's tenths.


def regions(
    digits: str, monkeypatch: pytest.MonkeyPatch, *, min_speech: int = 0, min_silence: int = 0, pad: int = 0
) -> list[tuple[float, float]]:
    """Regions in frames."""
    probabilities = np.array([int(digit) / 10 for digit in digits], np.float32)
    monkeypatch.setattr(voice_activity, "_compute", lambda samples, control: probabilities)
    audio = Audio(np.zeros(len(digits) * FRAME_SAMPLES, np.float32))
    found = speech_regions(audio, min_speech_s=min_speech * FRAME_S, min_silence_s=min_silence * FRAME_S, pad_s=pad * FRAME_S)
    return [(round(region.start / FRAME_S, 6), round(region.end / FRAME_S, 6)) for region in found]


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("000000", []),
        ("999999", [(0, 6)]),
        ("444444", []),  # never reached the threshold
        ("064440", [(1, 5)]),  # 0.4 goes on with what has begun
        ("063600", [(1, 2), (3, 4)]),  # 0.3 ends it
        ("000009", [(5, 6)]),
    ],
)
def test_speech_begins_high_and_ends_low(digits: str, expected: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert regions(digits, monkeypatch) == expected


def test_short_pauses_are_bridged_and_long_ones_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert regions("9900990009", monkeypatch, min_silence=3) == [(0, 6), (9, 10)]


def test_short_speech_is_dropped_after_bridging(monkeypatch: pytest.MonkeyPatch) -> None:
    assert regions("9000900990", monkeypatch, min_speech=2) == [(7, 9)]
    assert regions("9090900000", monkeypatch, min_speech=2, min_silence=2) == [(0, 5)]


def test_padding_stops_at_the_ends_and_in_the_middle_of_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    assert regions("0990099000000990", monkeypatch, pad=2) == [(0, 4), (4, 9), (11, 16)]


def test_regions_of_a_meeting_are_sorted_disjoint_and_inside() -> None:
    audio = recording("meeting.flac")
    found = speech_regions(audio, pad_s=0.2)
    assert all(isinstance(region, Region) and 0 <= region.start < region.end <= audio.duration_s for region in found)
    assert all(left.end <= right.start for left, right in pairwise(found))


def test_regions_of_a_meeting_cover_its_script_and_little_else() -> None:
    audio = recording("meeting.flac")
    said = np.zeros(int(audio.duration_s * 100) + 1, bool)
    for line in (SAMPLES / "meeting.stm").read_text().splitlines():
        _, _, _, start, end, *_ = line.split()
        said[round(float(start) * 100) : round(float(end) * 100)] = True
    heard = np.zeros_like(said)
    for region in speech_regions(audio):
        heard[round(region.start * 100) : round(region.end * 100)] = True
    assert (said & heard).sum() / said.sum() > 0.98
    assert (heard & ~said).sum() / (~said).sum() < 0.25


def test_a_long_recording_is_heard_in_stretches_as_if_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = np.concatenate([recording("meeting.flac").samples, recording("call.flac").samples])
    samples = np.resize(spoken, 200 * SAMPLE_RATE_HZ + 321)
    in_stretches = speech_probabilities(Audio(samples))
    monkeypatch.setattr(voice_activity, "_MOST_STRETCHES", 1)
    in_one = speech_probabilities(Audio(samples))
    assert in_stretches.shape == in_one.shape == (6251,)
    first = -(-6251 // 3)
    assert np.abs(in_stretches[:first] - in_one[:first]).max() < 1e-5
    assert np.mean((in_stretches > 0.5) != (in_one > 0.5)) < 0.003


def test_a_recording_under_two_minutes_is_heard_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.resize(recording("call.flac").samples, 119 * SAMPLE_RATE_HZ)
    probabilities = speech_probabilities(Audio(samples))
    monkeypatch.setattr(voice_activity, "_MOST_STRETCHES", 1)
    np.testing.assert_array_equal(probabilities, speech_probabilities(Audio(samples)))
