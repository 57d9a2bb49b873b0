"""What an engine that hears windows can do, for `long_form` to build a transcript of: the seam between Whisper's runtimes.

An engine encodes a batch of windows once. The batch then answers as often as it is asked: which language, is that speech at
all, what was said (after this or that prompt, at this or that temperature), and when was each token said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from roundtable.control import Control
from roundtable.transcript import Word
from roundtable.windows import Window

Task = Literal["transcribe", "translate"]

ENGLISH_ONLY_VOCABULARY = 51864
"""The size of OpenAI's .en models'. It holds the language tags as well, but they were never trained on them."""

_TOKENS_BASE, _TOKENS_PER_S = 20, 30.0
"""No script that Whisper writes takes more tokens than this; a loop in a short window is cut off the sooner."""


def token_limit(window: Window, room: int) -> int:
    """How many tokens may be written for a window: what its speech can hold, and no more than there is `room` for."""
    return min(room, math.ceil(_TOKENS_BASE + _TOKENS_PER_S * window.duration_s))


@dataclass(frozen=True, slots=True)
class Decoded:
    """One window's tokens, without prompt and <|endoftext|>. `logprobs` are theirs, then <|endoftext|>'s if `finished`."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool

    @property
    def avg_logprob(self) -> float:
        """As OpenAI computes it: <|endoftext|> counts as a token, whether it was written or not."""
        return sum(self.logprobs) / (len(self.tokens) + 1)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands before a window's first token. `previous`: text that came before, as tokens."""

    language: str
    task: Task
    previous: tuple[int, ...] = ()


class EncodedBatch(Protocol):
    """Windows that went through the encoder. Rows are numbered from 0 in the order in which the windows were given."""

    def language_logprobs(self) -> Sequence[Sequence[float]]:
        """Per row the log-probability of each of the engine's `languages`, normalised over them."""

    def no_speech_probs(self) -> Sequence[float]:
        """Per row the probability that nobody speaks, in [0, 1]; 0 from a model that has no such token."""

    def write(self, rows: Sequence[int], prompt: Prompt, temperature: float) -> Sequence[Decoded]:
        """Decode these rows. Temperature 0 takes the likeliest token; the same call gives the same tokens each time."""

    def align(self, decoded: Sequence[Decoded], prompt: Prompt) -> Sequence[tuple[Word, ...]]:
        """The words of every row (`decoded` has one entry for each), in window time."""


class WindowEngine(Protocol):
    """Encodes windows of at most 30 s. One batch at a time: `long_form` sees to that."""

    @property
    def languages(self) -> Sequence[str]:
        """The codes it can tell apart; none when it is English-only."""

    @property
    def can_translate(self) -> bool: ...

    @property
    def largest_batch(self) -> int:
        """More windows than this at once bring nothing on this machine."""

    def encode(self, windows: Sequence[Window], control: Control) -> EncodedBatch: ...

    def encode_text(self, text: str) -> list[int]:
        """Tokens of plain text, no control tokens whatever it says."""

    def decode_text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, with its leading space."""

    def ran_out_of_memory(self, error: Exception) -> bool:
        """Whether that is what `error` says. If so, what can be freed has been freed."""
