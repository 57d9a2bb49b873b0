"""One number of a text, spoken or written, read from its tokens: "two hundred and fifty", "one point five million", "5k"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from roundtable.summarization.number_words import Spelling, folded
from roundtable.summarization.written_numbers import canonical, written

_DIGITS = frozenset(map(Decimal, range(10)))


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text and how it was said."""

    value: Decimal
    spoken: bool
    digit: bool = False
    """Said as one digit."""
    ordinal: bool = False
    version: str = ""
    """In place of the value, where there is more than one point: "2.1.3"."""

    @property
    def text(self) -> str:
        return self.version or canonical(self.value)

    def count(self, most: int) -> int | None:
        """The value, if it counts something and is not above `most`."""
        whole = not self.version and 0 <= self.value <= most and self.value == int(self.value)
        return int(self.value) if whole else None


def read_number(
    tokens: Sequence[re.Match[str]], place: int, words: Spelling, *, english: bool, run: Sequence[Number] = ()
) -> tuple[Number | None, int]:
    """The number that begins at a token, and where it ends. `run`: the numbers just before it; behind one an "oh" is zero."""
    if place >= len(tokens):
        return None, place
    if tokens[place].lastgroup == "number":
        value = written(tokens[place].group(), english=english)
        after = place + 1
        if value is not None and after < len(tokens) and tokens[after].lastgroup == "word":
            scale = words.scales.get(folded(tokens[after].group()))
            if scale is not None:
                return Number(value * scale, False), after + 1
        return (None, place) if value is None else (Number(value, False, value in _DIGITS), after)
    if tokens[place].lastgroup != "word":
        return None, place
    if run and english and folded(tokens[place].group()) in {"oh", "o"} and place + 1 < len(tokens):
        digit = words.word(folded(tokens[place + 1].group()))
        return (None, place) if digit is None or digit > 9 else (Number(Decimal(0), True, True), place + 1)
    return _spoken(tokens, place, words)


def _spoken(tokens: Sequence[re.Match[str]], place: int, words: Spelling) -> tuple[Number | None, int]:
    if (half_more := words.with_half(folded(tokens[place].group()))) is not None:
        return Number(half_more + Decimal("0.5"), True), place + 1
    total, current, begun, ordinal, single = 0, 0, False, False, False
    at = place
    while at < len(tokens) and tokens[at].lastgroup == "word":
        word = folded(tokens[at].group())
        if begun and word in words.joiners:
            follows = folded(tokens[at + 1].group()) if at + 1 < len(tokens) and tokens[at + 1].lastgroup == "word" else ""
            value = words.word(follows) or words.ordinals.get(follows)
            if value is None or not _goes_on(current, value, words):
                break
            at += 1
            continue
        if (value := words.word(word)) is not None and (not begun or _goes_on(current, value, words)):
            single = not begun and value < 10
            current = 80 if (begun and current == 4 and value == 20) else current + value
        elif word in words.ordinals and (not begun or _goes_on(current, words.ordinals[word], words)):
            current, begun, ordinal, single = current + words.ordinals[word], True, True, False
            at += 1
            break
        elif begun and word in words.scales and len(word) > 1:
            scale, single = words.scales[word], False
            if scale == 100 and 0 < current < 100:
                current *= 100
            elif scale > 100 and 0 < current < 1000:
                total, current = total + current * scale, 0
            else:
                break
        elif not begun and len(word) > 2 and word in words.scales:
            current, single = words.scales[word], False
            if current > 100:
                total, current = current, 0
        else:
            break
        begun = True
        at += 1
    if not begun:
        return None, place
    point, after = _after_point(tokens, at, words)
    if point and not ordinal:
        version = f"{total + current}.{point}"
        more, end = _after_point(tokens, after, words)
        if more:
            while more:
                version, after = f"{version}.{more}", end
                more, end = _after_point(tokens, after, words)
            return Number(Decimal(f"{total + current}.{point}"), True, version=version), after
        times = words.scales.get(folded(tokens[after].group())) if after < len(tokens) else None
        return Number(Decimal(f"{total + current}.{point}") * (times or 1), True), after + bool(times)
    for half in words.and_a_half:
        if [folded(token.group()) for token in tokens[at : at + len(half)]] == half:
            return Number(total + current + Decimal("0.5"), True), at + len(half)
    return Number(Decimal(total + current), True, single, ordinal), at


def _goes_on(current: int, value: int, words: Spelling) -> bool:
    """Whether a small number adds to what was said: "twenty" + "one", "two hundred" + "fifty", "soixante" + "douze"."""
    if current == 0:
        return True  # after a scale: "two thousand" + "five"
    if current % 100 == 0:
        return 0 < value < 100
    if words.counts_in_twenties and ((current == 4 and value == 20) or current % 100 in {60, 80}):
        return 0 < value <= 20
    return current % 10 == 0 and 20 <= current % 100 <= 90 and 0 < value < 10


def _after_point(tokens: Sequence[re.Match[str]], at: int, words: Spelling) -> tuple[str, int]:
    """Digits behind "point"; an empty text when there is none."""
    if at >= len(tokens) or folded(tokens[at].group()) not in words.points:
        return "", at
    digits, at = "", at + 1
    while at < len(tokens) and tokens[at].lastgroup == "word":
        digit = words.word(folded(tokens[at].group()))
        if digit is None or (digits and digit > 9) or digit > 99:
            break
        digits += str(digit)
        at += 1
    return digits, at
