"""The embedded summarizer: the sentences that matter most, as they were said. No model, no download, any language.

TextRank chooses the sentences (`textrank.py`), rules that can be read find decisions and action items (`rules.py`), and nothing
is ever reworded: every point is a stretch of the turn that its evidence names. Modest on purpose: it cannot merge two
sentences into one, nor resolve "that". It is also what other engines fall back to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING

from roundtable.control import Control
from roundtable.errors import EngineUnavailable
from roundtable.summarization import SummarizeOptions
from roundtable.summarization.action_items import find_action_items
from roundtable.summarization.decisions import find_decisions
from roundtable.summarization.keywords import title
from roundtable.summarization.rules import is_question
from roundtable.summarization.sentences import Unit, split_turns
from roundtable.summarization.text import (
    ENGLISH_STOP_WORDS,
    UNSPACED,
    count_tokens,
    cut_to_tokens,
    is_english,
    terms,
)
from roundtable.transcript import ActionItem, Point, SpeakerTurn, Summary, Warning_

if TYPE_CHECKING:
    from roundtable.summarization.textrank import Ranking

NO_SPEECH = "No speech was found in the recording."
"""The summary of a recording without words, whatever the bounds on its length."""

_TOKENS_PER_ROOT = 4.0
"""A summary has this many words times the square root of the conversation's, within the bounds of the request: 60 for 90
seconds of talk, 400 for an hour. In an unspaced script, twice as many characters."""

_FULL = 0.9
"""A summary that fills this share of `max_tokens` is not topped up with whatever is short enough."""

_FEWEST_POINTS, _MOST_POINTS = 3, 7
_UNITS_PER_POINT = 12

_FEWEST_TERMS = 3
"""A unit with fewer terms ("yeah, that's right") stands in a summary only if there is nothing else."""

# What is known of a unit before its links are: where it stands, and what kind of sentence it is.
_OPENING_SHARE, _OPENING = 0.1, 1.2
_CLOSING_SHARE, _CLOSING = 0.2, 1.2
_FOUND_BY_RULE = 2.5
_QUESTION = 0.7
_FULL_LENGTH_TERMS = 8


class ExtractiveSummarizer:
    """Sentences chosen by TextRank. Holds no state: safe in any number of threads, and always gives the same answer.

    An hour of talk takes under a second; time and memory grow linearly with the number of sentences. Raises
    `EngineUnavailable` if scikit-learn or networkx is missing.
    """

    name = "embedded (textrank)"

    def __init__(self) -> None:
        try:
            from roundtable.summarization import textrank
        except ImportError as error:
            raise EngineUnavailable("The embedded summarizer needs the packages scikit-learn and networkx.") from error
        self._textrank = textrank
        # networkx and scipy load parts of themselves at the first use.
        textrank.rank([["warm", "up"], ["warm", "start"]], ["A", "B"], [1.0, 1.0], Control())

    def summarize(self, turns: Sequence[SpeakerTurn], options: SummarizeOptions, control: Control) -> Summary:
        """Summarise. Never raises but what `control` does, whatever the turns hold.

        A unit longer than `max_tokens` is cut only when no other fits; a warning says so.
        """
        control.check()
        units = split_turns(turns)
        if not units:
            return Summary(NO_SPEECH)
        control.check()
        english = is_english((unit.text for unit in units), options.language)
        stop_words = ENGLISH_STOP_WORDS if english else frozenset[str]()
        decisions, action_items, ruled = _apply_rules(units, control) if english else ((), (), frozenset[int]())
        sentences = [terms(unit.text, stop_words) for unit in units]
        speakers = [unit.turn.speaker for unit in units]
        prior = [
            _prior(place / len(units), unit, len(sentence), place in ruled, english)
            for place, (unit, sentence) in enumerate(zip(units, sentences, strict=True))
        ]
        ranking = self._textrank.rank(sentences, speakers, prior, control)
        control.check()
        scores = ranking.scores.tolist()

        candidates = [place for place, sentence in enumerate(sentences) if len(set(sentence)) >= _FEWEST_TERMS]
        candidates = candidates or list(range(len(units)))
        text, warnings = _text(units, candidates, ranking, options, control)
        if not english and options.format == "structured":
            warnings += (
                Warning_("summarize", "rules_need_english", "Decisions and action items are looked for in English only."),
            )
        return Summary(
            text=text,
            title=title(units, scores, stop_words),
            key_points=_key_points(units, candidates, ranking, ruled),
            decisions=decisions,
            action_items=action_items,
            per_speaker=_per_speaker(units, scores),
            warnings=warnings,
        )


def _apply_rules(units: Sequence[Unit], control: Control) -> tuple[tuple[Point, ...], tuple[ActionItem, ...], frozenset[int]]:
    decisions, deciding = find_decisions(units)
    control.check()
    action_items, acting = find_action_items(units)
    control.check()
    return decisions, action_items, deciding | acting


def _prior(place: float, unit: Unit, length: int, ruled: bool, english: bool) -> float:
    weight = min(length, _FULL_LENGTH_TERMS) / _FULL_LENGTH_TERMS + 0.01
    if place < _OPENING_SHARE:
        weight *= _OPENING
    elif place >= 1 - _CLOSING_SHARE:
        weight *= _CLOSING
    if ruled:
        weight *= _FOUND_BY_RULE
    elif unit.text.endswith(("?", "？", "؟")) or (english and is_question(unit.text)):
        weight *= _QUESTION
    return weight


def _text(
    units: Sequence[Unit], candidates: Sequence[int], ranking: Ranking, options: SummarizeOptions, control: Control
) -> tuple[str, tuple[Warning_, ...]]:
    """The best units that fit, in the order of the conversation, until there are enough words."""
    labelled = len({unit.turn.speaker for unit in units} - {None}) > 1
    length = {place: count_tokens(units[place].text) for place in candidates}
    cost = [length[place] + (count_tokens(_label(units[place])) if labelled else 0) for place in candidates]
    enough = max(options.min_tokens, min(_natural_length(units), _FULL * options.max_tokens))
    chosen: list[int] = []
    words = 0
    for place in ranking.diverse(candidates, cost, options.max_tokens):
        control.check()
        chosen.append(place)
        words += length[place]
        if words >= enough:
            break
    if chosen:
        return _written([units[place] for place in sorted(chosen)], labelled), ()
    best = units[max(candidates, key=lambda place: ranking.scores[place])]
    whole = _written([best], labelled and count_tokens(_label(best)) < options.max_tokens)
    cut = Warning_("summarize", "summary_cut", "No sentence is as short as summary_max_tokens asks; the summary is cut.")
    return cut_to_tokens(whole, options.max_tokens), (cut,)


def _natural_length(units: Sequence[Unit]) -> float:
    tokens = sum(count_tokens(unit.text) for unit in units)
    unspaced = sum(len(UNSPACED.findall(unit.text)) for unit in units) > tokens / 2
    return _TOKENS_PER_ROOT * math.sqrt(tokens * 2 if unspaced else tokens)


def _label(unit: Unit) -> str:
    return "" if unit.turn.speaker is None else f"{unit.turn.speaker}: "


def _written(units: Sequence[Unit], labelled: bool) -> str:
    """A line for each run of one speaker, or one paragraph where nobody is told apart. An ellipsis shows a gap where no
    punctuation would."""
    lines = []
    for _, run in groupby(units, key=lambda unit: unit.turn.speaker if labelled else None):
        said = list(run)
        line = _label(said[0]) if labelled else ""
        for unit, following in zip(said, [*said[1:], None], strict=True):
            line += unit.text
            if following is not None:
                line += _gap_after(unit.text)
        lines.append(line)
    return "\n".join(lines)


def _gap_after(text: str) -> str:
    if text[-1].isalnum():
        return "… "
    return "" if text[-1] in "。！？" else " "


def _key_points(units: Sequence[Unit], candidates: Sequence[int], ranking: Ranking, ruled: frozenset[int]) -> tuple[Point, ...]:
    """Three to seven, by the length of the conversation. Decisions and action items, which are told apart, are points only
    where too little else was said."""
    count = min(_MOST_POINTS, max(_FEWEST_POINTS, len(units) // _UNITS_PER_POINT))
    plain = [place for place in candidates if place not in ruled]
    chosen = list(islice(ranking.diverse(plain), count))
    missing = max(0, _FEWEST_POINTS - len(chosen))
    chosen += islice(ranking.diverse([place for place in candidates if place in ruled]), missing)
    return tuple(Point(units[place].text, (units[place].turn.id,)) for place in sorted(chosen))


def _per_speaker(units: Sequence[Unit], scores: Sequence[float]) -> dict[str, str]:
    """Each speaker's own most important sentence, by label."""
    named = [(unit, score) for unit, score in zip(units, scores, strict=True) if unit.turn.speaker is not None]
    best: dict[str, tuple[float, str]] = {}
    for unit, score in named:
        speaker = str(unit.turn.speaker)
        if speaker not in best or score > best[speaker][0]:
            best[speaker] = (score, unit.text)
    return {speaker: text for speaker, (_, text) in sorted(best.items())}
