"""The service benchmark: the handler against the bare engines, doing the same work, and a process up to its first reply."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest

from benchmarks import outcome, service, service_overhead, service_tables
from benchmarks.load_recordings import cut
from benchmarks.service_overhead import BARE, BASE64, RAW, agree, bare, in_turn, overhead_s, recorded
from benchmarks.service_start import STEPS, first_reply
from config import ModelSettings
from handler import EndpointHandler
from roundtable.asr import TranscribeOptions
from roundtable.diarization import DiarizeOptions
from roundtable.summarization import SummarizeOptions
from tests.fakes import FakeDiarizer, FakeSummarizer, FakeTranscriber, InstantStart, fake_engines, raises, tone_wav

ROOT = Path(__file__).parent.parent
SETTINGS = ModelSettings.load(asr_model="fake")
FIGURES = ROOT / "benchmarks" / "results" / "service.json"

# ---- Overhead


def test_bare_engines_are_asked_what_the_handler_asks_them() -> None:
    by_hand = FakeTranscriber(), FakeDiarizer(), FakeSummarizer()
    by_handler = FakeTranscriber(), FakeDiarizer(), FakeSummarizer()
    with ThreadPoolExecutor(1) as pool:
        heard = bare(fake_engines(*by_hand), tone_wav(), pool)
    reply = EndpointHandler(settings=SETTINGS, engines=fake_engines(*by_handler))({"inputs": tone_wav()})
    agree(heard, reply)
    assert [engine.options for engine in by_hand] == [engine.options for engine in by_handler]
    assert by_hand[0].options == TranscribeOptions()
    assert by_hand[1].options == DiarizeOptions()
    assert by_hand[2].options == SummarizeOptions(language="en")
    assert by_hand[2].turns == by_handler[2].turns
    assert [turn.speaker for turn in heard.turns] == ["SPEAKER_00", "SPEAKER_01"]


def test_ways_that_do_not_come_to_the_same_are_not_compared() -> None:
    engines = fake_engines()
    with ThreadPoolExecutor(1) as pool:
        heard = bare(engines, tone_wav(), pool)
    reply = EndpointHandler(settings=SETTINGS, engines=engines)({"inputs": tone_wav()})
    for other in (
        replace(heard, turns=heard.turns[:1]),
        replace(heard, summary=replace(heard.summary, text="another")),
        replace(heard, transcript=replace(heard.transcript, segments=())),
    ):
        with pytest.raises(ValueError, match="do not come to the same"):
            agree(other, reply)


def test_each_way_goes_first_in_turn() -> None:
    gone: list[str] = []
    rounds = in_turn({name: lambda name=name: gone.append(name) for name in "abc"}, 4)  # type: ignore[misc]
    assert "".join(gone) == "abcbcacababc"
    assert [sorted(row) for row in rounds] == [["a", "b", "c"]] * 4
    assert all(seconds >= 0 for row in rounds for way in row.values() for seconds in way.values())


def test_measure_calls_every_way_once_per_round_and_once_before() -> None:
    transcriber = FakeTranscriber()
    calls: list[int] = []
    transcriber.before = lambda control: calls.append(1)
    measured = service_overhead.measure(fake_engines(transcriber), tone_wav(), 5)
    assert len(measured["rounds"]) == 5
    assert [list(row) for row in measured["rounds"][:2]] == [[BARE, BASE64, RAW], [BASE64, RAW, BARE]]
    assert len(calls) == 3 * (5 + 1)


def test_recorded_engines_answer_without_being_engines() -> None:
    engines = fake_engines()
    answers = recorded(engines, tone_wav())
    assert answers.names() == engines.names()
    assert isinstance(engines.transcriber, FakeTranscriber)
    engines.transcriber.before = raises(AssertionError("asked again"))
    with ThreadPoolExecutor(1) as pool:
        heard = bare(answers, tone_wav(), pool)
    agree(heard, EndpointHandler(settings=SETTINGS, engines=answers)({"inputs": tone_wav()}))


def row(bare_s: float, base64_s: float, raw_s: float) -> dict[str, dict[str, float]]:
    return {
        name: {"wall_s": seconds, "cpu_s": seconds / 2}
        for name, seconds in zip((BARE, BASE64, RAW), (bare_s, base64_s, raw_s), strict=True)
    }


def test_the_overhead_is_the_median_of_the_differences_not_the_difference_of_the_medians() -> None:
    rounds = [row(1.0, 1.1, 1.0), row(2.0, 2.2, 2.0), row(9.0, 9.1, 8.0)]
    assert overhead_s(rounds, BASE64, "wall_s") == pytest.approx((0.1, 2.0))
    assert overhead_s(rounds, BASE64, "cpu_s") == pytest.approx((0.05, 1.0))
    assert overhead_s(rounds, RAW, "wall_s") == (0.0, 2.0)


# ---- Start


def test_a_process_up_to_its_first_reply(tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    clip.write_bytes(tone_wav())
    steps = first_reply(clip, {"ASR_MODEL": "embedded", "DIARIZATION_MODEL": "", "SUMMARIZE_MODEL": ""})
    assert tuple(steps) == STEPS
    assert all(0 < seconds < 60 for seconds in steps.values())


def test_a_process_that_fails_is_no_start(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CalledProcessError):
        first_reply(tmp_path / "clip.wav", {"ASR_MODEL": ""})
    assert "ASR_MODEL" in capfd.readouterr().err


# ---- Figures


def figures(base64_s: float = 1.019, bare_s: float = 1.0, start_s: float = 7.9) -> dict[str, Any]:
    steps = dict(zip(STEPS, (0.1, 0.4, start_s - 1.5, 1.0), strict=True))
    slow = {**steps, "constructor": 100.0}
    return {
        "machine": {},
        "overhead": {"seconds": 10.0, "engines": {"e": {"rounds": [row(bare_s, base64_s, bare_s)] * 3}}},
        "start": {"starts": [slow, steps, steps]},
    }


@pytest.mark.parametrize(
    ("made", "short"),
    [
        (figures(), []),
        (figures(base64_s=1.021), [f"beyond the bare engines, ms: {BASE64}"]),
        (figures(bare_s=2.0, base64_s=2.039), []),
        (figures(bare_s=2.0, base64_s=2.041), [f"beyond the bare engines, ms: {BASE64}"]),
        (figures(start_s=8.1), ["start to first reply, s, median"]),
    ],
)
def test_each_promise_can_be_broken(made: dict[str, Any], short: list[str]) -> None:
    assert [check.measure for check in service_tables.checks(made) if not check.ok] == short
    assert ("SHORT" in service_tables.text(made)) == bool(short)


def test_the_tables_row_by_row() -> None:
    lines = [" ".join(line.split()) for line in service_tables.text(figures(start_s=7.5)).splitlines()]
    assert f"e {BASE64} 3 1.000 +19.0 +1.9 +9.5" in lines
    assert f"e {RAW} 3 1.000 +0.0 +0.0 +0.0" in lines
    assert "start interpreter import constructor first reply in all" in lines
    assert "2 0.10 0.40 6.00 1.00 7.50" in lines
    assert "embedded start to first reply, s, median 7.50 <= 8.00 ok" in lines


def test_one_part_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    instant = InstantStart()
    monkeypatch.setattr(service, "first_reply", instant)
    assert service.main(["--quick", "--only", "start", "--json", str(tmp_path / "figures.json")]) == 0
    made = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert service_tables.text(made) == capsys.readouterr().out
    assert made["start"]["starts"] == [dict.fromkeys(STEPS, 0.5)]
    clip = cut([service.ENGINES["embedded"][1]], [10.0])[10.0]
    # Twice: the first start brings the files into memory.
    assert instant.asked == [(clip, dict.fromkeys(service.SETTINGS, "embedded"))] * 2


def test_at_least_fifteen_rounds_and_five_starts() -> None:
    assert service.FULL.rounds >= 15
    assert service.FULL.at_once >= 15
    assert service.FULL.starts == 5


def test_the_readme_shows_the_figures_of_the_result_file() -> None:
    tables = service_tables.text(json.loads(FIGURES.read_text(encoding="utf-8")))
    readme = outcome.README.read_text(encoding="utf-8")
    assert outcome.with_tables(readme, tables, service.MARKS) == readme
