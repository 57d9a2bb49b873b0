"""The client against the real handler behind each host that speaks HTTP: one call, whatever the host makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from client import AsyncClient, CapacityError, Client, InvalidRequestError, Reply, ServerError
from tests.hosts.harness import HF_SERVE, HF_SERVE_REAL, TOOLKIT_2025, TOOLKIT_2026_ASR, Host, host_params, running
from tests.hosts.shipped import ROOT, copy_shipped

RECORDING = ROOT / "roundtable" / "warm_up.flac"
"""A second of speech."""


@dataclass(frozen=True)
class Booted:
    host: Host
    url: str


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_shipped(tmp_path_factory.mktemp("hub") / "repository")


@pytest.fixture(scope="module", params=host_params(TOOLKIT_2025, TOOLKIT_2026_ASR, HF_SERVE, HF_SERVE_REAL))
def booted(request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    host: Host = request.param
    with running(host, repository, tmp_path_factory.mktemp("host") / "cwd", {"ASR_MODEL": "embedded"}) as started:
        yield Booted(host, f"http://127.0.0.1:{started.port}")


@pytest.fixture
def endpoint(booted: Booted) -> Iterator[Client]:
    with Client(booted.url, token="hf_any") as client:  # noqa: S106  # made up
        yield client


def test_a_recording_as_base64(endpoint: Client) -> None:
    reply = endpoint.transcribe(RECORDING, request_id="c-1", summary_format="structured", num_speakers=1)
    assert (reply.outcome, reply.request_id, reply.attempts, reply.turns) == ("ok", "c-1", 1, ())
    assert reply.text == "".join(segment.text for segment in reply.segments).strip() != ""
    assert reply.duration_s == reply.raw["duration"] > 0


def test_both_clients_and_both_ways_hear_the_same(booted: Booted, endpoint: Client) -> None:
    async def run() -> Reply:
        async with AsyncClient(booted.url, token=False) as client:
            return await client.transcribe(RECORDING)

    replies = [endpoint.transcribe(RECORDING), asyncio.run(run())]
    if booted.host.takes_raw_audio:
        replies.append(endpoint.transcribe(RECORDING, send_as="raw"))
    assert {reply.text for reply in replies} == {replies[0].text}


def test_raw_audio_with_parameters(booted: Booted, endpoint: Client) -> None:
    if booted.host.takes_raw_audio:
        reply = endpoint.transcribe(RECORDING, send_as="raw", response_format="srt", request_id="2026", temperature=0.0)
        assert reply.text.startswith("1\n00:00:00,")
        assert reply.request_id == "2026"
    else:
        with pytest.raises(ServerError) as caught:
            endpoint.transcribe(RECORDING, send_as="raw")
        assert (caught.value.status, caught.value.attempts) == (500, 1)


def test_the_callers_mistakes_come_back_as_the_handler_names_them(endpoint: Client) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        endpoint.transcribe(RECORDING, {"speakers": 2, "request_id": "c-2"})
    error = caught.value
    assert (error.status, error.code, error.request_id, error.retryable) == (400, "invalid_parameters", "c-2", False)
    assert error.message.startswith("speakers: unknown parameter")
    with pytest.raises(InvalidRequestError) as caught:
        endpoint.transcribe(b"This is a text, not a recording.", request_id="c-3")
    assert (caught.value.code, caught.value.attempts) == ("not_audio", 1)


def test_out_of_time_may_be_tried_again_by_the_caller(booted: Booted, endpoint: Client) -> None:
    with pytest.raises(CapacityError) as caught:
        endpoint.transcribe(RECORDING, timeout_s=1e-6)
    error = caught.value
    assert (error.status, error.code) == (booted.host.server_fault_status, "deadline_exceeded")
    assert (error.retryable, error.attempts) == (True, 1)
