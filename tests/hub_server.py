"""A Hugging Face Hub on the loopback, for the Hub's real client: what it asks for to download a model, and how it is refused.

Answers as the Hub does: the error codes in `X-Error-Code`, a commit for every revision, an ETag for every file. Unlike the
Hub it has no large-file storage, and only the refusals that are named in `REFUSALS`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
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
"""By the name of a repository of `someone`. `gated` refuses its files alone, as the Hub does. No repository has a revision but
main."""


class HubServer:
    """`with HubServer(files) as hub`: every repository holds `files`, or what `repositories` says that it holds.

    `gated`: the tokens that may read a repository's files. `fetched`: the names of all downloads. `asked`: the repositories
    that anything was asked of, each once, in order.
    """

    def __init__(
        self,
        files: dict[str, bytes],
        repositories: Mapping[str, dict[str, bytes]] | None = None,
        gated: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.fetched: list[str] = []
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        hub, default = self, files

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                token = self.headers.get("Authorization")
                hub.tokens.add(token)
                path = self.path.partition("?")[0]
                found = re.search(r"/([\w.-]+/[\w.-]+)/(?:revision|tree|resolve)/", path)
                repository = found[1] if found else ""
                if repository not in hub.asked:
                    hub.asked.append(repository)
                admitted = (gated or {}).get(repository)
                name = repository.removeprefix("someone/")
                files = (repositories or {}).get(repository, default)
                if name in REFUSALS:
                    self.answer(*REFUSALS[name])
                elif listing := re.search(r"/(revision|tree)/([^/]+)$", path):
                    self.list(files, listing[1], listing[2])
                elif (file := re.search(r"/resolve/[^/]+/(.+)$", path)) and file[1] in files:
                    if name == "gated" or (admitted is not None and (token or "").removeprefix("Bearer ") not in admitted):
                        self.answer(401 if token is None else 403, {"X-Error-Code": "GatedRepo"})
                    else:
                        self.send(file[1], files[file[1]])
                else:
                    self.answer(404, {"X-Error-Code": "EntryNotFound"})

            def list(self, files: dict[str, bytes], what: str, revision: str) -> None:
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
