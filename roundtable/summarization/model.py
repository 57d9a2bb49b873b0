"""Summaries by a model: what it is given, how its answer is read, and what of that may stand.

The order of things, for both kinds of models: too little speech never reaches a model; the transcript goes through
`map_reduce`; the answer is read (`structured.py`), and held against the transcript (`checks.py`). A sequence-to-sequence model
writes prose only: of a structured summary by it, decisions and action items are the extractive engine's, and its own sentences,
cited, are the key points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from roundtable.control import Control
from roundtable.errors import OutOfMemory
from roundtable.summarization import SummarizeOptions, Summarizer
from roundtable.summarization.budget import Budget
from roundtable.summarization.checks import Checks
from roundtable.summarization.fallback import NothingUsable
from roundtable.summarization.language import detect
from roundtable.summarization.map_reduce import MapReduce, Outcome
from roundtable.summarization.rendering import Line, transcript_lines
from roundtable.summarization.sentences import split_sentences
from roundtable.summarization.source import Source
from roundtable.summarization.structured import Draft, looks_like_json, prose, read_draft, without_thinking
from roundtable.summarization.text import TOKEN, count_tokens, has_words
from roundtable.summarization.writer import Writer
from roundtable.transcript import Point, SpeakerTurn, Summary, Warning_

FEWEST_WORDS = 20
"""Of less than this a model makes up a conversation."""

_SAMPLE, _MOST_UNKNOWN = 1000, 0.2
"""Different words that are looked at, and how many of them a model's vocabulary may lack: it reads gaps, and says nothing."""


class ModelSummarizer:
    """`extractive`: for what is too short, for parts that the model has nothing to say about, and for what it does not write.

    Raises `NothingUsable` when nothing of the model's answers may stand, `OutOfMemory` when not even small parts fit, and
    whatever else goes wrong with the model: see `fallback.py`.
    """

    def __init__(self, writer: Writer, extractive: Summarizer) -> None:
        self._writer: Final = writer
        self._extractive: Final = extractive
        self.name: Final = writer.name

    def summarize(self, turns: Sequence[SpeakerTurn], options: SummarizeOptions, control: Control) -> Summary:
        control.check()
        if sum(count_tokens(turn.text) for turn in turns) < FEWEST_WORDS:
            return self._extractive.summarize(turns, options, control)
        if self._writer.unknown_share(_some_words(turns)) > _MOST_UNKNOWN:
            raise NothingUsable("The model's vocabulary does not hold the language of the conversation.")
        job = _Job(self._writer, self._extractive, turns, options, control)
        budget: Budget | None = self._writer.budget
        reduced = False
        while budget is not None:
            try:
                summary = job.run(budget)
            except OutOfMemory:
                budget, reduced = budget.smaller(), True
                continue
            if not reduced:
                return summary
            message = f"Memory ran out: the conversation was read in parts of at most {budget.input_tokens} tokens."
            return replace(summary, warnings=(*summary.warnings, Warning_("summarize", "context_reduced", message)))
        raise OutOfMemory("There was not enough memory to summarize the conversation, however small the parts.")


class _Job:
    """One request."""

    def __init__(
        self, writer: Writer, extractive: Summarizer, turns: Sequence[SpeakerTurn], options: SummarizeOptions, control: Control
    ) -> None:
        self._writer = writer
        self._extractive = extractive
        self._turns = turns
        self._options = options
        self._control = control
        self._chats = writer.method == "chat"
        self._structured = options.format == "structured"
        self._language = options.language or detect(" ".join(turn.text for turn in turns))
        self._source = Source(turns, self._language)

    def run(self, budget: Budget) -> Summary:
        options = self._options
        lines = transcript_lines(self._turns, self._writer.guard, ids=self._chats)
        self._control.check()
        json_wanted = self._structured and self._chats
        model = MapReduce(
            writer=self._writer,
            budget=budget,
            language=self._language,
            structured=json_wanted,
            final_tokens=2 * options.max_tokens if json_wanted else options.max_tokens,
            min_tokens=0 if json_wanted else options.min_tokens,
            read_notes=self._read_notes if self._chats else _read_prose_notes,
            rescue=self._rescue,
            control=self._control,
        )
        outcome = model.run(lines)
        answer = without_thinking(outcome.answer)
        if not has_words(answer):
            raise NothingUsable("The model wrote no summary.")
        checks = Checks(self._source)
        if json_wanted:
            summary = self._from_json(answer, model, checks)
        elif self._structured:
            summary = self._from_prose(prose(answer), checks)
        else:
            summary = self._as_text(answer, checks)
        checks.language(summary.text)
        self._control.report("summarize", 1.0)
        return self._with_figures(summary, outcome, model, checks)

    def _as_text(self, answer: str, checks: Checks) -> Summary:
        draft = read_draft(answer) if looks_like_json(answer) else None
        text = draft.summary if draft is not None else prose(answer)
        if not has_words(text):
            raise NothingUsable("The model wrote no summary.")
        checks.text(text)
        return Summary(text, method=self._writer.method)

    def _from_json(self, answer: str, model: MapReduce, checks: Checks) -> Summary:
        draft = read_draft(answer)
        if draft is None or not (draft.summary or draft.has_points()):
            repaired = model.ask("repair", self._writer.guard.json(answer))
            draft = read_draft(without_thinking(repaired or ""))
        if draft is None or not (draft.summary or draft.has_points()):
            if looks_like_json(answer):
                raise NothingUsable("The model's answer is damaged.")
            summary = self._from_prose(prose(answer), checks)
            message = (
                "The model did not write its summary in the form that was asked for; it was read as plain text, and decisions "
                "and action items are the embedded engine's."
            )
            return replace(summary, warnings=(*summary.warnings, Warning_("summarize", "not_structured", message)))
        checked = checks.draft(draft)
        text = checked.summary or " ".join(_ended(point.text) for point in (*checked.key_points, *checked.decisions))
        if not text:
            raise NothingUsable("Nothing that the model wrote is borne out by the conversation.")
        return self._summary(replace(checked, summary=text))

    def _from_prose(self, text: str, checks: Checks) -> Summary:
        checked = checks.draft(Draft(summary=text))
        if not has_words(checked.summary):
            raise NothingUsable("Nothing that the model wrote is borne out by the conversation.")
        found = [(sentence, self._source.evidence(sentence, ())) for sentence in split_sentences(checked.summary)]
        points = tuple(Point(sentence, evidence) for sentence, evidence in found if evidence)
        if not points:
            raise NothingUsable("Nothing that the model wrote is borne out by the conversation.")
        ruled = self._extractive.summarize(self._turns, self._options, self._control)
        return replace(
            ruled,
            text=checked.summary,
            key_points=points,
            method=self._writer.method,
            warnings=ruled.warnings,
        )

    def _summary(self, draft: Draft) -> Summary:
        title = draft.title or self._extractive.summarize(self._turns, self._options, self._control).title
        return Summary(
            text=draft.summary,
            title=title,
            key_points=draft.key_points,
            decisions=draft.decisions,
            action_items=draft.action_items,
            per_speaker=draft.per_speaker,
            method=self._writer.method,
        )

    def _with_figures(self, summary: Summary, outcome: Outcome, model: MapReduce, checks: Checks) -> Summary:
        return replace(
            summary,
            passes=model.passes,
            input_tokens=model.input_tokens,
            truncated=outcome.truncated,
            stop_reason=outcome.stop_reason,
            warnings=(*outcome.warnings, *summary.warnings, *checks.warnings()),
        )

    def _read_notes(self, answer: str, part: Sequence[Line]) -> Sequence[Line] | None:
        """Notes of a chat model, checked at once: what is made up early would be cited later."""
        answer = without_thinking(answer)
        draft = read_draft(answer)
        if draft is None and has_words(answer) and not looks_like_json(answer):
            draft = Draft(key_points=tuple(Point(sentence, ()) for sentence in split_sentences(prose(answer))))
        if draft is None:
            return None
        checked = Checks(self._source).draft(draft)
        if draft.has_points() and not checked.has_points():
            return None
        here = {id_ for line in part for id_ in line.evidence}
        notes = [(point.text, point.evidence) for point in checked.key_points]
        notes += [(f"Decision: {point.text}", point.evidence) for point in checked.decisions]
        for item in checked.action_items:
            about = "; ".join(f"{name}: {value}" for name, value in (("owner", item.owner), ("due", item.due)) if value)
            notes.append((f"Task: {item.task}" + (f" ({about})" if about else ""), item.evidence))
        guard = self._writer.guard
        return [
            Line(_cited(evidence), guard(text), evidence)
            for text, everywhere in notes
            if (evidence := tuple(id_ for id_ in everywhere if id_ in here))
        ]

    def _rescue(self, part: Sequence[Line]) -> Sequence[Line]:
        ids = dict.fromkeys(id_ for line in part for id_ in line.evidence)
        turns = [
            SpeakerTurn(
                id_, self._source.turns[id_].speaker, 0.0, 0.0, " ".join(line.text for line in part if id_ in line.evidence)
            )
            for id_ in ids
        ]
        points = self._extractive.summarize(turns, SummarizeOptions(language=self._language), self._control).key_points
        guard = self._writer.guard
        return [Line(_cited(point.evidence) if self._chats else "", guard(point.text), point.evidence) for point in points]


def _some_words(turns: Sequence[SpeakerTurn]) -> list[str]:
    words = (match.group() for turn in turns for match in TOKEN.finditer(turn.text))
    return list(islice(dict.fromkeys(words), _SAMPLE))


def _read_prose_notes(answer: str, part: Sequence[Line]) -> Sequence[Line] | None:
    """Notes of a sequence-to-sequence model: its sentences. They are about the whole part."""
    ids = tuple(dict.fromkeys(id_ for line in part for id_ in line.evidence))
    text = " ".join(prose(answer).split())
    return [Line("", text, ids)] if has_words(text) else None


def _cited(evidence: Sequence[int]) -> str:
    return f"[{', '.join(map(str, evidence))}] "


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."
