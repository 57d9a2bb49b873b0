"""Diarization without a download: Silero VAD finds speech, Resemblyzer's weights describe voices, clustering tells them apart.

A modest engine, built to be dependable: a window of 1.6 s every 0.2 s is all it hears at once. It does *not* detect overlapping
speech: where two people talk at once it names one of them, `overlaps` is always empty, and that speech is missing from the
result. An interjection below about 0.6 s inside somebody else's turn is usually lost too. Counting is its weak side: with three
or more people, or in noise, it may find one too few; one person who plays roles may come out as two. `num_speakers` helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.diarization import DiarizeOptions
from roundtable.diarization.clustering import MOST_SPEAKERS, IntArray, SpeechWindows, cluster_speakers
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
        turns: tuple[Turn, ...] = ()
        if regions:
            windows = self._describe(audio, regions, control)
            labels = cluster_speakers(windows, fewest, most, control.check)
            turns = _turns(regions, windows.grid * _STEP / _FRAMES_PER_S, labels, speech_probabilities(audio))
        control.report("diarize", 1.0)
        found = len({turn.speaker for turn in turns})
        return Diarization(turns, warnings=() if found >= fewest or found == 0 else (_fewer_speakers(found, fewest),))

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
