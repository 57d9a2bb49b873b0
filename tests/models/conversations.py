"""Held-out recordings with exact references: sentences that no training ever saw, in the voices that it heard.

Everything is made on the spot from a seed by flite and espeak-ng (`speech.missing_synthesiser` says whether they are there):
the same arguments give the same samples and the same words, to the bit, on the same package versions. A dialogue costs about
a second of CPU for each minute of it.

    dialogue(seed, minutes)     two to four speakers in a quiet or a noisy room
    wall_to_wall(seconds)       speech from the very first sample to the very last
    digits(), five_times(), one_word()
    nothing(kind, seconds)      recordings in which nobody speaks
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from samples.make_samples import SAMPLE_RATE_HZ, Utterance, Voice, chords, mix, room_noise
from tests.models.sentences import digit_string, english, is_held_out
from tests.models.speech import ENGLISH_SPEAKERS, speak, untouched_espeak

Samples = NDArray[np.float32]
Silence = Literal["silence", "white", "pink", "hum", "tone", "clicks", "chords"]
SILENCES: tuple[Silence, ...] = get_args(Silence)

TURN_SENTENCES = (1, 1, 2, 3)  # how many a speaker says before the next one speaks
PAUSE_S, TURN_GAP_S = (0.2, 0.7), (0.1, 1.5)
LEVELS_DB = (-4.0, 2.0)  # of one speaker against another
MARGIN_S = (0.3, 1.5)  # before the first word and after the last
NO_NOISE_DB = -120.0  # below the last bit of a 16-bit file


@dataclass(frozen=True, slots=True)
class ReferenceWord:
    """A word as it is written, marks included; times in seconds."""

    text: str
    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound (mono float32 at 16 kHz) and what is said in it."""

    samples: Samples
    words: tuple[ReferenceWord, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


@untouched_espeak()
def dialogue(seed: int, minutes: float = 2.0, *, speakers: int = 2, noise_db: float = -62.0) -> Recording:
    """A conversation of that many voices, ending within a few seconds of `minutes`; `noise_db` is against full scale.

    Speech lies at about -26 dB: -62 is a quiet room, -46 a noisy one.
    """
    rng = _random("dialogue", seed)
    voices = [speaker.voice(rng) for speaker in rng.sample(ENGLISH_SPEAKERS, speakers)]
    voices = [replace(voice, gain_db=rng.uniform(*LEVELS_DB)) for voice in voices]
    clock = rng.uniform(*MARGIN_S)
    placed: list[Utterance] = []
    turn = 0
    while clock < minutes * 60 - 3.0:
        for _ in range(rng.choice(TURN_SENTENCES)):
            spoken = _sentence(rng, voices[turn])
            placed.append(replace(spoken, speaker=f"SPEAKER_{turn}", start=clock))
            clock = placed[-1].end + rng.uniform(*PAUSE_S)
        clock = placed[-1].end + rng.uniform(*TURN_GAP_S)
        turn = rng.choice([other for other in range(speakers) if other != turn or speakers == 1])
    return _recording(placed, placed[-1].end + rng.uniform(*MARGIN_S), noise_db, seed)


@untouched_espeak()
def wall_to_wall(seconds: float, seed: int = 0, *, noise_db: float = -62.0) -> Recording:
    """One voice that starts with the first sample and ends with the last; its pauses are equal, and under a second."""
    rng = _random("wall to wall", seed)
    voice = rng.choice(ENGLISH_SPEAKERS).voice(rng)
    spoken: list[Utterance] = []
    room = seconds
    while len(spoken) < 2 or room / (len(spoken) - 1) > 0.9:
        utterance = _sentence(rng, voice)
        if (left := room - utterance.end) >= 0.25 * len(spoken):
            spoken.append(utterance)
            room = left
    gap = room / (len(spoken) - 1)
    placed, clock = [], 0.0
    for utterance in spoken:
        placed.append(replace(utterance, speaker="SPEAKER_0", start=clock))
        clock = placed[-1].end + gap
    return _recording(placed, seconds, noise_db, seed)


@untouched_espeak()
def digits(seed: int = 0, length: int = 8) -> Recording:
    """Digits said one after the other, and nothing else."""
    rng = _random("digits", seed)
    voice = rng.choice(ENGLISH_SPEAKERS).voice(rng)
    sentence = _held_out(lambda: digit_string(rng, length))
    return _one_after_another([speak(sentence, voice)], 0.6, seed)


@untouched_espeak()
def five_times(seed: int = 0, *, gap_s: float = 0.5) -> Recording:
    """The same sentence, to the sample, five times in a row."""
    rng = _random("five times", seed)
    voice = rng.choice(ENGLISH_SPEAKERS).voice(rng)
    utterance = _sentence(rng, voice)
    return _one_after_another([utterance] * 5, gap_s, seed)


@untouched_espeak()
def one_word(seed: int = 0, *, seconds: float = 30.0) -> Recording:
    """A single word somewhere in digital silence."""
    rng = _random("one word", seed)
    voice = rng.choice(ENGLISH_SPEAKERS).voice(rng)
    utterance = speak(rng.choice(("Hello.", "Goodbye.", "Wonderful.", "Tomorrow.")), voice)
    start = rng.uniform(1.0, seconds - 2.0 - utterance.end)
    return _recording([replace(utterance, speaker="SPEAKER_0", start=start)], seconds, NO_NOISE_DB, seed)


def nothing(kind: Silence, seconds: float, *, level_db: float = -30.0, seed: int = 0) -> Recording:
    """A recording without a word. `level_db` is its RMS against full scale; "silence" is all zeros."""
    count = round(seconds * SAMPLE_RATE_HZ)
    time = np.arange(count) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(seed)
    makers: dict[Silence, Callable[[], NDArray[np.floating]]] = {
        "silence": lambda: np.zeros(count, np.float32),
        "white": lambda: noise.standard_normal(count),
        "pink": lambda: room_noise(seconds, level_db, seed),
        "hum": lambda: (
            np.sin(2 * np.pi * 50 * time) + 0.5 * np.sin(2 * np.pi * 100 * time) + 0.2 * np.sin(2 * np.pi * 150 * time)
        ),
        "tone": lambda: np.sin(2 * np.pi * 1000 * time),
        "clicks": lambda: (noise.random(count) < 3 / SAMPLE_RATE_HZ).astype(np.float32),
        "chords": lambda: np.resize(chords(8.0), count),
    }
    track = makers[kind]()
    rms = float(np.sqrt(np.mean(track.astype(np.float64) ** 2)))
    return Recording((track * (10 ** (level_db / 20) / rms if rms else 1.0)).astype(np.float32), ())


def _random(name: str, seed: int) -> Random:
    return Random(f"{name} {seed}")  # noqa: S311 - sentences and gaps, not secrets


def _held_out(draw: Callable[[], str]) -> str:
    while not is_held_out(sentence := draw()):
        pass
    return sentence


def _sentence(rng: Random, voice: Voice) -> Utterance:
    """A held-out sentence whose words all have a time of their own."""
    while True:
        sentence = english(rng, held_out=True, orderly=True)
        try:
            return speak(sentence, voice)
        except ValueError:  # espeak-ng ran two words of it into one
            continue


def _one_after_another(utterances: Sequence[Utterance], gap_s: float, seed: int) -> Recording:
    clock, placed = 1.0, []
    for utterance in utterances:
        placed.append(replace(utterance, speaker="SPEAKER_0", start=clock))
        clock = placed[-1].end + gap_s
    return _recording(placed, placed[-1].end + 1.0, -62.0, seed)


def _recording(placed: Sequence[Utterance], seconds: float, noise_db: float, seed: int) -> Recording:
    words = tuple(
        ReferenceWord(w.text, float(u.start + w.start), float(min(u.start + w.end, seconds)), u.speaker)
        for u in placed
        for w in u.words
    )
    return Recording(mix(placed, seconds, noise_db, seed), words)
