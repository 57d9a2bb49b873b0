"""From windows to a transcript, with an engine that hears what the test says: order, batches, language, second attempts."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from roundtable.asr import TranscribeOptions, long_form
from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.errors import Cancelled, DeadlineExceeded, EngineFailed, OutOfMemory, Unsupported
from roundtable.transcript import Language, Transcript
from roundtable.voice_activity import Region
from roundtable.windows import Window
from tests.fakes import FakeWindowEngine, Utterance

LENGTHS_S = (6.0, 8.0, 5.0, 7.0, 5.5)
"""Of the stretches of speech, one every ten seconds. No two fit into a window with `chunk_length_s=9`."""

TEXTS = (" One comes first.", " Two is the longest one of all.", " Three.", " Four follows now.", " Five ends it.")


@pytest.fixture(autouse=True)
def regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speech where LENGTHS_S says, instead of where Silero would hear it: these recordings are silent."""
    found = tuple(Region(10.0 * at, 10.0 * at + length) for at, length in enumerate(LENGTHS_S))
    monkeypatch.setattr(long_form, "speech_regions", lambda audio, **_: found if audio.duration_s > 1 else ())


def which(window: Window) -> int:
    return round(window.start / 10.0)


def says_its_text(window: Window, prompt: Any = None, temperature: float = 0.0) -> Utterance:
    return Utterance(TEXTS[which(window)])


def transcribe(engine: FakeWindowEngine, control: Control | None = None, seconds: float = 50.0, **options: Any) -> Transcript:
    audio = Audio(np.zeros(int(seconds * SAMPLE_RATE_HZ), dtype=np.float32))
    options = {"chunk_length_s": 9, **options}
    return long_form.transcribe(engine, threading.Lock(), audio, TranscribeOptions(**options), control or Control())


def first_texts(window: Window, first: Callable[[Window], Utterance], temperature: float) -> Utterance:
    return first(window) if temperature == 0.0 else says_its_text(window)


def test_the_transcript_is_in_the_order_of_the_recording_whatever_the_batch_size() -> None:
    for batch_size in (1, 2, 3, 24):
        got = transcribe(FakeWindowEngine(says_its_text), batch_size=batch_size)
        assert got.text == "".join(TEXTS).strip()
        assert [segment.start for segment in got.segments] == [0.0, 10.0, 20.0, 30.0, 40.0]
        assert [segment.end for segment in got.segments] == [6.0, 18.0, 25.0, 37.0, 45.5]


def test_windows_of_equal_length_share_a_batch_longest_first_and_each_is_encoded_once() -> None:
    lengths: list[float] = []

    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        lengths.append(window.duration_s)
        return says_its_text(window)

    engine = FakeWindowEngine(script)
    transcribe(engine, batch_size=2)
    assert lengths == [8.0, 7.0, 6.0, 5.5, 5.0]
    assert engine.encoded == [2, 2, 1]


def test_no_speech_is_an_empty_transcript_and_the_engine_is_not_asked() -> None:
    engine = FakeWindowEngine(says_its_text)
    assert transcribe(engine, seconds=1.0) == Transcript()
    assert transcribe(engine, seconds=1.0, language="de") == Transcript((), Language("de"))
    assert engine.encoded == []


def test_every_window_votes_for_the_language_with_its_seconds() -> None:
    # The longest, 8 s, hears English; the other four, 23.5 s together, hear German.
    heard = {1: (0.9, 0.1)}
    engine = FakeWindowEngine(says_its_text, languages_heard=lambda window: heard.get(which(window), (0.3, 0.7)))
    got = transcribe(engine, batch_size=1)
    assert got.language is not None
    assert got.language.code == "de"
    english, german = (math.exp((8 * math.log(a) + 23.5 * math.log(b)) / 31.5) for a, b in ((0.9, 0.3), (0.1, 0.7)))
    assert got.language.probability == pytest.approx(german / (english + german))


def test_a_window_written_in_a_language_that_lost_is_written_again() -> None:
    heard = {1: (0.7, 0.3)}
    engine = FakeWindowEngine(says_its_text, languages_heard=lambda window: heard.get(which(window), (0.3, 0.7)))
    got = transcribe(engine, batch_size=1)
    # English for 8 s, still English at 8 s against 7 s, German from 8 s against 13 s on; the first two are written again.
    assert [prompt.language for _, prompt, _ in engine.written] == ["en", "en", "de", "de", "de", "de", "de"]
    assert got.text == "".join(TEXTS).strip()


def test_a_window_that_is_hardly_speech_has_hardly_a_vote() -> None:
    heard = {1: (0.001, 0.999)}
    engine = FakeWindowEngine(
        says_its_text,
        languages_heard=lambda window: heard.get(which(window), (0.9, 0.1)),
        no_speech=lambda window: 0.999 if which(window) == 1 else 0.0,
    )
    got = transcribe(engine)
    assert got.language is not None
    assert got.language.code == "en"


def test_a_language_that_was_given_is_used_and_has_no_probability() -> None:
    engine = FakeWindowEngine(says_its_text)
    assert transcribe(engine, language="de").language == Language("de", None)
    assert {prompt.language for _, prompt, _ in engine.written} == {"de"}
    assert transcribe(FakeWindowEngine(says_its_text), language="de-at").language == Language("de", None)


@pytest.mark.parametrize("language", ["fr", "fr-ca"])
def test_a_language_that_the_model_does_not_know_is_refused(language: str) -> None:
    with pytest.raises(Unsupported):
        transcribe(FakeWindowEngine(says_its_text), language=language)


def test_an_english_only_model_refuses_other_languages_and_translation() -> None:
    engine = FakeWindowEngine(says_its_text, languages=())
    engine.can_translate = False
    assert transcribe(engine).language == Language("en", None)
    assert transcribe(engine, language="en-gb").language == Language("en", None)
    with pytest.raises(Unsupported):
        transcribe(engine, language="de")
    with pytest.raises(Unsupported):
        transcribe(engine, task="translate")


def test_the_task_reaches_the_engine() -> None:
    engine = FakeWindowEngine(says_its_text)
    transcribe(engine, task="translate")
    assert {prompt.task for _, prompt, _ in engine.written} == {"translate"}


def test_only_rows_that_fail_are_written_again_each_at_the_next_temperature() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        unsure = which(window) == 3 and temperature < 0.3
        return Utterance(TEXTS[which(window)], logprob=-2.0 if unsure else -0.1)

    engine = FakeWindowEngine(script)
    got = transcribe(engine)
    assert [(rows, temperature) for rows, _, temperature in engine.written] == [
        ((0, 1, 2, 3, 4), 0.0),
        ((1,), 0.2),
        ((1,), 0.4),
    ]
    assert [segment.temperature for segment in got.segments] == [0.0, 0.0, 0.0, 0.4, 0.0]
    assert engine.encoded == [5]


def test_a_temperature_that_was_asked_for_is_where_attempts_begin() -> None:
    engine = FakeWindowEngine(lambda window, prompt, temperature: Utterance(TEXTS[which(window)], logprob=-2.0))
    transcribe(engine, temperature=0.6)
    assert [temperature for _, _, temperature in engine.written] == [0.6, 0.8, 1.0]


def test_what_all_attempts_say_stays_although_the_model_is_unsure() -> None:
    engine = FakeWindowEngine(lambda window, prompt, temperature: Utterance(TEXTS[which(window)], logprob=-2.0))
    got = transcribe(engine)
    assert got.text == "".join(TEXTS).strip()
    assert [segment.avg_logprob for segment in got.segments] == pytest.approx([-2.0] * 5)


def test_silence_that_the_model_confirms_is_dropped_and_nothing_else() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        invented = which(window) == 2
        return Utterance(" Thank you." if invented else TEXTS[which(window)], logprob=-1.5 if invented else -0.1)

    engine = FakeWindowEngine(script, no_speech=lambda window: 0.9)  # the others are sure of their words
    assert transcribe(engine).text == "One comes first. Two is the longest one of all. Four follows now. Five ends it."


def test_a_loop_that_never_ends_is_cut_down_to_its_first_round() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        return Utterance(" So" + " again and" * 40, finished=False) if which(window) == 1 else says_its_text(window)

    got = transcribe(FakeWindowEngine(script))
    assert got.text.count("again") == 1
    assert got.text.startswith("One comes first. So again and")


def test_quality_is_reported_as_it_was() -> None:
    engine = FakeWindowEngine(says_its_text, no_speech=lambda window: 0.25)
    segment = transcribe(engine).segments[0]
    assert segment.avg_logprob == pytest.approx(-0.1)
    assert (segment.no_speech_prob, segment.temperature) == (0.25, 0.0)
    assert segment.compression_ratio == pytest.approx(len(TEXTS[0].strip()) / 24, abs=0.2)


def test_hotwords_and_prompt_stand_before_every_window() -> None:
    engine = FakeWindowEngine(says_its_text)
    transcribe(engine, hotwords=("Roundtable",), prompt="Earlier.", batch_size=2)
    first, again = engine.written[::2], engine.written[1::2]
    assert ["Roundtable" in engine.decode_text(prompt.previous) for _, prompt, _ in first] == [True, True, True]
    assert [prompt.previous for _, prompt, _ in again] == [(), (), ()]  # to see that the prompt costs no word


def test_a_window_that_repeats_the_prompt_is_written_without_it_and_says_so() -> None:
    prompt_text = "minutes of the board about the northern harbour"

    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        return Utterance(" " + prompt_text) if prompt.previous and which(window) == 2 else says_its_text(window)

    got = transcribe(FakeWindowEngine(script), prompt=prompt_text)
    assert got.text == "".join(TEXTS).strip()
    assert [warning.code for warning in got.warnings] == ["prompt_leaked"]
    assert prompt_text not in got.warnings[0].message


def test_words_of_the_prompt_that_were_said_stay() -> None:
    said = "minutes of the board about the northern harbour"

    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        return Utterance(" " + said) if which(window) == 1 else says_its_text(window)

    got = transcribe(FakeWindowEngine(script), prompt=said)
    assert said in got.text
    assert got.warnings == ()


def test_a_window_that_fails_with_the_prompt_is_taken_as_heard_without_it() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        return Utterance(TEXTS[which(window)], logprob=-2.0 if prompt.previous and which(window) == 0 else -0.1)

    engine = FakeWindowEngine(script)
    got = transcribe(engine, hotwords=("Roundtable",))
    assert [(rows, bool(prompt.previous), temperature) for rows, prompt, temperature in engine.written] == [
        ((0, 1, 2, 3, 4), True, 0.0),
        ((0, 1, 2, 3, 4), False, 0.0),
    ]
    assert got.segments[0].temperature == 0.0


def test_a_sentence_that_a_prompt_makes_the_model_skip_is_not_lost() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        if which(window) != 1:
            return says_its_text(window)
        return Utterance(" Two is all, Kovacs." if prompt.previous else " Two is the longest one of all, Kovatch.")

    got = transcribe(FakeWindowEngine(script), hotwords=("Kovacs",))
    assert "Two is the longest one of all, Kovatch." in got.text


def test_a_name_that_a_prompt_puts_right_stays_right() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        if which(window) != 1:
            return says_its_text(window)
        return Utterance(" This is Kovacs." if prompt.previous else " This is Ko Watch.")

    assert "This is Kovacs." in transcribe(FakeWindowEngine(script), hotwords=("Kovacs",)).text


def test_a_prompt_that_talks_the_model_out_of_hearing_anything_costs_no_word() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        return Utterance("") if prompt.previous and which(window) == 3 else says_its_text(window)

    assert transcribe(FakeWindowEngine(script), prompt="Earlier.").text == "".join(TEXTS).strip()


@pytest.mark.parametrize(("room", "sizes"), [(2, [5, 2, 2, 1]), (1, [5, 2, 1, 1, 1, 1, 1])])
def test_batches_halve_when_memory_runs_out_and_say_so(room: int, sizes: Sequence[int]) -> None:
    engine = FakeWindowEngine(says_its_text, room=room)
    got = transcribe(engine)
    assert engine.encoded == sizes
    assert got.text == "".join(TEXTS).strip()
    (warning,) = got.warnings
    assert (warning.code, f"{room} at a time" in warning.message) == ("batch_size_reduced", True)


def test_a_window_that_does_not_fit_alone_is_a_capacity_error() -> None:
    with pytest.raises(OutOfMemory):
        transcribe(FakeWindowEngine(says_its_text, room=0))


def test_other_errors_pass_and_the_engine_is_free_again() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        raise KeyError

    turn = threading.Lock()
    audio = Audio(np.zeros(50 * SAMPLE_RATE_HZ, dtype=np.float32))
    with pytest.raises(KeyError):
        long_form.transcribe(FakeWindowEngine(script), turn, audio, TranscribeOptions(chunk_length_s=9), Control())
    assert not turn.locked()


def test_a_deadline_that_passes_in_the_last_batch_is_kept() -> None:
    clock = [0.0]

    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        clock[0] = 10.0
        return says_its_text(window)

    with pytest.raises(DeadlineExceeded):
        transcribe(FakeWindowEngine(script), Control(timeout_s=5.0, clock=lambda: clock[0]))


def test_a_window_whose_numbers_overflow_costs_its_own_words_and_says_so() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        return Utterance("", logprob=math.nan) if which(window) == 4 else says_its_text(window)

    got = transcribe(FakeWindowEngine(script))
    assert got.text == "".join(TEXTS[:4]).strip()
    assert [warning.code for warning in got.warnings] == ["numbers_overflowed"]


def test_a_model_that_computes_no_numbers_at_all_is_an_error_not_an_empty_transcript() -> None:
    with pytest.raises(EngineFailed):
        transcribe(FakeWindowEngine(lambda window, prompt, temperature: Utterance("", logprob=math.nan)))


def test_a_loop_faster_than_speech_is_cut_down_although_the_model_ended_it() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        return Utterance(" Goodbye." * 60) if which(window) == 1 else says_its_text(window)

    assert transcribe(FakeWindowEngine(script)).text.count("Goodbye") == 1


@pytest.mark.parametrize(("asked", "known"), [("nb", "no"), ("jv", "jw"), ("iw", "he"), ("fil", "tl")])
def test_other_codes_of_a_language_are_understood(asked: str, known: str) -> None:
    engine = FakeWindowEngine(says_its_text, languages=("no", "jw", "he", "tl"))
    assert transcribe(engine, language=asked).language == Language(known, None)


def test_words_that_a_prompt_adds_were_not_said() -> None:
    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        text = TEXTS[which(window)]
        return Utterance(text + " And so on and on." if prompt.previous and which(window) == 2 else text)

    assert transcribe(FakeWindowEngine(script), prompt="Earlier.").text == "".join(TEXTS).strip()


def test_progress_is_reported_window_by_window() -> None:
    reached: list[float] = []
    transcribe(FakeWindowEngine(says_its_text), Control(None, lambda stage, fraction: reached.append(fraction)), batch_size=2)
    assert reached == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_cancelled_request_stops_before_its_next_batch() -> None:
    control = Control()

    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        control.cancel()
        return says_its_text(window)

    engine = FakeWindowEngine(script)
    with pytest.raises(Cancelled):
        transcribe(engine, control, batch_size=2)
    assert engine.encoded == [2]


def test_without_word_timestamps_segments_keep_their_times() -> None:
    got = transcribe(FakeWindowEngine(says_its_text), word_timestamps=False)
    assert list(got.words()) == []
    assert [(segment.start, segment.end) for segment in got.segments][:2] == [(0.0, 6.0), (10.0, 18.0)]


def test_words_that_no_sound_was_left_for_are_dropped_and_a_warning_says_so() -> None:
    said = " It was said that the second one would be by far the longest one of them all."

    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        return Utterance(said + " THANKS FOR WATCHING THIS." if which(window) == 1 else TEXTS[which(window)])

    got = transcribe(FakeWindowEngine(script))
    assert got.text == "".join((TEXTS[0], said, *TEXTS[2:])).strip()
    assert [warning.code for warning in got.warnings] == ["words_without_sound"]
    assert got.warnings[0].message.startswith("In 1 window(s) ")
    # A translation's words are not in the order of the sound.
    translated = transcribe(FakeWindowEngine(script), task="translate")
    assert "WATCHING" in translated.text
    assert translated.warnings == ()


def test_a_sentence_that_a_window_passes_over_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_form, "speech_probabilities", lambda audio, _: np.ones(2000, np.float32))
    asked: list[tuple[float, float]] = []

    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        asked.append((round(window.start, 2), round(window.end, 2)))
        if window.duration_s < 5.0:
            return Utterance(" Lost sentence.", logprob=-0.3)
        return Utterance(" Two is ~ ~ the end." if which(window) == 1 else TEXTS[which(window)])

    got = transcribe(FakeWindowEngine(script), prompt="Earlier.", word_timestamps=True)
    assert got.text == "One comes first. Two is Lost sentence. the end. Three. Four follows now. Five ends it."
    of_second = [segment for segment in got.segments if 10.0 <= segment.start < 20.0]
    assert [(word.text, round(word.start, 2)) for segment in of_second for word in segment.words] == [
        (" Two", 10.0),
        (" is", 11.33),
        (" Lost", 12.67),
        (" sentence.", 14.0),
        (" the", 15.33),
        (" end.", 16.67),
    ]
    assert [segment.avg_logprob for segment in of_second] == pytest.approx([-0.1, -0.3, -0.1])
    assert asked[-1] == (12.67, 15.33)
    assert asked.count(asked[-1]) == 1  # without the prompt, and not at rising temperatures
    assert got.warnings == ()


def test_a_second_hearing_that_fails_a_gate_fills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_form, "speech_probabilities", lambda audio, _: np.ones(2000, np.float32))

    def script(window: Window, prompt: Any, temperature: float) -> Utterance:
        if window.duration_s < 5.0:
            return Utterance(" la" * 60, logprob=-0.1)
        return Utterance(" Two is ~ ~ the end." if which(window) == 1 else TEXTS[which(window)])

    assert " la" not in transcribe(FakeWindowEngine(script)).text
