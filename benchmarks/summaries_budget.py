"""What of a conversation do the models see? Facts planted in conversations of ten to two hundred thousand words, three kinds of
models with their real tokenizers and limits, and a record of every prompt where its token ids go into `generate`.

In place of the weights stands `NoteTaker`, which notes every fact it is given. So the last prompt and the summary hold all of
them too, if nothing is lost in between.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from roundtable.control import Control
from roundtable.summarization import SummarizeOptions, SummaryModel
from roundtable.summarization.chat import ChatWriter
from roundtable.summarization.checkpoint import load_checkpoint
from roundtable.summarization.extractive import ExtractiveSummarizer
from roundtable.summarization.model import ModelSummarizer
from roundtable.summarization.seq2seq import Seq2SeqWriter
from tests.fakes import NoteTaker
from tests.models import random_summarizers
from tests.models.facts import NOTHING, Talk, draw_facts, talk, words

FACT = re.compile(r"\bThe \w+ (?:is in|starts on|costs|belongs to|is) \w+\.")
FACTS = 8
"""Planted in each conversation: in its first sentence, its middle one, its last one, and five others."""

_WORDS_PER_SENTENCE = 4.15
_TURN = re.compile(r"(?=(?:\[\d+\] )?SPEAKER_\d\d \()")


def conversation(about_words: int, seed: int) -> Talk:
    """Of about so many words; with as many facts as there is room for, at most `FACTS`."""
    rng = random.Random(seed)  # noqa: S311
    sentences = max(2, round(about_words / _WORDS_PER_SENTENCE))
    if sentences < 2 * FACTS:
        return talk(rng, sentences, draw_facts(rng, max(1, sentences // 4), held_out=True))
    return talk(rng, sentences, draw_facts(rng, FACTS, held_out=True), at_edges=True)


def measure(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """A row for each kind of model and each number of words."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, make in random_summarizers.KINDS.items():
            make(Path(folder, kind))
            checkpoint = load_checkpoint(SummaryModel(str(Path(folder, kind))), device="cpu")
            for size in sizes:
                rows.append({"model": kind, **row(checkpoint, conversation(size, seed=size))})
    return rows


def row(checkpoint: Any, spoken: Talk) -> dict[str, Any]:
    """One conversation through one model."""
    taker = NoteTaker(checkpoint.tokenizer, FACT, NOTHING, encoder_decoder=checkpoint.is_encoder_decoder)
    recorded = replace(checkpoint, model=taker)
    writer = Seq2SeqWriter(recorded) if checkpoint.is_encoder_decoder else ChatWriter(recorded)
    begun_s = time.process_time()
    summary = ModelSummarizer(writer, ExtractiveSummarizer()).summarize(
        spoken.turns, SummarizeOptions(min_tokens=0, language="en"), Control()
    )
    cpu_s = time.process_time() - begun_s
    prompts = taker.seen
    last = prompts[-1] if prompts else ""
    lines = {" ".join(line.split()) for prompt in prompts for line in _TURN.split(data(prompt))}
    texts = {line.partition("): ")[2] for line in lines}
    return {
        "words": words(spoken),
        "turns": len(spoken.turns),
        "prompts": len(prompts),
        "tokens": summary.input_tokens,
        "facts": len(spoken.facts),
        "facts_seen": sum(any(fact in line for line in lines) for fact in spoken.facts),
        "turns_seen": sum(turn.text in texts for turn in spoken.turns),
        "facts_in_last": sum(fact in last for fact in spoken.facts),
        "facts_in_summary": sum(fact in summary.text for fact in spoken.facts),
        "truncated": summary.truncated,
        "cpu_s": round(cpu_s, 2),
    }


def data(prompt: str) -> str:
    """The conversation in a prompt, without the instructions of a chat model around it."""
    return prompt.partition("<transcript>\n")[2].partition("\n</transcript>")[0] if "<transcript>\n" in prompt else prompt
