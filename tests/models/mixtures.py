"""A few seconds of a conversation, drawn from a corpus of voices, with who speaks when: what diarization is learned from.

Turns of one to three sentences with pauses, as in `conversations.dialogue`, and in two of five chunks people also talk over
each other: a turn begins before the last one has ended, or somebody says a word in the middle of it. The edges of the chunk
fall where they will. A voice played faster or slower is somebody else, whose throat is longer or shorter; so every voice is
three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from numpy.typing import NDArray

from samples.make_samples import PAUSE_S, SAMPLE_RATE_HZ, room_noise
from tests.models.conversations import PAUSE_S as SENTENCE_PAUSE_S
from tests.models.conversations import TURN_GAP_S, TURN_SENTENCES
from tests.models.corpus import Spoken
from tests.models.voices import familiar, label

FRAME_HZ = 100  # of the activity
MOST_SPEAKERS, MOST_AT_ONCE = 3, 2  # in a chunk

SPEEDS = (1.0, 0.87, 1.15)
AS_SPOKEN_SHARE = 0.5  # of speakers are played at their own speed
FAMILIAR_SHARE = 0.45  # of speakers are those of the tests
NOBODY_SHARE = 0.04
CROSSTALK_SHARE = 0.4  # of chunks
EARLY_SHARE, INTERJECTION_SHARE = 0.5, 0.35  # of the turns of those
LONG_GAP_SHARE = 0.1

LEVELS_DB = (-5.0, 3.0)  # of a speaker
RECORDING_DB = (-14.0, 10.0)
NOISE_DB = (-72.0, -38.0)  # against full scale, where speech lies at about -26
_NOISE_S = 60.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Sound, and for each speaker (in the order in which they are first heard) who it is and the frames he speaks in."""

    samples: Floats
    speakers: tuple[int, ...]
    activity: NDArray[np.bool_]  # frames x MOST_SPEAKERS


@dataclass(slots=True)
class _Part:
    """One speaker of a chunk: what he says, as (start, end) of words in seconds from the chunk's start."""

    voice: int
    speed: float
    gain: float
    words: list[tuple[float, float]] = field(default_factory=list)

    def activity(self, frames: int) -> NDArray[np.bool_]:
        """Where he speaks; pauses between words that the project's references bridge are speech."""
        active = np.zeros(frames, np.bool_)
        last = -np.inf
        for start, end in sorted(self.words):
            begin = last if start - last < PAUSE_S else start
            active[max(0, round(begin * FRAME_HZ)) : max(0, round(end * FRAME_HZ))] = True
            last = max(last, end)
        return active


class MixtureMaker:
    """Draws mixtures from a corpus."""

    def __init__(self, corpus: Sequence[Spoken]) -> None:
        by_voice: dict[str, list[Spoken]] = {}
        for spoken in corpus:
            by_voice.setdefault(spoken.speaker, []).append(spoken)
        self._voices = [by_voice[name] for name in sorted(by_voice)]
        known = {label(voice) for voice in familiar()}
        self._familiar = [number for number, name in enumerate(sorted(by_voice)) if name in known]
        self._others = [number for number, name in enumerate(sorted(by_voice)) if name not in known]
        self.people = len(self._voices) * len(SPEEDS)
        self._pink = room_noise(_NOISE_S, 0.0, seed=1)
        self._white = np.random.default_rng(1).standard_normal(len(self._pink), np.float32)

    def draw(self, rng: Random, length_s: float) -> Mixture:
        """A chunk of that length."""
        parts = self._cast(rng)
        track = np.zeros(round(length_s * SAMPLE_RATE_HZ), np.float32)
        frames = round(length_s * FRAME_HZ)
        if rng.random() >= NOBODY_SHARE:
            self._converse(rng, parts, track, length_s)
        active = np.stack([part.activity(frames) for part in parts])
        heard = sorted((int(np.argmax(row)), number) for number, row in enumerate(active) if row.any())
        activity = np.zeros((frames, MOST_SPEAKERS), np.bool_)
        for slot, (_, number) in enumerate(heard):
            activity[:, slot] = active[number]
        people = tuple(parts[n].voice * len(SPEEDS) + SPEEDS.index(parts[n].speed) for _, n in heard)
        return Mixture(self._record(rng, track), people, activity)

    def _cast(self, rng: Random) -> list[_Part]:
        parts: list[_Part] = []
        for _ in range(rng.choice((1, 2, 2, 2, 3, 3))):
            voice = rng.choice(self._familiar if rng.random() < FAMILIAR_SHARE else self._others)
            if any(part.voice == voice for part in parts):
                continue
            speed = SPEEDS[0] if rng.random() < AS_SPOKEN_SHARE else rng.choice(SPEEDS[1:])
            parts.append(_Part(voice, speed, 10 ** (rng.uniform(*LEVELS_DB) / 20)))
        return parts

    def _converse(self, rng: Random, parts: list[_Part], track: Floats, length_s: float) -> None:
        crosstalk = len(parts) > 1 and rng.random() < CROSSTALK_SHARE
        clock = -rng.uniform(0.0, 10.0)  # the conversation has been going on
        part = rng.choice(parts)
        while clock < length_s:
            begun = clock
            for _ in range(rng.choice(TURN_SENTENCES)):
                end = self._say(part, rng.choice(self._voices[part.voice]), clock, parts, track)
                clock = end + rng.uniform(*SENTENCE_PAUSE_S)
            others = [other for other in parts if other is not part]
            if crosstalk and rng.random() < INTERJECTION_SHARE:
                other = rng.choice(others)
                shortest = min(rng.choices(self._voices[other.voice], k=6), key=lambda spoken: len(spoken.samples))
                self._say(other, shortest, rng.uniform(begun, end), parts, track)
            if others and rng.random() < 0.9:
                part = rng.choice(others)
            if crosstalk and rng.random() < EARLY_SHARE:
                clock = end - min(rng.uniform(0.2, 2.0), 0.6 * (end - begun))
            else:
                clock = end + (rng.uniform(1.5, 4.0) if rng.random() < LONG_GAP_SHARE else rng.uniform(*TURN_GAP_S))

    def _say(self, part: _Part, spoken: Spoken, start: float, parts: list[_Part], track: Floats) -> float:
        """Adds the utterance if few enough speak there already; returns when it ends, or would have."""
        end = start + len(spoken.samples) / SAMPLE_RATE_HZ / part.speed
        meanwhile = [p for p in parts if any(a < end + PAUSE_S and b > start - PAUSE_S for a, b in p.words)]
        if end <= 0.0 or part in meanwhile or len(meanwhile) >= MOST_AT_ONCE:
            return end
        part.words += [(start + a / part.speed, start + b / part.speed) for a, b in spoken.times]
        samples = spoken.samples.astype(np.float32)
        if part.speed != 1.0:
            positions = np.arange(int(len(samples) / part.speed), dtype=np.float32) * np.float32(part.speed)
            samples = np.interp(positions, np.arange(len(samples), dtype=np.float32), samples).astype(np.float32)
        first = round(start * SAMPLE_RATE_HZ)
        inside = samples[max(0, -first) : max(0, len(track) - first)]
        track[max(0, first) : max(0, first) + len(inside)] += inside * np.float32(part.gain / 32768)
        return end

    def _record(self, rng: Random, track: Floats) -> Floats:
        bank = self._pink if rng.random() < 0.7 else self._white
        start = rng.randrange(len(bank) - len(track))
        noise = bank[start : start + len(track)] * np.float32(10 ** (rng.uniform(*NOISE_DB) / 20))
        return (track + noise) * np.float32(10 ** (rng.uniform(*RECORDING_DB) / 20))
