"""The files that a host gets, laid out as it finds them: the set that `deploy publish` pushes."""

from __future__ import annotations

from pathlib import Path

from deploy.manifest import ROOT, SHIPPED, lay_out, shipped_files

__all__ = ["ROOT", "SHIPPED", "copy_shipped"]


def copy_shipped(target: Path) -> Path:
    """Lay the shipped files out in a new folder `target`, and return it."""
    return lay_out(shipped_files(), target)
