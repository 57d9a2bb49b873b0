"""Instruction-tuned causal models: a system message with the rules, the data between delimiters, the request behind it.

Control tokens cannot come out of the data: `Guard` leaves no text that spells one, transformers is told to sanitise where it
can (5.x), and `Prompt.check` counts them before every generation.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from roundtable.control import Control
from roundtable.errors import InvalidSettings
from roundtable.summarization.checkpoint import NO_DAY, SummaryCheckpoint
from roundtable.summarization.generation import Generator
from roundtable.summarization.instructions import CLOSING, OPENING, Instruction, Task, instruction
from roundtable.summarization.writer import Frame, Prompt, WrittenBatch

_VARIABLES: Mapping[str, Any] = {
    "enable_thinking": False,  # Qwen3 and its like; templates ignore what they do not know
    "date_string": NO_DAY,  # Llama 3 would write today's date
}
_PROBES = ("x", "0 (y) 1")
"""Two pieces of data that have no token in common: what their prompts share is the frame."""


class ChatWriter:
    """The `Writer` of a chat model. Raises `InvalidSettings` when its chat template takes no messages of ours."""

    method: Final[Literal["chat"]] = "chat"

    def __init__(self, checkpoint: SummaryCheckpoint) -> None:
        self._checkpoint: Final = checkpoint
        self._generator: Final = Generator(checkpoint)
        self._frames: dict[tuple[Task, str | None], Frame] = {}
        self.name: Final = checkpoint.name
        self.budget: Final = checkpoint.budget
        self.guard: Final = checkpoint.guard
        knows = inspect.signature(checkpoint.tokenizer.apply_chat_template).parameters
        self._variables = {**_VARIABLES, **({"sanitize_control_tokens": True} if "sanitize_control_tokens" in knows else {})}
        self._system_role = True
        self._system_role = self._takes_system_messages()
        self._frame(instruction("text", "en"))

    def count(self, texts: Sequence[str]) -> Sequence[int]:
        return [len(ids) for ids in self._checkpoint.encode(texts, special=False)]

    def unknown_share(self, words: Sequence[str]) -> float:
        return self._checkpoint.unknown_share(words)

    def prompt(self, task: Task, language: str | None, data: str) -> Prompt:
        asked = instruction(task, language)
        key = (task, language)
        if key not in self._frames:
            self._frames[key] = self._frame(asked)
        ids = self._ids(asked, data)
        return Prompt(ids, self._frames[key], self._controls(ids))

    def write(self, prompts: Sequence[Prompt], max_tokens: int, min_tokens: int, control: Control) -> WrittenBatch:
        for prompt in prompts:
            prompt.check(self.budget.prompt(max_tokens))
        return self._generator.write(prompts, max_tokens, min_tokens, control)

    def _ids(self, asked: Instruction, data: str) -> tuple[int, ...]:
        user = f"{OPENING}\n{data}\n{CLOSING}\n\n{asked.after}"
        if self._system_role:
            messages = [{"role": "system", "content": asked.before}, {"role": "user", "content": user}]
        else:
            messages = [{"role": "user", "content": f"{asked.before}\n\n{user}"}]
        return tuple(self._checkpoint.chat(messages, **self._variables))

    def _frame(self, asked: Instruction) -> Frame:
        one, other = (self._ids(asked, probe) for probe in _PROBES)
        if one == other:
            raise InvalidSettings("The chat template of SUMMARIZE_MODEL leaves out what it is given.")
        head = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        backwards = zip(reversed(one), reversed(other), strict=False)
        tail = next((at for at, (a, b) in enumerate(backwards) if a != b), 0)
        # The tokens next to the data may join with its ends: those are not asked for.
        head, tail = max(0, head - 1), max(0, tail - 3)
        return Frame(one[:head], one[len(one) - tail :], self._controls(one))

    def _controls(self, ids: Sequence[int]) -> int:
        return sum(id_ in self._checkpoint.control_ids for id_ in ids)

    def _takes_system_messages(self) -> bool:
        """Some templates raise for the role, some leave the message out: then the rules go before the data."""
        asked = instruction("text", "en")
        try:
            with_rules, without = (self._ids(rules, "x") for rules in (asked, Instruction("Be brief.", asked.after)))
            if len(with_rules) - len(without) > len(self.count([asked.before])) // 2 and with_rules != without:
                return True
        except Exception as error:  # a template raises what it likes
            if isinstance(error, MemoryError):
                raise
        self._system_role = False
        try:
            self._ids(asked, "x")
        except Exception as error:
            reason = type(error).__name__
        else:
            return False
        raise InvalidSettings(f"The chat template of SUMMARIZE_MODEL takes no message from a user ({reason}).")
