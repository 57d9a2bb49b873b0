"""Tokens out of what the encoder heard: greedy or sampled, many windows at once, each as if it were alone.

The rules are OpenAI's for decoding without timestamps: what the checkpoint's generation config suppresses is never written,
nor is a tag or a timestamp. A row ends with <|endoftext|>, or unfinished when it has used up its `limit`.

Nothing here depends on what else is in the batch: there is no shared random state (each row draws from a generator of its own,
seeded alike), no length penalty, and rows that are done leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from roundtable.asr.checkpoint import SpecialTokens
from roundtable.asr.decoder import Memory, TextDecoder, in_front
from roundtable.asr.window_engine import Decoded

_SEED = 20221206
"""Any constant: sampling the same window twice gives the same words."""

_TIMESTAMPS = 1501
"""<|0.00|> to <|30.00|>. What a fine-tune added behind them is text."""

_LEAVE_AT = 0.34
"""Rows that are done leave once no more than this share is still at work. On a CPU leaving sooner, up to 0.9, saves nothing."""

_STEPS_BETWEEN_LOOKS_ON_CUDA = 8
"""Asking a GPU whether everybody is done makes it wait; a few steps too many cost less."""


@dataclass(frozen=True, slots=True)
class FirstStep:
    """What one decoder step after <|startoftranscript|> tells about each row.

    `language_logprobs`: one per language in the order of `SpecialTokens.languages`, normalised over them; none for an
    English-only model. `no_speech_probs` are over the whole vocabulary; 0 where there is no such token.
    """

    language_logprobs: Sequence[Sequence[float]]
    no_speech_probs: Sequence[float]


class Rules:
    """Which tokens may be written, as scores to add: 0 for those that may, -inf for those that may not."""

    def __init__(self, tokens: SpecialTokens, vocabulary: int, device: torch.device) -> None:
        tags = {tokens.sot, tokens.sot_prev, tokens.no_timestamps, tokens.no_speech, tokens.transcribe, tokens.translate}
        timestamps = range(tokens.timestamp_begin, min(tokens.timestamp_begin + _TIMESTAMPS, vocabulary))
        never = {*tags, *tokens.languages.values(), *tokens.suppress, *timestamps}
        self.always: Final = torch.zeros(vocabulary, device=device)
        self.always[sorted(never - {None, tokens.eot})] = -torch.inf
        self.first: Final = self.always.clone()
        self.first[list(tokens.begin_suppress)] = -torch.inf


def first_step(decoder: TextDecoder, memory: Memory, tokens: SpecialTokens) -> FirstStep:
    """Read <|startoftranscript|> and look at what would come next."""
    ids = torch.full((len(memory), 1), tokens.sot, device=memory.keys[0].device)
    logits = decoder.logits(decoder.read(ids, decoder.begin(1), memory)[:, -1])
    languages = logits[:, list(tokens.languages.values())]
    no_speech = torch.zeros(len(memory))
    if tokens.no_speech is not None:
        no_speech = logits.softmax(dim=-1)[:, tokens.no_speech]
    return FirstStep(languages.log_softmax(dim=-1).tolist(), no_speech.tolist())


def decode(
    decoder: TextDecoder,
    memory: Memory,
    prompts: Sequence[Sequence[int]],
    limits: Sequence[int],
    *,
    rules: Rules,
    eot: int,
    temperature: float = 0.0,
) -> list[Decoded]:
    """Continue each row's prompt (never empty) by at most `limits[row]` tokens. Temperature 0 takes the likeliest token.

    Log-probabilities are the model's at temperature 1 among the tokens that may be written.
    """
    device = memory.keys[0].device
    ids, starts = _left_padded(prompts, eot, device)
    past = decoder.begin(ids.shape[1] + max(limits), starts)
    states = decoder.read(ids, past, memory)[:, -1]
    draw = _Draw(temperature, len(prompts), device)
    steps_between_looks = _STEPS_BETWEEN_LOOKS_ON_CUDA if device.type == "cuda" else 1

    written = torch.full((len(prompts), max(limits)), eot, device=device)
    logprobs = torch.zeros((len(prompts), max(limits)), device=device)
    rows = torch.arange(len(prompts), device=device)  # the rows that are still in the batch
    row_limits = torch.tensor(limits, device=device)
    done = row_limits <= 0
    with ExitStack() as back_in_their_places:
        for step in range(max(limits)):
            scores = decoder.logits(states) + (rules.always if step else rules.first)
            tokens = draw(scores, rows)
            chosen = scores.gather(1, tokens[:, None])[:, 0] - scores.logsumexp(dim=-1)
            written[rows, step] = torch.where(done, eot, tokens)
            logprobs[rows, step] = torch.where(done, 0.0, chosen)
            done = done | (tokens == eot) | (row_limits[rows] <= step + 1)
            if step % steps_between_looks == steps_between_looks - 1:
                working = int((~done).sum())
                if working == 0:
                    break
                if working <= _LEAVE_AT * len(rows):
                    stay = in_front((~done).nonzero()[:, 0].tolist())
                    rows, done, tokens = rows[stay], done[stay], tokens[stay]
                    memory = back_in_their_places.enter_context(memory.front(stay))
                    past.keep(stay)
            if step + 1 < max(limits):
                states = decoder.read(tokens[:, None], past, memory)[:, -1]
    return _unpack(written, logprobs, limits, eot)


def _left_padded(prompts: Sequence[Sequence[int]], fill: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """The prompts as one block, and the column at which each begins; None when all are equally long."""
    width = max(map(len, prompts))
    ids = torch.tensor([[fill] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    if min(map(len, prompts)) == width:
        return ids, None
    return ids, torch.tensor([width - len(prompt) for prompt in prompts], device=device)


class _Draw:
    """Picks each row's next token. Sampling is by the Gumbel-max trick: the noise of a row is that row's own."""

    def __init__(self, temperature: float, rows: int, device: torch.device) -> None:
        self._temperature = temperature
        self._generators = [torch.Generator(device).manual_seed(_SEED) for _ in range(rows if temperature > 0 else 0)]

    def __call__(self, scores: Tensor, rows: Tensor) -> Tensor:
        if self._temperature == 0.0:
            return scores.max(dim=-1).indices  # argmax, in a third of its time on a CPU
        noise = [torch.empty_like(scores[0]).exponential_(generator=self._generators[row]) for row in rows.tolist()]
        return (scores / self._temperature - torch.stack(noise).log()).argmax(dim=-1)


def _unpack(written: Tensor, logprobs: Tensor, limits: Sequence[int], eot: int) -> list[Decoded]:
    decoded = []
    for tokens, values, limit in zip(written.tolist(), logprobs.tolist(), limits, strict=True):
        length = tokens.index(eot) if eot in tokens[:limit] else limit
        finished = length < limit
        decoded.append(Decoded(tuple(tokens[:length]), tuple(values[: length + finished]), finished))
    return decoded
