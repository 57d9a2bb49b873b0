"""What the verbs that change little, or nothing, say of an endpoint."""

from __future__ import annotations

import pytest

from deploy.specification import Specification
from tests.deploy.harness import ENDPOINT_YAML, Tool
from tests.deploy.test_killed import apply_and_die
from tests.fake_hub.server import FakeHub, Fault

HARDWARE = ".*(hardware|provider).*"


def test_plan_said_unchanged_where_apply_resumes(tool: Tool, hub: FakeHub) -> None:
    tool.ok("publish")
    tool.ok("apply")
    tool.ok("pause")
    planned = tool.ok("plan", "--json").json()
    assert (planned["endpoint"], planned["also"]) == ("update", ["it is paused: it is resumed, and costs again"])
    assert "it is paused: it is resumed, and costs again" in tool.ok("plan").out


def test_plan_said_unchanged_where_apply_sends_secrets(tool: Tool, hub: FakeHub) -> None:
    tool.ok("publish")
    tool.ok("apply")
    assert tool.ok("plan", "--json").json()["endpoint"] == "unchanged"
    tool.environment["MORE"] = "one more secret word"
    tool.write(ENDPOINT_YAML.replace("PASSPHRASE: ", 'MORE: "env:MORE", PASSPHRASE: '))
    assert tool.ok("plan", "--json").json()["also"] == ["the secrets are sent again"]


def test_plan_said_unchanged_after_a_run_that_was_cut_off(tool: Tool, hub: FakeHub) -> None:
    tool.write(ENDPOINT_YAML[: ENDPOINT_YAML.index("secrets:")])
    hub.repositories["pyannote/community"].gated_to = None
    tool.ok("publish")
    assert apply_and_die(tool, hub, 8, "after") == -9
    planned = tool.ok("plan", "--json").json()
    assert (planned["endpoint"], planned["changes"]) == ("update", [])
    assert planned["also"] == ["nobody has verified what is there: it is tested"]


def test_an_emptied_secret_was_emptied_again_at_every_second_apply(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    tool.write(ENDPOINT_YAML.replace(', PASSPHRASE: "env:PASSPHRASE"', ""))
    tool.ok("apply")
    tool.published(b" 2")
    tool.ok("apply")
    writes = len(hub.writes())
    assert tool.ok("apply", "--json").json()["outcome"] == "unchanged"
    assert len(hub.writes()) == writes


def test_smoke_called_a_good_endpoint_that_sleeps_bad(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].enter("scaledToZero", "Scaled to zero")
    assert tool.ok("smoke", "--json").json()["ok"] is True
    assert hub.state("roundtable") == "running"


def test_delete_failed_where_only_the_price_list_is_down(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.faults = [Fault("GET", HARDWARE, 500, times=99)]
    assert "at a price that the API does not name" in tool.ok("delete").out
    tool.ok("delete", "--yes")
    assert hub.endpoints.by_name == {}


def test_delete_showed_the_price_of_the_file_and_not_of_what_runs(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    before = tool.ok("delete").out
    tool.write(ENDPOINT_YAML.replace("max_replicas: 2", "max_replicas: 1"))
    assert tool.ok("delete").out == before


def test_a_canary_that_was_left_is_named(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    tool.published(b" 2")
    number = next(
        number for number in range(6, 12) if apply_and_die(tool, hub, number, "after", "--canary") == -9 and _canary(hub)
    )
    assert number < 12
    for verb in ("status", "pause", "delete"):
        ran = tool.ok(verb)
        assert "roundtable-canary is still there, from a run that was cut off, and costs" in ran.out
    assert tool.ok("status", "--json").json()["canary"] == "roundtable-canary"
    tool.ok("delete", "--yes")
    assert hub.endpoints.by_name == {}


def _canary(hub: FakeHub) -> bool:
    return "roundtable-canary" in hub.endpoints.by_name


@pytest.mark.parametrize("name", ["007", "on", "1e3", "123"])
def test_init_wrote_a_name_that_its_file_read_as_something_else(tool: Tool, name: str) -> None:
    tool.ok("init", "--no-pin", "--repository", f"{name}/roundtable", "--endpoint", "e-1", "--force")
    assert Specification.load(tool.file).namespace == name


def test_apply_was_silent_while_it_waited(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    hub.endpoints.script = ["stuck"]
    ran = tool.run("apply", "--timeout", "2.5")
    assert ran.code == 5
    told = [line for line in ran.err.splitlines() if "so far" in line]
    waiting = "roundtable: initializing, Waiting for an instance"
    assert told == [f"{waiting}; {seconds} s so far, of at most 150" for seconds in (60, 120)]
