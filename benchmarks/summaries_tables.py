"""The figures of `benchmarks.summaries` as text, and which promises they keep: nothing here but what the JSON file says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from benchmarks.summaries_quality import BASELINE, OURS, SAME_LENGTH
from benchmarks.summaries_speed import TWO_HOURS_WORDS
from evaluation.checks import Check, check_table
from evaluation.report import aligned

Figures = Mapping[str, Any]

CITATION_PRECISION = 0.95
TWO_HOURS_S = 2.0

GROWTH = 1.25
"""Bytes for each further word may be at most so many times those for a word before, or memory is not linear."""

MEMORY = "memory: bytes per further word, against before"

TRAINED_SHARE = 0.7
"""Of the planted facts, through the tiny T5's own weights: a promise of the test model, not of Roundtable."""


def text(figures: Figures) -> str:
    """Every table that the figures allow, then the promises."""
    parts = ["\n".join(f"{name}: {value}" for name, value in figures["machine"].items())]
    tables: dict[str, Callable[[Any], Iterator[str]]] = {
        "budget": _budget,
        "trained": _trained,
        "inventions": _inventions,
        "quality": _quality,
        "speed": _speed,
        "hosts": _hosts,
    }
    for name, table in tables.items():
        if name in figures:
            parts += table(figures[name])
    return "\n\n".join([*parts, check_table(checks(figures))]) + "\n"


# ---- Tables


def _budget(rows: Sequence[Figures]) -> Iterator[str]:
    lines = [
        ("model", "words", "prompts", "tokens", "turns seen", "facts seen", "in last prompt", "in summary", "cut", "CPU s")
    ]
    for row in rows:
        asked = row["prompts"] > 0
        lines.append(
            (
                row["model"],
                *(f"{row[name]:,}" for name in ("words", "prompts", "tokens")),
                f"{row['turns_seen']:,} of {row['turns']:,}" if asked else "-",
                _of(row, "facts_seen") if asked else "-",
                _of(row, "facts_in_last") if asked else "-",
                _of(row, "facts_in_summary"),
                "yes" if row["truncated"] else "no",
                f"{row['cpu_s']:.1f}",
            )
        )
    yield (
        "WHAT THE MODELS SEE: facts planted at the beginning, in the middle, at the end and between, recorded where token ids\n"
        "go into generate; real tokenizers and limits, in place of the weights a fake that notes every fact it is given.\n"
        "Too little for a model: the extractive engine's summary.\n" + aligned(lines)
    )


def _of(row: Figures, name: str) -> str:
    return f"{row[name]} of {row['facts']}"


def _trained(rows: Sequence[Figures]) -> Iterator[str]:
    lines: list[tuple[str, ...]] = [
        ("words, about", "conversations", "prompts", "facts", "found", "first, middle, last", "wrong", "by chance", "CPU s")
    ]
    for about, some in groupby(rows, key=lambda row: row["about"]):
        same = list(some)
        lines.append(
            (
                f"{about:,}",
                str(len(same)),
                *(str(sum(row[name] for row in same)) for name in ("prompts", "planted")),
                f"{100 * found(same):.1f} %",
                f"{sum(sum(row['edges']) for row in same)} of {3 * len(same)}",
                str(sum(row["wrong"] for row in same)),
                f"{100 * chance(same):.1f} %",
                f"{sum(row['cpu_s'] for row in same):.1f}",
            )
        )
    yield "THROUGH REAL WEIGHTS: tests/models/t5-facts, facts that were held out of its training\n" + aligned(lines)


def found(rows: Sequence[Figures]) -> float:
    """Share of the planted facts that stand in the summaries."""
    return float(sum(row["found"] for row in rows) / sum(row["planted"] for row in rows))


def chance(rows: Sequence[Figures]) -> float:
    """The share that as many sentences would hold, drawn blindly."""
    return float(sum(row["chance"] * row["planted"] for row in rows) / sum(row["planted"] for row in rows))


def _inventions(figures: Figures) -> Iterator[str]:
    through = figures["through"]
    lines = [
        ("conversations", str(figures["cases"])),
        ("of these, answered by the model", str(figures["by_model"])),
        ("numbers, dates, names, owners, due times put in", str(figures["put_in"])),
        ("of these, in the summaries", str(sum(through.values()))),
        ("true statements told", str(figures["told"])),
        ("of these, kept", f"{figures['told_kept']} ({100 * figures['told_kept'] / figures['told']:.0f} %)"),
        ("texts in the summaries", str(figures["statements"])),
    ]
    got = ", ".join(f"{name} ({count})" for name, count in through.items())
    yield "A MODEL THAT MAKES THINGS UP, structured summaries\n" + aligned(lines) + (f"\nGot through: {got}" if got else "")


def _quality(figures: Figures) -> Iterator[str]:
    lines = [("conversation", "summary", "words", "ROUGE-1", "ROUGE-2", "ROUGE-L")]
    for row in figures["rows"]:
        for name in (OURS, BASELINE, SAME_LENGTH):
            scores = (f"{row['rouge'][name][kind]:.3f}" for kind in ("1", "2", "L"))
            lines.append((row["conversation"], name, str(row["words"][name]), *scores))
    yield "AGAINST WHAT A PERSON WROTE: F1, no stemming, nothing left out\n" + aligned(lines)
    cited: list[tuple[str, ...]] = [("conversation", "statements", "citations", "borne out")]
    cited += [
        (row["conversation"], *(str(row[name]) for name in ("statements", "citations", "borne_out"))) for row in figures["rows"]
    ]
    yield "CITATIONS of the extractive engine: statement and turn share a word that carries meaning\n" + aligned(cited)


def _speed(rows: Sequence[Figures]) -> Iterator[str]:
    lines = [("transcript", "words", "wall s", "CPU s", "peak MB", "bytes per further word")]
    for row in rows:
        lines.append(
            (
                row["kind"],
                f"{row['words']:,}",
                f"{row['wall_s']:.2f}",
                f"{row['cpu_s']:.2f}",
                f"{row['peak_mb']:.1f}",
                "-" if row is first_of(rows, row["kind"]) else f"{dict(growth(rows, row['kind']))[row['size']]:.0f}",
            )
        )
    yield "SPEED of the extractive engine, structured: best of 3; peak: tracemalloc, in another run\n" + aligned(lines)


def first_of(rows: Sequence[Figures], kind: str) -> Figures:
    return next(row for row in rows if row["kind"] == kind)


def growth(rows: Sequence[Figures], kind: str) -> list[tuple[int, float]]:
    """For each size but the first, how many bytes each further word took."""
    own = [row for row in rows if row["kind"] == kind]
    return [
        (after["size"], 1e6 * (after["peak_mb"] - before["peak_mb"]) / (after["words"] - before["words"]))
        for before, after in pairwise(own)
    ]


def _hosts(figures: Figures) -> Iterator[str]:
    if not figures["transformers"]:
        yield "OLD LIBRARIES: not run, `make test-hosts` builds their environment"
        return
    counts = ", ".join(f"{figures[name]} {name}" for name in ("passed", "failed", "skipped"))
    yield f"OLD LIBRARIES: transformers {figures['transformers']}, torch {figures['torch']}: {counts}"


# ---- Promises


def checks(figures: Figures) -> list[Check]:
    """What must be reached, of the parts that were measured."""
    made: list[Check] = []
    for name, check in (
        ("budget", _budget_checks),
        ("trained", _trained_checks),
        ("inventions", _inventions_checks),
        ("quality", _quality_checks),
        ("speed", _speed_checks),
        ("hosts", _hosts_checks),
    ):
        if name in figures:
            made += check(figures[name])
    return made


def _budget_checks(rows: Sequence[Figures]) -> Iterator[Check]:
    for model, some in groupby(rows, key=lambda row: row["model"]):
        same = [row for row in some if row["prompts"]]
        for what in ("facts", "turns"):
            seen, all_ = sum(row[f"{what}_seen"] for row in same), sum(row[what] for row in same)
            most = max(row["words"] for row in same)
            yield Check(f"{model}, up to {most:,} words", f"{what} seen", f"{seen} of {all_}", "all", seen == all_)
        cut = sum(row["truncated"] for row in same)
        yield Check(model, "conversations of which something was cut", str(cut), "0", cut == 0)


def _trained_checks(rows: Sequence[Figures]) -> Iterator[Check]:
    for about, some in groupby(rows, key=lambda row: row["about"]):
        same = list(some)
        share, limit = found(same), TRAINED_SHARE
        yield Check(
            f"t5-facts, {about:,} words",
            "planted facts found",
            f"{100 * share:.1f} %",
            f">= {100 * limit:.0f} %",
            share >= limit,
        )


def _inventions_checks(figures: Figures) -> Iterator[Check]:
    by_kind = dict.fromkeys(("number", "date", "owner", "due", "name", "speaker"), 0)
    for name, count in figures["through"].items():
        by_kind[name.partition(":")[0]] += count
    for kind, count in by_kind.items():
        yield Check("adversarial model", f"unsupported, {kind}", str(count), "0", count == 0)


def _quality_checks(figures: Figures) -> Iterator[Check]:
    rows = figures["rows"]
    precision = sum(row["borne_out"] for row in rows) / sum(row["citations"] for row in rows)
    limit = CITATION_PRECISION
    yield Check("sample conversations", "citation precision", f"{precision:.3f}", f">= {limit:.3f}", precision >= limit)
    for row in rows:
        for kind in ("1", "2", "L"):
            ours, lead = (row["rouge"][name][kind] for name in (OURS, BASELINE))
            yield Check(row["conversation"], f"ROUGE-{kind}, extractive", f"{ours:.3f}", f"> {lead:.3f}", ours > lead)


def _speed_checks(rows: Sequence[Figures]) -> Iterator[Check]:
    for row in rows:
        if row["size"] == TWO_HOURS_WORDS:
            measured = f"{row['wall_s']:.2f}"
            yield Check(
                f"{row['kind']}, {row['words']:,} words",
                "wall s",
                measured,
                f"<= {TWO_HOURS_S:.2f}",
                row["wall_s"] <= TWO_HOURS_S,
            )
    for kind in dict.fromkeys(row["kind"] for row in rows):
        steps = [per_word for _, per_word in growth(rows, kind)]
        worst = max(after / before for before, after in pairwise(steps))
        yield Check(kind, MEMORY, f"{worst:.2f}", f"<= {GROWTH:.2f}", worst <= GROWTH)


def _hosts_checks(figures: Figures) -> Iterator[Check]:
    if figures["transformers"]:
        subject = f"transformers {figures['transformers']}, torch {figures['torch']}"
        good = figures["failed"] == 0 and figures["passed"] > 0
        yield Check(subject, "tests that fail", f"{figures['failed']} of {figures['failed'] + figures['passed']}", "0", good)
