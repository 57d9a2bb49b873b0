"""The server under load: one that runs already, or one that is started here and ended afterwards; and how much memory it holds.

`hf-serve` is the real one where `make test-hosts` has built it, else the emulator; `toolkit` is the emulator of version 0.5.6.
`plain` is a handler without a server: calls through a pipe, one after the other.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.load_requests import Transcribe, one_attempt_client, over_http
from client import ConnectionFailedError, Reply
from client.address import Address
from client.parameters import SendAs
from client.refusals import refusal
from tests.hosts.harness import (
    HF_SERVE,
    HF_SERVE_REAL,
    PLAIN,
    REAL_HF_SERVE,
    TOOLKIT_2025,
    Host,
    HostError,
    Request,
    Running,
    running,
)
from tests.hosts.shipped import copy_shipped

HOSTS = ("plain", "toolkit", "hf-serve")
SETTINGS = ("ASR_MODEL", "DIARIZATION_MODEL", "SUMMARIZE_MODEL")

_TELLS_ITS_ID = ("/bin/sh", "-c", 'echo $$ > "$HOME/host.pid"; exec "$@"', "sh")
"""The shell becomes the host, under the same process id. HOME is the host's own folder."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where requests go. `pid`: whose memory is watched; None: nobody's."""

    name: str
    transcribe: Transcribe
    pid: int | None


class Held(NamedTuple):
    """What a server held in memory, so many seconds after the start, when so many requests had ended."""

    ended: int
    mb: float
    at_s: float


def is_loopback(url: str) -> bool:
    """Raises `InvalidCallError` for what is no http or https URL."""
    # Over plain http only this very machine counts as a line on which nobody reads along.
    return replace(Address.parse(url), scheme="http").is_private_line


@asynccontextmanager
async def served_at(url: str, send_as: SendAs, limit_s: float, pid: int | None) -> AsyncIterator[Server]:
    """A server that runs already, and goes on."""
    async with one_attempt_client(url, limit_s) as client:
        yield Server(url, over_http(client, send_as), pid)


def host_named(name: str) -> Host:
    if name == "hf-serve":
        return HF_SERVE_REAL if REAL_HF_SERVE.exists() else HF_SERVE
    return {"plain": PLAIN, "toolkit": TOOLKIT_2025}[name]


@asynccontextmanager
async def started(host: Host, send_as: SendAs, limit_s: float) -> AsyncIterator[Server]:
    """The host, on the files that a host gets; engines as the environment names them, embedded where it does not.

    It is ended, by its process id, when the block ends. Raises `HostError` if it does not get ready.
    """
    with host_process(host) as (up, pid):
        if host.speaks_http:
            async with served_at(f"http://127.0.0.1:{up.port}/", send_as, limit_s, pid) as server:
                yield replace(server, name=host.name)
        else:
            pipe = ThreadPoolExecutor(1)
            try:
                yield Server(host.name, through_pipe(up, pipe, send_as), pid)
            finally:
                pipe.shutdown(wait=False, cancel_futures=True)  # a call under way ends with the host, just after this


@contextmanager
def host_process(host: Host) -> Iterator[tuple[Running, int]]:
    """A host that is up, and its process id."""
    telling = replace(host, command=(*_TELLS_ITS_ID, *host.command))
    with TemporaryDirectory() as scratch:
        model_dir, folder = copy_shipped(Path(scratch, "repository")), Path(scratch, "host")
        with running(telling, model_dir, folder, settings(os.environ)) as up:
            yield up, int((folder / "host.pid").read_text())


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The engines' names. A folder's is made absolute: the host has another working directory."""
    named = {name: environment.get(name, "embedded") for name in SETTINGS}
    return {name: str(Path(value).absolute()) if Path(value).is_dir() else value for name, value in named.items()}


def through_pipe(up: Running, pipe: ThreadPoolExecutor, send_as: SendAs) -> Transcribe:
    """Calls of a host without HTTP, in the order in which they come; its errors are those that the client would raise."""

    async def transcribe(recording: bytes) -> Reply:
        payload = recording if send_as == "raw" else {"inputs": base64.b64encode(recording).decode()}
        try:
            [answer] = await asyncio.get_running_loop().run_in_executor(pipe, up.send, [Request(payload)])
        except (HostError, ValueError, OSError) as error:  # ValueError: the line of a process that has ended is no JSON
            raise ConnectionFailedError("The host answers no more.") from error
        if answer.status != 200:
            raise refusal(answer.status, answer.body)
        return Reply.parse(answer.body)

    return transcribe


# --- Memory ----------------------------------------------------------------------------------------------------------


def resident_mb(pid: int) -> float | None:
    """What the process holds in memory, in MB; None once it has ended, or where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS")), None)


@asynccontextmanager
async def watched(pid: int | None, ended: Callable[[], int], every_s: float) -> AsyncIterator[list[Held]]:
    """A list that grows while the block runs, and once more when it ends; it stays empty for nobody."""
    samples: list[Held] = []
    if pid is None:
        yield samples
        return
    now = asyncio.get_running_loop().time
    start = now()

    def sample() -> bool:
        held_mb = resident_mb(pid)
        if held_mb is not None:
            samples.append(Held(ended(), held_mb, now() - start))
        return held_mb is not None

    async def watch() -> None:
        while sample():
            await asyncio.sleep(every_s)

    watching = asyncio.create_task(watch())
    yield samples
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    sample()
