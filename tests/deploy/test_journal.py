"""The journal: what is put back from it, who may write it, and that no record is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.records import Records
from deploy.secrets import Mask
from tests.deploy.harness import ENDPOINT_YAML, Tool
from tests.deploy.test_killed import apply_and_die
from tests.fake_hub.server import FakeHub, Fault

OTHER_KEY = "sk-" + "a1B2" * 8
"""What looks like a token, and is none of endpoint.yaml's secrets."""


def records(tool: Tool) -> list[Path]:
    return sorted((tool.folder / "journal").rglob("*.json"))


def test_a_short_secret_that_is_a_part_of_a_commit_does_not_spoil_the_way_back(tool: Tool, hub: FakeHub) -> None:
    first = tool.published()
    tool.write(ENDPOINT_YAML.replace("env:PASSPHRASE", "env:PIN"))
    tool.environment["PIN"] = first[5:13]
    tool.ok("apply")
    tool.published(b" 2")
    tool.ok("apply")
    assert tool.journal()[0]["after"]["revision"] == first
    tool.ok("rollback")
    assert hub.live_revision("roundtable") == first


def test_a_variable_that_the_journal_hides_is_not_restored_as_the_mask(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].raw["model"]["env"]["OTHER_KEY"] = OTHER_KEY
    tool.published(b" 2")
    put = 5  # the head, the endpoint, two models that have to be readable, and then the PUT
    assert apply_and_die(tool, hub, put, "after") == -9
    assert hub.writes()[-1] == "PUT /v2/endpoint/me/roundtable"
    assert tool.journal()[-1]["before"]["env"]["OTHER_KEY"] == "***"
    ran = tool.run("apply")
    assert ran.code == 2
    assert "error: 00002.json of the journal hides a secret in OTHER_KEY, so that state cannot be put back" in ran.err
    assert len(hub.writes()) == 2
    records(tool)[-1].rename(tool.folder / "moved away")
    tool.ok("apply")
    assert "***" not in hub.endpoints.by_name["roundtable"].raw["model"]["env"].values()


def test_a_variable_that_the_journal_hides_is_taken_from_the_api_where_it_still_is(tool: Tool, hub: FakeHub) -> None:
    good = tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].raw["model"]["env"]["OTHER_KEY"] = OTHER_KEY
    tool.published(b" 2")
    hub.faults = [Fault("PUT", "/v2/endpoint/me/roundtable", 500, times=99)]
    assert tool.run("apply").code == 4
    hub.faults = []
    hub.endpoints.script = ["failed"]
    assert tool.journal()[-1]["before"]["env"]["OTHER_KEY"] == "***"
    assert tool.run("apply").code == 5
    assert hub.live_revision("roundtable") == good
    assert hub.endpoints.by_name["roundtable"].raw["model"]["env"]["OTHER_KEY"] == OTHER_KEY


def test_two_applies_at_once_are_one_and_a_clear_error(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    journal = Records(tool.folder / "journal", "me", "roundtable", Mask())
    with journal.locked():
        for command in (["apply"], ["apply", "--canary"], ["rollback"], ["delete", "--yes"]):
            ran = tool.run(*command, "--json")
            assert (ran.code, ran.json()["error"]["code"]) == (2, "in_progress")
    assert hub.seen == []
    tool.ok("apply")


def test_a_record_that_was_taken_away_lets_no_other_be_overwritten(tool: Tool, hub: FakeHub) -> None:
    for number in range(3):
        tool.published(b" %d" % number)
        tool.ok("apply")
    records(tool)[0].unlink()
    third = records(tool)[-1].read_text(encoding="utf-8")
    tool.published(b" 4")
    tool.ok("apply")
    assert [file.name for file in records(tool)] == ["00002.json", "00003.json", "00004.json"]
    assert records(tool)[1].read_text(encoding="utf-8") == third


@pytest.mark.parametrize("without", ["before", "secrets", "begun", "was_paused"])
def test_a_record_of_another_version_ended_in_a_traceback(tool: Tool, without: str) -> None:
    tool.published()
    tool.ok("apply")
    record = json.loads(records(tool)[-1].read_text(encoding="utf-8"))
    del record[without]
    records(tool)[-1].write_text(json.dumps(record), encoding="utf-8")
    for verb in ("apply", "history"):
        ran = tool.run(verb)
        assert ran.code == 2
        assert "error: 00001.json of the journal is no record" in ran.err
