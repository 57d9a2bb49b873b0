"""The tests of the summaries with the oldest libraries that we run on: in the environment that `make test-hosts` builds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from evaluation.machine import ROOT

TOOLKIT = ROOT / ".venv-hosts-toolkit" / "bin" / "python"
TESTS = ("tests/test_summarization_*.py", "tests/test_models_summarizers.py")
_VERSIONS = "import torch, transformers; print(transformers.__version__, torch.__version__.partition('+')[0])"


def measure(python: Path) -> dict[str, Any]:
    """Counts of pytest's own summary; all empty where there is no such environment."""
    if not python.is_file():
        return {"transformers": "", "torch": "", "passed": 0, "failed": 0, "skipped": 0}
    versions = _run(python, "-c", _VERSIONS).stdout.split()
    files = sorted(str(path.relative_to(ROOT)) for pattern in TESTS for path in ROOT.glob(pattern))
    last = (
        _run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not hosts", *files)
        .stdout.strip()
        .rpartition("\n")[2]
    )
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (passed|failed|skipped|error)", last)}
    return {
        "transformers": versions[0],
        "torch": versions[1],
        "passed": counts.get("passed", 0),
        "failed": counts.get("failed", 0) + counts.get("error", 0),
        "skipped": counts.get("skipped", 0),
    }


def _run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own
