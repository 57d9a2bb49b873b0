"""What people said, made harmless for a prompt: no line, no delimiter and no control token can be forged from inside of it.

A transcript is data, yet a model reads it in the same stream of tokens as its instructions. So nothing in it may look like what
frames it: every turn is one line, brackets and bars become round ones and slashes, which leaves no chat template's tokens, no
JSON and no delimiter of ours, and a control token that is spelled without such characters is broken apart. Words stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from roundtable.plain import plain_text

_LIKE_BRACKETS = str.maketrans(
    {
        **dict.fromkeys("<[{＜［｛﹤﹛❮⟨〈", "("),
        **dict.fromkeys(">]}＞］｝﹥﹜❯⟩〉", ")"),
        **dict.fromkeys("|｜￨¦", "/"),
        "`": "'",
    }
)
"""With the forms of them that a tokenizer's Unicode normalisation turns back into them."""


class Guard:
    """`guard(text)` is one line that holds none of `control_texts`. Keeps no state; linear in the length of the text."""

    def __init__(self, control_texts: Iterable[str] = ()) -> None:
        left = {text.translate(_LIKE_BRACKETS).strip() for text in control_texts if text.translate(_LIKE_BRACKETS) == text}
        spelled = sorted((text for text in left if len(text) > 1), key=lambda text: (-len(text), text))
        self._spelled: Final = re.compile("|".join(map(re.escape, spelled))) if spelled else None

    def __call__(self, text: str) -> str:
        # White space first: among what `plain_text` removes are line breaks, and they part words.
        line = " ".join(plain_text(" ".join(text.split())).split()).translate(_LIKE_BRACKETS)
        if self._spelled is None:
            return line
        return self._spelled.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", line)
