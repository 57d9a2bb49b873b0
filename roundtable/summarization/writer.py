"""What a model that writes can do, for `map_reduce` to make a summary with: the seam between chat and sequence-to-sequence.

A writer turns lines into a complete prompt, in tokens, and prompts into answers. It never shortens a prompt: what does not fit
is `map_reduce`'s business, and a prompt that is too long, or that has lost its instructions, is a fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from roundtable.control import Control
from roundtable.errors import EngineFailed
from roundtable.summarization.budget import Budget
from roundtable.summarization.guard import Guard
from roundtable.summarization.instructions import Task
from roundtable.transcript import Warning_


@dataclass(frozen=True, slots=True)
class Frame:
    """The tokens around the data, the same whatever the data is. `control` is how many of a prompt's tokens steer the model."""

    head: tuple[int, ...]
    tail: tuple[int, ...]
    control: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """A whole prompt, as the model is to see it. `control`: how many of `ids` are control tokens."""

    ids: tuple[int, ...]
    frame: Frame
    control: int

    def check(self, most: int) -> None:
        """Raise `EngineFailed` unless it has at most `most` tokens, its instructions, and no control token of the data's
        own."""
        head, tail = self.frame.head, self.frame.tail
        if len(self.ids) > most:
            raise EngineFailed("A prompt for the summary is longer than the model takes.")
        if self.ids[: len(head)] != head or self.ids[len(self.ids) - len(tail) :] != tail:
            raise EngineFailed("A prompt for the summary has lost its instructions.")
        if self.control != self.frame.control:
            raise EngineFailed("A prompt for the summary holds control tokens that come from the transcript.")


@dataclass(frozen=True, slots=True)
class Written:
    """One answer. `finished`: the model ended it; else it came to the limit."""

    text: str
    finished: bool


class Writer(Protocol):
    """Any number of threads may use it; one batch is written at a time."""

    @property
    def name(self) -> str: ...

    @property
    def method(self) -> Literal["chat", "seq2seq"]: ...

    @property
    def budget(self) -> Budget: ...

    @property
    def guard(self) -> Guard:
        """Makes text harmless for this model's prompts."""

    def count(self, texts: Sequence[str]) -> Sequence[int]:
        """How many tokens each text has, without any around it."""

    def unknown_share(self, words: Sequence[str]) -> float:
        """How many of these words, in [0, 1], its vocabulary cannot write."""

    def prompt(self, task: Task, language: str | None, data: str) -> Prompt: ...

    def write(self, prompts: Sequence[Prompt], max_tokens: int, min_tokens: int, control: Control) -> WrittenBatch:
        """Answer every prompt, in their order. Greedy: the same prompts give the same answers, whatever is beside them.

        Raises `OutOfMemory` when not even one fits, and what `control` raises.
        """


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """The answers, in the order of the prompts."""

    answers: tuple[Written, ...]
    warnings: tuple[Warning_, ...] = ()
