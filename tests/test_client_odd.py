"""What is odd before anything is sent: the environment, numbers, files that cannot be read, a terminal that is gone."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from client import AsyncClient, Client, InvalidCallError, RedirectError, Timeouts, UnreadableRecordingError
from client.recording import read_recording
from tests.scripted_server import Says, ScriptedServer
from tests.test_client_network import REPLY, Call, call, call_async, failure

ROOT = Path(__file__).resolve().parent.parent
_HIDDEN = "hide-and-seek"
ENVIRONMENTS = [
    {"SSL_CERT_FILE": f"/{_HIDDEN}.pem"},
    {"ALL_PROXY": f"socks5://user:{_HIDDEN}@127.0.0.1:1"},
    {"HTTPS_PROXY": f"ftp://user:{_HIDDEN}@127.0.0.1:1"},
    {"HTTPS_PROXY": f"http://user:{_HIDDEN}@[::"},
]
_NAMES = [next(iter(environment)) for environment in ENVIRONMENTS]


@pytest.fixture(params=[call, call_async], ids=["sync", "async"])
def transcribe(request: pytest.FixtureRequest) -> Call:
    chosen: Call = request.param
    return chosen


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=_NAMES)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_odd_environment_raised_an_error_of_somebody_else(
    kind: type[Client | AsyncClient], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidCallError) as caught:
        kind("https://endpoint.test", token=False)
    assert str(caught.value).startswith("environment: a proxy (HTTPS_PROXY, ALL_PROXY) or the certificates (SSL_CERT_FILE")
    assert _HIDDEN not in repr(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def command(*arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **how.pop("environment", {})}
    return subprocess.run(
        [sys.executable, "-m", "client", *arguments], cwd=ROOT, env=environment, text=True, timeout=60, check=False, **how
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS[:2], ids=_NAMES[:2])
def test_the_command_showed_a_traceback_for_an_odd_environment(environment: dict[str, str]) -> None:
    ran = command("https://endpoint.test", "a.wav", environment=environment, capture_output=True)
    assert ran.returncode == 2
    assert "error: environment: a proxy" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert _HIDDEN not in ran.stderr


@pytest.mark.parametrize("more", [[], ["--help"]], ids=["reply", "help"])
def test_the_command_showed_a_traceback_when_nobody_read_what_it_wrote(more: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with ScriptedServer(REPLY, REPLY) as server, open(writing, "wb") as closed:
        ran = command(server.url, "samples/call.flac", "samples/call.flac", *more, stdout=closed, stderr=subprocess.PIPE)
    assert (ran.returncode, ran.stderr) == (141, "")
    assert len(server.requests) == int(not more)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
def test_the_command_showed_a_traceback_for_a_full_disk() -> None:
    with ScriptedServer(REPLY) as server, Path("/dev/full").open("w") as full:
        ran = command(server.url, "samples/call.flac", stdout=full, stderr=subprocess.PIPE)
    expected = "error: what was to be printed could not be written: No space left on device\n"
    assert (ran.returncode, ran.stderr) == (2, expected)


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, 1e7, "x", True, None])
def test_a_time_that_no_system_can_wait_raised_an_overflow(seconds: Any) -> None:
    for name in ("connect_s", "answer_s"):
        with pytest.raises(InvalidCallError, match=r"^Timeouts: seconds must be greater than 0, and at most 1000000\.$"):
            Timeouts(**{name: seconds})


@pytest.mark.parametrize(
    "how", [{name: value} for name in ("scale_up_timeout_s", "max_recording_bytes") for value in ("x", -1, 1.5, True)]
)
def test_a_number_that_is_none_raised_a_type_error(how: dict[str, Any]) -> None:
    with pytest.raises(InvalidCallError, match=f"^{next(iter(how))}: must be "):
        Client("https://endpoint.test", token=False, **how)


def test_the_longest_times_can_be_waited(transcribe: Call) -> None:
    longest = {"timeouts": Timeouts(connect_s=1e6, answer_s=1e6), "scale_up_timeout_s": 24 * 3600}
    with ScriptedServer(REPLY) as server:
        assert transcribe(server.url, how=longest).attempts == 1


class _Failing(io.RawIOBase):
    """Open for reading, and raises what it is told to."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, size: int = -1) -> bytes:
        raise self._error


def _closed() -> io.BytesIO:
    file = io.BytesIO(b"RIFF")
    file.close()
    return file


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (_Failing(OSError(5, f"cannot read {_HIDDEN}", f"/{_HIDDEN}.wav")), "Input/output error"),
        (_Failing(OSError(_HIDDEN)), "it cannot be opened"),
        (_Failing(RuntimeError(_HIDDEN)), "reading it failed"),
        (_closed(), "it is closed"),
    ],
)
def test_a_file_that_fails_while_it_is_read_raised_its_own_error(file: Any, reason: str) -> None:
    with pytest.raises(UnreadableRecordingError) as caught:
        read_recording(file)
    assert str(caught.value) == f"The recording cannot be read: {reason}."
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_closed_client_raised_an_error_of_somebody_else() -> None:
    client = Client("https://endpoint.test", token=False)
    client.close()
    with pytest.raises(InvalidCallError, match=r"^client: it is closed"):
        client.transcribe(b"RIFF")


@pytest.mark.parametrize("headers", [{}, {"Location": ""}], ids=["none", "empty"])
@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_to_nowhere_sent_the_recording_again(transcribe: Call, status: int, headers: dict[str, str]) -> None:
    with ScriptedServer(*[Says(status, headers=headers)] * 5) as server:
        error = failure(transcribe, server.url)
    assert isinstance(error, RedirectError)
    assert str(error) == f"The address redirects without saying where; nothing was sent again. ({status})"
    assert len(server.requests) == 1
