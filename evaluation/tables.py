"""A results file as text. Nothing else goes into the tables, so that anyone can make them again from the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evaluation.checks import check_table, checks_of
from evaluation.doubts import doubt_lines
from evaluation.figures import rate_of
from evaluation.report import aligned, parts_text, rate_text, speakers_text

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]

ABOUT = ("processor", "python", "packages", "commit", "command", "load before")
STAGES = ("decode", "asr", "diarize", "merge", "summarize")


def _rate(measure: str) -> Callable[[Row], str]:
    return lambda row: rate_text(rate_of(row[measure]))


def _part(measure: str, part: str, pattern: str) -> Callable[[Row], str]:
    return lambda row: "-" if row[measure] is None else pattern.format(row[measure][part])


def _stage(stage: str) -> Callable[[Row], str]:
    return lambda row: f"{row['rtf'][stage]:.3f}" if stage in row["rtf"] else "-"


def _facts(row: Row) -> str:
    facts = rate_of(row["facts"])
    return "-" if facts is None else f"{facts.length - facts.errors:.0f} of {facts.length:.0f}"


WHO_SAID_WHAT: tuple[Column, ...] = (
    ("recording", lambda row: str(row["name"])),
    ("words", _part("wer", "length", "{:.0f}")),
    ("WER", _rate("wer")),
    ("sub/del/ins", lambda row: parts_text(rate_of(row["wer"]), "{:.0f}")),
    ("invented", _part("invented", "errors", "{:.0f}")),
    ("cpWER", _rate("cp_wer")),
    ("tcpWER", _rate("tcp_wer")),
    ("ORC-WER", _rate("orc_wer")),
    ("attribution", lambda row: "-" if row["attribution"] is None else f"{row['attribution']:.3f}"),
    ("WDER", _rate("wder")),
    ("DER", _rate("der")),
    ("miss/fa/conf s", lambda row: parts_text(rate_of(row["der"]), "{:.1f}")),
    ("speakers", lambda row: speakers_text(rate_of(row["speaker_count"]))),
    ("outcome", lambda row: str(row["outcome"])),
)
TIMES_AND_SUMMARY: tuple[Column, ...] = (
    ("recording", lambda row: str(row["name"])),
    ("words timed", _part("word_times", "words", "{}")),
    ("off by, median s", _part("word_times", "median_s", "{:.3f}")),
    ("95 % under s", _part("word_times", "p95_s", "{:.3f}")),
    ("ROUGE-1", _part("rouge", "1", "{:.3f}")),
    ("ROUGE-2", _part("rouge", "2", "{:.3f}")),
    ("ROUGE-L", _part("rouge", "L", "{:.3f}")),
    ("facts found", _facts),
)
SPEED: tuple[Column, ...] = (
    ("recording", lambda row: str(row["name"])),
    ("audio s", lambda row: f"{row['duration_s']:.1f}"),
    *((f"{stage} RTF", _stage(stage)) for stage in STAGES),
    ("whole job RTF", _rate("real_time")),
    ("encoder passes", lambda row: "-" if row["encoder_passes"] is None else str(row["encoder_passes"])),
)
EDGE: tuple[Column, ...] = (
    ("edge clip", lambda row: str(row["name"])),
    ("words", lambda row: str(len(row["text"].split()))),
    ("invented", lambda row: "-" if row["invented"] is None else str(row["invented"])),
    ("speakers", lambda row: str(len(row["speakers"]))),
    ("error", lambda row: row["error"] or "-"),
    ("outcome", lambda row: str(row["outcome"])),
    ("RTF", lambda row: "-" if row["rtf"] is None else f"{row['rtf']:.3f}"),
)


def tables(figures: Mapping[str, Any]) -> str:
    """Every table of one results file, under its title."""
    rows = [*figures["recordings"], *([figures["total"]] if len(figures["recordings"]) > 1 else [])]
    parts = [_heading(figures)]
    parts += [_table(columns, rows) for columns in (WHO_SAID_WHAT, TIMES_AND_SUMMARY, SPEED)] if rows else []
    parts += ["\n".join(notes)] if (notes := _notes(figures)) else []
    parts += [_table(EDGE, figures["edge"])] if figures["edge"] else []
    parts += [check_table(checks_of(figures["checks"]))] if figures["checks"] else []
    return "\n\n".join(parts) + "\n"


def _notes(figures: Mapping[str, Any]) -> list[str]:
    """What the total does not tell: who is not in it, who is not there at all, and what was odd about the others."""
    notes = [f"not in the total: {name}: {reason}" for name, reason in figures["not_in_total"].items()]
    notes += [figures["missing"]] if figures["missing"] else []
    return notes + doubt_lines({row["name"]: row["warnings"] for row in figures["recordings"]})


def _heading(figures: Mapping[str, Any]) -> str:
    about = [f"{name}: {figures[name]}" for name in ABOUT]
    models = ", ".join(f"{stage} {model}" for stage, model in figures["models"].items())
    constants = (
        f"normaliser {figures['normalizer']}, DER collar {figures['der_collar_total_s']:g} s in all, "
        f"tcpWER collar {figures['tcp_wer_collar_s']:g} s"
    )
    return "\n".join([figures["title"].upper(), *about, f"models: {models}", f"method: {constants}"])


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    return aligned([tuple(name for name, _ in columns), *(tuple(cell(row) for _, cell in columns) for row in rows)])
