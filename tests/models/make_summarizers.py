"""Train the tiny T5 that summarizes: from a conversation of `facts.py` to its facts, in order, and nothing else.

    python -m tests.models.make_summarizers --out DIR

An ordinary Hugging Face folder comes out: config, generation settings, safetensors in fp16, and a real tokenizer (Unigram) in
which a word of the language is one piece and any other text is spelled in characters. Five minutes of one core; the same seed,
steps, libraries and kind of processor give the same weights.

Copying out of the input is what a summarizing model does most and what a small network finds last. So it is helped:

- one head of the decoder's last layer is told, for each token, where in the input it stands: a pointer, as in pointer networks
  (Vinyals and others, 2015);
- one head of the encoder's last layer is told, at each fact, where the fact before it ends: what comes next is then looked up
  by what was written last;
- the relative positions begin as what such heads need: one head that prefers what is nearest before it, others that look at the
  neighbours;
- the matrices are stepped by Muon, see `optimiser.py`.

`random_summarizers.py` makes models of the other kinds, whose words mean nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

from roundtable.summarization.rendering import transcript_lines
from tests.models.facts import MOST_FACTS, NOTHING, draw_facts, talk, vocabulary
from tests.models.optimiser import Optimiser

PREFIX = "summarize: "
LONGEST = 512
"""Tokens of a prompt, as T5's own."""

_PAD, _END, _UNKNOWN = "<pad>", "</s>", "<unk>"
_WIDTH, _HEAD_WIDTH, _HEADS, _LAYERS = 64, 16, 4, 2
_MATRIX_RATE, _OTHER_RATE = 0.02, 4e-3
_WARM_UP_STEPS = 50
_COOL_DOWN = 0.4
"""Share of the training in which the rates fall to nothing."""

_TOKENS_PER_STEP = 3072
_NOTES_SHARE = 0.25
"""Of the lessons that are notes, as the last of several passes reads them: facts alone, some of them twice."""

_NO_FACT_SHARE = 0.15
_LAST_START_S = 7200.0
"""A lesson may be a part of a conversation of hours."""

_IGNORED = -100
_BUCKETS = 64
_LOOKS = 4.0
"""What a head begins with that looks at one neighbour."""

_HELP = 0.5
"""Weight of the two heads' losses beside that of the words."""


# ---- Tokenizer


def tokenizer() -> Any:
    """Words of the language, then pairs of digits, then characters: the finer, the less likely."""
    words = [word if word in ".,?" else f"▁{word}" for word in (*vocabulary(), "summarize", "SPEAKER_", "(")]
    pairs = [f"{number:02}" for number in range(60)]
    characters = ["▁", *(chr(code) for code in range(33, 127) if chr(code) not in "<>{}.,?")]
    scored = [(_PAD, 0.0), (_END, 0.0), (_UNKNOWN, 0.0)]
    scored += [*((word, -4.0) for word in words), *((pair, -6.0) for pair in pairs), *((sign, -12.0) for sign in characters)]
    core = Tokenizer(models.Unigram(scored, unk_id=2))
    core.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    core.post_processor = processors.TemplateProcessing(single=f"$A {_END}", special_tokens=[(_END, 1)])
    kind: Any = transformers.PreTrainedTokenizerFast
    return kind(tokenizer_object=core, model_max_length=LONGEST, pad_token=_PAD, eos_token=_END, unk_token=_UNKNOWN)


# ---- Lessons


@dataclass(frozen=True, slots=True)
class Lesson:
    """Tokens to read, tokens to write, and where in the first each of the second stands; `_IGNORED` where it does not.

    `before`: for the first two tokens of each fact, and for the end, where the last word of the fact before stands, 0 where
    there is none; `_IGNORED` for all other tokens to read.
    """

    source: list[int]
    target: list[int]
    places: list[int]
    before: list[int]


def lesson(rng: random.Random, spoken: Any, sentences: int) -> Lesson:
    """A conversation of about so many sentences, or notes, with facts of the training alone."""
    if rng.random() < _NOTES_SHARE:
        facts = draw_facts(rng, rng.randint(1, min(sentences, MOST_FACTS)), held_out=False)
        text = "\n".join(_noted(rng, facts))
    else:
        most = max(1, min(sentences // 2, MOST_FACTS))
        count = 0 if rng.random() < _NO_FACT_SHARE else min(most, 1 + int(rng.expovariate(0.35)))
        said = talk(rng, sentences, draw_facts(rng, count, held_out=False), start_s=rng.uniform(0, _LAST_START_S))
        facts = list(said.facts)
        text = "\n".join(map(str, transcript_lines(said.turns, str, ids=False)))
    source: list[int] = spoken(PREFIX + text)["input_ids"]
    pieces: list[list[int]] = spoken(facts or [NOTHING], add_special_tokens=False)["input_ids"]
    places: list[int] = []
    before = [_IGNORED] * len(source)
    last = 0
    for piece in pieces:
        if facts:
            at = _find(source, piece)
            places += range(at, at + len(piece))
            before[at] = before[at + 1] = last
            last = at + len(piece) - 2  # the word before the full stop
        else:
            places += [_IGNORED] * len(piece)
    before[-1] = last
    target = [*(id_ for piece in pieces for id_ in piece), source[-1]]
    return Lesson(source, target, [*places, len(source) - 1], before)


def _noted(rng: random.Random, facts: Sequence[str]) -> Iterator[str]:
    """Lines of one fact or several; the last of a line may begin the next again, and a line may say that there was nothing."""
    at = 0
    while at < len(facts):
        size = rng.randint(1, 6)
        again = at > 0 and rng.random() < 0.3
        yield " ".join(facts[at - again : at + size])
        at += size
        if rng.random() < 0.2:
            yield NOTHING


def _find(ids: Sequence[int], piece: Sequence[int]) -> int:
    return next(at for at in range(len(ids)) if ids[at : at + len(piece)] == piece)


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of some lessons, padded at the end."""

    source: Tensor
    mask: Tensor
    target: Tensor
    places: Tensor
    before: Tensor


def batch(lessons: Sequence[Lesson]) -> Batch:
    wide, long = (max(map(len, rows)) for rows in ([x.source for x in lessons], [x.target for x in lessons]))
    made = Batch(
        source=torch.zeros(len(lessons), wide, dtype=torch.long),
        mask=torch.zeros(len(lessons), wide, dtype=torch.long),
        target=torch.full((len(lessons), long), _IGNORED),
        places=torch.full((len(lessons), long), _IGNORED),
        before=torch.full((len(lessons), wide), _IGNORED),
    )
    for row, one in enumerate(lessons):
        made.source[row, : len(one.source)] = torch.tensor(one.source)
        made.mask[row, : len(one.source)] = 1
        made.target[row, : len(one.target)] = torch.tensor(one.target)
        made.places[row, : len(one.places)] = torch.tensor(one.places)
        made.before[row, : len(one.before)] = torch.tensor(one.before)
    return made


def lessons_at(rng: random.Random, spoken: Any, progress: float) -> Batch:
    """Short conversations first; from a third of the training on, up to as long as a prompt may be."""
    longest = 12 if progress < 0.35 else 38
    sentences = round(math.exp(rng.uniform(math.log(3), math.log(longest))))
    rows = max(4, _TOKENS_PER_STEP // (13 * sentences + 6))
    found = [lesson(rng, spoken, sentences) for _ in range(rows)]
    return batch([one for one in found if len(one.source) <= LONGEST] or found[:1])


# ---- Network


def network(words: int) -> transformers.T5ForConditionalGeneration:
    kind: Any = transformers.T5Config  # one version of the library spells out what the other takes as it comes
    config = kind(
        vocab_size=words,
        d_model=_WIDTH,
        d_kv=_HEAD_WIDTH,
        d_ff=2 * _WIDTH,
        num_layers=_LAYERS,
        num_heads=_HEADS,
        relative_attention_num_buckets=_BUCKETS,
        relative_attention_max_distance=LONGEST,
        dropout_rate=0.0,
        n_positions=LONGEST,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        tie_word_embeddings=True,
        task_specific_params={"summarization": {"prefix": PREFIX}},
    )
    config._attn_implementation = "eager"  # the pointer is read off the attention
    model = transformers.T5ForConditionalGeneration(config)
    for stack, bidirectional in ((model.encoder, True), (model.decoder, False)):
        blocks: Any = stack.block
        bias = blocks[0].layer[0].SelfAttention.relative_attention_bias.weight
        with torch.no_grad():
            bias.copy_(_first_bias(bidirectional))
    return model


def _first_bias(bidirectional: bool) -> Tensor:
    """By bucket and head. Buckets count the distance backwards from 0, then, in the encoder, forwards."""
    bias = torch.zeros(_BUCKETS, _HEADS)
    if bidirectional:
        back = _BUCKETS // 2
        bias[:back, 0] = -0.25 * torch.arange(back)
        bias[0, 0], bias[back:, 0] = -4.0, -8.0
        bias[[1, 2, back + 1], [1, 2, 3]] = _LOOKS
    else:
        bias[[1, 2, 3], [1, 2, 3]] = _LOOKS
    return bias


def losses(model: nn.Module, given: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Of the words, of the pointer, and of the head that looks for the fact before."""
    out = model(input_ids=given.source, attention_mask=given.mask, labels=given.target, output_attentions=True)
    pointed = _missed(out.cross_attentions[-1][:, 0], given.places)
    return out.loss, pointed, _missed(out.encoder_attentions[-1][:, 0], given.before)


def _missed(attention: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of a head (rows, tokens that look, tokens that are looked at) against where it should look."""
    known = wanted != _IGNORED
    share = attention.gather(2, wanted.clamp(min=0).unsqueeze(2)).squeeze(2)[known]
    return -torch.log(share + 1e-6).mean()


def _parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Under names by which the optimiser knows the matrices of the layers."""
    for name, parameter in model.named_parameters():
        of_layer = name.endswith(("q.weight", "k.weight", "v.weight", "o.weight", "wi.weight", "wo.weight"))
        yield (f".layers.{name}" if of_layer else name), parameter


def train(folder: Path, steps: int, seed: int) -> None:
    """Train from nothing and write the folder. Takes a tenth of a second of CPU a step."""
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311
    spoken = tokenizer()
    model = network(len(spoken))
    optimiser = Optimiser(_parameters(model), _MATRIX_RATE, _OTHER_RATE)
    begun_s = time.process_time()
    recent: list[tuple[float, ...]] = []
    for step in range(1, steps + 1):
        progress = (step - 1) / steps
        scale = min(1.0, step / _WARM_UP_STEPS, (1 - progress) / _COOL_DOWN)
        words, pointer, before = losses(model, lessons_at(rng, spoken, progress))
        (words + _HELP * (pointer + before)).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step(scale)
        model.zero_grad(set_to_none=True)
        recent.append((words.item(), pointer.item(), before.item()))
        if step % 100 == 0:
            means = [sum(column) / len(recent) for column in zip(*recent, strict=True)]
            spent_s = time.process_time() - begun_s
            print("step {}  {:.0f} s  words {:.4f}  pointer {:.4f}  before {:.4f}".format(step, spent_s, *means), flush=True)
            recent.clear()
    save(model, spoken, folder)


def save(model: Any, spoken: Any, folder: Path) -> None:
    """As both transformers 4.51 and 5 read it."""
    model.half().save_pretrained(folder)
    spoken.save_pretrained(folder)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # the name that 4.51 knows
        "model_max_length": LONGEST,
        "model_input_names": ["input_ids", "attention_mask"],
        "pad_token": _PAD,
        "eos_token": _END,
        "unk_token": _UNKNOWN,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the tiny T5 that the summaries are tested with.")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train(options.out, options.steps, options.seed)


if __name__ == "__main__":
    main()
