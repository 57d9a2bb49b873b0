"""The server: which calls of huggingface_hub it answers, with scripted faults in between, and a record of every byte it got."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.fake_hub.backends import Backend, Reply
from tests.fake_hub.endpoints import Endpoint, Endpoints
from tests.fake_hub.repositories import Repository

WRITES = ("POST", "PUT", "DELETE")


@dataclass
class Fault:
    """What happens to the next request of this method whose path matches, instead of an answer; once, or `times`."""

    method: str
    path: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "Internal error"
    times: int = 1
    after: bool = False
    """The request is carried out first: only its answer is lost."""

    drop: bool = False
    """The connection is closed without an answer."""


@dataclass(frozen=True)
class Seen:
    """One request, as it came."""

    method: str
    path: str
    headers: str
    body: bytes

    @property
    def changes_something(self) -> bool:
        """A write at the Hub or the API; a POST to the endpoint itself is not."""
        return self.method in WRITES and not self.path.startswith(("/e/", "/api/validate-yaml"))


class FakeHub:
    """`with FakeHub(backend) as hub`. `accounts` is `{token: role}`; every account may do everything with `me`."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.accounts: dict[str, str] = {}
        self.repositories: dict[str, Repository] = {}
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.quota = (8, 0)
        self.on_request: Callable[[Seen, str], None] = lambda seen, phase: None
        """Called `before` each request is carried out, and `after`, before it is answered."""

        self.lock = RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.endpoints = Endpoints(lambda name: f"{self.url}/e/{name}", lambda m, s: self.backend.boot(m, s))

    def __enter__(self) -> FakeHub:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def api_url(self) -> str:
        return f"{self.url}/v2"

    def writes(self) -> list[str]:
        """`METHOD path` of every request that changes something."""
        return [f"{seen.method} {seen.path}" for seen in self.seen if seen.changes_something]

    def state(self, name: str) -> str:
        return str(self.endpoints.by_name[name].raw["status"]["state"])

    def live_revision(self, name: str) -> str | None:
        live = self.endpoints.by_name[name].live
        return None if live is None else live["revision"]

    def files_at(self, repository: str, revision: str) -> dict[str, bytes]:
        return self.repositories[repository].commits[revision]

    def release_of(self, repository: str, revision: str) -> str | None:
        """What the list of files in a commit calls it."""
        listed = self.repositories[repository].commits[revision].get("roundtable-release.json")
        return str(json.loads(listed)["release"]) if listed is not None else None

    # --- Routes ------------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, token: str | None, content_type: str, body: bytes, query: str) -> Reply:
        if path.startswith("/e/"):
            return self._call_endpoint(method, path, token, content_type, body, query)
        if path == "/api/validate-yaml":
            return _json(200, {"errors": [], "warnings": []})
        if token is not None and token not in self.accounts:
            return _error(401, "Invalid credentials in Authorization header")
        if path == "/api/whoami-v2":
            if token is None:
                return _error(401, "No token")
            return _json(200, {"type": "user", "name": "me", "auth": {"accessToken": {"role": self.accounts[token]}}})
        if path == "/api/repos/create":
            return self._create_repository(json.loads(body))
        if found := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+?)(?:/(.+))?", path):
            return self._repository(method, found[1], found[2] or "", token, body)
        if found := re.fullmatch(r"/([\w.-]+/[\w.-]+)/raw/(\w+)/(.+)", path):
            content = self.repositories[found[1]].commits.get(found[2], {}).get(found[3])
            return Reply(200, "text/plain", content) if content is not None else _error(404, "Entry not found", "EntryNotFound")
        if token is None:
            return _error(401, "No token")
        if path.startswith("/v2/provider/"):
            return _json(200, _hardware(*self.quota))
        if found := re.fullmatch(r"/v2/endpoint/me(?:/([\w-]+)(?:/(\w+))?)?", path):
            return self._endpoint(method, found[1], found[2], body)
        return _error(404, "No such route")

    def _create_repository(self, payload: dict[str, Any]) -> Reply:
        name = f"{payload.get('organization') or 'me'}/{payload['name']}"
        if name in self.repositories:
            return _error(409, "You already created this model repo")
        self.repositories[name] = Repository()
        self.repositories[name].add({".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit")
        return _json(200, {"url": f"{self.url}/{name}", "id": name})

    def _repository(self, method: str, name: str, rest: str, token: str | None, body: bytes) -> Reply:
        repository = self.repositories.get(name)
        if repository is None:
            return _error(404, "Repository not found", "RepoNotFound")
        what, _, where = rest.partition("/")
        where = unquote(where)
        if what == "auth-check":
            if repository.gated_to is not None and token not in repository.gated_to:
                return _error(403, "Access to this model is restricted", "GatedRepo")
            return _json(200, {})
        if what in ("", "revision", "tree", "preupload", "commit", "tag"):
            commit = repository.at(where or "main")
            if commit is None:
                return _error(404, "Invalid rev id", "RevisionNotFound")
        if what in ("", "revision"):
            return _json(200, _model_info(name, repository, commit or ""))
        if what == "tree":
            return _json(200, repository.tree(commit or ""))
        if what == "refs":
            tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": to} for tag, to in repository.tags.items()]
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.head}
            return _json(200, {"branches": [main], "converts": [], "tags": tags})
        if what == "preupload":
            files = json.loads(body)["files"]
            return _json(200, {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]})
        if what == "commit":
            made = repository.commit(body)
            if made is None:
                return _error(412, "A commit has happened since")
            return _json(200, {"commitUrl": f"{self.url}/{name}/commit/{made}", "commitOid": made})
        if what == "tag":
            tag = json.loads(body)["tag"]
            if tag in repository.tags:
                return _error(409, "Tag reference exists already")
            repository.tags[tag] = commit or ""
            return _json(200, {})
        return _error(404, "No such route")

    def _endpoint(self, method: str, name: str | None, verb: str | None, body: bytes) -> Reply:
        if name is None:
            payload = json.loads(body)
            if payload["name"] in self.endpoints.by_name:
                return _error(409, "An endpoint with this name exists")
            if self.quota[1] >= self.quota[0]:
                return _error(403, "Quota exceeded for this instance type")
            return _json(202, self.endpoints.create(payload).shown())
        endpoint = self.endpoints.by_name.get(name)
        if endpoint is None:
            return _error(404, "Endpoint not found")
        if verb == "logs":
            return Reply(200, "text/plain", endpoint.log.encode())
        if verb == "pause":
            self.endpoints.pause(endpoint)
        elif verb == "resume":
            if not self.endpoints.resume(endpoint):
                return _error(400, "Endpoint is already running")
        elif method == "GET":
            endpoint.advance()
        elif method == "PUT":
            self.endpoints.update(endpoint, json.loads(body))
        elif method == "DELETE":
            del self.endpoints.by_name[name]
            return _json(200, {})
        return _json(200, endpoint.shown())

    def _call_endpoint(self, method: str, path: str, token: str | None, content_type: str, body: bytes, query: str) -> Reply:
        endpoint = self.endpoints.by_name.get(path.split("/")[2])
        if endpoint is None:
            return _error(404, "No such endpoint")
        if endpoint.raw["type"] != "public" and token not in self.accounts:
            return _error(401, "Unauthorized")
        return self._serve(endpoint, method, content_type, body, query)

    def _serve(self, endpoint: Endpoint, method: str, content_type: str, body: bytes, query: str) -> Reply:
        endpoint.wake()
        if endpoint.raw["status"]["state"] == "paused":
            return _error(400, "Bad Request: Invalid state")
        if endpoint.live is None:
            return _error(503, "Service Unavailable")
        if method == "GET":
            return Reply(200, "text/plain", b"Ok")
        return self.backend.answer(endpoint.live, query, content_type, body)


def _model_info(name: str, repository: Repository, commit: str) -> dict[str, Any]:
    tree = repository.tree(commit)
    return {
        "id": name,
        "sha": commit,
        "gated": "manual" if repository.gated_to is not None else False,
        "cardData": {"license": repository.licence},
        "siblings": [
            {"rfilename": file["path"], "size": file["size"], "blobId": file["oid"], "lfs": file.get("lfs")} for file in tree
        ],
    }


def _hardware(most: int, used: int) -> dict[str, Any]:
    machines = [("cpu", "intel-spr", "x4", 8, None, 0.13), ("gpu", "nvidia-t4", "x1", 14, 14, 0.5)]
    computes = [
        {
            "id": f"aws-us-east-1-{kind}-{size}",
            "accelerator": accelerator,
            "instanceType": kind,
            "instanceSize": size,
            "architecture": kind,
            "numAccelerators": 1,
            "memoryGb": memory,
            "gpuMemoryGb": gpu,
            "pricePerHour": price,
            "status": "available",
            "quota": {"maxAccelerators": most, "usedAccelerators": used},
        }
        for accelerator, kind, size, memory, gpu, price in machines
    ]
    return {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": computes}]}]}


def _handler_of(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # one packet an answer; two would each wait for the other side's acknowledgement

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen = Seen(self.command, urlsplit(self.path).path, str(self.headers), body)
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
            with hub.lock:  # one at a time: the order of what happens is the order of the requests
                hub.seen.append(seen)
                hub.on_request(seen, "before")
                fault = _fault(hub.faults, seen)
                if fault is None or fault.after:
                    reply = hub.answer(
                        self.command, seen.path, token, self.headers.get_content_type(), body, urlsplit(self.path).query
                    )
                hub.on_request(seen, "after")
            if fault is not None and fault.drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault is not None:
                reply = _error(fault.status, fault.message)
            self._send(reply, fault.headers if fault is not None else {})

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - the names that http.server calls

        def _send(self, reply: Reply, headers: dict[str, str]) -> None:
            self.send_response(reply.status)
            fields = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body)), **headers}
            if reply.error_code:
                fields["X-Error-Code"] = reply.error_code
            for key, value in fields.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _fault(faults: list[Fault], seen: Seen) -> Fault | None:
    for fault in faults:
        if fault.times and fault.method == seen.method and re.fullmatch(fault.path, seen.path):
            fault.times -= 1
            return fault
    return None


def _json(status: int, value: object) -> Reply:
    return Reply(status, "application/json", json.dumps(value).encode())


def _error(status: int, message: str, code: str = "") -> Reply:
    return Reply(status, "application/json", json.dumps({"error": message}).encode(), code)
