"""A fake Hub with the models of the test file, and the tool. After every test: no secret anywhere that it does not belong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.deploy.harness import DEPLOY_TOKEN, ENDPOINT_YAML, RUNTIME_TOKEN, SAID, Tool
from tests.fake_hub.backends import Backend, CannedBackend
from tests.fake_hub.repositories import Repository
from tests.fake_hub.server import FakeHub


@pytest.fixture
def canned() -> CannedBackend:
    return CannedBackend(SAID)


@pytest.fixture
def backend(canned: CannedBackend) -> Backend:
    return canned


@pytest.fixture
def hub(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", "http://127.0.0.1:1/nowhere")
    with FakeHub(backend) as hub:
        if isinstance(backend, CannedBackend):
            backend.release_of = hub.release_of
        hub.accounts = {DEPLOY_TOKEN: "write", RUNTIME_TOKEN: "read"}
        hub.repositories["openai/whisper-base"] = Repository(extra_bytes=290_000_000)
        hub.repositories["openai/whisper-base"].add({"config.json": b"{}"})
        hub.repositories["pyannote/community"] = Repository(licence="cc-by-4.0", gated_to={RUNTIME_TOKEN})
        hub.repositories["pyannote/community"].add({"config.yaml": b""})
        yield hub


@pytest.fixture
def tool(hub: FakeHub, tmp_path: Path) -> Iterator[Tool]:
    tool = Tool(hub, tmp_path)
    tool.write(ENDPOINT_YAML)
    yield tool
    assert tool.leaks() == []
