"""evaluation/README.md and evaluation/results/ are those that today's code would write, but for the figures themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evaluation.checks import constructor_check, edge_checks, outcome_check, score_checks
from evaluation.engines import STANDARD, EngineSet, edge_clips
from evaluation.figures import figures_of, method
from evaluation.listen import Edge
from evaluation.measures import Measured
from evaluation.results import README, RESULTS, page
from evaluation.score import Score
from evaluation.tables import EDGE, SPEED, TIMES_AND_SUMMARY, WHO_SAID_WHAT

DOCS = README.parent.parent / "docs" / "evaluation.md"
all_sets = pytest.mark.parametrize("engines", STANDARD, ids=lambda engines: engines.name)


def figures(engines: EngineSet) -> dict[str, object]:
    report: dict[str, object] = json.loads((RESULTS / f"{engines.name}.json").read_text(encoding="utf-8"))
    return report


def test_the_readme_shows_what_the_results_hold() -> None:
    readme = README.read_text(encoding="utf-8")
    assert page(readme, RESULTS) == readme, "stale: make evaluate, or python -m evaluation.run --write"
    assert all(engines.title.upper() in readme for engines in STANDARD)


@all_sets
def test_the_results_hold_every_recording_and_every_measure(engines: EngineSet) -> None:
    report = figures(engines)
    rows = report["recordings"]
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == [case.name for case in engines.cases()]
    today = figures_of(Measured(Score("any"), 1.0))
    assert {tuple(row) for row in rows} == {tuple(today)}
    assert isinstance(report["total"], dict)
    assert list(report["total"]) == list(today)
    edges = report["edge"]
    assert isinstance(edges, list)
    assert [edge["name"] for edge in edges] == [clip.stem for clip in edge_clips()]
    assert {name: report[name] for name in method(0.0)} == method(0.0)


@all_sets
def test_the_results_were_held_to_todays_promises(engines: EngineSet) -> None:
    nothing = Score("nothing")
    promised = [check for case in engines.cases() for check in (outcome_check(case.name, "ok"), *score_checks(case, nothing))]
    promised += [check for clip in edge_clips() for check in edge_checks(Edge(clip.stem, "", (), "", "", 0.0))]
    promised += [constructor_check(0.0)] if engines.quick_to_load else []
    checks = figures(engines)["checks"]
    assert isinstance(checks, list)
    assert [(check["recording"], check["measure"], check["must_reach"]) for check in checks] == [
        (check.recording, check.measure, check.must_reach) for check in promised
    ]


@all_sets
def test_the_results_say_where_they_come_from_and_hold_no_path_of_a_machine(engines: EngineSet) -> None:
    text = (RESULTS / f"{engines.name}.json").read_text(encoding="utf-8")
    report = figures(engines)
    assert re.fullmatch(r"[\w.-]{7,}", str(report["commit"]))
    assert str(report["command"]).startswith("python -m evaluation.run")
    assert not re.search(r'[" =](/[a-z]+){2,}', text)


def test_every_column_is_explained() -> None:
    docs = DOCS.read_text(encoding="utf-8")
    headings = {name for columns in (WHO_SAID_WHAT, TIMES_AND_SUMMARY, SPEED, EDGE) for name, _ in columns}
    explained = set(re.findall(r"`([^`]+)`", docs))
    assert headings - explained == set()


def test_a_missing_results_file_is_seen(tmp_path: Path) -> None:
    for path in RESULTS.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "tiny-whisper.json").unlink()
    readme = README.read_text(encoding="utf-8")
    assert page(readme, tmp_path) != readme
