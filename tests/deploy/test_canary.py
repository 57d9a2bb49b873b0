"""The second endpoint: only the one that the journal says we made is deleted, and that one always is, in the end."""

from __future__ import annotations

from tests.deploy.harness import ENDPOINT_YAML, Tool
from tests.fake_hub.backends import CannedBackend
from tests.fake_hub.server import FakeHub, Fault

CANARY = "/v2/endpoint/me/roundtable-canary"
NEIGHBOUR = ENDPOINT_YAML.replace("endpoint: roundtable", "endpoint: roundtable-canary")


def test_an_endpoint_of_somebody_elses_with_the_canarys_name_is_not_deleted(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.write(NEIGHBOUR)
    tool.ok("apply")
    tool.write(ENDPOINT_YAML)
    tool.ok("apply")
    assert sorted(hub.endpoints.by_name) == ["roundtable", "roundtable-canary"]
    tool.published(b" 2")
    ran = tool.run("apply", "--canary", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (2, "not_in_place")
    assert "roundtable-canary is there already, and this journal has not made it" in ran.err
    assert hub.writes() == ["POST /v2/endpoint/me"] * 2
    tool.ok("apply")
    tool.ok("delete", "--yes")
    assert list(hub.endpoints.by_name) == ["roundtable-canary"]


def test_a_canary_that_cannot_be_deleted_hides_no_failure_and_goes_with_the_next_apply(
    tool: Tool, hub: FakeHub, canned: CannedBackend
) -> None:
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that mishears"))
    hub.faults = [Fault("DELETE", CANARY, 500, times=99)]
    ran = tool.run("apply", "--canary")
    assert ran.code == 5
    assert "error: canary: roundtable-canary runs, and is not good: base64 JSON: words (WER 0.96, at most 0.35)" in ran.err
    assert "roundtable-canary is still there and costs: the Hub answered 500" in ran.err
    assert hub.live_revision("roundtable") == good
    assert tool.journal()[-1]["canary"] == "roundtable-canary"
    hub.faults = []
    canned.broken.clear()
    tool.ok("apply")
    assert list(hub.endpoints.by_name) == ["roundtable"]
    assert [record.get("canary") for record in tool.journal()] == [None, None, None]


def test_a_canary_that_was_left_goes_with_delete(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that mishears"))
    hub.faults = [Fault("DELETE", CANARY, 500, times=99)]
    assert tool.run("apply", "--canary").code == 5
    hub.faults = []
    tool.ok("delete", "--yes")
    assert hub.endpoints.by_name == {}
