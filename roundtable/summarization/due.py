"""When something is due, as it was said: "by Friday", "before the end of the month", "on the third of May". English.

The words are found, never interpreted: what day "next week" is depends on a date that the recording does not give.
"""

from __future__ import annotations

import re

_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_TEN = r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)"
_ORDINAL = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th)|(?:twenty|thirty)[ -]{_TEN}|{_TEN}|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|"
    r"sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth)"
)
_NUMBER = r"(?:a|an|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})"
_HOUR = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})"
_CLOCK = (
    rf"(?:noon|midday|midnight|lunch(?:time)?|half past {_HOUR}|{_HOUR}(?::\d\d|[ -](?:thirty|fifteen|forty[ -]five))?"
    r"(?:\s?(?:[ap]\.m\.|[ap]\.?m\b|o['’]?clock\b))?)"
)
# "at five percent" and "by ten people" are no times.
_NOT_A_COUNT = (
    r"(?![-:.,]?\d)(?!\s+(?:per\s?cent|hundred|thousand|million|dollars?|euros?|pounds?|people|times|of|point|or|to|different|"
    r"more|minutes?|hours?|days?|weeks?|months?|years?)\b)(?!\s*%)"
)
_PART = r"(?:morning|afternoon|evening|night)"
_PERIOD = r"(?:day|week|month|quarter|year|weekend|sprint)"
_BY = r"(?:by|before|until|till|no later than|not later than|due|due by)"
_NO_DATE = r"\b(?! (?:of|one|time|day|week|version|part|half|floor|point|quarter))"
_DATE = (
    rf"(?:(?:the )?{_ORDINAL}(?: (?:of )?{_MONTH})|the {_ORDINAL}{_NO_DATE}|"
    rf"{_MONTH}(?: the)? {_ORDINAL}|{_MONTH} \d{{1,2}}\b)"
)
# "The room for Monday" is what is booked, not when.
_NOT_AFTER = r"(?<!\bfor )(?<!\bthe )(?<!\bof )(?<!\bevery )(?<!\blast )(?<!\bsince )(?<!\bfrom )(?<!\bor )"

_ONE = (
    rf"(?:(?:{_BY}|at|on) )?(?:the )?end of (?:(?:the|this|next) )?(?:{_PERIOD}|business|{_MONTH}|{_DAY})",
    rf"(?:{_BY} )?close of business",
    rf"(?:(?:{_BY}|on) (?:(?:this|next|the following) )?|(?:this|next|the following) |{_NOT_AFTER}){_DAY}(?: {_PART})?",
    rf"(?:{_BY} |{_NOT_AFTER})(?:tomorrow|today|tonight)(?: {_PART})?",
    rf"(?:(?:{_BY}|in) )?(?:this|next|the following) (?:{_PART}|{_PERIOD})",
    rf"(?:{_BY}|at) {_CLOCK}{_NOT_A_COUNT}",
    rf"(?:{_BY}|on) {_DATE}",
    rf"(?:{_BY}|in) (?:next )?{_MONTH}",
    rf"(?:with)?in (?:the next )?(?:{_NUMBER}|(?:a )?couple(?: of)?|(?:a )?few) (?:minute|hour|day|week|month)s?",
    r"(?:by|before) (?:the |our |this |next )*(?:next )?(?:meeting|call|launch|release|deadline|weekend)",
    r"as soon as possible|right after (?:this|the) (?:meeting|call)",
)
_ANY = "|".join(f"(?:{pattern})" for pattern in _ONE)
_DUE = re.compile(rf"\b(?:{_ANY})(?:,? (?:{_ANY}))*(?!\w|['’]s)", re.IGNORECASE)
_OPENER = re.compile(r"(?:(?:okay|ok|so|and|but|then|well|now|alright)[ ,]+)*", re.IGNORECASE)
_TRAILING = re.compile(r"[\s,]*(?:(?:at the latest|please|okay|ok|then|for sure|for you|latest)[\s,.]*)*$", re.IGNORECASE)


def find_due(text: str) -> str | None:
    """The first expression of a due time in the text, verbatim; expressions in a row ("tomorrow at noon") are one."""
    match = _DUE.search(text)
    return match.group() if match else None


def leading_due(text: str) -> str | None:
    """The due time that a text consists of, but for an opener before it and a comma after it: "So by Friday,"."""
    match = _DUE.search(text)
    alone = match and _OPENER.fullmatch(text, 0, match.start()) and not text[match.end() :].strip(" ,")
    return match.group() if match and alone else None


def without_trailing_due(text: str) -> str:
    """The text without a due time at its very end (that is told in a field of its own)."""
    for match in _DUE.finditer(text):
        if _TRAILING.fullmatch(text, match.end()):
            return text[: match.start()].rstrip(" ,")
    return text
