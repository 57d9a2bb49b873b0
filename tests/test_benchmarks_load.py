"""The load generator: it never waits for a reply, counts from when it meant to send, and calls every failure by its name."""

import asyncio
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import load, load_tables, outcome
from benchmarks.load_arrivals import Arrival, poisson, waits_one_at_a_time
from benchmarks.load_recordings import cut
from benchmarks.load_requests import Sent, Transcribe, one_attempt_client, over_http, send_all
from benchmarks.load_server import Held, host_named, is_loopback, resident_mb, settings, started, through_pipe, watched
from benchmarks.load_tables import percentile, slope
from client import InvalidCallError
from tests.fakes import GatheringServer, OneAtATime, PipedHost, VirtualTimeLoop
from tests.hosts.harness import PLAIN, Answer, HostError
from tests.scripted_server import Hangs, Resets, Says, ScriptedServer, unused_port

ROOT = Path(__file__).parent.parent
ONE_WORD = ROOT / "samples" / "edge" / "one_word.flac"
FIGURES = ROOT / "benchmarks" / "results" / "load.json"
REPLY = json.dumps({"text": "", "outcome": "ok", "timings": {"total_s": 0.25}, "models": {"asr": "a"}}).encode()
DEGRADED = REPLY.replace(b'"ok"', b'"degraded"')
TOO_LONG = json.dumps({"code": "audio_too_long", "message": "Too long.", "retryable": False, "request_id": "1"})

# ---- Arrivals


@given(st.floats(0.01, 50.0), st.floats(0.1, 20.0), st.integers(0, 9))
def test_arrivals_ascend_within_the_duration_and_come_again(rate: float, duration: float, seed: int) -> None:
    arrivals = poisson(rate, duration, {10.0: 3, 60.0: 1}, seed)
    times = [one.at_s for one in arrivals]
    assert times == sorted(times)
    assert all(0 < at_s < duration for at_s in times)
    assert {one.audio_s for one in arrivals} <= {10.0, 60.0}
    assert poisson(rate, duration, {10.0: 3, 60.0: 1}, seed) == arrivals
    assert [one.at_s for one in poisson(rate, duration, {5.0: 1}, seed)] == times
    longer = poisson(rate, 2 * duration, {10.0: 3, 60.0: 1}, seed)
    assert longer[: len(arrivals)] == arrivals


def test_the_counts_of_a_seed() -> None:
    assert [len(poisson(10, 100, {1.0: 1}, seed)) for seed in range(4)] == [1006, 1009, 983, 1009]
    lengths = Counter(one.audio_s for one in poisson(10, 100, {10.0: 45, 60.0: 4, 300.0: 1}, 7))
    assert lengths == {10.0: 933, 60.0: 61, 300.0: 12}


def test_the_gaps_are_exponential_and_do_not_depend_on_each_other() -> None:
    gaps = np.diff([0.0, *(one.at_s for one in poisson(4, 5000, {1.0: 1}, 0))])
    assert np.mean(gaps) == pytest.approx(1 / 4, rel=0.02)
    assert np.std(gaps) == pytest.approx(1 / 4, rel=0.02)
    for share in (0.1, 0.5, 0.9, 0.99):
        assert np.quantile(gaps, share) == pytest.approx(-np.log(1 - share) / 4, rel=0.04)
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.02


@pytest.mark.parametrize(("rate", "weights"), [(0, {1.0: 1}), (-1, {1.0: 1}), (1, {}), (1, {1.0: 0})])
def test_no_rate_and_no_weight_of_nothing(rate: float, weights: dict[float, float]) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        poisson(rate, 1, weights, 0)


def test_one_waits_for_what_is_left_of_the_one_before() -> None:
    assert waits_one_at_a_time([(0, 3), (1, 3), (2, 1), (10, 1), (10.5, 1)]) == [0, 2, 4, 0, 0.5]
    assert waits_one_at_a_time([]) == []


# ---- Open loop


def sent_in_virtual_time(transcribe: Transcribe, arrivals: Sequence[Arrival], stop_s: float = 1e6) -> list[Sent]:
    recordings = {one.audio_s: bytes(int(one.audio_s)) for one in arrivals}
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(send_all(transcribe, arrivals, recordings, stop_s))


def test_with_one_request_a_second_and_a_second_and_a_half_for_each_latency_grows_by_half_a_second() -> None:
    sent = sent_in_virtual_time(OneAtATime(lambda _: 1.5).transcribe, [Arrival(float(n), 10) for n in range(20)])
    assert [one.latency_s for one in sent] == pytest.approx([1.5 + 0.5 * n for n in range(20)])
    assert [one.queueing_s for one in sent] == pytest.approx([0.5 * n for n in range(20)])
    assert [one.begun_s for one in sent] == pytest.approx([float(n) for n in range(20)])


def test_random_arrivals_wait_as_long_as_the_theory_says() -> None:
    """M/D/1, load 0.8: each wait is Lindley's, their mean Pollaczek and Khinchine's: load / 2 (1 - load) of the work."""
    arrivals = poisson(0.8, 5000, {1.0: 1}, 3)
    sent = sent_in_virtual_time(OneAtATime(len).transcribe, arrivals)
    waits = [one.queueing_s for one in sent]
    assert waits == pytest.approx(waits_one_at_a_time((one.at_s, 1.0) for one in arrivals), abs=1e-6)
    assert np.mean(waits) == pytest.approx(2.0, rel=0.1)


def test_what_is_not_answered_by_the_hard_stop_is_unfinished_at_its_age() -> None:
    sent = sent_in_virtual_time(OneAtATime(lambda _: 4.0).transcribe, [Arrival(n, 10) for n in (0.0, 1.0, 2.0)], stop_s=9.0)
    assert [(one.kind, one.served_s) for one in sent] == [("ok", 4.0), ("ok", 4.0), ("unfinished", None)]
    assert [one.latency_s for one in sent] == pytest.approx([4.0, 7.0, 7.0])


def test_a_generator_that_is_late_is_not_forgiven() -> None:
    """Two requests are due while the program is held up for 3 s: both count from when they were due."""
    held_up = iter((3.0, 0.0, 0.0))

    async def transcribe(recording: bytes) -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.hold_up(next(held_up))
        return await OneAtATime(lambda _: 1.0).transcribe(recording)

    sent = sent_in_virtual_time(transcribe, [Arrival(n, 10) for n in (0.0, 1.0, 2.0)])
    assert [one.begun_s for one in sent] == pytest.approx([0.0, 3.0, 3.0])
    assert [one.latency_s for one in sent] == pytest.approx([4.0, 3.0, 2.0])


def over_network(url: str, count: int, stop_s: float = 60.0) -> list[Sent]:
    async def run() -> list[Sent]:
        async with one_attempt_client(url, 60.0) as client:
            arrivals = [Arrival(0.001 * n, 1.0) for n in range(count)]
            return await send_all(over_http(client, "base64"), arrivals, {1.0: b"a recording"}, stop_s)

    return asyncio.run(run())


def test_all_are_sent_before_any_is_answered() -> None:
    """The server waits for all thirty: a generator that waits for replies would get none but 503."""
    with GatheringServer(30, REPLY) as server:
        sent = over_network(server.url, 30)
    assert Counter(one.kind for one in sent) == {"ok": 30}


# ---- What came of it


def test_every_failure_is_counted_under_its_name_and_nothing_is_sent_twice() -> None:
    steps: list[tuple[Says | Resets, str]] = [
        (Says(200, REPLY), "ok"),
        (Says(200, DEGRADED), "degraded"),
        (Says(503), "503 CapacityError"),
        (Says(429, b"", {"Retry-After": "0"}), "429 CapacityError"),
        (Says(400, b"no"), "400 InvalidRequestError"),
        (Says(400, json.dumps({"error": TOO_LONG}).encode()), "400 audio_too_long TooLargeError"),
        (Says(500, b"<html>"), "500 ServerError"),
        (Says(200, b"garbage"), "200 UnusableReplyError"),
        (Says(200, REPLY, claims=10_000), "ConnectionFailedError"),
        (Resets(), "ConnectionFailedError"),
    ]
    with ScriptedServer(*(step for step, _ in steps)) as server:
        sent = over_network(server.url, len(steps))
        assert len(server.requests) == len(steps)
    assert Counter(one.kind for one in sent) == Counter(kind for _, kind in steps)
    assert [one.served_s for one in sent if one.answered] == [0.25, 0.25]
    assert [one.served_s for one in sent if not one.answered] == [None] * 8


def test_a_server_that_is_not_there_and_one_that_never_answers() -> None:
    assert [one.kind for one in over_network(f"http://127.0.0.1:{unused_port()}", 2)] == ["ConnectionFailedError"] * 2
    with ScriptedServer(Hangs(30)) as server:
        [one] = over_network(server.url, 1, stop_s=0.3)
    assert one.kind == "unfinished"
    assert one.latency_s >= 0.3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, "application/json", REPLY), "ok"),
        (Answer(400, "application/json", json.dumps({"error": TOO_LONG}).encode()), "400 audio_too_long TooLargeError"),
        (HostError("no answer in 120 s"), "ConnectionFailedError"),
        (ValueError("no JSON"), "ConnectionFailedError"),
    ],
)
def test_a_host_behind_a_pipe_fails_under_the_same_names(answer: Answer | Exception, kind: str) -> None:
    host = PipedHost(answer)

    async def run() -> list[Sent]:
        with ThreadPoolExecutor(1) as pipe:
            return await send_all(through_pipe(host, pipe, "base64"), [Arrival(0.0, 1.0)], {1.0: b"a recording"}, 60.0)

    assert [one.kind for one in asyncio.run(run())] == [kind]
    assert host.payloads == [{"inputs": "YSByZWNvcmRpbmc="}]


# ---- Figures


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(0, 100))
def test_percentiles_are_numpys_of_the_nearest_rank(values: list[float], percent: int) -> None:
    assert percentile(values, percent) == np.quantile(values, percent / 100, method="inverted_cdf")


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile(range(1, 101), percent) for percent in load_tables.PERCENTILES] == [50, 90, 95, 99, 100]
    assert [percentile([3.0, 1.0, 2.0], percent) for percent in load_tables.PERCENTILES] == [2.0, 3.0, 3.0, 3.0, 3.0]


def test_the_slope_of_memory_leaves_out_the_first_half() -> None:
    """A jump of 500 MB, and 0.25 MB per request."""

    def grown(jump_at: int) -> float | None:
        return slope([(count, (500.0 if count >= jump_at else 0.0) + 0.25 * count) for count in range(201)])

    assert grown(jump_at=100) == pytest.approx(25.0)
    assert (grown(jump_at=105) or 0.0) > 30.0


@pytest.mark.parametrize("points", [[], [(0, 1.0)], [(5, 1.0), (5, 2.0)], [(0, 1.0), (9, 1.0)]])
def test_no_slope_without_two_numbers_of_requests(points: list[tuple[int, float]]) -> None:
    assert slope(points) is None


def at_rest_with(mb: Callable[[int], float]) -> list[tuple[int, float, float]]:
    """What `run` would hold if each of its requests had ended before the next began."""
    return [(count, mb(count), count - 0.5) for count in range(11)]


def test_what_a_request_in_progress_takes_is_not_held_against_the_host() -> None:
    made = {
        "requests": [{"begun_s": 0.0}, {"begun_s": 2.0}, {"begun_s": 2.5}],
        "memory": [(0, 900.0, 0.5), (1, 100.0, 1.5), (1, 900.0, 2.2), (2, 900.0, 3.0), (3, 101.0, 4.0)],
    }
    assert load_tables.at_rest(made) == [(1, 100.0), (3, 101.0)]


def run(**changes: Any) -> dict[str, Any]:
    """A server that has served ten requests, one at a time: 1.5 s each, one a second."""
    sent = [Sent(n, 10.0, n, 1.5 + 1.5 * n, "ok", 1.5) for n in range(10)]
    whole = {
        "server": "a host",
        "rate_per_s": 1.0,
        "duration_s": 10.0,
        "seed": 7,
        "send_as": "base64",
        "mix": {"10.0": 1.0},
        "one_at_a_time": True,
        "models": {"asr": "an engine"},
        "requests": [asdict(one) for one in sent],
        "memory": at_rest_with(lambda count: 100 + 0.1 * count),
    }
    return {**whole, **changes}


def changed(place: int, **fields: Any) -> dict[str, Any]:
    requests = run()["requests"]
    requests[place] = asdict(replace(Sent(**requests[place]), **fields))
    return run(requests=requests)


@pytest.mark.parametrize(
    ("made", "short"),
    [
        (run(), []),
        (changed(9, kind="503 CapacityError", served_s=None), ["errors"]),
        (changed(9, kind="degraded"), ["degraded replies"]),
        (changed(9, kind="unfinished", served_s=None), ["unfinished"]),
        (changed(0, begun_s=0.2), ["sent late, p99, s"]),
        (run(memory=at_rest_with(lambda count: 0.3 * count)), ["memory at rest, MB per 100 requests"]),
        (run(memory=[(10, 1.0, 99.0)]), ["memory at rest, MB per 100 requests"]),
        (changed(9, ended_s=25.0), ["mean queueing, s: one at a time"]),
        (run(requests=[asdict(Sent(n, 10.0, n, n + 1.5, "ok", 1.5)) for n in range(10)]), ["mean queueing, s: one at a time"]),
        (run(requests=[asdict(Sent(n, 10.0, n, n + 1.5, "ok", 1.5)) for n in range(10)], one_at_a_time=False), []),
    ],
)
def test_each_promise_can_be_broken(made: dict[str, Any], short: list[str]) -> None:
    figures = {"machine": {}, "runs": [made]}
    assert [check.measure for check in load_tables.checks(figures) if not check.ok] == short
    assert ("SHORT" in load_tables.text(figures)) == bool(short)


def test_the_tables_row_by_row() -> None:
    requests = run()["requests"]
    requests[8].update(kind="503 CapacityError", served_s=None)
    requests[9].update(kind="unfinished", served_s=None)
    rows = [line.split("  ") for line in load_tables.text({"machine": {}, "runs": [run(requests=requests)]}).splitlines()]
    cells = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert cells["latency, all"] == ["9", "3.500", *["6.000"] * 4]
    assert cells["latency, 10 s"] == cells["latency, all"]
    assert cells["the server's own"] == ["8", *["1.500"] * 5]
    assert cells["queueing"] == cells["queueing, if one at a time"] == ["8", "1.500", *["3.500"] * 4]
    assert cells["sent late"] == ["10", *["0.000"] * 5]
    assert cells["errors"] == ["1 x 503 CapacityError"]
    assert [cells[name] for name in ("answered", "degraded", "unfinished")] == [["8"], ["0"], ["1"]]
    assert cells["audio seconds per second"] == ["6.7"]
    assert cells["memory at the beginning, at most, at the end, MB"] == ["100", "101", "101"]
    assert cells["memory at rest, MB per 100 requests"] == ["+10.0"]


# ---- The server and the command line


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://localhost/", "http://[::1]:1", "http://127.8.9.1"])
def test_this_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url", ["https://example.com", "http://192.168.0.1:80", "http://127.0.0.1.example.com", "http://[::2]"]
)
def test_any_other_machine_is_refused_unless_allowed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_loopback(url)
    with pytest.raises(SystemExit, match="2"):
        load.main([url])
    assert "is not this machine's: a load test" in capsys.readouterr().err
    assert load._options([url, "--allow-remote"]).url == url


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name a URL or --host"),
        (["http://localhost", "--host", "plain"], "name a URL or --host"),
        (["ftp://localhost"], "must be an http or https URL"),
        (["http://localhost", "--rate", "0"], "greater than 0"),
        (["http://localhost", "--rate", "inf"], "greater than 0"),
        (["http://localhost", "--duration", "inf"], "greater than 0"),
        (["http://localhost", "--rate", "nan"], "greater than 0"),
        (["http://localhost", "--drain", "nan"], "greater than 0"),
        (["http://localhost", "--warm-up", "-1"], "--warm-up must be 0 or more"),
        (["http://localhost", "--mix", "nan:1"], "SECONDS from 0.1 to 86400"),
        (["http://localhost", "--mix", "inf:1"], "SECONDS from 0.1 to 86400"),
        (["http://localhost", "--mix", "1e-9:1"], "SECONDS from 0.1 to 86400"),
        (["http://localhost", "--mix", "1:inf"], "a WEIGHT greater than 0"),
        (["http://localhost", "--mix", "1:nan"], "a WEIGHT greater than 0"),
        (["http://localhost", "--mix", "1:1e308,2:1e308"], "a WEIGHT greater than 0"),
        (["http://localhost", "--mix", "10"], "SECONDS:WEIGHT"),
        (["http://localhost", "--mix", "10:0"], "SECONDS:WEIGHT"),
        (["http://localhost", "--pid", "999999999"], "--pid"),
        (["--host", "plain", "--pid", "1"], "--pid"),
        (["--host", "toolkit", "hf-serve", "--raw"], "takes no raw audio"),
    ],
)
def test_a_wrong_command_line_says_why(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        load.main(arguments)
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/nonexist", "--recordings: nonexist: cannot be read as a file.\n"),
        (str(ROOT / "samples"), "--recordings: samples: cannot be read as a file.\n"),
        (
            str(ROOT / "README.md"),
            "--recordings: README.md: The file is not a recording in a format that can be read.\n",
        ),
    ],
)
def test_what_is_no_recording_is_one_sentence(path: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert load.main(["http://localhost", "--recordings", path]) == 2
    assert capsys.readouterr().err == told


def test_not_an_address() -> None:
    with pytest.raises(InvalidCallError):
        is_loopback("localhost:8080")


def test_a_server_that_does_not_answer_the_warm_up_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(Says(503)) as server:
        arguments = [server.url, "--mix", "1:1", "--recordings", str(ONE_WORD), "--rate", "100", "--duration", "0.2"]
        assert load.main(arguments) == 2
        assert len(server.requests) == 1
    assert "CapacityError: The endpoint is asleep, not up yet, or busy. (503)" in capsys.readouterr().err
    assert load.main([*arguments, "--duration", "1e-9"]) == 2


def test_the_whole_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arrivals = poisson(100, 0.3, {1.0: 3, 2.0: 1}, 5)
    with ScriptedServer(*[Says(200, REPLY)] * (len(arrivals) + 2)) as server:
        arguments = [
            *(server.url, "--rate", "100", "--duration", "0.3", "--mix", "1:3,2:1", "--seed", "5", "--raw"),
            *("--recordings", str(ONE_WORD), "--pid", str(os.getpid()), "--json", str(tmp_path / "figures.json")),
        ]
        assert load.main(arguments) == 0
        bodies = [request.body for request in server.requests]
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert load_tables.text(figures) == capsys.readouterr().out
    [made] = figures["runs"]
    assert [(one["at_s"], one["audio_s"], one["kind"]) for one in made["requests"]] == [
        (one.at_s, one.audio_s, "ok") for one in arrivals
    ]
    assert made["models"] == {"asr": "a"}
    assert made["memory"][0][0] == 0
    files = cut([ONE_WORD], [1.0, 2.0])
    drawn = Counter(one.audio_s for one in arrivals)
    assert Counter(bodies) == {files[1.0]: drawn[1.0] + 2, files[2.0]: drawn[2.0]}


@pytest.mark.slow
def test_a_host_is_started_called_watched_and_ended() -> None:
    async def whole() -> tuple[list[Sent], int, list[Held]]:
        async with started(PLAIN, "base64", 60.0) as server:
            assert server.pid is not None
            assert b"plain.py" in Path(f"/proc/{server.pid}/cmdline").read_bytes()
            done = itertools.count()
            async with watched(server.pid, lambda: next(done), 0.01) as memory:
                recordings = cut([ONE_WORD], [1.0])
                sent = await send_all(server.transcribe, [Arrival(0.0, 1.0)], recordings, 60.0)
            return sent, server.pid, memory

    [one], pid, memory = asyncio.run(whole())
    assert one.kind == "ok"
    assert one.served_s is not None
    assert 0 < one.served_s < one.latency_s
    assert all(50 < held.mb < 10_000 for held in memory)
    assert [held.ended for held in memory] == list(range(len(memory)))
    assert [held.at_s for held in memory] == sorted(held.at_s for held in memory)
    assert resident_mb(pid) is None


def test_the_engines_are_those_of_the_environment() -> None:
    named = settings({"ASR_MODEL": "tests/models/whisper-tiny", "DIARIZATION_MODEL": "org/model", "HF_TOKEN": "secret"})
    folder = str(Path.cwd() / "tests/models/whisper-tiny")
    assert named == {"ASR_MODEL": folder, "DIARIZATION_MODEL": "org/model", "SUMMARIZE_MODEL": "embedded"}


def test_the_hosts_names() -> None:
    assert [host_named(name).name for name in ("plain", "toolkit")] == ["plain call", "toolkit 2025"]
    assert host_named("hf-serve").name in {"hf-serve 0.2", "hf-serve, emulated"}


def test_the_readme_shows_the_figures_of_the_result_file() -> None:
    tables = load_tables.text(json.loads(FIGURES.read_text(encoding="utf-8")))
    readme = outcome.README.read_text(encoding="utf-8")
    assert outcome.with_tables(readme, tables, load.MARKS) == readme
