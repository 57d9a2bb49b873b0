"""What `check` finds, what it makes of it, and that red comes first."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from deploy.check import wheels_resolve
from tests.deploy.harness import DEPLOY_TOKEN, ENDPOINT_YAML, RUNTIME_TOKEN, Tool
from tests.fake_hub.server import FakeHub


def findings(tool: Tool, code: int) -> list[tuple[str, str, str]]:
    ran = tool.run("check", "--no-requirements", "--json")
    assert ran.code == code
    return [(one["verdict"], one["what"], one["found"]) for one in ran.json()["findings"]]


def test_all_is_well(tool: Tool, hub: FakeHub) -> None:
    whisper, pyannote = (hub.repositories[name].head for name in ("openai/whisper-base", "pyannote/community"))
    assert findings(tool, 0) == [
        ("ok", "access", "private: you, or the members of your organisation, with a token"),
        ("ok", "runtime token", "read access only"),
        ("ok", "models.asr", f"openai/whisper-base at {whisper}"),
        ("ok", "models.asr", "licence apache-2.0"),
        ("ok", "models.asr", "not gated"),
        ("ok", "models.asr", "0.29 GB of weights"),
        ("ok", "models.diarization", f"pyannote/community at {pyannote}"),
        ("ok", "models.diarization", "licence cc-by-4.0"),
        ("ok", "models.diarization", "gated, and the runtime token may read it"),
        ("ok", "models.diarization", "0.00 GB of weights"),
        ("ok", "models.summary", "embedded: nothing to download"),
        ("ok", "instance", "aws-us-east-1-nvidia-t4-x1: available"),
        ("ok", "quota", "2 needed, 8 of 8 free"),
        ("ok", "memory", "0.29 GB of weights in 14 GB"),
        ("ok", "disk", "0.29 GB to download at each start; the API names no disk size"),
        ("ok", "price", "$0.50 to $1.00 an hour, $365.00 to $730.00 a month of 730 hours (1 to 2 replica(s))"),
    ]
    assert hub.writes() == []


def test_red_comes_first(tool: Tool, hub: FakeHub) -> None:
    hub.repositories["openai/whisper-base"].licence = "cc-by-nc-4.0"
    hub.repositories["openai/whisper-base"].extra_bytes = 13_000_000_000
    hub.repositories["pyannote/community"].gated_to = set()
    hub.quota = (2, 1)
    tool.write(ENDPOINT_YAML.replace("revision: WHISPER", "revision: main"))
    found = findings(tool, 1)
    assert [line[:2] for line in found if line[0] == "RED"] == [
        ("RED", "models.asr"),
        ("RED", "models.asr"),
        ("RED", "models.diarization"),
        ("RED", "quota"),
        ("RED", "memory"),
    ]
    assert [line[0] for line in found] == ["RED"] * 5 + ["ok"] * (len(found) - 5)
    assert found[0][2] == f"openai/whisper-base has no commit; the newest is {hub.repositories['openai/whisper-base'].head}"
    assert found[1][2] == "licence cc-by-nc-4.0: not allowed"
    assert found[2][2].startswith("the runtime token: pyannote/community is gated, and this token may not read it; accept")
    assert found[4][2] == "13.00 GB of weights in 14 GB: too little"


@pytest.mark.parametrize(
    ("role", "token", "found"),
    [
        ("write", RUNTIME_TOKEN, ("yellow", "runtime token", "has the role write: one with read access is enough")),
        ("fineGrained", RUNTIME_TOKEN, ("yellow", "runtime token", "fine-grained: see that it may read, and nothing else")),
        (
            "read",
            DEPLOY_TOKEN,
            ("yellow", "runtime token", "is the token that deploys: make one of its own, with read access o"),
        ),
        ("", RUNTIME_TOKEN, ("RED", "runtime token", "the Hub does not know this token")),
    ],
)
def test_the_runtime_token(tool: Tool, hub: FakeHub, role: str, token: str, found: tuple[str, str, str]) -> None:
    if role:
        hub.accounts[RUNTIME_TOKEN] = role
    else:
        del hub.accounts[RUNTIME_TOKEN]
    hub.repositories["pyannote/community"].gated_to = None
    tool.environment["RUNTIME_TOKEN"] = token
    lines = [line for line in findings(tool, int(not role)) if line[1] == "runtime token"]
    assert [(verdict, what, text[:54]) for verdict, what, text in lines] == [(found[0], found[1], found[2][:54])]


def test_a_model_that_is_not_there_and_an_instance_that_is_not_offered(tool: Tool) -> None:
    tool.write(ENDPOINT_YAML.replace("openai/whisper-base", "openai/whisper-bass").replace("nvidia-t4", "nvidia-t5"))
    red = [line for line in findings(tool, 1) if line[0] == "RED"]
    assert [line[1] for line in red] == ["models.asr", "instance"]


def test_protected_is_explained(tool: Tool) -> None:
    tool.write(ENDPOINT_YAML.replace("access: private", "access: protected"))
    assert findings(tool, 0)[0][:2] == ("yellow", "access")


def test_requirements_are_resolved_by_pip_as_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    file = tmp_path / "requirements.txt"
    file.write_text("tiny>=1\n")
    assert wheels_resolve(file) is None
    file.write_text("tiny>=2\n")
    assert wheels_resolve(file) == "ERROR: No matching distribution found for tiny>=2"
