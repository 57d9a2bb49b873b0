"""The files that a host gets: what lies in the repository on the Hub, and nothing else of this folder.

`publish` pushes exactly these; the conformance tests start the handler from exactly these.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SHIPPED = ("handler.py", "config.py", "diarization_utils.py", "requirements.txt", "README.md", "LICENSE", "roundtable")
"""Files and whole folders, relative to the root. A name that is missing from the tree is an error, not a gap."""

_LEFT_OUT = {"__pycache__", ".DS_Store"}


def shipped_files(root: Path = ROOT) -> dict[str, bytes]:
    """`{path in the repository: content}`, in order. Raises `FileNotFoundError` for a name of `SHIPPED` that is not there."""
    found: dict[str, bytes] = {}
    for name in SHIPPED:
        source = root / name
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            parts = file.relative_to(root).parts
            if file.is_dir() or _LEFT_OUT & set(parts) or file.suffix == ".pyc":
                continue
            found["/".join(parts)] = file.read_bytes()
    return found


def lay_out(files: dict[str, bytes], folder: Path) -> Path:
    """Write them into a new `folder`, as a host finds them, and return it."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder
