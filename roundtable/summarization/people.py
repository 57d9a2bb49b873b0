"""Who may own a task without being a speaker: somebody who was named in the conversation, as names are written.

A word that was merely said is nobody: "the printer" does not call itself. Where the transcript has capital letters, a name has
one wherever it stands, and no article before it; where it has none, somebody must have been addressed by it, thanked or
introduced, which is known of English only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from roundtable.summarization.names import Names
from roundtable.summarization.number_words import folded
from roundtable.summarization.text import words

_CAPITALISED = re.compile(r"[^\W\d_][\w’'-]*")
_ARTICLE = re.compile(
    r"\b(?:the|a|an|this|that|these|our|my|your|his|her|their|no|der|die|das|den|dem|des|ein|eine|einen|einem|einer|unser\w*|mein\w*|"
    r"le|la|les|un|une|du|el|los|las|una|il|lo|gli|o|os|as|um|uma|de|het|een)\s+([^\W\d_][\w’'-]*)",
    re.IGNORECASE,
)


class People:
    """The names of one conversation. Built in time that grows linearly with it."""

    def __init__(self, texts: Sequence[str], language: str | None) -> None:
        self._running: Final = f" {' '.join(folded(word) for text in texts for word in words(text))} "
        written = [word for text in texts for word in _CAPITALISED.findall(text)]
        self._small = {folded(word) for word in written if word[0].islower()}
        self._small |= {folded(word) for text in texts for word in _ARTICLE.findall(text)}
        self._large = {folded(word) for word in written if word[0].isupper()}
        self._cased = any(word[0].isupper() and word[1:].islower() for word in written)
        english = (language or "en").lower().split("-")[0] == "en"
        self._names = Names(texts) if english and not self._cased else None

    def holds(self, parts: Sequence[str]) -> bool:
        """Whether these folded words, one after the other, are a name that was said."""
        if not parts or f" {' '.join(parts)} " not in self._running:
            return False
        if self._cased:
            return all(part in self._large and part not in self._small for part in parts)
        return self._names is not None and all(map(self._names.is_mentioned, parts))
