"""Who will do what by when, by the tables of `rules.py`.

What is found is a stretch of the transcript, never a rewording. No owner is better than a wrong one, so an owner is

- the label of the speaker who says "I will", or who agrees to do what is asked for, if the recording has several speakers and
  the diarization is sure of these words (one label for everybody would put all promises on one person), or
- a name that stands in the text, addressed ("Tom, can you") or promised for ("Tom will").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from roundtable.summarization.due import find_due, leading_due, without_trailing_due
from roundtable.summarization.names import Names
from roundtable.summarization.rules import (
    ADVERBS,
    ASSENT,
    COMMITMENT,
    DANGLING,
    FILLERS,
    IDLE,
    IDLE_PHRASES,
    LONGEST_SENTENCE,
    MARKER,
    NECESSITY,
    NEGATION,
    OTHERS_COMMITMENT,
    PLEASE,
    PROMISES,
    REFUSAL,
    REQUEST,
    THINGS_DO,
    VOLUNTEERS,
    add_evidence,
    clause_end,
    compile_rules,
    is_asserted,
    is_question,
)
from roundtable.summarization.sentences import Unit
from roundtable.summarization.text import alike, content_words, count_tokens, words
from roundtable.transcript import ActionItem, SpeakerTurn

_SURE = 0.5
"""Speaker confidence, averaged over a turn's words, below which a turn's label owns nothing."""

_ANSWER_WITHIN = 4
"""An answer to what is asked for begins at most this many sentences later."""

_SHORTEST_TASK = 2
"""In words."""

_LOOK_BACK = 100
"""An item is compared with this many before it, so that the cost stays linear."""

_ADVERBS = re.compile(rf"{ADVERBS}\s+", re.IGNORECASE)
_ASSIGNED = re.compile(r"\s*(?P<name>[^\W\d_][\w'’-]*+),? (?:to|will|should) ")
_AROUND_TASK = " ,.;:!?…"


def find_action_items(units: Sequence[Unit]) -> tuple[tuple[ActionItem, ...], frozenset[int]]:
    """The items in order, each once, and the places of the units that state them. Linear in the length of the text."""
    finder = _Finder(units)
    found = [(item, place) for place in range(len(units)) for item in finder.items_in(place)]
    return tuple(_merged([item for item, _ in found])), frozenset(place for _, place in found)


@dataclass(frozen=True, slots=True)
class _Match:
    """Where a rule fired: in the unit at `place`, on the words from `start`; the task begins at `end`, and ends at `limit` at
    the latest, where the next rule fires."""

    place: int
    text: str
    start: int
    end: int
    limit: int
    name: str | None


class _Finder:
    """The units, with what the rules need to know around them."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = units
        self._names = Names(unit.text for unit in units)
        self._several_speakers = len({unit.turn.speaker for unit in units} - {None}) > 1

    def items_in(self, place: int) -> Iterator[ActionItem]:
        text = self._units[place].text
        if len(text) > LONGEST_SENTENCE:
            return
        matches = sorted(
            ((match, rule) for pattern, rule in _RULES for match in pattern.finditer(text)), key=lambda pair: pair[0].start()
        )
        taken = 0
        for number, (match, rule) in enumerate(matches):
            if match.start() < taken:
                continue
            end = _after_adverbs(text, match.end())
            limit = next((later.start() for later, _ in matches[number + 1 :] if later.start() >= end), len(text))
            item = rule(self, _Match(place, text, match.start(), end, limit, match.groupdict().get("name")))
            if item is not None:
                taken = end
                yield item

    def _commitment(self, match: _Match) -> ActionItem | None:
        if is_question(match.text) or not is_asserted(match.text, match.start):
            return None
        return self._item(match, self._label(self._units[match.place].turn))

    def _others_commitment(self, match: _Match) -> ActionItem | None:
        name = self._names.subject(match.name or "")
        verb = next(words(match.text[match.end :]), "")
        if name is None or (verb in THINGS_DO and not self._names.is_mentioned(name)):
            return None
        if is_question(match.text) or not is_asserted(match.text, match.text.index(name, match.start)):
            return None
        return self._item(match, name)

    def _request(self, match: _Match) -> ActionItem | None:
        name = self._addressee(match)
        replies = self._replies(match.place, ASSENT)
        if not replies or (name is None and not is_asserted(match.text, match.start)):
            return None
        return self._item(match, name or self._label(replies[0].turn), replies)

    def _please(self, match: _Match) -> ActionItem | None:
        if is_question(match.text) or not is_asserted(match.text, match.start):
            return None
        replies = self._replies(match.place, ASSENT)
        return self._item(match, self._addressee(match) or (self._label(replies[0].turn) if replies else None), replies)

    def _necessity(self, match: _Match) -> ActionItem | None:
        if is_question(match.text) or not is_asserted(match.text, match.start):
            return None
        replies = self._replies(match.place, VOLUNTEERS)
        return self._item(match, self._label(replies[0].turn) if replies else None, replies)

    def _marker(self, match: _Match) -> ActionItem | None:
        if is_question(match.text) or NEGATION.search(match.text, 0, match.start):
            return None
        assigned = _ASSIGNED.match(match.text, match.end)
        name = self._names.subject(assigned["name"]) if assigned else None
        start = assigned.end() if assigned and name else match.end
        # Whoever calls it an action item means it, whatever the verb; other rules have no say in its words.
        return self._item(_Match(match.place, match.text, match.start, start, len(match.text), None), name, any_verb=True)

    def _item(
        self, match: _Match, owner: str | None, replies: Sequence[Unit] = (), *, any_verb: bool = False
    ) -> ActionItem | None:
        clause = match.text[match.end : clause_end(match.text, match.end, match.limit)].strip(_AROUND_TASK)
        name = self._names.addressed_last(clause)
        if name is not None and name == owner:
            clause = clause[: clause.rindex(name)].rstrip(_AROUND_TASK)
        task = without_trailing_due(DANGLING.sub("", clause))
        idle = not any_verb and (next(words(task), "") in IDLE or IDLE_PHRASES.search(task) is not None)
        if idle or not content_words(task) or count_tokens(task) < _SHORTEST_TASK:
            return None
        due = find_due(match.text[match.end : match.limit]) or leading_due(match.text[: match.start])
        evidence = dict.fromkeys([self._units[match.place].turn.id])
        for unit in replies:
            due = due or find_due(unit.text)
            evidence[unit.turn.id] = None
        return ActionItem(task, owner, due, tuple(evidence))

    def _label(self, turn: SpeakerTurn) -> str | None:
        """The turn's speaker, if that may be an owner."""
        known = [word.speaker_confidence for word in turn.words if word.speaker_confidence is not None]
        sure = not known or sum(known) / len(known) >= _SURE
        return turn.speaker if self._several_speakers and sure else None

    def _addressee(self, match: _Match) -> str | None:
        return self._names.addressed(match.text, match.start) or self._names.addressed_last(match.text)

    def _replies(self, place: int, pattern: re.Pattern[str]) -> list[Unit]:
        """What the next other speaker says, if `pattern` begins it and it refuses nothing and asks nothing; with the promise
        that follows it at once, if any."""
        asked = self._units[place]
        for later in range(place + 1, min(place + 1 + _ANSWER_WITHIN, len(self._units))):
            unit = self._units[later]
            if unit.turn.speaker != asked.turn.speaker:
                said = FILLERS.sub("", unit.text)
                if not pattern.search(said) or REFUSAL.search(said) or said.endswith("?"):
                    break
                following = self._units[later + 1 : later + 2]
                return [unit, *(one for one in following if one.position == unit.position and PROMISES.search(one.text))]
        return []


_Rule = Callable[[_Finder, _Match], ActionItem | None]
_RULES: tuple[tuple[re.Pattern[str], _Rule], ...] = (
    (compile_rules(MARKER), _Finder._marker),
    (compile_rules(COMMITMENT), _Finder._commitment),
    (compile_rules(REQUEST), _Finder._request),
    (compile_rules(PLEASE), _Finder._please),
    (compile_rules(NECESSITY), _Finder._necessity),
    (compile_rules(OTHERS_COMMITMENT), _Finder._others_commitment),
)


def _after_adverbs(text: str, at: int) -> int:
    adverbs = _ADVERBS.match(text, at)
    return adverbs.end() if adverbs else at


def _merged(items: Sequence[ActionItem]) -> list[ActionItem]:
    """Each item once: a repetition adds its evidence, and the owner or the due time if they were missing."""
    merged: list[ActionItem] = []
    contents: list[frozenset[str]] = []
    for item in items:
        content = content_words(item.task)
        for number in range(len(merged) - 1, max(-1, len(merged) - 1 - _LOOK_BACK), -1):
            other = merged[number]
            if _is_repetition(item, content, other, contents[number]):
                evidence = add_evidence(other.evidence, item.evidence)
                merged[number] = ActionItem(other.task, other.owner or item.owner, other.due or item.due, evidence)
                break
        else:
            merged.append(item)
            contents.append(content)
    return merged


def _is_repetition(item: ActionItem, content: frozenset[str], other: ActionItem, other_content: frozenset[str]) -> bool:
    if other.evidence[-1] == item.evidence[0]:
        # "Tom, can you book the room?" "Sure, I'll book it": the answer's own promise, under the label of who is Tom.
        return alike(content, other_content, least=1)
    return alike(content, other_content) and (item.owner == other.owner or item.owner is None or other.owner is None)
