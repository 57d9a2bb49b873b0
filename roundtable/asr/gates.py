"""Is this what was said? The gates that send a window back to be written again, and the choice among what came of it.

The values for probability, compression and silence are those of OpenAI's reference decoder (Radford et al. 2022, section 4.5),
known good on every Whisper checkpoint. Three things differ. Compression is judged on characters: on UTF-8 bytes, plain Tamil or
Burmese would fail. The seconds of speech are known here, so a text can also be too long, or too short, for its time. And what a
speaker may really have repeated, because the time holds it, is no failure.

To fail only means another attempt. What all attempts say stays, whatever the gates say, unless the model hears no speech.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TEMPERATURES: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

_LEAST_LOGPROB: Final = -1.0
_SILENCE_PROB: Final = 0.6
_MOST_COMPRESSION: Final = 2.4

_REPEATED_COMPRESSION: Final = 6.0
"""Of speech at an ordinary pace: a sentence of 100 letters said five times reaches this, eight times 40 letters does too."""

_LETTERS_PER_S, _SYLLABLES_PER_S = 40.0, 18.0
"""Faster than anybody: 500 English words in a minute are 34 letters in a second. Spaces and marks take no time. A digit and a
character of Chinese, Japanese, Korean, Ethiopic or Yi stand for a syllable, or for more than one."""

_SLACK_S: Final = 0.25
"""What a short window may have lost at its edges."""

_ORDINARY_PACE: Final = (1 / 12, 1 / 2)
"""Of that fastest pace: 3.3 to 20 letters, or 1.5 to 9 digits, in a second. Windows hold hardly any silence, so slow speech
falls in here too."""

_SPARSE_FROM_S, _SPARSE_PER_S = 10.0, 0.3
"""Less than three letters for ten seconds of speech: some of it was left out."""

_LOOP_TOKENS: Final = 12
"""As many tokens in a row, at least, only repeat those before them."""

_SYLLABLE = re.compile(
    "[\u1200-\u139f\u2d80-\u2ddf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48f"
    "\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Quality:
    """What `verbose_json` reports of a window. `compression_ratio` is OpenAI's: bytes of UTF-8 before and after zlib."""

    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One window, written once. `finished`: the model ended it itself. `speech_s`: the window's length, padding included."""

    text: str
    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float
    temperature: float
    finished: bool
    speech_s: float

    @property
    def compression_ratio(self) -> float:
        """0 for no text."""
        return _compression(self.text.strip().encode("utf-8", "replace"))

    @property
    def quality(self) -> Quality:
        return Quality(self.avg_logprob, self.no_speech_prob, self.compression_ratio, self.temperature)


def failures(attempt: Attempt) -> tuple[str, ...]:
    """The gates that the attempt fails; none for one that is to be kept, or that says, with good reason, that nobody speaks.

    `avg_logprob`: below -1. `compression_ratio`: above 2.4, on characters; above 6 for text that was finished and goes at an
    ordinary pace. `loop`: see `without_tail_loop`, unless finished and no faster than people talk. `speed`: faster than anybody
    speaks, or next to nothing for long speech. `unfinished`: the limit of tokens ended it.
    """
    return () if _says_silence(attempt) else tuple(_faults(attempt))


def confirmed_silence(attempt: Attempt) -> bool:
    """Whether its words, if any, are to be dropped: the model hears no speech and does not believe them. Marks are no words."""
    return _says_silence(attempt) or not _spoken(attempt.text)


def choose(attempts: Sequence[Attempt]) -> Attempt:
    """The first that fails no gate. If all fail: the soundest text, of those the likeliest, of those the first.

    Sound text ends by itself, does not loop, and can have been said in its time; of that, better the less repetitive. Raises
    ValueError when there is none to choose from.
    """
    for attempt in attempts:
        if not failures(attempt):
            return attempt
    return min(attempts, key=_badness)


def without_tail_loop(tokens: Sequence[int]) -> Sequence[int]:
    """The tokens without the repetitions that they end in; the first occurrence stays.

    A tail is a loop when its last 12 tokens or more, and at least two whole rounds, only repeat what stands one round earlier.
    """
    return tokens[: len(tokens) - _looping(tokens)]


def fastest_s(text: str) -> float:
    """The least time in which this can be said, in seconds."""
    spoken = _spoken(text)
    syllables = sum(character.isnumeric() or _SYLLABLE.match(character) is not None for character in spoken)
    return syllables / _SYLLABLES_PER_S + (len(spoken) - syllables) / _LETTERS_PER_S


def _says_silence(attempt: Attempt) -> bool:
    return attempt.no_speech_prob > _SILENCE_PROB and attempt.avg_logprob < _LEAST_LOGPROB


def _faults(attempt: Attempt) -> list[str]:
    least_s = fastest_s(attempt.text)
    slowest, swiftest = (attempt.speech_s * pace for pace in _ORDINARY_PACE)
    calm = attempt.finished and least_s <= swiftest
    most_compression = _REPEATED_COMPRESSION if calm and least_s >= slowest else _MOST_COMPRESSION
    verdicts = {
        "avg_logprob": not attempt.avg_logprob >= _LEAST_LOGPROB,  # NaN fails
        "compression_ratio": _compression(_one_byte_each(attempt.text)) > most_compression,
        "loop": not calm and _looping(attempt.tokens) > 0,
        "speed": least_s > attempt.speech_s + _SLACK_S or _left_out(attempt),
        "unfinished": not attempt.finished,
    }
    return [name for name, failed in verdicts.items() if failed]


def _badness(attempt: Attempt) -> tuple[int, bool, float]:
    faults = set(_faults(attempt))
    logprob = attempt.avg_logprob
    return len(faults & {"loop", "speed", "unfinished"}), "compression_ratio" in faults, -logprob if logprob == logprob else 1e9


def _left_out(attempt: Attempt) -> bool:
    """Where the model doubts that there is speech at all, little text is no surprise."""
    expected = attempt.speech_s * _SPARSE_PER_S
    return (
        attempt.speech_s >= _SPARSE_FROM_S and attempt.no_speech_prob <= _SILENCE_PROB and len(_spoken(attempt.text)) < expected
    )


def _spoken(text: str) -> str:
    """The letters and digits."""
    return "".join(character for character in text if character.isalnum())


def _one_byte_each(text: str) -> bytes:
    """The text's characters, numbered as they first appear: zlib then finds the same in every script."""
    numbers: dict[str, int] = {}
    return bytes(numbers.setdefault(character, len(numbers)) % 256 for character in text.strip())


def _compression(data: bytes) -> float:
    return len(data) / len(zlib.compress(data))


def _looping(tokens: Sequence[int]) -> int:
    """How many tokens at the end only repeat; 0 if too few to call it a loop. Takes time with the square of the length."""
    for period in range(1, len(tokens) // 3 + 1):
        repeated = 0
        while repeated < len(tokens) - period and tokens[-1 - repeated] == tokens[-1 - repeated - period]:
            repeated += 1
        if repeated >= max(_LOOP_TOKENS, 2 * period):
            return repeated
    return 0
