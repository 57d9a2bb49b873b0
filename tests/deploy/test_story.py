"""The whole of it in one test: init, check, plan, publish, apply, smoke, a revision that is broken, the way back, a canary,
rollback, delete.

The endpoint is the real handler with the embedded engines, started as a process from exactly the published files, behind the
emulated toolkit. That process stands for an image of our own: Hugging Face's images do not get those engines' packages.
`python -m tests.deploy.test_story` prints it as a transcript: `make demo-deploy`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from deploy.manifest import lay_out, shipped_files
from tests.deploy.harness import DEPLOY_TOKEN, RUNTIME_TOKEN, Tool
from tests.fake_hub.backends import HandlerBackend
from tests.fake_hub.server import FakeHub

EMBEDDED = """\
repository: me/roundtable
endpoint: roundtable
namespace: me
instance: {vendor: aws, region: us-east-1, accelerator: cpu, type: intel-spr, size: x4}
scaling: {min_replicas: 1}
models:
  asr: {id: embedded}
  diarization: {id: embedded}
  summary: {id: embedded}
container: {kind: own, url: registry.example/roundtable}
settings: {OMP_NUM_THREADS: 1}
secrets: {HF_TOKEN: "env:RUNTIME_TOKEN"}
"""

BROKEN = b'\n\nEndpointHandler.__call__ = lambda self, data: {"text": "", "chunks": [], "speakers": [], "summarize": []}\n'
"""At the end of handler.py: it boots, answers 200, and hears nothing."""


MENDED = b"\n# mended\n"


def story(tool: Tool, hub: FakeHub) -> None:
    """Every step, and what has to be true after it."""
    tool.root = lay_out(shipped_files(), tool.folder / "tree")
    tool.file.unlink(missing_ok=True)
    tool.tell(
        "The whole life of a deployment, on a Hub and an endpoint API of our own on this machine: nothing goes over the",
        "network and nothing costs anything. It takes about a minute. Behind the endpoint's address runs the real handler,",
        "from exactly the files that were published, behind the emulated toolkit of Hugging Face.",
        "",
        "First a file that says what is deployed. --no-pin: the models are replaced below, so their commits do not matter.",
    )
    tool.ok("init", "--preset", "cpu", "--repository", "me/roundtable", "--no-pin")
    tool.file.write_text(EMBEDDED, encoding="utf-8")
    tool.tell(
        "endpoint.yaml was changed here: Whisper's weights are not on this machine, so all three models are the embedded ones.",
        "Hugging Face's images do not get their packages, so `container` names an image of our own; the process behind the",
        "endpoint stands for it. Now everything that can be known before it costs money (without pip, which takes a minute).",
    )
    tool.ok("check", "--no-requirements")
    tool.tell("What would change, and what it would cost. Nothing is there yet.")
    tool.ok("plan")
    tool.tell("The files go to the model repository, as a release.")
    tool.ok("publish")
    repository = hub.repositories["me/roundtable"]
    first = repository.head
    ((release, tagged),) = repository.tags.items()
    assert tagged == first
    tool.tell("The endpoint is made, waited for, and tested with real recordings before it counts as good.")
    tool.ok("apply")
    tool.tell("The same test once more, at any time.")
    tool.ok("smoke")
    assert hub.live_revision("roundtable") == first

    handler = tool.root / "handler.py"
    good = handler.read_bytes()
    handler.write_bytes(good + BROKEN)
    tool.tell(
        "handler.py was broken here, on purpose: it starts, answers 200, and hears nothing. It is published like any other."
    )
    assert "sending 2 file(s)" in tool.ok("publish").err
    tool.tell("The smoke test hears the difference, and `apply` puts back what was there: exit code 5.")
    ran = tool.run("apply")
    assert ran.code == 5
    assert "base64 JSON: words (WER 1.00, at most 0.35)" in ran.err
    assert f"roundtable is back at {first[:12]}, and verified" in ran.err
    assert hub.live_revision("roundtable") == first
    tool.ok("smoke", "--release", release)

    handler.write_bytes(good + MENDED)
    tool.tell("handler.py was mended here. This time the new revision is tried on a second endpoint first.")
    tool.ok("publish")
    assert "canary: deleting roundtable-canary" in tool.ok("apply", "--canary").err
    assert hub.live_revision("roundtable") == repository.head != first
    tool.tell("Good, and yet the first one is wanted back.")
    tool.ok("rollback")
    assert hub.live_revision("roundtable") == first
    tool.tell("What happened so far, from the journal in .deploy/.")
    tool.ok("history")
    tool.tell("And away with it: first shown, then done. The model repository stays.")
    tool.ok("delete")
    tool.ok("delete", "--yes")
    assert hub.endpoints.by_name == {}
    assert [record["outcome"] for record in tool.journal()] == ["verified", "restored", "verified", "verified", "deleted"]


@pytest.fixture
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandlerBackend]:
    with HandlerBackend(tmp_path_factory.mktemp("hosts")) as backend:
        yield backend


@pytest.mark.slow
def test_the_whole_story(tool: Tool, hub: FakeHub, backend: HandlerBackend) -> None:
    backend.files_at = hub.files_at
    tool.transcript = StringIO()
    story(tool, hub)
    commands = tool.transcript.getvalue().split("$ python -m deploy ")
    assert len(commands) == 1 + 15
    assert max(command.count("\n") for command in commands) < 80, "a step lists every file"
    assert "handler.py was broken here, on purpose" in tool.transcript.getvalue()
    for log in backend.logs():
        assert RUNTIME_TOKEN not in log
        assert DEPLOY_TOKEN not in log


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, HandlerBackend(Path(folder, "hosts")) as backend, FakeHub(backend) as hub:
        backend.files_at = hub.files_at
        hub.accounts = {DEPLOY_TOKEN: "write", RUNTIME_TOKEN: "read"}
        Path(folder, "work").mkdir()
        tool = Tool(hub, Path(folder, "work"), transcript=sys.stdout)
        story(tool, hub)
        leaks = tool.leaks()
        print(
            "# Every byte that the tool has printed, stored or sent was searched for the two tokens of this story. They may\n"
            "# be in the Authorization header and in the one field of a request that is meant for secrets, and nowhere else.\n"
            f"tokens found anywhere else: {len(leaks)}"
        )
        sys.exit(bool(leaks))


if __name__ == "__main__":
    main()
