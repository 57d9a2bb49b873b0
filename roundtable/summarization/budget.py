"""How much a model can be given at once: the smallest of what its config, its tokenizer and the setting say.

A prompt that is longer is not refused by every model: some answer it with nonsense, some lose its beginning, some fail. So the
limit is known before anything is counted, and every prompt is held to it before it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roundtable.errors import InvalidSettings

UNKNOWN_TOKENS = 2048
"""Taken for a model that names no limit at all; the setting may say more."""

T5_TOKENS = 512
"""What T5 and its like were trained on. Their positions are relative, so longer texts run, and the setting may allow them."""

SMALLEST_TOKENS = 256
"""No prompt of ours fits into less."""

_NO_LIMIT = 10**7
"""A tokenizer without a limit says 1e30."""

_WHOLE = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length")
_ENCODER = ("max_encoder_position_embeddings", "max_source_positions", *_WHOLE)
_DECODER = ("max_decoder_position_embeddings", "max_target_positions", *_WHOLE)


@dataclass(frozen=True, slots=True)
class Budget:
    """`input_tokens`: the longest prompt; where the model writes on from it (`shared`), prompt and answer together.
    `output_tokens`: the longest answer."""

    input_tokens: int
    output_tokens: int
    shared: bool

    def answer(self, wanted: int) -> int:
        """How long an answer can be, at most `wanted`: where it shares its room with the prompt, at most a quarter of it."""
        return max(1, min(wanted, self.output_tokens, self.input_tokens // 4 if self.shared else wanted))

    def prompt(self, answer: int) -> int:
        """How long a prompt can be if the answer is to have so many tokens."""
        return self.input_tokens - answer if self.shared else self.input_tokens

    def smaller(self) -> Budget | None:
        """Half of it, for when memory ran out; None when that is too little."""
        half = self.input_tokens // 2
        return Budget(half, self.output_tokens, self.shared) if half >= 4 * SMALLEST_TOKENS else None


def budget_of(
    config: Mapping[str, Any], tokenizer_tokens: float | None, setting_tokens: int | None, *, encoder_decoder: bool
) -> Budget:
    """`config`: of the text model, as in its config.json. Raises `InvalidSettings` when not even instructions would fit."""
    relative = "relative_attention_num_buckets" in config
    tokenizer = int(tokenizer_tokens) if tokenizer_tokens is not None and 0 < tokenizer_tokens < _NO_LIMIT else None
    if relative and not _least(config, _ABSOLUTE):
        known = setting_tokens or tokenizer or _least(config, ("n_positions",)) or T5_TOKENS
        return _usable(Budget(known, known, not encoder_decoder))
    of_input = [_least(config, _ENCODER if encoder_decoder else _WHOLE), tokenizer]
    given = [limit for limit in of_input if limit]
    taken = min(given, default=setting_tokens or UNKNOWN_TOKENS)
    if not encoder_decoder:
        whole = min(taken, setting_tokens or taken)
        return _usable(Budget(whole, whole, True))
    answer = _least(config, _DECODER) or taken
    # The decoder's first position is taken by the token that it starts from.
    return _usable(Budget(min(taken, setting_tokens or taken), answer - 1, False))


_ABSOLUTE = ("max_position_embeddings", "max_encoder_position_embeddings")


def _usable(budget: Budget) -> Budget:
    if budget.input_tokens < SMALLEST_TOKENS:
        raise InvalidSettings(f"SUMMARIZE_MODEL takes {budget.input_tokens} tokens at once: {SMALLEST_TOKENS} are the least.")
    return budget


def _least(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    found = [
        value for name in names if isinstance(value := config.get(name), int) and not isinstance(value, bool) and value > 0
    ]
    return min(found, default=None)
