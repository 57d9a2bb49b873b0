"""Times as people say them in seven languages: "half past nine", "halb zehn", "neuf heures et demie", "nueve y media".

A phrase is a row of words. `H` stands for an hour and `M` for minutes; beside it stands how many minutes it is after the hour,
or, for a phrase with `M`, whether the minutes count forwards or backwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Phrase = tuple[tuple[frozenset[str], ...], int]


def _phrases(text: str) -> tuple[Phrase, ...]:
    """One phrase a line, its minutes behind it; words that may stand for each other joined by a bar."""
    rows = [line.split() for line in text.strip().splitlines()]
    return tuple((tuple(frozenset(word.split("|")) for word in row[:-1]), int(row[-1])) for row in rows)


CERTAIN: Final[Mapping[str, tuple[Phrase, ...]]] = {
    "en": _phrases("half past H 30\n quarter past|after H 15\n quarter to|of|before|till H -15\n M past H 1"),
    "de": _phrases(
        "halb H -30\n viertel nach H 15\n viertel vor H -15\n dreiviertel H -15\n M vor halb H -1\n M nach halb H 1\n H uhr M 1"
    ),
    "nl": _phrases("half H -30\n kwart over H 15\n kwart voor H -15\n M voor half H -1\n M over half H 1\n H uur M 1"),
    "fr": _phrases(
        "H heure|heures|h et demie|demi 30\n H heure|heures|h et quart 15\n H heure|heures|h moins le quart -15\n"
        "H heure|heures|h moins M -1\n H heure|heures|h M 1"
    ),
    "es": _phrases("H y media 30\n H horas y media 30\n H y cuarto 15\n H menos cuarto -15"),
    "it": _phrases("H e mezza|mezzo 30\n H e un quarto 15\n H meno un quarto -15\n H e tre quarti 45"),
    "pt": _phrases("H e meia 30\n H hora|horas e meia 30\n H hora|horas e M 1\n H h e meia 30"),
}
"""What is a time wherever it stands."""

MAYBE: Final[Mapping[str, tuple[Phrase, ...]]] = {
    "en": _phrases("M to|before H -1\n M after H 1"),
    "de": _phrases("M nach H 1\n M vor H -1"),
    "nl": _phrases("M over H 1\n M voor H -1"),
    "es": _phrases("H y M 1\n H menos M -1"),
    "it": _phrases("H e M 1\n H meno M -1"),
    "pt": _phrases("H e M 1\n M para as|a|o H -1"),
}
"""What may be one, and may be something else: "five to six"."""
