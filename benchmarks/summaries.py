"""Summaries: what the models see, what gets through the checks, and what the embedded engine is worth.

`python -m benchmarks.summaries` (`make bench-summaries`); a minute or two, no network, no GPU.

budget      facts planted in 10 to 200,000 words: are they in the prompts, token for token, for three kinds of models?
trained     the same through real weights: a tiny T5 that has learned to find such facts (`tests/models/t5-facts`)
inventions  a model that makes up numbers, dates and owners, against the checks of structured summaries
quality     the extractive engine on the sample conversations: citations, and ROUGE beside the first three sentences
speed       the extractive engine: seconds and memory for up to 40,000 words
hosts       the summaries' tests with transformers 4.51.3 and torch 2.5.1, where `make test-hosts` has built that environment

summaries_budget.py      summaries_inventions.py   summaries_quality.py   summaries_speed.py   summaries_hosts.py
summaries_tables.py      figures to text, and the promises
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import (
    summaries_budget,
    summaries_hosts,
    summaries_inventions,
    summaries_quality,
    summaries_speed,
    summaries_tables,
)
from benchmarks.outcome import add_options, command, publish
from evaluation.machine import ROOT, describe_machine
from evaluation.report import announced
from roundtable.quiet import quiet
from tests.models import judge_summarizer

MARKS = ("<!-- figures of benchmarks.summaries -->", "<!-- end of the summaries' figures -->")
PARTS = ("budget", "trained", "inventions", "quality", "speed", "hosts")
TRAINED = ROOT / "tests" / "models" / "t5-facts"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. `budget_words` and `speed_words` are sizes of conversations; `trained`: words, facts, and how many
    such conversations."""

    budget_words: tuple[int, ...]
    trained: tuple[tuple[int, int, int], ...]
    cases: int
    speed_words: tuple[int, ...]


FULL = Scale(
    budget_words=(10, 30, 100, 1000, 10_000, 50_000, 200_000),
    trained=((100, 4, 20), (250, 6, 20), (2000, 8, 6), (5000, 12, 6)),
    cases=600,
    speed_words=(5000, 10_000, 20_000, 40_000),
)
QUICK = Scale(budget_words=(10, 100, 2000), trained=((100, 4, 3), (1000, 6, 1)), cases=60, speed_words=(5000, 10_000, 20_000))


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 1 with --strict if anything fell short."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.summaries", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds: shows that it works; the figures mean little")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--toolkit", type=Path, default=summaries_hosts.TOOLKIT, help="Python of the old environment")
    add_options(parser)
    options = parser.parse_args(arguments)
    typed = command("benchmarks.summaries", arguments)
    figures = measure(QUICK if options.quick else FULL, options.only, typed, options.toolkit)
    return publish(options, figures, summaries_tables.text(figures), MARKS, summaries_tables.checks(figures))


def measure(scale: Scale, parts: Sequence[str], command: str, toolkit: Path) -> dict[str, Any]:
    """The figures, as they go into the JSON file."""
    figures: dict[str, Any] = {
        "machine": {**describe_machine(), "command": command, "load before": f"{os.getloadavg()[0]:.2f}"}
    }
    ways: dict[str, Callable[[], Any]] = {
        "speed": lambda: summaries_speed.measure(scale.speed_words),  # before the rest fills the memory
        "budget": lambda: summaries_budget.measure(scale.budget_words),
        "trained": lambda: trained(scale.trained),
        "inventions": lambda: summaries_inventions.measure(scale.cases),
        "quality": summaries_quality.measure,
        "hosts": lambda: summaries_hosts.measure(toolkit),
    }
    for part in announced([part for part in ways if part in parts], str):
        with quiet():
            figures[part] = ways[part]()
    return figures


def trained(sizes: Sequence[tuple[int, int, int]]) -> list[dict[str, Any]]:
    """A row for each conversation, through the real weights."""
    summarizer = judge_summarizer.load(TRAINED)
    return [
        {"about": words, **asdict(judge_summarizer.judge(summarizer, judge_summarizer.conversation(words, facts, seed)))}
        for words, facts, count in sizes
        for seed in range(count)
    ]


if __name__ == "__main__":
    sys.exit(main())
