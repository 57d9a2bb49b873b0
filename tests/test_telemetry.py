"""Third-party telemetry is off: measured by what a process leaves in an empty home folder, not by what we set."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

USE_EVERY_ENGINE = """
import handler
from config import ModelSettings
handler.EndpointHandler(settings=ModelSettings(asr_model="embedded", diarization_model="embedded", summarize_model="embedded"))
"""


def test_loading_and_warming_up_the_engines_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    subprocess.run([sys.executable, "-c", USE_EVERY_ENGINE], env=environment, cwd=ROOT, timeout=120, check=True)
    assert [path for path in home.rglob("*") if path.is_file()] == []
