"""Words, for an engine without a tokenizer: what a token is, which words carry meaning, and whether a text is English.

Nothing here knows turns or speakers. Scripts that are written without spaces between words (Chinese, Japanese, Thai, …) are
counted by the character and compared by pairs of characters; everything else by what stands between spaces.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from itertools import islice

# Thai, Lao, Tibetan, Myanmar, Khmer; kana; Han with its extensions; half-width katakana.
_UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003134f"
)
UNSPACED = re.compile(f"[{_UNSPACED}]")
TOKEN = re.compile(rf"[{_UNSPACED}][^\w\s]*|[^\s{_UNSPACED}]+")
"""One token: a character of an unspaced script, or a run of anything else; punctuation and marks go with what they follow."""

_UNSPACED_RUN = re.compile(f"([{_UNSPACED}]+)")
_AROUND_WORDS = string.punctuation + "“”‘’„«»‹›…–—¿¡、。，！？；：「」『』（）؟،؛۔।"


def word_set(text: str) -> frozenset[str]:
    """A list of words, written as a text."""
    return frozenset(text.split())


ENGLISH_STOP_WORDS = word_set("""
    a an the this that these those some any each every all both few many much more most other another such no nor none
    i you he she it we they me him her us them my your his its our their mine yours hers ours theirs myself yourself himself
    herself itself ourselves themselves someone somebody something anyone anybody anything everyone everybody everything
    nobody nothing one ones who whom whose which what when where why how whatever whenever wherever
    and or but if then else so because as while since until till although though unless whether than
    of at by for with without about against between among into onto through during before after above below to from up down
    in out on off over under again further upon within along across around behind beyond per via
    am is are was were be been being have has had having do does did doing done will would shall should can could may might
    must ought cannot not n't don't doesn't didn't won't wouldn't can't couldn't shouldn't isn't aren't wasn't weren't hasn't
    haven't hadn't mustn't needn't ain't i'm i've i'll i'd you're you've you'll you'd he's he'll he'd she's she'll she'd it's
    it'll it'd we're we've we'll we'd they're they've they'll they'd that's that'll there's here's what's who's where's how's
    let's let im ive id dont doesnt didnt wont cant isnt thats lets youre weve theyre
    here there now just also too very only own same even still yet ever never always often sometimes already quite rather
    really actually basically literally probably maybe perhaps definitely certainly obviously simply almost enough away back
    well okay ok yes yeah yep yup no nope oh ah um uh hmm hm mm mhm huh er erm right sure alright fine great good nice thanks
    thank please sorry hello hi hey bye goodbye welcome course anyway like kind sort lot lots bit stuff thing things way
    go goes going went gone gonna get gets getting got gotten come comes coming came make makes making made take takes taking
    took taken put puts give gives giving gave given say says saying said tell tells telling told think thinks thinking
    thought know knows knowing knew known see sees seeing saw seen look looks looking looked want wants wanted wanting need
    needs needed needing mean means meant guess suppose feel feels felt try tries trying tried keep keeps kept use using used
    able first second next last one two three today tomorrow yesterday morning afternoon
    evening
    """)
"""Function words, and the words of talk (fillers, and verbs that say little), in which a transcript is so much richer
than a written text. Written down here, since scikit-learn's list has neither and drops words like "system" and "bill"."""

_SAMPLE_TOKENS = 2000
_ENGLISH_SHARE = 0.3
"""Of spoken English, well over 40 % are words of the list above; of German, Dutch or Spanish, under 15 %."""


def count_tokens(text: str) -> int:
    """The number of tokens: words, or characters in scripts that put no space between words."""
    return sum(1 for _ in TOKEN.finditer(text))


def cut_to_tokens(text: str, tokens: int) -> str:
    """The first `tokens` tokens, cut between tokens."""
    ends = [token.end() for token in islice(TOKEN.finditer(text), max(0, tokens))]
    return text[: ends[-1]] if ends else ""


def has_words(text: str) -> bool:
    """Whether anything in the text is said, rather than punctuation or a picture."""
    return any(character.isalnum() for character in text)


def squeeze(text: str) -> str:
    """The text with every run of white space made one space."""
    return " ".join(text.split())


def words(text: str) -> Iterator[str]:
    """The words, case-folded and without the punctuation around them; a run of an unspaced script is one word."""
    for chunk in text.casefold().replace("’", "'").split():
        for part in _UNSPACED_RUN.split(chunk):
            word = part.strip(_AROUND_WORDS)
            if has_words(word):
                yield word


def terms(text: str, stop_words: frozenset[str]) -> list[str]:
    """What two texts are compared by: words that are no stop words, and pairs of characters where words have no spaces."""
    found = []
    for word in words(text):
        if UNSPACED.match(word):
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        elif word not in stop_words:
            found.append(word)
    return found


def is_english(texts: Iterable[str], language: str | None) -> bool:
    """Whether English word lists may be applied: the language says so, or, if it is not known, the words themselves do."""
    if language is not None:
        return language.lower().split("-")[0] == "en"
    sample = list(islice((word for text in texts for word in words(text)), _SAMPLE_TOKENS))
    return bool(sample) and sum(word in ENGLISH_STOP_WORDS for word in sample) >= _ENGLISH_SHARE * len(sample)


def content_words(text: str) -> frozenset[str]:
    """The words that are no English stop words."""
    return frozenset(word for word in words(text) if word not in ENGLISH_STOP_WORDS)


_SAME_SHARE = 0.7


def alike(one: frozenset[str], other: frozenset[str], least: int = 2) -> bool:
    """Whether two sets of content words say the same: the smaller has `least` words or more, most of them in the larger too."""
    smaller = min(len(one), len(other))
    return one == other or (smaller >= least and len(one & other) >= _SAME_SHARE * smaller)
