"""The files that figures are kept in, and the page that shows them.

`evaluation/results/` and `evaluation/README.md` hold the figures of the engines that are the same on every machine, over the
recordings that come with the project. Everybody's own recordings and models go to `out/evaluation/`, which is not committed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.engines import STANDARD
from evaluation.machine import ROOT
from evaluation.report import with_tables
from evaluation.tables import tables

RESULTS = ROOT / "evaluation" / "results"
README = ROOT / "evaluation" / "README.md"
OWN = ROOT / "out" / "evaluation"
MARKS = ("<!-- figures of evaluation.run -->", "<!-- end of its figures -->")


def write(figures: Mapping[str, Any], path: Path) -> None:
    """As JSON, in an order that does not change."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Those that are there, in the order of `STANDARD`."""
    paths = [folder / f"{engines.name}.json" for engines in STANDARD]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]


def write_readme(readme: Path, folder: Path) -> None:
    """Put the tables of every results file between the marks."""
    readme.write_text(page(readme.read_text(encoding="utf-8"), folder), encoding="utf-8")


def page(readme: str, folder: Path) -> str:
    """The README's text with the tables that the results files give."""
    return with_tables(readme, "\n\n".join(map(tables, read_results(folder))), MARKS)
