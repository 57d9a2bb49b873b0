"""Tokens to words, in every language that Whisper writes: which tokens make up which word, and what it is called.

A token is a run of bytes, so a character may be spread over several tokens, and a model may write bytes that are no character
at all. Where words begin is a matter of the text alone (`word_placement.split_words`): at white space, or, in a script without
it, at every character. Whisper's tokens of such a script often hold several characters that belong together; they stay so.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from roundtable import word_placement
from roundtable.transcript import Word
from roundtable.word_placement import SENTENCE_ENDS, last_mark

Decode = Callable[[Sequence[int]], str]

_HALF_CHARACTER = "\ufffd"
_MARK_CATEGORIES = frozenset({"Ps", "Pe", "Pi", "Pf", "Pd"})
_MARKS = frozenset(".,;:!?…\"'‚„¿¡·、。，．：；？！｡､،؛؟۔।॥։።፣՝՞՜་།♪♫")
"""What is written but not said, besides brackets, quotation marks and dashes. `%`, `&`, `@`, `+` are said."""

_AFTER_WIDE_MARK = re.compile(
    "(?<=[。｡、？！；」』】〉》〕）])(?=[\\w「『【〈《〔（“‘])|(?<=\\D[，．：])(?=\\w)|(?<=[，．：])(?=[^\\W\\d])"
)
"""No space follows these where one would elsewhere, and what follows may be a number or Latin letters."""

_OPENING_CATEGORIES = frozenset({"Ps", "Pi"})
_OPENING = frozenset("¿¡„‚♪♫")


def split_words(ids: Sequence[int], decode: Decode) -> list[tuple[str, int, int]]:
    """The words of a text: (text with its leading space, first token, the token after the last). They cover every token.

    Joined they are `decode(ids)`, also where it holds bytes that are no character. No word begins or ends within a character,
    a number, or anything else that is written without a space; marks that stand alone (`« Bonjour ! »`) belong to the word
    that they open or close. Blank text is one word, no text none. Calls `decode` once for each token and each broken character.
    """
    pieces = list(_whole_characters(ids, decode))
    text = "".join(piece for piece, _ in pieces)
    cuts = set(_word_starts(text))
    words: list[tuple[str, int, int]] = []
    begin, begin_token, at = 0, 0, 0
    for piece, token in pieces:
        if at in cuts and at > begin:
            words.append((text[begin:at], begin_token, token))
            begin, begin_token = at, token
        at += len(piece)
    if text:
        words.append((text[begin:], begin_token, len(ids)))
    return words


def timed_words(ids: Sequence[int], logprobs: Sequence[float], times: NDArray[np.float64], decode: Decode) -> tuple[Word, ...]:
    """The words of a window, in window time. `logprobs` and `times` are the tokens', see `alignment.token_times`.

    A word lasts from its first to its last token that is said: a comma's time is the pause behind the word. `confidence` is
    the geometric mean of its tokens' probabilities. Blank text has no words.
    """
    words = []
    for text, first, after in split_words(ids, decode):
        if not text.strip():
            continue
        said = [at for at in range(first, after) if not _is_marks(decode(ids[at : at + 1]))] or range(first, after)
        confidence = math.exp(math.fsum(logprobs[first:after]) / (after - first))
        words.append(Word(text, float(times[said[0], 0]), float(times[said[-1], 1]), min(confidence, 1.0)))
    return tuple(words)


def _whole_characters(ids: Sequence[int], decode: Decode) -> Iterator[tuple[str, int]]:
    """The text in the shortest runs of tokens that share no character, each with its first token.

    A run goes on as long as it ends within a character and the next token begins within one. That is exact, since UTF-8 tells
    a character's first byte from its others: a half that is never completed spoils nothing beyond itself.
    """
    texts = [decode(ids[at : at + 1]) for at in range(len(ids))]
    first = 0
    for after in range(1, len(ids) + 1):
        text = texts[first] if after - first == 1 else decode(ids[first:after])
        if after == len(ids) or not (text.endswith(_HALF_CHARACTER) and texts[after].startswith(_HALF_CHARACTER)):
            yield text, first
            first = after


def _word_starts(text: str) -> Iterator[int]:
    """Where words begin in a text, without those places that would leave a word of marks alone."""
    words = [part for word in word_placement.split_words(text) for part in _AFTER_WIDE_MARK.split(word)]
    starts = [0, *accumulate(map(len, words))][: len(words)]
    for at, (left, word) in enumerate(pairwise(words), start=1):
        left_opens = _is_marks(left) and (at == 1 or not _closes(left, words[at - 2]))
        if not left_opens and not (_is_marks(word) and _closes(word, left)):
            yield starts[at]


def _closes(marks: str, before: str) -> bool:
    """Do these marks belong to the word before them? A dash does, unless a sentence ended there: then somebody else begins."""
    first = marks.strip()[:1]
    if first in _OPENING or unicodedata.category(first) in _OPENING_CATEGORIES:
        return False
    return unicodedata.category(first) != "Pd" or last_mark(before) not in SENTENCE_ENDS


def _is_marks(text: str) -> bool:
    return all(
        character.isspace() or character in _MARKS or unicodedata.category(character) in _MARK_CATEGORIES for character in text
    )
