"""Numbers in digits: what their points and commas mean, in one number, in a list, in a version."""

from __future__ import annotations

import re
from decimal import Decimal

SPACES = " \u00a0\u202f’'"
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*(?:(?!\1)[.,]\d+)?|\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?")
"""Thousands, with a decimal part or without; and as they are grouped in India."""


def written(text: str, *, english: bool) -> Decimal | None:
    """The one number of the digits; None: they are several numbers, or a version.

    One separator before exactly three digits groups thousands. English's point does so only before a zero at the end: "10.000"
    is ten thousand there too, as nobody writes so many digits of ten, and "3.125" is not.
    """
    bare = re.sub(f"[{SPACES}]", "", text)
    separators = [sign for sign in bare if sign in ".,"]
    if len(separators) > 1:
        if not _GROUPED.fullmatch(bare):
            return None
        decimal = separators[-1] if separators[-1] != separators[0] else ""
        whole, _, rest = bare.rpartition(decimal) if decimal else (bare, "", "")
        return Decimal(re.sub("[.,]", "", whole) + (f".{rest}" if rest else ""))
    if not separators:
        return Decimal(bare)
    whole, _, rest = bare.partition(separators[0])
    is_decimal_point = english and separators[0] == "." and not rest.endswith("0")
    if len(rest) == 3 and 0 < len(whole) <= 3 and whole != "0" and not is_decimal_point:
        return Decimal(whole + rest)
    return Decimal(f"{whole or 0}.{rest}")


def listed(text: str) -> list[str]:
    """The parts of what is not one number: "1,2,77" are three, "2.1.3" is one version."""
    return [part.lstrip("0") or "0" if part.isdecimal() else part for part in text.split(",")]


def rooms(text: str) -> list[str]:
    """Groups of three digits with spaces between, which may be numbers of their own: "101 102 103"."""
    groups = re.split(f"[{SPACES}]", text)
    alone = len(groups) > 1 and all(len(group) == 3 and group.isdecimal() and group[0] != "0" for group in groups)
    return groups if alone else []


def canonical(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
