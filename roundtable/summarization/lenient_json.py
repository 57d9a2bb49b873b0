"""JSON as language models write it: fenced, talked around, with quotes and commas gone astray, cut off in the middle.

A parser of our own that reads left to right and takes what it can: it never raises, and what stands before the damage is kept.
Valid JSON comes out as the standard library reads it. Linear in the length of the text, but for a start at each `{` that turns
out to open no object, of which it tries a few.
"""

from __future__ import annotations

import re
from typing import Any, Final

_DEEPEST = 32
"""Nothing of ours is nested deeper; a model that loops on brackets is."""

_STARTS = 8
_QUOTES: Final = {'"': '"', "'": "'", "“": "”", "„": "“”", "«": "»", "”": "”", "‘": "’"}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_BARE = re.compile(r"[^\s,:\[\]{}\"“”]+")
_KEY = re.compile(r"\s*([A-Za-z_][\w -]*?)\s*:")
_LITERALS: Final = {"null": None, "none": None, "true": True, "false": False}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def parse_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in the text that has a key; None when there is none."""
    start = -1
    for _ in range(_STARTS):
        start = text.find("{", start + 1)
        if start < 0:
            return None
        found = _Reader(text, start).object(0)
        if found:
            return found
    return None


class _Reader:
    """`at` is where it has come to; at the end of the text everything that is open is closed."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while (sign := self._next()) not in {"}", ""}:
            if sign in ",]":
                self.at += 1
                continue
            key = self._key()
            if key is None:
                self.at += 1
                continue
            if self._next() == ":":
                self.at += 1
            if self._next() == "":
                break  # cut off before the value
            found.setdefault(key, self._value(depth + 1))
        self.at += 1
        return found

    def _list(self, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while (sign := self._next()) not in {"]", ""}:
            if sign == "}":  # the object around it is closed although the list is not
                return found
            if sign in ",:":
                self.at += 1
                continue
            found.append(self._value(depth + 1))
        self.at += 1
        return found

    def _value(self, depth: int) -> Any:
        sign = self._next()
        if sign in {"{", "["}:
            if depth > _DEEPEST:
                self.at = len(self.text)
                return None
            return self.object(depth) if sign == "{" else self._list(depth)
        if sign in _QUOTES:
            return self._string()
        match = _BARE.match(self.text, self.at)
        if match is None:
            if sign not in ",}]":  # those end the value that is not there
                self.at += 1
            return None
        self.at = match.end()
        return self._bare(match.group())

    def _bare(self, word: str) -> Any:
        if word.casefold() in _LITERALS:
            return _LITERALS[word.casefold()]
        if len(word) < 20 and _NUMBER.fullmatch(word):
            return float(word) if set(word) & set(".eE") else int(word)
        # Words without quotes, up to what ends a value.
        end = min((place for sign in ",}]\n" if (place := self.text.find(sign, self.at)) >= 0), default=len(self.text))
        rest, self.at = self.text[self.at : end], end
        return (word + rest).strip()

    def _key(self) -> str | None:
        if self._next() in _QUOTES:
            return self._string()
        match = _KEY.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end() - 1
        return match[1]

    def _string(self) -> str:
        quote = self.text[self.at]
        closing = _QUOTES[quote]
        self.at += 1
        found: list[str] = []
        while self.at < len(self.text):
            sign = self.text[self.at]
            self.at += 1
            if sign == "\\" and self.at < len(self.text):
                found.append(self._escaped())
            elif sign in closing and self._ends_here(quote):
                return "".join(found)
            else:
                found.append(sign)
        return "".join(found)

    def _ends_here(self, quote: str) -> bool:
        """Whether a closing quote is one. An apostrophe in a string in single quotes, or a quotation, goes on behind it."""
        after = self.text[self.at : self.at + 16].lstrip()
        if quote == "'" and self.text[self.at : self.at + 1].isalnum():
            return False
        return after == "" or after[0] in ",:}]" or "\n" in self.text[self.at : self.at + 2] or after[0] in _QUOTES

    def _escaped(self) -> str:
        sign = self.text[self.at]
        self.at += 1
        if sign != "u":
            return _ESCAPES.get(sign, sign)
        digits = self.text[self.at : self.at + 4]
        if not re.fullmatch("[0-9a-fA-F]{4}", digits):
            return "u"
        self.at += 4
        code = int(digits, 16)
        if 0xD800 <= code < 0xDC00:
            low = re.match(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})", self.text[self.at : self.at + 6])
            if low:
                self.at += 6
                return chr(0x10000 + ((code - 0xD800) << 10) + int(low[1], 16) - 0xDC00)
        return chr(code)

    def _next(self) -> str:
        """The next sign that is no white space and no comment; empty at the end."""
        while self.at < len(self.text):
            if self.text[self.at].isspace():
                self.at += 1
            elif comment := _COMMENT.match(self.text, self.at):
                self.at = comment.end()
            else:
                return self.text[self.at]
        return ""
