"""`benchmarks.asr`: how a hearing is judged, how figures become tables and verdicts, and one real system in its own process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import asr, asr_tables, outcome
from benchmarks.asr_ours import OURS, Stopwatch
from benchmarks.asr_peers import DEFAULT_BEAMS, GREEDY, PEERS, Heard
from benchmarks.asr_score import Hearing, judge, starts_off_s
from benchmarks.asr_tables import SAME_TOTAL, checks, ratio
from benchmarks.asr_worker import SYSTEMS, Worker
from evaluation.score import Rate
from roundtable.audio import decode_audio

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "benchmarks" / "results" / "asr.json"

SAID = (("Do", 1.0), ("not", 1.2), ("call", 1.4), ("Tom,", 1.8), ("please.", 2.3))


# --- Judging ---------------------------------------------------------------------------------------------------------


def test_errors_are_counted_on_the_text_and_starts_on_the_words_heard_right() -> None:
    heard = Heard(
        " Do not call Bob please now.", ((" Do", 1.5), (" not", 1.2), (" call", 1.3), (" Bob", 1.8), (" please", 2.0))
    )
    hearing = judge(heard, SAID)
    assert hearing.wer == Rate({"substitutions": 1, "deletions": 0, "insertions": 1}, 5)
    assert hearing.starts_off_s == pytest.approx((0.5, 0.0, 0.1, 0.3))


def test_a_word_that_is_written_as_two_gives_both_its_start() -> None:
    assert starts_off_s([(" Don't", 1.1), (" call", 1.4)], SAID) == pytest.approx([0.1, 0.1, 0.0])


def test_without_word_times_there_are_none_to_judge() -> None:
    hearing = judge(Heard("do not call tom please"), SAID)
    assert hearing == Hearing(Rate({"substitutions": 0, "deletions": 0, "insertions": 0}, 5), None)
    assert hearing.as_json()["start_median_s"] is None


def test_nothing_heard_is_all_deletions() -> None:
    assert judge(Heard("", ()), SAID) == Hearing(Rate({"substitutions": 0, "deletions": 5, "insertions": 0}, 5), ())


def test_recordings_are_pooled_word_by_word() -> None:
    first = Hearing(Rate({"substitutions": 1, "deletions": 0, "insertions": 0}, 10), (0.1, 0.5))
    second = Hearing(Rate({"substitutions": 0, "deletions": 2, "insertions": 3}, 30), (0.2, 0.3))
    assert (first + second).as_json() == {
        "words": 40,
        "wer": 0.15,
        "substitutions": 1,
        "deletions": 2,
        "insertions": 3,
        "starts": 4,
        "start_median_s": 0.25,
        "start_p95_s": pytest.approx(0.47),
        "starts_near": 0.75,
    }


# --- Stages ----------------------------------------------------------------------------------------------------------


def test_time_within_an_inner_stage_is_not_the_outer_ones() -> None:
    now = iter((0.0, 1.0, 4.0, 4.5))
    watch = Stopwatch(lambda: next(now))
    inner = watch("inner", lambda number: number + 1)
    assert watch("outer", lambda number: inner(number) * 10)(2) == 30
    assert watch.seconds == {"outer": 1.5, "inner": 3.0}


# --- Figures ---------------------------------------------------------------------------------------------------------


def total(wer: float, **more: Any) -> dict[str, Any]:
    counts = dict.fromkeys(("words", "substitutions", "deletions", "insertions", "starts"), 10)
    times = {"start_median_s": 0.1, "start_p95_s": 0.4, "starts_near": 0.95}
    return {**counts, **times, "wer": wer, "seconds": 120.0, "cpu_s": 3.0, "encoder_rows": 8, "windows": 8, **more}


def accuracy(ours: dict[str, Any], peer: dict[str, Any]) -> dict[str, Any]:
    systems = {
        OURS: {"recordings": {"two minutes": ours}, "total": ours},
        GREEDY: {"recordings": {"two minutes": peer}, "total": peer},
        "faster-whisper, int8": {"missing": "faster_whisper"},
    }
    return {"model": "a-model", "note": "", "blocks": [{"language": "en", "systems": systems}]}


def speed_row(cpu_s: list[float]) -> dict[str, Any]:
    counts: dict[str, Any] = {"windows": 30, "tokens": 300, "beams": 1, "peak_mb": 500.0}
    return {**counts, "cpu_s": cpu_s, "wall_s": cpu_s, "stages_s": {"encode": 3.0, "decode": 1.0}}


def speed(default_beams: list[float], greedy: list[float], ours: list[float]) -> dict[str, Any]:
    rows = {DEFAULT_BEAMS: default_beams, GREEDY: greedy, OURS: ours, SAME_TOTAL: ours}
    shapes = {"tiny": {name: speed_row(cpu_s) for name, cpu_s in rows.items()}}
    return {"seconds": 600.0, "threads": 2, "rounds": 3, "note": "", "shapes": shapes}


def memory(short_mb: float, long_mb: float) -> dict[str, Any]:
    rows = [{"seconds": 600.0, "peak_mb": short_mb, "cpu_s": 9.0}, {"seconds": 3600.0, "peak_mb": long_mb, "cpu_s": 50.0}]
    return {"model": "a-model", "rows": rows}


def short(figures: dict[str, Any]) -> list[str]:
    return [check.measure for check in checks(figures) if not check.ok]


def test_what_just_reaches_every_promise_falls_short_of_none() -> None:
    figures = {
        "accuracy": accuracy(total(0.05), total(0.05)),
        "speed": speed([12.0, 12.0, 12.0], [4.0, 4.0, 4.0], [2.0, 2.0, 2.0]),
        "memory": memory(500.0, 711.1),
    }
    assert len(checks(figures)) == 8
    assert short(figures) == []


@pytest.mark.parametrize(
    ("ours", "peer", "measure"),
    [
        (total(0.051), total(0.06), "WER"),
        (total(0.04), total(0.039), "WER, the best peer's"),
        (total(0.04, start_median_s=0.11), total(0.05), "word starts, median s"),
        (total(0.04, starts_near=0.94), total(0.05), "word starts within 0.3 s"),
        (total(0.04, encoder_rows=9), total(0.05), "encoder passes per window"),
    ],
)
def test_each_promise_about_accuracy_can_be_broken(ours: dict[str, Any], peer: dict[str, Any], measure: str) -> None:
    assert short({"accuracy": accuracy(ours, peer)}) == [measure]


def test_a_slow_round_does_not_decide_and_a_slow_system_does() -> None:
    systems = speed([12.0, 60.0, 24.0], [4.0, 20.0, 9.0], [2.0, 10.0, 4.8])["shapes"]["tiny"]
    assert ratio(systems, DEFAULT_BEAMS) == 6.0
    assert ratio(systems, GREEDY) == 2.0
    assert short({"speed": speed([11.0] * 3, [3.9] * 3, [2.0] * 3)}) == [
        f"{name} / ours, CPU" for name in (DEFAULT_BEAMS, GREEDY)
    ]


def test_memory_may_grow_by_the_waveform_and_a_tenth() -> None:
    assert short({"memory": memory(500.0, 711.3)}) == ["peak grows by, MB"]


def test_the_tables_name_every_system_and_say_what_is_not_installed() -> None:
    figures = {"machine": {"processor": "one"}, "accuracy": accuracy(total(0.04), total(0.06)), "memory": memory(1.0, 2.0)}
    lines = asr_tables.text(figures).splitlines()
    assert lines[0] == "processor: one"
    row = next(line for line in lines if line.startswith(OURS))
    assert row.split() == [OURS, "10", "0.0400", "10", "10", "10", "10", "0.100", "0.400", "0.950", "3.0", "4.00"]
    assert any(line.startswith("faster-whisper, int8") and "not installed: faster_whisper" in line for line in lines)
    assert lines[-1] == "6 of 6 reached"


def test_the_readme_shows_the_figures_of_the_result_file() -> None:
    tables = asr_tables.text(json.loads(FIGURES.read_text(encoding="utf-8")))
    readme = outcome.README.read_text(encoding="utf-8")
    assert outcome.with_tables(readme, tables, asr.MARKS) == readme


# --- Systems ---------------------------------------------------------------------------------------------------------


def test_ours_is_one_system_among_its_peers() -> None:
    assert list(SYSTEMS) == [OURS, *PEERS]


def test_a_system_hears_in_a_process_of_its_own_and_its_cost_is_counted(tmp_path: Path) -> None:
    audio = decode_audio((ROOT / "samples" / "call.flac").read_bytes(), max_bytes=10**8, max_seconds=600)
    np.save(tmp_path / "short.npy", audio.samples[: 8 * 16_000])
    with Worker(OURS, asr.MODEL, threads=1) as worker:
        measured = worker.hear(tmp_path / "short.npy", "en")
    assert measured.windows == measured.encoder_rows == 1
    assert measured.heard.words is not None
    assert measured.heard.text.split() == [text.strip() for text, _ in measured.heard.words]
    assert sum(measured.stages_s.values()) == pytest.approx(measured.cpu_s, rel=0.1)
