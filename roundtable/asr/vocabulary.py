"""Text and tokens of one checkpoint: the byte-level BPE that every Whisper has, read from whatever files it was saved with.

The tokenizers library reads them itself, and not through transformers' classes: those differ between versions, one refuses what
the other has written, and nothing of what they add is needed here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "added_tokens.json")
"""What may be read of a checkpoint. Either the first one, or the others, is enough."""

_CONTROL = re.compile(r"<\|.*\|>")
"""<|en|>, <|startofprev|>, <|12.34|> …"""

_TIMESTAMPS = 1501
"""0.00 to 30.00 s in steps of 20 ms. Older tokenizers do not spell them, though their models have them."""


class Vocabulary:
    """Any number of threads may use it. Raises `ValueError` when the folder's files are missing, damaged or not Whisper's."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        whole = _whole_tokenizer(folder)
        # The same without the control tokens: whatever somebody writes, it is read as text.
        plain = Tokenizer(whole.model)
        plain.normalizer = whole.normalizer
        plain.pre_tokenizer = whole.pre_tokenizer
        self._whole: Final = whole
        self._plain: Final = plain
        self.control_tokens: Final[Mapping[str, int]] = {
            text: id_ for text, id_ in whole.get_vocab(with_added_tokens=True).items() if _CONTROL.fullmatch(text)
        }
        if "<|notimestamps|>" not in self.control_tokens:
            raise ValueError("no <|notimestamps|> in it")
        self.timestamp_begin: Final = self.control_tokens["<|notimestamps|>"] + 1
        timestamps = range(self.timestamp_begin, self.timestamp_begin + _TIMESTAMPS)
        self._silent: Final = frozenset(self.control_tokens.values()) | frozenset(timestamps)

    def encode(self, text: str) -> list[int]:
        """Tokens of `text` as it stands; none of them is a control token."""
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids that are text, with its spaces as they are. Half a character becomes U+FFFD."""
        text: str = self._whole.decode([id_ for id_ in ids if id_ not in self._silent], skip_special_tokens=True)
        return text


def _whole_tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        return _from_slow_files(folder)
    raise ValueError("neither tokenizer.json nor vocab.json and merges.txt")


def _from_slow_files(folder: Path) -> Any:
    """What transformers' slow tokenizer writes: GPT-2's files, and the control tokens beside them."""
    from tokenizers import Tokenizer
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    vocabulary, merges = BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    details = _json(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
    added = {str(token["content"]): int(id_) for id_, token in details.items()}
    # Members of the vocabulary like any other: no merge leads to them, so no text ever becomes one.
    tokenizer = Tokenizer(BPE({**vocabulary, **added, **_json(folder / "added_tokens.json")}, merges))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not isinstance(content, dict):
        raise ValueError("not an object")
    return content
