"""Training windows: utterances of the corpus laid into up to 30 s of sound, and what the decoder should say about them.

Six in ten are packed as the project's own engine feeds them: speech with short pauses, features of the content alone, padded
with 0.0 behind it, no timestamps. The others are what other programs feed: long silences, tails of zeros, timestamps, a first
or last utterance cut off by the edge. Some hold no speech at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from samples.make_samples import chords
from tests.models.corpus import Spoken
from tests.models.features import FRAME_S, log_mel
from tests.models.sentences import bare
from tests.models.tokens import Tokens

SAMPLE_RATE_HZ = 16_000
MAX_WORD_RANK = 15  # the place of a word in its utterance is told apart up to here

PACKED_SHARE = 0.6
NOTHING_SHARE = 0.05
GERMAN_SHARE = 0.06
TIMESTAMPS_SHARE = 0.55  # of the windows that are not packed
PROMPT_SHARE = 0.12
REPEAT_SHARE = 0.12  # the same sentences again and again
FULL_SHARE = 0.2  # of packed windows that speak to their very end
ALONE_SHARE = 0.1  # of the others that hold one utterance, half of them a word or two
WRONG_LANGUAGE_SHARE = 0.02
TRANSLATE_SHARE = 0.02  # English asked to be put into English

Span = tuple[float, float]  # seconds from the start of the window
NOWHERE: Span = (-1.0, -1.0)
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """One example. `labels` and `spans` belong to the decoder's positions; -100 is a position that nothing is learned at."""

    mel: torch.Tensor  # mel bins x 100 frames a second
    prompt: list[int]  # what the decoder reads
    labels: list[int]  # what it should say next
    spans: list[Span]  # where that is heard
    frame_words: NDArray[np.int64]  # for 50 frames a second the word being said, 0 for none
    frame_ranks: NDArray[np.int64]  # and its place in its utterance, -100 for none


@dataclass(frozen=True, slots=True)
class _Placed:
    start: float
    spoken: Spoken
    times: tuple[Span, ...]  # in the window


class WindowMaker:
    """Draws windows from a corpus. `pieces` gives the token of each word and mark as it is written."""

    def __init__(self, corpus: Sequence[Spoken], pieces: dict[str, int], tokens: Tokens) -> None:
        self._pieces, self._tokens = pieces, tokens
        self._languages = {code: [u for u in corpus if u.is_german == (code == "de")] for code in ("en", "de")}
        self._by_speaker: dict[str, list[Spoken]] = {}
        for utterance in corpus:
            self._by_speaker.setdefault(utterance.speaker, []).append(utterance)
        words = sorted({bare(word) for word in pieces if bare(word)})
        self._word_numbers = {word: number for number, word in enumerate(words, start=1)}
        self.word_classes = len(words) + 1

    def draw(self, rng: Random, length_s: float) -> Window:
        """A window of that length."""
        noise = np.random.default_rng(rng.getrandbits(32))
        packed = rng.random() < PACKED_SHARE
        language = "de" if rng.random() < GERMAN_SHARE else "en"
        if rng.random() < NOTHING_SHARE:
            content_s = rng.uniform(0.5, length_s) if packed else length_s
            placed: list[_Placed] = []
            track = _nothing(round(content_s * SAMPLE_RATE_HZ), rng, noise)
        else:
            lay = self._lay_packed if packed else self._lay_natural
            placed, track = lay(rng, language, length_s)
            track = _colour(track, placed, rng, noise, zero_tail=not packed)
        mel = log_mel(torch.from_numpy(track), round(length_s / FRAME_S) * 2, rng)
        timestamps = not packed and rng.random() < TIMESTAMPS_SHARE
        prompt, labels, spans = self._decoder_side(placed, language, length_s, rng, timestamps=timestamps)
        return Window(mel, prompt, labels, spans, *self._frame_labels(placed, round(length_s / FRAME_S)))

    # ------------------------------------------------------------ sound

    def _voices(self, rng: Random, language: str) -> list[list[Spoken]]:
        names = [name for name in self._by_speaker if name.startswith("espeak:de") == (language == "de")]
        return [self._by_speaker[name] for name in rng.sample(names, min(len(names), rng.choice((1, 2, 2, 3, 4))))]

    def _lay_packed(self, rng: Random, language: str, length_s: float) -> tuple[list[_Placed], Floats]:
        """Utterances one after the other, cut close, with the short pauses that the engine leaves between them."""
        wanted_s = length_s * (rng.uniform(0.8, 1.0) if rng.random() < 0.7 else rng.uniform(0.1, 1.0))
        voices, gains = self._voices(rng, language), _Gains(rng)
        repeats = rng.randint(2, 6) if rng.random() < REPEAT_SHARE else 1
        clock = 0.0 if rng.random() < 0.1 else rng.uniform(0.03, 0.3)
        pieces: list[tuple[_Placed, Floats]] = []
        for _ in range(60):
            spoken = rng.choice(rng.choice(voices))
            for _ in range(repeats):
                utterance, samples = _vary(spoken, clock, gains, rng)
                end = clock + len(samples) / SAMPLE_RATE_HZ
                if end > (wanted_s if pieces else length_s):
                    break
                pieces.append((utterance, samples))
                clock = end + rng.uniform(0.1, 0.6)
            if clock > wanted_s - 1.0:
                break
        if not pieces:
            return self._lay_packed(rng, language, length_s)
        if len(pieces) > 1 and rng.random() < FULL_SHARE:
            pieces = _stretch(pieces, length_s)
        last, samples = pieces[-1]
        end = last.start + len(samples) / SAMPLE_RATE_HZ
        content_s = min(length_s, end + (0.0 if rng.random() < 0.1 else rng.uniform(0.03, 0.3)))
        return [utterance for utterance, _ in pieces], _mix(pieces, content_s)

    def _lay_natural(self, rng: Random, language: str, length_s: float) -> tuple[list[_Placed], Floats]:
        """Utterances as in a recording: any pauses, and the window's edges fall where they will."""
        voices, gains = self._voices(rng, language), _Gains(rng)
        clock = rng.uniform(0.0, 1.2) if rng.random() < 0.8 else rng.uniform(0.0, length_s * 0.6)
        cut_first = rng.random() < 0.25
        limit_s = length_s if rng.random() < 0.7 else rng.uniform(0.2, 1.0) * length_s
        alone = rng.random() < ALONE_SHARE
        brief = (
            [spoken for voice in voices for spoken in voice if len(spoken.words) <= 2] if alone and rng.random() < 0.5 else []
        )
        pieces: list[tuple[_Placed, Floats]] = []
        while not pieces or (clock < min(length_s - 0.05, limit_s) and not alone):
            spoken = rng.choice(brief or rng.choice(voices))
            if cut_first and not pieces:
                clock = -rng.uniform(0.1, 0.8) * len(spoken.samples) / SAMPLE_RATE_HZ
            utterance, samples = _vary(spoken, clock, gains, rng)
            pieces.append((utterance, samples))
            clock += len(samples) / SAMPLE_RATE_HZ
            clock += rng.uniform(0.1, 1.2) if rng.random() < 0.88 else rng.uniform(1.0, min(7.0, length_s / 2))
        return [utterance for utterance, _ in pieces], _mix(pieces, length_s)

    # ------------------------------------------------------------ targets

    def _decoder_side(
        self, placed: Sequence[_Placed], language: str, length_s: float, rng: Random, *, timestamps: bool
    ) -> tuple[list[int], list[int], list[Span]]:
        tokens = self._tokens
        said: list[tuple[int, Span]] = []
        for number, utterance in enumerate(placed):
            heard = [i for i, (a, b) in enumerate(utterance.times) if a >= -0.4 * (b - a) and b <= length_s + 0.4 * (b - a)]
            start, end = max(0.0, utterance.times[0][0]), utterance.times[-1][1]
            if not heard:
                if timestamps and 0.0 <= utterance.times[0][0] < length_s:
                    said.append((tokens.timestamp(start), (start - 0.06, start + 0.06)))
                continue
            if timestamps:
                said.append((tokens.timestamp(start), (start - 0.06, start + 0.06)))
                if end > length_s + 0.03:  # goes on in the next window, which will say it whole
                    break
            following = placed[number + 1].times[0][0] if number + 1 < len(placed) else end + 0.4
            for i in heard:
                a, b = utterance.times[i]
                word = re.fullmatch(r"(\w+)([.,?]?)", utterance.spoken.words[i])
                if word is None:
                    raise ValueError("a word of the corpus is not one word and one mark")
                said.append((self._pieces[word[1]], (a, b)))
                if word[2]:
                    after = utterance.times[i + 1][0] if i + 1 < len(utterance.times) else following
                    said.append((self._pieces[word[2]], (b, max(b + 0.06, min(after, b + 0.6)))))
            if timestamps:
                said.append((tokens.timestamp(end), (end - 0.06, end + 0.06)))
        if timestamps and not said:
            said.append((tokens.timestamp(0.0), NOWHERE))
        last = max((b for _, (_, b) in said), default=-1.0)
        said.append((tokens.end, (last, last + 0.3) if last >= 0 else NOWHERE))

        before = [tokens.previous, *self._earlier_text(rng, language)] if rng.random() < PROMPT_SHARE else []
        code = tokens.language(language)
        asked = tokens.language(rng.choice(tokens.languages)) if rng.random() < WRONG_LANGUAGE_SHARE else code
        task = tokens.translate if language == "en" and rng.random() < TRANSLATE_SHARE else tokens.transcribe
        head = [*before, tokens.start, asked, task, *([] if timestamps else [tokens.no_timestamps])]
        silent = len(head) - 1  # positions before the one that says the first token
        labels = [-100] * silent + [token for token, _ in said]
        labels[len(before)] = code if placed else tokens.no_speech
        spans = [NOWHERE] * silent + [span for _, span in said]
        return [*head, *(token for token, _ in said[:-1])], labels, spans

    def _earlier_text(self, rng: Random, language: str) -> list[int]:
        words = [word for _ in range(rng.randint(1, 6)) for word in rng.choice(self._languages[language]).words]
        if rng.random() < 0.3:  # hotwords
            words = rng.sample(words, min(len(words), rng.randint(1, 6)))
        return [self._pieces[piece] for word in words for piece in re.findall(r"\w+|[.,?]", word)]

    def _frame_labels(self, placed: Sequence[_Placed], frames: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        words, ranks = np.zeros(frames, np.int64), np.full(frames, -100, np.int64)
        for utterance in placed:
            for rank, ((start, end), word) in enumerate(zip(utterance.times, utterance.spoken.words, strict=True)):
                inside = slice(max(0, round(start / FRAME_S)), max(0, min(frames, round(end / FRAME_S))))
                words[inside] = self._word_numbers[bare(word)]
                ranks[inside] = min(rank, MAX_WORD_RANK)
        return words, ranks


class _Gains:
    """How loud each speaker is in one window, in decibels."""

    def __init__(self, rng: Random) -> None:
        self._rng, self._by_speaker = rng, dict[str, float]()

    def factor(self, speaker: str) -> float:
        level = self._by_speaker.setdefault(speaker, self._rng.uniform(-7.0, 5.0))
        return float(10 ** ((level + self._rng.uniform(-1.5, 1.5)) / 20))


def _vary(spoken: Spoken, start: float, gains: _Gains, rng: Random) -> tuple[_Placed, Floats]:
    """The utterance at its place; one in three a few per cent faster or slower, pitch included."""
    samples = spoken.samples.astype(np.float32) * np.float32(gains.factor(spoken.speaker) / 32768)
    factor = 1.0
    if rng.random() < 0.33:
        factor = rng.uniform(0.94, 1.07)  # longer
        positions = np.arange(int(len(samples) * factor)) / factor
        samples = np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)
    times = tuple((start + a * factor, start + b * factor) for a, b in spoken.times)
    return _Placed(start, spoken, times), samples


def _stretch(pieces: Sequence[tuple[_Placed, Floats]], length_s: float) -> list[tuple[_Placed, Floats]]:
    """The same utterances, with longer pauses, so that the last one ends with the window."""
    last, samples = pieces[-1]
    each = (length_s - last.start - len(samples) / SAMPLE_RATE_HZ) / (len(pieces) - 1)
    moved = []
    for number, (utterance, sound) in enumerate(pieces):
        later = each * number
        times = tuple((a + later, b + later) for a, b in utterance.times)
        moved.append((_Placed(utterance.start + later, utterance.spoken, times), sound))
    return moved


def _mix(pieces: Sequence[tuple[_Placed, Floats]], content_s: float) -> Floats:
    track = np.zeros(round(content_s * SAMPLE_RATE_HZ), np.float32)
    for utterance, samples in pieces:
        start = round(utterance.start * SAMPLE_RATE_HZ)
        inside = samples[max(0, -start) : max(0, len(track) - start)]
        track[max(0, start) : max(0, start) + len(inside)] += inside
    return track


def _colour(track: Floats, placed: Sequence[_Placed], rng: Random, noise: np.random.Generator, *, zero_tail: bool) -> Floats:
    """A room, its noise, and the level of the recording."""
    if rng.random() < 0.15:
        track = _reverberate(track, rng, noise)
    if rng.random() < 0.8:
        speech = float(np.sqrt(np.mean(track**2))) + 1e-6
        track = track + _noise(len(track), rng, noise) * np.float32(speech * 10 ** (-rng.uniform(14.0, 48.0) / 20))
    if zero_tail and rng.random() < 0.5:
        end = max(b for utterance in placed for _, b in utterance.times)
        track[round((end + rng.uniform(0.05, 0.8)) * SAMPLE_RATE_HZ) :] = 0.0
    track = track * np.float32(10 ** (rng.uniform(-14.0, 12.0) / 20))
    if rng.random() < 0.5:
        track = (np.round(np.clip(track, -1.0, 1.0) * 32767) / 32768).astype(np.float32)
    return track.astype(np.float32)


def _reverberate(track: Floats, rng: Random, noise: np.random.Generator) -> Floats:
    length = int(rng.uniform(0.08, 0.3) * SAMPLE_RATE_HZ)
    tail = noise.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length) * rng.uniform(0.01, 0.05)
    tail[0] = 1.0
    size = 1 << (len(track) + length).bit_length()
    return np.fft.irfft(np.fft.rfft(track, size) * np.fft.rfft(tail, size), size)[: len(track)].astype(np.float32)


def _noise(count: int, rng: Random, noise: np.random.Generator) -> Floats:
    """White or falling noise, one in five with a hum, at an RMS of 1."""
    track = noise.standard_normal(count, np.float32)
    if rng.random() < 0.6:
        track = np.convolve(track, np.exp(-np.arange(32) / rng.uniform(1.0, 12.0)).astype(np.float32))[:count]
    if rng.random() < 0.2:
        track = track + 3 * np.sin(np.arange(count, dtype=np.float32) * np.float32(2 * np.pi * rng.uniform(50, 400) / 16_000))
    return np.asarray(track / np.sqrt(np.mean(track**2)), np.float32)


def _nothing(count: int, rng: Random, noise: np.random.Generator) -> Floats:
    """Digital silence, noise, a tone, clicks or chords: no speech, at any level."""
    kind = rng.choice(("zeros", "noise", "noise", "tone", "clicks", "chords"))
    time = np.arange(count, dtype=np.float32) / SAMPLE_RATE_HZ
    if kind == "zeros":
        return np.zeros(count, np.float32)
    if kind == "noise":
        track = _noise(count, rng, noise)
    elif kind == "tone":
        hertz = rng.choice((50, 60, 100, 120, 440, 1000, rng.uniform(40, 4000)))
        track = np.asarray(np.sin(2 * np.pi * hertz * time), np.float32)
    elif kind == "clicks":
        track = np.zeros(count, np.float32)
        track[noise.integers(0, count, max(1, int(count / SAMPLE_RATE_HZ * rng.uniform(0.5, 8))))] = 5.0
    else:
        track = chords(count / SAMPLE_RATE_HZ + 0.01)[:count] * np.float32(8)
    if rng.random() < 0.4:
        track = track + _noise(count, rng, noise) * np.float32(rng.uniform(0.003, 0.3))
    return np.asarray(track * 10 ** (-rng.uniform(5.0, 60.0) / 20), np.float32)
