"""What was decided, by the tables of `rules.py`: a stated decision, or a proposal that somebody else accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from roundtable.summarization.rules import (
    ACCEPTANCE,
    DECISIONS,
    INTENTION,
    LONGEST_SENTENCE,
    NEGATION,
    NOT_A_DECISION,
    NOT_A_PLAN,
    PROPOSAL,
    SETTLED,
    add_evidence,
    compile_rules,
    is_asserted,
    is_question,
)
from roundtable.summarization.sentences import Unit
from roundtable.summarization.text import alike, content_words, word_set
from roundtable.transcript import Point

_DECISION = compile_rules(rf"\b(?:{pattern})(?!\w)" if pattern[0] != "^" else pattern for pattern in DECISIONS)
_SAYS_NOTHING_ELSE = word_set("agreed decided settled deal decision final sounds good agree concluded resolved voted")
_LEAST_CONTENT = 2
"""A decision has at least this many words that say what was decided."""

_LOOK_BACK = 100
"""A decision is compared with this many before it, so that the cost stays linear."""


def find_decisions(units: Sequence[Unit]) -> tuple[tuple[Point, ...], frozenset[int]]:
    """The decisions in order, each once, and the places of the units that state them. Linear in the length of the text."""
    found = list(_decisions(units))
    merged: list[Point] = []
    contents: list[frozenset[str]] = []
    for point, _ in found:
        content = content_words(point.text)
        for number in range(len(merged) - 1, max(-1, len(merged) - 1 - _LOOK_BACK), -1):
            if alike(content, contents[number]):
                merged[number] = replace(merged[number], evidence=add_evidence(merged[number].evidence, point.evidence))
                break
        else:
            merged.append(point)
            contents.append(content)
    return tuple(merged), frozenset(place for _, place in found)


def _decisions(units: Sequence[Unit]) -> Iterator[tuple[Point, int]]:
    for place, unit in enumerate(units):
        if len(unit.text) > LONGEST_SENTENCE:
            continue
        if _says_nothing_but_yes(unit):
            if place and _is_decided_by(units[place - 1], unit):
                proposed = units[place - 1]
                yield Point(proposed.text, tuple(dict.fromkeys((proposed.turn.id, unit.turn.id)))), place - 1
            continue
        match = _DECISION.search(unit.text)
        if (
            match is not None
            and not is_question(unit.text)
            and is_asserted(unit.text, match.start())
            and not (NOT_A_PLAN if INTENTION.match(match[0]) else NOT_A_DECISION).search(unit.text[match.end() :])
            and _says_what(unit.text)
        ):
            yield Point(unit.text, (unit.turn.id,)), place


def _says_nothing_but_yes(unit: Unit) -> bool:
    return ACCEPTANCE.search(unit.text) is not None and content_words(unit.text) <= _SAYS_NOTHING_ELSE


def _is_decided_by(proposed: Unit, acceptance: Unit) -> bool:
    if NEGATION.search(acceptance.text) or is_question(acceptance.text) or not _says_what(proposed.text):
        return False
    if proposed.position == acceptance.position:
        return SETTLED.search(acceptance.text) is not None and not is_question(proposed.text)
    proposal = PROPOSAL.search(proposed.text)
    return (
        proposal is not None
        and proposed.turn.speaker != acceptance.turn.speaker
        and not NEGATION.search(proposed.text, 0, proposal.start())
        and not NOT_A_PLAN.search(proposed.text[proposal.end() :])
    )


def _says_what(text: str) -> bool:
    return len(content_words(text) - _SAYS_NOTHING_ELSE) >= _LEAST_CONTENT
