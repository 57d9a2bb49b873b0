"""What a request says beforehand, and whether the model merely said it again.

Whisper takes what stands before <|startoftranscript|> for the text that came before, and spells and punctuates alike: names
given there come out right. On noise, or on a mumble, it may also write that text once more; `leaks` finds it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher

_HOTWORD_SHARE = 0.9
"""Of the room, what the hotwords may take when there are many: 200 tokens of 223."""

_PROMPT_WORDS, _HOTWORDS = 4, 3
"""As many words of the prompt, or as many hotwords, one after the other: chance does not write that. All of a shorter list."""

_MISSING_WORDS = 2

_CHARACTERS_PER_WORD = 2
"""Where no spaces are written, each character is taken for a word, and this many count as one."""

_SAME_SOUND = 0.45
"""Letters in common, from 0 to 1. Names that were misheard have 0.6 and more of them ("Kovalchick" for "Kowalczyk"), sentences
that have nothing to do with each other less than 0.4."""

_UNSPACED = ((0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0x20000, 0x3FFFF))
"""Thai, Lao and Tibetan, Burmese, Khmer, kana, Han."""


def previous_tokens(
    encode: Callable[[str], list[int]], prompt: str | None, hotwords: Sequence[str], limit: int = 223
) -> list[int]:
    """What goes between <|startofprev|> and <|startoftranscript|>: at most `limit` tokens, none if nothing was given.

    The hotwords come first, as a sentence, each once and each whole or not at all; then the prompt, and of a long one its end,
    from the beginning of a word on. `encode` must take control tokens in the text for text. 223 is OpenAI's limit: half of what
    the decoder can read, less the two tags.
    """
    listed = _listed(encode, hotwords, int(limit * _HOTWORD_SHARE))
    return [*listed, *_end_of(encode, prompt or "", limit - len(listed))]


def leaks(text: str, prompt: str | None, hotwords: Sequence[str], heard: str | None = None) -> bool:
    """Whether `text`, written with this prompt, repeats it: four words in a row, or three hotwords in the order given.

    `heard` is the same speech written without the prompt, if that is known: what stands there too, or something that sounds
    like it, was said. Without it the answer is a suspicion.
    """
    words = _words(text)
    repeated = [*_prompt_stretches(words, _words(prompt or "")), *_hotword_stretches(words, [_words(hot) for hot in hotwords])]
    if heard is None:
        return bool(repeated)
    heard_words = _words(heard)
    return any(not _was_said(words, stretch, heard_words) for stretch in repeated)


def loses(text: str, heard: str) -> bool:
    """Whether two words or more in a row that were `heard` without the prompt are missing from `text`, written with it.

    What stands in their place counts: a name that the prompt put right is not missing.
    """
    words, heard_words = _words(text), _words(heard)
    changes = SequenceMatcher(None, heard_words, words, autojunk=False).get_opcodes()
    return any(
        _weight(heard_words[start:end]) - _weight(words[written_start:written_end]) >= _MISSING_WORDS
        for tag, start, end, written_start, written_end in changes
        if tag != "equal"
    )


# ---- The prompt as tokens


def _listed(encode: Callable[[str], list[int]], hotwords: Sequence[str], limit: int) -> list[int]:
    named = dict.fromkeys(" ".join(hotword.split()) for hotword in hotwords)
    kept: list[str] = []
    tokens: list[int] = []
    for hotword in named:
        if hotword and len(longer := encode(" " + ", ".join([*kept, hotword]) + ".")) <= limit:
            kept.append(hotword)
            tokens = longer
    return tokens


def _end_of(encode: Callable[[str], list[int]], text: str, limit: int) -> list[int]:
    words = text.split()
    tokens: list[int] = []
    for word in reversed(words):
        of_word = encode(" " + word)  # byte-level BPE never merges over a space
        if len(tokens) + len(of_word) > limit:
            return tokens or (_end_of_passage(encode, word, limit) if any(map(_unspaced, word)) else [])
        tokens = of_word + tokens
    return tokens


def _end_of_passage(encode: Callable[[str], list[int]], passage: str, limit: int) -> list[int]:
    """As many of its last characters as there is room for, in a language that writes no spaces."""
    shortest, longest = 0, min(len(passage), limit)
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        if len(encode(" " + passage[-middle:])) <= limit:
            shortest = middle
        else:
            longest = middle - 1
    return encode(" " + passage[-shortest:]) if shortest else []


# ---- The prompt in the transcript


def _prompt_stretches(words: Sequence[str], prompt: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the text goes along with the prompt for long enough: half-open ranges of its words."""
    enough = max(2.0, min(_PROMPT_WORDS, _weight(prompt)))
    for block in SequenceMatcher(None, words, prompt, autojunk=False).get_matching_blocks():
        if _weight(words[block.a : block.a + block.size]) >= enough:
            yield block.a, block.a + block.size


def _hotword_stretches(words: Sequence[str], hotwords: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    known = [hotword for hotword in hotwords if hotword]
    enough = min(_HOTWORDS, len(known))
    if enough < 2:
        return
    for first in range(len(known) - enough + 1):
        run = [word for hotword in known[first : first + enough] for word in hotword]
        for start in range(len(words) - len(run) + 1):
            if words[start : start + len(run)] == run:
                yield start, start + len(run)


def _was_said(words: Sequence[str], stretch: tuple[int, int], heard: Sequence[str]) -> bool:
    """Whether the words that stand in `heard` in the place of this stretch sound like it."""
    first, last = stretch
    if any(heard[at : at + last - first] == words[first:last] for at in range(len(heard))):
        return True
    written, instead = "", ""
    for tag, start, end, heard_start, heard_end in SequenceMatcher(None, words, heard, autojunk=False).get_opcodes():
        if tag == "equal":
            common = "".join(words[max(start, first) : min(end, last)])
            written, instead = written + common, instead + common
        elif start < last and end > first:
            written += "".join(words[start:end])
            instead += "".join(heard[heard_start:heard_end])
    return SequenceMatcher(None, written, instead, autojunk=False).ratio() >= _SAME_SOUND


def _weight(words: Sequence[str]) -> float:
    return sum(1 / _CHARACTERS_PER_WORD if _unspaced(word[0]) else 1.0 for word in words)


def _words(text: str) -> list[str]:
    """The words without case, accents of any kind and marks; where no spaces are written, the characters."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = [(character, unicodedata.category(character)[0]) for character in plain if character not in "'’"]
    words: list[str] = []
    before = " "
    for character, kind in letters:
        if kind == "M":
            continue
        if kind in "LN":
            if before in "LN" and not _unspaced(character) and not _unspaced(words[-1][0]):
                words[-1] += character
            else:
                words.append(character)
        before = kind
    return words


def _unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _UNSPACED)
