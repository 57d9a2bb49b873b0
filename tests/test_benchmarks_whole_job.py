"""`benchmarks.whole_job`: peers that need nothing of ours, the tutorial handler's port, and figures that become verdicts."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import outcome, whole_job, whole_job_systems, whole_job_tables
from benchmarks.merge_peers import hugging_face
from benchmarks.peers.protocol import Heard, Request, Stages, measured
from benchmarks.peers.tutorial_handler import hand_out
from benchmarks.whole_job_parts import Bench, Scale
from benchmarks.whole_job_systems import (
    OURS,
    OURS_INT8,
    SYSTEMS,
    TUTORIAL,
    WHISPERX,
    NotBuiltError,
    System,
    Weights,
    Worker,
    batched,
    convert,
)
from benchmarks.whole_job_tables import best_of_ours, checks, ratio
from roundtable.audio import decode_audio
from roundtable.transcript import Turn, Word
from samples.make_samples import write_flac
from tests.models.speech import missing_synthesiser

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "tests" / "models"
FIGURES = ROOT / "benchmarks" / "results" / "whole_job.json"
GREEDY, BEAMS = batched("int8", 1), batched("int8")


# --- The protocol ----------------------------------------------------------------------------------------------------


def test_both_ends_of_the_pipe_need_the_standard_library_alone() -> None:
    program = [sys.executable, "-S", "-c", "import benchmarks.child, benchmarks.peers.protocol"]
    assert subprocess.run(program, cwd=ROOT, capture_output=True, check=False).stderr == b""


def test_a_peer_imports_nothing_of_ours_but_the_protocol() -> None:
    ours = {path.stem for path in ROOT.glob("*.py")} | {path.parent.name for path in ROOT.glob("*/__init__.py")}
    ours |= {"roundtable", "benchmarks", "samples", "tests"}
    peers = sorted((ROOT / "benchmarks" / "peers").glob("*.py"))
    found: dict[str, set[str]] = {}
    for peer in peers:
        names = set()
        for node in ast.walk(ast.parse(peer.read_text(encoding="utf-8"))):
            names |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {str(node.module)} if isinstance(node, ast.ImportFrom) else set()
        found[peer.stem] = {name for name in names if name.split(".")[0] in ours}
    assert found.pop("protocol") == {"benchmarks.child"}
    assert len(found) == 4
    assert set(map(frozenset, found.values())) == {frozenset({"benchmarks.peers.protocol"})}


def test_what_is_made_ready_is_not_in_the_time_and_stages_are(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    stages = Stages()

    def takes(seconds: float) -> None:
        nonlocal now
        now += seconds

    def system(request: Request) -> Callable[[], Heard]:
        takes(50.0)

        def work() -> Heard:
            takes(1.0)
            for seconds in (2.0, 4.0):
                stages("asr", takes)(seconds)
            return Heard(request.recording, stages_s=stages.taken())

        return work

    for _ in range(2):
        answer = measured(system, Request("a.flac"))
        assert answer["wall_s"] == 7.0
        assert answer["heard"]["text"] == "a.flac"
        assert answer["heard"]["stages_s"] == {"asr": 6.0}


def test_a_peer_that_is_not_built_says_what_builds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(whole_job_systems.SYSTEMS, "absent", System("run_whisperx", environment="nowhere"))
    with pytest.raises(NotBuiltError, match=r"not built: make \.venv-peer-nowhere/\.installed"):
        Worker("absent", Weights(Path("a"), Path("b")), 1)


# --- The tutorial's handler ------------------------------------------------------------------------------------------


def test_its_merge_takes_chunks_up_to_the_nearest_end_and_loses_the_rest() -> None:
    turns = [{"speaker": "A", "start": 0.0, "end": 2.0}, {"speaker": "A", "start": 2.5, "end": 4.0}]
    turns.append({"speaker": "B", "start": 5.0, "end": 8.0})
    spans = [(0.0, 2.0), (2.0, 5.5), (5.5, 8.5), (8.5, None)]
    chunks = [{"timestamp": span, "text": f" {number}"} for number, span in enumerate(spans)]
    said = hand_out(turns, chunks)
    assert [(one["speaker"], one["text"]) for one in said] == [("A", " 0"), ("A", " 1"), ("B", " 2")]


def test_its_merge_is_the_rule_that_the_merges_benchmark_knows() -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        borders = np.sort(rng.uniform(0, 60, 13)).tolist()
        names = rng.choice(["A", "B", "C"], 12).tolist()
        turns = [Turn(start, end, name) for start, end, name in zip(borders[:-1], borders[1:], names, strict=True)]
        times = np.sort(rng.uniform(0, 60, 21)).tolist()
        words = [Word(str(n), start, end, 1.0) for n, (start, end) in enumerate(pairwise(times))]
        said = hand_out(
            [{"speaker": turn.speaker, "start": turn.start, "end": turn.end} for turn in turns],
            [{"timestamp": (word.start, word.end), "text": word.text} for word in words],
        )
        known = hugging_face(words, turns)
        assert [one["speaker"] for one in said] == [name for name in known if name is not None]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first ten seconds of a held-out dialogue, as a file and as samples beside it."""
    path = tmp_path_factory.mktemp("clip") / "clip.flac"
    audio = decode_audio((MODELS / "held_out" / "two_people.flac").read_bytes(), max_bytes=10**8, max_seconds=600)
    write_flac(path, audio.samples[:160_000])
    np.save(path.with_suffix(".npy"), audio.samples[:160_000])
    return path


@pytest.mark.slow
def test_its_port_answers_with_its_four_keys(clip: Path) -> None:
    program = (
        "import base64, json, pathlib, sys\n"
        "from benchmarks.peers.tutorial_handler import EndpointHandler\n"
        "file, asr, diarization = map(pathlib.Path, sys.argv[1:])\n"
        "reply = EndpointHandler(str(asr), str(diarization), 1)({'inputs': base64.b64encode(file.read_bytes())})\n"
        "print(json.dumps(reply))\n"
    )
    command = [sys.executable, "-c", program, str(clip), str(MODELS / "whisper-tiny"), str(MODELS / "pyannote-tiny")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reply = json.loads(done.stdout.splitlines()[-1])
    assert set(reply) == {"speakers", "summarize", "chunks", "text"}
    assert reply["summarize"] == []
    assert reply["text"] == "".join(chunk["text"] for chunk in reply["chunks"])
    assert {frozenset(one) for one in reply["speakers"]} == {frozenset({"speaker", "timestamp", "text"})}
    handed = [one["text"] for one in reply["speakers"]]
    assert handed == [chunk["text"] for chunk in reply["chunks"]][: len(handed)]


# --- Systems ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ours_does_the_whole_job_on_a_file_and_hears_samples_with_so_many_tokens(clip: Path) -> None:
    with Worker(OURS, Weights(MODELS / "whisper-tiny", Path(), MODELS / "pyannote-tiny"), 1) as worker:
        job = worker.hear(clip, speakers=True).heard
        asr = worker.hear(clip.with_suffix(".npy")).heard
        short = worker.hear(clip.with_suffix(".npy"), limit=3).heard
        again = worker.hear(clip.with_suffix(".npy")).heard
    assert job.turns
    assert {"decode", "asr", "diarize", "merge", "total"} <= set(job.stages_s)
    assert " ".join(text for *_, text in job.utterances).split() == job.text.split() == asr.text.split()
    assert again == asr
    assert asr.windows == short.windows == 1
    assert asr.text.startswith(short.text)
    assert short.tokens == 3


@pytest.mark.parametrize("name", [GREEDY, WHISPERX])
def test_a_peer_that_is_built_hears_the_same_words(name: str, clip: Path, tmp_path: Path) -> None:
    if SYSTEMS[name].python() is None:
        pytest.skip(f"make .venv-peer-{SYSTEMS[name].environment}/.installed")
    weights = Weights(
        MODELS / "whisper-tiny", convert(MODELS / "whisper-tiny", tmp_path / "converted"), MODELS / "pyannote-tiny"
    )
    with Worker(name, weights, 1) as worker:
        heard = worker.hear(clip if SYSTEMS[name].diarizes else clip.with_suffix(".npy"), speakers=True).heard
    with Worker(OURS_INT8, weights, 1) as worker:
        ours = worker.hear(clip.with_suffix(".npy")).heard
    assert heard.text.split()[:15] == ours.text.split()[:15]  # the clip ends in the middle of a sentence
    assert bool(heard.turns) == SYSTEMS[name].diarizes


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_synthesiser()), reason="flite and espeak-ng speak the dialogue")
def test_what_is_spoken_is_the_reference_and_what_is_too_long_for_a_peer_is_left_out(tmp_path: Path) -> None:
    bench = Bench(Scale(0.3, 1, (10.0,), 5.0, {}, 0), (OURS_INT8, TUTORIAL), 1, tmp_path)
    rows = bench.lengths()["rows"]
    assert list(rows) == [OURS_INT8, TUTORIAL]
    assert rows[OURS_INT8]["10"]["cpu_s"] > 0
    assert [peak > 100 for peak in rows[OURS_INT8]["10"]["peaks_mb"]] == [True]
    assert rows[TUTORIAL] == {"10": {"left_out": "over 5 s"}}
    assert bench.reference.utterances is not None
    assert bench.reference.turns is not None
    said = [(one.speaker, one.start, one.end, one.text) for one in bench.reference.utterances]
    turns = [(turn.speaker, turn.start, turn.end) for turn in bench.reference.turns]
    text = " ".join(word for word, _ in bench.said)
    right = {"wer": 0.0, "substitutions": 0, "deletions": 0, "insertions": 0, "cp_wer": 0.0, "der": 0.0, "speakers": 2}
    assert bench._job_errors(Heard(text, said, turns)) == right
    by_one: list[tuple[str | None, float, float, str]] = [("SPEAKER_9", start, end, words) for _, start, end, words in said]
    blamed = bench._job_errors(Heard(text, by_one, turns))
    assert (blamed["wer"], blamed["der"]) == (0.0, 0.0)
    assert blamed["cp_wer"] > 0.1
    assert bench._job_errors(Heard(f"{text} more", said, turns[:1]))["insertions"] == 1


# --- Figures ---------------------------------------------------------------------------------------------------------


def row(wall_s: Sequence[float], wer: float = 0.01, **more: Any) -> dict[str, Any]:
    errors = {"wer": wer, "substitutions": 1, "deletions": 2, "insertions": 3, "der": 0.04, "cp_wer": 0.05, "speakers": 3}
    cost = {"wall_s": list(wall_s), "cpu_s": list(wall_s), "peak_mb": 900.0, "stages_s": {"asr": 1.0, "diarize": 2.0}}
    return {**errors, **cost, "windows": 5, "tokens": 320, **more}


def part(rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {"machine": {"processor": "one"}, "threads": 2, "rounds": 3, "seconds": 600.0, "voices": 3, "words": 100}
    return {**about, "rows": rows, **more}


def job(ours: dict[str, Any], tutorial: dict[str, Any]) -> dict[str, Any]:
    return {"job": part({OURS: ours, TUTORIAL: tutorial, WHISPERX: {"missing": "not built: make it"}})}


def asr(ours: dict[str, Any], ours_int8: dict[str, Any], beams: dict[str, Any], greedy: dict[str, Any]) -> dict[str, Any]:
    return {"asr": part({OURS: ours, OURS_INT8: ours_int8, BEAMS: beams, GREEDY: greedy})}


def lengths(grows_mb: float) -> dict[str, Any]:
    peaks = {"600": [1000.0], "3600": [1000.0 + grows_mb, 1900.0, 900.0]}
    by_length = {
        seconds: {"wall_s": 5.0, "cpu_s": 9.0, "peaks_mb": several, "file_mb": float(seconds) / 60}
        for seconds, several in peaks.items()
    }
    left_out = {"600": by_length["600"], "3600": {"left_out": "over 600 s"}}
    return {"lengths": {**part({OURS: by_length, TUTORIAL: left_out}), "seconds": [600.0, 3600.0]}}


def short(figures: dict[str, Any]) -> list[str]:
    return [check.measure for check in checks(figures) if not check.ok]


def test_what_just_reaches_every_promise_falls_short_of_none() -> None:
    nonsense = {name: value for name, value in row([2.0] * 3).items() if name != "wer"}
    shapes = {"base": {"seconds": 60.0, "rows": {OURS: nonsense, BEAMS: nonsense}}}
    figures = {
        **job(row([1.0] * 3), row([4.0] * 3)),
        **asr(row([3.0] * 3), row([2.0] * 3), row([2.0] * 3), row([2.0] * 3)),
        **lengths(266.1),
        "shapes": {**part({}), "tokens": 64, "shapes": shapes},
    }
    found = checks(figures)
    assert len(found) == 4 + 4 + 1 + 1
    assert short(figures) == []
    assert whole_job_tables.text(figures).splitlines()[-1] == "10 of 10 reached"


@pytest.mark.parametrize(
    ("figures", "measure"),
    [
        (job(row([1.0] * 3), row([3.9] * 3)), "tutorial handler / ours, wall"),
        (job(row([1.0] * 3, wer=0.011), row([9.0] * 3)), "WER, the tutorial handler's"),
        (job(row([1.0] * 3, der=0.041), row([9.0] * 3)), "DER, the tutorial handler's"),
        (job(row([1.0] * 3, cp_wer=0.051), row([9.0] * 3)), "cpWER, the tutorial handler's"),
        (
            asr(row([3.0] * 3), row([2.0] * 3), row([2.0] * 3), row([1.9] * 3)),
            "faster-whisper, batched, greedy / ours, CTranslate2, int8, wall",
        ),
        (
            asr(row([3.0] * 3, wer=0.02), row([2.0] * 3, wer=0.02), row([2.0] * 3, wer=0.019), row([2.0] * 3, wer=0.02)),
            "WER of ours, CTranslate2, int8, faster-whisper's",
        ),
        (lengths(266.3), "peak grows from 10 to 60 min by, MB; file and waveform: 242"),
    ],
)
def test_each_promise_can_be_broken_and_shows_as_short(figures: dict[str, Any], measure: str) -> None:
    assert short(figures) == [measure]
    lines = whole_job_tables.text(figures).splitlines()
    assert measure in next(line for line in lines if line.endswith("SHORT"))
    assert lines[-1].endswith(", 1 SHORT")


def test_our_best_engine_is_the_fastest_of_those_that_err_no_more_than_the_peer() -> None:
    rows = {OURS: row([3.0] * 3, wer=0.01), OURS_INT8: row([2.0] * 3, wer=0.03)}
    assert best_of_ours(rows) == OURS_INT8
    assert best_of_ours(rows, most_wer=0.02) == OURS
    assert best_of_ours(rows, most_wer=0.005) == OURS_INT8


def test_a_slow_round_does_not_decide() -> None:
    assert ratio({OURS: row([1.0, 9.0, 1.0]), TUTORIAL: row([4.0, 36.0, 40.0])}, TUTORIAL, OURS) == 4.0


def test_the_tables_say_what_was_left_out_what_is_not_built_and_which_engine_is_best() -> None:
    figures = {
        **job(row([1.0] * 3), row([8.0] * 3)),
        **asr(row([3.0] * 3), row([2.0] * 3), row([2.0] * 3), row([2.0] * 3)),
        **lengths(100.0),
    }
    lines = whole_job_tables.text(figures).splitlines()
    assert lines[0] == "processor: one"
    assert lines.count("processor: one") == 1
    assert "whisperX, int8: not built: make it" in lines
    assert "tutorial handler, 60 min  left out: over 600 s" in lines
    assert "ratios: system / our best engine here, which is: ours, CTranslate2, int8" in lines
    tutorial = next(line for line in lines if line.startswith("tutorial handler  "))
    assert tutorial.split()[2:] == ["8.00", "8.00", "900", "1.00", "2.00", "-", "0.010", "0.040", "0.050", "3", "8.00", "8.00"]


def test_figures_fall_short_strictly_and_are_printed_as_they_lie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "short.json").write_text(json.dumps(job(row([1.0] * 3), row([3.0] * 3))), encoding="utf-8")
    (tmp_path / "long.json").write_text(json.dumps(lengths(1.0)), encoding="utf-8")
    assert whole_job.main(["--from", str(tmp_path / "long.json"), "--strict"]) == 0
    both = ["--from", str(tmp_path / "short.json"), str(tmp_path / "long.json")]
    assert whole_job.main(both) == 0
    assert whole_job.main([*both, "--strict"]) == 1
    assert capsys.readouterr().out.count("4 of 5 reached, 1 SHORT") == 2


def test_the_readme_shows_the_figures_of_the_result_file() -> None:
    tables = whole_job_tables.text(json.loads(FIGURES.read_text(encoding="utf-8")))
    readme = outcome.README.read_text(encoding="utf-8")
    assert outcome.with_tables(readme, tables, whole_job.MARKS) == readme


def test_a_fault_in_a_later_part_does_not_take_the_earlier_ones_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(*_: object) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from lengths(1.0).items()
        raise RuntimeError("A system of the benchmark ended early")

    monkeypatch.setattr(whole_job, "measure", measure)
    with pytest.raises(RuntimeError, match="ended early"):
        whole_job.main(["--json", str(tmp_path / "figures.json")])
    assert json.loads((tmp_path / "figures.json").read_text(encoding="utf-8")) == lengths(1.0)
