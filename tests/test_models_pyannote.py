"""The trained tiny diarization pipeline tells held-out speakers apart in the real library, and learned from true labels."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyannote.audio import Model, Pipeline
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from roundtable.audio import decode_audio
from samples.make_samples import SAMPLE_RATE_HZ
from tests.models.conversations import Recording, ReferenceWord
from tests.models.corpus import Spoken
from tests.models.judge_pyannote import DEVELOPMENT, HELD_OUT, diarize, reference
from tests.models.make_pyannote import CHUNK_S, DIMENSION, embed, embedding_model, save, segmentation_model
from tests.models.mixtures import FRAME_HZ, MOST_AT_ONCE, MOST_SPEAKERS, SPEEDS, MixtureMaker
from tests.models.voices import familiar, label, others, strangers

SHIPPED = Path(__file__).parent / "models" / "pyannote-tiny"
HELD_OUT_RECORDINGS = Path(__file__).parent / "models" / "held_out"


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - sentences, not secrets


# ---------------------------------------------------------------- the shipped pipeline


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return Pipeline.from_pretrained(SHIPPED)


def shipped_recording(name: str) -> tuple[Recording, Annotation]:
    """A recording of `held_out/` and who speaks in it, by its RTTM."""
    audio = decode_audio((HELD_OUT_RECORDINGS / f"{name}.flac").read_bytes(), max_bytes=10**8, max_seconds=600)
    spoken = Annotation()
    for number, line in enumerate((HELD_OUT_RECORDINGS / f"{name}.rttm").read_text().splitlines()):
        fields = line.split()
        start, length = float(fields[3]), float(fields[4])
        spoken[Segment(start, start + length), number] = fields[7]
    return Recording(audio.samples, ()), spoken


@pytest.mark.slow
def test_two_people_are_told_apart_without_being_counted_first(pipeline: Any) -> None:
    recording, spoken = shipped_recording("two_people")
    found = diarize(pipeline, recording)
    error = DiarizationErrorRate()(spoken, found, uem=Timeline([Segment(0.0, recording.duration_s)]))
    assert len(found.labels()) == 2
    assert error <= 0.06


def test_the_folder_holds_what_its_card_lists_and_no_more() -> None:
    sizes = {str(path.relative_to(SHIPPED)): path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()}
    assert sorted(sizes) == [
        "README.md",
        "config.yaml",
        "embedding/pytorch_model.bin",
        "plda/plda.npz",
        "plda/xvec_transform.npz",
        "segmentation/pytorch_model.bin",
    ]
    assert sum(sizes.values()) < 8_000_000


@pytest.mark.parametrize("part", ["segmentation", "embedding"])
def test_the_card_counts_the_parameters_of_the_weights(part: str) -> None:
    model: Any = Model.from_pretrained(SHIPPED / part)
    (stated,) = re.findall(rf"{part}[^|]*\|[^|]*\| ([\d ]+) \|", (SHIPPED / "README.md").read_text(encoding="utf-8"))
    assert sum(parameter.numel() for parameter in model.parameters()) == int(stated.replace(" ", ""))


# ---------------------------------------------------------------- what it is judged by


def test_pauses_of_a_speaker_are_speech_up_to_the_length_that_references_bridge() -> None:
    times = [("A", 1.0, 1.5), ("A", 1.75, 2.0), ("A", 2.5, 3.0), ("B", 1.8, 2.2), ("A", 3.0, 3.2)]
    recording = Recording(np.zeros(16, np.float32), tuple(ReferenceWord("w", a, b, who) for who, a, b in times))
    turns = [(segment.start, segment.end, who) for segment, _, who in reference(recording).itertracks(yield_label=True)]
    assert sorted(turns) == [(1.0, 2.0, "A"), (1.8, 2.2, "B"), (2.5, 3.2, "A")]


def test_settings_are_chosen_on_other_recordings_than_the_reported_ones() -> None:
    assert not set(DEVELOPMENT) & set(HELD_OUT)


def test_strangers_are_voices_that_training_never_hears() -> None:
    heard = {voice.name for voice in [*familiar(), *others()]}
    assert not heard & {voice.name for voice in strangers()}
    assert not {name.partition("+")[2] for name in heard} & {voice.name.partition("+")[2] for voice in strangers()}


# ---------------------------------------------------------------- the lessons


@pytest.fixture(scope="module")
def maker() -> MixtureMaker:
    """Six voices: a tone each instead of speech, so that who speaks can be read off the sound."""
    names = sorted(label(voice) for voice in [*familiar()[:3], *others()[:3]])
    corpus = []
    for number, name in enumerate(names):
        for seconds in (0.6, 1.4, 3.0):
            time = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
            tone = (6000 * np.sin(2 * np.pi * 300 * (number + 1) * time)).astype(np.int16)
            corpus.append(Spoken(name, ("word",), ((0.0, seconds),), tone))
    return MixtureMaker(corpus)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), length_s=st.sampled_from([2.0, 5.0]))
def test_a_mixture_says_of_every_moment_who_speaks(maker: MixtureMaker, seed: int, length_s: float) -> None:
    mixture = maker.draw(seeded(seed), length_s)
    assert mixture.samples.shape == (length_s * SAMPLE_RATE_HZ,)
    assert mixture.activity.shape == (length_s * FRAME_HZ, MOST_SPEAKERS)
    assert mixture.activity.sum(1).max() <= MOST_AT_ONCE
    assert len(set(mixture.speakers)) == len(mixture.speakers)
    assert all(person < maker.people for person in mixture.speakers)
    first_heard = [int(np.argmax(column)) for column in mixture.activity.T if column.any()]
    assert len(first_heard) == len(mixture.speakers)
    assert first_heard == sorted(first_heard)
    frames = mixture.samples.reshape(-1, SAMPLE_RATE_HZ // FRAME_HZ).std(1)
    nobody = ~mixture.activity.any(1)
    sure = nobody & np.roll(nobody, 1) & np.roll(nobody, -1)
    if mixture.speakers and sure.any():
        assert np.median(frames[mixture.activity.any(1)]) > 2 * frames[sure].max()


def test_the_tone_of_a_lone_speaker_is_the_one_the_mixture_names(maker: MixtureMaker) -> None:
    checked = 0
    for seed in range(60):
        mixture = maker.draw(seeded(seed), 4.0)
        alone = np.flatnonzero((mixture.activity.sum(1) == 1) & mixture.activity[:, 0])
        runs = [run for run in np.split(alone, np.flatnonzero(np.diff(alone) > 1) + 1) if len(run) >= 50]
        if not runs:
            continue
        sound = mixture.samples[(runs[0][0] + 5) * 160 : (runs[0][-1] - 5) * 160]
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        loudest_hz = int(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(sound)
        voice, speed = divmod(mixture.speakers[0], len(SPEEDS))
        assert loudest_hz == pytest.approx(300 * (voice + 1) * SPEEDS[speed], rel=0.02)
        checked += 1
    assert checked > 30


def test_what_is_trained_is_what_the_library_runs() -> None:
    torch.manual_seed(0)
    waveforms = 0.1 * torch.randn(2, 1, 32000)
    masks = (torch.rand(2, 3, 200) < 0.6).float()
    model = embedding_model().eval()
    with torch.no_grad():
        ours = embed(model, waveforms, masks)
        theirs = model(waveforms, weights=masks)
    assert ours.shape == (2, 3, DIMENSION)
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=-1).min() > 0.995  # bfloat16 against float32


def test_a_saved_model_loads_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = segmentation_model().eval()
    save(model, tmp_path)
    loaded: Any = Model.from_pretrained(tmp_path / "pytorch_model.bin")
    loaded.eval()
    assert loaded.specifications == model.specifications
    waveform = 0.1 * torch.randn(1, 1, int(CHUNK_S * SAMPLE_RATE_HZ))
    with torch.no_grad():
        assert torch.allclose(loaded(waveform), model(waveform), atol=0.01)
