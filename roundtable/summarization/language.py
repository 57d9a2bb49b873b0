"""Which language a text is in, by its commonest words and by its script: enough to see that a summary is in the wrong one.

Seven languages of Latin script are told apart by words, others by their script alone. Short or mixed texts are not judged.
"""

from __future__ import annotations

import re
from itertools import islice

from roundtable.summarization.text import word_set, words

_SAMPLE = 2000
_FEWEST_WORDS = 8
_LEAST_SHARE, _LEAD = 0.15, 1.5
"""The best language has so many of its words among all, and so many times as many as the next best."""

_COMMON = {
    "en": word_set("the and of to is that it was for with are this have not be they will we by from at or an which their as"),
    "de": word_set(
        "der die das und ist nicht ich wir sie mit den auf für von zu ein eine dem auch es sich des dass wird werden"
    ),
    "fr": word_set("le la les et est des un une que dans pour pas qui sur au avec ce nous il elle du sont ont plus par"),
    "es": word_set("el la los las y es que de en un una por con no se para del al lo su más como está pero son"),
    "it": word_set("il la le gli e è che di in un una per con non si del della sono al dei come anche ha più nel"),
    "pt": word_set("o a os as e é que de em um uma por com não se para do da no na mais como está mas são"),
    "nl": word_set("de het een en is van dat niet in op te zijn voor met die aan ook er maar om wordt naar bij wij hij"),
}
_SCRIPTS = (
    (re.compile("[\u0400-\u04ff]"), frozenset({"ru", "uk", "be", "bg", "sr", "mk", "kk", "mn", "tg", "tt", "ba"})),
    (re.compile("[\u0370-\u03ff]"), frozenset({"el"})),
    (re.compile("[\u0590-\u05ff]"), frozenset({"he", "yi"})),
    (re.compile("[\u0600-\u06ff]"), frozenset({"ar", "fa", "ur", "ps", "sd", "ug"})),
    (re.compile("[\u0900-\u097f]"), frozenset({"hi", "mr", "ne", "sa"})),
    (re.compile("[\u0e00-\u0e7f]"), frozenset({"th"})),
    (re.compile("[\uac00-\ud7af]"), frozenset({"ko"})),
    (re.compile("[\u3040-\u30ff]"), frozenset({"ja"})),
    (re.compile("[\u4e00-\u9fff]"), frozenset({"zh", "yue", "ja"})),
)
_LATIN = re.compile("[A-Za-zÀ-ɏ]")


def detect(text: str) -> str | None:
    """The code of one of the seven; None where it is another one, or not clear."""
    sample = list(islice(words(text), _SAMPLE))
    if len(sample) < _FEWEST_WORDS:
        return None
    share = sorted(
        ((sum(word in common for word in sample) / len(sample), code) for code, common in _COMMON.items()), reverse=True
    )
    (best, code), (second, _) = share[0], share[1]
    return code if best >= _LEAST_SHARE and best >= _LEAD * second else None


def is_in(text: str, language: str) -> bool | None:
    """Whether a text is in the language of a code; None where that cannot be told."""
    code = language.lower().split("-")[0]
    letters = sum(sign.isalpha() for sign in text[:20_000])
    if letters < 2 * _FEWEST_WORDS:
        return None
    of_script = [codes for _, codes in _SCRIPTS if code in codes]
    if of_script:
        mine = sum(len(pattern.findall(text[:20_000])) for pattern, codes in _SCRIPTS if code in codes)
        return mine >= 0.3 * letters
    found = detect(text)
    if found is not None and code in _COMMON:
        return found == code
    latin = len(_LATIN.findall(text[:20_000]))
    return False if code in _COMMON and latin < 0.3 * letters else None
