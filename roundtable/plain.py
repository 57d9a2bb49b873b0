"""The values that may leave in a reply: seconds, probabilities, figures and text, each made safe on its way out.

JSON has no NaN and no infinity, UTF-8 has no lone surrogate, and a client's parser may refuse any of them. An engine can
produce all of them. Every number and string of a reply passes through one of these functions, so that no serialiser fails.
"""

from __future__ import annotations

import math
import re

LATEST_S = 10_000_000.0
"""Nothing is later than this (some 115 days): keeps absurd times printable."""

_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # control characters, except tab and newline
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def seconds(value: float) -> float:
    """A time or a length in seconds, to the millisecond, in [0, LATEST_S]. NaN and infinity become 0."""
    number = float(value)
    return round(min(max(0.0, number), LATEST_S), 3) if math.isfinite(number) else 0.0


def milliseconds(value: float) -> int:
    """`seconds(value)` as a whole number of milliseconds."""
    return round(seconds(value) * 1000)


def probability(value: float | None) -> float | None:
    """A probability or a share, to four places, in [0, 1]. None, NaN and infinity mean "not known"."""
    number = figure(value)
    return None if number is None else min(max(0.0, number), 1.0)


def figure(value: float | None) -> float | None:
    """Any other measurement, to four places. None, NaN and infinity mean "not known"."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), 4)


def plain_text(text: str) -> str:
    """Text that UTF-8 can carry: lone surrogates become U+FFFD; control characters, except tab and newline, go.

    Works character by character, so that cleaning the parts of a text and cleaning the whole give the same.
    """
    return _LONE_SURROGATE.sub("\ufffd", _UNWRITABLE.sub("", text))


def one_line(text: str) -> str:
    """`plain_text` with every run of white space, line breaks included, made one space, and none at the ends."""
    return " ".join(plain_text(text).split())
