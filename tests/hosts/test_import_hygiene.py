"""Importing handler.py does no work. Looked at from inside a clean process that loads it the way the strictest host does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.harness import HERE
from tests.hosts.shipped import copy_shipped

ENGINES = {
    *("torch", "torchaudio", "transformers", "pyannote", "sklearn", "scipy", "networkx", "silero_vad", "pocketsphinx"),
    *("onnxruntime", "librosa", "huggingface_hub", "resemblyzer"),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_shipped(tmp_path_factory.mktemp("hub") / "repository")


@pytest.fixture(scope="module")
def seen(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What observe_import.py saw, with a `config.py` of somebody else's in front of ours."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "config.py").write_text("raise SystemExit('the wrong config')\n")
    done = subprocess.run(
        [sys.executable, "-P", "-B", str(HERE / "observe_import.py"), str(repository), str(elsewhere)],
        cwd=elsewhere,
        env={"PATH": os.defpath, "HOME": str(elsewhere), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    observed: dict[str, Any] = json.loads(done.stdout)
    return observed


def test_it_opens_no_socket_starts_no_process_and_changes_no_file(seen: dict[str, Any]) -> None:
    assert seen["events"] == []


def test_telemetry_is_off_before_anything_could_start_it(seen: dict[str, Any]) -> None:
    assert seen["telemetry"] == {"PYANNOTE_METRICS_ENABLED": "0", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}


def test_it_starts_no_thread(seen: dict[str, Any]) -> None:
    assert (seen["threads"], seen["running"]) == ([], 1)


def test_it_imports_no_engine(seen: dict[str, Any]) -> None:
    assert [name for name in seen["modules"] if name.partition(".")[0] in ENGINES] == []


def test_its_siblings_are_found_before_a_config_of_the_hosts(seen: dict[str, Any], repository: Path) -> None:
    assert (seen["class"], "handler" in seen["modules"]) == ("EndpointHandler", False)
    assert seen["siblings"] == {
        "config": str(repository / "config.py"),
        "diarization_utils": str(repository / "diarization_utils.py"),
        "roundtable": str(repository / "roundtable" / "__init__.py"),
    }
