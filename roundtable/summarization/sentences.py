"""Speaker turns to sentence-like units, with or without punctuation, in any language.

An engine that punctuates (Whisper) gets its turns split at sentence ends. One that does not (PocketSphinx: lower-case words and
nothing else) gets them split where the speaker paused, and where nobody pauses, by length. A unit never leaves its turn, and
its text is always a stretch of the turn's text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from roundtable.summarization.text import TOKEN, UNSPACED, has_words, squeeze, word_set
from roundtable.transcript import SpeakerTurn

PAUSE_S = 0.5
"""A silence this long ends a unit of unpunctuated text."""

SHORT_PAUSE_S = 0.15
"""A silence this long does so before a word that commonly opens an English sentence."""

UNPUNCTUATED_LIMIT = 25
PUNCTUATED_LIMIT = 60
"""Longest unit, in words (two characters of an unspaced script count as one). Longer ones are cut at their widest pause, or in
the middle: a transcript without sentence ends must not become one endless unit."""

_WORDS_PER_SENTENCE_END = 50
"""A transcript with fewer sentence ends than one in this many words is taken to have no punctuation."""

_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s|$)|[。！？｡؟۔।॥։።]+[」』”’»）]*|[\r\n]+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|jr|sr|vs|e\.g|i\.e|approx|inc|ltd|dept|[a-hj-z])\.$", re.IGNORECASE
)
_OPENERS = word_set(
    "i i'll i'm we we'll we're you he she they it's that's there so okay and but can could please let's yes no what"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence-like stretch of one turn. `position` is the turn's place in the sequence, `text` has single spaces."""

    turn: SpeakerTurn
    position: int
    text: str


def split_turns(turns: Sequence[SpeakerTurn]) -> list[Unit]:
    """All units with words in them, in order. Linear in the length of the text."""
    punctuated = _is_punctuated(turns)
    units = []
    for position, turn in enumerate(turns):
        for start, end in _spans(turn, punctuated):
            text = squeeze(turn.text[start:end])
            if has_words(text):
                units.append(Unit(turn, position, text))
    return units


def split_sentences(text: str) -> list[str]:
    """A written text at its sentence ends and nowhere else, however long a sentence is: no statement is divided."""
    cuts = [0, *_sentence_ends(text), len(text)]
    found = [squeeze(text[start:end]) for start, end in pairwise(cuts)]
    return [sentence for sentence in found if has_words(sentence)]


def _is_punctuated(turns: Sequence[SpeakerTurn]) -> bool:
    ends = sum(1 for turn in turns for _ in _SENTENCE_END.finditer(turn.text))
    return ends > 0 and ends * _WORDS_PER_SENTENCE_END >= sum(_length(turn.text) for turn in turns)


def _length(text: str) -> float:
    return sum(0.5 if UNSPACED.match(token.group()) else 1.0 for token in TOKEN.finditer(text))


def _spans(turn: SpeakerTurn, punctuated: bool) -> Iterator[tuple[int, int]]:
    pauses = _pauses(turn)
    if punctuated:
        cuts = list(_sentence_ends(turn.text))
    else:
        cuts = [
            place
            for place, pause, word in pauses
            if pause >= PAUSE_S or (pause >= SHORT_PAUSE_S and word.strip(" ,").casefold() in _OPENERS)
        ]
    limit = PUNCTUATED_LIMIT if punctuated else UNPUNCTUATED_LIMIT
    start = 0
    for end in [*cuts, len(turn.text)]:
        yield from _cut_long(turn.text, start, end, pauses, limit)
        start = end


def _sentence_ends(text: str) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(text):
        # The lookahead asks only for a handful of characters: a slice to the end would make this quadratic.
        after = text[match.end() : match.end() + 8].lstrip()
        if match.group() == "." and (after[:1].islower() or _ABBREVIATION.search(text[max(0, match.end() - 8) : match.end()])):
            continue
        yield match.end()


def _pauses(turn: SpeakerTurn) -> list[tuple[int, float, str]]:
    """(where the next word begins in the text, silence before it in seconds, the word), for every word after the first."""
    found = []
    place = 0
    previous_end = None
    for word in turn.words:
        text = word.text.strip()
        # A word that is not where the words before it leave off (an edited text) has no known place; it ends no unit.
        at = turn.text.find(text, place, place + len(text) + 16) if text else -1
        if at >= 0:
            if previous_end is not None:
                found.append((at, word.start - previous_end, text))
            place = at + len(text)
        previous_end = word.end
    return found


def _cut_long(
    text: str, start: int, end: int, pauses: Sequence[tuple[int, float, str]], limit: int
) -> Iterator[tuple[int, int]]:
    places = [token.start() for token in TOKEN.finditer(text, start, end)]
    if len(places) > limit and UNSPACED.search(text, start, end):
        limit *= 2
    begins = [start, *_inner_cuts(places, pauses, limit)]
    yield from zip(begins, [*begins[1:], end], strict=True)


def _inner_cuts(places: Sequence[int], pauses: Sequence[tuple[int, float, str]], limit: int) -> list[int]:
    """Where to cut a piece whose tokens begin at `places` so that no part has more than `limit` tokens."""
    if len(places) <= limit:
        return []
    quarter = len(places) // 4
    low, high = places[quarter], places[-quarter - 1]
    window = pauses[bisect_left(pauses, low, key=_place) : bisect_left(pauses, high, key=_place)]
    widest = max(window, key=lambda pause: pause[1], default=(0, 0.0, ""))
    cut = bisect_left(places, widest[0]) if widest[1] > 0 else len(places) // 2
    return [*_inner_cuts(places[:cut], pauses, limit), places[cut], *_inner_cuts(places[cut:], pauses, limit)]


def _place(pause: tuple[int, float, str]) -> int:
    return pause[0]
