"""The files that a host gets: what lies in the repository on the Hub, and nothing else of this folder.

`publish` pushes exactly these and a list of them (`release.py`); the conformance tests start the handler from exactly these.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.errors import CommandError

ROOT = Path(__file__).resolve().parent.parent

SHIPPED = ("handler.py", "config.py", "diarization_utils.py", "requirements.txt", "README.md", "LICENSE", "roundtable")
"""Files and whole folders, relative to the root. A name that is missing from the tree is an error, not a gap."""

_KINDS = frozenset({".py", ".flac", ".md", ".txt"})
"""Of files in folders. Editors, merges and people leave others behind, and nobody has read those."""

_LEFT_OUT = frozenset({"__pycache__", ".DS_Store"})
_MOST_NAMED = 5


def shipped_files(root: Path = ROOT) -> dict[str, bytes]:
    """`{path in the repository: content}`, in order.

    Raises `CommandError` for a name of `SHIPPED` that is not there, and for whatever is there and should not go out: a link,
    a hidden file, a kind of file that the package does not have.
    """
    found: dict[str, bytes] = {}
    missing, strange = [], []
    for name in SHIPPED:
        source = root / name
        if not source.exists() and not source.is_symlink():
            missing.append(name)
            continue
        inside = source.is_dir() and not source.is_symlink()
        for file in sorted(source.rglob("*")) if inside else [source]:
            parts = file.relative_to(root).parts
            path = "/".join(parts)
            if _LEFT_OUT & set(parts) or file.suffix == ".pyc":
                continue
            hidden = any(part.startswith(".") for part in parts)
            if file.is_symlink() or hidden or (inside and file.is_file() and file.suffix not in _KINDS):
                strange.append(path)
            elif file.is_file():
                try:
                    found[path] = file.read_bytes()
                except OSError:
                    missing.append(path)
            elif not file.is_dir():
                strange.append(path)
    if missing:
        raise CommandError(f"{named(missing)}: not there, or not readable; nothing was published", "put it back")
    if strange:
        kinds = ", ".join(sorted(_KINDS))
        raise CommandError(
            f"{named(strange)}: not of the package (no links, no hidden files, only {kinds}); nothing was published",
            "move it out of the folder",
        )
    return found


def named(paths: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(paths[:_MOST_NAMED]) + more


def lay_out(files: dict[str, bytes], folder: Path) -> Path:
    """Write them into a new `folder`, as a host finds them, and return it."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder
