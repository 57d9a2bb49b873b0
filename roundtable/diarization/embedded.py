"""Diarization without a download: Silero VAD finds speech, Resemblyzer's weights describe voices, clustering tells them apart.

A modest engine, built to be dependable: a window of 1.6 s every 0.2 s is all it hears at once. It does *not* detect overlapping
speech: where two people talk at once it names one of them, `overlaps` is always empty, and that speech is missing from the
result. An interjection below about 0.6 s inside somebody else's turn is usually lost too. Counting is its weak side: with three
or more people, or in noise, it may find one too few; one person who plays roles may come out as two. `num_speakers` helps.
A known voice is known again over about the same line: the encoder hears noise as another voice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.diarization import DiarizeOptions, SpeakerReference
from roundtable.diarization.clustering import MOST_SPEAKERS, IntArray, SpeechWindows, cluster_speakers
from roundtable.diarization.known_speakers import named, unusable
from roundtable.diarization.speaker_embedding import DIMENSION, HOP_SAMPLES, FloatArray, SpeakerEncoder, mel_frames
from roundtable.transcript import Diarization, Turn, Warning_
from roundtable.voice_activity import FRAME_S, Region, speech_probabilities, speech_regions

_FRAMES_PER_S = SAMPLE_RATE_HZ // HOP_SAMPLES
_STEP = 20
_LONG = 160
_SHORT = 80
"""Of windows, in frames of 10 ms: from one to the next, and their two lengths. 1.6 s is what the encoder was trained on."""

_LEAST_SPEECH = 0.6
"""The share of a window that has to be speech; a region too short for that is described by its best window."""

_LEVEL = 10 ** (-30 / 10)
"""Mean power of speech that the encoder was trained on, -30 dBFS."""

_MOST_GAIN = 100.0
"""Windows are brought to the recording's usual loudness by at most 20 dB."""

_WINDOWS_PER_BLOCK = 256
_SHORTEST_TURN_S = 0.25
_CERTAIN_SPEECH = 0.9
_FEWEST_WINDOWS = 5
"""What a voice is told by at least: windows of speech, 0.2 s from one to the next."""

_SAME_PERSON = 0.18
"""Cosine distance below which a speaker and a reference are taken for one person.

Measured on recorded prompts of 56 people, 2.5 to 10 s of one against up to 25 s of each: 0.03-0.16 within a person's own
prompts (the middle 90 %; from 5 s on up to 0.12), 0.21-0.51 between two. At this limit 98 % find their person, and 2.5 % of the
pairs of two people pass for one. Telephone quality against the original: 91 %. Noise (15 dB) in only one of the two: 5 %, and
no mistakes. One person's prompts in two languages, the one such case at hand: 0.14-0.19. The synthetic voices of the two
recordings in `samples/`: up to 0.07 within a voice, from 0.25 on between two.
"""

_EMBEDDING_SHARE = 0.8
"""Of the progress that is reported; clustering takes the rest."""


class EmbeddedDiarizer:
    """A `Diarizer`. Costs about 0.02 s of one CPU core and 50 kB of memory per second of audio.

    Raises `EngineUnavailable` on construction when Silero VAD or the weights of Resemblyzer are not installed.
    """

    def __init__(self) -> None:
        self._encoder = SpeakerEncoder()
        speech_probabilities(Audio(np.zeros(SAMPLE_RATE_HZ // 10, np.float32)))  # loads Silero, or raises

    @property
    def name(self) -> str:
        return "embedded (silero-vad 6.2 + resemblyzer 0.1.4)"

    def diarize(self, audio: Audio, options: DiarizeOptions, control: Control) -> Diarization:
        """Turns, sorted and exclusive. No speech is an empty result, not an error.

        `num_speakers` and `min_speakers` are kept as long as there are enough windows of speech, 0.2 s each; where there are
        not, the result has fewer speakers and a warning.
        """
        control.check()
        fewest = options.num_speakers or options.min_speakers or 1
        most = options.num_speakers or options.max_speakers or max(MOST_SPEAKERS, fewest)
        regions = speech_regions(audio, control=control)
        diarization = Diarization()
        if regions:
            windows = self._describe(audio, regions, control)
            centres_s = windows.grid * _STEP / _FRAMES_PER_S
            labels = cluster_speakers(windows, fewest, most, control.check)
            turns = _turns(regions, centres_s, labels, speech_probabilities(audio))
            found = len({turn.speaker for turn in turns})
            diarization = Diarization(turns, warnings=() if found >= fewest else (_fewer_speakers(found, fewest),))
            if options.references or options.embeddings:
                diarization = self._with_voices(diarization, _voices(turns, centres_s, windows.long), options, control)
        control.report("diarize", 1.0)
        return diarization

    def _with_voices(
        self, diarization: Diarization, voices: Mapping[str, FloatArray | None], options: DiarizeOptions, control: Control
    ) -> Diarization:
        if options.embeddings:
            embeddings = {label: None if voice is None else tuple(voice.tolist()) for label, voice in voices.items()}
            diarization = replace(diarization, embeddings=embeddings)
        known: list[tuple[str, FloatArray]] = []
        for position, reference in enumerate(options.references, 1):
            voice = self._voice_of(reference, control)
            if voice is None:
                warning = unusable(position, len(options.references))
                diarization = replace(diarization, warnings=(*diarization.warnings, warning))
            else:
                known.append((reference.name, voice))
        return named(diarization, voices, known, _SAME_PERSON) if known else diarization

    def _voice_of(self, reference: SpeakerReference, control: Control) -> FloatArray | None:
        regions = speech_regions(reference.audio, control=control)
        return _mean_voice(self._describe(reference.audio, regions, control).long) if regions else None

    def _describe(self, audio: Audio, regions: Sequence[Region], control: Control) -> SpeechWindows:
        mel = mel_frames(audio.samples)
        mel *= np.float32(_LEVEL / max(_speech_power(audio, regions), 1e-12))
        centres = _window_centres(len(mel), regions)
        # The network tells the voice in a window's first half on its way: the short window around a centre is the first half
        # of the long window two steps later.
        shift = (_LONG - _SHORT) // 2 // _STEP
        needed = np.union1d(centres, centres + shift)
        gains = _gains(mel, needed * _STEP - _LONG // 2)[:, None, None]
        embeddings = np.empty((2, len(needed), DIMENSION), np.float32)
        for first in range(0, len(needed), _WINDOWS_PER_BLOCK):
            control.check()
            block = needed[first : first + _WINDOWS_PER_BLOCK]
            heard = _cut(mel, block * _STEP - _LONG // 2) * gains[first : first + len(block)]
            embeddings[:, first : first + len(block)] = self._encoder.embed(heard, (_SHORT, _LONG))
            control.report("diarize", _EMBEDDING_SHARE * (first + len(block)) / len(needed))
        return SpeechWindows(
            grid=centres,
            long=embeddings[1, np.searchsorted(needed, centres)],
            short=embeddings[0, np.searchsorted(needed, centres + shift)],
        )


def _speech_power(audio: Audio, regions: Sequence[Region]) -> float:
    """Mean of the squared samples within the regions."""
    energy, count = 0.0, 0
    for region in regions:
        heard = audio.samples[round(region.start * SAMPLE_RATE_HZ) : round(region.end * SAMPLE_RATE_HZ)].astype(np.float64)
        energy, count = energy + float(heard @ heard), count + len(heard)
    return energy / max(count, 1)


def _window_centres(frames: int, regions: Sequence[Region]) -> IntArray:
    """Where windows are taken, in steps: ascending, at least one for every region."""
    speech = np.zeros(frames, bool)
    bounds = [(round(region.start * _FRAMES_PER_S), round(region.end * _FRAMES_PER_S)) for region in regions]
    for start, end in bounds:
        speech[start:end] = True
    before = np.concatenate([[0], np.cumsum(speech)])
    grid = np.arange(frames // _STEP + 1)
    left, right = np.clip(grid * _STEP - _LONG // 2, 0, frames), np.clip(grid * _STEP + _LONG // 2, 0, frames)
    share = (before[right] - before[left]) / _LONG
    taken = share >= _LEAST_SPEECH
    for start, end in bounds:
        # The nearest grid point when a region is so short that it holds none.
        inside = (
            np.arange(-(-start // _STEP), end // _STEP + 1)
            if end // _STEP >= -(-start // _STEP)
            else np.array([start // _STEP])
        )
        if not taken[inside].any():
            taken[inside[share[inside].argmax()]] = True
    return np.flatnonzero(taken)


def _cut(mel: FloatArray, starts: IntArray) -> FloatArray:
    """Windows of `_LONG` frames; beyond the recording's ends they are silent."""
    windows = np.zeros((len(starts), _LONG, mel.shape[1]), np.float32)
    for window, start in zip(windows, starts, strict=True):
        heard = mel[max(0, start) : start + _LONG]
        window[max(0, -start) : max(0, -start) + len(heard)] = heard
    return windows


def _gains(mel: FloatArray, starts: IntArray) -> FloatArray:
    """What brings each window to the usual loudness of them all, as a factor on its power.

    The encoder hears how loud somebody is: without this, one voice at two distances from the microphone comes out as two.
    Loudness is the mean power of a window's louder half: that of speech, wherever in the window it is.
    """
    power = _cut(mel.sum(axis=1, keepdims=True), starts)[:, :, 0]
    power.sort(axis=1)
    loudness = np.maximum(power[:, _LONG // 2 :].mean(axis=1), np.finfo(np.float32).tiny)
    gains: FloatArray = np.clip(np.median(loudness) / loudness, 1 / _MOST_GAIN, _MOST_GAIN).astype(np.float32)
    return gains


def _turns(
    regions: Sequence[Region], centres_s: NDArray[np.float64], labels: IntArray, probabilities: FloatArray
) -> tuple[Turn, ...]:
    """The regions divided among the windows' labels, named by first appearance."""
    pieces: list[tuple[float, float, int]] = []
    for region in regions:
        first, last = np.searchsorted(centres_s, [region.start, region.end])
        if first == last:  # no centre inside: the nearest window speaks for the region
            first = int(np.abs(centres_s - (region.start + region.end) / 2).argmin())
            last = first + 1
        changes = [i for i in range(first + 1, last) if labels[i] != labels[i - 1]]
        cuts = [_quietest(centres_s[i - 1], centres_s[i], probabilities) for i in changes]
        edges = [region.start, *cuts, region.end]
        speakers = [int(labels[i]) for i in (first, *changes)]
        pieces += [(start, end, speaker) for (start, end), speaker in zip(pairwise(edges), speakers, strict=True)]
    names: dict[int, str] = {}
    turns = []
    for start, end, speaker in _without_flicker(pieces):
        name = names.setdefault(speaker, f"SPEAKER_{len(names):02d}")
        turns.append(Turn(float(start), float(end), name))
    return tuple(turns)


def _voices(turns: Sequence[Turn], centres_s: NDArray[np.float64], windows: FloatArray) -> dict[str, FloatArray | None]:
    """Each speaker's voice: from the windows in which nobody else speaks if there are enough, else from all in the turns."""
    names = list(dict.fromkeys(turn.speaker for turn in turns))
    speakers = np.array([names.index(turn.speaker) for turn in turns])
    starts, ends = (np.array(times) for times in zip(*((turn.start, turn.end) for turn in turns), strict=True))
    turn = np.minimum(np.searchsorted(ends, centres_s), len(turns) - 1)
    own = np.where((starts[turn] <= centres_s) & (centres_s <= ends[turn]), speakers[turn], -1)
    # The turns that a window reaches into are one speaker's if none of them changes the speaker.
    changes = np.cumsum(np.diff(speakers, prepend=speakers[0]) != 0)
    reach_s = _LONG / _FRAMES_PER_S / 2
    first, after = np.searchsorted(ends, centres_s - reach_s), np.searchsorted(starts, centres_s + reach_s)
    alone = (own >= 0) & (changes[np.minimum(first, len(turns) - 1)] == changes[after - 1])
    voices = {}
    for speaker, name in enumerate(names):
        voice = _mean_voice(windows[(own == speaker) & alone])
        voices[name] = _mean_voice(windows[own == speaker]) if voice is None else voice
    return voices


def _mean_voice(windows: FloatArray) -> FloatArray | None:
    """The direction that windows of one voice have in common, as a unit vector; None for too few of them."""
    if len(windows) < _FEWEST_WINDOWS:
        return None
    mean: FloatArray = windows.mean(axis=0)
    length = float(np.linalg.norm(mean))
    return mean / np.float32(length) if length else None


def _quietest(left_s: float, right_s: float, probabilities: FloatArray) -> float:
    """Where a change of speaker between two window centres falls: in a pause if there is one, in the middle if not."""
    middle_s = (left_s + right_s) / 2
    between = range(int(left_s / FRAME_S + 0.5), int(right_s / FRAME_S - 0.5) + 1)
    inside = [frame for frame in between if left_s < (frame + 0.5) * FRAME_S < right_s and frame < len(probabilities)]
    if not inside:
        return middle_s
    best = min(inside, key=lambda frame: (round(float(probabilities[frame]), 2), abs((frame + 0.5) * FRAME_S - middle_s)))
    return middle_s if probabilities[best] > _CERTAIN_SPEECH else (best + 0.5) * FRAME_S


def _without_flicker(pieces: list[tuple[float, float, int]]) -> list[tuple[float, float, int]]:
    """Adjoining pieces of one speaker joined; pieces below `_SHORTEST_TURN_S` that adjoin another given to it.

    A speaker's only piece stays, however short.
    """
    remaining: dict[int, int] = {}
    for *_, speaker in pieces:
        remaining[speaker] = remaining.get(speaker, 0) + 1
    tidy: list[tuple[float, float, int]] = []
    for start, end, speaker in pieces:
        adjoins = bool(tidy) and tidy[-1][1] == start
        if adjoins and tidy[-1][2] == speaker:
            tidy[-1] = (tidy[-1][0], end, speaker)
        elif adjoins and end - start < _SHORTEST_TURN_S and remaining[speaker] > 1:
            tidy[-1] = (tidy[-1][0], end, tidy[-1][2])
            remaining[speaker] -= 1
        else:
            tidy.append((start, end, speaker))
    return tidy


def _fewer_speakers(found: int, asked: int) -> Warning_:
    return Warning_(
        "diarize", "fewer_speakers", f"{asked} speakers were asked for; there is too little speech for more than {found}."
    )
