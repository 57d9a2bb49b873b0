"""What `check` finds, what it makes of it, and that red comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import commands
from tests.deploy.harness import DEPLOY_TOKEN, ENDPOINT_YAML, RUNTIME_TOKEN, Tool
from tests.fake_hub.server import FakeHub

ON_HF_SERVE = "container: {kind: hf-serve}\n"
CHECKED = (
    ENDPOINT_YAML.replace(
        "{MAX_AUDIO_SECONDS: 600}", "{MAX_AUDIO_SECONDS: 600, TRUST_REMOTE_CODE: 1, HF_SERVE_LOGGING_LEVEL: ERROR}"
    )
    + ON_HF_SERVE
)
"""In which nothing is red."""


@pytest.fixture(autouse=True)
def _checked(tool: Tool) -> None:
    tool.write(CHECKED)


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
        ("ok", "models.summary", "embedded: comes with the code, on every image"),
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
    tool.write(CHECKED.replace("revision: WHISPER", "revision: main"))
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
    tool.write(CHECKED.replace("openai/whisper-base", "openai/whisper-bass").replace("nvidia-t4", "nvidia-t5"))
    red = [line for line in findings(tool, 1) if line[0] == "RED"]
    assert [line[1] for line in red] == ["models.asr", "instance"]


def test_protected_is_explained(tool: Tool) -> None:
    tool.write(CHECKED.replace("access: private", "access: protected"))
    assert findings(tool, 0)[0][:2] == ("yellow", "access")


def test_embedded_engines_passed_check_and_could_not_start(tool: Tool) -> None:
    embedded = ENDPOINT_YAML.replace("{id: openai/whisper-base, revision: WHISPER}", "{id: embedded}")
    embedded = embedded.replace("{id: pyannote/community, revision: PYANNOTE}", "{id: embedded}")
    reason = (
        "embedded: its engine needs packages that this image does not get (requirements-local.txt and requirements-weights.txt)"
        "; container.kind own, an image that has them, or a model of the Hub"
    )
    for container in ("", "container: {kind: hf-serve, url: a/b}\n"):
        tool.write(embedded.replace("600}", "600, TRUST_REMOTE_CODE: 1}") + container)
        red = [line for line in findings(tool, 1) if line[0] == "RED"]
        assert red == [("RED", "models.asr", reason), ("RED", "models.diarization", reason)]
    tool.write(f"{embedded}container: {{kind: own, url: registry.test/roundtable}}\n")
    assert [line for line in findings(tool, 0) if line[1].startswith("models.")] == [
        (
            "ok",
            "models.asr",
            "embedded: nothing to download, in an image that has requirements-local.txt and requirements-weights.txt",
        ),
        (
            "ok",
            "models.diarization",
            "embedded: nothing to download, in an image that has requirements-local.txt and requirements-weights.txt",
        ),
        ("ok", "models.summary", "embedded: comes with the code, on every image"),
    ]


def test_pyannote_passed_check_on_an_image_where_it_cannot_be_installed(tool: Tool) -> None:
    tool.write(ENDPOINT_YAML)
    assert [line for line in findings(tool, 1) if line[0] == "RED"] == [
        (
            "RED",
            "models.diarization",
            "pyannote.audio 4 cannot be installed in the managed image (Python 3.11, torch 2.5.1): container.kind hf-serve, "
            "or own",
        )
    ]


def test_hf_serve_without_what_it_needs(tool: Tool) -> None:
    tool.write(ENDPOINT_YAML + "container: {kind: hf-serve}\n")
    found = {what: (verdict, text) for verdict, what, text in findings(tool, 1) if what.startswith("settings.")}
    assert found == {
        "settings.TRUST_REMOTE_CODE": ("RED", "hf-serve runs no handler.py without it: set TRUST_REMOTE_CODE to 1"),
        "settings.HF_SERVE_LOGGING_LEVEL": (
            "yellow",
            "hf-serve writes each request, recording and all, into its log: set HF_SERVE_LOGGING_LEVEL to WARNING",
        ),
    }


def test_a_missing_runtime_secret_ended_check(tool: Tool) -> None:
    whole = {line[1] for line in findings(tool, 0)}
    del tool.environment["RUNTIME_TOKEN"]
    tool.environment["PASSPHRASE"] = "short"  # noqa: S105
    found = findings(tool, 1)
    assert [line for line in found if line[0] != "ok"] == [
        (
            "RED",
            "secrets.HF_TOKEN",
            "the variable RUNTIME_TOKEN is not set; put the value there, or name another env:, file: or stdin source",
        ),
        (
            "RED",
            "secrets.PASSPHRASE",
            "shorter than 8 characters, which could not be kept out of what is printed; make it longer; what is no secret goes "
            "under `settings`",
        ),
        ("yellow", "models.diarization", "gated; there is no runtime token to ask with"),
    ]
    assert whole - {line[1] for line in found} == {"runtime token"}


def test_a_setting_that_nobody_reads_was_taken_without_a_word(tool: Tool) -> None:
    tool.write(CHECKED.replace("{MAX_AUDIO_SECONDS: 600", "{MAX_AUDIO_SECOND: 600, TIMEOUT: 600, QUITE_ANOTHER_THING: 1"))
    nobody = "the handler does not know it, nor do the hosts that this tool knows"
    assert [line for line in findings(tool, 0) if line[0] == "yellow"] == [
        ("yellow", "settings.MAX_AUDIO_SECOND", f"{nobody}; did you mean MAX_AUDIO_SECONDS?"),
        ("yellow", "settings.QUITE_ANOTHER_THING", nobody),
    ]


@pytest.mark.parametrize(
    ("container", "python", "which"),
    [
        ("managed", "3.11", "for Python 3.11 of the managed image"),
        ("hf-serve", "3.12", "for Python 3.12 of hf-serve's image"),
        ("own, url: a/b", None, "for this Python; an image of your own may have another"),
    ],
)
def test_check_did_not_say_for_which_python(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, container: str, python: str | None, which: str
) -> None:
    asked: list[str | None] = []

    def resolver(_: Path, python: str | None) -> str | None:
        asked.append(python)
        return None if len(asked) == 1 else "ERROR: none"

    monkeypatch.setattr(commands, "wheels_resolve", resolver)
    tool.write(f"{ENDPOINT_YAML}container: {{kind: {container}}}\n")
    lines = [tool.run("check", "--json").json()["findings"] for _ in range(2)]
    found = [(one["verdict"], one["found"]) for line in lines for one in line if one["what"] == "requirements.txt"]
    assert asked == [python, python]
    assert found == [("ok", f"resolves, wheels only ({which})"), ("RED", f"ERROR: none ({which})")]
