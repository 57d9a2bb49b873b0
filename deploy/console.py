"""What the tool says: progress on stderr, the result on stdout, as text or as one JSON document. All of it masked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, TextIO

from deploy.secrets import Mask

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Console:
    """Nothing reaches a stream but through `mask`."""

    def __init__(self, *, as_json: bool, mask: Mask, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.mask = mask
        self.as_json = as_json
        self._out = out
        self._err = err

    def progress(self, line: str) -> None:
        """One line on stderr. Where nobody can read it any more, what is being done goes on: it has begun, and has to end."""
        with suppress(OSError, ValueError):  # a pipe, a disk or a stream that is gone
            print(shown(self.mask.text(line)), file=self._err or sys.stderr, flush=True)

    def result(self, data: Any, lines: Iterable[str]) -> None:
        """`data` with `--json`, else `lines`."""
        text = json.dumps(self.mask.json(data), indent=2) if self.as_json else shown(self.mask.text("\n".join(lines)))
        print(text, file=self._out or sys.stdout, flush=True)


def shown(text: str) -> str:
    """`text` with its control characters made visible: a log could otherwise steer the terminal that shows it."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
