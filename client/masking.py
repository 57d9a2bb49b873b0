"""Takes a token out of text that the other side wrote, however it is spelt there."""

from __future__ import annotations

import base64
import re

MASKED = "***"

_SHORTEST_BASE64 = 8
"""Letters of base64 that are looked for. Fewer are in any text."""

_SHIFTED = (0, 2, 3)
"""Letters at the start that also depend on what stands before, by how many bytes of it share the first group."""


class Mask:
    """Replaces one token: as it is in any case, escaped for a URL or for JSON, as hex, and within base64."""

    def __init__(self, token: str) -> None:
        spellings = [token, token.encode().hex(), *_within_base64(token.encode())]
        self.__pattern = re.compile("|".join("".join(map(_one, spelling)) for spelling in spellings), re.IGNORECASE)

    def __call__(self, text: str) -> str:
        return self.__pattern.sub(MASKED, text)

    def __repr__(self) -> str:
        return "Mask(***)"


def _within_base64(token: bytes) -> list[str]:
    found = []
    for before, first in enumerate(_SHIFTED):
        part = base64.b64encode(bytes(before) + token).decode()[first : (before + len(token)) * 8 // 6]
        found += [part, part.replace("+", "-").replace("/", "_")] if len(part) >= _SHORTEST_BASE64 else []
    return found


def _one(character: str) -> str:
    """A character of ASCII, escaped or not."""
    code = f"{ord(character):02x}"
    return rf"(?:{re.escape(character)}|%{code}|\\+u00{code}|\\+x{code}|\\+{re.escape(character)})"
