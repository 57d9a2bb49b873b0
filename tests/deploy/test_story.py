"""The whole of it in one test: init, check, plan, publish, apply, smoke, a revision that is broken, the way back, delete.

The endpoint is the real handler with the embedded engines, started as a process from exactly the published files, behind the
emulated toolkit. `python -m tests.deploy.test_story` prints it as a transcript: `make demo-deploy`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.manifest import lay_out, shipped_files
from deploy.release import LISTING
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
settings: {OMP_NUM_THREADS: 1}
secrets: {HF_TOKEN: "env:RUNTIME_TOKEN"}
"""

BROKEN = b'\n\nEndpointHandler.__call__ = lambda self, data: {"text": "", "chunks": [], "speakers": [], "summarize": []}\n'
"""At the end of handler.py: it boots, answers 200, and hears nothing."""


def story(tool: Tool, hub: FakeHub) -> None:
    """Every step, and what has to be true after it."""
    tool.root = lay_out(shipped_files(), tool.folder / "tree")
    tool.file.unlink(missing_ok=True)
    tool.ok("init", "--preset", "cpu", "--repository", "me/roundtable", "--no-pin")
    tool.file.write_text(EMBEDDED, encoding="utf-8")
    tool.ok("check", "--no-requirements")
    tool.ok("plan")
    first = tool.ok("publish", "--json").json()
    tool.ok("apply")
    tool.ok("smoke")
    assert hub.live_revision("roundtable") == first["commit"]

    handler = tool.root / "handler.py"
    good = handler.read_bytes()
    handler.write_bytes(good + BROKEN)
    second = tool.ok("publish", "--json").json()
    assert second["send"] == {"handler.py": len(good + BROKEN), LISTING: second["send"][LISTING]}
    ran = tool.run("apply")
    assert ran.code == 5
    assert "base64 JSON: words (WER 1.00, at most 0.35)" in ran.err
    assert f"roundtable is back at {first['commit'][:12]}, and verified" in ran.err
    assert hub.live_revision("roundtable") == first["commit"]
    tool.ok("smoke", "--release", first["release"])
    tool.ok("history")
    tool.ok("delete")
    tool.ok("delete", "--yes")
    assert hub.endpoints.by_name == {}
    assert [record["outcome"] for record in tool.journal()] == ["verified", "restored", "deleted"]


@pytest.fixture
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandlerBackend]:
    with HandlerBackend(tmp_path_factory.mktemp("hosts")) as backend:
        yield backend


def test_the_whole_story(tool: Tool, hub: FakeHub, backend: HandlerBackend) -> None:
    backend.files_at = hub.files_at
    story(tool, hub)
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
        print(f"\nsecrets found outside of the field for secrets: {len(leaks)}")
        sys.exit(bool(leaks))


if __name__ == "__main__":
    main()
