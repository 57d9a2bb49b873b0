"""A conversation of any length through a model of limited length: one pass if it fits, else notes of its parts, and their sum.

    fits:      lines -> answer
    does not:  lines -> parts -> notes of each -> (notes -> groups -> fewer notes)* -> answer

Every prompt is built whole, counted with the model's own tokenizer and held against the limit before it is sent; nothing is
ever cut off a prompt. Notes are lists of statements with their evidence, not prose, so that joining them loses nothing and
mixes up nobody. The reduction ends: each round has to shrink the notes, and there are at most `_MOST_ROUNDS`; what then is
still too long is thinned out evenly, and the outcome says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from roundtable.control import Control
from roundtable.errors import EngineFailed
from roundtable.summarization.budget import Budget
from roundtable.summarization.instructions import Task
from roundtable.summarization.parts import split_lines
from roundtable.summarization.rendering import Line
from roundtable.summarization.writer import Prompt, Writer, Written
from roundtable.transcript import Warning_

_MOST_ROUNDS = 8
_PROGRESS = 0.85
"""A round of the reduction leaves at most this share of the notes' tokens, or it was the last."""

_MARGIN = 0.05
"""Joined lines may come to a few tokens more than they have one by one."""

_NOTES_SHARE, _NOTES_MOST, _NOTES_LEAST = 8, 2048, 128
"""Notes of a part take at most one token in this many of what the model can read, and never more than the second figure."""

ReadNotes = Callable[[str, Sequence[Line]], Sequence[Line] | None]
"""What a model noted on some lines, as lines again: none, if there is nothing to note. None when its answer is of no use."""

Rescue = Callable[[Sequence[Line]], Sequence[Line]]
"""Notes on a part that the model wrote nothing of use about: no part goes missing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last answer, and how it came about. `read`: the lines that it was made from."""

    answer: str
    read: tuple[Line, ...]
    passes: int
    input_tokens: int
    truncated: bool
    stop_reason: Literal["eos", "length"]
    warnings: tuple[Warning_, ...]


@dataclass(slots=True)
class MapReduce:
    """One conversation on its way through `writer`. `final_tokens` and `min_tokens` bound the last answer."""

    writer: Writer
    budget: Budget
    language: str | None
    structured: bool
    final_tokens: int
    min_tokens: int
    read_notes: ReadNotes
    rescue: Rescue
    control: Control
    _passes: int = 0
    _input_tokens: int = 0
    _notes_cut: int = 0
    _rescued: int = 0
    _thinned: bool = False
    _batch_warnings: list[Warning_] = field(default_factory=list)

    def run(self, lines: Sequence[Line]) -> Outcome:
        """Raises what `writer` and `control` raise."""
        final = self.budget.answer(self.final_tokens)
        task: Task = "structured" if self.structured else "text"
        prompt = self._fitting(task, lines, final)
        if prompt is None:
            notes = self._noted("notes", lines, self.rescue) or self.rescue(lines)
            lines = self._reduced(notes, final)
            task = "structured_from_notes" if self.structured else "text_from_notes"
            prompt = self._fitting(task, lines, final)
            while prompt is None and len(lines) > 1:  # thinned by the sum of their tokens, and a few too many
                lines, self._thinned = lines[::2], True
                prompt = self._fitting(task, lines, final)
            if prompt is None:
                raise EngineFailed("The notes of the conversation do not fit into a prompt for the summary.")
        (answer,) = self._write([prompt], final, min(self.min_tokens, final))
        self.control.report("summarize", 0.95)
        return Outcome(
            answer=answer.text,
            read=tuple(lines),
            passes=self._passes,
            input_tokens=self._input_tokens,
            truncated=self._thinned or self._notes_cut > 0,
            stop_reason="eos" if answer.finished else "length",
            warnings=tuple(self._warnings(final, cut=not answer.finished)),
        )

    def ask(self, task: Task, data: str) -> str | None:
        """One more answer, to `data` as it stands; None when that does not fit."""
        final = self.budget.answer(self.final_tokens)
        prompt = self.writer.prompt(task, self.language, data)
        if len(prompt.ids) > self.budget.prompt(final):
            return None
        return self._write([prompt], final, 0)[0].text

    @property
    def passes(self) -> int:
        return self._passes

    @property
    def input_tokens(self) -> int:
        return self._input_tokens

    def _fitting(self, task: Task, lines: Sequence[Line], answer: int) -> Prompt | None:
        """The prompt with all lines; None when it is too long."""
        most = self.budget.prompt(answer)
        data = [str(line) for line in lines]
        # A token has a few characters: what is far too long need not be counted.
        if sum(map(len, data)) > 40 * most:
            return None
        prompt = self.writer.prompt(task, self.language, "\n".join(data))
        return prompt if len(prompt.ids) <= most else None

    def _noted(self, task: Task, lines: Sequence[Line], rescue: Rescue) -> list[Line]:
        """Notes of all lines, part by part. Lines that stand in two parts may be noted twice; the same words are kept once."""
        tokens = self._notes_tokens()
        parts = list(self._parts(task, lines, tokens))
        answers = self._write([prompt for prompt, _ in parts], tokens, 0)
        notes: dict[tuple[str, str], Line] = {}
        for answer, (_, part) in zip(answers, parts, strict=True):
            self._notes_cut += not answer.finished
            noted = self.read_notes(answer.text, part)
            if noted is None:
                self._rescued += task == "notes"
                noted = rescue(part)
            for note in noted:
                notes.setdefault((note.header, note.text), note)
        return list(notes.values())

    def _reduced(self, notes: Sequence[Line], answer: int) -> Sequence[Line]:
        """Notes that fit into the last prompt."""
        task: Task = "structured_from_notes" if self.structured else "text_from_notes"
        for done in range(_MOST_ROUNDS):
            self.control.report("summarize", 0.5 + 0.4 * done / _MOST_ROUNDS)
            if self._fitting(task, notes, answer) is not None:
                return notes
            before = sum(self.writer.count([str(note) for note in notes]))
            fewer = self._noted("condense", notes, list)
            if sum(self.writer.count([str(note) for note in fewer])) > _PROGRESS * before:
                notes = fewer if len(fewer) < len(notes) else notes
                break
            notes = fewer
        return notes if self._fitting(task, notes, answer) is not None else self._thin(task, notes, answer)

    def _thin(self, task: Task, notes: Sequence[Line], answer: int) -> Sequence[Line]:
        """Every second note, or third, or … until they fit: from the beginning, the middle and the end alike."""
        self._thinned = True
        room = self._room(task, answer)
        sizes = [size + 1 for size in self.writer.count([str(note) for note in notes])]
        step = 1
        while step < len(notes) and sum(sizes[::step]) > room:
            step += 1
        return notes[::step]

    def _parts(self, task: Task, lines: Sequence[Line], answer: int) -> Iterator[tuple[Prompt, Sequence[Line]]]:
        waiting = [(list(lines), self._room(task, answer))]
        while waiting:
            some, room = waiting.pop()
            if room < 1:
                raise EngineFailed("A part of the conversation does not fit into a prompt for the summary.")
            parts = split_lines(some, room, self.writer.count)
            again = []
            for place, part in enumerate(parts):
                prompt = self._fitting(task, part, answer)
                if prompt is None:  # joined, its lines have more tokens than one by one
                    again = [(remaining, room * 3 // 4) for remaining in (list(_rest(parts[place:])),)]
                    break
                yield prompt, part
            waiting += again

    def _room(self, task: Task, answer: int) -> int:
        """Tokens for the lines of a prompt."""
        around = len(self.writer.prompt(task, self.language, "").ids)
        room = int((self.budget.prompt(answer) - around) * (1 - _MARGIN))
        if room < _LEAST_ROOM:
            raise EngineFailed(
                "The instructions for the summary leave no room for a conversation: the model takes too few tokens."
            )
        return room

    def _notes_tokens(self) -> int:
        share = max(_NOTES_LEAST, self.budget.input_tokens // _NOTES_SHARE)
        return min(share, _NOTES_MOST, self.budget.output_tokens, self.budget.input_tokens // 4)

    def _write(self, prompts: Sequence[Prompt], max_tokens: int, min_tokens: int) -> tuple[Written, ...]:
        self.control.check()
        batch = self.writer.write(prompts, max_tokens, min_tokens, self.control)
        self._passes += len(prompts)
        self._input_tokens += sum(len(prompt.ids) for prompt in prompts)
        self._batch_warnings += batch.warnings
        return batch.answers

    def _warnings(self, final: int, *, cut: bool) -> Iterator[Warning_]:
        yield from dict.fromkeys(self._batch_warnings)
        if cut and final < self.final_tokens:
            message = f"summary_max_tokens: this model has room for {final} tokens of an answer."
            yield Warning_("summarize", "summary_max_tokens_reduced", message)
        if self._notes_cut:
            message = f"On {self._notes_cut} part(s) of the conversation the notes came to their limit; some may be missing."
            yield Warning_("summarize", "notes_cut", message)
        if self._rescued:
            message = f"On {self._rescued} part(s) the model noted nothing of use; their main sentences stand in instead."
            yield Warning_("summarize", "notes_extractive", message)
        if self._thinned:
            message = (
                "The notes could not be made short enough for the model; some were left out, evenly over the conversation."
            )
            yield Warning_("summarize", "notes_left_out", message)


_LEAST_ROOM = 32


def _rest(parts: Sequence[Sequence[Line]]) -> Iterator[Line]:
    """The lines of parts that follow each other, each once: an overlap is the end of one part at the beginning of the next."""
    before: Sequence[Line] = ()
    for part in parts:
        overlap = next((n for n in (2, 1) if len(part) > n and list(part[:n]) == list(before[-n:]) and len(before) > n), 0)
        yield from part[overlap:]
        before = part
