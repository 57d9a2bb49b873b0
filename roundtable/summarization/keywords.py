"""A title from the words of the conversation: its most salient phrases, verbatim but for a capital at the front."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from roundtable.summarization.sentences import Unit
from roundtable.summarization.text import UNSPACED, cut_to_tokens, words

PHRASES = 3
"""Most phrases in a title."""

_LONGEST_PHRASE = 3
_UNSPACED_LENGTHS = range(2, 7)
_SHORTEST_LONE_WORD = 4
"""Shorter words ("new") name a subject only within a phrase, unless they are written in capitals ("API")."""

_COMMON_SHARE, _COMMON_LEAST = 0.15, 3
"""In a language without a list of stop words, a word in more of the units than this is taken for one."""

_FALLBACK_TOKENS = 8
_PUNCTUATION = " \"'“”‘’«».,;:!?…()[]。、？！"

_GRAMMAR = re.compile("[\u3041-\u309f]")
"""Hiragana, which writes the endings and particles of Japanese."""

Phrase = tuple[str, ...]


def title(units: Sequence[Unit], scores: Sequence[float], stop_words: frozenset[str]) -> str:
    """Up to three phrases without a word in common; where nothing is said twice, the beginning of the best unit.

    A phrase is a run of words between stop words and punctuation, as in RAKE (Rose et al., 2010). It is worth the scores of the
    units that hold it, times its length, so that a phrase beats the words in it.
    """
    stop_words = stop_words or _common_words(units)
    worth: defaultdict[Phrase, float] = defaultdict(float)
    times: Counter[Phrase] = Counter()
    written: dict[Phrase, str] = {}
    for unit, score in zip(units, scores, strict=True):
        for phrase, surface in _phrases(unit.text, stop_words):
            times[phrase] += 1
            worth[phrase] += score * (len(phrase) if len(phrase) > 1 or not UNSPACED.match(surface) else len(surface) / 2)
            written.setdefault(phrase, surface)
    chosen: list[Phrase] = []
    for phrase in sorted((phrase for phrase in times if times[phrase] > 1), key=lambda phrase: (-worth[phrase], phrase)):
        if _names_a_subject(written[phrase]) and not any(_share_words(phrase, other) for other in chosen):
            chosen.append(phrase)
        if len(chosen) == PHRASES:
            break
    best = max(range(len(units)), key=lambda place: (scores[place], -place))
    text = ", ".join(written[phrase] for phrase in chosen) or cut_to_tokens(units[best].text, _FALLBACK_TOKENS)
    text = text.strip(_PUNCTUATION)
    first = text[:1].upper()
    return first + text[1:] if len(first) == 1 else text


def _common_words(units: Sequence[Unit]) -> frozenset[str]:
    held = Counter(word for unit in units for word in set(words(unit.text)))
    return frozenset(word for word, times in held.items() if times > max(_COMMON_LEAST, _COMMON_SHARE * len(units)))


def _phrases(text: str, stop_words: frozenset[str]) -> Iterator[tuple[Phrase, str]]:
    run: list[tuple[str, str]] = []
    for chunk in [*text.split(), ""]:
        found = list(words(chunk))
        unspaced = UNSPACED.search(chunk) is not None
        if unspaced:
            yield from _pieces(found)
        keeps = bool(found) and not unspaced and found[0] not in stop_words
        if keeps:
            run.append((found[0], chunk))
        if not keeps or chunk[-1] in ".,;:!?…":
            yield from _parts(run)
            run = []


def _parts(run: Sequence[tuple[str, str]]) -> Iterator[tuple[Phrase, str]]:
    for first in range(len(run)):
        for last in range(first + 1, min(len(run), first + _LONGEST_PHRASE) + 1):
            part = run[first:last]
            yield tuple(word for word, _ in part), " ".join(written for _, written in part).strip(_PUNCTUATION)


def _pieces(runs: Sequence[str]) -> Iterator[tuple[Phrase, str]]:
    for run in runs:
        if UNSPACED.match(run):
            for length in _UNSPACED_LENGTHS:
                for piece in (run[start : start + length] for start in range(len(run) - length + 1)):
                    if not _GRAMMAR.search(piece):
                        yield (piece,), piece


def _names_a_subject(written: str) -> bool:
    return len(written) >= _SHORTEST_LONE_WORD or written.isupper() or UNSPACED.match(written) is not None


def _share_words(one: Phrase, other: Phrase) -> bool:
    return any(a in b or b in a for a in one for b in other)
