"""How much of what was said comes out: `python -m tests.models.judge_summarizer tests/models/t5-facts`, the model card's table.

Conversations of `facts.py` that no training had: their facts are held out. Everything is Roundtable's own: prompts, parts, the
passes over the notes. Chance is what as many sentences of the conversation would hold, drawn blindly.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roundtable.control import Control
from roundtable.summarization import SummarizeOptions, SummaryModel
from roundtable.summarization.checkpoint import load_checkpoint
from roundtable.summarization.extractive import ExtractiveSummarizer
from roundtable.summarization.model import ModelSummarizer
from roundtable.summarization.sentences import split_turns
from roundtable.summarization.seq2seq import Seq2SeqWriter
from tests.models.facts import Talk, draw_facts, talk

SENTENCES_PER_1000_WORDS = 234


@dataclass(frozen=True, slots=True)
class Judged:
    """One conversation: what was planted, what came out of it, and what came out besides."""

    words: int
    sentences: int
    prompts: int
    planted: int
    found: int
    wrong: int
    in_order: bool
    edges: tuple[bool, bool, bool]
    """Whether the fact of the first sentence, of the middle one and of the last one was found."""

    chance: float
    """Share of the facts that a blind choice of as many sentences would hold, on average."""

    truncated: bool
    cpu_s: float


def load(folder: Path) -> ModelSummarizer:
    checkpoint = load_checkpoint(SummaryModel(str(folder)), device="cpu")
    return ModelSummarizer(Seq2SeqWriter(checkpoint), ExtractiveSummarizer())


def conversation(words: int, facts: int, seed: int) -> Talk:
    """Of about so many words, with facts at its edges and in its middle."""
    rng = random.Random(f"{words} {facts} {seed}")  # noqa: S311
    sentences = max(facts, round(words * SENTENCES_PER_1000_WORDS / 1000))
    return talk(rng, sentences, draw_facts(rng, facts, held_out=True), at_edges=True)


def judge(summarizer: ModelSummarizer, spoken: Talk) -> Judged:
    begun_s = time.process_time()
    summary = summarizer.summarize(spoken.turns, SummarizeOptions(min_tokens=0, language="en"), Control())
    cpu_s = time.process_time() - begun_s
    written = [sentence.strip() + "." for sentence in summary.text.split(".") if sentence.strip()]
    found = [fact for fact in spoken.facts if fact in written]
    sentences = len(split_turns(spoken.turns))
    middle = spoken.facts[_middle(spoken)]
    return Judged(
        words=sum(len(turn.text.split()) for turn in spoken.turns),
        sentences=sentences,
        prompts=summary.passes,
        planted=len(spoken.facts),
        found=len(found),
        wrong=sum(sentence not in spoken.facts for sentence in written),
        in_order=[sentence for sentence in written if sentence in spoken.facts] == found,
        edges=(spoken.facts[0] in found, middle in found, spoken.facts[-1] in found),
        chance=min(1.0, len(written) / sentences),
        truncated=summary.truncated,
        cpu_s=cpu_s,
    )


def _middle(spoken: Talk) -> int:
    """Which fact stands nearest to the middle."""
    whole = " ".join(turn.text for turn in spoken.turns)
    return min(range(len(spoken.facts)), key=lambda n: abs(whole.index(spoken.facts[n]) - len(whole) / 2))


def table(rows: Sequence[tuple[str, Sequence[Judged]]]) -> str:
    from evaluation.report import aligned  # late: the oldest environment that this runs in has no scorers

    lines = [
        (
            "conversations",
            "words",
            "prompts",
            "facts",
            "found",
            "wrong",
            "in order",
            "first, middle, last",
            "by chance",
            "CPU s",
        )
    ]
    for name, judged in rows:
        planted, found = sum(one.planted for one in judged), sum(one.found for one in judged)
        edges = sum(sum(one.edges) for one in judged) / (3 * len(judged))
        lines.append(
            (
                name,
                str(sum(one.words for one in judged)),
                str(sum(one.prompts for one in judged)),
                str(planted),
                f"{100 * found / planted:.1f} %",
                str(sum(one.wrong for one in judged)),
                f"{sum(one.in_order for one in judged)} of {len(judged)}",
                f"{100 * edges:.0f} %",
                f"{100 * sum(one.chance * one.planted for one in judged) / planted:.1f} %",
                f"{sum(one.cpu_s for one in judged):.1f}",
            )
        )
    return aligned(lines)


CASES = (
    ("100 words, one pass", 100, 4, 20),
    ("250 words", 250, 6, 20),
    ("2,000 words", 2000, 8, 6),
    ("5,000 words", 5000, 12, 6),
)
"""Name, words, facts, conversations."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge the tiny T5 on conversations that it has not seen.")
    parser.add_argument("folder", type=Path)
    summarizer = load(parser.parse_args().folder)
    rows = [
        (f"{count} of {name}", [judge(summarizer, conversation(words, facts, seed)) for seed in range(count)])
        for name, words, facts, count in CASES
    ]
    print(table(rows))


if __name__ == "__main__":
    main()
