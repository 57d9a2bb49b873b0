"""Would every package of a requirements file come as a wheel, for the Python of the image that installs it?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import InvalidRequirement, Requirement

RESOLVE_LIMIT_S = 600.0

Resolver = Callable[[Path, str | None], str | None]
"""A requirements file and the image's Python, such as `3.12` (None: this one); returns why it does not resolve, or None."""

_PLATFORMS = ("manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(18, 36)), "linux_x86_64")
"""Up to glibc 2.35, Ubuntu 22.04's, which both of Hugging Face's images are built on. pip knows the older names by itself."""


def wheels_resolve(requirements: Path, python: str | None) -> str | None:
    """Asks pip, without installing anything. Needs the package index, and a minute.

    pip weighs `; python_version …` by the Python that runs it, so those of the file itself are weighed here; those of what
    the packages need in turn are not.
    """
    with tempfile.TemporaryDirectory() as folder:
        file, target = requirements, list[str]()
        if python is not None:
            file = Path(folder, "requirements.txt")
            file.write_text(_for(python, requirements.read_text(encoding="utf-8")), encoding="utf-8")
            platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
            target = ["--python-version", python, "--implementation", "cp", *platforms]
        return _ask_pip([*target, "-r", str(file)])


def _for(python: str, text: str) -> str:
    """The lines that count for this Python, without their conditions."""
    kept = []
    for line in text.splitlines():
        try:
            requirement = Requirement(line.partition(" #")[0].strip())
        except InvalidRequirement:  # a comment, or an option of pip's
            kept.append(line)
            continue
        here = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
        if requirement.marker is None or requirement.marker.evaluate({**here}):
            requirement.marker = None
            kept.append(str(requirement))
    return "\n".join(kept) + "\n"


def _ask_pip(arguments: list[str]) -> str | None:
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--only-binary", ":all:"]
    try:
        with TemporaryDirectory() as nowhere:  # pips before 25 ask for a target with another Python's wheels, dry run or not
            done = subprocess.run(  # noqa: S603  # our own interpreter and file
                [*command, "--quiet", "--disable-pip-version-check", "--target", nowhere, *arguments],
                capture_output=True,
                text=True,
                timeout=RESOLVE_LIMIT_S,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return f"pip had no answer in {RESOLVE_LIMIT_S:.0f} s"
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return None if done.returncode == 0 else (errors or ["pip failed"])[-1][:200]
