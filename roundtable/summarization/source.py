"""What a conversation supports: the words, numbers, dates, names and labels that a summary may use, and which turn says what.

Built once for a transcript, in time and memory that grow linearly with it. Nothing here is a model; everything is looked up.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from roundtable.summarization.names import NEVER_NAMES
from roundtable.summarization.number_words import folded
from roundtable.summarization.numbers import claimed, stated, supports
from roundtable.summarization.people import People
from roundtable.summarization.plain_claims import CURRENCY_WORDS, foreign_words, is_no_name, plain_claims, without_speakers
from roundtable.summarization.rendering import clock
from roundtable.summarization.text import ENGLISH_STOP_WORDS, UNSPACED, terms, word_set, words
from roundtable.transcript import SpeakerTurn

_STEM = 5
"""Longer words are compared by so many letters: "decided" and "decision", "Budgets" and "Budget"."""

_COMMON_SHARE, _COMMON_LEAST = 0.15, 4
"""In a language without a list of stop words, a word in more of the turns than this carries no meaning."""

_REFOUND_SHARE = 0.34
"""A turn is evidence for a point that cites none if it holds so much of the point's weight, and two of its words."""

_REFOUND_COMMON = 500
"""A word in more turns than this finds none: looking at all of them would cost too much, and say too little."""

_MOST_REFOUND = 3
_LETTERS = re.compile(r"(?<![\w’'])(?:[^\W\d_][ .]+){1,5}[^\W\d_](?![\w’'])")
_COUNTED = re.compile(r"(?<=[^\W\d_])-?\d+(?:\.\d+)*$")
"""The number behind a name, which is checked as a number: "COVID-19", "Q3"."""

_CAPITAL = re.compile(r"[^\W\d_][\w’'&.-]*")
_SENTENCE_BEGINS = re.compile(r"(?:^|[.!?:…]|[\"“„«\n•])\s*[\"“„«(–—•*-]*\s*$")
_PRONOUNS = word_set(
    "i me my you your he him she her it we us our they them everyone everybody someone somebody anyone all both team group "
    "speaker speakers participants participant attendees members people person company ich wir du ihr sie er wer alle je nous "
    "vous tu il elle ils tous yo nosotros usted él ella io noi voi lui lei eu nós você ele ela ik wij jij hij zij iedereen"
)
_GENERIC = word_set(
    "participants participant attendees speaker speakers team meeting discussion conversation summary overview decision "
    "decisions action actions item items next steps step key point points title topic topics main update updates follow-up "
    "agenda call recap review notes general various several person people member members group everyone todo task tasks owner"
)
_SUBJECT = re.compile(
    r"\s+(?:and [A-ZÀ-Þ]\w+ (?:will|agreed|have)|will|would|has|have|had|is|was|agreed|agrees|said|says|asked|"
    r"asks|wants|suggested|suggests|promised|proposed|proposes|mentioned|explained|reported|offered|confirmed|decided|plans|"
    r"needs|bought|left|paid|thanked|told|gave|got|gets|took|made|went|came|spoke|wrote|sent|sold|called|presented)\b|[’']s\b"
)
_CITED_CLOCK = re.compile(r"[(\[](\d{1,2}:\d{2}(?::\d{2})?)[)\]]")
_TITLES = re.compile(
    r"\b(?:herr|frau|dr|prof|mr|mrs|ms|mme|monsieur|madame|señor|señora|signor|signora|meneer|mevrouw)\.?\s*$", re.IGNORECASE
)


class Source:
    """The turns of one conversation as what they support. `language`: a code, or None where it is not known."""

    def __init__(self, turns: Sequence[SpeakerTurn], language: str | None) -> None:
        self.turns: Final = {turn.id: turn for turn in turns}
        self.language: Final = language
        self.labels: Final = {folded(turn.speaker): turn.speaker for turn in turns if turn.speaker}
        self._english = (language or "").lower().split("-")[0] == "en"
        self._known: set[str] = set()
        self._words: set[str] = set()
        for turn in turns:
            self._known |= stated(turn.text, language)
            self._known |= {claim for _, claim in plain_claims(turn.text, language)}
            self._words |= set(_word_forms(turn.text)) | {sign for sign in "$€£¥₹" if sign in turn.text}
        self._words |= {form for label in self.labels for form in _word_forms(label)}
        self._clocks = {clock(turn.start) for turn in turns}
        self._people = People([turn.text for turn in turns], language)
        self._numbers = {number for label in self.labels for number in without_speakers(label)[1]}
        self._latin = not any(True for turn in turns for _ in foreign_words(turn.text))
        self._stop_words = ENGLISH_STOP_WORDS if self._english else self._common_words(turns)
        self._contents = {turn.id: self.content(turn.text) for turn in turns}
        self._where: defaultdict[str, list[int]] = defaultdict(list)
        for id_, content in self._contents.items():
            for stem in content:
                self._where[stem].append(id_)

    def content(self, text: str) -> frozenset[str]:
        """What a text is compared by: stems of words that carry meaning, numbers in digits, pairs of unspaced characters."""
        found = {_stem(word) for word in terms(text, self._stop_words) if self._english or len(word) > 2 or not word.isascii()}
        found |= {f"#{number}" for number in claimed(text, self.language)}
        return frozenset(found)

    def unsupported(self, text: str) -> list[str]:
        """What a text states that the conversation does not: "number", "date", "name", one entry for each."""
        bare, speakers = without_speakers(self._without_labels(self._without_clocks(text)))
        found = []
        for statement in claimed(bare, self.language):
            if not supports(statement, self._known):
                found.append("date" if statement.split(" ")[0] in {"month", "weekday", "date", "time"} else "number")
        found += [kind for kind, claim in plain_claims(bare, self.language) if claim not in self._known]
        names = [name for name in self._names(bare) if not self._is_said(name) and not is_no_name(name)]
        names += [word for word in foreign_words(bare) if self._latin and word not in names]
        return found + ["name"] * (len(names) + sum(number not in self._numbers for number in speakers))

    def owner(self, name: str) -> str | None:
        """The label of a speaker, or a name as the conversation has it; None for everybody else, and for nobody in particular.

        With one speaker alone a label owns nothing: it would put everybody's promises on one person.
        """
        bare = folded(name.strip(" .:"))
        label = self.labels.get(bare)
        if label is not None:
            return label if len(self.labels) > 1 else None
        parts = bare.split()
        if not parts or any(part in _PRONOUNS or part in NEVER_NAMES for part in parts):
            return None
        return name.strip(" .:") if self._people.holds(parts) and not claimed(name, self.language) else None

    def due(self, text: str) -> str | None:
        """The time as the model has it, if all of its words were said; else None."""
        carrying = [word for word in _word_forms(text) if word not in _AROUND_DATES]
        if not carrying or self.unsupported(text):
            return None
        numeric = all(any(sign.isdigit() for sign in word) for word in carrying)
        return text if numeric or all(word in self._words or word[:1].isdigit() for word in carrying) else None

    def evidence(self, text: str, cited: Iterable[int]) -> tuple[int, ...]:
        """The ids that exist and whose turns share content words with the text; if there are none, the turns that share
        most."""
        content = self.content(self._without_labels(text))
        kept = tuple(id_ for id_ in dict.fromkeys(cited) if content & self._contents.get(id_, frozenset()))
        return kept or self._refound(content)

    def _refound(self, content: frozenset[str]) -> tuple[int, ...]:
        weight = {stem: math.log(1 + len(self._contents) / len(self._where[stem])) for stem in content if stem in self._where}
        whole = sum(weight.values()) + sum(math.log(1 + len(self._contents)) for stem in content if stem not in weight)
        score: Counter[int] = Counter()
        shared: Counter[int] = Counter()
        for stem, value in sorted(weight.items()):
            if len(self._where[stem]) <= _REFOUND_COMMON:
                for id_ in self._where[stem]:
                    score[id_] += value  # type: ignore[assignment]  # a Counter of floats, which typeshed does not know
                    shared[id_] += 1
        least = min(2, len(content))
        good = [id_ for id_ in score if shared[id_] >= least and score[id_] >= _REFOUND_SHARE * whole]
        return tuple(sorted(sorted(good, key=lambda id_: (-score[id_], id_))[:_MOST_REFOUND]))

    def _common_words(self, turns: Sequence[SpeakerTurn]) -> frozenset[str]:
        held = Counter(word for turn in turns for word in set(words(turn.text)) if not UNSPACED.match(word))
        return frozenset(word for word, times in held.items() if times > max(_COMMON_LEAST, _COMMON_SHARE * len(turns)))

    def _without_labels(self, text: str) -> str:
        for label in sorted(self.labels.values(), key=len, reverse=True):
            # Somebody called June is taken for the month, unless grammar says that she does something.
            person = "" if label.startswith("SPEAKER_") or not claimed(label, self.language) else f"(?={_SUBJECT.pattern})"
            text = re.sub(rf"(?<!\w){re.escape(label)}(?!\w){person}", " ", text, flags=re.IGNORECASE)
        return text

    def _without_clocks(self, text: str) -> str:
        """Without the times of turns in brackets, by which a model may cite them: nobody said those."""
        return _CITED_CLOCK.sub(lambda match: " " if match[1] in self._clocks else match[0], text)

    def _is_said(self, name: str) -> bool:
        forms = list(_word_forms(name))
        return bool(forms) and all(form in self._words or form.removesuffix("s") in self._words for form in forms)

    def _names(self, text: str) -> Iterator[str]:
        """Words written as names are, where grammar does not explain the capital: within a sentence, and at its beginning if
        it is the subject. German writes every noun with one: there two in a row are asked for, or a title."""
        nouns = (self.language or "").lower().startswith("de")
        capital_ended = -1
        for match in _CAPITAL.finditer(text):
            whole = match.group().rstrip(".-’'")
            word = _COUNTED.sub("", whole)
            if word in {"AM", "PM", "A.M", "P.M"} or not self._words.isdisjoint(CURRENCY_WORDS.get(word, ())):
                continue
            if not word[:1].isupper() or len(word) < 2 or folded(word) in _GENERIC:
                continue
            begins = _SENTENCE_BEGINS.search(text[max(0, match.start() - 40) : match.start()]) is not None
            if nouns:
                follows = capital_ended >= 0 and text[capital_ended : match.start()].isspace()
                titled = _TITLES.search(text[max(0, match.start() - 12) : match.start()]) is not None
                capital_ended = -1 if begins and folded(word) in _GERMAN_BEGINNINGS else match.end()
                if follows or titled:
                    yield word
            elif not begins or _is_label(whole) or (not _is_common(word) and _SUBJECT.match(text, match.start() + len(word))):
                yield word


def _is_label(word: str) -> bool:
    """SPEAKER_07: nobody, if it is not one of the labels."""
    return any(not sign.isalpha() and sign not in "'’-&." for sign in word)


def _is_common(word: str) -> bool:
    return folded(word) in NEVER_NAMES or folded(word) in _PRONOUNS


_GERMAN_BEGINNINGS = word_set(
    "der die das den dem des ein eine einen einem einer es er sie wir ihr ich man alle beide im am vom zum zur in an auf aus "
    "bei mit nach von zu fur uber unter vor herr frau dieser diese dieses jeder jede jedes sein seine ihre unser kein"
)


_AROUND_DATES = word_set(
    "by before on in at the of end until till due this next no later than within from now and a an for bis am vor im der des "
    "zum ende um zur le la avant d' de du des au fin el antes del para en il entro prima di alla da ate o a fim voor op het "
    "am pm a.m p.m m p o'clock oclock o clock uhr uur h heures horas ore"
)


def _word_forms(text: str) -> Iterator[str]:
    """Words as they are looked up: folded, without the 's behind and the punctuation around them; parts of hyphenated ones;
    spelled letters ("A P I") together."""
    for word in words(text):
        bare = folded(word).removesuffix("'s")
        yield bare
        if not bare.isalnum():
            yield from (part for part in re.split(r"[^\w]+", bare) if part and part != bare)
            yield re.sub(r"[^\w]+", "", bare)
    for match in _LETTERS.finditer(text):
        yield re.sub(r"[^\w]", "", folded(match.group()))


def _stem(word: str) -> str:
    bare = folded(word)
    return bare[:_STEM] if len(bare) > _STEM else bare
