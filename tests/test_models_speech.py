"""The tests' own speech: nothing held out is trained on, every word has its true time, and every seed gives the same sound."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperProcessor, WhisperTokenizer

from tests.models.conversations import (
    SILENCES,
    Recording,
    Silence,
    dialogue,
    digits,
    five_times,
    nothing,
    one_word,
    wall_to_wall,
)
from tests.models.corpus import read_corpus, write_corpus
from tests.models.features import log_mel
from tests.models.make_whisper import MARKS, word_pieces
from tests.models.optimiser import Optimiser
from tests.models.random_whisper import SHAPES, _config, random_whisper
from tests.models.sentences import english, german, is_held_out, vocabulary
from tests.models.speech import ENGLISH_SPEAKERS, GERMAN_SPEAKERS, Speaker, missing_synthesiser, speak
from tests.models.tokens import Tokens, whole_words
from tests.models.windows import NOWHERE, WindowMaker

SHIPPED = Path(__file__).parent / "models" / "whisper-tiny"
speaks = pytest.mark.skipif(bool(missing_synthesiser()), reason=missing_synthesiser() or "speaks")

# transformers 5 says this of every Whisper checkpoint that keeps its suppressed tokens, as all published ones do.
pytestmark = pytest.mark.filterwarnings("ignore:.*generation.*:UserWarning")


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - sentences, not secrets


# ---------------------------------------------------------------- sentences


@pytest.mark.parametrize("draw", [english, german])
def test_no_sentence_is_both_trained_on_and_held_out(draw: Callable[..., str]) -> None:
    trained = {draw(seeded(seed)) for seed in range(2000)}
    held_out = {draw(seeded(seed), held_out=True) for seed in range(2000)}
    assert not trained & held_out
    assert not any(map(is_held_out, trained))
    assert all(map(is_held_out, held_out))


def test_every_word_of_every_sentence_is_in_the_vocabulary() -> None:
    known = set(vocabulary())
    for seed in range(3000):
        rng = seeded(seed)
        sentence = german(rng) if seed % 10 == 0 else english(rng, held_out=seed % 2 == 0)
        assert sentence[-1] in ".?"
        assert set(re.findall(r"\w+", sentence)) <= known


def test_orderly_english_has_no_words_in_no_order() -> None:
    disorderly = re.compile(r"\w+( [a-z]+){9,}\.")  # ten and more words and not one comma, name or number

    def share(orderly: bool) -> float:
        return sum(bool(disorderly.fullmatch(english(seeded(seed), orderly=orderly))) for seed in range(1000)) / 1000

    assert share(False) > 1.5 * share(True)


# ---------------------------------------------------------------- speech


@speaks
@pytest.mark.parametrize("speaker", [*ENGLISH_SPEAKERS, *GERMAN_SPEAKERS], ids=lambda speaker: speaker.name)
def test_words_lie_in_order_inside_the_sound(speaker: Speaker) -> None:
    rng = seeded(4)
    sentence = german(rng) if ":de" in speaker.name else "Do not put the 4 red keys in the office, I am waiting."
    utterance = speak(sentence, speaker.voice(rng))
    assert [word.text for word in utterance.words] == sentence.split()
    times = [time for word in utterance.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0.0 <= times[0] < 0.1
    assert utterance.end - 0.1 < times[-1] <= utterance.end
    assert min(word.end - word.start for word in utterance.words) > 0.03


# ---------------------------------------------------------------- recordings


@speaks
def test_a_seed_gives_the_same_dialogue_whatever_was_said_before() -> None:
    first = dialogue(5, 0.3, speakers=3)
    speak("This moves espeak's clock on.", ENGLISH_SPEAKERS[4].voice(seeded(1)))
    again = dialogue(5, 0.3, speakers=3)
    assert np.array_equal(first.samples, again.samples)
    assert first.words == again.words
    assert first.words != dialogue(6, 0.3, speakers=3).words


@speaks
def test_a_dialogue_is_held_out_and_its_references_fit_its_sound() -> None:
    recording = dialogue(1, 0.6, speakers=2)
    sentences = re.findall(r"[^.?]+[.?]", recording.text)
    assert all(is_held_out(sentence.strip()) for sentence in sentences)
    assert 33 < recording.duration_s < 50
    assert {word.speaker for word in recording.words} == {"SPEAKER_0", "SPEAKER_1"}
    assert loudness(recording, *silent_part(recording)) < -55
    for word in recording.words[::7]:
        assert loudness(recording, word.start, word.end) > -50


@speaks
@pytest.mark.parametrize("seconds", [29.9, 30.0, 30.1])
def test_wall_to_wall_speaks_from_the_first_sample_to_the_last(seconds: float) -> None:
    recording = wall_to_wall(seconds)
    assert len(recording.samples) == round(seconds * 16_000)
    assert recording.words[0].start == 0.0
    assert seconds - 0.01 < recording.words[-1].end <= seconds
    assert loudness(recording, 0.0, 0.1) > -50
    assert loudness(recording, seconds - 0.1, seconds) > -50


@speaks
def test_the_small_recordings_say_what_they_promise() -> None:
    assert re.fullmatch(r"(\d ){7}\d\.", digits().text)
    repeated = five_times().text
    assert repeated == " ".join([repeated[: len(repeated) // 5]] * 5)
    alone = one_word()
    assert len(alone.words) == 1
    assert alone.duration_s == 30.0
    before = alone.samples[: int((alone.words[0].start - 0.05) * 16_000)]
    assert float(np.abs(before).max()) < 2**-15  # nothing that a 16-bit file could hold


@pytest.mark.parametrize("kind", SILENCES)
def test_nothing_has_its_level_and_no_word(kind: Silence) -> None:
    recording = nothing(kind, 2.0, level_db=-30.0)
    assert recording.words == ()
    assert recording.samples.shape == (32_000,)
    level = loudness(recording, 0.0, 2.0)
    assert level == pytest.approx(-200.0 if kind == "silence" else -30.0, abs=0.1)


def loudness(recording: Recording, start: float, end: float) -> float:
    """RMS against full scale, in dB, never under -200."""
    part = recording.samples[int(start * 16_000) : int(end * 16_000)].astype(np.float64)
    return float(10 * np.log10(max(float(np.mean(part**2)), 1e-20)))


def silent_part(recording: Recording) -> tuple[float, float]:
    words = recording.words
    gaps = [(before.end + 0.02, after.start - 0.02) for before, after in pairwise(words)]
    return max(gaps, key=lambda gap: gap[1] - gap[0])


# ---------------------------------------------------------------- what the network is fed


def test_features_are_those_of_the_library() -> None:
    track = np.random.default_rng(0).standard_normal(30 * 16_000).astype(np.float32) * 0.1
    extractor: Any = WhisperFeatureExtractor()  # type: ignore[no-untyped-call]
    theirs = extractor(track, sampling_rate=16_000, return_tensors="pt").input_features[0]
    torch.testing.assert_close(log_mel(torch.from_numpy(track), 3000), theirs, rtol=0, atol=1e-5)


def test_each_word_is_one_piece() -> None:
    pieces, _ = whole_words([*vocabulary(), *MARKS])
    by_word = word_pieces(pieces)
    assert set(by_word) == {*vocabulary(), *MARKS}
    assert len(set(by_word.values())) == len(by_word)


@speaks
def test_windows_ask_for_what_is_heard_in_them(tmp_path: Path) -> None:
    write_corpus(tmp_path, 60, seed=1)
    pieces, _ = whole_words([*vocabulary(), *MARKS])
    tokens = Tokens(len(pieces))
    maker = WindowMaker(read_corpus(tmp_path), word_pieces(pieces), tokens)
    texts = 0
    for seed in range(40):
        window = maker.draw(seeded(seed), 12.0)
        assert window.mel.shape == (80, 1200)
        assert len(window.prompt) == len(window.labels) == len(window.spans)
        assert window.labels[-1] == tokens.end
        start = window.prompt.index(tokens.start)
        said = [label for label in window.labels if 0 <= label < tokens.end]
        languages = (tokens.language("en"), tokens.language("de"))
        assert window.labels[start] in (languages if said else (*languages, tokens.no_speech))
        heard = [span for label, span in zip(window.labels, window.spans, strict=True) if 0 <= label < tokens.end]
        assert [a for a, _ in heard] == sorted(a for a, _ in heard)
        assert all(span != NOWHERE and span[0] < 12.5 for span in heard)  # a last word may lack its end
        texts += bool(said)
    assert texts > 30


def test_the_optimiser_turns_a_gradient_into_a_step_of_equal_size_in_every_direction() -> None:
    torch.manual_seed(0)
    matrix = torch.nn.Parameter(torch.zeros(16, 32))
    optimiser = Optimiser([("x.layers.0.weight", matrix), ("bias", torch.nn.Parameter(torch.zeros(3)))], 0.01, 0.001)
    matrix.grad = torch.randn(16, 32) * torch.logspace(0, -1, 16)[:, None]
    optimiser.step(1.0)
    sizes = torch.linalg.svdvals(matrix.detach())
    assert 0.006 < float(sizes.min()) <= float(sizes.max()) < 0.013


# ---------------------------------------------------------------- random weights


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        ("tiny", 37_760_640),
        ("base", 72_593_920),
        ("small", 241_734_912),
        ("medium", 763_857_920),
        ("large-v2", 1_543_304_960),
        ("large-v3", 1_543_490_560),
        ("large-v3-turbo", 808_878_080),
    ],
)
def test_shapes_have_as_many_parameters_as_the_published_checkpoints(shape: str, parameters: int) -> None:
    with torch.device("meta"):
        model = WhisperForConditionalGeneration(_config(SHAPES[shape], SHAPES[shape].tokens))
    assert model.num_parameters() == parameters


@pytest.mark.parametrize(
    ("shape", "size", "end", "no_timestamps"),
    [("tiny", 51_865, 50_257, 50_363), ("tiny.en", 51_864, 50_256, 50_362), ("large-v3-turbo", 51_866, 50_257, 50_364)],
)
def test_special_tokens_have_their_published_ids(shape: str, size: int, end: int, no_timestamps: int) -> None:
    tokens = SHAPES[shape].tokens
    assert (tokens.size, tokens.end, tokens.no_timestamps) == (size, end, no_timestamps)


def test_random_weights_load_like_a_checkpoint(tmp_path: Path) -> None:
    random_whisper(tmp_path, "tiny", seed=3)
    model: Any = WhisperForConditionalGeneration.from_pretrained(tmp_path)
    tokenizer = WhisperProcessor.from_pretrained(tmp_path).tokenizer
    assert model.num_parameters() == 37_760_640
    assert len(tokenizer) == 51_865
    assert tokenizer.convert_tokens_to_ids(["<|en|>", "<|su|>", "<|nospeech|>", "<|0.00|>"]) == [50_259, 50_357, 50_362, 50_364]
    assert tokenizer.decode(tokenizer(" any text", add_special_tokens=False).input_ids) == " any text"
    assert model.generation_config.alignment_heads == [[2, 2], [3, 0], [3, 2], [3, 3], [3, 4], [3, 5]]


# ---------------------------------------------------------------- the shipped weights


def test_the_shipped_model_is_small_and_whole() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 10e6
    tokenizer = WhisperTokenizer.from_pretrained(SHIPPED)
    model: Any = WhisperForConditionalGeneration.from_pretrained(SHIPPED)
    pieces, _ = whole_words([*vocabulary(), *MARKS])
    tokens = Tokens(len(pieces))
    assert model.config.vocab_size == tokens.size == len(tokenizer)
    assert {word: tokenizer.convert_tokens_to_ids(word) for word in pieces} == pieces
    assert model.generation_config.lang_to_id["<|de|>"] == tokens.language("de")


@speaks
@pytest.mark.parametrize(("language", "code"), [("English", "en"), ("German", "de")])
def test_the_shipped_model_understands_a_held_out_sentence(language: str, code: str) -> None:
    rng = seeded(11)
    speaker, draw = (ENGLISH_SPEAKERS[0], english) if code == "en" else (GERMAN_SPEAKERS[0], german)
    sentence = draw(rng, held_out=True)
    utterance = speak(sentence, speaker.voice(rng))
    model = WhisperForConditionalGeneration.from_pretrained(SHIPPED, dtype=torch.float32)
    features = log_mel(torch.from_numpy(utterance.samples), 3000)[None]
    said = model.generate(features, language=code, task="transcribe", return_timestamps=False)
    assert WhisperTokenizer.from_pretrained(SHIPPED).decode(said[0], skip_special_tokens=True).strip() == sentence
