"""Where figures come from: the folder, the processor, the packages, the commit, and what was typed."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = (
    "torch",
    "transformers",
    "ctranslate2",
    "faster-whisper",
    "pocketsphinx",
    "silero-vad",
    "scikit-learn",
    "pyannote.audio",
    "pyannote.metrics",
    "meeteval",
    "jiwer",
)


def describe_machine() -> dict[str, str]:
    """Processor, Python, packages, commit: plain text, no host name and no path."""
    versions = {name: version for name in PACKAGES if (version := _version(name))}
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "commit": _commit(),
    }


def command(module: str, arguments: Sequence[str] | None) -> str:
    """What was typed, for whoever wants the same figures."""
    return shlex.join(["python", "-m", module, *(sys.argv[1:] if arguments is None else arguments)])


def load_before() -> str:
    """How many programs wanted the processors in the last minute: what figures of speed are to be read with."""
    return f"{os.getloadavg()[0]:.2f}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return "unknown"
    words = [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"  # noqa: S603  fixed words
