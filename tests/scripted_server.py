"""A web server on the loopback that does what a script says, in order, faults of the network included.

    with ScriptedServer(Says(503), Resets(), Says(200, REPLY)) as server:
        …  # server.url; then server.requests

Real sockets, so that a client meets what it would meet outside: a reset is a reset, a body that is cut short is short. Each
request takes one step; one more than there are steps is answered with 599, which no client takes for anything.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType


@dataclass(frozen=True)
class Says:
    """An answer. `claims`: a Content-Length other than the body's. `drips`: a pause before each byte, in seconds."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    claims: int | None = None
    drips_s: float = 0.0
    resets: bool = False
    """After the body, or as much of it as there is, the connection is reset."""


@dataclass(frozen=True)
class Resets:
    """No answer: the request is read, and the connection reset."""


@dataclass(frozen=True)
class Hangs:
    """No answer for so many seconds, and then none."""

    seconds: float


@dataclass(frozen=True)
class Received:
    """A request as it arrived. Headers have lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class ScriptedServer:
    """`requests`: what has arrived. `connections`: how many were ever made; `open_connections`: how many stand now."""

    def __init__(self, *steps: Says | Resets | Hangs, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.open_connections = 0
        self._left = list(steps)
        self._changed = Condition()
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                scripted._count(1)

            def finish(self) -> None:
                super().finish()
                scripted._count(-1)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.act(body)

            def do_CONNECT(self) -> None:
                self.act(b"")

            def act(self, body: bytes) -> None:
                named = {name.lower(): value for name, value in self.headers.items()}
                scripted.requests.append(Received(self.command, self.path, named, body))
                step = scripted._left.pop(0) if scripted._left else Says(599, b"the script has ended")
                if isinstance(step, Says):
                    self.say(step)
                elif isinstance(step, Hangs):
                    time.sleep(step.seconds)
                    self.close_connection = True
                else:
                    self.reset()

            def say(self, step: Says) -> None:
                self.send_response(step.status)
                length = len(step.body) if step.claims is None else step.claims
                for name, value in {"Content-Length": str(length), **step.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for byte in step.body if step.drips_s else ():
                        time.sleep(step.drips_s)
                        self.wfile.write(bytes([byte]))
                    if not step.drips_s:
                        self.wfile.write(step.body)
                except (BrokenPipeError, ConnectionResetError):  # the client has had enough, which is what is tested
                    self.close_connection = True
                if step.resets:
                    time.sleep(0.05)  # what was sent arrives before the reset does
                    self.reset()
                if step.claims is not None:
                    self.close_connection = True

            def reset(self) -> None:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                pass  # a client that went away, or a connection that the script has reset

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:  # the handshake is the connection's thread's, not the listener's
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_address[1])
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def wait_until_all_are_closed(self, limit_s: float = 60.0) -> bool:
        """False if the client still holds a connection after that time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.open_connections == 0, limit_s)

    def _count(self, change: int) -> None:
        with self._changed:
            self.connections += max(change, 0)
            self.open_connections += change
            self._changed.notify_all()

    def __enter__(self) -> ScriptedServer:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def unused_port() -> int:
    """A port on which nobody listens: connecting to it is refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
