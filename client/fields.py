"""Reads a JSON object field by field: what is missing or null is empty, what has another type is named."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from client.errors import UnusableReplyError


class Fields:
    """One object of a reply. `path` is what errors call it; they never show a value."""

    def __init__(self, value: Mapping[str, Any], path: str) -> None:
        self._value = value
        self._path = path

    def has(self, key: str) -> bool:
        return self._value.get(key) is not None

    def required_text(self, key: str) -> str:
        if not self.has(key):
            raise self._wrong(key, "is missing")
        return self.text(key)

    def text(self, key: str) -> str:
        return self.optional_text(key) or ""

    def optional_text(self, key: str) -> str | None:
        value = self._value.get(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key, "is not text")
        return value

    def number(self, key: str) -> float | None:
        value = self._value.get(key)
        return None if value is None else self._as_number(key, value)

    def integer(self, key: str) -> int | None:
        """None for text as well: OpenAI's segments have ids such as seg_001."""
        value = self._value.get(key)
        return None if isinstance(value, str) or value is None else int(self._as_number(key, value))

    def flag(self, key: str) -> bool:
        return self._value.get(key) is True

    def span(self) -> tuple[float, float]:
        """`timestamp: [start, end]`, or OpenAI's `start` and `end`, in seconds."""
        pair = self._value.get("timestamp")
        if pair is None:
            pair = [self._value.get("start"), self._value.get("end")]
        if not isinstance(pair, list) or len(pair) != 2:
            raise self._wrong("timestamp", "is not two numbers")
        return self._as_number("timestamp", pair[0]), self._as_number("timestamp", pair[1])

    def integers(self, key: str) -> tuple[int, ...]:
        return tuple(int(self._as_number(key, value)) for value in self._list(key))

    def entries(self, key: str) -> list[Fields]:
        """The objects of a list."""
        found = []
        for place, value in enumerate(self._list(key)):
            if not isinstance(value, dict):
                raise self._wrong(f"{key}[{place}]", "is not an object")
            found.append(Fields(value, f"{self._path}.{key}[{place}]"))
        return found

    def below(self, key: str) -> Fields:
        value = self._value.get(key)
        if value is not None and not isinstance(value, dict):
            raise self._wrong(key, "is not an object")
        return Fields(value or {}, f"{self._path}.{key}")

    def texts(self) -> dict[str, str]:
        """All values. Keys may be people's names, so that no error shows one."""
        if not all(isinstance(value, str) for value in self._value.values()):
            raise self._wrong("values", "are not all text")
        return dict(self._value)

    def numbers(self) -> dict[str, float]:
        return {key: self.number(key) or 0.0 for key in self._value}

    def _list(self, key: str) -> list[Any]:
        value = self._value.get(key)
        if value is not None and not isinstance(value, list):
            raise self._wrong(key, "is not a list")
        return value or []

    def _as_number(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(key, "is not a number")
        if abs(value) > sys.float_info.max:  # an integer of 400 digits, or 1e999
            raise self._wrong(key, "is too large a number")
        return float(value)

    def _wrong(self, key: str, what: str) -> UnusableReplyError:
        return UnusableReplyError(f"The answer is not as a Roundtable endpoint's: in {self._path}, {key} {what}.")
