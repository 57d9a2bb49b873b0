"""A Hugging Face Hub on the loopback, for the Hub's real client: what it asks for to download a model, and how it is refused.

Answers as the Hub does: the error codes in `X-Error-Code`, a commit for every revision, an ETag for every file. Unlike the
Hub it has no large-file storage, and only the refusals that are named in `REFUSALS`.
"""

from __future__ import annotations

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType

COMMIT = "0123456789abcdef0123456789abcdef01234567"

REFUSALS = {
    "missing": (404, {"X-Error-Code": "RepoNotFound"}),
    "private": (401, {"X-Error-Code": "RepoNotFound"}),
    "wrong-token": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
    "forbidden": (403, {}),
    "disabled": (403, {"X-Error-Message": "Access to this resource is disabled."}),
    "busy": (503, {}),
}
"""By the repository's name. `gated` refuses its files alone, as the Hub does. No repository has a revision but main."""


class HubServer:
    """`with HubServer(files) as hub`: every repository of `someone` holds `files`. `fetched`: the names of all downloads."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.fetched: list[str] = []
        self.tokens: set[str | None] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                hub.tokens.add(self.headers.get("Authorization"))
                path = self.path.partition("?")[0]
                repository = re.search(r"/someone/([\w-]+)", path)
                name = repository[1] if repository else ""
                if name in REFUSALS:
                    self.answer(*REFUSALS[name])
                elif listing := re.search(r"/(revision|tree)/([^/]+)$", path):
                    self.list(listing[1], listing[2])
                elif (file := re.search(r"/resolve/[^/]+/(.+)$", path)) and file[1] in files:
                    if name == "gated":
                        self.answer(403, {"X-Error-Code": "GatedRepo"})
                    else:
                        self.send(file[1], files[file[1]])
                else:
                    self.answer(404, {"X-Error-Code": "EntryNotFound"})

            def list(self, what: str, revision: str) -> None:
                if revision not in {"main", COMMIT}:
                    self.answer(404, {"X-Error-Code": "RevisionNotFound"})
                elif what == "tree":
                    entries = [
                        {"type": "file", "path": name, "size": len(files[name]), "oid": etag(files[name])} for name in files
                    ]
                    self.answer(200, {}, json.dumps(entries).encode())
                else:
                    siblings = [{"rfilename": name} for name in files]
                    self.answer(200, {}, json.dumps({"id": "someone/any", "sha": COMMIT, "siblings": siblings}).encode())

            def send(self, name: str, content: bytes) -> None:
                if self.command == "GET":
                    hub.fetched.append(name)
                self.answer(200, {"ETag": f'"{etag(content)}"', "X-Repo-Commit": COMMIT}, content)

            def answer(self, status: int, headers: dict[str, str], body: bytes = b"{}") -> None:
                self.send_response(status)
                for key, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HubServer:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def etag(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
