"""What every benchmark does with its figures: print them, keep them as JSON, put them into benchmarks/README.md, and say by the
exit code whether they reach what they must."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.checks import Check
from evaluation.machine import ROOT
from evaluation.machine import command as command
from evaluation.report import with_tables as with_tables

README = ROOT / "benchmarks" / "README.md"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every figure as JSON")
    parser.add_argument("--readme", action="store_true", help="put the tables into benchmarks/README.md")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a figure falls short")


def publish(
    options: argparse.Namespace, figures: Mapping[str, Any], tables: str, marks: tuple[str, str], checks: Sequence[Check]
) -> int:
    """Do what the options say; returns the exit code. `marks`: the lines of the README that the tables stand between."""
    sys.stdout.write(tables)
    keep(options, figures)
    if options.readme:
        README.write_text(with_tables(README.read_text(encoding="utf-8"), tables, marks), encoding="utf-8")
    return 1 if options.strict and not all(check.ok for check in checks) else 0


def keep(options: argparse.Namespace, figures: Mapping[str, Any]) -> None:
    """As JSON, if a path was given: also what has been measured so far, so that no later fault takes it along."""
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
