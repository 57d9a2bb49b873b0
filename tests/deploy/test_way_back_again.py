"""After a way back that was cut off, refused, or met by somebody else: what the next command does."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from deploy.calling import ClientCaller
from deploy.commands import run
from deploy.release import LISTING, Listing
from tests.deploy.harness import ENDPOINT_YAML, Tool
from tests.deploy.test_killed import apply_and_die
from tests.fake_hub import endpoints
from tests.fake_hub.backends import CannedBackend
from tests.fake_hub.repositories import Repository
from tests.fake_hub.server import FakeHub, Fault, Seen

UPDATE = "/v2/endpoint/me/roundtable"
ROLLED_BACK_PUT = 3
"""Of a rollback: the endpoint twice, and then the PUT."""


def settle(hub: FakeHub) -> None:
    """Let the API finish what it was told."""
    endpoint = hub.endpoints.by_name["roundtable"]
    while endpoint.steps:
        endpoint.advance()


@pytest.mark.parametrize(("number", "phase"), [(ROLLED_BACK_PUT, "before"), (ROLLED_BACK_PUT, "after"), (5, "after")])
def test_an_interrupted_rollback_run_again_went_to_the_bad_release(tool: Tool, hub: FakeHub, number: int, phase: str) -> None:
    good = tool.published()
    tool.ok("apply")
    tool.published(b" that turned out bad")
    tool.ok("apply")
    assert apply_and_die(tool, hub, number, phase, verb="rollback") == -9
    settle(hub)
    tool.ok("rollback")
    assert hub.live_revision("roundtable") == good


def test_a_rollback_that_met_an_outage_went_to_the_bad_release_when_it_was_run_again(tool: Tool, hub: FakeHub) -> None:
    good = tool.published()
    tool.ok("apply")
    tool.published(b" that turned out bad")
    tool.ok("apply")

    def fail(seen: Seen, phase: str) -> None:
        if (seen.method, phase) == ("PUT", "after"):
            hub.faults = [Fault("GET", UPDATE, 500, times=99)]

    hub.on_request = fail
    ran = tool.run("rollback")
    assert ran.code == 4
    assert "what is live has not been verified, and the next `rollback` goes on from there" in ran.err
    hub.on_request, hub.faults = lambda seen, phase: None, []
    tool.ok("rollback")
    assert hub.live_revision("roundtable") == good


def test_rollback_after_a_restore_that_was_cut_off_went_one_release_too_far(
    tool: Tool, hub: FakeHub, canned: CannedBackend
) -> None:
    tool.published(b" of long ago")
    tool.ok("apply")
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that mishears"))
    puts: list[str] = []

    def fail(seen: Seen, phase: str) -> None:
        puts.extend([phase] if seen.method == "PUT" else [])
        if puts == ["before", "after", "before", "after"]:
            hub.faults = [Fault("GET", UPDATE, 500, times=99)]

    hub.on_request = fail
    assert tool.run("apply").code == 6
    hub.on_request, hub.faults = lambda seen, phase: None, []
    settle(hub)
    tool.ok("rollback")
    assert hub.live_revision("roundtable") == good


def test_a_state_that_was_never_verified_was_called_unchanged(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    good = tool.published()
    tool.ok("apply")
    bad = tool.published(b" that mishears")
    canned.broken.add(bad)
    endpoint = hub.endpoints.by_name["roundtable"]
    assert endpoint.live is not None
    endpoint.raw["model"]["revision"] = endpoint.live["revision"] = bad  # as somebody sets it on the web page
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (5, "smoke_failed")
    assert hub.live_revision("roundtable") == good


def test_one_answer_of_404_paused_a_live_endpoint(tool: Tool, hub: FakeHub) -> None:
    good = tool.published()
    tool.ok("apply")
    tool.published(b" 2")
    hub.faults = [Fault("GET", f"{UPDATE}$", 404)]
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (2, "in_progress")
    assert (hub.state("roundtable"), hub.live_revision("roundtable")) == ("running", good)
    assert tool.journal()[-1]["outcome"] == "refused"
    assert tool.ok("apply", "--json").json()["outcome"] == "verified"


def test_a_canary_that_somebody_else_made_at_the_same_time_was_deleted(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    tool.published(b" 2")
    theirs = {**hub.endpoints.by_name["roundtable"].raw, "name": "roundtable-canary"}
    theirs["model"] = {**theirs["model"], "repository": "them/other"}

    def make(seen: Seen, phase: str) -> None:
        if (seen.method, seen.path, phase) == ("GET", f"{UPDATE}-canary", "after"):
            hub.endpoints.create(_payload(theirs))
            hub.on_request = lambda seen, phase: None

    hub.on_request = make
    ran = tool.run("apply", "--canary", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (2, "in_progress")
    assert hub.endpoints.by_name["roundtable-canary"].raw["model"]["repository"] == "them/other"
    tool.ok("apply")
    assert "roundtable-canary" in hub.endpoints.by_name


def _payload(raw: dict[str, Any]) -> dict[str, Any]:
    return {"name": raw["name"], "type": raw["type"], **{part: raw[part] for part in ("provider", "compute", "model")}}


def test_a_terminal_that_goes_away_left_a_bad_revision_live(
    tool: Tool, hub: FakeHub, canned: CannedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that mishears"))
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stderr", TextIOWrapper(full, write_through=True))
        code = run(
            tool.arguments("apply"),
            environment=tool.environment,
            caller=ClientCaller(),
            sleep=tool.waited_s.append,
            clock=lambda: sum(tool.waited_s),
            root=tool.root,
        )
    assert code == 5
    assert hub.live_revision("roundtable") == good


def test_a_journal_without_room_left_a_bad_revision_live(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that mishears"))
    journal = tool.folder / "journal" / "me" / "roundtable"

    def block(seen: Seen, phase: str) -> None:
        if (seen.method, phase) == ("PUT", "after"):
            (journal / "00002.part").mkdir(exist_ok=True)

    hub.on_request = block
    ran = tool.run("apply")
    assert ran.code == 5
    assert "the journal cannot be written" in ran.err
    assert f"roundtable is back at {good[:12]}, and verified" in ran.err
    assert hub.live_revision("roundtable") == good


def test_two_looks_that_find_nothing_were_taken_for_a_deletion(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that mishears"))

    def stumble(seen: Seen, phase: str) -> None:
        if (seen.method, phase) == ("PUT", "after"):
            hub.faults = [Fault("GET", f"{UPDATE}$", 404, times=2)]

    hub.on_request = stumble
    assert tool.run("apply").code == 5
    assert hub.live_revision("roundtable") == good


def test_after_an_endpoint_that_seemed_gone_the_way_back_was_lost(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that mishears"))

    def hide(seen: Seen, phase: str) -> None:
        if (seen.method, phase) == ("PUT", "after"):
            hub.faults = [Fault("GET", f"{UPDATE}$", 404, times=3)]

    hub.on_request = hide
    assert tool.run("apply").code == 5
    assert tool.journal()[-1]["outcome"] == "gone"
    hub.on_request, hub.faults = lambda seen, phase: None, []
    settle(hub)
    assert tool.run("apply").code == 5
    assert hub.live_revision("roundtable") == good


def test_what_the_api_cannot_take_away_was_called_restored(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    always_on = ENDPOINT_YAML.replace("minutes: 15", "minutes: null")
    assert always_on != ENDPOINT_YAML
    tool.write(always_on)
    tool.published()
    tool.ok("apply")
    tool.write(ENDPOINT_YAML)
    canned.broken.add(tool.published(b" that mishears"))
    ran = tool.run("apply")
    assert ran.code == 5
    assert "and verified; the API cannot take away scale_to_zero_minutes 15" in ran.err


def test_somebody_who_pauses_while_apply_waits_was_billed_again(tool: Tool, hub: FakeHub) -> None:
    good = tool.published()
    tool.ok("apply")
    tool.published(b" 2")
    hub.endpoints.script = ["paused"]
    ran = tool.run("apply")
    assert ran.code == 5
    assert f"roundtable is at {good[:12]} and paused" in ran.err
    assert hub.state("roundtable") == "paused"
    assert not any("resume" in write for write in hub.writes())


def test_a_secret_taken_out_of_the_file_stayed_in_the_container(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    tool.write(ENDPOINT_YAML.replace(', PASSPHRASE: "env:PASSPHRASE"', ""))
    assert tool.ok("apply", "--json").json()["outcome"] == "verified"
    assert hub.endpoints.by_name["roundtable"].live_secrets["PASSPHRASE"] == ""
    assert hub.endpoints.by_name["roundtable"].live_secrets["HF_TOKEN"] != ""
    writes = len(hub.writes())
    assert tool.ok("apply", "--json").json()["outcome"] == "unchanged"
    assert len(hub.writes()) == writes


def test_a_model_that_the_container_may_not_read_cost_minutes_before_it_failed(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    hub.repositories["pyannote/community"].gated_to = set()
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (3, "gated")
    assert hub.endpoints.created == []


def test_a_rollout_that_begins_without_a_word_after_a_while_was_verified_on_the_old_container(
    tool: Tool, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(endpoints.ENDINGS, "silent and late", [("running", "Endpoint is ready")] * 200)
    good = released(hub, b"")
    tool.ok("apply")
    released(hub, b" 2")
    hub.endpoints.script = ["silent and late"]
    ran = tool.run("apply", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (5, "smoke_failed")
    assert f"base64 JSON: release ({hub.release_of('me/roundtable', good)})" in ran.json()["error"]["reason"]
    assert hub.endpoints.by_name["roundtable"].raw["model"]["revision"] == good


def released(hub: FakeHub, extra: bytes) -> str:
    """A commit with the list of its files, as `publish` makes it."""
    files = {"handler.py": b"# a handler" + extra}
    repository = hub.repositories.setdefault("me/roundtable", Repository())
    return repository.add({**files, LISTING: Listing.of(files, {}).content()})
