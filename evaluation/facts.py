"""Which of a reference summary's facts a summary holds: its numbers, its dates and its names.

ROUGE counts words, and most words of a summary are nobody's loss. A summary without the sum, the day or the name of who does
it is useless however well it scores. A fact is found if the summary has the same word anywhere: whether it says the right
thing of it is not judged here (`roundtable/summarization/checks.py` compares claims with the transcript).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from evaluation.normalize import normalize
from evaluation.score import Rate

_DAYS = "monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight"
_MONTHS = "january february march april may june july august september october november december"
_DATES = frozenset((*_DAYS.split(), *_MONTHS.split()))

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_ENDING = re.compile(r"(?i)(?:['’](?:s|m|ll|ve|re|d)|n['’]t)\b")
"""A possessive, or a verb written short: `Tom's plan` holds Tom's name, and `I'll` holds none."""

_INITIALS = re.compile(r"(?<!\w)(?:[^\W\d_]\.){2,}")
_PRONOUNS = frozenset(("i", "you", "he", "she", "it", "we", "they"))

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def facts(text: str, speakers: Iterable[str] = ()) -> dict[str, str]:
    """Each fact once, as a normalised word, with its kind: `number`, `date` or `name`.

    Numbers are digits or spelled. A name is a capitalised word that does not begin its sentence or is one of `speakers`.
    """
    known = {part.casefold() for speaker in speakers for part in _WORD.findall(speaker)}
    text = _bare(text)
    found = {word: "number" for word in normalize(text) if word[0].isdecimal()}
    for sentence in _SENTENCE.split(text):
        for place, word in enumerate(_WORD.findall(sentence)):
            plain = "".join(normalize(word))
            if word.casefold() in _DATES and (word[0].isupper() or word.casefold() in _DAYS.split()):
                found[plain] = "date"
            elif word[0].isupper() and (place > 0 or word.casefold() in known) and plain not in {*_PRONOUNS, ""}:
                found.setdefault(plain, "name")
    return found


def fact_coverage(summary: str, reference: str, speakers: Iterable[str] = ()) -> Rate:
    """Errors: facts of the reference that the summary lacks, by kind. Length: the facts there are."""
    there, has = facts(reference, speakers), set(normalize(_bare(summary)))
    missing = dict.fromkeys(("number", "date", "name"), 0.0)
    for word, kind in there.items():
        missing[kind] += word not in has
    return Rate(missing, len(there))


def _bare(text: str) -> str:
    """Words without their endings, initials without their dots."""
    return _INITIALS.sub(lambda match: match[0].replace(".", ""), _ENDING.sub("", text))
