"""Recordings in, transcripts out, and what can go wrong with files, in words that name the file and not its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path


class FileProblem(Exception):  # noqa: N818  # says what happened, as the errors of the library do
    """A file that cannot be read or written; the text is one sentence."""


def shown(path: Path) -> str:
    """A file's name for people: without its folder, and without characters that a terminal would act on."""
    return "".join(character if character.isprintable() else "?" for character in path.name or str(path))


def check_readable(files: Iterable[Path]) -> None:
    """Raise `FileProblem` for the first that is missing or a folder."""
    for file in files:
        if file.is_dir():
            raise FileProblem(f"{shown(file)}: is a folder; name the recordings in it")
        if not file.exists():
            raise FileProblem(f"{shown(file)}: no such file")


def make_folder(folder: Path) -> None:
    """Make it and its parents, unless it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(f"{shown(folder)}: cannot be made a folder: {error.strerror}") from error


def read_recording(file: Path, max_bytes: int) -> bytes:
    """All of it; one that is larger than `max_bytes` is not read at all."""
    try:
        if file.stat().st_size > max_bytes:
            raise FileProblem(f"{shown(file)}: is larger than MAX_AUDIO_BYTES={max_bytes}")
        return file.read_bytes()
    except OSError as error:
        raise FileProblem(f"{shown(file)}: cannot be read: {error.strerror}") from error


def write_text(target: Path, text: str) -> None:
    """Write all of it or nothing: a run that is killed leaves no half-written transcript. Replaces what is there."""
    partial = target.with_name(f".{target.name[:200]}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise FileProblem(f"{shown(target)}: cannot be written: {error.strerror}") from error


def output_names(files: Sequence[Path], extension: str) -> list[str]:
    """A name per file. Two recordings that differ only in their folder or ending must not overwrite each other."""
    stems = Counter(file.stem for file in files)
    used: Counter[str] = Counter()
    names: list[str] = []
    taken: set[str] = set()
    for file in files:
        stem = file.stem if stems[file.stem] == 1 else file.name
        name = f"{stem}.{extension}"
        while name in taken:
            used[stem] += 1
            name = f"{stem}-{used[stem] + 1}.{extension}"
        taken.add(name)
        names.append(name)
    return names
