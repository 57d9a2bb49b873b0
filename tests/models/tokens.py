"""Whisper's tokenizer at any size: byte-level BPE, and Whisper's own special tokens and timestamps in their fixed order.

The library hard-codes parts of that order: `<|nospeech|>` stands right before `<|notimestamps|>`, the timestamps follow right
after it and are not special, and a language's id is its place in the full list, so no language can be left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import WhisperFeatureExtractor, WhisperTokenizer
from transformers.models.whisper.tokenization_whisper import LANGUAGES

TIMESTAMP_STEP_S = 0.02
LAST_TIMESTAMP = 1500  # 30 s
END = "<|endoftext|>"

Merges = list[tuple[str, str]]

# How byte-level BPE writes the 256 bytes, in its order: printable ones as they are, then the others, moved out of the way.
_PRINTABLE = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTES = [*map(chr, _PRINTABLE), *(chr(0x100 + i) for i in range(0x100 - len(_PRINTABLE)))]
_BYTE_ORDER = [*_PRINTABLE, *(byte for byte in range(0x100) if byte not in _PRINTABLE)]


def as_piece(text: str) -> str:
    """The text as byte-level BPE writes it."""
    return "".join(BYTES[_BYTE_ORDER.index(byte)] for byte in text.encode())


def whole_words(words: Sequence[str]) -> tuple[dict[str, int], Merges]:
    """The smallest byte-level BPE found in which each word, with the space before it, is one piece."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=100_000, min_frequency=1, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator((f" {word}" for word in words), trainer)
    bpe = json.loads(tokenizer.to_str())["model"]
    return bpe["vocab"], [(first, second) for first, second in bpe["merges"]]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The ids of the special tokens, for a vocabulary whose ordinary pieces are 0 ... `pieces` - 1."""

    pieces: int
    languages: tuple[str, ...] = tuple(LANGUAGES)

    @property
    def end(self) -> int:
        return self.pieces

    @property
    def start(self) -> int:
        return self.pieces + 1

    def language(self, code: str) -> int:
        return self.start + 1 + self.languages.index(code)

    @property
    def translate(self) -> int:
        return self.start + 1 + len(self.languages)

    @property
    def transcribe(self) -> int:
        return self.translate + 1

    @property
    def start_of_lm(self) -> int:
        return self.translate + 2

    @property
    def previous(self) -> int:
        return self.translate + 3

    @property
    def no_speech(self) -> int:
        return self.translate + 4

    @property
    def no_timestamps(self) -> int:
        return self.translate + 5

    def timestamp(self, seconds: float) -> int:
        """The nearest of <|0.00|> ... <|30.00|>."""
        return self.no_timestamps + 1 + min(max(round(seconds / TIMESTAMP_STEP_S), 0), LAST_TIMESTAMP)

    @property
    def size(self) -> int:
        """Ids in all, which is also the model's vocabulary size."""
        return self.timestamp(30.0) + 1

    def special(self) -> list[str]:
        """The special tokens' texts, in the order of their ids, without the timestamps."""
        return [
            END,
            "<|startoftranscript|>",
            *(f"<|{code}|>" for code in self.languages),
            *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
        ]


def save_processor(folder: Path, vocabulary: dict[str, int], merges: Merges, tokens: Tokens, mel_bins: int) -> WhisperTokenizer:
    """Write the tokenizer and the feature extractor, in the files of transformers 4 and of transformers 5."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = WhisperTokenizer(vocab=dict(vocabulary), merges=list(merges), unk_token=END, pad_token=END)
    tokenizer.add_special_tokens({"extra_special_tokens": tokens.special()[1:]})
    stamps = [f"<|{index * TIMESTAMP_STEP_S:.2f}|>" for index in range(LAST_TIMESTAMP + 1)]
    tokenizer.add_tokens([AddedToken(stamp, lstrip=False, rstrip=False, normalized=False, special=False) for stamp in stamps])
    if len(tokenizer) != tokens.size or tokenizer.convert_tokens_to_ids("<|0.00|>") != tokens.timestamp(0.0):
        raise ValueError("the library numbered the special tokens otherwise than Whisper does")
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=mel_bins).save_pretrained(folder)  # type: ignore[no-untyped-call]

    # What transformers 4 reads instead of, or beside, tokenizer.json.
    config_path = folder / "tokenizer_config.json"
    config = json.loads(config_path.read_text(encoding="utf-8"))
    config["additional_special_tokens"] = config.pop("extra_special_tokens", tokens.special()[1:])
    _write_json(config_path, config)
    ordinary = vocabulary | ({END: tokens.end} if END not in vocabulary else {})
    _write_json(folder / "vocab.json", ordinary)
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    added = {text: tokens.start + index for index, text in enumerate(tokens.special()[1:])}
    _write_json(folder / "added_tokens.json", added | {stamp: tokens.timestamp(0.0) + i for i, stamp in enumerate(stamps)})
    ends = {"bos_token": END, "eos_token": END, "pad_token": END, "unk_token": END}
    _write_json(folder / "special_tokens_map.json", {**ends, "additional_special_tokens": tokens.special()[1:]})
    return tokenizer


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
