"""Real words from real recordings, the same ones every time, and none where nobody speaks."""

from __future__ import annotations

import difflib
import json
import re
import sys
import threading
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest

from roundtable.asr import TranscribeOptions, load_transcriber
from roundtable.asr.embedded import PAUSE_S, EmbeddedTranscriber, _phrases
from roundtable.audio import SAMPLE_RATE_HZ, Audio, decode_audio
from roundtable.control import Control
from roundtable.errors import Cancelled, EngineUnavailable, Unsupported
from roundtable.transcript import Language, Stage, Transcript, Warning_, Word

SAMPLES = Path(__file__).parents[1] / "samples"
ENGLISH = TranscribeOptions()
MEETING_S = 12.1


def recording(name: str) -> Audio:
    return decode_audio((SAMPLES / name).read_bytes(), max_bytes=1 << 24, max_seconds=600)


def said(name: str) -> list[tuple[str, float]]:
    """The words of a recording and when they begin, written as the engine writes: lower case, no punctuation."""
    entries = json.loads((SAMPLES / name).read_text())
    return [(re.sub(r"[^a-z']", "", entry["word"].lower()), entry["start"]) for entry in entries]


def part(audio: Audio, start_s: float, end_s: float) -> Audio:
    return Audio(audio.samples[int(start_s * SAMPLE_RATE_HZ) : int(end_s * SAMPLE_RATE_HZ)])


@pytest.fixture(scope="module")
def engine() -> EmbeddedTranscriber:
    return EmbeddedTranscriber()


@pytest.fixture(scope="module")
def meeting() -> Audio:
    """Two people, two sentences each. Decoding it takes three seconds, so it is decoded once."""
    return part(recording("meeting.flac"), 0.0, MEETING_S)


@pytest.fixture(scope="module")
def sentence(meeting: Audio) -> Audio:
    """Today we have to talk about the new website and the budget of our project."""
    return part(meeting, 4.0, 8.7)


@pytest.fixture(scope="module")
def transcript(engine: EmbeddedTranscriber, meeting: Audio) -> Transcript:
    return engine.transcribe(meeting, ENGLISH, Control())


@pytest.fixture(scope="module")
def heard_sentence(engine: EmbeddedTranscriber, sentence: Audio) -> Transcript:
    return engine.transcribe(sentence, ENGLISH, Control())


def test_the_loader_knows_it() -> None:
    assert load_transcriber("embedded").name == "embedded (pocketsphinx 5.1 en-us)"


def test_a_meeting_is_understood(transcript: Transcript) -> None:
    reference = " ".join(word for word, start in said("meeting.words.json") if start < MEETING_S)
    assert jiwer.wer(reference, transcript.text) <= 0.15


def test_it_says_what_was_said(heard_sentence: Transcript) -> None:
    assert heard_sentence.text.startswith("today we have to talk about the new website")


def test_words_have_times_and_confidences(transcript: Transcript, meeting: Audio) -> None:
    words = list(transcript.words())
    assert all(0.0 <= word.start < word.end <= meeting.duration_s for word in words)
    assert all(left.end <= right.start for left, right in pairwise(words))
    confidences = [word.confidence for word in words if word.confidence is not None]
    assert len(confidences) == len(words)
    assert all(0.0 <= confidence <= 1.0 for confidence in confidences)
    assert len(set(confidences)) > 10


def test_words_begin_when_they_were_spoken(transcript: Transcript) -> None:
    heard = [(word.text.strip(), word.start) for word in transcript.words()]
    reference = said("meeting.words.json")
    matches = difflib.SequenceMatcher(None, [word for word, _ in reference], [word for word, _ in heard], autojunk=False)
    errors = [
        abs(reference[block.a + at][1] - heard[block.b + at][1])
        for block in matches.get_matching_blocks()
        for at in range(block.size)
    ]
    assert len(errors) >= 25
    assert np.median(errors) <= 0.05
    assert np.quantile(errors, 0.95) <= 0.15


def test_texts_join_to_the_transcript(transcript: Transcript) -> None:
    assert all(re.fullmatch(r" [a-z][a-z'.]*", word.text) for word in transcript.words())
    assert "".join(word.text for word in transcript.words()).strip() == transcript.text
    for segment in transcript.segments:
        assert segment.text == "".join(word.text for word in segment.words)
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)
        assert all(right.start - left.end < PAUSE_S for left, right in pairwise(segment.words))


def test_a_pause_of_half_a_second_ends_a_segment() -> None:
    words = tuple(Word(" a", start, start + 0.5) for start in (0.0, 0.99, 2.0, 3.0))
    assert [len(phrase) for phrase in _phrases(words)] == [2, 1, 1]
    assert list(_phrases(())) == []


def test_the_language_is_english_by_nature_not_by_detection(heard_sentence: Transcript) -> None:
    assert heard_sentence.language == Language("en", probability=None)
    assert heard_sentence.warnings == ()


@pytest.mark.parametrize("name", ["silence", "noise", "tone", "short"])
def test_nothing_is_heard_where_nobody_speaks(engine: EmbeddedTranscriber, name: str) -> None:
    heard = engine.transcribe(recording(f"edge/{name}.flac"), ENGLISH, Control())
    assert heard == Transcript((), Language("en"), ())


def test_one_word(engine: EmbeddedTranscriber) -> None:
    (word,) = engine.transcribe(recording("edge/one_word.flac"), ENGLISH, Control()).words()
    assert word.text == " hello"
    assert word.start == pytest.approx(1.20, abs=0.1)
    assert 1.5 <= word.end <= 1.9


def test_speech_from_the_first_sample_to_the_last(engine: EmbeddedTranscriber, meeting: Audio) -> None:
    heard = engine.transcribe(part(meeting, 4.34, 6.9), ENGLISH, Control())
    assert "have to talk about the" in heard.text


@pytest.mark.parametrize("gain_db", [-40, 20])
def test_the_level_of_the_recording_does_not_matter(
    engine: EmbeddedTranscriber, sentence: Audio, heard_sentence: Transcript, gain_db: int
) -> None:
    scaled = Audio(sentence.samples * np.float32(10 ** (gain_db / 20)))
    assert engine.transcribe(scaled, ENGLISH, Control()).text == heard_sentence.text


def test_a_noisy_recording_is_decoded_with_noise_removal(engine: EmbeddedTranscriber, sentence: Audio) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(5).standard_normal(len(sentence.samples)))
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), len(sentence.samples))
    pink *= 0.05 * sentence.samples.std() / pink.std()
    noisy = Audio((sentence.samples + pink).astype(np.float32))
    assert engine.transcribe(noisy, ENGLISH, Control()).text.endswith("budget of our projects")  # else "bunch of"


def test_what_was_heard_before_does_not_matter(
    engine: EmbeddedTranscriber, meeting: Audio, sentence: Audio, heard_sentence: Transcript
) -> None:
    engine.transcribe(part(meeting, 8.8, 12.0), ENGLISH, Control())
    assert engine.transcribe(sentence, ENGLISH, Control()) == heard_sentence
    assert EmbeddedTranscriber().transcribe(sentence, ENGLISH, Control()) == heard_sentence


def test_two_threads_hear_what_one_hears(
    engine: EmbeddedTranscriber, meeting: Audio, sentence: Audio, heard_sentence: Transcript
) -> None:
    other = part(meeting, 0.0, 4.0)
    alone = engine.transcribe(other, ENGLISH, Control())
    results: dict[int, Transcript] = {}

    def run(index: int, audio: Audio) -> None:
        results[index] = engine.transcribe(audio, ENGLISH, Control())

    threads = [threading.Thread(target=run, args=item) for item in enumerate((sentence, other, sentence))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {0: heard_sentence, 1: alone, 2: heard_sentence}


def test_short_windows_lose_no_words(engine: EmbeddedTranscriber, sentence: Audio) -> None:
    heard = engine.transcribe(sentence, TranscribeOptions(chunk_length_s=2), Control())
    assert len(list(heard.words())) >= 12
    assert {"talk", "website", "budget"} <= set(heard.text.split())


def test_english_may_be_named_and_word_times_left_out(
    engine: EmbeddedTranscriber, sentence: Audio, heard_sentence: Transcript
) -> None:
    heard = engine.transcribe(sentence, TranscribeOptions(language="en", word_timestamps=False), Control())
    assert [segment.words for segment in heard.segments] == [()] * len(heard_sentence.segments)
    assert [(s.start, s.end, s.text) for s in heard.segments] == [(s.start, s.end, s.text) for s in heard_sentence.segments]


@pytest.mark.parametrize("options", [TranscribeOptions(task="translate"), TranscribeOptions(language="de")])
def test_what_it_cannot_do_is_refused(engine: EmbeddedTranscriber, sentence: Audio, options: TranscribeOptions) -> None:
    with pytest.raises(Unsupported):
        engine.transcribe(sentence, options, Control())


def test_what_it_does_not_heed_is_a_warning(engine: EmbeddedTranscriber) -> None:
    options = TranscribeOptions(prompt="Website", hotwords=("budget",), temperature=0.2)
    heard = engine.transcribe(recording("edge/silence.flac"), options, Control())
    assert heard.warnings == (
        Warning_("asr", "prompt_ignored", "The embedded ASR engine takes no prompt."),
        Warning_("asr", "hotwords_ignored", "The embedded ASR engine takes no hotwords."),
        Warning_("asr", "temperature_ignored", "The embedded ASR engine takes no temperature."),
    )


def test_progress_is_told_window_by_window(engine: EmbeddedTranscriber, sentence: Audio) -> None:
    told: list[tuple[Stage, float]] = []
    control = Control(on_progress=lambda stage, fraction: told.append((stage, fraction)))
    engine.transcribe(sentence, TranscribeOptions(chunk_length_s=3), control)
    assert told == [("asr", 0.5), ("asr", 1.0)]


def test_it_stops_between_windows(engine: EmbeddedTranscriber, sentence: Audio) -> None:
    told: list[float] = []

    def cancel(stage: Stage, fraction: float) -> None:
        told.append(fraction)
        control.cancel()

    control = Control(on_progress=cancel)
    with pytest.raises(Cancelled):
        engine.transcribe(sentence, TranscribeOptions(chunk_length_s=3), control)
    assert told == [0.5]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(EngineUnavailable, match=r"pip install 'pocketsphinx"):
        EmbeddedTranscriber()


def test_a_damaged_model_is_an_error_without_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("roundtable.asr.embedded._model_folder", lambda: tmp_path)
    with pytest.raises(EngineUnavailable) as caught:
        EmbeddedTranscriber()
    assert str(tmp_path) not in str(caught.value)


def test_the_environment_does_not_choose_the_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sentence: Audio, heard_sentence: Transcript
) -> None:
    monkeypatch.setenv("POCKETSPHINX_PATH", str(tmp_path))
    assert EmbeddedTranscriber().transcribe(sentence, ENGLISH, Control()) == heard_sentence
