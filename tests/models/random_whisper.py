"""Whisper with random weights, in any published shape: for speed, memory, and code that depends on the shape.

    python -m tests.models.random_whisper large-v3-turbo --out DIR [--seed 0]

The folder has everything a checkpoint from the Hub has: configuration, generation settings with the published alignment heads,
language ids and suppressed tokens, and a tokenizer with every id in its published place. The words of that tokenizer are made
up, and so is everything the model says.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from tests.models.tokens import BYTES, Merges, Tokens, save_processor

_ENGLISH_PIECES, _PIECES = 50_256, 50_257  # ordinary ids of English-only and of multilingual checkpoints

Heads = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """`languages` is 0 for an English-only checkpoint, which still has the tokens of 99."""

    width: int
    encoder_layers: int
    decoder_layers: int
    mel_bins: int = 80
    languages: int = 99
    alignment_heads: Heads = ()  # layer and head; none are published for the distilled ones

    @property
    def tokens(self) -> Tokens:
        return Tokens(_PIECES if self.languages else _ENGLISH_PIECES, tuple(LANGUAGES)[: self.languages or 99])


_LARGE_V3_HEADS = ((7, 0), (10, 17), (12, 18), (13, 12), (16, 1), (17, 14), (19, 11), (21, 4), (24, 1), (25, 6))

# Heads as in the published generation settings.
SHAPES = {
    "tiny": Shape(384, 4, 4, alignment_heads=((2, 2), (3, 0), (3, 2), (3, 3), (3, 4), (3, 5))),
    "tiny.en": Shape(384, 4, 4, languages=0, alignment_heads=((1, 0), (2, 0), (2, 5), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4))),
    "base": Shape(512, 6, 6, alignment_heads=((3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6))),
    "base.en": Shape(512, 6, 6, languages=0, alignment_heads=((3, 3), (4, 7), (5, 1), (5, 5), (5, 7))),
    "small": Shape(
        768,
        12,
        12,
        alignment_heads=((5, 3), (5, 9), (8, 0), (8, 4), (8, 7), (8, 8), (9, 0), (9, 7), (9, 9), (10, 5)),
    ),
    "medium": Shape(1024, 24, 24, alignment_heads=((13, 15), (15, 4), (15, 15), (16, 1), (20, 0), (23, 4))),
    "large-v2": Shape(
        1280,
        32,
        32,
        alignment_heads=(
            *((10, 12), (13, 17), (16, 11), (16, 12), (16, 13), (17, 15), (17, 16), (18, 4), (18, 11), (18, 19), (19, 11)),
            *((21, 2), (21, 3), (22, 3), (22, 9), (22, 12), (23, 5), (23, 7), (23, 13), (25, 5), (26, 1), (26, 12), (27, 15)),
        ),
    ),
    "large-v3": Shape(1280, 32, 32, 128, 100, _LARGE_V3_HEADS),
    "large-v3-turbo": Shape(1280, 32, 4, 128, 100, ((2, 4), (2, 11), (3, 3), (3, 6), (3, 11), (3, 14))),
    "distil-small.en": Shape(768, 12, 4, languages=0),
    "distil-medium.en": Shape(1024, 24, 2, languages=0),
    "distil-large-v2": Shape(1280, 32, 2),
    "distil-large-v3": Shape(1280, 32, 2, 128, 100),
}

# Ids that stand for symbols and remarks in the published vocabularies, which are never said.
_SUPPRESSED = (
    *(1, 2, 7, 8, 9, 10, 14, 25, 26, 27, 28, 29, 31, 58, 59, 60, 61, 62, 63, 90, 91, 92, 93, 359, 503, 522, 542, 873, 893),
    *(902, 918, 922, 931, 1350, 1853, 1982, 2460, 2627, 3246, 3253, 3268, 3536, 3846, 3961, 4183, 4667, 6585, 6647, 7273),
    *(9061, 9383, 10428, 10929, 11938, 12033, 12331, 12562, 13793, 14157, 14635, 15265, 15618, 16553, 16604, 18362, 18956),
    *(20075, 21675, 22520, 26130, 26161, 26435, 28279, 29464, 31650, 32302, 32470, 36865, 42863, 47425, 49870, 50254),
)
_SUPPRESSED_ENGLISH = (
    *(1, 2, 7, 8, 9, 10, 14, 25, 26, 27, 28, 29, 31, 58, 59, 60, 61, 62, 63, 90, 91, 92, 93, 357, 366, 438, 532, 685, 705),
    *(796, 930, 1058, 1220, 1267, 1279, 1303, 1343, 1377, 1391, 1635, 1782, 1875, 2162, 2361, 2488, 3467, 4008, 4211, 4600),
    *(4808, 5299, 5855, 6329, 7203, 9609, 9959, 10563, 10786, 11420, 11709, 11907, 13163, 13697, 13700, 14808, 15306, 16410),
    *(16791, 17992, 19203, 19510, 20724, 22305, 22935, 27007, 30109, 30420, 33409, 34949, 40283, 40493, 40549, 47282, 49146),
)
_SPACE = BYTES.index("Ġ")  # 220


def random_whisper(folder: Path, shape: str = "tiny", seed: int = 0, *, dtype: torch.dtype = torch.float32) -> None:
    """Write a checkpoint of that shape, a key of `SHAPES`. Large ones take 3 GB as fp16 and 6 GB as fp32."""
    measures = SHAPES[shape]
    tokens = measures.tokens
    torch.manual_seed(seed)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = WhisperForConditionalGeneration(_config(measures, tokens))
    finally:
        torch.set_default_dtype(usual)
    model.generation_config = _generation_config(measures, tokens)
    model.save_pretrained(folder)
    vocabulary, merges = made_up_words(tokens.pieces)
    save_processor(folder, vocabulary, merges, tokens, measures.mel_bins)


def made_up_words(pieces: int) -> tuple[dict[str, int], Merges]:
    """A byte-level BPE of that many pieces: the bytes, then words of one letter more at a time."""
    vocabulary = {byte: i for i, byte in enumerate(BYTES)}
    merges: Merges = []
    letters = "abcdefghijklmnopqrstuvwxyz"
    growing = ["Ġ", *letters]
    for stem in growing:
        for letter in letters:
            if len(vocabulary) == pieces:
                return vocabulary, merges
            vocabulary[stem + letter] = len(vocabulary)
            merges.append((stem, letter))
            growing.append(stem + letter)
    raise AssertionError("the list grows faster than it is read")


def _config(shape: Shape, tokens: Tokens) -> WhisperConfig:
    heads = shape.width // 64
    return WhisperConfig(
        vocab_size=tokens.size,
        num_mel_bins=shape.mel_bins,
        d_model=shape.width,
        encoder_layers=shape.encoder_layers,
        decoder_layers=shape.decoder_layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * shape.width,
        decoder_ffn_dim=4 * shape.width,
        pad_token_id=tokens.end,
        bos_token_id=tokens.end,
        eos_token_id=tokens.end,
        decoder_start_token_id=tokens.start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )


def _generation_config(shape: Shape, tokens: Tokens) -> GenerationConfig:
    control = [tokens.start, *range(tokens.translate, tokens.no_timestamps)]
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        pad_token_id=tokens.end,
        bos_token_id=tokens.end,
        eos_token_id=tokens.end,
        decoder_start_token_id=tokens.start,
        max_length=448,
        suppress_tokens=[*(_SUPPRESSED if shape.languages else _SUPPRESSED_ENGLISH), *control],
        begin_suppress_tokens=[_SPACE, tokens.end],
        return_timestamps=False,
    )
    settings: dict[str, Any] = {
        "is_multilingual": bool(shape.languages),
        "no_timestamps_token_id": tokens.no_timestamps,
        "prev_sot_token_id": tokens.previous,
        "max_initial_timestamp_index": 50,
        "forced_decoder_ids": [[1, None], [2, tokens.transcribe]] if shape.languages else [[1, tokens.no_timestamps]],
    }
    if shape.languages:
        settings["lang_to_id"] = {f"<|{code}|>": tokens.language(code) for code in tokens.languages}
        settings["task_to_id"] = {"transcribe": tokens.transcribe, "translate": tokens.translate}
    if shape.alignment_heads:
        settings["alignment_heads"] = [list(head) for head in shape.alignment_heads]
    for name, value in settings.items():
        setattr(config, name, value)
    return config


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a Whisper with random weights.")
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--half", action="store_true", help="fp16 instead of fp32")
    options = parser.parse_args()
    random_whisper(options.out, options.shape, options.seed, dtype=torch.float16 if options.half else torch.float32)


if __name__ == "__main__":
    main()
