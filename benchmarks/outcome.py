"""What every benchmark does with its figures: print them, keep them as JSON, put them into benchmarks/README.md, and say by the
exit code whether they reach what they must."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.run import ROOT, Check

README = ROOT / "benchmarks" / "README.md"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every figure as JSON")
    parser.add_argument("--readme", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a figure falls short")


def command(module: str, arguments: Sequence[str] | None) -> str:
    """What was typed, for whoever wants the same figures."""
    return shlex.join(["python", "-m", module, *(sys.argv[1:] if arguments is None else arguments)])


def publish(
    options: argparse.Namespace, figures: Mapping[str, Any], tables: str, marks: tuple[str, str], checks: Sequence[Check]
) -> int:
    """Do what the options say; returns the exit code. `marks`: the lines of the README that the tables stand between."""
    sys.stdout.write(tables)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.readme:
        README.write_text(with_tables(README.read_text(encoding="utf-8"), tables, marks), encoding="utf-8")
    return 1 if options.strict and not all(check.ok for check in checks) else 0


def with_tables(readme: str, tables: str, marks: tuple[str, str]) -> str:
    """The README with these tables between its two marks."""
    begin, end = marks
    before, rest = readme.split(begin)
    return f"{before}{begin}\n\n```text\n{tables}```\n\n{end}{rest.split(end)[1]}"
