"""One handler.py, every host: the same requests, and what each host's contract makes of them.

Every host runs a copy of the shipped files with the embedded engines, in a clean process, and lives as long as its cases.
"""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from roundtable.audio import SAMPLE_RATE_HZ, decode_audio
from tests.hosts.harness import (
    HF_SERVE,
    HF_SERVE_REAL,
    PLAIN,
    TOOLKIT_2025,
    TOOLKIT_2025_ASR,
    TOOLKIT_2026,
    TOOLKIT_2026_ASR,
    Answer,
    Host,
    HostError,
    Request,
    Running,
    host_params,
    running,
)
from tests.hosts.shipped import ROOT, copy_shipped

HOSTS = (PLAIN, TOOLKIT_2025, TOOLKIT_2026, HF_SERVE, TOOLKIT_2025_ASR, TOOLKIT_2026_ASR, HF_SERVE_REAL)

ONLY_ASR = {"ASR_MODEL": "embedded"}
ALL_STAGES = {**ONLY_ASR, "DIARIZATION_MODEL": "embedded", "SUMMARIZE_MODEL": "embedded"}

CLIP_SPAN_S = (3.0, 8.0)
"""Of samples/call.flac: one person ends a sentence, another begins."""


@dataclass(frozen=True)
class Booted:
    host: Host
    running: Running
    replies: list[Answer]
    """To `same_request_every_way`, all sent at once."""

    def send(self, payload: Any, **how: Any) -> Answer:
        (answer,) = self.running.send([Request(payload, **how)])
        return answer

    def error(self, answer: Answer) -> str:
        """The text of an error, from where this host puts it."""
        body = answer.json()
        assert list(body) == [self.host.error_key]
        text = body[self.host.error_key]
        assert isinstance(text, str)
        return text


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_shipped(tmp_path_factory.mktemp("hub") / "repository")


@pytest.fixture(scope="module")
def clip() -> bytes:
    """A few seconds of two people, as a WAV file."""
    call = decode_audio((ROOT / "samples" / "call.flac").read_bytes(), max_bytes=1 << 24, max_seconds=600.0)
    start, end = (int(at * SAMPLE_RATE_HZ) for at in CLIP_SPAN_S)
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE_HZ)
        wav.writeframes((call.samples[start:end] * 32767).astype("<i2").tobytes())
    return file.getvalue()


@pytest.fixture(scope="module")
def word() -> bytes:
    """A second of speech, as a FLAC file: the cheapest request that runs every stage."""
    return (ROOT / "roundtable" / "warm_up.flac").read_bytes()


def has_all_stages(host: Host) -> bool:
    return host not in (TOOLKIT_2025_ASR, TOOLKIT_2026_ASR)


@pytest.fixture(scope="module", params=host_params(*HOSTS))
def booted(
    request: pytest.FixtureRequest, repository: Path, clip: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Booted]:
    host: Host = request.param
    settings = ALL_STAGES if has_all_stages(host) else ONLY_ASR
    with running(host, repository, tmp_path_factory.mktemp("host") / "cwd", settings) as started:
        yield Booted(host, started, started.send(same_request_every_way(host, clip)))


def same_request_every_way(host: Host, clip: bytes) -> list[Request]:
    """Twice as base64, as a data: URI and as the bytes themselves, as far as the host lets them pass."""
    parameters = {"request_id": "call-1", "num_speakers": 2, "summary_format": "structured"}
    encoded = base64.b64encode(clip).decode()
    json_requests = [encoded, encoded, f"data:audio/wav;base64,{encoded}"] if host.takes_base64 else [encoded, encoded]
    requests = [Request({"inputs": inputs, "parameters": parameters}) for inputs in json_requests]
    if host.takes_query:
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        requests.append(Request(clip, content_type="audio/wav", query=query))
    return requests


@pytest.mark.slow
def test_the_same_recording_gives_the_same_reply_however_it_comes_and_whatever_runs_beside_it(booted: Booted) -> None:
    assert [answer.status for answer in booted.replies] == [200] * len(booted.replies)
    replies = [answer.json() for answer in booted.replies]
    for reply in replies:
        assert reply.pop("timings")["total_s"] > 0
    assert all(reply == replies[0] for reply in replies)


def test_the_reply_has_the_users_four_keys_and_names_its_request(booted: Booted) -> None:
    reply = booted.replies[0].json()
    assert list(reply)[:4] == ["text", "chunks", "speakers", "summarize"]
    assert (reply["outcome"], reply["warnings"], reply["request_id"]) == ("ok", [], "call-1")
    assert reply["duration"] == CLIP_SPAN_S[1] - CLIP_SPAN_S[0]
    assert reply["text"] == "".join(chunk["text"] for chunk in reply["chunks"]).strip() != ""
    if has_all_stages(booted.host):
        assert {turn["speaker"] for turn in reply["speakers"]} == {"SPEAKER_00", "SPEAKER_01"}
        assert list(reply["models"]) == ["asr", "diarization", "summarization"]
        assert [list(summary) for summary in reply["summarize"]] == [["summary_text"]]
        assert reply["summary"]["method"] == "extractive"
    else:
        assert (reply["speakers"], reply["summarize"], reply["summary"]) == ([], [], None)
        assert list(reply["models"]) == ["asr"]


def test_every_host_hears_the_same(booted: Booted, heard: dict[bool, Any]) -> None:
    reply = booted.replies[0].json()
    said = [reply["text"], [(turn["speaker"], turn["text"]) for turn in reply["speakers"]], reply["summarize"]]
    assert said == heard.setdefault(has_all_stages(booted.host), said)


@pytest.fixture(scope="module")
def heard() -> dict[bool, Any]:
    """What the first host heard, with all stages and with one."""
    return {}


def test_raw_audio(booted: Booted, word: bytes) -> None:
    answer = booted.send(word, content_type="audio/flac")
    if booted.host.takes_raw_audio:
        assert (answer.status, answer.json()["outcome"]) == (200, "ok")
    else:
        assert (answer.status, answer.body) == (500, b"Internal Server Error")


def test_a_query_is_read_as_the_toolkit_hands_it_over(booted: Booted, word: bytes) -> None:
    """Numbers with a point are text in 2025, digits are numbers: `request_id=2026` arrives as an int."""
    query = "request_id=2026&num_speakers=1&temperature=0.0&timeout_s=100.5&summarize=false&word_timestamps=true&prompt=12"
    payload = {"inputs": base64.b64encode(word).decode()}
    answer = booted.send(payload, query=query)
    assert answer.status == 200, answer.body
    reply = answer.json()
    if booted.host.takes_query:
        assert (reply["request_id"], reply["summarize"]) == ("2026", [])
    else:
        assert reply["request_id"] not in ("2026", "")


@pytest.mark.parametrize("response_format", ["verbose_json", "srt"])
def test_other_formats_pass_every_serialiser(booted: Booted, word: bytes, response_format: str) -> None:
    parameters = {"response_format": response_format, "request_id": "f"}
    reply = booted.send({"inputs": base64.b64encode(word).decode(), "parameters": parameters}).json()
    assert (reply["request_id"], type(reply["text"])) == ("f", str)


NOT_AUDIO = base64.b64encode(b"This is a text, not a recording.").decode()
REFUSALS: dict[str, tuple[Any, dict[str, Any], str, bool]] = {
    # case: inputs, parameters, code, whether trying again may help
    "not a number": (NOT_AUDIO, {"num_speakers": "many"}, "invalid_parameters", False),
    "unknown parameter": (NOT_AUDIO, {"speakers": 2}, "invalid_parameters", False),
    "wrong rate": (NOT_AUDIO, {"sampling_rate": 8000}, "invalid_parameters", False),
    "nothing": ("", {}, "empty_audio", False),
    "not audio": (NOT_AUDIO, {}, "not_audio", False),
}


@pytest.mark.parametrize(("inputs", "parameters", "code", "retryable"), REFUSALS.values(), ids=list(REFUSALS))
def test_the_error_survives_the_host(
    booted: Booted, inputs: Any, parameters: dict[str, Any], code: str, retryable: bool
) -> None:
    answer = booted.send({"inputs": inputs, "parameters": {**parameters, "request_id": "e-1"}})
    assert answer.status == 400
    assert_envelope(booted.error(answer), code, retryable=retryable)


def test_out_of_time_is_not_the_callers_fault(booted: Booted, word: bytes) -> None:
    parameters = {"timeout_s": 1e-6, "request_id": "e-1"}
    answer = booted.send({"inputs": base64.b64encode(word).decode(), "parameters": parameters})
    assert answer.status == booted.host.server_fault_status
    assert_envelope(booted.error(answer), "deadline_exceeded", retryable=True)


def test_bad_base64(booted: Booted) -> None:
    answer = booted.send({"inputs": "UklG#£", "parameters": {"request_id": "e-1"}})
    assert answer.status == 400
    if booted.host.takes_base64:
        assert_envelope(booted.error(answer), "invalid_base64")
    else:  # refused before the handler is called
        assert booted.error(answer) == "string argument should contain only ASCII characters"


def test_missing_inputs(booted: Booted) -> None:
    answer = booted.send({"parameters": {"request_id": "e-1"}})
    assert answer.status == 400
    if booted.host.demands_inputs:  # refused before the handler is called
        assert "e-1" in booted.error(answer)
    else:
        assert_envelope(booted.error(answer), "missing_inputs")


def test_an_empty_body_of_audio(booted: Booted) -> None:
    answer = booted.send(b"", content_type="audio/wav")
    if booted.host.takes_raw_audio:
        assert answer.status == 400
        assert json.loads(booted.error(answer))["code"] == "empty_audio"
    else:
        assert answer.status == 422


def assert_envelope(text: str, code: str, *, retryable: bool = False) -> None:
    envelope = json.loads(text)
    assert envelope.pop("message") != ""
    assert envelope == {"code": code, "retryable": retryable, "request_id": "e-1"}


@pytest.mark.parametrize("host", host_params(*HOSTS))
def test_a_missing_setting_keeps_the_host_from_starting_and_is_named(host: Host, repository: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(HostError, match="ASR_MODEL: is not set"),
        running(host, repository, tmp_path / "cwd", {"DIARIZATION_MODEL": "embedded"}),
    ):
        pass
