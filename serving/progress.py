"""How far a recording has come: a bar on a terminal, plain lines when piped. Always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from roundtable.control import ProgressCallback
from roundtable.transcript import Stage

_SHARE_OF_THE_WORK: dict[Stage, float] = {"asr": 0.7, "diarize": 0.3}
"""Roughly where the time goes; the other stages take next to none."""


@contextmanager
def progress_of(name: str) -> Iterator[ProgressCallback]:
    """Show the progress of one recording while the block runs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        print(f"{name}: started", file=sys.stderr)
        yield lambda stage, fraction: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=1.0)
        done: dict[Stage, float] = {}

        def show(stage: Stage, fraction: float) -> None:
            done[stage] = fraction
            bar.update(task, completed=sum(_SHARE_OF_THE_WORK.get(name, 0.0) * part for name, part in done.items()))

        yield show
