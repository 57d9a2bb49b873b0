"""How seven languages spell their numbers: the tables that `numbers.py` reads spoken numbers by.

A `Spelling` holds every word that is a number by itself, compounds like "einundzwanzig" spelled out, so that reading needs no
grammar beyond "twenty" + "one", "two" + "hundred", "three" + "thousand".
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache


@dataclass(frozen=True, slots=True)
class Spelling:
    """All words case-folded and without accents. `small`: numbers that are added. `scales`: what multiplies (100, 1000 …)."""

    small: Mapping[str, int]
    scales: Mapping[str, int]
    joiners: frozenset[str] = frozenset()
    """Words within a number: "and", "y"."""
    points: frozenset[str] = frozenset()
    """What a decimal point is called."""
    ordinals: Mapping[str, int] = field(default_factory=dict)
    and_a_half: tuple[list[str], ...] = ()
    """What follows a number to make it half a one more."""
    half_endings: tuple[str, ...] = ()
    """The same within the word: "zweieinhalb"."""
    one_and_a_half: frozenset[str] = frozenset()
    halves: frozenset[str] = frozenset()
    """Half of something: "half", "moitié"."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """What stands behind the number of parts of a fraction: "thirds"."""
    of: frozenset[str] = frozenset()
    minus: frozenset[str] = frozenset()
    """The sign, where its word is no word of grammar too."""
    counts_in_twenties: bool = False
    """Seventy is sixty and ten, eighty four twenties."""
    inner: tuple[str, ...] = ()
    """Scales that stand within a longer word, the largest first: "zweitausendfünf"."""

    def word(self, word: str) -> int | None:
        """The number that a case-folded word is by itself; None: it is none."""
        known = self.small.get(word)
        if known is not None or word in self.scales:
            return known
        for scale in self.inner:
            head, found, tail = word.partition(scale)
            if found:
                before = self.word(head) if head else 1
                after = self.word(tail.removeprefix("und")) if tail else 0
                return None if before is None or after is None else before * self.scales[scale] + after
        return None

    def with_half(self, word: str) -> int | None:
        """The number that a word is half a one more than: 2 for "zweieinhalb"."""
        if word in self.one_and_a_half:
            return 1
        if not word.endswith(self.half_endings):
            return None
        heads = (self.word(word.removesuffix(ending)) for ending in self.half_endings if word.endswith(ending))
        return next((head for head in heads if head is not None), None)

    months: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()


def folded(word: str) -> str:
    """Case-folded, without accents: recognisers and models drop them at will."""
    if word.isascii():
        return word.lower()
    return "".join(sign for sign in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(sign))


def _counted(text: str, start: int = 0, step: int = 1) -> dict[str, int]:
    """Words in order, synonyms joined by a slash."""
    entries = enumerate(text.split())
    return {folded(word): start + step * place for place, entry in entries for word in entry.split("/")}


def _compounds(units: Mapping[str, int], tens: Mapping[str, int], link: str) -> dict[str, int]:
    """German and Dutch: unit, link, ten, in one word."""
    return {
        unit + link + ten: value + ten_value
        for unit, value in units.items()
        if 0 < value < 10
        for ten, ten_value in tens.items()
    }


def _hundreds(small: Mapping[str, int], hundred: str) -> dict[str, int]:
    """Hundreds in one word with what precedes and follows them: "zweihundertfünfzig"."""
    found = {hundred: 100}
    for word, value in small.items():
        if 0 < value < 10:
            found[word + hundred] = value * 100
    heads = dict(found)
    for head, value in heads.items():
        for word, rest in small.items():
            if 0 < rest < 100:
                found[head + word] = value + rest
    return found


def _english() -> Spelling:
    teens = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen"
    )
    ordinals = _counted(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
        "sixteenth seventeenth eighteenth nineteenth",
        1,
    )
    tens = _counted("twenty thirty forty/fourty fifty sixty seventy eighty ninety", 20, 10)
    return Spelling(
        small={**_counted(teens), **tens, "dozen": 12},
        scales={"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "k": 1000, "m": 10**6, "bn": 10**9},
        joiners=frozenset({"and"}),
        points=frozenset({"point"}),
        ordinals={**ordinals, **{word[:-1] + "ieth": value for word, value in tens.items()}},
        and_a_half=(["and", "a", "half"],),
        halves=frozenset({"half"}),
        parts=_parts("half/halves third/thirds quarter/quarters/fourth/fourths fifth/fifths"),
        of=frozenset({"of"}),
        minus=frozenset({"minus", "negative"}),
        months=_list("january february march april may june july august september october november december"),
        weekdays=_list("monday tuesday wednesday thursday friday saturday sunday"),
    )


def _german() -> Spelling:
    units = _counted("null ein/eins zwei/zwo drei vier fünf/fuenf sechs sieben acht neun zehn elf zwölf/zwoelf")
    units |= _counted("dreizehn vierzehn fünfzehn/fuenfzehn sechzehn siebzehn achtzehn neunzehn", 13)
    tens = _counted("zwanzig dreißig/dreissig vierzig fünfzig/fuenfzig sechzig siebzig achtzig neunzig", 20, 10)
    small = {**units, **tens, **_compounds(units, tens, "und")}
    hundreds = _hundreds(small, "hundert")
    ordinals = {word + "te": value for word, value in units.items() if value > 3}
    ordinals |= {word + "ste": value for word, value in {**tens, **_compounds(units, tens, "und")}.items()}
    ordinals |= {"erste": 1, "zweite": 2, "dritte": 3, "siebte": 7, "achte": 8}
    return Spelling(
        small={**small, **hundreds, "dutzend": 12},
        scales={"hundert": 100, "tausend": 1000, "million": 10**6, "millionen": 10**6, "milliarde": 10**9, "milliarden": 10**9},
        joiners=frozenset({"und"}),
        inner=("tausend", "hundert"),
        points=frozenset({"komma", "punkt"}),
        ordinals={word + ending: value for word, value in ordinals.items() for ending in ("", "n", "r", "s", "m")},
        half_endings=("einhalb",),
        one_and_a_half=frozenset({"anderthalb"}),
        halves=frozenset({"halfte"}),
        parts=_parts("halbe drittel viertel funftel"),
        of=frozenset({"der", "des", "von", "aller"}),
        minus=frozenset({"minus"}),
        months=_list("januar februar marz april mai juni juli august september oktober november dezember"),
        weekdays=_list("montag dienstag mittwoch donnerstag freitag samstag sonntag sonnabend"),
    )


def _dutch() -> Spelling:
    units = _counted("nul een/één twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien")
    units |= _counted("zestien zeventien achttien negentien", 16)
    tens = _counted("twintig dertig veertig vijftig zestig zeventig tachtig negentig", 20, 10)
    small = {**units, **tens, **_compounds(units, tens, "en")}
    hundreds = _hundreds(small, "honderd")
    ordinals = {word + ending: value for word, value in small.items() for ending in ("de", "ste")}
    return Spelling(
        small={**small, **hundreds, "dozijn": 12},
        scales={"honderd": 100, "duizend": 1000, "miljoen": 10**6, "miljard": 10**9},
        joiners=frozenset({"en"}),
        inner=("duizend", "honderd"),
        points=frozenset({"komma", "punt"}),
        ordinals={**ordinals, "eerste": 1, "derde": 3},
        half_endings=("eneenhalf", "eneenhalve", "enhalf", "enhalve"),
        one_and_a_half=frozenset({"anderhalf", "anderhalve"}),
        halves=frozenset({"helft"}),
        parts=_parts("halve derde kwart vijfde"),
        of=frozenset({"van"}),
        minus=frozenset({"min", "minus"}),
        months=_list("januari februari maart april mei juni juli augustus september oktober november december"),
        weekdays=_list("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"),
    )


def _french() -> Spelling:
    units = _counted("zéro un/une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize")
    tens = _counted("vingt trente quarante cinquante soixante septante octante/huitante nonante", 20, 10)
    tens["vingts"] = 20
    ordinals = {word.removesuffix("e") + "ieme": value for word, value in {**units, **tens}.items() if value > 1}
    return Spelling(
        small={**units, **tens, "douzaine": 12},
        scales={"cent": 100, "cents": 100, "mille": 1000, **_pair("million", 10**6), **_pair("milliard", 10**9)},
        joiners=frozenset({"et"}),
        points=frozenset({"virgule", "point"}),
        counts_in_twenties=True,
        ordinals={**ordinals, "premier": 1, "premiere": 1, "cinquieme": 5, "neuvieme": 9},
        and_a_half=(["et", "demi"], ["et", "demie"]),
        halves=frozenset({"moitie"}),
        parts=_parts("demi tiers quart/quarts cinquieme/cinquiemes"),
        of=frozenset({"de", "des", "du", "d"}),
        months=_list("janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre"),
        weekdays=_list("lundi mardi mercredi jeudi vendredi samedi dimanche"),
    )


def _spanish() -> Spelling:
    units = _counted("cero uno/un/una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince")
    units |= _counted("dieciséis diecisiete dieciocho diecinueve veinte veintiuno/veintiún veintidós veintitrés", 16)
    units |= _counted("veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve", 24)
    tens = _counted("treinta cuarenta cincuenta sesenta setenta ochenta noventa", 30, 10)
    hundreds = _counted("doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos", 200, 100)
    hundreds |= {word[:-2] + "as": value for word, value in hundreds.items()} | {"novecientos": 900, "novecientas": 900}
    return Spelling(
        small={**units, **tens, **hundreds, "cien": 100, "ciento": 100, "docena": 12},
        scales={"mil": 1000, "millon": 10**6, "millones": 10**6},
        joiners=frozenset({"y"}),
        points=frozenset({"coma", "punto"}),
        ordinals=_counted("primero/primer/primera segundo/segunda tercero/tercer/tercera cuarto/cuarta quinto/quinta", 1),
        and_a_half=(["y", "medio"],),
        halves=frozenset({"mitad"}),
        parts=_parts("medio tercio/tercios cuarto/cuartos quinto/quintos"),
        of=frozenset({"de", "del"}),
        months=_list("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
        weekdays=_list("lunes martes miercoles jueves viernes sabado domingo"),
    )


def _italian() -> Spelling:
    units = _counted("zero uno/un/una due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici")
    units |= _counted("quindici sedici diciassette diciotto diciannove", 15)
    tens = _counted("venti trenta quaranta cinquanta sessanta settanta ottanta novanta", 20, 10)
    joined = {
        (ten[:-1] if value in {1, 8} else ten) + unit: ten_value + value
        for unit, value in units.items()
        if 0 < value < 10
        for ten, ten_value in tens.items()
    }
    small = {**units, **tens, **joined}
    hundreds = _hundreds(small, "cento")
    return Spelling(
        small={**small, **hundreds, "dozzina": 12},
        scales={
            "cento": 100,
            "mille": 1000,
            "mila": 1000,
            "milione": 10**6,
            "milioni": 10**6,
            "miliardo": 10**9,
            "miliardi": 10**9,
        },
        joiners=frozenset({"e"}),
        inner=("mila", "mille", "cento"),
        points=frozenset({"virgola", "punto"}),
        ordinals=_counted("primo/prima secondo/seconda terzo/terza quarto/quarta quinto/quinta sesto/sesta settimo", 1),
        and_a_half=(["e", "mezzo"],),
        halves=frozenset({"meta"}),
        parts=_parts("mezzo terzo/terzi quarto/quarti quinto/quinti"),
        of=frozenset({"di", "del", "della", "dei", "degli", "delle"}),
        months=_list("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
        weekdays=_list("lunedi martedi mercoledi giovedi venerdi sabato domenica"),
    )


def _portuguese() -> Spelling:
    units = _counted("zero um/uma dois/duas três quatro cinco seis sete oito nove dez onze doze treze catorze/quatorze quinze")
    units |= _counted("dezasseis/dezesseis dezassete/dezessete dezoito dezanove/dezenove", 16)
    tens = _counted("vinte trinta quarenta cinquenta sessenta setenta oitenta noventa", 20, 10)
    hundreds = _counted("duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos", 200, 100)
    hundreds |= {word[:-2] + "as": value for word, value in hundreds.items()}
    return Spelling(
        small={**units, **tens, **hundreds, "cem": 100, "cento": 100, "duzia": 12},
        scales={"mil": 1000, "milhao": 10**6, "milhoes": 10**6, "bilhao": 10**9, "bilhoes": 10**9},
        joiners=frozenset({"e"}),
        points=frozenset({"virgula"}),
        ordinals=_counted("primeiro/primeira segundo/segunda terceiro/terceira quarto/quarta quinto/quinta", 1),
        and_a_half=(["e", "meio"],),
        halves=frozenset({"metade"}),
        parts=_parts("meio terço/terços quarto/quartos quinto/quintos"),
        of=frozenset({"de", "do", "da", "dos", "das"}),
        months=_list("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
        weekdays=_list("segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo"),
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(folded(word) for word in text.split())


def _parts(text: str) -> dict[str, int]:
    return _counted(text, 2)


def _pair(word: str, value: int) -> dict[str, int]:
    return {word: value, word + "s": value}


_BY_LANGUAGE = {
    "en": _english,
    "de": _german,
    "nl": _dutch,
    "fr": _french,
    "es": _spanish,
    "it": _italian,
    "pt": _portuguese,
}
SPELLED_LANGUAGES: Sequence[str] = tuple(_BY_LANGUAGE)


@cache
def spelling(language: str | None) -> Spelling:
    """Of a language code; one without words for a language that is not among the seven."""
    make = _BY_LANGUAGE.get((language or "").lower().split("-")[0])
    return Spelling({}, {}) if make is None else make()
