"""What people said, made harmless for a prompt: no line, no delimiter and no control token can be forged from inside of it.

A transcript is data, yet a model reads it in the same stream of tokens as its instructions. So nothing in it may look like what
frames it: every turn is one line, brackets and bars become round ones and slashes, which leaves no chat template's tokens, no
JSON and no delimiter of ours, and a control token that is spelled without such characters is broken apart. Words stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from roundtable.plain import plain_text

_LIKE_BRACKETS = str.maketrans(
    {
        **dict.fromkeys("<[{＜［｛﹤﹛︷﹇≮❮⟨〈", "("),
        **dict.fromkeys(">]}＞］｝﹥﹜︸﹈≯❯⟩〉", ")"),
        **dict.fromkeys("|｜￨¦", "/"),
        **dict.fromkeys("`｀\u1fef", "'"),
    }
)
"""With the forms of them that a tokenizer's Unicode normalisation, composing or not, turns back into them."""
_BUT_JSON = {sign: instead for sign, instead in _LIKE_BRACKETS.items() if chr(sign) not in "[]{}"}


class Guard:
    """`guard(text)` is one line that holds none of `control_texts`. Keeps no state; linear in the length of the text."""

    def __init__(self, control_texts: Iterable[str] = ()) -> None:
        texts = list(control_texts)
        self._spelled: Final = _spelled(texts, _LIKE_BRACKETS)
        self._spelled_in_json: Final = _spelled(texts, _BUT_JSON)

    def __call__(self, text: str) -> str:
        return _guarded(text, _LIKE_BRACKETS, self._spelled)

    def json(self, text: str) -> str:
        """The same for JSON that a model wrote and is to mend: square brackets and braces stay."""
        return _guarded(text, _BUT_JSON, self._spelled_in_json)


def _spelled(control_texts: Iterable[str], instead: Mapping[int, str]) -> re.Pattern[str] | None:
    """Any of the texts that is still one when its signs are replaced."""
    left = {text.strip() for text in control_texts if text.translate(instead) == text}
    spelled = sorted((text for text in left if len(text) > 1), key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, spelled))) if spelled else None


def _guarded(text: str, instead: Mapping[int, str], spelled: re.Pattern[str] | None) -> str:
    # White space first: among what `plain_text` removes are line breaks, and they part words.
    line = " ".join(plain_text(" ".join(text.split())).split()).translate(instead)
    return line if spelled is None else spelled.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", line)
