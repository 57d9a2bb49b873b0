"""A model's draft held against the conversation, without a model: what the conversation does not support does not stand.

- A point keeps the ids that exist and share content words with it; if none does, the turns that say it are looked for; a point
  that nothing supports goes.
- A point with a number, a date or a name that was not said goes. So does such a sentence of the structured summary, such a
  title and such a line about a speaker. In a summary that was asked for as text nothing is cut: a sentence taken out of prose
  may turn the next one into its opposite. A warning says how many sentences are not borne out.
- An owner is a speaker, or a name that was said; a due time is made of words that were said; both are null otherwise.

Each kind of correction is one warning with a count. No warning quotes anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from roundtable.summarization.language import is_in
from roundtable.summarization.number_words import folded
from roundtable.summarization.sentences import split_sentences
from roundtable.summarization.source import Source
from roundtable.summarization.structured import Draft
from roundtable.transcript import ActionItem, Point, Warning_

_MESSAGES: dict[str, Callable[[int], str]] = {
    "unsupported_number": lambda n: f"{n} statement(s) with a number that was not said were left out.",
    "unsupported_date": lambda n: f"{n} statement(s) with a date or time that was not said were left out.",
    "unsupported_name": lambda n: f"{n} statement(s) with a name that was not said were left out.",
    "unsupported_owner": lambda n: f"{n} owner(s) of action items are neither speakers nor named in the conversation: null.",
    "unsupported_due": lambda n: f"{n} due time(s) of action items were not said: null.",
    "no_evidence": lambda n: f"{n} statement(s) that nothing in the conversation supports were left out.",
    "evidence_replaced": lambda n: f"{n} statement(s) cited what does not support them; the evidence was looked for instead.",
    "unverified_text": lambda n: f"{n} sentence(s) of the summary state a number, date or name that was not said.",
    "unknown_speaker": lambda n: f"{n} line(s) about speakers that the recording does not have were left out.",
    "wrong_language": lambda n: "The summary is in another language than the conversation.",
}


@dataclass(slots=True)
class Checks:
    """The checks of one request. `warnings` tells what they found so far."""

    source: Source
    _found: Counter[str] = field(default_factory=Counter)

    def warnings(self) -> tuple[Warning_, ...]:
        return tuple(Warning_("summarize", code, _MESSAGES[code](self._found[code])) for code in _MESSAGES if self._found[code])

    def draft(self, draft: Draft) -> Draft:
        """What of it may stand. Every point of the result has evidence; every owner is a label or was named."""
        return Draft(
            title=draft.title if self._is_supported(draft.title) else "",
            summary=" ".join(sentence for sentence in split_sentences(draft.summary) if self._is_supported(sentence)),
            key_points=tuple(self._points(draft.key_points)),
            decisions=tuple(self._points(draft.decisions)),
            action_items=tuple(self._action_items(draft.action_items)),
            per_speaker=dict(self._per_speaker(draft.per_speaker.items())),
        )

    def text(self, text: str) -> None:
        """A summary as text stays as it is; what it says that was not said is counted."""
        self._found["unverified_text"] += sum(bool(self.source.unsupported(sentence)) for sentence in split_sentences(text))

    def language(self, text: str) -> None:
        if self.source.language is not None and is_in(text, self.source.language) is False:
            self._found["wrong_language"] += 1

    def _is_supported(self, text: str) -> bool:
        kinds = self.source.unsupported(text)
        if kinds:
            self._found[f"unsupported_{kinds[0]}"] += 1
        return not kinds

    def _points(self, points: Iterable[Point]) -> Iterator[Point]:
        seen = set()
        for point in points:
            if folded(point.text) in seen or not self._is_supported(point.text):
                continue
            seen.add(folded(point.text))
            evidence = self._evidence(point.text, point.evidence)
            if evidence:
                yield Point(point.text, evidence)

    def _action_items(self, items: Iterable[ActionItem]) -> Iterator[ActionItem]:
        for item in items:
            if not self._is_supported(item.task):
                continue
            evidence = self._evidence(item.task, item.evidence)
            if not evidence:
                continue
            owner = None if item.owner is None else self.source.owner(item.owner)
            due = None if item.due is None else self.source.due(item.due)
            self._found["unsupported_owner"] += owner is None and item.owner is not None
            self._found["unsupported_due"] += due is None and item.due is not None
            yield replace(item, owner=owner, due=due, evidence=evidence)

    def _evidence(self, text: str, cited: tuple[int, ...]) -> tuple[int, ...]:
        evidence = self.source.evidence(text, cited)
        if not evidence:
            self._found["no_evidence"] += 1
        elif cited and not set(evidence) & set(cited):
            self._found["evidence_replaced"] += 1
        return evidence

    def _per_speaker(self, lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        for speaker, text in sorted(lines):
            label = self.source.labels.get(folded(speaker))
            if label is None:
                self._found["unknown_speaker"] += 1
            elif self._is_supported(text):
                yield label, text
