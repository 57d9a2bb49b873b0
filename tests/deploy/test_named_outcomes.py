"""Whatever is wrong, a script gets an exit code and JSON with a name for it; a person one line of reason, and no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy import commands
from deploy.console import shown
from deploy.manifest import ROOT
from tests.deploy.harness import ENDPOINT_YAML, Ran, Tool
from tests.fake_hub.backends import Reply
from tests.fake_hub.server import FakeHub, Fault

ENDPOINT = "/v2/endpoint/me/roundtable"
TOKEN = "hf_abcdefghijklmnopqrstuvwx"  # noqa: S105  # nobody's


def named(ran: Ran, code: int, name: str) -> str:
    """The reason, once it is seen that this is how it ended."""
    error = ran.json()["error"]
    assert (ran.code, error["code"]) == (code, name)
    assert error["next_step"]
    return str(error["reason"])


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {b: *a}",
        "x: 2026-13-45",
        "x: !!int abc",
        "x: !!float abc",
        "x: !!bool abc",
        "x: !!timestamp abc",
        "x: 0x_",
        f"x: {'1' * 5000}",
        f"x: {'[' * 3000}",
        "2026-13-45: x",
        "a: &a [x]\nb: *a",
    ],
    ids=lambda text: text[:20],
)
def test_yaml_ended_in_a_traceback(tool: Tool, text: str) -> None:
    tool.file.write_text(f"repository: me/roundtable\n{text}\n")
    assert named(tool.run("status", "--json"), 2, "invalid_specification").startswith("endpoint.yaml")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "max_replicas: 2",
            "max_replicas: 2, metric: pendingRequests, threshold: .inf",
            "line 6: scaling.threshold: must be a finite n",
        ),
        ("openai/whisper-base", "openai/a..b", "line 8: models.asr: id must be OWNER/NAME of a model on the Hub"),
        ("repository: me/roundtable", "repository: me/a--b", "line 1: repository: must be OWNER/NAME as the Hub allows it"),
        ("namespace: me", "namespace: '..'", "line 3: namespace: must be the name of a user or an organisation"),
        ("namespace: me", "namespace: m\u00e9", "line 3: namespace: must be the name of a user or an organisation"),
    ],
)
def test_a_value_that_the_client_refuses_ended_in_a_traceback(tool: Tool, old: str, new: str, reason: str) -> None:
    tool.write(ENDPOINT_YAML.replace(old, new))
    assert named(tool.run("apply", "--json"), 2, "invalid_specification").startswith(f"endpoint.yaml, {reason}")


@pytest.mark.parametrize(
    "results",
    [
        *("1", "null", "[{}]", "{}", '{"recordings": 1, "machine": {}}', "[" * 100_000),
        '{"recordings": [{}], "machine": {"commit": "1", "processor": "2"}}',
        '{"recordings": [{"name": "x", "wer": 1}], "machine": {"commit": "1", "processor": "2"}}',
        '{"recordings": [{"name": "x", "wer": {}}], "machine": {"commit": "1", "processor": "2"}}',
        '{"recordings": [{"name": "x", "wer": {"value": NaN}}], "machine": {"commit": "1", "processor": "2"}}',
        '{"recordings": [], "machine": {"commit": 1, "processor": "2"}}',
    ],
    ids=lambda text: text[:60],
)
def test_results_that_are_none_ended_in_a_traceback(tool: Tool, results: str) -> None:
    file = tool.folder / "results.json"
    file.write_text(results)
    assert "no figures" in named(tool.run("plan", "--json", "--results", str(file)), 2, "command")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Content-Encoding": "gzip"}, 200),
        ("GET", {}, 200),
        ("GET", {"Location": ENDPOINT}, 302),
    ],
    ids=["bad gzip", "another shape", "redirects for ever"],
)
def test_an_answer_that_cannot_be_read_ended_in_a_traceback(
    tool: Tool, hub: FakeHub, method: str, headers: dict[str, str], status: int
) -> None:
    tool.published()
    hub.faults = [Fault(method, ENDPOINT, status, headers, times=200)]
    named(tool.run("status", "--json"), 4, "hub_down")


def test_a_page_in_place_of_an_answer_ended_in_a_traceback(tool: Tool, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.published()
    answer = hub.answer

    def page(method: str, path: str, *rest: Any) -> Reply:
        return Reply(200, "text/html", b"<html>") if path == ENDPOINT else answer(method, path, *rest)

    monkeypatch.setattr(hub, "answer", page)
    named(tool.run("status", "--json"), 4, "hub_down")


@pytest.mark.parametrize("asked", ["\u00b2", "-5", "soon", "9" * 400])
def test_a_retry_after_that_is_no_number_ended_in_a_traceback(tool: Tool, hub: FakeHub, asked: str) -> None:
    tool.published()
    tool.ok("apply")
    tool.waited_s.clear()
    hub.faults = [Fault("GET", ENDPOINT, 429, headers={"Retry-After": asked})]
    tool.ok("status")
    assert tool.waited_s == [60.0 if asked.isascii() and asked.isdigit() else 1.0]


@pytest.mark.parametrize("field", ["message", "url", "updatedAt"])
def test_a_status_without_a_field_ended_in_a_traceback(tool: Tool, hub: FakeHub, field: str) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].raw["status"][field] = None
    assert tool.run("status", "--json").code in (0, 4)  # huggingface_hub's own objects need a time
    if field == "url":
        del hub.endpoints.by_name["roundtable"].raw["status"][field]
        assert tool.ok("status", "--json").json()["url"] is None


def test_a_runtime_token_that_no_header_can_carry_ended_in_a_traceback(tool: Tool) -> None:
    tool.environment["RUNTIME_TOKEN"] = "hf_\u00e9abcdefghijklmnopqrstu"  # noqa: S105
    ran = tool.run("check", "--no-requirements", "--json")
    assert ran.code == 1
    reds = {one["found"] for one in ran.json()["findings"] if one["verdict"] == "RED"}
    assert "this token has characters that no token has" in reds


def test_init_at_a_folder_ended_in_a_traceback(tool: Tool) -> None:
    tool.file.unlink()
    tool.file.mkdir()
    ran = tool.run("init", "--repository", "me/x", "--no-pin", "--force", "--json")
    assert named(ran, 2, "command") == "endpoint.yaml cannot be written: Is a directory"


def test_a_journal_that_cannot_be_written_ended_in_a_traceback(tool: Tool) -> None:
    tool.published()
    (tool.folder / "journal").write_text("a file")
    named(tool.run("apply", "--json"), 2, "command")


def test_an_output_without_room_ended_in_a_traceback(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "deploy", "init", "--repository", "me/x", "--no-pin", "--file", str(tmp_path / "e.yaml")],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_fault_of_the_tool_is_told_by_its_kind_alone(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError(f"with {TOKEN} in /a/path")

    monkeypatch.setattr(commands, "check", fails)
    ran = tool.run("check", "--json")
    assert named(ran, 70, "unforeseen") == "a fault of this tool: ZeroDivisionError"
    assert "/a/path" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("apply", TOKEN), "there is an argument that this does not take"),
        (("status", "--nosuch", TOKEN), "there is an argument that this does not take"),
        (("status", "--timeout", TOKEN), "argument --timeout: must be a number greater than 0"),
        (("status", "--timeout", "nan"), "argument --timeout: must be a number greater than 0"),
        (("status", "--poll", "-1"), "argument --poll: must be a number greater than 0"),
        (("logs", "--lines", "0"), "argument --lines: must be a whole number from 1"),
        (("logs", "--lines", "-1"), "argument --lines: must be a whole number from 1"),
        (("rollback", "--to", ""), "argument --to: must be the name of a release, or a commit"),
        (("rollback", "--to", "a/../b?x#y"), "argument --to: must be the name of a release, or a commit"),
        (("init", "--preset", TOKEN), "argument --preset: must be one of "),
        (("init",), "the following arguments are required: --repository"),
    ],
)
def test_a_wrong_command_line_gave_no_json_and_said_what_was_typed(
    tool: Tool, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str
) -> None:
    ran = commands.run([*arguments, "--json"], environment={}, caller=_nobody(), sleep=tool.waited_s.append, clock=lambda: 0.0)
    out, err = capsys.readouterr()
    assert ran == 2
    assert json.loads(out)["error"]["reason"].startswith(reason)
    assert f"error: {reason}" in err
    assert TOKEN not in out + err


def _nobody() -> Any:
    """No verb is run, so nobody is called."""
    return None


def test_a_log_steered_the_terminal(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].log = "x\x1b]0;title\x07\x1b[2Jy\n\u202eevil\ttab\n"
    assert tool.ok("logs").out == "x\\x1b]0;title\\x07\\x1b[2Jy\n\\x202eevil\ttab\n"
    assert shown("\x9b2J") == "\\x9b2J"


def test_plan_slept_for_as_long_as_the_hub_asked(tool: Tool, hub: FakeHub) -> None:
    tool.ok("publish")
    tree = "/api/models/me/roundtable/tree/.*"
    hub.faults = [Fault("GET", tree, 429, headers={"Retry-After": "86400"}, times=99)]
    tool.waited_s.clear()
    assert tool.ok("plan", "--json").json()["publish"]["send"] == {}
    assert tool.waited_s == []
    hub.faults = [Fault("GET", "/api/models/me/roundtable/revision/.*", 429, headers={"Retry-After": "86400"}, times=99)]
    named(tool.run("plan", "--json"), 4, "hub_busy")
    assert tool.waited_s == [60.0] * 4
