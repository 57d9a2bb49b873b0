"""English text to the words that count: two transcripts that say the same should score the same.

In the manner of the normaliser described in the Whisper paper (Radford et al. 2022, appendix C), with code of our own:
lower case, no punctuation or accents, contractions written out, numbers in digits, no fillers, no bracketed remarks. It does
not unite British and American spellings. Figures made with it are comparable only with figures made with it: NAME goes with
them.
"""

from __future__ import annotations

import re
import unicodedata

from evaluation.numbers import spelled_to_digits

NAME = "roundtable-english-2"

_FILLERS = frozenset(("uh", "um", "uhm", "hmm", "hm", "mm", "mmm", "mhm", "er", "erm"))

_ONE_WORD = {
    "ok": "okay",
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "cannot": "can not",
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "got to",
    "alright": "all right",
}

# In order: the particular before the general. A possessive `'s` just loses its apostrophe.
_CONTRACTIONS = [
    (re.compile(pattern), written_out)
    for pattern, written_out in (
        (r"\bwon't\b", "will not"),
        (r"\bcan't\b", "can not"),
        (r"\bshan't\b", "shall not"),
        (r"\blet's\b", "let us"),
        (r"n't\b", " not"),
        (r"'re\b", " are"),
        (r"'ve\b", " have"),
        (r"'ll\b", " will"),
        (r"'m\b", " am"),
        (r"'d (been|better)\b", r" had \1"),
        (r"'d\b", " would"),
        (r"'s (been|got|become)\b", r" has \1"),
        (r"\b(he|she|it|that|this|there|here|what|where|who|how|when|why|everything|everybody|everyone|nothing)'s\b", r"\1 is"),
    )
]
_CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds"}
_MONEY = re.compile(r"([$€£])\s*(\d+(?:\.\d+)?(?:\s+(?:hundred|thousand|million|billion)\b)?)")
_INITIALS = re.compile(r"(?<![\w.])(?:[a-z]\.){2,}(?!\w)")
"""`u.s.`, `p.m.`: one word, as it is without the dots."""


def normalize(text: str) -> list[str]:
    """The words of a text that count, in order."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"[’‘ʼ`´]", "'", text)
    text = re.sub(r"\[[^\]]*\]|\([^)]*\)|<[^>]*>", " ", text)
    for pattern, written_out in _CONTRACTIONS:
        text = pattern.sub(written_out, text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = _MONEY.sub(lambda match: f"{match[2]} {_CURRENCIES[match[1]]}", text)
    text = _INITIALS.sub(lambda match: match[0].replace(".", ""), text)
    text = text.replace("%", " percent").replace("&", " and ").replace("'", "")
    text = "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")
    text = re.sub(r"(?<!\d)\.|\.(?!\d)|[^\w.]|_", " ", text)
    words = " ".join(_ONE_WORD.get(word, word) for word in text.split() if word not in _FILLERS).split()
    return spelled_to_digits(words)
