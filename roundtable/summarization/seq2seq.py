"""Encoder-decoder models that were trained to shorten a text: BART, T5, PEGASUS and the like.

They take no instructions, only a text, and T5 a word before it; they write prose. What is asked of them is always the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from roundtable.control import Control
from roundtable.summarization.checkpoint import SummaryCheckpoint
from roundtable.summarization.generation import Generator
from roundtable.summarization.instructions import Task
from roundtable.summarization.writer import Frame, Prompt, WrittenBatch

_PREFIX = "summarize: "
_PREFIXED = {"t5", "mt5", "umt5", "longt5", "switch_transformers"}


class Seq2SeqWriter:
    """The `Writer` of an encoder-decoder model. Ignores the task: it has only one."""

    method: Final[Literal["seq2seq"]] = "seq2seq"

    def __init__(self, checkpoint: SummaryCheckpoint) -> None:
        self._checkpoint: Final = checkpoint
        self._generator: Final = Generator(checkpoint)
        self._prefix: Final = _prefix(checkpoint.config)
        self.name: Final = checkpoint.name
        self.budget: Final = checkpoint.budget
        self.guard: Final = checkpoint.guard
        one, other = (self._ids(probe) for probe in ("x", "0 (y) 1"))
        (prefix,) = checkpoint.encode([self._prefix], special=True)
        head = _shared(one, other, prefix) if self._prefix else _shared(one, other, one)
        head -= bool(self._prefix)  # its last token, a space, may join with the data
        tail = _shared(one[::-1], other[::-1], one[::-1])
        self._frame: Final = Frame(one[:head], one[len(one) - tail :], self._controls(one))

    def count(self, texts: Sequence[str]) -> Sequence[int]:
        return [len(ids) for ids in self._checkpoint.encode(texts, special=False)]

    def unknown_share(self, words: Sequence[str]) -> float:
        return self._checkpoint.unknown_share(words)

    def prompt(self, task: Task, language: str | None, data: str) -> Prompt:
        ids = self._ids(data)
        return Prompt(ids, self._frame, self._controls(ids))

    def write(self, prompts: Sequence[Prompt], max_tokens: int, min_tokens: int, control: Control) -> WrittenBatch:
        for prompt in prompts:
            prompt.check(self.budget.prompt(max_tokens))
        return self._generator.write(prompts, max_tokens, min_tokens, control)

    def _ids(self, data: str) -> tuple[int, ...]:
        (ids,) = self._checkpoint.encode([self._prefix + data], special=True)
        return tuple(ids)

    def _controls(self, ids: Sequence[int]) -> int:
        return sum(id_ in self._checkpoint.control_ids for id_ in ids)


def _shared(one: Sequence[int], other: Sequence[int], third: Sequence[int]) -> int:
    """How many tokens all three begin with."""
    return next(
        (at for at, (a, b, c) in enumerate(zip(one, other, third, strict=False)) if not a == b == c),
        min(len(one), len(other), len(third)),
    )


def _prefix(config: Any) -> str:
    """As the model's own config has it; else what T5 and its like were trained with."""
    tasks = config.get("task_specific_params")
    summarization = tasks.get("summarization") if isinstance(tasks, dict) else None
    prefix = summarization.get("prefix") if isinstance(summarization, dict) else None
    if isinstance(prefix, str):
        return prefix
    return _PREFIX if config.get("model_type") in _PREFIXED else ""
