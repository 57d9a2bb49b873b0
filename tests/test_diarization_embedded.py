"""The whole engine on real audio: how many speak, who and when; and on what is no speech at all."""

from __future__ import annotations

import base64
import importlib.util
import io
import logging
import threading
import wave
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from config import ModelSettings
from handler import EndpointHandler
from roundtable import voice_activity
from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.diarization import DiarizeOptions, SpeakerReference, load_diarizer
from roundtable.diarization.embedded import EmbeddedDiarizer, _turns, _voices, _without_flicker
from roundtable.engines import Engines
from roundtable.errors import Cancelled, DeadlineExceeded, EngineUnavailable
from roundtable.transcript import Diarization, Stage, Turn
from roundtable.voice_activity import FRAME_S, Region
from tests.fakes import FakeTranscriber

SAMPLES = Path(__file__).parents[1] / "samples"
SPEAKERS = {"meeting": 3, "call": 2, "telephone": 2}
DER_LIMIT = {"meeting": 0.15, "call": 0.15, "telephone": 0.20}
"""What README promises. Measured when written: 0.04, 0.10, 0.15."""


def located(name: str) -> Path:
    """`telephone` is the 30 s of two strangers on the telephone that come with pyannote.audio."""
    if name != "telephone":
        return SAMPLES / f"{name}.flac"
    package = importlib.util.find_spec("pyannote.audio")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "sample" / "sample.wav"


def recording(name: str) -> Audio:
    with av.open(str(located(name))) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return Audio((np.concatenate(frames) / 32768).astype(np.float32))


def reference(name: str) -> Annotation:
    annotation = Annotation()
    for number, line in enumerate(located(name).with_suffix(".rttm").read_text().splitlines()):
        _, _, _, start, length, _, _, speaker, *_ = line.split()
        annotation[Segment(float(start), float(start) + float(length)), number] = speaker
    return annotation


def error_rate(name: str, turns: tuple[Turn, ...], duration_s: float) -> float:
    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), number] = turn.speaker
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    whole = Timeline([Segment(0, duration_s)])
    return float(metric(reference(name).crop(whole), annotation, uem=whole))


@pytest.fixture(scope="module")
def engine() -> EmbeddedDiarizer:
    return EmbeddedDiarizer()


@pytest.fixture(scope="module")
def recordings() -> dict[str, Audio]:
    return {name: recording(name) for name in SPEAKERS}


@pytest.fixture(scope="module")
def opening(recordings: dict[str, Audio]) -> Audio:
    """The first 45 s of the meeting, in which all three speak; for the tests that run many times."""
    return Audio(recordings["meeting"].samples[: 45 * SAMPLE_RATE_HZ])


@pytest.fixture(scope="module")
def untold(engine: EmbeddedDiarizer, recordings: dict[str, Audio]) -> dict[str, Diarization]:
    return {name: engine.diarize(audio, DiarizeOptions(), Control()) for name, audio in recordings.items()}


@pytest.mark.parametrize("name", SPEAKERS)
def test_speakers_are_counted_without_being_told(
    name: str, untold: dict[str, Diarization], recordings: dict[str, Audio]
) -> None:
    assert untold[name].speakers == tuple(f"SPEAKER_{i:02d}" for i in range(SPEAKERS[name]))
    assert untold[name].warnings == ()
    assert error_rate(name, untold[name].turns, recordings[name].duration_s) <= DER_LIMIT[name]


@pytest.mark.parametrize("name", SPEAKERS)
def test_told_the_count_the_limit_is_kept_too(name: str, engine: EmbeddedDiarizer, recordings: dict[str, Audio]) -> None:
    found = engine.diarize(recordings[name], DiarizeOptions(num_speakers=SPEAKERS[name]), Control())
    assert len(found.speakers) == SPEAKERS[name]
    assert error_rate(name, found.turns, recordings[name].duration_s) <= DER_LIMIT[name]


@pytest.mark.parametrize("name", SPEAKERS)
def test_turns_are_exclusive_sorted_and_named_by_first_appearance(
    name: str, untold: dict[str, Diarization], recordings: dict[str, Audio]
) -> None:
    turns = untold[name].turns
    assert untold[name].overlaps == ()
    assert all(type(turn.start) is float and type(turn.end) is float and turn.start < turn.end for turn in turns)
    assert turns[0].start >= 0
    assert turns[-1].end <= recordings[name].duration_s
    assert all(left.end <= right.start for left, right in pairwise(turns))
    assert all(left.end < right.start or left.speaker != right.speaker for left, right in pairwise(turns))
    first_appearances = list(dict.fromkeys(turn.speaker for turn in turns))
    assert first_appearances == sorted(first_appearances)


@pytest.mark.parametrize(
    ("options", "speakers"),
    [
        (DiarizeOptions(num_speakers=1), 1),
        (DiarizeOptions(num_speakers=2), 2),
        (DiarizeOptions(num_speakers=5), 5),
        (DiarizeOptions(max_speakers=1), 1),
        (DiarizeOptions(max_speakers=2), 2),
        (DiarizeOptions(max_speakers=3), 3),
        (DiarizeOptions(max_speakers=9), 3),
        (DiarizeOptions(min_speakers=2), 3),
        (DiarizeOptions(min_speakers=4), 4),
        (DiarizeOptions(min_speakers=4, max_speakers=6), 4),
        (DiarizeOptions(num_speakers=3, min_speakers=5, max_speakers=6), 3),
    ],
)
def test_bounds_on_the_meeting_of_three(
    options: DiarizeOptions, speakers: int, engine: EmbeddedDiarizer, opening: Audio
) -> None:
    found = engine.diarize(opening, options, Control())
    assert len(found.speakers) == speakers
    assert found.warnings == ()


def test_one_voice_alone_is_one_speaker(engine: EmbeddedDiarizer, recordings: dict[str, Audio]) -> None:
    audio = recordings["meeting"]
    spoken = [segment for segment, _, speaker in reference("meeting").itertracks(yield_label=True) if speaker == "Anna"]
    cuts = [audio.samples[int(s.start * SAMPLE_RATE_HZ) : int(s.end * SAMPLE_RATE_HZ)] for s in spoken]
    found = engine.diarize(Audio(np.concatenate(cuts)), DiarizeOptions(), Control())
    assert found.speakers == ("SPEAKER_00",)


def test_too_little_speech_for_the_speakers_asked_for_is_a_warning(engine: EmbeddedDiarizer) -> None:
    found = engine.diarize(recording("edge/one_word"), DiarizeOptions(num_speakers=40), Control())
    assert 1 <= len(found.speakers) < 40
    assert [(warning.stage, warning.code) for warning in found.warnings] == [("diarize", "fewer_speakers")]


@pytest.mark.parametrize("name", ["edge/silence", "edge/noise", "edge/tone", "edge/short"])
def test_no_speech_is_nobody(name: str, engine: EmbeddedDiarizer) -> None:
    audio = recording(name)
    assert engine.diarize(audio, DiarizeOptions(), Control()) == Diarization()
    assert engine.diarize(audio, DiarizeOptions(num_speakers=3), Control()) == Diarization()


def test_one_sample_is_nobody(engine: EmbeddedDiarizer) -> None:
    assert engine.diarize(Audio(np.zeros(1, np.float32)), DiarizeOptions(), Control()) == Diarization()


@pytest.mark.parametrize("gain", [0.02, 0.2, 3.0])
def test_the_level_does_not_change_who_speaks(gain: float, engine: EmbeddedDiarizer, recordings: dict[str, Audio]) -> None:
    audio = Audio(np.clip(recordings["meeting"].samples * np.float32(gain), -1, 1))
    found = engine.diarize(audio, DiarizeOptions(), Control())
    assert len(found.speakers) == 3
    assert error_rate("meeting", found.turns, audio.duration_s) <= DER_LIMIT["meeting"]


def test_a_voice_that_comes_nearer_and_goes_away_stays_one(engine: EmbeddedDiarizer, recordings: dict[str, Audio]) -> None:
    """Twenty seconds as they are, twenty seconds 15 dB lower, and so on: three people, not six."""
    samples = recordings["meeting"].samples.copy()
    for start in range(0, len(samples), 40 * SAMPLE_RATE_HZ):
        samples[start : start + 20 * SAMPLE_RATE_HZ] *= 10 ** (-15 / 20)
    heard = engine.diarize(Audio(samples), DiarizeOptions(), Control())
    assert heard.speakers == ("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    assert error_rate("meeting", heard.turns, recordings["meeting"].duration_s) <= 0.08


@pytest.mark.slow
def test_eight_at_once_give_what_one_gives(
    engine: EmbeddedDiarizer, recordings: dict[str, Audio], untold: dict[str, Diarization]
) -> None:
    names = ["telephone", "telephone", "call", "telephone"] * 2
    results: dict[int, Diarization] = {}

    def work(place: int) -> None:
        # A copy, so that each thread also finds the speech by itself.
        audio = Audio(recordings[names[place]].samples.copy())
        results[place] = engine.diarize(audio, DiarizeOptions(), Control())

    threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[place] for place in range(8)] == [untold[name] for name in names]


def test_progress_rises_to_one(engine: EmbeddedDiarizer, recordings: dict[str, Audio]) -> None:
    told: list[tuple[Stage, float]] = []
    engine.diarize(recordings["call"], DiarizeOptions(), Control(on_progress=lambda *progress: told.append(progress)))
    assert {stage for stage, _ in told} == {"diarize"}
    fractions = [fraction for _, fraction in told]
    assert len(fractions) >= 3
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_cancelled_request_stops(engine: EmbeddedDiarizer, recordings: dict[str, Audio]) -> None:
    control = Control(on_progress=lambda stage, fraction: control.cancel())
    with pytest.raises(Cancelled):
        engine.diarize(recordings["meeting"], DiarizeOptions(), control)


def test_a_deadline_ends_it_between_blocks(engine: EmbeddedDiarizer, recordings: dict[str, Audio]) -> None:
    now = [0.0]
    reached: list[float] = []

    def report(stage: Stage, fraction: float) -> None:
        reached.append(fraction)
        now[0] = 10.0

    with pytest.raises(DeadlineExceeded):
        engine.diarize(recordings["meeting"], DiarizeOptions(), Control(5.0, report, clock=lambda: now[0]))
    assert len(reached) == 1


@st.composite
def divided_regions(draw: st.DrawFn) -> tuple[list[Region], list[tuple[float, int]], list[float]]:
    """Regions, a label for some of the grid's window centres, and speech probabilities."""
    edges = sorted(draw(st.sets(st.integers(0, 200), min_size=2, max_size=12)))
    regions = [Region(start * 0.05, end * 0.05) for start, end in zip(edges[::2], edges[1::2], strict=False)]
    steps = sorted(draw(st.sets(st.integers(0, 50), min_size=1)))
    windows = [(step * 0.2, draw(st.integers(0, 3))) for step in steps]
    return regions, windows, draw(st.lists(st.floats(0, 1), min_size=320, max_size=320))


@settings(deadline=None)
@given(divided_regions())
def test_turns_cover_the_regions_exactly_once(drawn: tuple[list[Region], list[tuple[float, int]], list[float]]) -> None:
    regions, windows, probabilities = drawn
    centres_s = np.array([time for time, _ in windows])
    labels = np.array([label for _, label in windows], np.intp)
    turns = _turns(regions, centres_s, labels, np.array(probabilities, np.float32))
    assert all(turn.start < turn.end for turn in turns)
    assert all(left.end <= right.start for left, right in pairwise(turns))
    covered = Timeline([Segment(turn.start, turn.end) for turn in turns]).support()
    assert covered == Timeline([Segment(region.start, region.end) for region in regions]).support()
    names = list(dict.fromkeys(turn.speaker for turn in turns))
    assert names == [f"SPEAKER_{i:02d}" for i in range(len(names))]


@pytest.mark.parametrize(
    ("pieces", "tidy"),
    [
        ([], []),
        ([(0.0, 1.0, 7), (1.0, 2.0, 7)], [(0.0, 2.0, 7)]),
        ([(0.0, 1.0, 7), (1.5, 2.0, 7)], [(0.0, 1.0, 7), (1.5, 2.0, 7)]),  # a pause stays a pause
        ([(0.0, 1.0, 7), (1.0, 1.2, 8), (1.2, 2.0, 7), (3.0, 4.0, 8)], [(0.0, 2.0, 7), (3.0, 4.0, 8)]),
        ([(0.0, 1.0, 7), (1.0, 1.2, 8), (1.2, 2.0, 7)], [(0.0, 1.0, 7), (1.0, 1.2, 8), (1.2, 2.0, 7)]),  # all that 8 says
        ([(0.0, 1.0, 7), (1.1, 1.2, 8), (3.0, 4.0, 8)], [(0.0, 1.0, 7), (1.1, 1.2, 8), (3.0, 4.0, 8)]),  # stands alone
    ],
)
def test_flicker_is_given_to_the_turn_before(
    pieces: list[tuple[float, float, int]], tidy: list[tuple[float, float, int]]
) -> None:
    assert _without_flicker(pieces) == tidy


def test_a_change_of_speaker_falls_into_the_pause() -> None:
    probabilities = np.ones(100, np.float32)
    probabilities[35] = 0.1
    pause, middle = 35.5 * FRAME_S, (1.0 + 1.2) / 2
    turns = _turns([Region(0.5, 2.0)], np.array([1.0, 1.2]), np.array([0, 1]), probabilities)
    assert turns == (Turn(0.5, pause, "SPEAKER_00"), Turn(pause, 2.0, "SPEAKER_01"))
    turns = _turns([Region(0.5, 2.0)], np.array([1.0, 1.2]), np.array([0, 1]), np.ones(100, np.float32))
    assert turns == (Turn(0.5, middle, "SPEAKER_00"), Turn(middle, 2.0, "SPEAKER_01"))


def test_the_loader_names_the_engine() -> None:
    assert load_diarizer("embedded").name == "embedded (silero-vad 6.2 + resemblyzer 0.1.4)"


def test_without_its_weights_the_loader_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "resemblyzer" else found(name))
    with pytest.raises(EngineUnavailable, match=r"pip install --no-deps Resemblyzer==0\.1\.4"):
        load_diarizer("embedded")


def test_without_silero_it_is_not_constructed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    voice_activity._load.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "silero_vad" else found(name))
    with pytest.raises(EngineUnavailable, match="silero-vad"):
        EmbeddedDiarizer()


# --- Known voices ------------------------------------------------------------------------------------------------------
# Anna of the meeting and Laura of the call are one synthetic voice in two recordings.

KNOWN = {
    "Anna": ("meeting", 67.5, 71.3),  # what she says in the half that is not searched
    "Laura": ("call", 30.0, 36.3),
    "Martin": ("meeting", 71.7, 75.1),
    "Peter": ("meeting", 49.9, 53.2),
    "David": ("call", 46.8, 50.0),
    "a stranger": ("telephone", 21.8, 27.8),
    "Quentin": ("edge/silence", 0.0, 3.0),
}


@pytest.fixture(scope="module")
def opening_untold(engine: EmbeddedDiarizer, opening: Audio) -> Diarization:
    return engine.diarize(opening, DiarizeOptions(), Control())


def known(*names: str) -> tuple[SpeakerReference, ...]:
    cuts = (KNOWN[name] for name in names)
    parts = (recording(file).samples[round(start * SAMPLE_RATE_HZ) : round(end * SAMPLE_RATE_HZ)] for file, start, end in cuts)
    return tuple(SpeakerReference(name, Audio(part.copy())) for name, part in zip(names, parts, strict=True))


def whose(found: Diarization, file: str) -> dict[str, str]:
    """Who of the reference speaks most while each speaker of the result does."""
    truth = reference(file)
    return {
        speaker: truth.crop(
            Timeline([Segment(turn.start, turn.end) for turn in found.turns if turn.speaker == speaker])
        ).argmax()
        for speaker in found.speakers
    }


@pytest.mark.parametrize("name", ["Anna", "Laura"], ids=["another-part", "another-recording"])
def test_a_known_voice_is_named_and_strangers_are_numbered(
    name: str, engine: EmbeddedDiarizer, opening: Audio, opening_untold: Diarization
) -> None:
    found = engine.diarize(opening, DiarizeOptions(references=known(name)), Control())
    assert whose(found, "meeting") == {name: "Anna", "SPEAKER_00": "Martin", "SPEAKER_01": "Peter"}
    assert [(turn.start, turn.end) for turn in found.turns] == [(turn.start, turn.end) for turn in opening_untold.turns]
    assert (found.warnings, found.embeddings) == ((), {})


def test_a_stranger_to_the_recording_names_nobody(
    engine: EmbeddedDiarizer, opening: Audio, opening_untold: Diarization
) -> None:
    assert engine.diarize(opening, DiarizeOptions(references=known("a stranger", "David")), Control()) == opening_untold


def test_everybody_may_be_known(engine: EmbeddedDiarizer, opening: Audio) -> None:
    found = engine.diarize(opening, DiarizeOptions(references=known("Martin", "Peter", "Anna")), Control())
    assert whose(found, "meeting") == {"Anna": "Anna", "Martin": "Martin", "Peter": "Peter"}


def test_a_reference_without_speech_is_a_warning_and_spoils_nothing(engine: EmbeddedDiarizer, opening: Audio) -> None:
    found = engine.diarize(opening, DiarizeOptions(references=known("Quentin", "Laura")), Control())
    assert found.speakers == ("Laura", "SPEAKER_00", "SPEAKER_01")
    assert [(warning.stage, warning.code) for warning in found.warnings] == [("diarize", "reference_unusable")]
    assert found.warnings[0].message.startswith("Speaker reference 1 of 2 ")


def test_voices_are_unit_vectors_that_tell_speakers_apart(engine: EmbeddedDiarizer, opening: Audio) -> None:
    found = engine.diarize(opening, DiarizeOptions(references=known("Peter"), embeddings=True), Control())
    assert list(found.embeddings) == ["SPEAKER_00", "SPEAKER_01", "Peter"]
    voices = np.array(list(found.embeddings.values()))
    assert voices.shape == (3, 256)
    assert all(type(value) is float for voice in found.embeddings.values() for value in voice or ())
    assert np.linalg.norm(voices, axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    assert (voices @ voices.T)[np.triu_indices(3, 1)].max() < 0.75


def test_too_little_of_a_voice_is_none(engine: EmbeddedDiarizer) -> None:
    found = engine.diarize(recording("edge/one_word"), DiarizeOptions(embeddings=True), Control())
    assert found.embeddings == {"SPEAKER_00": None}


@st.composite
def spoken_windows(draw: st.DrawFn) -> tuple[list[Turn], list[float]]:
    edges = sorted(draw(st.sets(st.integers(0, 80), min_size=2, max_size=14)))
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    turns = [Turn(start * 0.25, end * 0.25, f"SPEAKER_{draw(st.integers(0, 2)):02d}") for start, end in spans]
    return turns, [step * 0.2 + 0.01 for step in sorted(draw(st.sets(st.integers(0, 100))))]


@settings(deadline=None)
@given(spoken_windows())
def test_a_voice_is_the_mean_of_the_windows_in_which_nobody_else_speaks(drawn: tuple[list[Turn], list[float]]) -> None:
    """Five at least; where there are fewer, of all windows in the speaker's turns."""
    turns, centres_s = drawn
    windows = np.eye(max(1, len(centres_s)), dtype=np.float32)[: len(centres_s)]
    voices = _voices(turns, np.array(centres_s, np.float64), windows)
    assert list(voices) == list(dict.fromkeys(turn.speaker for turn in turns))
    for speaker, voice in voices.items():
        own = [n for n, at in enumerate(centres_s) if any(t.start < at < t.end and t.speaker == speaker for t in turns)]
        others = [turn for turn in turns if turn.speaker != speaker]
        alone = [n for n in own if all(centres_s[n] < t.start - 0.8 or centres_s[n] > t.end + 0.8 for t in others)]
        expected = alone if len(alone) >= 5 else own if len(own) >= 5 else []
        assert ([] if voice is None else np.flatnonzero(voice).tolist()) == expected


def base64_wav(audio: Audio) -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE_HZ)
        writer.writeframes((audio.samples * 32767).astype("<i2").tobytes())
    return base64.b64encode(file.getvalue()).decode()


def request(audio: Audio, references: Sequence[SpeakerReference], **parameters: Any) -> dict[str, Any]:
    listed = [{"name": reference.name, "audio": base64_wav(reference.audio)} for reference in references]
    return {"inputs": base64_wav(audio), "parameters": {"speaker_references": listed, **parameters}}


@pytest.mark.slow
def test_known_voices_from_the_request_to_the_reply(recordings: dict[str, Audio], caplog: pytest.LogCaptureFixture) -> None:
    """The whole job, each stage by its embedded engine."""
    caplog.set_level(logging.DEBUG)
    handler = EndpointHandler(
        settings=ModelSettings(asr_model="embedded", diarization_model="embedded", summarize_model="embedded")
    )
    start = Audio(recordings["call"].samples[: 16 * SAMPLE_RATE_HZ])
    asked = request(start, known("Laura", "Quentin"), speaker_embeddings=True, summary_format="structured")
    reply = handler(asked)
    assert list(dict.fromkeys(turn["speaker"] for turn in reply["speakers"])) == ["Laura", "SPEAKER_00"]
    assert {stats["speaker"] for stats in reply["speaker_stats"]} == {"Laura", "SPEAKER_00"}
    assert {speaker: len(voice) for speaker, voice in reply["speaker_embeddings"].items()} == {"Laura": 256, "SPEAKER_00": 256}
    assert set(reply["summary"]["per_speaker"]) == {"Laura", "SPEAKER_00"}
    assert [warning["code"] for warning in reply["warnings"]] == ["reference_unusable"]
    assert not any(word in f"{caplog.text} {reply['warnings']}" for word in ("Laura", "Quentin", "UklGR"))


def test_the_order_of_the_references_does_not_change_the_reply(engine: EmbeddedDiarizer, opening: Audio) -> None:
    handler = EndpointHandler(settings=ModelSettings(asr_model="fake"), engines=Engines(FakeTranscriber(), engine))

    start = Audio(opening.samples[: 18 * SAMPLE_RATE_HZ])

    def ask(*names: str) -> dict[str, Any]:
        reply = handler(request(start, known(*names), request_id="same", speaker_embeddings=True))
        return {key: value for key, value in reply.items() if key != "timings"}

    reply = ask("Martin", "Anna")
    assert sorted(reply["speaker_embeddings"]) == ["Anna", "Martin"]
    assert ask("Anna", "Martin") == reply
