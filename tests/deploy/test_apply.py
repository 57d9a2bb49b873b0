"""Create, change, do nothing, go back: the states of an endpoint, and what is sent on the way."""

from __future__ import annotations

import pytest

from tests.deploy.harness import ENDPOINT_YAML, PASSPHRASE, RUNTIME_TOKEN, Tool
from tests.fake_hub.backends import CannedBackend
from tests.fake_hub.server import FakeHub

CREATE = "POST /v2/endpoint/me"
UPDATE = "PUT /v2/endpoint/me/roundtable"


def test_apply_creates_waits_and_verifies(tool: Tool, hub: FakeHub) -> None:
    commit = tool.published()
    done = tool.ok("apply", "--json").json()
    assert done["outcome"] == "verified"
    assert done["revision"] == commit
    assert [one["name"] for one in done["checked"] if not one["ok"]] == []
    assert len(done["checked"]) == 20
    assert hub.writes() == [CREATE]
    made = hub.endpoints.by_name["roundtable"]
    assert made.secrets == {"HF_TOKEN": RUNTIME_TOKEN, "PASSPHRASE": PASSPHRASE}
    assert made.raw["type"] == "private"
    assert made.raw["model"]["task"] == "custom"
    assert made.raw["model"]["env"]["ASR_REVISION"] == hub.repositories["openai/whisper-base"].head
    (record,) = tool.journal()
    assert record["outcome"] == "verified"
    assert record["before"] is None
    assert record["after"]["revision"] == commit
    assert record["secrets"] == ["HF_TOKEN", "PASSPHRASE"]


def test_a_second_apply_sends_no_write_at_all(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    seen = len(hub.seen)
    assert tool.ok("apply", "--json").json()["outcome"] == "unchanged"
    assert {one.method for one in hub.seen[seen:]} == {"GET"}
    assert len(tool.journal()) == 1


def test_a_change_is_made_in_place_with_all_secrets(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    tool.write(ENDPOINT_YAML.replace("max_replicas: 2", "max_replicas: 3").replace("settings: {MAX_AUDIO_SECONDS: 600}", ""))
    hub.endpoints.by_name["roundtable"].secrets.clear()
    found = tool.ok("apply", "--json").json()["changes"]
    assert [(one["field"], one["before"], one["after"]) for one in found] == [
        ("max_replicas", 2, 3),
        ("env.MAX_AUDIO_SECONDS", "600", None),
    ]
    assert hub.writes() == [CREATE, UPDATE]
    endpoint = hub.endpoints.by_name["roundtable"]
    assert endpoint.secrets == {"HF_TOKEN": RUNTIME_TOKEN, "PASSPHRASE": PASSPHRASE}
    assert endpoint.raw["model"]["env"]["MAX_AUDIO_SECONDS"] == ""  # which the handler takes as unset
    assert tool.ok("apply", "--json").json()["outcome"] == "unchanged"


def test_what_cannot_be_changed_in_place_is_refused_with_nothing_sent(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    tool.write(ENDPOINT_YAML.replace("access: private", "access: public"))
    ran = tool.run("apply")
    assert ran.code == 2
    assert "error: not possible on an endpoint that exists: access from private to public; nothing was changed" in ran.err
    assert hub.writes() == [CREATE]


def test_protected_is_explained_and_deployed_as_private(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.write(ENDPOINT_YAML.replace("access: private", "access: protected"))
    ran = tool.ok("apply")
    assert "the API has no 'protected' any more" in ran.err
    assert hub.endpoints.by_name["roundtable"].raw["type"] == "private"


def test_a_revision_that_is_no_good_is_taken_back(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    good = tool.published()
    tool.ok("apply")
    bad = tool.published(b" that mishears")
    canned.broken.add(bad)
    ran = tool.run("apply")
    assert ran.code == 5
    assert "base64 JSON: words (WER 0.96, at most 0.35)" in ran.err
    assert f"roundtable is back at {good[:12]}, and verified" in ran.err
    assert hub.live_revision("roundtable") == good
    assert hub.endpoints.by_name["roundtable"].live_secrets == {"HF_TOKEN": RUNTIME_TOKEN, "PASSPHRASE": PASSPHRASE}
    assert [record["outcome"] for record in tool.journal()] == ["verified", "restored"]


def test_a_first_revision_that_is_no_good_is_left_paused(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    canned.broken.add(tool.published())
    ran = tool.run("apply")
    assert ran.code == 5
    assert "roundtable is paused, at no cost" in ran.err
    assert hub.state("roundtable") == "paused"
    canned.broken.clear()
    tool.ok("apply")
    assert hub.endpoints.created == ["roundtable"]
    assert hub.state("roundtable") == "running"


def test_a_paused_endpoint_that_fails_is_paused_again(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    good = tool.published()
    tool.ok("apply")
    tool.ok("pause")
    canned.broken.add(tool.published(b" that mishears"))
    ran = tool.run("apply")
    assert ran.code == 5
    assert f"roundtable is at {good[:12]} and paused, as before" in ran.err
    assert hub.state("roundtable") == "paused"


def test_a_canary_takes_the_fall(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    good = tool.published()
    tool.ok("apply")
    canned.broken.add(tool.published(b" that mishears"))
    ran = tool.run("apply", "--canary")
    assert ran.code == 5
    assert "error: canary: roundtable-canary runs, and is not good" in ran.err
    assert "roundtable was not touched" in ran.err
    assert hub.writes() == [CREATE, CREATE, "DELETE /v2/endpoint/me/roundtable-canary"]
    assert list(hub.endpoints.by_name) == ["roundtable"]
    assert hub.live_revision("roundtable") == good


def test_a_canary_that_is_good_goes_first(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    better = tool.published(b" that is better")
    tool.ok("apply", "--canary")
    assert hub.writes() == [CREATE, CREATE, "DELETE /v2/endpoint/me/roundtable-canary", UPDATE]
    assert hub.live_revision("roundtable") == better


def test_rollback_goes_to_the_last_good_state_or_to_a_release(tool: Tool, hub: FakeHub) -> None:
    first = tool.published()
    hub.repositories["me/roundtable"].tags["release-1"] = first
    tool.ok("apply")
    second = tool.published(b" 2")
    tool.write(ENDPOINT_YAML.replace("max_replicas: 2", "max_replicas: 3"))
    tool.ok("apply")
    assert tool.ok("rollback", "--json").json()["revision"] == first
    assert hub.endpoints.by_name["roundtable"].raw["compute"]["scaling"]["maxReplica"] == 2
    assert tool.ok("rollback", "--to", second, "--json").json()["revision"] == second
    assert hub.endpoints.by_name["roundtable"].raw["compute"]["scaling"]["maxReplica"] == 3
    tool.ok("rollback", "--to", "release-1")
    assert hub.live_revision("roundtable") == first
    assert tool.run("rollback", "--to", "release-9").code == 2
    assert [line.split()[1] for line in tool.ok("history").out.splitlines()] == ["verb", *["apply"] * 2, *["rollback"] * 3]


def test_models_without_a_commit_are_not_deployed(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.write(ENDPOINT_YAML.replace("WHISPER", "main"))
    ran = tool.run("apply")
    assert ran.code == 2
    assert "error: no commit for models.asr: it would change by itself" in ran.err
    assert hub.seen == []


def test_nothing_published_is_nothing_to_apply(tool: Tool, hub: FakeHub) -> None:
    ran = tool.run("apply")
    assert ran.code == 2
    assert "error: me/roundtable is not on the Hub" in ran.err
    assert hub.writes() == []


def test_lifecycle_verbs(tool: Tool, hub: FakeHub) -> None:
    commit = tool.published()
    assert tool.run("status").code == 2
    tool.ok("apply")
    assert f"serves me/roundtable at {commit}" in tool.ok("status").out
    assert tool.ok("smoke", "--json").json()["ok"] is True
    assert tool.ok("logs", "--lines", "1").out == "Application startup complete.\n"
    assert tool.ok("pause", "--json").json() == {"state": "paused", "canary": None}
    ran = tool.run("smoke")
    assert ran.code == 2
    assert "roundtable is paused, so there is nothing to test" in ran.err
    assert tool.ok("resume", "--json").json() == {"state": "running"}
    assert "nothing deleted: --yes deletes it" in tool.ok("delete").out
    assert hub.state("roundtable") == "running"
    assert tool.ok("delete", "--yes", "--json").json() == {"deleted": True, "endpoint": "roundtable"}
    assert hub.endpoints.by_name == {}
    assert hub.writes()[1:] == [
        "POST /v2/endpoint/me/roundtable/pause",
        "POST /v2/endpoint/me/roundtable/resume",
        "DELETE /v2/endpoint/me/roundtable",
    ]
    tool.ok("apply")
    assert hub.endpoints.created == ["roundtable", "roundtable"]


@pytest.mark.parametrize("access", ["authenticated", "public"])
def test_every_access_level_is_proved(tool: Tool, hub: FakeHub, access: str) -> None:
    tool.published()
    tool.write(ENDPOINT_YAML.replace("access: private", f"access: {access}"))
    done = tool.ok("apply", "--json").json()
    assert ("no token is refused" in [one["name"] for one in done["checked"]]) == (access != "public")


def test_an_endpoint_that_lets_in_anyone_is_no_good(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].raw["type"] = "public"  # behind our back
    ran = tool.run("smoke")
    assert ran.code == 5
    assert "no token is refused (status 200)" in ran.err


def test_a_canary_that_the_quota_does_not_allow_leaves_the_endpoint_alone(tool: Tool, hub: FakeHub) -> None:
    good = tool.published()
    tool.ok("apply")
    tool.published(b" that is better")
    hub.quota = (1, 1)
    ran = tool.run("apply", "--canary", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (3, "quota_reached")
    assert hub.live_revision("roundtable") == good
    assert tool.journal()[-1]["outcome"] == "refused"


def test_new_values_of_secrets_are_sent_when_asked_for(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].secrets.clear()
    assert tool.ok("apply", "--resend-secrets", "--json").json()["outcome"] == "verified"
    assert hub.endpoints.by_name["roundtable"].secrets == {"HF_TOKEN": RUNTIME_TOKEN, "PASSPHRASE": PASSPHRASE}
    assert hub.writes() == [CREATE, UPDATE]


def test_a_secret_that_is_new_in_the_file_is_sent_without_being_asked_for(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.write(ENDPOINT_YAML.replace(', PASSPHRASE: "env:PASSPHRASE"', ""))
    tool.ok("apply")
    tool.write(ENDPOINT_YAML)
    tool.ok("apply")
    assert hub.writes() == [CREATE, UPDATE]
    assert hub.endpoints.by_name["roundtable"].live_secrets["PASSPHRASE"] == PASSPHRASE
