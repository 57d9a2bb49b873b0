"""The numbers, times and dates that a text states, in one spelling, so that a summary's "25 %" is found in "twenty five
percent".

Every statement is a short string: "25", "1.5", "time 10:30", "month 5", "weekday friday". Written and spoken forms give the
same. Digits are read in any language, words in the seven of `number_words.py`.

A text that is searched (`stated`) is read generously: "nineteen ninety" states 19, 90, 1990 and 19:90's time if it were one. A
claim (`claimed`) is read once: what it says has to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from roundtable.summarization.number_words import Spelling, folded, spelling

_WORD = re.compile(
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{4}|\d{1,2}/\d{1,2}/\d{2}(?!\d))"
    r"|(?P<time>(?<![\d.,])\d{1,2}[:h]\d{2}(?![\d]))"
    r"|(?P<number>\d{1,3}(?:[ \u00a0\u202f’']\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*)"
    r"|(?P<word>[^\W\d_]+(?:-feira)?)"
    r"|(?P<mark>[.!?;,])",
)
_LONGEST_NUMBER = 30
"""In digits. Nobody says a longer one, and arithmetic on millions of digits is slow."""

_SKIPPED_AS_CLAIM = {"1", "2"}
"""Words for these are articles, pronouns and connectives as often as numbers: "one", "una", "secondly"."""

_AMBIGUOUS_MONTHS = {"may", "march", "mars"}


@dataclass(frozen=True, slots=True)
class _Number:
    value: Decimal
    spoken: bool
    digit: bool = False
    """Said as one digit."""


def stated(text: str, language: str | None) -> set[str]:
    """All that a transcript states, in every reading. Linear in its length."""
    return set(_statements(text, language, generous=True))


def claimed(text: str, language: str | None) -> list[str]:
    """What a summary states, in order. Spoken ones and twos are left out, and ordinals up to the second: they are mostly words
    of grammar."""
    return list(dict.fromkeys(_statements(text, language, generous=False)))


def supports(statement: str, known: set[str]) -> bool:
    """Whether a claim is among what is known. A time on the hour is supported by its hour, a month's number by its name, and
    the parts of a numeric date each by itself."""
    if statement in known:
        return True
    kind, _, value = statement.partition(" ")
    if kind == "time":
        hour, _, minute = value.partition(":")
        return minute == "00" and bool({hour, str(int(hour) + 12)} & known)
    if kind == "date":
        return _supports_date(value, known)
    return False


def _supports_date(value: str, known: set[str]) -> bool:
    parts = [int(part) for part in re.split(r"\D", value)]
    if len(str(parts[0])) == 4 and parts[0] > 99:
        parts = [*parts[1:], parts[0]]
    first, second, year = parts
    if year < 100:
        year += 2000

    def is_said(day: int, month: int) -> bool:
        return str(day) in known and (f"month {month}" in known or str(month) in known)

    return str(year) in known and (is_said(first, second) or is_said(second, first))


def _statements(text: str, language: str | None, *, generous: bool) -> Iterator[str]:
    words = spelling(language)
    run: list[_Number] = []
    tokens = [match for match in _WORD.finditer(text) if len(match.group()) <= _LONGEST_NUMBER]
    place = 0
    while place < len(tokens):
        token = tokens[place]
        kind = str(token.lastgroup)
        if kind in {"word", "number"}:
            number, after = _number(tokens, place, words, english=(language or "en").lower().startswith("en"))
            if number is not None:
                run.append(number)
                place = after
                continue
        yield from _from_run(run, generous=generous)
        run = []
        if kind == "date":
            if generous:
                yield from (str(int(part)) for part in re.split(r"\D", token.group()))
            yield f"date {token.group()}"
        elif kind == "time":
            hour, minute = (int(part) for part in re.split(r"\D", token.group()))
            yield _time(hour, minute)
            if generous:
                yield from (str(hour), str(minute))
        elif kind == "word":
            yield from _calendar(token, text, words, generous=generous)
        place += 1
    yield from _from_run(run, generous=generous)
    if generous:
        yield from _clock_phrases(text, language)


def _from_run(run: Sequence[_Number], *, generous: bool) -> Iterator[str]:
    """Numbers that follow each other without a word between them: "ten thirty", "twenty twenty four", "five five five one"."""
    if not run:
        return
    if not generous and len(run) > 1:
        joined = list(_joined(run))
        if joined:  # one of the readings has to be there; the most telling is asked for
            yield joined[0]
            return
    for number in run:
        text = _canonical(number.value)
        if generous or not (number.spoken and text in _SKIPPED_AS_CLAIM):
            yield text
    if generous:
        yield from _joined(run)


def _joined(run: Sequence[_Number]) -> Iterator[str]:
    digits = "".join(_canonical(number.value) for number in run)
    if len(run) > 1 and all(number.digit for number in run):
        yield digits
    for one, other in pairwise(run):
        if not (one.spoken and other.spoken):
            continue
        first, second = _canonical(one.value), _canonical(other.value)
        if first.isdigit() and second.isdigit() and 15 <= int(first) <= 21 and 10 <= int(second) <= 99:
            yield str(int(first) * 100 + int(second))
        if first.isdigit() and second.isdigit() and 0 < int(first) <= 24 and 10 <= int(second) <= 59:
            yield _time(int(first), int(second))


def _time(hour: int, minute: int) -> str:
    """On a clock of twelve hours: nobody says which half of the day is meant."""
    return f"time {hour % 12 or 12}:{minute:02}"


def _number(tokens: Sequence[re.Match[str]], place: int, words: Spelling, *, english: bool) -> tuple[_Number | None, int]:
    """The number that begins at a token, and where it ends."""
    if tokens[place].lastgroup == "number":
        value = _written(tokens[place].group(), english=english)
        after = place + 1
        if value is not None and after < len(tokens) and tokens[after].lastgroup == "word":
            scale = words.scales.get(folded(tokens[after].group()))
            if scale is not None:
                return _Number(value * scale, False), after + 1
        return (None, place) if value is None else (_Number(value, False, digit=value < 10), after)
    return _spoken(tokens, place, words)


def _written(text: str, *, english: bool) -> Decimal | None:
    """Digits with separators. A separator before exactly three digits groups thousands, but for English's decimal point."""
    bare = re.sub(r"[ \u00a0\u202f’']", "", text)
    separators = [sign for sign in bare if sign in ".,"]
    if len(separators) > 1 and len(set(separators)) == 1:
        groups = re.split("[.,]", bare)
        bare = "".join(groups) if all(len(group) == 3 for group in groups[1:]) else bare.replace(".", "").replace(",", "")
    elif len(set(separators)) == 2:
        decimal = separators[-1]
        bare = bare.replace("," if decimal == "." else ".", "").replace(decimal, ".")
    elif separators:
        whole, _, rest = bare.partition(separators[0])
        groups_thousands = len(rest) == 3 and len(whole) <= 3 and whole != "0" and not (english and separators[0] == ".")
        bare = whole + rest if groups_thousands else f"{whole}.{rest}"
    try:
        return Decimal(bare)
    except InvalidOperation:  # digits of another script, which Decimal reads, never get here; "1.2.3" was joined above
        return None


def _spoken(tokens: Sequence[re.Match[str]], place: int, words: Spelling) -> tuple[_Number | None, int]:
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
        times = words.scales.get(folded(tokens[after].group())) if after < len(tokens) else None
        return _Number(Decimal(f"{total + current}.{point}") * (times or 1), True), after + bool(times)
    half = [folded(token.group()) for token in tokens[at : at + 3]]
    if half in words.and_a_half:
        return _Number(total + current + Decimal("0.5"), True), at + 3
    return _Number(Decimal(total + current), True, single), at


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


def _calendar(token: re.Match[str], text: str, words: Spelling, *, generous: bool) -> Iterator[str]:
    word = folded(token.group())
    if word in words.months:
        if not generous and word in _AMBIGUOUS_MONTHS and not _is_inner_capital(token, text):
            return
        yield f"month {words.months.index(word) + 1}"
    elif word in words.weekdays:
        yield f"weekday {word}"
    elif generous and word + "-feira" in words.weekdays:  # Portuguese says both
        yield f"weekday {word}-feira"


def _is_inner_capital(token: re.Match[str], text: str) -> bool:
    before = text[: token.start()].rstrip()
    return token.group()[0].isupper() and bool(before) and before[-1] not in ".!?:"


_CLOCK_PHRASES = {
    "en": ((r"\bhalf past (\w+)", 0, 30), (r"\bquarter past (\w+)", 0, 15), (r"\bquarter to (\w+)", -1, 45)),
    "de": ((r"\bhalb (\w+)", -1, 30), (r"\bviertel nach (\w+)", 0, 15), (r"\bviertel vor (\w+)", -1, 45)),
    "nl": ((r"\bhalf (\w+)", -1, 30), (r"\bkwart over (\w+)", 0, 15), (r"\bkwart voor (\w+)", -1, 45)),
}


def _clock_phrases(text: str, language: str | None) -> Iterator[str]:
    """ "Half past ten" is 10:30, "halb elf" too."""
    words = spelling(language)
    for pattern, hours, minute in _CLOCK_PHRASES.get((language or "").lower().split("-")[0], ()):
        for match in re.finditer(pattern, text, re.IGNORECASE):
            hour = int(match[1][:3]) if match[1].isdecimal() else words.word(folded(match[1]))
            if hour is not None and 0 < hour <= 24:
                yield _time(hour + hours, minute)


def _canonical(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
