"""pyannote's own pipeline, VBx, k-means and exclusive turns, on tones: what there is to find is known to the sample."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyannote.audio.utils.reproducibility import fix_reproducibility
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.diarization import DiarizationModel, DiarizeOptions, SpeakerReference, load_diarizer
from roundtable.diarization.pyannote import PyannoteDiarizer, load_pyannote
from roundtable.diarization.pyannote_process import contained
from roundtable.errors import Cancelled, DeadlineExceeded, InvalidParameters, OutOfMemory, RoundtableError
from roundtable.transcript import Diarization, Turn, Warning_
from tests.models.tones import AGGLOMERATIVE, FRAME_S, VBX, Said, config, conversation, tone_pipeline, write_config

TALK: list[Said] = [(1, 5, 1), (5.5, 9, 0), (8, 12, 1), (13, 20, 0), (20, 26, 1)]
"""Two people; from 8 to 9 both."""

FOUR: list[Said] = [(0, 8, 0), (8, 14, 1), (14, 20, 2), (18, 26, 3), (26, 34, 0)]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone_pipeline(tmp_path_factory.mktemp("pipelines") / "tones")


@pytest.fixture(scope="session")
def diarizer(folder: Path) -> PyannoteDiarizer:
    return load_pyannote(DiarizationModel(str(folder)))


@pytest.fixture(autouse=True)
def _nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nor warned: the suite's warnings are errors."""
    yield
    assert capfd.readouterr() == ("", "")


def loaded(folder: Path, content: dict[str, Any]) -> PyannoteDiarizer:
    write_config(folder, content)
    return load_pyannote(DiarizationModel(str(folder)))


def run(
    diarizer: PyannoteDiarizer, said: Sequence[Said], seconds: float, control: Control | None = None, /, **options: Any
) -> Diarization:
    return diarizer.diarize(conversation(said, seconds), DiarizeOptions(**options), control or Control())


def error_rate(found: Diarization, said: Sequence[Said], seconds: float) -> float:
    reference, hypothesis = Annotation(), Annotation()
    for number, (start, end, tone) in enumerate(said):
        reference[Segment(start, end), number] = str(tone)
    for number, turn in enumerate((*found.turns, *found.overlaps)):
        hypothesis[Segment(turn.start, turn.end), number] = turn.speaker
    return float(DiarizationErrorRate()(reference, hypothesis, uem=Timeline([Segment(0, seconds)])))


def rounded(turns: Sequence[Turn]) -> list[tuple[float, float, str]]:
    return [(round(turn.start, 3), round(turn.end, 3), turn.speaker) for turn in turns]


def speakers_at(turns: Sequence[Turn], time: float) -> list[str]:
    return sorted(turn.speaker for turn in turns if turn.start <= time < turn.end)


# ---- what is found


def test_two_people_who_speak_at_once_for_a_while(diarizer: PyannoteDiarizer) -> None:
    found = run(diarizer, TALK, 30)
    # A turn begins in the middle of its first frame of 10 ms.
    assert rounded(found.turns) == [
        (1.005, 5.005, "SPEAKER_00"),
        (5.505, 8.005, "SPEAKER_01"),
        (8.005, 12.005, "SPEAKER_00"),
        (13.005, 20.005, "SPEAKER_01"),
        (20.005, 26.005, "SPEAKER_00"),
    ]
    assert rounded(found.overlaps) == [(8.005, 9.005, "SPEAKER_01")]
    assert (found.warnings, found.embeddings) == ((), {})
    assert error_rate(found, TALK, 30) <= 0.005


@pytest.mark.parametrize("seed", range(3))
def test_long_conversations_of_up_to_four(diarizer: PyannoteDiarizer, seed: int) -> None:
    chance, now, said = np.random.default_rng(seed), 0.5, list[Said]()
    while now < 60:
        length = float(chance.uniform(2, 9))
        said.append((round(now, 2), round(now + length, 2), len(said) % (2 + seed)))
        now += length + float(chance.choice([-1.0, 0.3, 0.3, 2.0]))
    found = run(diarizer, said, 70)
    assert found.speakers == tuple(f"SPEAKER_{number:02d}" for number in range(2 + seed))
    assert found.overlaps
    assert error_rate(found, said, 70) <= 0.02


def test_speakers_are_numbered_by_first_appearance(diarizer: PyannoteDiarizer) -> None:
    found = run(diarizer, FOUR, 36)
    assert [turn.speaker for turn in found.turns] == [f"SPEAKER_0{number}" for number in (0, 1, 2, 3, 0)]
    assert error_rate(found, FOUR, 36) <= 0.005


@pytest.mark.parametrize(
    ("said", "seconds", "turns"),
    [
        ([], 3.0, []),
        ([], 0.1, []),
        ([(0, 0.9, 1)], 1.0, [(0.005, 0.905)]),
        ([(0, 0.1, 1)], 0.1, [(0.005, 0.1)]),  # the last frame ends in what the window was filled up with
        ([(0, 0.0001, 1)], 0.0001, []),
        ([(0, 12, 2)], 12.0, [(0.005, 12.0)]),
    ],
)
def test_short_recordings_and_silence(
    diarizer: PyannoteDiarizer, said: list[Said], seconds: float, turns: list[tuple[float, float]]
) -> None:
    found = run(diarizer, said, seconds)
    assert rounded(found.turns) == [(start, end, "SPEAKER_00") for start, end in turns]
    assert (found.overlaps, found.warnings) == ((), ())


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_turns_and_overlaps_together_are_what_pyannote_found(diarizer: PyannoteDiarizer, data: Any) -> None:
    seconds = data.draw(st.floats(0.2, 25))
    times = st.floats(0, seconds)
    said = [
        (*sorted(pair), tone)
        for pair, tone in data.draw(st.lists(st.tuples(st.tuples(times, times), st.integers(0, 3)), max_size=6))
    ]
    audio = conversation(said, seconds)
    found = diarizer.diarize(audio, DiarizeOptions(embeddings=True), Control())
    ends = [0.0, *(time for turn in found.turns for time in (turn.start, turn.end)), audio.duration_s]
    assert ends == sorted(ends)  # in order, exclusive, within the recording
    everything = (*found.turns, *found.overlaps)
    assert all(0 <= turn.start < turn.end <= audio.duration_s for turn in everything)
    with contained(torch.device("cpu")):
        theirs = diarizer._pipeline({"waveform": torch.from_numpy(audio.samples.copy())[None], "sample_rate": 16_000})
    full, exclusive = as_given(theirs.speaker_diarization), as_given(theirs.exclusive_speaker_diarization)
    label_of: dict[str, str] = {}
    for frame in range(1, int(audio.duration_s / FRAME_S)):
        middle = frame * FRAME_S  # turns begin and end in the middle of frames
        assert len(set(speakers_at(everything, middle))) == len(speakers_at(everything, middle))
        for ours, of_pyannote in ((everything, full), (found.turns, exclusive)):
            there, here = speakers_at(of_pyannote, middle), speakers_at(ours, middle)
            assert len(there) == len(here)
            if len(there) == 1:
                assert label_of.setdefault(there[0], here[0]) == here[0]
    assert list(dict.fromkeys(turn.speaker for turn in sorted(everything, key=lambda turn: turn.start))) == list(found.speakers)
    assert set(found.embeddings) == set(found.speakers)
    assert all(np.isfinite(voice).all() for voice in found.embeddings.values() if voice is not None)


def as_given(annotation: Any) -> list[Turn]:
    return [Turn(piece.start, piece.end, label) for piece, _, label in annotation.itertracks(yield_label=True)]


def test_turns_are_exclusive_also_where_pyannote_closes_gaps(folder: Path, tmp_path: Path) -> None:
    params = {**VBX, "segmentation": {"min_duration_off": 0.5}}
    said: list[Said] = [(0, 6, 0), (6, 6.3, 1), (6.3, 12, 0), (12, 18, 1)]
    found = run(loaded(tone_pipeline(tmp_path), config(params=params)), said, 20)
    assert rounded(found.turns) == [
        (0.005, 6.005, "SPEAKER_00"),
        (6.005, 6.305, "SPEAKER_01"),
        (6.305, 12.005, "SPEAKER_00"),
        (12.005, 18.005, "SPEAKER_01"),
    ]
    assert rounded(found.overlaps) == [(6.005, 6.305, "SPEAKER_00")]


def test_a_legacy_pipeline_gives_the_same(diarizer: PyannoteDiarizer, tmp_path: Path) -> None:
    legacy = loaded(tone_pipeline(tmp_path), config(legacy=True))
    assert run(legacy, TALK, 30, embeddings=True) == run(diarizer, TALK, 30, embeddings=True)


def test_agglomerative_clustering_like_3_1(tmp_path: Path) -> None:
    pipeline = tone_pipeline(tmp_path)
    diarizer = loaded(pipeline, config(params=AGGLOMERATIVE, clustering="AgglomerativeClustering", plda=None))
    assert error_rate(run(diarizer, FOUR, 36), FOUR, 36) <= 0.005
    # Here pyannote prints "Found only 2 clusters. …", and the fixture above would see it.
    found = run(diarizer, TALK, 30, num_speakers=9)
    assert found.warnings == (fewer(2, 9),)
    assert error_rate(found, TALK, 30) <= 0.005


def test_the_recording_goes_with_its_reply_and_does_not_wait_for_the_garbage_collector(diarizer: PyannoteDiarizer) -> None:
    """It hung in a cycle of references: an hour's waveform stayed beside the next one's."""
    audio = conversation(TALK, 30)
    samples = ref(audio.samples)
    gc.collect()
    gc.disable()
    try:
        found = diarizer.diarize(audio, DiarizeOptions(), Control())
        del audio
        assert samples() is None
    finally:
        gc.enable()
    assert error_rate(found, TALK, 30) <= 0.005


# ---- how many


def fewer(found: int, asked: int) -> Warning_:
    message = f"{asked} speakers were asked for; no more than {found} could be told apart."
    return Warning_("diarize", "fewer_speakers", message)


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        ({"num_speakers": 1}, 1),
        ({"num_speakers": 2}, 2),
        ({"num_speakers": 4}, 4),
        ({"max_speakers": 3}, 3),
        ({"min_speakers": 2, "max_speakers": 2}, 2),
        ({"min_speakers": 2, "max_speakers": 9}, 4),
        ({"num_speakers": 2, "min_speakers": 5, "max_speakers": 3}, 2),  # it overrides them
    ],
)
def test_bounds_are_kept(diarizer: PyannoteDiarizer, bounds: dict[str, int], count: int) -> None:
    found = run(diarizer, FOUR, 36, **bounds)
    assert found.speakers == tuple(f"SPEAKER_0{number}" for number in range(count))
    assert found.warnings == ()


@pytest.mark.parametrize(
    "bounds",
    [
        {"num_speakers": 50},  # more than embeddings: scikit-learn refuses
        {"min_speakers": 41, "max_speakers": 60},
        {"num_speakers": 3},  # more than different voices: k-means leaves a cluster empty, and NaN in its place
        {"min_speakers": 3},
    ],
)
def test_more_speakers_than_can_be_told_apart_are_a_warning(diarizer: PyannoteDiarizer, bounds: dict[str, int]) -> None:
    asked = bounds.get("num_speakers") or bounds["min_speakers"]
    assert run(diarizer, TALK, 30, **bounds) == replace(run(diarizer, TALK, 30), warnings=(fewer(2, asked),))


def test_nobody_is_not_too_few(diarizer: PyannoteDiarizer) -> None:
    assert run(diarizer, [], 5, num_speakers=2) == Diarization()


def test_one_second_cannot_hold_two_speakers(diarizer: PyannoteDiarizer) -> None:
    assert run(diarizer, [(0, 1, 0)], 1, num_speakers=2).warnings == (fewer(1, 2),)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"num_speakers": 0}, "num_speakers: must be at least 1."),
        ({"min_speakers": -1}, "min_speakers: must be at least 1."),
        ({"min_speakers": 1, "max_speakers": 0}, "max_speakers: must be at least 1."),
        ({"min_speakers": 3, "max_speakers": 2}, "min_speakers: must not be more than max_speakers."),
    ],
)
def test_bounds_that_nobody_can_keep(diarizer: PyannoteDiarizer, bounds: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        run(diarizer, TALK, 30, **bounds)
    assert caught.value.message == message


# ---- voices


def test_embeddings_on_request(diarizer: PyannoteDiarizer) -> None:
    voices = run(diarizer, TALK, 30, embeddings=True).embeddings
    loudest = {label: max(range(16), key=voice.__getitem__) for label, voice in voices.items() if voice is not None}
    assert loudest == {"SPEAKER_00": 1, "SPEAKER_01": 0}  # the bands of the two tones
    assert {type(number) for voice in voices.values() for number in voice or ()} == {float}


def test_too_little_speech_for_an_embedding_is_none(diarizer: PyannoteDiarizer) -> None:
    assert run(diarizer, [(0, 0.9, 1)], 1, embeddings=True).embeddings == {"SPEAKER_00": None}
    assert run(diarizer, [], 1, embeddings=True).embeddings == {}


def reference(name: str, tone: int, seconds: float = 4.0, *, others: Sequence[Said] = ()) -> SpeakerReference:
    """Half of it is silence."""
    return SpeakerReference(name, conversation([(seconds / 4, seconds * 3 / 4, tone), *others], seconds))


def test_known_speakers_are_named_and_a_stranger_is_not(diarizer: PyannoteDiarizer) -> None:
    references = (reference("Ada", 3), reference("Grace", 1), reference("Alan", 0, 9.5))
    found = run(diarizer, FOUR, 36, references=references, embeddings=True)
    assert [turn.speaker for turn in found.turns] == ["Alan", "Grace", "SPEAKER_00", "Ada", "Alan"]
    assert set(found.embeddings) == {"Alan", "Grace", "SPEAKER_00", "Ada"}
    assert found.warnings == ()
    assert error_rate(found, FOUR, 36) <= 0.005


def test_only_what_one_person_says_alone_counts_in_a_reference(diarizer: PyannoteDiarizer) -> None:
    loud_crowd = reference("Grace", 1, 8.0, others=[(4, 8, 0), (4, 8, 3)])  # alone from 2 to 4
    assert {turn.speaker for turn in run(diarizer, TALK, 30, references=(loud_crowd,)).turns} == {"Grace", "SPEAKER_00"}


def test_references_longer_than_a_window(diarizer: PyannoteDiarizer) -> None:
    found = run(diarizer, TALK, 30, references=(reference("Grace", 1, 25.0),))
    assert {turn.speaker for turn in found.turns} == {"Grace", "SPEAKER_00"}


def test_a_reference_without_a_voice_is_told_by_its_position(diarizer: PyannoteDiarizer) -> None:
    references = (
        reference("Nobody", 0, 2.0 - 2 * FRAME_S),  # 0.99 s of speech
        reference("Grace", 1, 2.0),
        SpeakerReference("Silence", conversation([], 3)),
        SpeakerReference("Click", conversation([], 0.001)),
        SpeakerReference("Two", conversation([(0, 4, 0), (0, 4, 1)], 4)),
    )
    found = run(diarizer, TALK, 30, references=references)
    assert {turn.speaker for turn in found.turns} == {"Grace", "SPEAKER_00"}
    assert [(warning.code, warning.message[:22]) for warning in found.warnings] == [
        ("reference_unusable", f"Speaker reference {position} of") for position in (1, 3, 4, 5)
    ]
    said = "".join(warning.message for warning in found.warnings)
    assert not any(given.name in said for given in references)


# ---- how it runs


def test_it_is_the_engine_for_any_model_that_is_not_embedded(folder: Path) -> None:
    engine = load_diarizer(str(folder))
    assert isinstance(engine, PyannoteDiarizer)
    assert engine.name == "tones"


def test_the_recording_is_shared_and_stays_as_it_was(diarizer: PyannoteDiarizer, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = conversation(TALK, 30)
    before, seen = audio.samples.copy(), list[dict[str, Any]]()
    apply = diarizer._pipeline.apply

    def watched(file: dict[str, Any], **options: Any) -> Any:
        seen.append(file)
        return apply(file, **options)

    monkeypatch.setattr(diarizer._pipeline, "apply", watched)
    diarizer.diarize(audio, DiarizeOptions(num_speakers=50), Control())  # asks twice
    assert [file["waveform"].data_ptr() for file in seen] == [audio.samples.ctypes.data] * 2
    assert seen[0] is not seen[1]
    assert np.array_equal(audio.samples, before)
    assert not audio.samples.flags.writeable


def test_samples_that_are_no_plain_array(diarizer: PyannoteDiarizer) -> None:
    plain = conversation(TALK, 30)
    every_other = np.repeat(plain.samples, 2)[::2]
    assert diarizer.diarize(Audio(every_other), DiarizeOptions(), Control()) == run(diarizer, TALK, 30)


def test_progress_rises_to_one(diarizer: PyannoteDiarizer) -> None:
    heard: list[float] = []

    def listen(stage: str, fraction: float) -> None:
        heard.append(fraction)

    run(diarizer, TALK, 30, Control(on_progress=listen))
    assert heard == sorted(heard)
    assert (heard[0], heard[-1]) == (0.0, 1.0)
    assert len({fraction for fraction in heard if 0.3 <= fraction <= 0.95}) >= 8  # the embeddings' batches


def test_cancelling_stops_it_between_two_batches(diarizer: PyannoteDiarizer) -> None:
    heard: list[float] = []

    def listen(stage: str, fraction: float) -> None:
        heard.append(fraction)
        if fraction >= 0.5:
            control.cancel()

    control = Control(on_progress=listen)
    with pytest.raises(Cancelled):
        run(diarizer, TALK, 30, control)
    assert 0.5 <= heard[-1] < 0.65
    assert run(diarizer, TALK, 30).turns  # and leaves it usable


def test_the_deadline_stops_it_between_two_batches(diarizer: PyannoteDiarizer) -> None:
    heard = [0.0]

    def listen(stage: str, fraction: float) -> None:
        heard.append(fraction)

    control = Control(1.0, listen, clock=lambda: 2 * heard[-1])
    with pytest.raises(DeadlineExceeded):
        run(diarizer, TALK, 30, control)
    assert 0.5 <= heard[-1] < 0.65


def test_who_waits_for_another_recording_can_be_cancelled(diarizer: PyannoteDiarizer) -> None:
    waiting, ended = Control(), threading.Event()
    errors: list[RoundtableError] = []

    def wait() -> None:
        try:
            run(diarizer, TALK, 30, waiting)
        except RoundtableError as error:
            errors.append(error)
        ended.set()

    waiting_thread = threading.Thread(target=wait)

    def while_running(stage: str, fraction: float) -> None:
        if fraction == 0.3 and not waiting_thread.is_alive() and not ended.is_set():
            waiting_thread.start()
            assert not ended.wait(0.3)
            waiting.cancel()
            assert ended.wait(10)

    assert run(diarizer, TALK, 30, Control(on_progress=while_running)).turns
    assert [type(error) for error in errors] == [Cancelled]


def test_threads_get_what_they_would_get_alone(diarizer: PyannoteDiarizer) -> None:
    jobs: list[tuple[list[Said], dict[str, Any]]] = [
        (TALK[:3], {"embeddings": True}),
        (TALK[2:4], {"num_speakers": 50}),
        (FOUR[:3], {"num_speakers": 2, "references": (reference("Ada", 2),)}),
    ]
    alone = [run(diarizer, said, 16, **options) for said, options in jobs]
    assert len({(found.turns, found.warnings) for found in alone}) == len(jobs)
    together: dict[int, Diarization] = {}
    start = threading.Barrier(2 * len(jobs))

    def work(place: int) -> None:
        said, options = jobs[place % len(jobs)]
        start.wait()
        together[place] = run(diarizer, said, 16, **options)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(2 * len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[place] for place in range(2 * len(jobs))] == alone * 2


# ---- memory


@pytest.mark.parametrize("rooms", [{"segmentation_room": 3}, {"embedding_room": 3}])
def test_batches_halve_when_memory_runs_out(diarizer: PyannoteDiarizer, tmp_path: Path, rooms: dict[str, Any]) -> None:
    cramped = load_pyannote(DiarizationModel(str(tone_pipeline(tmp_path, **rooms))))
    message = "Memory ran out: windows were diarized 2 at a time, with the same result."
    expected = replace(run(diarizer, TALK, 20), warnings=(Warning_("diarize", "batch_size_reduced", message),))
    assert run(cramped, TALK, 20) == expected
    assert run(cramped, TALK, 20) == expected  # tries the full size anew: memory may be free again


def test_no_memory_for_a_single_window(tmp_path: Path) -> None:
    cramped = load_pyannote(DiarizationModel(str(tone_pipeline(tmp_path, embedding_room=0))))
    with pytest.raises(OutOfMemory) as caught:
        run(cramped, [(0, 1, 0)], 1)
    assert caught.value.message == "There was not enough memory to diarize a single window."


def test_other_errors_are_not_taken_for_a_lack_of_memory(diarizer: PyannoteDiarizer) -> None:
    def fail(stage: str, fraction: float) -> None:
        raise KeyError("memory")

    with pytest.raises(KeyError):
        run(diarizer, TALK, 30, Control(on_progress=fail))


# ---- the rest of the process


Flags = tuple[bool, bool]


@pytest.fixture
def flags() -> Iterator[Callable[[], Flags]]:
    def read() -> Flags:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = read()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    yield read
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def test_tensor_float_32_is_back_after_an_error(flags: Callable[[], Flags]) -> None:
    def fail() -> None:
        with contained(torch.device("cuda")):
            fix_reproducibility(torch.device("cuda"))  # what pyannote does on a GPU, warning included
            assert flags() == (False, False)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert flags() == (True, True)


def test_tensor_float_32_is_back_when_two_threads_overlap(flags: Callable[[], Flags]) -> None:
    device = torch.device("cuda")
    other_is_in, first_is_out = threading.Event(), threading.Event()

    def other() -> None:
        with contained(device):
            other_is_in.set()
            assert first_is_out.wait(10)

    thread = threading.Thread(target=other)
    with contained(device):
        fix_reproducibility(device)
        thread.start()
        assert other_is_in.wait(10)
    assert flags() == (False, False)  # the other one still wants it so
    first_is_out.set()
    thread.join()
    assert flags() == (True, True)
