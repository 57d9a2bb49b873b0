"""The real handler with the embedded engines on real recordings: what README promises, as bounds.

The figures themselves come from `make evaluate`. `make evaluate-check`, which CI runs too, hears all of the recordings; here it
is the shortest, told and not told how many people speak.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from config import ModelSettings
from evaluation.cases import Case, phone_call_cases, sample_cases
from evaluation.checks import edge_checks, score_checks
from evaluation.listen import Edge, run_edge
from evaluation.measures import run_case
from handler import EndpointHandler
from roundtable.summarization.extractive import NO_SPEECH

SAMPLES = Path(__file__).parent.parent / "samples"
CASES = [*sample_cases(SAMPLES), *phone_call_cases()]
EDGES = sorted((SAMPLES / "edge").glob("*.flac"))


@pytest.fixture(scope="module")
def handler() -> EndpointHandler:
    return EndpointHandler(
        settings=ModelSettings(asr_model="embedded", diarization_model="embedded", summarize_model="embedded")
    )


def test_every_recording_of_the_issue_is_there() -> None:
    assert [case.name for case in CASES][:2] == ["call", "meeting"]
    assert len(CASES) == 4
    assert [path.stem for path in EDGES] == ["noise", "one_word", "short", "silence", "tone"]


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if "phone" in case.name], ids=lambda case: case.name.replace(" ", "-"))
def test_quality_reaches_what_readme_promises(handler: EndpointHandler, case: Case) -> None:
    checks = score_checks(case, run_case(handler.converse, case))
    short = [check for check in checks if not check.ok and "real" not in check.measure]  # time is for `make evaluate`
    assert len(checks) >= 2
    assert short == []


@pytest.mark.parametrize("path", EDGES, ids=lambda path: path.stem)
def test_nothing_is_invented_where_nobody_speaks(handler: EndpointHandler, path: Path) -> None:
    edge: Edge = run_edge(handler.converse, path)
    assert edge.error == ""
    assert [check for check in edge_checks(edge) if not check.ok] == []
    if path.stem in {"silence", "noise", "tone"}:
        assert (edge.text, edge.speakers, edge.summary) == ("", (), NO_SPEECH)


def test_the_same_recording_gives_the_same_reply_whatever_runs_beside_it(handler: EndpointHandler) -> None:
    one_word = (SAMPLES / "edge" / "one_word.flac").read_bytes()
    silence = (SAMPLES / "edge" / "silence.flac").read_bytes()

    def ask(recording: bytes) -> str:
        reply: dict[str, Any] = handler({"inputs": recording, "parameters": {"request_id": "same"}})
        return json.dumps({key: value for key, value in reply.items() if key != "timings"}, allow_nan=False)

    alone = ask(one_word)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ask, [one_word, silence, one_word, one_word]))
    assert [together[0], together[2], together[3]] == [alone] * 3
    assert together[1] != alone
