"""The files that a host gets: what lies in the repository on the Hub, and nothing else of this working tree."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SHIPPED = ("handler.py", "config.py", "diarization_utils.py", "requirements.txt", "README.md", "LICENSE", "roundtable")
"""Files and whole folders, relative to the repository. A name that is missing from the tree is an error, not a gap."""


def copy_shipped(target: Path) -> Path:
    """Lay the shipped files out in a new folder `target`, as a host finds them, and return it."""
    target.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / name)
    return target
