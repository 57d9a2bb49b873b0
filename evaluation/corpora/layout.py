"""What the readers of corpora share: finding files under a folder, and saying what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.readers import ReadError


def by_stem(folder: Path, pattern: str, suffix: str) -> dict[str, Path]:
    """The files anywhere under the folder that match, by name without `suffix`; of two with one name the first."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob(pattern)):
        found.setdefault(path.name.removesuffix(suffix), path)
    return found


def refuse_unless(cases: Sequence[object], corpus: str, wanted: str) -> None:
    """Raises `ReadError` where there are none: the folder has another layout than this one."""
    if not cases:
        raise ReadError(f"{corpus}: found none of what this split should hold: {wanted}.")
