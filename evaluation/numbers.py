"""Spelled English numbers to digits: `twenty five` and `25` are the same answer.

Cardinals up to the billions, `a hundred`, `nineteen hundred`, ordinals, decimals (`three point five`) and years said in two
halves (`twenty twenty six`). A row of single digits stays a row: `one two three` is `1 2 3`.
"""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
_TEENS = {
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_SCALES = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_IRREGULAR_ORDINALS = {
    "first": "one",
    "second": "two",
    "third": "three",
    "fifth": "five",
    "eighth": "eight",
    "ninth": "nine",
    "twelfth": "twelve",
}
_YEAR_HALVES = range(13, 21)
"""First halves of a year: `thirteen …` to `twenty …`. Below them stand the hours of a clock."""


def spelled_to_digits(words: Sequence[str]) -> list[str]:
    """The words, lower-case and without punctuation, with every spelled number as one word of digits."""
    result: list[str] = []
    place = 0
    while place < len(words):
        number = _number(words, place)
        if number is None:
            result.append(words[place])
            place += 1
        else:
            digits, place = number
            result.append(digits)
    return result


# A reader returns what it read and the place behind it, or None if no such thing begins there.
_Read = tuple[int, int] | None


def _number(words: Sequence[str], place: int) -> tuple[str, int] | None:
    if words[place] == "zero":
        return _with_decimals(words, "0", place + 1)
    cardinal = _cardinal(words, place)
    if cardinal is None:
        ordinal = _ordinal(words, place)
        return None if ordinal is None else (_suffixed(ordinal), place + 1)
    value, after = cardinal
    ordinal = _ordinal(words, after)
    if ordinal is not None and _takes(value, ordinal):
        return _suffixed(value + ordinal), after + 1
    if words[after : after + 1] == ["hundredth"] and value < 100:
        return _suffixed(value * 100), after + 1
    year = _year(words, place)
    if year is not None and year[1] > after:
        return str(year[0]), year[1]
    return _with_decimals(words, str(value), after)


def _cardinal(words: Sequence[str], place: int) -> _Read:
    total, after, smallest = 0, place, None
    while True:
        start = after + 1 if smallest and words[after : after + 1] == ["and"] else after
        chunk = _below_1000(words, start)
        if chunk is None:
            return (total, after) if smallest else None
        value, end = chunk
        scale = _SCALES.get(words[end], 0) if end < len(words) else 0
        if smallest and (scale >= smallest or value >= smallest):
            return total, after
        if not scale:
            return total + value, end
        total, after, smallest = total + value * scale, end + 1, scale


def _below_1000(words: Sequence[str], place: int) -> _Read:
    """Also `nineteen hundred`; and a word of digits, or `a`, if `hundred` or a larger one follows."""
    read = _below_100(words, place)
    following = words[place + 1 : place + 2]
    if read is None and place < len(words) and following and (following[0] == "hundred" or following[0] in _SCALES):
        if words[place] in {"a", "an"}:
            read = (1, place + 1)
        elif words[place].isdecimal():
            read = (int(words[place]), place + 1)
    if read is None:
        return None
    value, after = read
    if words[after : after + 1] != ["hundred"] or value >= 100:
        return value, after
    value, after = value * 100, after + 1
    rest = _below_100(words, after + 1 if words[after : after + 1] == ["and"] else after)
    return (value, after) if rest is None else (value + rest[0], rest[1])


def _below_100(words: Sequence[str], place: int) -> _Read:
    word = words[place] if place < len(words) else ""
    if word in _UNITS:
        return _UNITS[word], place + 1
    if word in _TEENS:
        return _TEENS[word], place + 1
    if word not in _TENS:
        return None
    unit = _UNITS.get(words[place + 1], 0) if place + 1 < len(words) else 0
    return _TENS[word] + unit, place + 1 + bool(unit)


def _year(words: Sequence[str], place: int) -> _Read:
    """`nineteen eighty four`, `nineteen oh five`."""
    first = _below_100(words, place)
    if first is None or first[0] not in _YEAR_HALVES:
        return None
    after = first[1]
    zero = words[after : after + 1] in (["oh"], ["zero"])
    second = _below_100(words, after + zero)
    if second is None or (second[0] < 10) != zero:
        return None
    return first[0] * 100 + second[0], second[1]


def _ordinal(words: Sequence[str], place: int) -> int | None:
    """The value of one ordinal word below 100, such as `third` or `fortieth`."""
    if place >= len(words):
        return None
    word = words[place]
    stem = _IRREGULAR_ORDINALS.get(word)
    if stem is None and word.endswith("ieth"):
        stem = word.removesuffix("ieth") + "y"
    if stem is None and word.endswith("th"):
        stem = word.removesuffix("th")
    return _UNITS.get(stem or "") or _TEENS.get(stem or "") or _TENS.get(stem or "")


def _takes(value: int, ordinal: int) -> bool:
    """Does `value` go on with this ordinal, as 20 does with `first` and 100 with `tenth`?"""
    return value % 100 == 0 or (value % 100 >= 20 and value % 10 == 0 and ordinal < 10)


def _suffixed(value: int) -> str:
    teen = value % 100 in range(11, 14)
    return f"{value}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(value % 10, 'th')}"


def _with_decimals(words: Sequence[str], digits: str, place: int) -> tuple[str, int]:
    if words[place : place + 1] != ["point"]:
        return digits, place
    decimals, after = "", place + 1
    while after < len(words) and (words[after] in _UNITS or words[after] == "zero"):
        decimals += str(_UNITS.get(words[after], 0))
        after += 1
    return (f"{digits}.{decimals}", after) if decimals else (digits, place)
