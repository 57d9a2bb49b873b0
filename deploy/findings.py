"""One line of `check`'s table, and what it can say of a thing."""

from __future__ import annotations

from dataclasses import dataclass

RED, YELLOW, GREEN = "RED", "yellow", "ok"
ORDER = (RED, YELLOW, GREEN)
"""In the table: what stands in the way comes first."""


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    verdict: str
    what: str
    found: str
