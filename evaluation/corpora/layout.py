"""What the readers of corpora share: finding files under a folder, and saying what is not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.cases import Case
from evaluation.readers import ReadError


@dataclass(frozen=True, slots=True)
class Found:
    """What of a split lies there, both in the order of names; `missing` are those that it should hold as well."""

    cases: list[Case]
    missing: tuple[str, ...] = ()

    @property
    def missing_text(self) -> str:
        """A line for people; empty where nothing is missing."""
        there = len(self.cases)
        return f"{there} of {there + len(self.missing)} recordings, missing: {', '.join(self.missing)}" if self.missing else ""


def files(folder: Path, pattern: str) -> list[Path]:
    """Anywhere under the folder, in order. What macOS writes beside each file (`._NAME`) is none."""
    return sorted(path for path in folder.rglob(pattern) if not path.name.startswith("._"))


def by_stem(folder: Path, pattern: str, suffix: str) -> dict[str, Path]:
    """The files anywhere under the folder that match, by name without `suffix`; of two with one name the first."""
    found: dict[str, Path] = {}
    for path in files(folder, pattern):
        found.setdefault(path.name.removesuffix(suffix), path)
    return found


def refuse_unless(found: Found, corpus: str, wanted: str) -> Found:
    """Raises `ReadError` where there are no cases: the folder has another layout than this one."""
    if not found.cases:
        raise ReadError(f"{corpus}: found none of what this split should hold: {wanted}.")
    return found
