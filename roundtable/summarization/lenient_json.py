"""JSON as language models write it: fenced, talked around, with quotes and commas gone astray, cut off in the middle.

A parser of our own that reads left to right and takes what it can: it never raises, and what stands before the damage is kept.
Valid JSON comes out as the standard library reads it. Linear in the length of the text: the reader never goes back, and every
pattern is a run of characters that gives none of them back. Only where a string or a comment that nothing ends has taken the
rest is it read again from behind its beginning, a few times at most.
"""

from __future__ import annotations

import re
from typing import Any, Final

_DEEPEST = 32
"""Nothing of ours is nested deeper; a model that loops on brackets is."""

_STARTS = 4
_QUOTES: Final = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»", "”": "”", "‘": "’"}
_COMMENTS: Final = {"//": "\n", "/*": "*/"}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_LITERALS: Final = {"null": None, "none": None, "true": True, "false": False}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")

# Runs. Each matches everywhere, if only nothing, and reads no further than one character behind what it takes.
_SPACE = re.compile(r"\s*+")
_BARE = re.compile(r"[^\s,:\[\]{}\"“”]*+")
_REST = re.compile(r"[^,}\]\n]*+")
_WORDS = re.compile(r"(?:[A-Za-z_][\w -]*+)?+")
_NO_KEY = re.compile(rf"[^A-Za-z_}}/{''.join(_QUOTES)}]*+")
_WITHIN = {quote: re.compile(rf"[^\\{closing}]*+") for quote, closing in _QUOTES.items()}


def parse_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in the text that has a key; None when there is none."""
    return _read(text)[0]


def quoted(text: str) -> list[tuple[int, int]]:
    """Where the quoted strings of that object stand, in order, with their quotes. One that is cut off is none of them."""
    return _read(text)[1]


def _read(text: str) -> tuple[dict[str, Any] | None, list[tuple[int, int]]]:
    at = starts = 0
    while starts < _STARTS and (at := text.find("{", at)) >= 0:
        reader = _Reader(text, at)
        found = reader.object(0)
        if found:
            return found, reader.strings
        # No key up to there: none of the `{` that were passed on the way opens an object with one.
        at = reader.at if reader.unended is None else reader.unended + 1
        starts += reader.unended is not None
    return None, []


class _Reader:
    """`at` is where it has come to; at the end of the text everything that is open is closed."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.strings: list[tuple[int, int]] = []
        self.unended: int | None = None
        """Where the string or comment begins that took the rest of the text."""

    def object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while (sign := self._next()) not in {"}", ""}:
            key = self._key(sign)
            if key is None:
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
        word = self._take(_BARE)
        if not word:
            if sign not in ",}]":  # those end the value that is not there
                self.at += 1
            return None
        return self._bare(word)

    def _bare(self, word: str) -> Any:
        if word.casefold() in _LITERALS:
            return _LITERALS[word.casefold()]
        if len(word) < 20 and _NUMBER.fullmatch(word):
            return float(word) if set(word) & set(".eE") else int(word)
        return (word + self._take(_REST)).strip()  # words without quotes, up to what ends a value

    def _key(self, sign: str) -> str | None:
        """None, and past it, where what stands there is no key."""
        if sign in _QUOTES:
            return self._string()
        words = self._take(_WORDS)
        if words:
            return words.strip() if self._next() == ":" else None
        self.at += 1
        self._take(_NO_KEY)
        return None

    def _string(self) -> str:
        start, quote = self.at, self.text[self.at]
        self.at += 1
        found: list[str] = []
        while True:
            found.append(self._take(_WITHIN[quote]))
            if self.at == len(self.text):
                self.unended = start
                break
            sign = self.text[self.at]
            self.at += 1
            if sign != "\\":
                if self._ends_here(quote):
                    self.strings.append((start, self.at))
                    break
                found.append(sign)
            elif self.at < len(self.text):
                found.append(self._escaped())
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
        while True:
            self._take(_SPACE)
            closing = _COMMENTS.get(self.text[self.at : self.at + 2])
            if closing is None:
                return self.text[self.at : self.at + 1]
            end = self.text.find(closing, self.at + 2)
            if end < 0:
                self.unended, self.at = self.at, len(self.text)
                return ""
            self.at = end + len(closing)

    def _take(self, run: re.Pattern[str]) -> str:
        match = run.match(self.text, self.at)
        if match is None:  # a run may be empty, but matches
            return ""
        self.at = match.end()
        return match.group()
