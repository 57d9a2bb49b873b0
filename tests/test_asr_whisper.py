"""The Whisper engine on the tiny model that was trained for it, and on recordings that nobody trained it on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from evaluation.normalize import normalize  # noqa: E402  # after the skips above
from roundtable.asr import AsrModel, TranscribeOptions, load_transcriber, whisper  # noqa: E402
from roundtable.asr.checkpoint import load_checkpoint  # noqa: E402
from roundtable.asr.speculative import decode_assisted  # noqa: E402
from roundtable.asr.whisper import WhisperTranscriber  # noqa: E402
from roundtable.asr.window_engine import Prompt  # noqa: E402
from roundtable.audio import SAMPLE_RATE_HZ, Audio, decode_audio  # noqa: E402
from roundtable.control import Control  # noqa: E402
from roundtable.errors import Cancelled, DeadlineExceeded, InvalidSettings, OutOfMemory, Unsupported  # noqa: E402
from roundtable.transcript import Transcript  # noqa: E402
from roundtable.voice_activity import speech_regions  # noqa: E402
from roundtable.windows import pack_windows  # noqa: E402
from tests.models import conversations  # noqa: E402
from tests.models.conversations import Recording  # noqa: E402
from tests.models.speech import missing_synthesiser  # noqa: E402

TINY = Path(__file__).parent / "models" / "whisper-tiny"
HELD_OUT = TINY.parent / "held_out"

spoken = pytest.mark.skipif(bool(missing_synthesiser()), reason=f"the recordings are made here: {missing_synthesiser()}")


@cache
def engine() -> WhisperTranscriber:
    loaded = load_transcriber(str(TINY))
    assert isinstance(loaded, WhisperTranscriber)
    return loaded


@cache
def dialogue() -> Recording:
    """A minute and a half of three people: four windows."""
    return conversations.dialogue(seed=20, minutes=1.5, speakers=3)


def audio_of(recording: Recording) -> Audio:
    return Audio(recording.samples)


def hear(audio: Audio, control: Control | None = None, **options: Any) -> Transcript:
    return engine().transcribe(audio, TranscribeOptions(**options), control or Control())


def word_error_rate(recording: Recording, transcript: Transcript) -> float:
    return jiwer.wer(" ".join(normalize(recording.text)), " ".join(normalize(transcript.text)))


def said(transcript: Transcript) -> list[tuple[str, float, float]]:
    return [(word.text, round(word.start, 3), round(word.end, 3)) for word in transcript.words()]


def matched_starts(recording: Recording, transcript: Transcript) -> list[float]:
    """|start - reference start| of the words that both have, in seconds."""
    words = list(transcript.words())
    heard = [" ".join(normalize(word.text)) for word in words]
    reference = [" ".join(normalize(word.text)) for word in recording.words]
    errors = []
    aligned = jiwer.process_words([" ".join(filter(None, reference))], [" ".join(filter(None, heard))])
    known = [word for word, text in zip(recording.words, reference, strict=True) if text]
    found = [word for word, text in zip(words, heard, strict=True) if text]
    for chunk in aligned.alignments[0]:
        if chunk.type == "equal":
            pairs = zip(
                known[chunk.ref_start_idx : chunk.ref_end_idx], found[chunk.hyp_start_idx : chunk.hyp_end_idx], strict=True
            )
            errors += [abs(one.start - other.start) for one, other in pairs]
    return errors


@contextmanager
def counted_encoder_passes() -> Iterator[list[int]]:
    """The number of windows in each call of the encoder."""
    calls: list[int] = []
    encoder = engine()._engine.checkpoint.model.model.encoder
    hook = encoder.register_forward_hook(lambda module, inputs, output: calls.append(len(output.last_hidden_state)))
    try:
        yield calls
    finally:
        hook.remove()


@spoken
def test_a_conversation_that_was_never_trained_on_is_heard() -> None:
    transcript = hear(audio_of(dialogue()))
    assert word_error_rate(dialogue(), transcript) <= 0.08
    assert transcript.language is not None
    assert transcript.language.code == "en"
    assert 0.9 < (transcript.language.probability or 0.0) <= 1.0


@spoken
def test_words_start_when_they_are_said() -> None:
    errors = np.array(matched_starts(dialogue(), hear(audio_of(dialogue()))))
    assert len(errors) > 150
    assert np.median(errors) <= 0.1
    assert np.quantile(errors, 0.95) <= 0.3


@spoken
def test_words_and_segments_agree_and_lie_within_the_recording() -> None:
    transcript = hear(audio_of(dialogue()))
    words = list(transcript.words())
    assert "".join(word.text for word in words).strip() == transcript.text
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= dialogue().duration_s
    assert all(word.confidence is not None and 0.0 < word.confidence <= 1.0 for word in words)
    assert all(segment.end - segment.start <= 30.0 for segment in transcript.segments)
    assert {segment.temperature for segment in transcript.segments} == {0.0}
    assert all(-1.0 < (segment.avg_logprob or -9.0) < 0.0 for segment in transcript.segments)


@spoken
def test_every_window_is_encoded_exactly_once() -> None:
    audio = audio_of(dialogue())
    windows = pack_windows(audio, speech_regions(audio, min_speech_s=0.1, min_silence_s=0.3, pad_s=0.2), 30)
    for language in (None, "en"):
        with counted_encoder_passes() as passes:
            hear(audio, language=language)
        assert sum(passes) == len(windows)


@cache
def two_at_a_time() -> list[tuple[str, float, float]]:
    return said(hear(audio_of(dialogue()), batch_size=2, chunk_length_s=12))


@spoken
@pytest.mark.parametrize("batch_size", [1, 3, 24])
def test_the_batch_size_changes_nothing(batch_size: int) -> None:
    assert said(hear(audio_of(dialogue()), batch_size=batch_size, chunk_length_s=12)) == two_at_a_time()


@spoken
def test_neither_does_the_order_within_a_batch() -> None:
    audio = audio_of(dialogue())
    windows = pack_windows(audio, speech_regions(audio, min_speech_s=0.1, min_silence_s=0.3, pad_s=0.2), 12)
    prompt = Prompt("en", "transcribe")
    with torch.inference_mode():
        rows = range(len(windows))
        forwards = engine()._engine.encode(windows, Control()).write(rows, prompt, 0.0)
        backwards = engine()._engine.encode(windows[::-1], Control()).write(rows, prompt, 0.0)
    assert [row.tokens for row in forwards] == [row.tokens for row in backwards][::-1]


@pytest.mark.slow
@spoken
def test_neither_do_four_threads_at_once() -> None:
    alone = said(hear(audio_of(dialogue())))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: said(hear(audio_of(dialogue()))), range(4)))
    assert together == [alone] * 4


@spoken
def test_the_models_attention_is_never_switched_also_not_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    config = engine()._engine.checkpoint.model.config
    before = config._attn_implementation

    def fails(*args: Any) -> Any:
        assert config._attn_implementation == before
        raise KeyError

    monkeypatch.setattr(whisper, "token_times", fails)
    with pytest.raises(KeyError):
        hear(audio_of(dialogue()))
    assert config._attn_implementation == before
    monkeypatch.undo()
    assert word_error_rate(dialogue(), hear(audio_of(dialogue()))) <= 0.08


@pytest.mark.parametrize("kind", conversations.SILENCES)
@pytest.mark.parametrize("seconds", [5.0, 40.0])
def test_nothing_is_invented_where_nobody_speaks(kind: conversations.Silence, seconds: float) -> None:
    assert hear(audio_of(conversations.nothing(kind, seconds))).text == ""


@spoken
@pytest.mark.parametrize("seed", range(3))
def test_a_string_of_digits_is_whole_and_every_digit_has_its_time(seed: int) -> None:
    recording = conversations.digits(seed)
    transcript = hear(audio_of(recording))
    assert normalize(transcript.text) == normalize(recording.text)
    assert max(matched_starts(recording, transcript)) <= 0.3


@spoken
@pytest.mark.parametrize("seed", range(3))
def test_a_phrase_said_five_times_is_written_five_times(seed: int) -> None:
    recording = conversations.five_times(seed)
    assert normalize(hear(audio_of(recording)).text) == normalize(recording.text)


@spoken
@pytest.mark.parametrize("seed", range(3))
def test_one_word_in_half_a_minute_of_silence_is_found_in_its_place(seed: int) -> None:
    recording = conversations.one_word(seed)
    transcript = hear(audio_of(recording))
    assert normalize(transcript.text) == normalize(recording.text)
    (word,) = transcript.words()
    assert word.start == pytest.approx(recording.words[0].start, abs=0.3)
    assert word.end == pytest.approx(recording.words[0].end, abs=0.3)


@spoken
@pytest.mark.parametrize("seconds", [29.9, 30.0, 30.1, 60.0])
def test_speech_from_the_first_sample_to_the_last_is_all_there_around_the_window_length(seconds: float) -> None:
    recording = conversations.wall_to_wall(seconds)
    counted = jiwer.process_words(" ".join(normalize(recording.text)), " ".join(normalize(hear(audio_of(recording)).text)))
    assert counted.deletions <= 1
    assert counted.insertions <= 1
    assert counted.wer <= 0.08


@spoken
def test_one_sample_more_or_less_around_a_window_is_no_other_text() -> None:
    samples = conversations.wall_to_wall(30.0).samples
    texts = {hear(Audio(samples[: len(samples) - less])).text for less in (0, 1, 159, 160)}
    assert len(texts) == 1


@pytest.mark.parametrize("count", [1, 2, 160, 399, 400, 8000])
def test_the_shortest_recordings_are_no_error(count: int) -> None:
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, count).astype(np.float32)
    assert hear(Audio(noise)).text == ""


def test_a_sentence_at_the_end_of_a_full_window_is_not_passed_over() -> None:
    recording = decode_audio((HELD_OUT / "two_people.flac").read_bytes(), max_bytes=10**7, max_seconds=300)
    for seconds in (33, 36):  # from one window on, and two
        transcript = hear(Audio(recording.samples[: seconds * SAMPLE_RATE_HZ]))
        assert transcript.text.count("She said David was special.") == 1


@spoken
def test_hotwords_and_prompt_do_not_show_in_the_text() -> None:
    plain = hear(audio_of(dialogue()))
    prompted = hear(audio_of(dialogue()), hotwords=("Zanzibar", "Quixote"), prompt="The quarterly figures of the harbour.")
    assert "Zanzibar" not in prompted.text
    assert "quarterly" not in prompted.text
    assert len(normalize(prompted.text)) == pytest.approx(len(normalize(plain.text)), rel=0.25)


def test_a_language_that_is_none_is_refused() -> None:
    with pytest.raises(Unsupported):
        hear(Audio(np.zeros(16000, dtype=np.float32)), language="xx")


@pytest.mark.slow
@spoken
def test_out_of_memory_halves_the_batch_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = said(hear(audio_of(dialogue()), chunk_length_s=12))
    real = engine()._engine.decoder.remember

    def remember(states: Any) -> Any:
        if len(states) > 2:
            raise torch.OutOfMemoryError
        return real(states)

    monkeypatch.setattr(engine()._engine.decoder, "remember", remember)
    transcript = hear(audio_of(dialogue()), chunk_length_s=12)
    assert said(transcript) == expected
    assert [warning.code for warning in transcript.warnings] == ["batch_size_reduced"]


@spoken
def test_no_memory_for_one_window_is_a_capacity_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def remember(states: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(engine()._engine.decoder, "remember", remember)
    with pytest.raises(OutOfMemory):
        hear(audio_of(dialogue()))


@spoken
def test_a_deadline_stops_between_windows_and_a_cancel_too() -> None:
    ticking = iter(range(10**6))
    with pytest.raises(DeadlineExceeded):
        hear(audio_of(dialogue()), Control(timeout_s=5, clock=lambda: float(next(ticking))))
    control = Control(None, lambda stage, fraction: control.cancel())
    with counted_encoder_passes() as passes, pytest.raises(Cancelled):
        hear(audio_of(dialogue()), control, batch_size=1, chunk_length_s=12)
    assert sum(passes) == 1


@spoken
def test_an_assistant_gives_the_same_text_and_is_used_for_a_single_window(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    assisted = load_transcriber(AsrModel(str(TINY), assistant=str(TINY)))

    def counted(*models: Any, **options: Any) -> Any:
        used.append(1)
        return decode_assisted(*models, **options)

    monkeypatch.setattr(whisper, "decode_assisted", counted)
    short = Audio(dialogue().samples[: 20 * SAMPLE_RATE_HZ])
    for audio, times in ((short, 1), (audio_of(dialogue()), 0)):
        used.clear()
        transcript = assisted.transcribe(audio, TranscribeOptions(language="en", batch_size=2, chunk_length_s=24), Control())
        expected = hear(audio, language="en", batch_size=2, chunk_length_s=24)
        assert transcript.text == expected.text
        assert len(used) == times


def test_int8_is_for_ctranslate2() -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_transcriber(AsrModel(str(TINY), dtype="int8"))
    assert "CTranslate2" in caught.value.message


@spoken
def test_bfloat16_hears_the_same_conversation() -> None:
    half = WhisperTranscriber(load_checkpoint(str(TINY), dtype="bfloat16"))
    transcript = half.transcribe(audio_of(dialogue()), TranscribeOptions(), Control())
    assert word_error_rate(dialogue(), transcript) <= 0.12


def test_the_engine_is_named_after_its_folder_alone() -> None:
    assert engine().name == "whisper-tiny"
