"""The benchmark of pyannote prints what it measured, and its README is what the result file says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import diarization, outcome
from benchmarks.child import Child

FIGURES = Path(__file__).parents[1] / "benchmarks" / "results" / "diarization.json"


def test_the_readme_shows_the_figures_of_the_result_file() -> None:
    tables = diarization.text(json.loads(FIGURES.read_text(encoding="utf-8")))
    readme = outcome.README.read_text(encoding="utf-8")
    assert outcome.with_tables(readme, tables, diarization.MARKS) == readme


def test_what_falls_short_is_told_and_ends_strictly(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    figures["dialogues"]["right_count"] = 8
    (tmp_path / "short.json").write_text(json.dumps(figures), encoding="utf-8")
    assert diarization.main(["--from", str(FIGURES), "--strict"]) == 0
    assert diarization.main(["--from", str(tmp_path / "short.json")]) == 0
    assert diarization.main(["--from", str(tmp_path / "short.json"), "--strict"]) == 1
    assert "8 of 10" in capsys.readouterr().out


def test_a_system_that_ends_early_shows_its_log() -> None:
    with pytest.raises(RuntimeError, match=r"No module named benchmarks\.nothing"):
        Child("benchmarks.nothing", threads=1, environment={})


def test_a_system_that_never_answers_is_ended_and_named() -> None:
    with pytest.raises(RuntimeError, match=r"did not answer within 0\.5 s"):
        Child("base64", "-e", "-", threads=1, environment={}, limit_s=0.5)  # which waits for the end of its input
