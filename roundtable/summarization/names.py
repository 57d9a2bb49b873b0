"""Which words of a conversation are the names of people: conservative, since a wrong owner is worse than none. English.

A name is taken only from a place where names stand: in front of "can you", after "thank you", in an introduction; and from
capital letters, where the engine writes them. A word that ever follows "the" or "our" in the same conversation is no name,
nor is one of the lists below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from roundtable.summarization.rules import LONGEST_SENTENCE
from roundtable.summarization.text import ENGLISH_STOP_WORDS, word_set

NEVER_NAMES = ENGLISH_STOP_WORDS | word_set("""
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august september october
    november december folks guys people team group sales marketing finance legal engineering support management operations
    product design research accounting customers clients users company board office staff speaker chairman chair president
    doctor professor sir madam ma'am boss man mate buddy dude dear mister mr mrs ms miss lady gentlemen ladies colleagues
    friends kids alexa siri google zoom excel internet english german french
    cool perfect excellent exactly absolutely correct true false done super awesome lovely brilliant wonderful interesting
    listen wait again finally meanwhile otherwise however therefore quickly briefly honestly personally hopefully
    unfortunately afterwards later soon early late tonight morning afternoon evening night noon week weekend month year day
    time date number numbers budget report plan project meeting call email agenda item items action decision question answer
    problem issue idea point list draft slides slide deck document paper page file data room venue launch release version
    customer client user price cost money contract invoice test results result feedback work job task tasks deadline
    schedule website site server app system code order orders book booking car train flight hotel lunch dinner coffee food
    home house school shop store phone message letter news stage step phase half quarter part rest whole next last new old
    big small long short high low open close ready happy glad free busy full empty best better worse worst
    hundred thousand million zero four five six seven eight nine ten eleven twelve dozen
    actually also apparently basically clearly currently especially eventually generally mostly normally obviously possibly
    presumably recently simply specifically suddenly usually everyone's that'd
    """)
"""Words that stand in front of "can you" or "will" and are nobody's name."""

NAMES_OR_WORDS = word_set("""
    will mark bill may rose grace frank art grant sue pat rob drew jack hope joy faith dawn april june august summer autumn
    chase chance dean drake earl ernest gene guy harry jean jade lance miles nick norm olive paige penny pierce ray reed rich
    ruby sandy sky stone victor ward wade wayne woody violet lily daisy heather ivy holly iris christian dick don ed al lee
    """)
"""Names that are words too: names when an engine wrote them with a capital, words otherwise."""

_BEFORE_A_SUBJECT = word_set("and so then okay ok but that well also")
_WORD = r"[^\W\d_][\w'’-]*+"
_OPENERS_ONLY = re.compile(
    r"(?:(?:okay|ok|so|and|but|then|well|now|right|alright|great|good|thanks|thank you|hi|hey|hello|yes|yeah|also|um|uh|oh)"
    r"[,.]?\s+)*",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(rf"(?:(?P<comma>[,.;:?!])\s+|\s|^)(?P<name>{_WORD}),?\s*[.?!]?$")
_LONGEST_NAME = 64
_MENTIONS = (
    re.compile(rf"(?<![\w'’-])(?P<name>{_WORD})[,.]?\s+(?:can|could|would|will) you\b", re.IGNORECASE),
    re.compile(
        rf"\b(?:thanks|thank you|hi|hello|hey|welcome|over to you|good morning|my name is)[,.]?\s+(?P<name>{_WORD})",
        re.IGNORECASE,
    ),
    re.compile(rf",\s+(?P<name>{_WORD})\s*[?.!]?$"),
)
_AFTER_DETERMINER = re.compile(
    rf"\b(?:the|a|an|this|these|those|our|my|your|his|her|their|its|some|any|each|every|no)\s+({_WORD})", re.IGNORECASE
)


class Names:
    """The names of people in one conversation. Where the engine writes capital letters, a name must have one; where it does
    not, a name must stand in two places: one alone may be a word that the engine misheard."""

    def __init__(self, texts: Iterable[str]) -> None:
        texts = list(texts)
        written = {word for text in texts for word in text.split()}
        self._cased = any(word[:1].isupper() and not word.isupper() for word in written)
        self._not_names = NEVER_NAMES | {match.casefold() for text in texts for match in _AFTER_DETERMINER.findall(text)}
        if self._cased:
            self._not_names |= {word.strip(".,?!") for word in written if word[:1].islower()}
        else:
            self._not_names |= NAMES_OR_WORDS
        self._mentions = Counter(
            name
            for text in texts
            for name in {match["name"].casefold() for pattern in _MENTIONS for match in pattern.finditer(text)}
            if len(text) <= LONGEST_SENTENCE
        )

    def addressed(self, text: str, at: int) -> str | None:
        """Who is addressed just before `at`, where "can you" or "please" begins."""
        match = _LAST_WORD.search(text, max(0, at - _LONGEST_NAME), at)
        if match is None or not self._may_be(match["name"]):
            return None
        if self._cased:
            opens = _OPENERS_ONLY.fullmatch(text, 0, match.start("name")) is not None
            return match["name"] if opens or match["comma"] or self.is_mentioned(match["name"]) else None
        return match["name"] if self._mentions[match["name"].casefold()] > 1 else None

    def addressed_last(self, text: str) -> str | None:
        """Who is addressed at the end: ", Tom?"."""
        match = _LAST_WORD.search(text, max(0, len(text) - _LONGEST_NAME))
        if match is None or not self._may_be(match["name"]):
            return None
        return match["name"] if (self._cased and match["comma"]) or self.is_mentioned(match["name"]) else None

    def subject(self, words: str) -> str | None:
        """Whose name of one or two words stands before "will send it": "Tom", "Anna Lee", "and Tom"."""
        first, _, second = words.partition(" ")
        if not second:
            return self._one_word_subject(first)
        if self._cased and self._one_word_subject(first) and self._one_word_subject(second):
            return words
        return self._one_word_subject(second) if first.casefold() in _BEFORE_A_SUBJECT else None

    def is_mentioned(self, name: str) -> bool:
        """Whether somebody is addressed by this name, thanked or introduced anywhere in the conversation."""
        return self._may_be(name) and self._mentions[name.casefold()] > 0

    def _one_word_subject(self, word: str) -> str | None:
        return word if self._may_be(word) and (self._cased or self.is_mentioned(word)) else None

    def _may_be(self, word: str) -> bool:
        bare = word.casefold().replace("’", "'")
        if bare in self._not_names or len(bare) < 2 or "'" in bare:
            return False
        return not self._cased or (word[0].isupper() and not word.isupper())
