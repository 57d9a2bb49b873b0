"""What runs behind an endpoint's address: the real handler in a process of its own, or answers in its shape at no cost."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

from deploy.smoke import SILENCE
from tests.hosts.harness import TOOLKIT_2025, HostError, running

Raw = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    content_type: str
    body: bytes
    error_code: str = ""
    """The Hub's, which it sends as a header."""


class Backend(Protocol):
    """One kind of container."""

    def boot(self, model: Raw, secrets: dict[str, str]) -> str | None:
        """Start what `model` describes; the log if it does not come up."""

    def answer(self, model: Raw, query: str, content_type: str, body: bytes) -> Reply:
        """One POST."""


class CannedBackend:
    """Answers as the handler does behind the toolkit: the same keys, errors as its JSON in `error`, and the models of its
    environment by name and commit. Guarantees: hears nothing in `SILENCE` and exactly `words` in anything else; refuses the
    same bad parameter.
    """

    def __init__(self, words: str, speakers: int = 2) -> None:
        self.words = words
        self.speakers = speakers
        self.release_of: Callable[[str, str], str | None] = lambda repository, revision: None
        """Of a commit, as the handler says it: the name on the list of files that was published with it."""

        self.broken: set[str] = set()
        """Revisions of the repository whose transcripts are wrong."""

    def boot(self, model: Raw, secrets: dict[str, str]) -> str | None:
        return None

    def answer(self, model: Raw, query: str, content_type: str, body: bytes) -> Reply:
        asked: dict[str, Any] = dict(parse_qsl(query))
        recording = body
        if content_type == "application/json":
            sent = json.loads(body)
            asked, recording = sent["parameters"], base64.b64decode(sent["inputs"])
        if str(asked.get("num_speakers")) == "0":
            error = {"code": "invalid_parameters", "message": "parameters: num_speakers", "retryable": False, "request_id": "x"}
            return _json(400, {"error": json.dumps(error)})
        text = "nothing of the kind" if model["revision"] in self.broken else self.words
        if recording == SILENCE.read_bytes():
            text = ""
        speakers = [{"speaker": f"SPEAKER_{i:02}", "timestamp": [i, i + 1], "text": text} for i in range(self.speakers)]
        names = {stage: model["env"].get(f"{start}_MODEL") for stage, start in _STAGES.items()}
        commits = {stage: model["env"].get(f"{start}_REVISION", "")[:12] for stage, start in _STAGES.items()}
        reply: dict[str, Any] = {
            "text": text,
            "chunks": [{"timestamp": [0.0, 1.0], "text": text}],
            "speakers": speakers if names["diarization"] else [],
            "summarize": [{"summary_text": text}] if names["summary"] else [],
            "models": {
                "summarization" if s == "summary" else s: f"{name}@{commits[s]}" if commits[s] else name
                for s, name in names.items()
                if name
            },
            "outcome": "ok",
            "warnings": [],
        }
        if release := self.release_of(model["repository"], model["revision"]):
            reply["models"]["handler"] = release
        return _json(200, reply)


class HandlerBackend:
    """The real `handler.py` behind the emulated toolkit, started as a process from the files of a commit, laid out in a clean
    folder. Guarantees: nothing but those files, the plain variables and the secrets reach it. One process for each commit and
    environment; they end with the block.
    """

    def __init__(self, folder: Path) -> None:
        self.files_at: Callable[[str, str], dict[str, bytes]] = lambda repository, revision: {}
        """Of a commit: the hub's, which comes after its backend."""

        self._folder = folder
        self._running: dict[str, int] = {}
        self._boots = 0
        self._stack = ExitStack()

    def __enter__(self) -> HandlerBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def boot(self, model: Raw, secrets: dict[str, str]) -> str | None:
        key = _key(model)
        if key in self._running:
            return None
        self._boots += 1
        folder = self._folder / f"{self._boots:03}-{model['revision'][:12]}"
        repository = folder / "repository"
        for name, content in self.files_at(model["repository"], model["revision"]).items():
            file = repository / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        try:
            host = self._stack.enter_context(running(TOOLKIT_2025, repository, folder / "process", {**model["env"], **secrets}))
        except HostError as error:
            return str(error)
        self._running[key] = host.port
        return None

    def logs(self) -> list[str]:
        """What each process has written."""
        return [file.read_text(errors="replace") for file in sorted(self._folder.rglob("host.log"))]

    def answer(self, model: Raw, query: str, content_type: str, body: bytes) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self._running[_key(model)], timeout=120.0)
        try:
            connection.request("POST", f"/?{query}", body, {"Content-Type": content_type})
            response = connection.getresponse()
            return Reply(response.status, response.headers.get_content_type(), response.read())
        finally:
            connection.close()


_STAGES = {"asr": "ASR", "diarization": "DIARIZATION", "summary": "SUMMARIZE"}


def _key(model: Raw) -> str:
    return json.dumps([model["revision"], model["env"]], sort_keys=True)


def _json(status: int, value: object) -> Reply:
    return Reply(status, "application/json", json.dumps(value).encode())
