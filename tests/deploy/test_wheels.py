"""Whether the requirements come as wheels, for which Python: real pip, and a folder of wheels in place of the index."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from deploy.wheels import wheels_resolve


def wheel(folder: Path, name: str, tag: str = "py3-none-any", requires: str = "") -> None:
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_requirements_are_resolved_by_pip_as_wheels(index: Path, tmp_path: Path) -> None:
    wheel(index, "tiny")
    file = tmp_path / "requirements.txt"
    file.write_text("tiny>=1\n")
    assert wheels_resolve(file, None) is None
    file.write_text("tiny>=2\n")
    assert wheels_resolve(file, None) == "ERROR: No matching distribution found for tiny>=2"


def test_wheels_were_resolved_for_this_python_and_not_the_images(index: Path, tmp_path: Path) -> None:
    wheel(index, "compiled", "cp312-cp312-manylinux_2_28_x86_64")
    file = tmp_path / "requirements.txt"
    file.write_text('# a comment\ncompiled>=1  # another\nnowhere>=1; python_version < "3.12"\n')
    assert wheels_resolve(file, "3.12") is None
    file.write_text('compiled>=1; python_version >= "3.12"\n')
    assert wheels_resolve(file, "3.11") is None
    assert wheels_resolve(file, "3.12") is None
    file.write_text("compiled>=1\n")
    assert wheels_resolve(file, "3.11") == "ERROR: No matching distribution found for compiled>=1"
