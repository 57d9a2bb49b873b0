"""Each way in which the Hub or the endpoint goes wrong: a named outcome, one line of reason, what to do next, a known state."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.deploy.harness import ENDPOINT_YAML, Tool
from tests.fake_hub.server import FakeHub, Fault

ENDPOINT = r"/v2/endpoint/me/roundtable"
CREATE = r"/v2/endpoint/me"
CALL = r"/e/roundtable"


@dataclass(frozen=True)
class Case:
    """Faults during an `apply`, and how it has to end."""

    faults: list[Fault] = field(default_factory=list)
    script: list[str] = field(default_factory=list)
    quota: tuple[int, int] = (8, 0)
    code: int = 0
    error: str = ""
    """Of `--json`: the stable name of the outcome."""

    reason: str = ""
    state: str | None = "running"
    """The endpoint's, afterwards."""


FIRST = {
    "somebody makes it at the same time": Case(
        [Fault("POST", CREATE, 409, message="exists", after=True)],
        code=2,
        error="in_progress",
        reason="has not made it",
        state="initializing",
    ),
    "409 after an answer that was lost": Case([Fault("POST", CREATE, 500, after=True), Fault("POST", CREATE, 409)]),
    "400 after an answer that was lost": Case([Fault("POST", CREATE, drop=True, after=True), Fault("POST", CREATE, 400)]),
    "500 while creating": Case([Fault("POST", CREATE, 500)]),
    "500 once it was created": Case([Fault("POST", CREATE, 500, after=True)]),
    "the answer to creating is lost": Case([Fault("POST", CREATE, drop=True, after=True)]),
    "429 with Retry-After": Case([Fault("GET", ENDPOINT, 429, {"Retry-After": "7"}, times=2)]),
    "429 for ever": Case([Fault("GET", ENDPOINT, 429, times=99)], code=4, error="hub_busy", reason="too busy", state=None),
    "500 for ever": Case([Fault("GET", ENDPOINT, 500, times=99)], code=4, error="hub_down", reason="answered 500", state=None),
    "no connection": Case(
        [Fault("GET", ENDPOINT, drop=True, times=99)], code=4, error="hub_down", reason="cannot be reached", state=None
    ),
    "an answer of another shape": Case(
        [Fault("GET", ENDPOINT, 200, times=99)], code=4, error="hub_down", reason="none that this client knows", state=None
    ),
    "the token is not known": Case(
        [Fault("GET", "/api/models/me/roundtable", 401)], code=3, error="unauthorized", reason="does not know", state=None
    ),
    "the token may not": Case([Fault("POST", CREATE, 403)], code=3, error="forbidden", reason="may not do that", state=None),
    "refused": Case([Fault("POST", CREATE, 422, message="bad size")], code=3, error="rejected", reason="bad size", state=None),
    "quota reached": Case(quota=(1, 1), code=3, error="quota_reached", reason="quota of this hardware", state=None),
    "failed": Case(script=["failed"], code=5, error="endpoint_failed", reason="is failed: Application", state="paused"),
    "slow": Case(script=["slow"]),
    "stuck": Case(script=["stuck"], code=5, error="not_ready", reason="still initializing", state="paused"),
    "paused by somebody": Case(script=["paused"], code=5, error="endpoint_paused", reason="was paused", state="paused"),
    "scaled to zero": Case(script=["scaledToZero"]),
    "health 503, then 200": Case([Fault("GET", f"{CALL}/health", 503, times=4)]),
    "connection refused, then 200": Case([Fault("GET", f"{CALL}/health", drop=True, times=4)]),
    "health 503 for ever": Case(
        [Fault("GET", f"{CALL}/health", 503, times=999)], code=5, error="not_ready", reason="health 503", state="paused"
    ),
    "the first call gets 500, and the second": Case(
        [Fault("POST", CALL, 500, times=2)], code=5, error="smoke_failed", reason="answered (status 500)", state="paused"
    ),
    "one call gets 500": Case([Fault("POST", CALL, 500)]),
    "the first call gets 503, which the client waits for": Case([Fault("POST", CALL, 503)]),
    "one look finds nothing while it is waited for": Case([Fault("GET", f"{ENDPOINT}$", 404)]),
}

AGAIN = {
    "updateFailed": Case(script=["updateFailed"], code=5, error="endpoint_failed", reason="is updateFailed: Application"),
    "failed": Case(script=["failed"], code=5, error="endpoint_failed", reason="is failed: Application"),
    "stale running": Case(script=["stale"]),
    "409 while updating": Case([Fault("PUT", ENDPOINT, 409, message="busy")], code=3, error="rejected", reason="409: busy"),
    "500 while updating": Case([Fault("PUT", ENDPOINT, 500)]),
    "the answer to updating is lost": Case([Fault("PUT", ENDPOINT, drop=True, after=True)]),
    "stuck, and no way back": Case(
        script=["stuck", "failed"], code=6, error="not_restored", reason="going back failed as well", state="failed"
    ),
    "paused by somebody": Case(script=["paused"], code=5, error="endpoint_paused", reason="was paused", state="paused"),
    "updated, the answer lost, and refused the second time": Case(
        [Fault("PUT", f"{ENDPOINT}$", drop=True, after=True), Fault("PUT", f"{ENDPOINT}$", 409, message="updating")]
    ),
}


def play(case: Case, tool: Tool, hub: FakeHub) -> None:
    hub.faults, hub.endpoints.script, hub.quota = list(case.faults), list(case.script), case.quota
    ran = tool.run("apply", "--json")
    assert ran.code == case.code, ran.err
    assert "Traceback" not in ran.err
    if case.code:
        error = ran.json()["error"]
        assert error["code"] == case.error
        assert case.reason in error["reason"]
        assert "\n" not in error["reason"]
        assert error["next_step"]
    assert (hub.state("roundtable") if "roundtable" in hub.endpoints.by_name else None) == case.state
    # Whatever it was: once it is over, the same command brings the endpoint up, and there is one of it.
    hub.faults, hub.quota = [], (8, 0)
    tool.ok("apply")
    assert hub.state("roundtable") == "running"
    assert hub.live_revision("roundtable") == hub.repositories["me/roundtable"].head
    assert hub.endpoints.created == ["roundtable"]


@pytest.mark.parametrize("case", FIRST.values(), ids=FIRST.keys())
def test_a_fault_at_the_first_apply(case: Case, tool: Tool, hub: FakeHub) -> None:
    tool.published()
    play(case, tool, hub)


@pytest.mark.parametrize("case", AGAIN.values(), ids=AGAIN.keys())
def test_a_fault_at_a_later_apply(case: Case, tool: Tool, hub: FakeHub) -> None:
    good = tool.published()
    tool.ok("apply")
    tool.published(b" 2")
    play(case, tool, hub)
    outcomes = [record["outcome"] for record in tool.journal()]
    assert outcomes[0] == outcomes[-1] == "verified"
    assert tool.journal()[0]["after"]["revision"] == good


def test_retry_after_is_waited_for(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    hub.faults = [Fault("GET", ENDPOINT, 429, {"Retry-After": "7"}, times=2)]
    tool.ok("apply")
    assert tool.waited_s[:2] == [7.0, 7.0]


def test_a_gated_model_stops_the_check_of_the_card_not_the_endpoint(tool: Tool, hub: FakeHub) -> None:
    hub.faults = [Fault("GET", "/api/models/pyannote/community/revision/.*", 404)]
    ran = tool.run("publish")
    assert ran.code == 2
    assert "error: pyannote/community is not there, or this token may not see it" in ran.err


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"HF_TOKEN": ""}, "there is no token: HF_TOKEN is not set, and nobody is logged in"),
        ({"PASSPHRASE": ""}, "secret PASSPHRASE: the variable PASSPHRASE is not set"),
        ({"HF_TOKEN": "hf_ä b"}, "--token: what is there has characters that no token has"),
        ({"HF_DEBUG": "1"}, "HF_DEBUG is set: huggingface_hub would log the endpoint's secrets"),
    ],
)
def test_an_environment_that_is_wrong_is_said_before_anything_is_sent(
    tool: Tool, hub: FakeHub, change: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    tool.published()
    tool.environment |= change
    ran = tool.run("apply")
    assert ran.code == 2
    assert f"error: {reason}" in ran.err
    assert hub.writes() == []


def test_a_token_as_an_argument_is_refused(tool: Tool) -> None:
    assert tool.run("apply", "--token", "hf_abcdefghijklmnopqrstuv").code == 2


def test_secrets_from_files(tool: Tool, hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("secrets") / "token"
    file.write_text("from a file\n")
    tool.published()
    tool.write(ENDPOINT_YAML.replace("env:PASSPHRASE", f"file:{file}"))
    tool.ok("apply")
    assert "from a file" in hub.endpoints.by_name["roundtable"].secrets.values()


def test_a_journal_that_cannot_be_written_stops_it_before_anything_is_sent(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    (tool.folder / "journal").write_text("a file where a folder should be")
    ran = tool.run("apply")
    assert ran.code == 2
    assert "error: the journal cannot be written: " in ran.err
    assert str(tool.folder) not in ran.err
    assert hub.writes() == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"after": {"revision": 1}}'])
def test_a_journal_that_is_damaged_is_named(tool: Tool, hub: FakeHub, text: str) -> None:
    tool.published()
    tool.ok("apply")
    (tool.folder / "journal/me/roundtable/00001.json").write_text(text)
    ran = tool.run("apply")
    assert ran.code == 2
    assert "error: 00001.json of the journal is no record" in ran.err


def test_a_publication_needs_no_secrets_of_the_container(tool: Tool) -> None:
    tool.environment["PASSPHRASE"] = ""
    tool.ok("publish")


def test_a_file_that_is_missing_from_the_folder(tool: Tool) -> None:
    tool.root = tool.folder
    ran = tool.run("publish")
    assert ran.code == 2
    assert "error: handler.py, config.py, diarization_utils.py, requirements.txt, README.md and 2 more: not there" in ran.err
