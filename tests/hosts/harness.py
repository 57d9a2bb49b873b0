"""Starts a host in a clean process of its own, speaks to it, and ends it.

Clean: another working directory, an environment of five variables and the host's own, no `PYTHONPATH`, and `python -P`, so
that neither this repository nor the folder of the emulators is on `sys.path`. The process is ended by its id, always, and no
wait is without a bound.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

HERE = Path(__file__).resolve().parent
REAL_HF_SERVE = HERE.parents[1] / ".venv-hosts" / "bin" / "hf-serve"
REAL_HOSTS_REQUIRED = bool(os.environ.get("ROUNDTABLE_REQUIRE_HOSTS"))
"""Set by `make test-hosts`, which takes no excuse."""

START_LIMIT_S = 180.0
CALL_LIMIT_S = 120.0
END_LIMIT_S = 15.0


class HostError(Exception):
    """The host ended, or did not get ready in time. The text ends with what it wrote."""


@dataclass(frozen=True)
class Answer:
    """What came back: the HTTP status, the media type and the body, as they are."""

    status: int
    media_type: str
    body: bytes

    def json(self) -> Any:
        """The body as strict JSON: NaN and Infinity, which Python's own reader lets pass, are refused."""
        return json.loads(self.body, parse_constant=_refuse_constant)


class Running(Protocol):
    """A host that is up. `port` is where it listens on the loopback, 0 for one that does not speak HTTP."""

    port: int

    def send(self, requests: Sequence[Request]) -> list[Answer]:
        """All at once; the answers are in the order of the requests."""

    def log(self) -> str:
        """Everything it has written so far."""


@dataclass(frozen=True)
class Request:
    """One POST. `payload` is JSON, unless it is bytes: a raw body of the given content type."""

    payload: Any
    query: str = ""
    content_type: str | None = None
    accept: str | None = None
    path: str = "/"
    method: str = "POST"
    limit_s: float = CALL_LIMIT_S


@dataclass(frozen=True)
class Host:
    """How one host is started, and what it does with a request, from the contract table."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    speaks_http: bool = True
    takes_raw_audio: bool = True
    takes_query: bool = True
    takes_base64: bool = True
    """False: it replaces base64 by bytes itself, strictly, so a data: URI or bad base64 never reaches the handler."""
    demands_inputs: bool = True
    """It refuses a body without `inputs` itself."""
    error_key: str = "error"
    server_fault_status: int = 400
    real: bool = False


_TOOLKIT = (sys.executable, "-P", str(HERE / "toolkit.py"), "--generation")
_ASR_TASK = ("--task", "automatic-speech-recognition")
_HF_SERVE: dict[str, Any] = {
    "takes_raw_audio": False,
    "takes_query": False,
    "demands_inputs": False,
    "error_key": "detail",
    "server_fault_status": 500,
}

PLAIN = Host(
    "plain call",
    (sys.executable, "-P", str(HERE / "plain.py")),
    speaks_http=False,
    takes_query=False,
    demands_inputs=False,
    server_fault_status=500,
)
TOOLKIT_2025 = Host("toolkit 2025", (*_TOOLKIT, "2025"))
TOOLKIT_2026 = Host("toolkit 2026", (*_TOOLKIT, "2026"))
TOOLKIT_2025_ASR = Host("toolkit 2025, ASR task", (*_TOOLKIT, "2025", *_ASR_TASK), takes_base64=False)
TOOLKIT_2026_ASR = Host("toolkit 2026, ASR task", (*_TOOLKIT, "2026", *_ASR_TASK), takes_base64=False)
HF_SERVE = Host("hf-serve, emulated", (sys.executable, "-P", str(HERE / "hfserve.py")), **_HF_SERVE)
HF_SERVE_REAL = Host(
    "hf-serve 0.2",
    (str(REAL_HF_SERVE), "--task", "custom", "--host", "127.0.0.1"),
    environment={"TRUST_REMOTE_CODE": "1", "CUSTOM_HANDLER_FILE": "handler.py"},
    real=True,
    **_HF_SERVE,
)


def host_params(*hosts: Host) -> list[Any]:
    """The hosts as parameters of a test or fixture, under their names."""
    return [pytest.param(host, id=host.name, marks=pytest.mark.hosts if host.real else ()) for host in hosts]


@contextmanager
def running(host: Host, model_dir: Path, folder: Path, settings: Mapping[str, str]) -> Iterator[Running]:
    """Start `host` on the repository `model_dir` with the environment `settings`, its working directory a new `folder`.

    Raises `HostError` unless it is ready within `START_LIMIT_S`.
    """
    folder.mkdir()
    log_file = folder / "host.log"
    port = _free_port() if host.real else 0
    command = [*host.command, "--model-dir", str(model_dir), *(["--port", str(port)] if host.speaks_http else [])]
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        **host.environment,
        **settings,
    }
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL if host.speaks_http else subprocess.PIPE,
            stdout=log if host.speaks_http else subprocess.PIPE,
            stderr=log,
        )
    try:
        yield _HttpHost(process, log_file, port) if host.speaks_http else _PlainHost(process, log_file)
    finally:
        _end(process)


class _HttpHost:
    def __init__(self, process: subprocess.Popen[bytes], log_file: Path, port: int) -> None:
        self.log_file = log_file
        self.port = port
        deadline = time.monotonic() + START_LIMIT_S
        while not self._is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise HostError(self.log()[-4000:])
            time.sleep(0.05)

    def send(self, requests: Sequence[Request]) -> list[Answer]:
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(self._send, requests))

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def _is_ready(self) -> bool:
        if not self.port:
            first, _, rest = self.log().partition("\n")
            if not (rest and first.startswith("port ")):
                return False
            self.port = int(first.removeprefix("port "))
        try:
            return self._send(Request(None, path="/health", method="GET", limit_s=5.0)).status == 200
        except ConnectionRefusedError:
            return False

    def _send(self, request: Request) -> Answer:
        raw = request.payload if request.payload is None or isinstance(request.payload, bytes) else _json_bytes(request.payload)
        named = request.content_type or (None if isinstance(request.payload, bytes) or raw is None else "application/json")
        headers = {"Content-Type": named, "Accept": request.accept}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=request.limit_s)
        try:
            target = f"{request.path}?{request.query}" if request.query else request.path
            connection.request(request.method, target, raw, {name: value for name, value in headers.items() if value})
            response = connection.getresponse()
            return Answer(response.status, response.headers.get_content_type(), response.read())
        finally:
            connection.close()


class _PlainHost:
    """No HTTP and no status, so a caller's fault (a ValueError) counts as 400 and everything else as 500."""

    port = 0

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path) -> None:
        self.process = process
        self.log_file = log_file
        if self._line(START_LIMIT_S) != b"ready\n":
            raise HostError(self.log()[-4000:])

    def send(self, requests: Sequence[Request]) -> list[Answer]:
        assert self.process.stdin is not None
        payloads = [
            {"bytes": base64.b64encode(request.payload).decode()} if isinstance(request.payload, bytes) else request.payload
            for request in requests
        ]
        self.process.stdin.write(_json_bytes(payloads) + b"\n")
        self.process.stdin.flush()
        return [self._answer(answer) for answer in json.loads(self._line(CALL_LIMIT_S))]

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def _line(self, limit_s: float) -> bytes:
        stdout = self.process.stdout
        assert stdout is not None
        readable, _, _ = select.select([stdout], [], [], limit_s)
        if not readable:
            raise HostError(f"no answer in {limit_s} s")
        return stdout.readline()

    def _answer(self, answer: dict[str, Any]) -> Answer:
        if "reply" in answer:
            return Answer(200, "application/json", _json_bytes(answer["reply"]))
        status = 400 if answer["callers_fault"] else 500
        return Answer(status, "application/json", _json_bytes({"error": answer["error"]}))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_LIMIT_S)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _free_port() -> int:
    """For the one host that cannot be asked for any port. Another process could take it first; none here does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
