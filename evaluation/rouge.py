"""ROUGE-1, ROUGE-2 and ROUGE-L of a summary against a reference (Lin, 2004), as F1.

Words are case-folded runs of letters and digits; nothing is stemmed and nothing left out. ROUGE-L is that of whole summaries,
section 3.2 of the paper: for every sentence of the reference, the words in the union of its longest common subsequences with
the sentences of the summary; no word is counted more often than either side has it. Here, since the usual package brings nltk
and absl for a page of arithmetic.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Rouge:
    """Each in [0, 1]."""

    one: float
    two: float
    longest: float


def rouge(summary: str, reference: str) -> Rouge:
    mine, theirs = _sentences(summary), _sentences(reference)
    return Rouge(_of_ngrams(mine, theirs, 1), _of_ngrams(mine, theirs, 2), _of_longest(mine, theirs))


def _sentences(text: str) -> list[list[str]]:
    found = [_WORD.findall(sentence.casefold()) for sentence in _SENTENCE_END.split(text)]
    return [sentence for sentence in found if sentence]


def _of_ngrams(mine: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]], size: int) -> float:
    """N-grams may span sentences, as in the paper's own program."""
    mine_counted, theirs_counted = (_ngrams([word for sentence in text for word in sentence], size) for text in (mine, theirs))
    return _f1((mine_counted & theirs_counted).total(), mine_counted.total(), theirs_counted.total())


def _ngrams(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _of_longest(mine: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]) -> float:
    left = Counter(word for sentence in mine for word in sentence)
    hits = 0
    for reference in theirs:
        union = {place for sentence in mine for place in _common_places(reference, sentence)}
        for place in sorted(union):
            if left[reference[place]] > 0:
                left[reference[place]] -= 1
                hits += 1
    return _f1(hits, sum(map(len, mine)), sum(map(len, theirs)))


def _common_places(reference: Sequence[str], sentence: Sequence[str]) -> list[int]:
    """Where in the reference one longest common subsequence of the two lies."""
    longest = [[0] * (len(sentence) + 1) for _ in range(len(reference) + 1)]
    for i, word in enumerate(reference, 1):
        for j, other in enumerate(sentence, 1):
            longest[i][j] = longest[i - 1][j - 1] + 1 if word == other else max(longest[i - 1][j], longest[i][j - 1])
    places, i, j = [], len(reference), len(sentence)
    while i and j:
        if reference[i - 1] == sentence[j - 1]:
            i, j = i - 1, j - 1
            places.append(i)
        elif longest[i - 1][j] >= longest[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return places[::-1]


def _f1(hits: int, mine: int, theirs: int) -> float:
    return 2 * hits / (mine + theirs) if mine + theirs else 0.0
