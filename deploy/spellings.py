"""The ways in which a secret can stand in text: as it is, escaped for a URL, JSON or HTML, as base64 or as hex.

A server that quotes a request seldom quotes it letter by letter, so looking for the value alone would miss it.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from functools import lru_cache

_SHORTEST_PART = 8
"""Characters of a line of a secret, or of its base64, that are looked for by themselves. Shorter ones are in any text."""

_WHITE = r"(?:\s|\+|%(?:20|0[aAdD9])|\\+[nrt])+"
_LETTERS_OF_A_BYTE = 8 / 6
_SHIFTED = (0, 2, 3)
"""Base64 letters that also depend on what stands before, by how many bytes of it share the first group."""


_PIECE = 48
"""Characters that one pattern looks for. The patterns of what follows are made only where these were found: to compile all of
a long secret, with every way to escape it, takes minutes."""

_PLAIN = 8
"""Letters and digits: more than an escape has, which may begin like what follows it."""

_LONGEST_PIECE = 192


class Spellings:
    """Finds `value` in text, in any of its spellings, and each of its lines by itself where it has several."""

    def __init__(self, value: str) -> None:
        lines = {line.strip() for line in value.splitlines()}
        looked_for = [value, *sorted((line for line in lines if len(line) >= _SHORTEST_PART), key=len, reverse=True)]
        encoded = [part for one in looked_for for part in _encoded(one.encode(errors="surrogatepass"))]
        self._pieces = [_pieces(text) for text in dict.fromkeys([*looked_for, *encoded])]
        self._starts = [re.compile(_escaped(pieces[0])) for pieces in self._pieces]

    def first(self, text: str) -> int | None:
        """Where the first one begins, or None."""
        starts = [span[0] for number in range(len(self._pieces)) for span in self._spans(number, text)]
        return min(starts, default=None)

    def replaced(self, text: str, by: str) -> str:
        """`text` with each of them replaced, the longest first."""
        for number in range(len(self._pieces)):
            kept, at = [], 0
            for begin, end in self._spans(number, text):
                kept += [text[at:begin], by]
                at = end
            text = "".join([*kept, text[at:]])
        return text

    def _spans(self, number: int, text: str) -> Iterator[tuple[int, int]]:
        at = 0
        while (start := self._starts[number].search(text, at)) is not None:
            found: re.Match[str] | None = start
            for piece in self._pieces[number][1:]:
                found = _compiled(piece).match(text, found.end()) if found is not None else None
            if found is not None:
                yield start.start(), found.end()
            at = start.start() + 1 if found is None else found.end()


@lru_cache(maxsize=4096)
def _compiled(piece: str) -> re.Pattern[str]:
    return re.compile(_escaped(piece))


def _pieces(text: str) -> list[str]:
    """`text` cut after some letters and digits: where those end is never in doubt, however what is before them is escaped."""
    found, begin, plain = [], 0, 0
    for at in range(1, len(text)):
        plain = plain + 1 if _is_plain(text[at - 1]) else 0
        if (at - begin >= _PIECE and plain >= _PLAIN) or (at - begin >= _LONGEST_PIECE and not text[at].isspace()):
            found.append(text[begin:at])
            begin = at
    return [*found, text[begin:]]


def _encoded(value: bytes) -> list[str]:
    """Hex, and base64 of both alphabets, wherever in a longer text the value begins; without what its neighbours decide."""
    found = [value.hex(), value.hex().upper()]
    for before, first in enumerate(_SHIFTED):
        whole = base64.b64encode(bytes(before) + value).decode()
        part = whole[first : int((before + len(value)) * _LETTERS_OF_A_BYTE)]
        found += [part, part.replace("+", "-").replace("/", "_")]
    return [part for part in found if len(part) >= _SHORTEST_PART]


def _escaped(text: str) -> str:
    """A pattern for `text` whose every character may be escaped or not; white space stands for any white space."""
    return "".join(_WHITE if run.isspace() else "".join(map(_one, run)) for run in re.split(r"(\s+)", text) if run)


def _is_plain(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "_")


def _one(character: str) -> str:
    if _is_plain(character):
        return character  # no encoder touches it, and most secrets are made of these
    quoted = "".join(f"%{byte:02x}" for byte in character.encode(errors="surrogatepass"))
    code = ord(character)
    ways = [re.escape(entity)] if (entity := html.escape(character)) != character else []
    ways += [  # the character itself last: an escape may begin with it
        rf"(?i:&#(?:x0*{code:x}|0*{code});)",
        *_backslashed(character),
        rf"(?i:{quoted})",
        rf"\\*{re.escape(character)}",
    ]
    return f"(?:{'|'.join(ways)})"


def _backslashed(character: str) -> list[str]:
    """As `\\uXXXX`, twice for what is beyond the first plane, and `\\xXX`; with more backslashes for text within text."""
    wide = character.encode("utf-16-be", errors="surrogatepass").hex()
    units = "".join(rf"\\+(?i:u{wide[at : at + 4]})" for at in range(0, len(wide), 4))
    return [units, rf"\\+(?i:x{ord(character):02x})"]
