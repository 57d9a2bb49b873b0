"""Whatever goes wrong once something was sent, the last good state comes back, and the outcome has its name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.deploy.harness import ENDPOINT_YAML, SAID, Tool
from tests.deploy.test_killed import apply_and_die
from tests.fake_hub import endpoints
from tests.fake_hub.backends import CannedBackend, Raw, Reply
from tests.fake_hub.server import FakeHub, Fault, Seen

UPDATE = "/v2/endpoint/me/roundtable"


class Misshapen(CannedBackend):
    """As `CannedBackend`. Guarantees: a broken revision answers 200 with `body`, whatever it is."""

    body: Any = None

    def answer(self, model: Raw, query: str, content_type: str, body: bytes) -> Reply:
        if model["revision"] in self.broken:
            return Reply(200, "application/json", json.dumps(self.body).encode())
        return super().answer(model, query, content_type, body)


@pytest.fixture
def canned() -> Misshapen:
    return Misshapen(SAID)


GOOD: dict[str, Any] = {"text": "x", "chunks": [], "speakers": [], "summarize": []}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({**GOOD, "speakers": None, "summarize": None}, "keys (of another kind: speakers, summarize)"),
        ({**GOOD, "text": 7}, "base64 JSON: answered (status 200, nothing that the client can read)"),
        ({**GOOD, "speakers": [{"speaker": {}}]}, "base64 JSON: answered (status 200, nothing that the client can read)"),
        ({**GOOD, "speakers": ["A"]}, "base64 JSON: answered (status 200, nothing that the client can read)"),
        ({**GOOD, "chunks": None}, "base64 JSON: keys (of another kind: chunks)"),
        ({**GOOD, "models": ["asr"]}, "base64 JSON: answered (status 200, nothing that the client can read)"),
        ([], "base64 JSON: answered ("),
        (None, "base64 JSON: answered ("),
    ],
)
def test_a_reply_of_another_shape_leaves_no_bad_revision_live(
    tool: Tool, hub: FakeHub, canned: Misshapen, body: Any, reason: str
) -> None:
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that is misshapen"))
    canned.body = body
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (5, "smoke_failed")
    assert reason in ran.json()["error"]["reason"]
    assert hub.live_revision("roundtable") == good


def test_an_exception_that_nobody_thought_of_leaves_no_bad_revision_live(
    tool: Tool, hub: FakeHub, canned: Misshapen, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tool.published()
    tool.ok("apply")
    bad = tool.published(b" that is odd")

    def odd(checked: object, name: str) -> None:
        if hub.live_revision("roundtable") == bad:
            raise ZeroDivisionError("what was said")

    monkeypatch.setattr("deploy.verify.demand", odd)
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (5, "smoke_failed")
    assert "roundtable could not be verified: ZeroDivisionError over its answer" in ran.err
    assert "what was said" not in ran.err
    assert hub.live_revision("roundtable") == good


LATE = [("running", "Endpoint is ready")] * 6 + [("updating", "Starting"), ("updateFailed", "Startup failed.")]
"""The API goes on showing the old container, and then says that the new one did not come up."""


def test_the_old_container_is_not_verified_as_the_new_one(tool: Tool, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(endpoints.ENDINGS, "late", LATE)
    good = tool.published()
    tool.ok("apply")
    tool.published(b" that does not start")
    hub.endpoints.script = ["late"]
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (5, "endpoint_failed")
    assert hub.live_revision("roundtable") == good
    assert [record["outcome"] for record in tool.journal()] == ["verified", "restored"]


def test_after_a_kill_the_old_container_is_not_verified_as_the_new_one(
    tool: Tool, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(endpoints.ENDINGS, "late", LATE)
    # Without secrets nothing has to be sent a second time.
    tool.write(ENDPOINT_YAML[: ENDPOINT_YAML.index("secrets:")])
    hub.repositories["pyannote/community"].gated_to = None
    good = tool.published()
    tool.ok("apply")
    tool.published(b" that does not start")
    hub.endpoints.script = ["late"]
    put = 5  # the repository's head, the endpoint, two models that have to be readable, and then the PUT
    assert apply_and_die(tool, hub, put, "after") == -9
    assert hub.writes()[-1] == f"PUT {UPDATE}"
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (5, "endpoint_failed")
    assert hub.live_revision("roundtable") == good


def test_a_change_that_the_api_makes_without_a_word_is_believed_after_a_while(
    tool: Tool, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(endpoints.ENDINGS, "silent", [("running", "Endpoint is ready")])
    tool.published()
    tool.ok("apply")
    tool.write(ENDPOINT_YAML.replace("max_replicas: 2", "max_replicas: 3"))
    hub.endpoints.script = ["silent"]
    waited_before_s = sum(tool.waited_s)
    assert tool.ok("apply", "--json").json()["outcome"] == "verified"
    assert sum(tool.waited_s) - waited_before_s == 32.0  # half of the minute of `--timeout 1`, and three looks


def test_after_no_way_back_the_next_failure_goes_to_the_last_good_state(tool: Tool, hub: FakeHub, canned: Misshapen) -> None:
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that is bad"))

    def refuse_the_next(seen: Seen, phase: str) -> None:
        if (seen.method, phase) == ("PUT", "after"):
            hub.faults = [Fault("PUT", UPDATE, 403)]

    hub.on_request = refuse_the_next
    assert tool.run("apply").code == 6
    assert hub.live_revision("roundtable") in canned.broken
    hub.on_request, hub.faults = lambda seen, phase: None, []
    canned.broken.add(tool.published(b" that is bad too"))
    ran = tool.run("apply")
    assert ran.code == 5
    assert f"roundtable is back at {good[:12]}, and verified" in ran.err
    assert hub.live_revision("roundtable") == good


def test_an_endpoint_that_is_deleted_while_apply_waits(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    tool.published(b" 2")

    def delete(seen: Seen, phase: str) -> None:
        if (seen.method, phase) == ("PUT", "after"):
            del hub.endpoints.by_name["roundtable"]

    hub.on_request = delete
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (5, "endpoint_gone")
    assert hub.endpoints.by_name == {}
    assert tool.journal()[-1]["outcome"] == "gone"
    tool.ok("apply")
    assert hub.endpoints.created == ["roundtable", "roundtable"]


def test_rollback_where_the_api_fills_in_fields(tool: Tool, hub: FakeHub) -> None:
    first = tool.published()
    tool.ok("apply")
    tool.published(b" 2")
    tool.ok("apply")
    raw = hub.endpoints.by_name["roundtable"].raw
    raw["compute"]["scaling"]["measure"] = {"hardwareUsage": 80}
    raw["model"]["image"] = {"huggingface": {"port": 80}}
    assert tool.ok("rollback", "--json").json()["outcome"] == "verified"
    assert hub.live_revision("roundtable") == first


def test_a_delete_that_was_refused_makes_no_apply_send_anything(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.faults = [Fault("DELETE", UPDATE, 403)]
    assert tool.run("delete", "--yes").code == 3
    assert tool.journal()[-1]["outcome"] == "refused"
    tool.ok("apply")
    assert hub.writes() == ["POST /v2/endpoint/me", f"DELETE {UPDATE}"]
