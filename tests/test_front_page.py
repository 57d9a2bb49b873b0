"""README's figures are those of the result files, and nothing else is a figure there."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import front_page

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BEGIN, END = front_page.MARKS


def test_the_front_page_shows_the_figures_of_the_files() -> None:
    assert README.split(BEGIN)[1].split(END)[0].strip() == front_page.section()


def test_no_figure_is_typed_in_by_hand() -> None:
    typed = README.split("\n## Figures\n")[1].split(BEGIN)[0]
    assert re.findall(r"\d+(?:\.\d+)?", typed) == []


def test_what_falls_short_is_said() -> None:
    asked, reached = re.findall(r"(\d+) of (\d+) figures reach what they must", README)[0][::-1]
    rows = README.split("### What falls short")[1].split(END)[0].count("| `make ")
    assert int(asked) - int(reached) == rows
