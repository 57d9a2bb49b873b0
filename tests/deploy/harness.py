"""Runs the command line in this process against the fake Hub, and keeps every byte that it emits."""

from __future__ import annotations

import json
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from deploy.calling import ClientCaller
from deploy.commands import run
from deploy.manifest import ROOT
from tests.fake_hub.repositories import Repository
from tests.fake_hub.server import FakeHub

DEPLOY_TOKEN = "hf_DeployDeployDeployDeployDeploy01"  # noqa: S105  # nobody's
RUNTIME_TOKEN = "hf_RuntimeRuntimeRuntimeRuntime0002"  # noqa: S105
PASSPHRASE = "three plain words"  # noqa: S105
"""A secret that looks like none."""

SECRETS = (DEPLOY_TOKEN, RUNTIME_TOKEN, PASSPHRASE)
SAID = (
    "Good afternoon, this is the customer service. How can I help you? "
    "Hello, this is David Brown. There is a problem with my new printer."
)

ENDPOINT_YAML = """\
repository: me/roundtable
endpoint: roundtable
namespace: me
access: private
instance: {vendor: aws, region: us-east-1, accelerator: gpu, type: nvidia-t4, size: x1}
scaling: {min_replicas: 1, max_replicas: 2, scale_to_zero_minutes: 15}
models:
  asr: {id: openai/whisper-base, revision: WHISPER}
  diarization: {id: pyannote/community, revision: PYANNOTE}
  summary: {id: embedded}
settings: {MAX_AUDIO_SECONDS: 600}
secrets: {HF_TOKEN: "env:RUNTIME_TOKEN", PASSPHRASE: "env:PASSPHRASE"}
"""


@dataclass(frozen=True)
class Ran:
    """One command: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Tool:
    """`python -m deploy` in a folder of its own. `waited_s` are the pauses that it would have made, and its
    clock shows their sum."""

    hub: FakeHub
    folder: Path
    root: Path = ROOT
    environment: dict[str, str] = field(
        default_factory=lambda: {"HF_TOKEN": DEPLOY_TOKEN, "RUNTIME_TOKEN": RUNTIME_TOKEN, "PASSPHRASE": PASSPHRASE}
    )
    emitted: list[str] = field(default_factory=list)
    waited_s: list[float] = field(default_factory=list)
    transcript: TextIO | None = None
    """Where to show commands and what they wrote."""

    @property
    def file(self) -> Path:
        return self.folder / "endpoint.yaml"

    def write(self, text: str) -> None:
        """As endpoint.yaml, with the commits of the models filled in."""
        for word, model in (("WHISPER", "openai/whisper-base"), ("PYANNOTE", "pyannote/community")):
            text = text.replace(word, self.hub.repositories[model].head)
        self.file.write_text(text, encoding="utf-8")

    def arguments(self, verb: str, *more: str) -> list[str]:
        where = ["--file", str(self.file), "--journal", str(self.folder / "journal"), "--poll", "1", "--timeout", "1"]
        return [verb, *where, "--hub-url", self.hub.url, "--api-url", self.hub.api_url, *more]

    def run(self, *arguments: str) -> Ran:
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(
                self.arguments(*arguments),
                environment=self.environment,
                caller=ClientCaller(),
                sleep=self.waited_s.append,
                clock=lambda: sum(self.waited_s),
                root=self.root,
            )
        if self.transcript is not None:
            shown = "".join(f"  {line}\n" for line in (err.getvalue() + out.getvalue()).splitlines())
            self.transcript.write(f"$ python -m deploy {' '.join(arguments)}\n{shown}  exit code {code}\n\n")
            self.transcript.flush()
        self.emitted += [out.getvalue(), err.getvalue()]
        return Ran(code, out.getvalue(), err.getvalue())

    def tell(self, *lines: str) -> None:
        """What a reader of the transcript has to know before the next command."""
        if self.transcript is not None:
            self.transcript.write("".join(f"# {line}\n" for line in lines))
            self.transcript.flush()

    def ok(self, *arguments: str) -> Ran:
        """A command that has to succeed."""
        ran = self.run(*arguments)
        assert ran.code == 0, ran.err
        return ran

    def published(self, extra: bytes = b"") -> str:
        """Publish, without the model card's cost: straight into the repository. Returns the commit."""
        repository = self.hub.repositories.setdefault("me/roundtable", Repository())
        return repository.add({"handler.py": b"# a handler" + extra})

    def journal(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / "journal").rglob("*.json"))
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def leaks(self) -> list[str]:
        """Where a secret was found that it does not belong: anywhere but in the header of the account's own token, and in the
        one field of a request that is for secrets."""
        found = []
        places = {f"output {number}": text for number, text in enumerate(self.emitted)}
        places |= {str(path): path.read_text(errors="replace") for path in self.folder.rglob("*") if path.is_file()}
        for number, seen in enumerate(self.hub.seen):
            text = _without_bearer(seen.headers, DEPLOY_TOKEN)
            if seen.path == "/api/whoami-v2" or seen.path.endswith("/auth-check"):
                text = _without_bearer(text, RUNTIME_TOKEN)  # asking about the token, with the token
            places[f"request {number}, {seen.method} {seen.path}"] = text + _without_secrets_field(seen.body)
        for place, text in places.items():
            found += [f"{place}: {secret[:6]}…" for secret in SECRETS if secret in text]
        return found


def _without_bearer(headers: str, token: str) -> str:
    return re.sub(rf"(?im)^authorization: Bearer {token}$", "", headers)


def _without_secrets_field(body: bytes) -> str:
    try:
        payload = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    if isinstance(payload, dict) and isinstance(payload.get("model"), dict):
        payload["model"].pop("secrets", None)
    return json.dumps(payload)
