"""A sentence, spoken: samples at 16 kHz and the time of every word, from flite or espeak-ng.

The synthesis itself is that of the project's sample recordings (`samples/make_samples.py`); this file adds the voices, how
far each may be varied, and how digits and joined words are said. One utterance costs 5 to 80 ms of CPU.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from unittest.mock import patch

from samples import make_samples
from samples.make_samples import Line, Utterance, Voice, say

_DIGIT_NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A synthetic voice and the range it is drawn from; units as in `Voice`."""

    name: str
    rate: tuple[float, float]
    pitch: tuple[float, float]

    def voice(self, rng: Random) -> Voice:
        """This speaker on one day: a rate and a pitch out of the ranges."""
        return Voice(self.name, rng.uniform(*self.rate), rng.uniform(*self.pitch))


_RATE, _PITCH = (140.0, 180.0), (35.0, 65.0)  # of espeak-ng
ENGLISH_SPEAKERS = (
    Speaker("flite:slt", (0.9, 1.2), (165.0, 205.0)),
    Speaker("flite:rms", (0.9, 1.2), (88.0, 115.0)),
    Speaker("flite:awb", (0.9, 1.2), (115.0, 150.0)),
    Speaker("flite:kal16", (0.9, 1.2), (92.0, 125.0)),
    Speaker("espeak:en-us+m3", _RATE, _PITCH),
    Speaker("espeak:en-us+f2", _RATE, _PITCH),
    Speaker("espeak:en-us+f4", _RATE, _PITCH),
    Speaker("espeak:en-us+klatt2", _RATE, _PITCH),
    Speaker("espeak:en-us+m7", _RATE, _PITCH),
    Speaker("espeak:en-gb-x-rp+m7", _RATE, _PITCH),
    Speaker("espeak:en-gb-x-rp+f3", _RATE, _PITCH),
    Speaker("espeak:en-gb-scotland+m5", _RATE, _PITCH),
)
GERMAN_SPEAKERS = (Speaker("espeak:de+m3", _RATE, _PITCH), Speaker("espeak:de+f2", _RATE, _PITCH))

# espeak-ng says these pairs as one word and gives no time for the second; spelled like this they sound the same, apart.
_JOINED = (
    (
        re.compile(r"\b(in|on|at|of|to|with|from|by|for|near|behind|under|that|is|was|if|and|until|start|about) the\b", re.I),
        r"\1 thee",
    ),
    (re.compile(r"\bI am\b"), "eye am"),
    (re.compile(r"\bdo not\b", re.I), "do knot"),
)


@cache
def missing_synthesiser() -> str:
    """What has to be installed before anything can be spoken, or an empty string."""
    for library, package in (("libflite.so.1", "libflite1"), ("libespeak-ng.so.1", "libespeak-ng1")):
        try:
            ctypes.CDLL(library)
        except OSError:
            return f"{package} is not installed"
    return ""


@contextmanager
def untouched_espeak() -> Iterator[None]:
    """Inside, espeak-ng speaks as if it had never spoken before.

    Its voices tremble to a count of all samples since the library was loaded, which no call sets back; so the same sentence
    differs a little each time. A private copy of the library starts at zero.
    """
    ctypes.CDLL("libespeak-ng.so.1")
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    library_path = Path(re.findall(r"(/\S*libespeak-ng\.so[.\d]*)\n", maps)[0])
    with tempfile.TemporaryDirectory() as folder:
        library = ctypes.CDLL(shutil.copy(library_path, folder))
        rate = library.espeak_Initialize(2, 0, None, 0)  # synchronously, into a callback
        with patch.object(make_samples, "_espeak", lambda: (library, rate)):
            yield


def speak(text: str, voice: Voice) -> Utterance:
    """The text in that voice, trimmed to what is audible, every voice at the same loudness.

    The words of the result are those of `text`, as written there. Raises ValueError where espeak-ng runs two words into one
    and gives no time for the second: draw another sentence.
    """
    spoken = re.sub(r"\b\d\b", lambda digit: _DIGIT_NAMES[int(digit.group())], text)
    if voice.name.startswith("espeak:en"):
        for joined, apart in _JOINED:
            spoken = joined.sub(apart, spoken)
    utterance = say(Line("", spoken, 0.0), voice)
    written = text.split()
    return replace(
        utterance,
        speaker=voice.name,
        words=tuple(replace(word, text=text) for word, text in zip(utterance.words, written, strict=True)),
    )
