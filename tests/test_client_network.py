"""Both clients against a real server on the loopback that follows a script of faults."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from client import (
    AccessError,
    AsyncClient,
    CapacityError,
    Client,
    ClientError,
    ConnectionFailedError,
    InvalidCallError,
    InvalidRequestError,
    OversizedRecordingError,
    PausedError,
    RedirectError,
    RefusedError,
    Reply,
    Retry,
    ServerError,
    TimedOutError,
    Timeouts,
    TooLargeError,
    UnreadableRecordingError,
    UnusableReplyError,
    Waiting,
)
from tests.fakes import PHRASE, tone_wav
from tests.scripted_server import Hangs, Resets, Says, ScriptedServer, unused_port

TOKEN = "hf_a-token-that-nobody-may-see"  # noqa: S105  # made up
WAV = tone_wav(0.1)
REPLY = Says(200, json.dumps({"text": PHRASE, "request_id": "r-1"}).encode(), {"Content-Type": "application/json"})
AT_ONCE = Retry(attempts=4, connection_attempts=3, total_s=60.0, first_wait_s=0.001, longest_wait_s=0.002)

Call = Callable[..., Reply]


def call(url: str, recording: Any = WAV, parameters: Any = None, *, how: dict[str, Any] | None = None, **named: Any) -> Reply:
    with Client(url, **{"token": TOKEN, "retry": AT_ONCE, **(how or {})}) as endpoint:
        return endpoint.transcribe(recording, parameters, **named)


def call_async(
    url: str, recording: Any = WAV, parameters: Any = None, *, how: dict[str, Any] | None = None, **named: Any
) -> Reply:
    async def run() -> Reply:
        async with AsyncClient(url, **{"token": TOKEN, "retry": AT_ONCE, **(how or {})}) as endpoint:
            return await endpoint.transcribe(recording, parameters, **named)

    return asyncio.run(run())


@pytest.fixture(params=[call, call_async], ids=["sync", "async"])
def transcribe(request: pytest.FixtureRequest) -> Call:
    chosen: Call = request.param
    return chosen


def failure(transcribe: Call, url: str, **how: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        transcribe(url, **how)
    error = caught.value
    shown = "".join((str(error), repr(error), repr(error.args), error.server_text))
    assert TOKEN not in shown
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


# --- What is sent ----------------------------------------------------------------------------------------------------


def test_base64_json_is_what_every_host_takes(transcribe: Call) -> None:
    with ScriptedServer(REPLY) as server:
        reply = transcribe(server.url, WAV, {"hotwords": ["Ada"]}, num_speakers=2, language=None)
    (sent,) = server.requests
    assert (sent.method, sent.path, sent.headers["content-type"]) == ("POST", "/", "application/json")
    assert (sent.headers["accept"], sent.headers["authorization"]) == ("application/json", f"Bearer {TOKEN}")
    assert json.loads(sent.body) == {
        "inputs": base64.b64encode(WAV).decode(),
        "parameters": {"hotwords": ["Ada"], "num_speakers": 2},
    }
    assert (reply.text, reply.request_id, reply.attempts) == (PHRASE, "r-1", 1)
    assert "x-scale-up-timeout" not in sent.headers


def test_raw_audio_has_its_type_and_its_parameters_in_the_query(transcribe: Call, tmp_path: Path) -> None:
    path = tmp_path / "call.bin"
    path.write_bytes(WAV)
    with ScriptedServer(REPLY) as server:
        transcribe(server.url, path, send_as="raw", num_speakers=2, diarize=True, temperature=0.5, request_id="a.b")
    (sent,) = server.requests
    assert sent.path == "/?num_speakers=2&diarize=true&temperature=0.5&request_id=a.b"
    assert (sent.headers["content-type"], sent.body) == ("audio/wav", WAV)


def test_a_request_may_be_held_while_the_endpoint_wakes_up(transcribe: Call) -> None:
    with ScriptedServer(REPLY) as server:
        transcribe(server.url, how={"scale_up_timeout_s": 600})
    assert server.requests[0].headers["x-scale-up-timeout"] == "600"


def test_the_token_is_the_argument_or_hf_token_or_none(transcribe: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "  hf_environment\n")
    with ScriptedServer(REPLY, REPLY, REPLY) as server:
        for token in ("hf_argument", None, False):
            transcribe(server.url, how={"token": token})
    assert [sent.headers.get("authorization") for sent in server.requests] == [
        "Bearer hf_argument",
        "Bearer hf_environment",
        None,
    ]


def test_a_proxy_of_the_environment_never_gets_a_plain_request(transcribe: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(REPLY) as server, ScriptedServer(Says(502)) as proxy:
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(variable, proxy.url)
        assert transcribe(server.url).text == PHRASE
    assert (proxy.requests, len(server.requests)) == ([], 1)


def test_a_proxy_of_the_environment_tunnels_without_seeing_the_token(transcribe: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(Says(502)) as proxy:
        for variable in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(variable, proxy.url)
        error = failure(transcribe, "https://endpoint.test")
    assert (type(error), str(error)) == (ConnectionFailedError, "The proxy of the environment refused.")
    ((method, path, headers, body),) = [(r.method, r.path, r.headers, r.body) for r in proxy.requests]
    assert (method, path, body) == ("CONNECT", "endpoint.test:443", b"")
    assert "authorization" not in headers


# --- What is tried again ---------------------------------------------------------------------------------------------


def test_503_then_200_tells_that_it_waits(transcribe: Call) -> None:
    told: list[Waiting] = []
    asleep = Says(503, b"<html>waking up</html>")
    with ScriptedServer(asleep, asleep, REPLY) as server:
        reply = transcribe(server.url, how={"on_wait": told.append})
    assert (reply.text, reply.attempts, len(server.requests)) == (PHRASE, 3, 3)
    assert [(wait.reason, wait.attempt, wait.status) for wait in told] == [("waking_up", 1, 503), ("waking_up", 2, 503)]
    assert all(sent == server.requests[0] for sent in server.requests)  # the recording goes out whole, each time


@pytest.mark.parametrize(("status", "reason"), [(503, "waking_up"), (429, "rate_limited")])
def test_retry_after_is_the_least_that_is_waited(transcribe: Call, status: int, reason: str) -> None:
    told: list[Waiting] = []
    with ScriptedServer(Says(status, headers={"Retry-After": "1"}), REPLY) as server:
        transcribe(server.url, how={"on_wait": told.append})
    assert [(wait.reason, wait.wait_s) for wait in told] == [(reason, 1.0)]
    assert len(server.requests) == 2


def test_a_retry_after_beyond_the_time_allowed_ends_the_call_at_once(transcribe: Call) -> None:
    with ScriptedServer(Says(429, headers={"Retry-After": "3600"}), REPLY) as server:
        error = failure(transcribe, server.url)
    assert (type(error), error.status, error.attempts, error.retryable) == (CapacityError, 429, 1, True)
    assert len(server.requests) == 1


def test_the_number_of_attempts_has_an_end(transcribe: Call) -> None:
    with ScriptedServer(*[Says(503)] * 9) as server:
        error = failure(transcribe, server.url)
    assert (len(server.requests), error.attempts) == (4, 4)
    assert str(error) == "The endpoint is asleep, not up yet, or busy. (503, 4 attempts)"


def test_a_full_endpoint_is_busy_and_not_asleep(transcribe: Call) -> None:
    told: list[Waiting] = []
    envelope = {"code": "out_of_memory", "message": "Full.", "retryable": True, "request_id": "r-2"}
    with ScriptedServer(Says(503, json.dumps({"detail": envelope}).encode()), REPLY) as server:
        transcribe(server.url, how={"on_wait": told.append})
    assert [wait.reason for wait in told] == ["busy"]


def test_connection_refused(transcribe: Call) -> None:
    told: list[Waiting] = []
    error = failure(transcribe, f"http://127.0.0.1:{unused_port()}", how={"on_wait": told.append})
    assert str(error) == "The endpoint cannot be reached: Connection refused. (3 attempts)"
    assert (type(error), error.status, error.retryable) == (ConnectionFailedError, None, True)
    assert [(wait.reason, wait.attempt, wait.status) for wait in told] == [
        ("no_connection", 1, None),
        ("no_connection", 2, None),
    ]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Resets(), id="before the answer"),
        pytest.param(Says(200, REPLY.body[:20], claims=len(REPLY.body), resets=True), id="reset in the middle of the body"),
        pytest.param(Says(200, REPLY.body[:20], claims=len(REPLY.body)), id="closed in the middle of the body"),
        pytest.param(Says(503, b"wak", claims=99), id="in the middle of a refusal"),
    ],
)
def test_a_connection_that_breaks_is_made_anew(transcribe: Call, fault: Says | Resets) -> None:
    with ScriptedServer(fault, REPLY) as server:
        reply = transcribe(server.url)
    assert (reply.text, reply.attempts, server.connections) == (PHRASE, 2, 2)
    with ScriptedServer(fault, fault, fault, REPLY) as server:
        error = failure(transcribe, server.url)
    assert str(error) == "The connection broke before the answer was complete. (3 attempts)"


def test_only_connections_that_fail_in_a_row_count_as_gone(transcribe: Call) -> None:
    with ScriptedServer(Resets(), Resets(), Says(503), REPLY) as server:
        assert transcribe(server.url).attempts == 4


def test_what_on_wait_raises_ends_the_call(transcribe: Call) -> None:
    class Enough(Exception):  # noqa: N818
        pass

    def give_up(waiting: Waiting) -> None:
        raise Enough

    with ScriptedServer(Says(503), REPLY) as server, pytest.raises(Enough):
        transcribe(server.url, how={"on_wait": give_up})
    assert len(server.requests) == 1


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=127.0.0.1 -keyout key -out certificate"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context


def test_a_certificate_that_nobody_vouches_for_is_final(transcribe: Call, self_signed: ssl.SSLContext) -> None:
    with ScriptedServer(REPLY, tls=self_signed) as server:
        error = failure(transcribe, server.url)
    assert (str(error), error.retryable, error.attempts) == ("The endpoint's certificate is not valid.", False, 1)
    assert (server.connections, server.requests) == (1, [])


# --- What is not -----------------------------------------------------------------------------------------------------

REFUSALS: dict[int, type[RefusedError]] = {
    **{400: InvalidRequestError, 401: AccessError, 403: AccessError, 413: TooLargeError, 415: InvalidRequestError},
    **{422: InvalidRequestError, 500: ServerError, 502: CapacityError, 504: CapacityError, 501: ServerError},
}


@pytest.mark.parametrize("status", REFUSALS)
def test_other_statuses_are_final(transcribe: Call, status: int) -> None:
    with ScriptedServer(Says(status, b"Internal Server Error", {"Retry-After": "0"}), REPLY) as server:
        error = failure(transcribe, server.url)
    assert (type(error), error.status, error.attempts, error.code) == (REFUSALS[status], status, 1, "")
    assert (len(server.requests), error.server_text) == (1, "Internal Server Error")


def test_an_envelope_in_a_400_is_not_sent_again_though_it_might_succeed(transcribe: Call) -> None:
    envelope = {"code": "deadline_exceeded", "message": "Out of time.", "retryable": True, "request_id": "r-3"}
    with ScriptedServer(Says(400, json.dumps({"error": json.dumps(envelope)}).encode()), REPLY) as server:
        error = failure(transcribe, server.url)
    assert str(error) == "Out of time. (400, deadline_exceeded, request r-3)"
    assert (type(error), error.retryable, len(server.requests)) == (CapacityError, True, 1)


def test_errors_survive_pickling(transcribe: Call) -> None:
    with ScriptedServer(Says(413, b"too much")) as server:
        error = failure(transcribe, server.url)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_a_paused_endpoint(transcribe: Call) -> None:
    with ScriptedServer(Says(400, b"Bad Request: Invalid state")) as server:
        assert type(failure(transcribe, server.url)) is PausedError


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (REPLY.body[:-5], "The answer is cut short, or no JSON at all. (200)"),
        (b"", "The answer is cut short, or no JSON at all. (200)"),
        (b"<!doctype html><p>Log in", "The answer is a page, not JSON; the URL may not be that of an endpoint. (200)"),
        (b"null", "The answer is JSON, but no reply of a Roundtable endpoint. (200)"),
        (b'{"text": 3}', "The answer is not as a Roundtable endpoint's: in reply, text is not text. (200)"),
    ],
)
def test_a_success_that_is_no_reply(transcribe: Call, body: bytes, message: str) -> None:
    with ScriptedServer(Says(200, body), REPLY) as server:
        error = failure(transcribe, server.url)
    assert (type(error), str(error), len(server.requests)) == (UnusableReplyError, message, 1)


def test_an_answer_that_cannot_be_unpacked(transcribe: Call) -> None:
    with ScriptedServer(Says(200, b"no gzip", {"Content-Encoding": "gzip"}), REPLY) as server:
        error = failure(transcribe, server.url)
    assert (str(error), error.attempts, error.retryable) == ("The answer cannot be read.", 1, False)


def test_an_answer_without_end_is_not_kept(transcribe: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.clients._MAX_REPLY_BYTES", len(REPLY.body))
    with ScriptedServer(REPLY, Says(200, REPLY.body + b" "), REPLY) as server:
        assert transcribe(server.url).text == PHRASE
        error = failure(transcribe, server.url)
    assert (type(error), str(error)) == (UnusableReplyError, f"The answer is larger than {len(REPLY.body)} bytes.")


def test_a_silent_endpoint_is_not_asked_twice(transcribe: Call) -> None:
    with ScriptedServer(Hangs(0.5), REPLY) as server:  # a second attempt would be answered
        error = failure(transcribe, server.url, how={"timeouts": Timeouts(answer_s=0.05)})
    assert (type(error), error.attempts) == (TimedOutError, 1)


def test_an_answer_that_drips_ends(transcribe: Call) -> None:
    with ScriptedServer(Says(200, REPLY.body * 9, drips_s=0.05), REPLY) as server:
        error = failure(transcribe, server.url, how={"timeouts": Timeouts(answer_s=1.0)})
    assert str(error) == "The answer did not end within 1 s."
    assert len(server.requests) == 1


# --- Redirects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_goes_to_another_host(transcribe: Call, status: int) -> None:
    with ScriptedServer(REPLY) as other:
        elsewhere = f"http://localhost:{other.port}/secret?key=1"
        with ScriptedServer(Says(status, headers={"Location": elsewhere})) as server:
            error = failure(transcribe, server.url)
    assert (other.connections, type(error), error.status) == (0, RedirectError, status)
    assert "another host (localhost); nothing was sent" in str(error)
    assert "secret" not in str(error)


def test_nothing_goes_to_another_port_either(transcribe: Call) -> None:
    with ScriptedServer(REPLY) as other, ScriptedServer(Says(307, headers={"Location": other.url})) as server:
        assert type(failure(transcribe, server.url)) is RedirectError
    assert other.connections == 0


def test_a_redirect_on_the_same_host_is_followed_with_the_request_as_it_was(transcribe: Call) -> None:
    with ScriptedServer(Says(307, headers={"Location": "/predict/?v=2"}), REPLY) as server:
        reply = transcribe(server.url, num_speakers=2)
    first, second = server.requests
    assert (reply.text, reply.attempts, first.path, second.path) == (PHRASE, 1, "/", "/predict/?v=2")
    assert (second.method, second.body, second.headers["authorization"]) == ("POST", first.body, f"Bearer {TOKEN}")


def test_redirects_that_lose_the_body_or_go_round_are_errors(transcribe: Call) -> None:
    with ScriptedServer(Says(302, headers={"Location": "/login"}), REPLY) as server:
        assert "does not follow" in str(failure(transcribe, server.url))
        assert len(server.requests) == 1
    with ScriptedServer(*[Says(308, headers={"Location": "/"})] * 9) as server:
        assert str(failure(transcribe, server.url)) == "The address redirects too often."
    assert len(server.requests) == 4


# --- Nothing is sent, nothing is left, nothing is told -----------------------------------------------------------------


def test_a_recording_above_the_limit_is_not_sent(transcribe: Call, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(WAV)
    with ScriptedServer(REPLY, REPLY, REPLY) as server:
        for recording in (WAV, path, str(path)):
            error = failure(transcribe, server.url, recording=recording, how={"max_recording_bytes": len(WAV) - 1})
            assert type(error) is OversizedRecordingError
        assert server.connections == 0
        with path.open("rb") as file:
            assert transcribe(server.url, file, how={"max_recording_bytes": len(WAV)}).text == PHRASE


def test_a_file_that_cannot_be_read_is_not_named(transcribe: Call, tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "nobody.wav", "No such file or directory"), (tmp_path, "Is a directory")]:
        error = failure(transcribe, "http://127.0.0.1:1", recording=path)
        assert (type(error), str(error)) == (UnreadableRecordingError, f"The recording cannot be read: {reason}.")


@pytest.mark.parametrize("status", [HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR])
def test_connections_are_kept_for_the_next_call_and_closed_with_the_client(status: int) -> None:
    with ScriptedServer(*[Says(status, REPLY.body)] * 2) as server:
        with Client(server.url, token=False) as endpoint:
            for _ in range(2):
                try:
                    endpoint.transcribe(WAV)
                except ServerError:
                    assert status == HTTPStatus.INTERNAL_SERVER_ERROR
            assert (server.connections, server.open_connections) == (1, 1)
        assert server.wait_until_all_are_closed()


def test_a_cancelled_call_closes_its_connection() -> None:
    async def run(url: str) -> None:
        async with AsyncClient(url, token=False) as endpoint:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(endpoint.transcribe(WAV), 0.1)

    with ScriptedServer(Hangs(0.3)) as server:
        asyncio.run(run(server.url))
        assert server.wait_until_all_are_closed()


def test_one_client_serves_several_threads() -> None:
    together = threading.Barrier(4)

    def say(endpoint: Client) -> str:
        together.wait(60)
        return endpoint.transcribe(WAV).text

    with ScriptedServer(*[REPLY] * 4) as server, Client(server.url, token=False) as endpoint, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(say, [endpoint] * 4)) == [PHRASE] * 4


def test_calls_of_one_async_client_run_side_by_side() -> None:
    async def run(url: str) -> list[str]:
        async with AsyncClient(url, token=False) as endpoint:
            return [reply.text for reply in await asyncio.gather(*[endpoint.transcribe(WAV) for _ in range(3)])]

    with ScriptedServer(*[REPLY] * 3) as server:
        assert asyncio.run(run(server.url)) == [PHRASE] * 3
        assert server.connections == 3


def test_no_log_line_holds_the_token_or_what_was_said(transcribe: Call, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(Says(503), Resets(), Says(400, TOKEN.encode()), REPLY) as server:
        failure(transcribe, server.url, prompt=PHRASE)
        reply = transcribe(server.url, prompt=PHRASE)
    assert len(caplog.records) > 0
    written = caplog.text + repr(reply)
    assert all(secret not in written for secret in (TOKEN, PHRASE, "elephants"))


def test_a_token_that_comes_back_is_masked(transcribe: Call) -> None:
    envelope = {"code": "invalid_parameters", "message": f"saw {TOKEN}", "retryable": False, "request_id": ""}
    with ScriptedServer(Says(401, f"bad token {TOKEN}".encode()), Says(422, json.dumps(envelope).encode())) as server:
        assert failure(transcribe, server.url).server_text == "bad token ***"
        assert str(failure(transcribe, server.url)) == "saw *** (422, invalid_parameters)"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_token_is_in_no_repr(kind: type[Client | AsyncClient]) -> None:
    endpoint = kind("https://endpoint.test/a/path", token=TOKEN)
    assert repr(endpoint) == f"{kind.__name__}('endpoint.test')"
    parts = [value for holder in (endpoint, *vars(endpoint).values()) for value in getattr(holder, "__dict__", {}).values()]
    assert any(repr(part) == "Bearer(***)" for part in parts)
    assert all(TOKEN not in repr(part) for part in parts)


def test_the_token_goes_over_no_line_that_others_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(InvalidCallError, match="plain http"):
        Client("http://endpoint.test")
    Client("http://endpoint.test", token=False).close()
    Client("http://endpoint.test", allow_plain_http=True).close()


@pytest.mark.parametrize("token", ["a b", "hf_\u00e9", "hf_a\nX-Other: 1", 7])
def test_a_token_that_no_header_carries_is_refused_unseen(token: Any) -> None:
    with pytest.raises(InvalidCallError) as caught:
        Client("https://endpoint.test", token=token)
    assert str(caught.value) == "token: has characters that no token has."


def test_waits_that_cannot_be_are_refused() -> None:
    for make in (
        lambda: Retry(attempts=0),
        lambda: Retry(total_s=float("nan")),
        lambda: Retry(first_wait_s=2, longest_wait_s=1),
        lambda: Timeouts(connect_s=0),
        lambda: Client("https://endpoint.test", scale_up_timeout_s=-1),
    ):
        with pytest.raises(InvalidCallError):
            make()
