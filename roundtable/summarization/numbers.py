"""The numbers, times and dates that a text states, in one spelling, so that a summary's "25 %" is found in "twenty five
percent".

Every statement is a short string: "25", "1.5", "-4", "2.1.3", "time 10:30", "month 5", "weekday friday", "share 2/3", "ratio
3/4". Written and spoken forms give the same. Digits are read in any language, words in the seven of `number_words.py`.

A text that is searched (`stated`) is read generously: "nineteen ninety" states 19, 90, 1990 and 19:90's time if it were one. A
claim (`claimed`) is read once: what it says has to be there. Where it can be read in two ways, the statement names both, with a
bar between.

On purpose unchecked: what is counted ("two days" stands where two weeks were said), the half of the day ("9 PM" where nine was
said), and the word for a minus where it is also a word of grammar ("moins neuf"; "-9" is checked).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache

from roundtable.summarization.clock_phrases import CERTAIN, MAYBE, Phrase
from roundtable.summarization.number_words import Spelling, folded, spelling
from roundtable.summarization.spoken_numbers import Number, read_number
from roundtable.summarization.written_numbers import SPACES, canonical, listed, rooms, written

_WORD = re.compile(
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{4}|\d{1,2}/\d{1,2}/\d{2}(?!\d))"
    r"|(?P<time>(?<![\d.,])(?:\d{1,2}[:h]\d{2}(?!\d)"
    r"|\d{1,2}\.\d{2}(?=\s*(?i:uhr|uur|[ap]\.?m)\b)|(?:(?<=\ba las )|(?<=\balle )|(?<=\bore ))\d{1,2}\.\d{2}(?![\d.,])))"
    r"|(?P<ratio>(?<![\d/.,])\d{1,4}/\d{1,4}(?![\d/]))"
    rf"|(?P<number>\d{{1,3}}(?:[{SPACES}]\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)*|(?<![\w.])\.\d+)"
    r"|(?P<sign>(?<![^\s(])[-\u2212](?=[$€£]?\d))"
    r"|(?P<word>[^\W\d_]+(?:-feira)?)"
    r"|(?P<mark>[.!?;,])",
)
_LONGEST_WORD = 30
"""In letters: a compound is taken apart, which is slow for what is no word at all."""

_VULGAR = {"½": ".5", "¼": ".25", "¾": ".75"}
_MIXED = re.compile(r"(?<=\d)\s?([½¼¾])")
_SKIPPED_AS_CLAIM = {"1", "2"}
"""Words for these are articles, pronouns and connectives as often as numbers: "one", "una", "secondly"."""

_AMBIGUOUS_MONTHS = {"may", "march", "mars"}


def stated(text: str, language: str | None) -> set[str]:
    """All that a transcript states, in every reading, and as a claim in the same words is read. Linear in its length."""
    found = set(_statements(text, language, generous=True))
    return found.union(*(claim.split("|") for claim in claimed(text, language)))


def claimed(text: str, language: str | None) -> list[str]:
    """What a summary states, in order. Spoken ones and twos are left out, and ordinals up to the second: they are mostly words
    of grammar."""
    return list(dict.fromkeys(_statements(text, language, generous=False)))


def supports(statement: str, known: set[str]) -> bool:
    """Whether a claim is among what is known. A time on the hour is supported by its hour, a month's number by its name, the
    parts of a numeric date each by itself, "3/4" by a three and a four, and a share by its per cent."""
    return any(one in known or _follows(one, known) for one in statement.split("|"))


def _follows(statement: str, known: set[str]) -> bool:
    kind, _, value = statement.partition(" ")
    if kind == "time":
        hour, _, minute = value.partition(":")
        return minute == "00" and bool({hour, str(int(hour) + 12)} & known)
    if kind == "date":
        return _supports_date(value, known)
    if kind in {"share", "ratio"}:
        part, _, whole = value.partition("/")
        if kind == "ratio":
            return f"share {value}" in known or {part, whole} <= known or _is_day(int(part), int(whole), known)
        percent = Decimal(part) * 100 / Decimal(whole) if int(whole) else Decimal(0)
        return bool({canonical(percent // 1), str(round(percent)), canonical(percent / 100)} & known)
    return False


def _is_day(one: int, other: int, known: set[str]) -> bool:
    """Whether two numbers are a day and a month that were said, in either order."""
    return (str(one) in known and f"month {other}" in known) or (str(other) in known and f"month {one}" in known)


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
    english = (language or "en").lower().startswith("en")
    text = _MIXED.sub(lambda match: _VULGAR[match[1]], text)
    tokens = [match for match in _WORD.finditer(text) if match.lastgroup == "number" or len(match.group()) <= _LONGEST_WORD]
    run: list[Number] = []
    place = ended = 0
    while place < len(tokens):
        token = tokens[place]
        kind = str(token.lastgroup)
        if run and not _is_next(tokens[ended - 1], token, text):
            yield from _from_run(run, generous=generous)
            run = []
        special, after = _special(tokens, place, words, language, english=english, generous=generous)
        if special and not generous:
            yield from _from_run(run, generous=generous)
            run, place = [], after
        yield from special
        if special and not generous:
            continue
        if kind in {"word", "number"}:
            number, after = read_number(tokens, place, words, english=english, run=run)
            if number is not None:
                run.append(number)
                place = ended = after
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


def _is_next(before: re.Match[str], token: re.Match[str], text: str) -> bool:
    """Whether a number goes on: "5-6" and "5–6" are two, "twenty-five" is one."""
    between = text[before.end() : token.start()]
    return not between or between.isspace() or (between == "-" and before.lastgroup == token.lastgroup == "word")


def _special(
    tokens: Sequence[re.Match[str]],
    place: int,
    words: Spelling,
    language: str | None,
    *,
    english: bool,
    generous: bool,
) -> tuple[list[str], int]:
    """Statements of more than a plain number that begin at a token, and where they end."""
    kind, text = tokens[place].lastgroup, tokens[place].group()
    if kind == "number":
        if written(text, english=english) is None:
            return listed(text), place + 1
        if generous and (alone := rooms(text)):
            return alone, place + 1
    elif kind == "ratio":
        part, whole = (str(int(number)) for number in text.split("/"))
        return [f"ratio {part}/{whole}", *([part, whole, f"share {part}/{whole}"] if generous else [])], place + 1
    elif kind == "sign" or (kind == "word" and folded(text) in words.minus):
        number, after = read_number(tokens, place + 1, words, english=english)
        if number is not None:
            return [f"-{number.text}"], after
    if kind not in {"word", "number"}:
        return [], place
    code = (language or "").lower().split("-")[0]
    first = folded(text)
    number, after = read_number(tokens, place, words, english=english)
    if number is not None and after < len(tokens):
        first = "# " + folded(tokens[after].group())
    for phrase in _phrases_by_word(code, generous=generous).get(first, ()):
        statement, end = _clock(phrase, tokens, place, words, english=english)
        if statement:
            return (statement.split("|") if generous else [statement]), end
    return _share(tokens, place, words, number, after, english=english, generous=generous)


@cache
def _phrases_by_word(code: str, *, generous: bool) -> dict[str, list[Phrase]]:
    """The phrases of a language by their first word; those that begin with a number by "# " and the word behind it."""
    found: dict[str, list[Phrase]] = {}
    for phrase in (*CERTAIN.get(code, ()), *(MAYBE.get(code, ()) if generous else ())):
        pattern, _ = phrase
        numbered = bool(pattern[0] & {"H", "M"})
        for word in pattern[1] if numbered else pattern[0]:
            found.setdefault("# " * numbered + word, []).append(phrase)
    return found


def _clock(phrase: Phrase, tokens: Sequence[re.Match[str]], at: int, words: Spelling, *, english: bool) -> tuple[str, int]:
    """The time that a phrase of `clock_phrases.py` says here; an empty text if it does not stand here."""
    pattern, offset = phrase
    found: dict[str, int] = {}
    for choices in pattern:
        if at >= len(tokens):
            return "", at
        slot = "H" if "H" in choices else "M" if "M" in choices else ""
        if not slot:
            if folded(tokens[at].group()) not in choices:
                return "", at
            at += 1
            continue
        number, at = read_number(tokens, at, words, english=english)
        count = None if number is None else number.count(24 if slot == "H" else 59)
        if count is None:
            return "", at
        found[slot] = count
    minutes = found["H"] * 60 + offset
    if "M" in found:
        minutes += offset * (found["M"] - 1) - (30 if _HALF & set(pattern) else 0)
    said = _time(minutes // 60 % 24, minutes % 60)
    return (f"{said}|{found['H']}.5" if offset == 30 and "H" in pattern[0] else said), at


_HALF = {frozenset({"halb"}), frozenset({"half"})}


def _share(
    tokens: Sequence[re.Match[str]],
    place: int,
    words: Spelling,
    number: Number | None,
    after: int,
    *,
    english: bool,
    generous: bool,
) -> tuple[list[str], int]:
    """ "Two thirds", "a quarter of", "half the". `number`: the one that begins here, and ends at `after`."""

    def word(at: int) -> str:
        return folded(tokens[at].group()) if at < len(tokens) else ""

    if number is None and word(place) in words.halves:
        certain = not english or word(place + 1) in {"of", "the", "our", "their", "all"}
        return (["share 1/2"], place + 1) if certain or (generous and word(place + 1) != "past") else ([], place)
    if english and word(place) == "a":
        part: int | None = 1
        after = place + 1
    else:
        part = None if number is None or number.ordinal else number.count(99)
    whole = words.parts.get(word(after)) if part else None
    if whole is None or (part == 1 and not generous and word(after + 1) not in words.of):
        return [], place
    return [f"share {part}/{whole}"], after + 1


def _from_run(run: Sequence[Number], *, generous: bool) -> Iterator[str]:
    """Numbers that follow each other without a word between them: "ten thirty", "twenty twenty four", "five five five one". A
    claim uses each number once, in the most telling reading: "ten thirty 45" is a time and 45."""
    place = 0
    while place < len(run):
        length, readings = _joined(run, place, generous=generous)
        if readings and not generous:
            yield "|".join(readings)
            place += length
            continue
        yield from readings
        text = run[place].text
        if generous or not (run[place].spoken and text in _SKIPPED_AS_CLAIM):
            yield text
        place += 1


def _joined(run: Sequence[Number], place: int, *, generous: bool) -> tuple[int, list[str]]:
    """How many numbers are one from this place on, and what they say then."""
    readings = []
    length = 1
    if run[place].digit and (place == 0 or not generous or not run[place - 1].digit):
        end = place
        while end < len(run) and run[end].digit and (generous or run[end].spoken):
            end += 1
        if end - place > 1:
            length = end - place
            readings.append("".join(number.text for number in run[place:end]))
    counts = [number.count(99) if number.spoken else None for number in run[place : place + 3]]
    match counts:
        case [int(first), 0, int(second)] if second < 10 and length in {1, 3}:
            width = 3
        case [int(first), int(second), *_] if second >= 10 and length == 1:
            width = 2
        case _:
            return length, readings
    if 15 <= first <= 21:
        readings.append(str(first * 100 + second))
    if 0 < first <= 24 and second <= 59:
        readings.append(_time(first, second))
    return (width if readings else 1), readings


def _time(hour: int, minute: int) -> str:
    """On a clock of twelve hours: nobody says which half of the day is meant."""
    return f"time {hour % 12 or 12}:{minute:02}"


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
