"""Scores as a table for people, and as JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from evaluation.normalize import NAME as NORMALIZER
from evaluation.score import MEASURES, TCP_COLLAR_S, Rate, Score, pooled

_HEADINGS = (
    "recording",
    "words",
    "WER",
    "sub/del/ins",
    "cpWER",
    "tcpWER",
    "ORC-WER",
    "WDER",
    "DER",
    "miss/fa/conf s",
    "speakers",
    "RTF",
)


def table(scores: Sequence[Score]) -> str:
    """A row per recording and, from two on, the total. `-`: not known. `+3`: three errors, of a reference without any words."""
    rows = [_row(one) for one in scores]
    if len(scores) > 1:
        rows.append(_row(pooled(scores)))
    return f"{aligned([_HEADINGS, *rows])}\n(normaliser {NORMALIZER}; total = all errors over all words or seconds)\n"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns of text: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


_Item = TypeVar("_Item")


def announced(items: Sequence[_Item], name: Callable[[_Item], str]) -> Iterator[_Item]:
    """The items, each named on stderr as its turn comes: a recording takes up to its own length."""
    for place, item in enumerate(items, 1):
        print(f"{place}/{len(items)} {name(item)}", file=sys.stderr, flush=True)
        yield item


def with_tables(readme: str, tables: str, marks: tuple[str, str]) -> str:
    """The README with these tables between its two marks."""
    begin, end = marks
    before, rest = readme.split(begin)
    return f"{before}{begin}\n\n```text\n{tables}```\n\n{end}{rest.split(end)[1]}"


def as_json(
    scores: Sequence[Score], *, der_collar_s: float = 0.0, warnings: Mapping[str, Sequence[str]] | None = None
) -> dict[str, object]:
    """Every figure with its parts, each recording's and the total's; where `warnings` are given, by name, those as well."""
    return {
        "normalizer": NORMALIZER,
        "tcp_wer_collar_s": TCP_COLLAR_S,
        "der_collar_total_s": der_collar_s,
        "recordings": [
            score_json(one) | ({} if warnings is None else {"warnings": list(warnings[one.name])}) for one in scores
        ],
        "total": score_json(pooled(scores)),
    }


def _row(score: Score) -> tuple[str, ...]:
    return (
        score.name,
        "-" if score.wer is None else f"{score.wer.length:.0f}",
        rate_text(score.wer),
        parts_text(score.wer, "{:.0f}"),
        rate_text(score.cp_wer),
        rate_text(score.tcp_wer),
        rate_text(score.orc_wer),
        rate_text(score.wder),
        rate_text(score.der),
        parts_text(score.der, "{:.1f}"),
        speakers_text(score.speaker_count),
        rate_text(score.real_time),
    )


def rate_text(rate: Rate | None) -> str:
    if rate is None:
        return "-"
    return f"+{rate.errors:.0f}" if rate.value is None else f"{rate.value:.3f}"


def parts_text(rate: Rate | None, pattern: str) -> str:
    return "-" if rate is None else "/".join(pattern.format(value) for value in rate.errors_by_kind.values())


def speakers_text(rate: Rate | None) -> str:
    """`3`: right. `3+1`, `3-1`: of three speakers, one too many, one too few."""
    if rate is None:
        return "-"
    extra, missing = rate.errors_by_kind["extra"], rate.errors_by_kind["missing"]
    return f"{rate.length:.0f}" + (f"+{extra:.0f}" if extra else "") + (f"-{missing:.0f}" if missing else "")


def score_json(score: Score) -> dict[str, object]:
    measures = {measure: rate_json(getattr(score, measure)) for measure in MEASURES}
    return {"name": score.name, **measures}


def rate_json(rate: Rate | None) -> dict[str, object] | None:
    if rate is None:
        return None
    parts = {kind: round(value, 3) for kind, value in rate.errors_by_kind.items()}
    value = None if rate.value is None else round(rate.value, 4)
    return {"value": value, "errors": round(rate.errors, 3), "length": round(rate.length, 3), **parts}
