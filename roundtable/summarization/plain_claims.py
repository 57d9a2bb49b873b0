"""Numbers and dates that stand in a text without a digit or the name of a month or a day: "tomorrow", "a dozen", "XIV", "⅔".
And people who are named by no word: "Speaker 3", and names in another script; and what currencies are called.

`numbers.py` reads values, which can be compared: "25 %" and "twenty five percent". What is found here is compared by its word:
a summary may say "next month" if somebody did. So it errs to the strict side, "in four weeks" does not make "next month" true.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, Literal

from roundtable.summarization.number_words import folded
from roundtable.summarization.text import word_set

Kind = Literal["number", "date"]

_TIMES: Final = {
    "en": word_set(
        "tomorrow yesterday tonight noon midday midnight weekend weekends fortnight fortnightly christmas easter thanksgiving "
        "halloween ramadan hanukkah pentecost spring summer autumn winter twenties thirties forties fifties sixties seventies "
        "eighties nineties"
    ),
    "de": word_set(
        "morgen gestern übermorgen vorgestern mittag mitternacht wochenende weihnachten ostern pfingsten silvester neujahr "
        "frühling frühjahr sommer herbst winter"
    ),
    "fr": word_set("demain hier midi minuit week-end noël pâques pentecôte toussaint printemps automne hiver"),
    "es": word_set("ayer mediodía medianoche navidad pascua nochevieja primavera verano otoño invierno"),
    "it": word_set("domani ieri mezzogiorno mezzanotte weekend natale pasqua ferragosto capodanno primavera autunno inverno"),
    "pt": word_set("amanhã ontem meio-dia meia-noite natal páscoa carnaval primavera verão outono inverno"),
    "nl": word_set("morgen overmorgen gisteren middernacht weekend kerst kerstmis pasen pinksteren lente herfst winter zomer"),
}
"""Words that are a time by themselves. Left out are those that are something else as often: "fall", "été"."""

_FOLDED_TIMES: Final = {code: frozenset(map(folded, times)) for code, times in _TIMES.items()}
_WEEKDAY = re.compile(r"(?<!\w)(Mon|Tue|Tues|Wed|Thu|Thur|Thurs|Fri|Sat|Sun)(?=[.,)]|$)")
_WEEKDAYS: Final = {
    name[:3].title(): name for name in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}
_PERIODS: Final = {
    "en": "week|month|quarter|year|decade|century|term|semester",
    "de": "woche|monat|monats|quartal|quartals|jahr|jahres",
    "fr": "semaine|mois|trimestre|année|an",
    "es": "semana|mes|trimestre|año",
    "it": "settimana|mese|trimestre|anno",
    "pt": "semana|mês|trimestre|ano",
    "nl": "week|maand|kwartaal|jaar",
}
"""And words that are one with another: "next month", "mois prochain"."""

_WHICH: Final = {
    "en": "next|last|this|coming|previous|past|following",
    "de": "nächste[nrsm]?|letzte[nrsm]?|diese[nrsm]?|kommende[nrsm]?|vorige[nrsm]?",
    "fr": "prochaine?|dernière|dernier|cette|cet?",
    "es": "próxim[oa]|pasad[oa]|est[ea]",
    "it": "prossim[oa]|scors[oa]|quest[oa]",
    "pt": "próxim[oa]|passad[oa]|est[ea]",
    "nl": "volgende?|afgelopen|vorige?|deze|dit|komende?",
}
_EDGES = "beginning|start|middle|end"
_MULTITUDE: Final = {
    "en": r"dozens?|a gross|a score of|scores of|twice|thrice|hundreds|thousands|millions|billions",
    "de": r"doppelt|hunderte|tausende|dutzende",
    "fr": r"centaines|milliers|dizaines|douzaines",
    "es": r"cientos|centenares|miles|docenas|decenas",
    "it": r"centinaia|migliaia|decine|dozzine",
    "pt": r"centenas|milhares|dúzias|dezenas",
    "nl": r"honderden|duizenden|tientallen|dozijnen",
}
CURRENCY_WORDS: Final = {
    "USD": word_set("usd $ dollar dollars bucks dólar dólares dollari dólares"),
    "EUR": word_set("eur € euro euros"),
    "GBP": word_set("gbp £ pound pounds quid pfund livres libras sterline sterlina pond"),
    "JPY": word_set("jpy ¥ yen"),
    "CHF": word_set("chf franc francs franken franchi francos frank"),
    "INR": word_set("inr ₹ rupee rupees rupien roupies rupias rupie roepie"),
}
"""By their codes, which are no names where one of the words was said. Other codes are names."""

_ROMAN = re.compile(r"(?<!\w)(?=[IVX]{2})(X{0,3}(?:IX|IV|V?I{0,3}))(?!\w)")
"""Up to XXXIX: larger ones look like abbreviations, "CD", "XL"."""

_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10}
_ROMAN_SIGN = re.compile(r"[IVX]+", re.IGNORECASE)
_SPEAKER = re.compile(r"(?<!\w)(speaker|sprecher|locuteur|hablante|orador|parlante|spreker)[ _#-]*(\d+)(?!\w)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:[-’'][^\W\d_]+)*")


def plain_claims(text: str, language: str | None) -> Iterator[tuple[Kind, str]]:
    """What the text states, each as its kind and in one spelling, in which the conversation has to state it too: in the terms
    of `numbers.py` where it has such ("14", "weekday wednesday"), else by its words. Linear in the length of the text.

    In a language without a list here only the signs that all languages share are found.
    """
    code = (language or "en").lower().split("-")[0]
    if code in _TIMES:
        yield from _times(text, code)
    yield from (("number", str(_roman(match[1]))) for match in _ROMAN.finditer(text))
    for place, sign in enumerate(text):
        if sign.isnumeric() and not sign.isdecimal() and not sign.isalpha():
            plain = unicodedata.normalize("NFKC", sign)
            if _ROMAN_SIGN.fullmatch(plain):
                yield "number", str(_roman(plain.upper()))
            elif "\u2044" not in plain:
                yield "number", plain.strip("().")
            elif not text[max(0, place - 2) : place].rstrip()[-1:].isdecimal():  # "2½" is read by `numbers.py`
                yield "number", "share " + plain.replace("\u2044", "/")


def _times(text: str, code: str) -> Iterator[tuple[Kind, str]]:
    for match in _WORD.finditer(text):
        word = folded(match.group())
        if word in _FOLDED_TIMES[code] or (code == "en" and word.startswith("mid-") and len(word) > 4):
            yield "date", word
    which, periods = _WHICH[code], _PERIODS[code]
    for pattern in (rf"\b(?:{which}) (?:{periods})\b", rf"\b(?:{periods}) (?:{which})\b"):
        yield from (("date", folded(match.group())) for match in re.finditer(pattern, text, re.IGNORECASE))
    for match in re.finditer(rf"\b(?:{_MULTITUDE[code]})\b", text, re.IGNORECASE):
        yield "number", folded(match.group())
    if code == "en":
        yield from (("date", f"weekday {_WEEKDAYS[match[1][:3]]}") for match in _WEEKDAY.finditer(text))
        for match in re.finditer(rf"\b({_EDGES}) of (?:the |this |next )?({periods})\b", text, re.IGNORECASE):
            yield "date", f"{folded(match[1])} of {folded(match[2])}"


def is_no_name(word: str) -> bool:
    """Whether a capital is explained by a numeral or a short weekday: "XIV", "Wed"."""
    return _ROMAN.fullmatch(word) is not None or _WEEKDAY.fullmatch(word) is not None


def without_speakers(text: str) -> tuple[str, list[int]]:
    """The text without every "Speaker 3" or "SPEAKER_03", and their numbers: they name people and count nothing."""
    return _SPEAKER.sub(" ", text), [int(match[2]) for match in _SPEAKER.finditer(text)]


def _roman(numeral: str) -> int:
    values = [_ROMAN_VALUES[sign] for sign in numeral]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


def foreign_words(text: str) -> Iterator[str]:
    """Words with a letter of another script than Latin: in a conversation that has none, they are names that nobody said."""
    for match in _WORD.finditer(text):
        if any(
            sign.isalpha() and ord(sign) > _LAST_LATIN and not unicodedata.name(sign, "").startswith("LATIN")
            for sign in match.group()
        ):
            yield match.group()


_LAST_LATIN = 0x24F
