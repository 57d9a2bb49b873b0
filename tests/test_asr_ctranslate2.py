"""The tiny Whisper, converted to CTranslate2's format, through the real faster-whisper; and random weights for other shapes."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ctranslate2 = pytest.importorskip("ctranslate2")
pytest.importorskip("faster_whisper")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from roundtable.asr import AsrModel, TranscribeOptions, load_transcriber  # noqa: E402  # after the skips above
from roundtable.asr.ctranslate2 import CTranslate2Transcriber, is_ctranslate2_model  # noqa: E402
from roundtable.asr.mel import LogMel  # noqa: E402
from roundtable.asr.window_engine import Prompt  # noqa: E402
from roundtable.audio import SAMPLE_RATE_HZ, Audio  # noqa: E402
from roundtable.control import Control  # noqa: E402
from roundtable.errors import Cancelled, EngineUnavailable, InvalidSettings, OutOfMemory, Unsupported  # noqa: E402
from roundtable.transcript import Stage, Transcript, Warning_  # noqa: E402
from roundtable.windows import Window  # noqa: E402
from tests.models.conversations import Recording, dialogue, nothing  # noqa: E402
from tests.models.sentences import bare  # noqa: E402
from tests.models.speech import missing_synthesiser  # noqa: E402

pytestmark = pytest.mark.skipif(bool(missing_synthesiser()), reason=missing_synthesiser())

WEIGHTS = Path(__file__).parent / "models" / "whisper-tiny"
ENGLISH = TranscribeOptions(language="en")
SHORT_WINDOWS = TranscribeOptions(chunk_length_s=3)
"""Many windows out of a short recording."""

EN = Prompt("en", "transcribe")


def convert(folder: Path, target: Path) -> Path:
    """A transformers folder to CTranslate2's format, as faster-whisper's users do it."""
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(folder), copy_files=["tokenizer.json"]).convert(str(target))
    return target


def random_whisper(folder: Path, *, vocabulary: int, mel_bins: int) -> Path:
    """Untrained, with the tiny one's tokenizer; what the vocabulary has beyond it are timestamps."""
    shutil.copytree(WEIGHTS, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.md"))
    config = transformers.WhisperConfig.from_pretrained(WEIGHTS)
    small = {"d_model": 16, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "encoder_layers": 1, "decoder_layers": 1}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config.update({**small, **heads, "vocab_size": vocabulary, "num_mel_bins": mel_bins})
    torch.manual_seed(1)
    generation = json.loads((folder / "generation_config.json").read_text())
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({**generation, "alignment_heads": [[0, 0]]}))
    return convert(folder, folder.with_name("converted"))


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(WEIGHTS, tmp_path_factory.mktemp("models") / "whisper-tiny-ct2")


@pytest.fixture(scope="module")
def large_shape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OpenAI's multilingual vocabulary and 128 mel bins, untrained."""
    return random_whisper(tmp_path_factory.mktemp("large") / "random", vocabulary=51866, mel_bins=128)


@pytest.fixture(scope="module")
def english_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_whisper(tmp_path_factory.mktemp("english") / "random", vocabulary=51864, mel_bins=80)


@pytest.fixture(scope="module")
def transcriber(converted: Path) -> CTranslate2Transcriber:
    return CTranslate2Transcriber(str(converted))


@pytest.fixture(scope="module")
def full_precision(converted: Path) -> CTranslate2Transcriber:
    return CTranslate2Transcriber(str(converted), dtype="float32")


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Two people, 45 seconds."""
    return dialogue(1, 0.75)


@pytest.fixture(scope="module")
def audio(recording: Recording) -> Audio:
    return Audio(recording.samples)


@pytest.fixture(scope="module")
def excerpt(audio: Audio) -> Audio:
    """The first 9 seconds."""
    return Audio(audio.samples[: 9 * SAMPLE_RATE_HZ])


@pytest.fixture(scope="module")
def by_windows(transcriber: CTranslate2Transcriber, excerpt: Audio) -> Transcript:
    return transcriber.transcribe(excerpt, SHORT_WINDOWS, Control())


@pytest.fixture(scope="module")
def transcript(transcriber: CTranslate2Transcriber, audio: Audio) -> Transcript:
    return transcriber.transcribe(audio, TranscribeOptions(), Control())


@pytest.fixture
def window(excerpt: Audio) -> Window:
    return Window(excerpt, ((0, 4 * SAMPLE_RATE_HZ), (5 * SAMPLE_RATE_HZ, 9 * SAMPLE_RATE_HZ)))


def words_of(text: str) -> list[str]:
    return [bare(word) for word in text.split()]


def matched_starts(transcript: Transcript, recording: Recording) -> Iterator[float]:
    """How far the words that are right begin from where they should."""
    from difflib import SequenceMatcher

    heard, said = list(transcript.words()), recording.words
    matcher = SequenceMatcher(
        None, [bare(word.text.strip()) for word in heard], [bare(word.text) for word in said], autojunk=False
    )
    for left, right, size in matcher.get_matching_blocks():
        yield from (abs(heard[left + at].start - said[right + at].start) for at in range(size))


# ---- What it hears


def test_a_conversation_is_understood(transcript: Transcript, recording: Recording) -> None:
    import jiwer

    assert jiwer.wer(" ".join(words_of(recording.text)), " ".join(words_of(transcript.text))) <= 0.1


def test_the_language_is_found(transcript: Transcript) -> None:
    assert transcript.language is not None
    assert transcript.language.code == "en"
    assert transcript.language.probability == pytest.approx(1.0, abs=0.05)


def test_words_begin_when_they_are_said(transcript: Transcript, recording: Recording) -> None:
    errors = sorted(matched_starts(transcript, recording))
    assert len(errors) >= 0.9 * len(recording.words)
    assert statistics.median(errors) <= 0.1
    assert errors[int(0.95 * len(errors))] <= 0.3


def test_times_ascend_within_the_recording(transcript: Transcript, audio: Audio) -> None:
    words = list(transcript.words())
    assert all(0.0 <= word.start <= word.end <= audio.duration_s for word in words)
    assert all(left.start <= right.start for left, right in pairwise(words))


def test_every_word_is_in_the_text_and_has_a_confidence(transcript: Transcript) -> None:
    assert "".join(word.text for word in transcript.words()).strip() == transcript.text
    assert all(word.confidence is not None and 0.0 < word.confidence <= 1.0 for word in transcript.words())


def test_quality_is_reported(transcript: Transcript) -> None:
    for segment in transcript.segments:
        assert segment.avg_logprob == pytest.approx(-0.5, abs=0.5)
        assert segment.no_speech_prob == pytest.approx(0.05, abs=0.05)
        assert segment.temperature == 0.0


def test_it_writes_what_the_engine_on_transformers_writes(full_precision: CTranslate2Transcriber, audio: Audio) -> None:
    ours = full_precision.transcribe(audio, TranscribeOptions(), Control())
    theirs = load_transcriber(str(WEIGHTS)).transcribe(audio, TranscribeOptions(), Control())
    assert ours.text == theirs.text


@pytest.mark.parametrize("kind", ["silence", "pink", "hum"])
def test_where_nobody_speaks_there_is_nothing(transcriber: CTranslate2Transcriber, kind: Any) -> None:
    quiet = Audio(nothing(kind, 10.0).samples)
    assert transcriber.transcribe(quiet, TranscribeOptions(), Control()) == Transcript()


def test_segments_without_words_when_none_are_asked_for(
    transcriber: CTranslate2Transcriber, audio: Audio, transcript: Transcript
) -> None:
    bare_segments = transcriber.transcribe(audio, TranscribeOptions(word_timestamps=False), Control()).segments
    assert bare_segments == tuple(replace(segment, words=()) for segment in transcript.segments)


# ---- What the result does not depend on


@pytest.mark.parametrize("batch_size", [1, 3])
def test_int8_gives_the_same_transcript_in_batches_of(
    batch_size: int, transcriber: CTranslate2Transcriber, excerpt: Audio, by_windows: Transcript
) -> None:
    """To the last digit: the rows of a batch are quantised each by itself."""
    assert transcriber.transcribe(excerpt, replace(SHORT_WINDOWS, batch_size=batch_size), Control()) == by_windows


def test_float32_gives_the_same_words_and_times_in_any_batch(full_precision: CTranslate2Transcriber, excerpt: Audio) -> None:
    """Sums of floats differ in the last digit with the size of the batch, and with them the probabilities."""
    heard = [
        [
            (word.text, word.start, word.end)
            for word in full_precision.transcribe(excerpt, replace(SHORT_WINDOWS, batch_size=size), Control()).words()
        ]
        for size in (1, 8)
    ]
    assert heard[0]
    assert heard[0] == heard[1]


def test_two_threads_hear_what_one_hears(
    transcriber: CTranslate2Transcriber, audio: Audio, excerpt: Audio, by_windows: Transcript
) -> None:
    other = Audio(audio.samples[20 * SAMPLE_RATE_HZ : 26 * SAMPLE_RATE_HZ])
    alone = [by_windows, transcriber.transcribe(other, SHORT_WINDOWS, Control())]
    together: list[Transcript | None] = [None] * 2

    def hear(at: int, recording: Audio) -> None:
        together[at] = transcriber.transcribe(recording, SHORT_WINDOWS, Control())

    threads = [threading.Thread(target=hear, args=work) for work in enumerate((excerpt, other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


# ---- What it does, one batch at a time


class Spy:
    """The model, and every call of one of its methods: (positional arguments, keyword arguments). `refuse_above`: batches with
    more rows end like a GPU without memory."""

    def __init__(self, whisper: Any, method: str, refuse_above: int | None = None) -> None:
        self._whisper = whisper
        self._method = method
        self._refuse_above = refuse_above
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._whisper, name)
        if name != self._method:
            return real

        def call(*args: Any, **named: Any) -> Any:
            if self._refuse_above is not None and len(args[1]) > self._refuse_above:
                raise RuntimeError("CUDA failed with error out of memory")
            self.calls.append((args, named))
            return real(*args, **named)

        return call


def spy_on(transcriber: CTranslate2Transcriber, monkeypatch: pytest.MonkeyPatch, method: str, **how: Any) -> Spy:
    spy = Spy(transcriber._engine.whisper, method, **how)
    monkeypatch.setattr(transcriber._engine, "whisper", spy)
    monkeypatch.setattr(transcriber._engine.loaded, "model", spy)
    return spy


def windows_of(audio: Audio, seconds: Sequence[tuple[float, float]]) -> list[Window]:
    return [Window(audio, ((round(start * SAMPLE_RATE_HZ), round(end * SAMPLE_RATE_HZ)),)) for start, end in seconds]


def test_each_window_is_encoded_once(
    transcriber: CTranslate2Transcriber, excerpt: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = spy_on(transcriber, monkeypatch, "encode")
    progress: list[tuple[Stage, float]] = []
    transcriber.transcribe(excerpt, SHORT_WINDOWS, Control(on_progress=lambda stage, done: progress.append((stage, done))))
    assert [args[0].shape for args, _ in encoded.calls] == [[1, 80, 3000]] * len(progress)
    assert progress == [("asr", done / len(progress)) for done in range(1, len(progress) + 1)]


def test_the_prompt_stands_before_every_window(
    transcriber: CTranslate2Transcriber, excerpt: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    generated = spy_on(transcriber, monkeypatch, "generate")
    options = TranscribeOptions(task="translate", language="de", prompt="The <|endoftext|> report.", hotwords=("Wilson",))
    transcriber.transcribe(excerpt, options, Control())
    tag = transcriber._engine.control
    prompts = next(args[1] for args, named in generated.calls if named["max_length"] > 2)
    assert prompts == [prompts[0]] * len(prompts)
    assert prompts[0][0] == tag["<|startofprev|>"]
    assert transcriber._engine.decode_text(prompts[0]).strip().endswith("The <|endoftext|> report.")
    assert "Wilson" in transcriber._engine.decode_text(prompts[0])
    tail = ["<|startoftranscript|>", "<|de|>", "<|translate|>", "<|notimestamps|>"]
    assert prompts[0][-4:] == [tag[text] for text in tail]


def test_the_spectrogram_is_that_of_the_engine_on_transformers(transcriber: CTranslate2Transcriber, window: Window) -> None:
    theirs = LogMel(80, torch.device("cpu"))(window.samples()).numpy()
    np.testing.assert_allclose(transcriber._engine._mel(window), theirs, atol=2e-4)


def test_the_tokens_probabilities_sum_up_to_the_score(transcriber: CTranslate2Transcriber, window: Window) -> None:
    engine = transcriber._engine
    batch = engine.encode([window], Control())
    (decoded,) = batch.write([0], EN, 0.0)
    asked = {"beam_size": 1, "length_penalty": 0, "return_scores": True, "suppress_tokens": engine.never}
    (result,) = engine.whisper.generate(batch._rows([0]), [engine.prompt_tokens(EN)], **asked)
    assert decoded.tokens == tuple(result.sequences_ids[0])
    assert decoded.finished
    assert len(decoded.logprobs) == len(decoded.tokens) + 1
    assert sum(decoded.logprobs) == pytest.approx(result.scores[0], abs=0.05)


def test_second_attempts_are_beams_and_the_same_each_time(transcriber: CTranslate2Transcriber, window: Window) -> None:
    first, again = (transcriber._engine.encode([window], Control()) for _ in range(2))
    attempts = [first.write([0], EN, temperature)[0] for temperature in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert len({attempt.tokens for attempt in attempts}) == 5
    assert [again.write([0], EN, temperature)[0] for temperature in (1.0, 0.2)] == [attempts[4], attempts[0]]


def test_a_row_is_written_alike_alone_and_in_company(transcriber: CTranslate2Transcriber, excerpt: Audio) -> None:
    windows = windows_of(excerpt, [(0, 3), (3, 8), (2, 9)])
    together = transcriber._engine.encode(windows, Control())
    alone = transcriber._engine.encode(windows[1:2], Control())
    written = together.write([2, 1], EN, 0.0)
    assert written[1] == alone.write([0], EN, 0.0)[0]
    assert together.align([written[1], written[1], written[0]], EN)[1] == alone.align([written[1]], EN)[0]


def test_memory_that_runs_out_halves_the_batches(
    transcriber: CTranslate2Transcriber, excerpt: Audio, by_windows: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy_on(transcriber, monkeypatch, "generate", refuse_above=2)
    squeezed = transcriber.transcribe(excerpt, SHORT_WINDOWS, Control())
    assert squeezed.segments == by_windows.segments
    assert [warning.code for warning in squeezed.warnings] == ["batch_size_reduced"]


@pytest.mark.parametrize(
    "told", ["CUDA failed with error out of memory", "mkl_malloc: failed to allocate memory", "std::bad_alloc"]
)
def test_what_ctranslate2_says_of_exhausted_memory_is_understood(transcriber: CTranslate2Transcriber, told: str) -> None:
    assert transcriber._engine.ran_out_of_memory(RuntimeError(told))
    assert not transcriber._engine.ran_out_of_memory(RuntimeError("index out of range"))


def test_memory_for_not_even_one_window(
    transcriber: CTranslate2Transcriber, excerpt: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy_on(transcriber, monkeypatch, "generate", refuse_above=0)
    with pytest.raises(OutOfMemory):
        transcriber.transcribe(excerpt, SHORT_WINDOWS, Control())


def test_other_errors_are_not_taken_for_want_of_memory(
    transcriber: CTranslate2Transcriber, excerpt: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcriber._engine, "never", [10**6, "no token"])
    with pytest.raises(TypeError):
        transcriber.transcribe(excerpt, ENGLISH, Control())


def test_a_temperature_is_not_heeded_and_says_so(
    transcriber: CTranslate2Transcriber, excerpt: Audio, by_windows: Transcript
) -> None:
    warned = transcriber.transcribe(excerpt, replace(SHORT_WINDOWS, temperature=0.7), Control())
    message = "CTranslate2 models are always decoded at temperature 0."
    assert warned == replace(by_windows, warnings=(Warning_("asr", "temperature_ignored", message),))


def test_a_cancelled_request_stops(transcriber: CTranslate2Transcriber, excerpt: Audio) -> None:
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        transcriber.transcribe(excerpt, ENGLISH, control)


# ---- Other shapes


def test_languages_and_silence_are_those_of_the_checkpoint(full_precision: CTranslate2Transcriber, excerpt: Audio) -> None:
    windows = windows_of(excerpt, [(0, 2), (3, 8)])
    engine = full_precision._engine
    batch = engine.encode(windows, Control())
    model = transformers.WhisperForConditionalGeneration.from_pretrained(WEIGHTS).float().eval()
    with torch.inference_mode():
        mels = torch.from_numpy(np.stack([engine._mel(window) for window in windows]))
        starts = torch.full((2, 1), engine.control["<|startoftranscript|>"])
        logits = model(mels, decoder_input_ids=starts).logits[:, 0]
    ids = [engine.control[f"<|{code}|>"] for code in engine.languages]
    assert len(ids) == 100
    np.testing.assert_allclose(batch.language_logprobs(), logits[:, ids].log_softmax(-1), atol=2e-2)
    np.testing.assert_allclose(batch.no_speech_probs(), logits.softmax(-1)[:, engine.control["<|nospeech|>"]], atol=1e-4)


def test_128_mel_bins_need_no_preprocessor_config(large_shape: Path, window: Window) -> None:
    engine = CTranslate2Transcriber(str(large_shape))._engine
    assert not (large_shape / "preprocessor_config.json").exists()
    assert engine._mel(window).shape == (128, 3000)


@pytest.mark.parametrize("previous", [0, 223])
def test_text_that_does_not_end_is_cut_and_marked(previous: int, large_shape: Path, excerpt: Audio) -> None:
    """A window of 2 seconds may have 20 + 60 tokens, one of 9 seconds 20 + 270, as far as the prompt leaves room in 448."""
    windows = windows_of(excerpt, [(0, 2), (0, 9)])
    batch = CTranslate2Transcriber(str(large_shape))._engine.encode(windows, Control())
    decoded = batch.write([0, 1], replace(EN, previous=(5,) * previous), 0.0)
    room = 448 - 4 - (previous and previous + 1) - 1
    assert [(len(one.tokens), len(one.logprobs), one.finished) for one in decoded] == [
        (80, 80, False),
        (min(290, room), min(290, room), False),
    ]
    assert batch.write([0], replace(EN, previous=(5,) * previous), 0.0) == decoded[:1]
    for words, window in zip(batch.align(decoded, EN), windows, strict=True):
        assert all(0.0 <= word.start <= word.end <= window.duration_s + 0.02 for word in words)


def test_english_only(english_only: Path, excerpt: Audio) -> None:
    transcriber = CTranslate2Transcriber(str(english_only))
    tag = transcriber._engine.control
    assert transcriber._engine.languages == ()
    assert transcriber._engine.prompt_tokens(EN) == [tag["<|startoftranscript|>"], tag["<|notimestamps|>"]]
    with pytest.raises(Unsupported):
        transcriber.transcribe(excerpt, TranscribeOptions(task="translate"), Control())
    with pytest.raises(Unsupported):
        transcriber.transcribe(excerpt, TranscribeOptions(language="de"), Control())


# ---- Which models it takes, and what it says to the others


def test_it_knows_its_models_from_others(converted: Path, tmp_path: Path) -> None:
    assert is_ctranslate2_model(str(converted))
    assert not is_ctranslate2_model(str(WEIGHTS))
    assert not is_ctranslate2_model(str(tmp_path))
    for text in ("not json", "[]", '{"add_source_bos": false}', '{"model_type": "whisper", "suppress_ids": []}'):
        (tmp_path / "config.json").write_text(text)
        assert not is_ctranslate2_model(str(tmp_path))


def test_of_a_repository_only_the_config_is_fetched_to_know(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = []

    def download(repository: str, **how: Any) -> str:
        asked.append((repository, how["revision"], how["token"], how["allow_patterns"]))
        return str(converted)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert is_ctranslate2_model("Systran/faster-whisper-small", "v1", "hf_secret")
    assert asked == [("Systran/faster-whisper-small", "v1", "hf_secret", ["config.json"])]


def test_the_loader_hands_such_models_over(converted: Path) -> None:
    transcriber = load_transcriber(AsrModel(str(converted), dtype="int8"))
    assert isinstance(transcriber, CTranslate2Transcriber)
    assert transcriber.name == "whisper-tiny-ct2"
    with pytest.raises(InvalidSettings, match="ASR_ASSISTANT_MODEL"):
        load_transcriber(AsrModel(str(converted), assistant=str(WEIGHTS)))


def test_dtypes(converted: Path) -> None:
    computes = {
        dtype: CTranslate2Transcriber(str(converted), dtype=dtype)._engine.whisper.compute_type
        for dtype in ("auto", "int8", "float32")
    }
    assert computes == {"auto": "int8_float32", "int8": "int8_float32", "float32": "float32"}
    with pytest.raises(InvalidSettings) as refused:
        CTranslate2Transcriber(str(converted), dtype="float16")
    assert refused.value.message.startswith("ASR_DTYPE: CTranslate2 cannot compute in float16 on this CPU. It takes: auto,")


def refusal(folder: Path) -> str:
    with pytest.raises(EngineUnavailable) as refused:
        CTranslate2Transcriber(str(folder))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return refused.value.message


@pytest.mark.parametrize("package", ["faster_whisper", "ctranslate2"])
def test_a_missing_package_is_named(package: str, converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    install = "pip install 'faster-whisper>=1.1,<2' 'ctranslate2>=4.6,<5'"
    assert refusal(converted) == f"ASR_MODEL is in CTranslate2's format, which needs faster-whisper. Run: {install}"


def test_a_folder_without_tokenizer(converted: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(converted, tmp_path / "model", ignore=shutil.ignore_patterns("tokenizer.json"))
    assert refusal(folder) == "ASR_MODEL has no tokenizer.json: convert it again with --copy_files tokenizer.json."


@pytest.mark.parametrize("name", ["model.bin", "vocabulary.json", "tokenizer.json"])
def test_damaged_files(name: str, converted: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(converted, tmp_path / "model")
    (folder / name).write_bytes((folder / name).read_bytes()[:1000])
    assert refusal(folder).startswith("ASR_MODEL cannot be loaded by CTranslate2: its files are damaged or missing (")


def test_missing_weights(converted: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(converted, tmp_path / "model", ignore=shutil.ignore_patterns("model.bin"))
    assert refusal(folder).startswith("ASR_MODEL cannot be loaded by CTranslate2: its files are damaged or missing (")
