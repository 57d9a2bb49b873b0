"""`init` writes a file that the other verbs take, with the newest commits of its models."""

from __future__ import annotations

import pytest

from deploy.containers import container_findings
from deploy.presets import PRESETS, models_of
from deploy.specification import Specification
from deploy.specification_parts import ENDPOINT_RULE, NAMESPACE_RULE, REPOSITORY_RULE
from tests.deploy.harness import Tool
from tests.fake_hub.repositories import Repository
from tests.fake_hub.server import FakeHub, Fault

INIT = ("init", "--repository", "me/roundtable")


@pytest.mark.parametrize("preset", PRESETS)
def test_the_file_names_the_newest_commits(tool: Tool, hub: FakeHub, preset: str) -> None:
    heads = {}
    for model in models_of(PRESETS[preset]):
        repository = hub.repositories.setdefault(model, Repository())
        heads[model] = repository.add({"config.json": b"{}"}, "newest")
    tool.file.unlink()
    assert tool.ok(*INIT, "--preset", preset, "--json").json()["pinned"] == heads
    found = Specification.load(tool.file)
    assert {model.id: model.revision for model in found.models.named().values() if model.on_the_hub} == heads
    assert (found.repository, found.endpoint, found.namespace) == ("me/roundtable", "roundtable", "me")
    assert hub.writes() == []


def test_without_the_hub_the_file_says_what_is_missing(tool: Tool, hub: FakeHub) -> None:
    tool.file.unlink()
    tool.ok(*INIT, "--no-pin")
    assert "revision: null            # not pinned" in tool.file.read_text()
    assert hub.seen == []
    assert tool.run("apply").code == 2


def test_a_file_that_is_there_is_replaced_only_by_force(tool: Tool) -> None:
    before = tool.file.read_bytes()
    assert tool.run(*INIT, "--no-pin").code == 2
    assert tool.file.read_bytes() == before
    tool.ok(*INIT, "--no-pin", "--force")
    assert tool.file.read_bytes() != before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--endpoint", "No Name"), f"argument --endpoint: {ENDPOINT_RULE}"),
        (("--namespace", "no/name"), f"argument --namespace: {NAMESPACE_RULE}"),
        (("--repository", "roundtable"), f"argument --repository: {REPOSITORY_RULE}"),
    ],
)
def test_a_wrong_argument_was_blamed_on_a_line_of_a_file_that_was_not_written(
    tool: Tool, hub: FakeHub, arguments: tuple[str, str], reason: str
) -> None:
    tool.file.unlink()
    ran = tool.run(*INIT, *arguments, "--json")
    assert (ran.code, ran.json()["error"]["reason"]) == (2, reason)
    assert not tool.file.exists()
    assert hub.seen == []


def test_init_asked_the_hub_before_it_saw_that_the_file_is_there(tool: Tool, hub: FakeHub) -> None:
    ran = tool.run(*INIT, "--json")
    assert (ran.code, ran.json()["error"]["reason"]) == (2, "endpoint.yaml is there already")
    assert hub.seen == []


def test_init_without_a_network_did_not_name_no_pin(tool: Tool, hub: FakeHub) -> None:
    tool.file.unlink()
    hub.faults = [Fault("GET", "/api/models/.*", drop=True, times=99)]
    ran = tool.run(*INIT, "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (4, "hub_down")
    assert "--no-pin" in ran.json()["error"]["next_step"]
    assert not tool.file.exists()


def test_init_no_pin_and_history_wanted_a_token(tool: Tool, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    tool.published()
    tool.ok("apply")
    del tool.environment["HF_TOKEN"]
    hub.seen.clear()
    tool.ok(*INIT, "--no-pin", "--force")
    assert [record["outcome"] for record in tool.ok("history", "--json").json()] == ["verified"]
    error = tool.run(*INIT, "--force", "--json").json()["error"]
    assert (error["code"], error["reason"]) == (
        "secret_missing",
        "there is no token: HF_TOKEN is not set, and nobody is logged in",
    )
    assert error["next_step"].startswith(
        "make one at huggingface.co/settings/tokens, with the right to write to the model repo"
    )
    assert "`hf auth login`" in error["next_step"]
    assert "--no-pin" in error["next_step"]
    assert hub.seen == []


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_named_an_image_that_its_models_do_not_run_in(tool: Tool, hub: FakeHub, preset: str) -> None:
    tool.file.unlink()
    tool.ok(*INIT, "--no-pin", "--preset", preset)
    found = Specification.load(tool.file)
    assert container_findings(found) == []
    assert found.container.kind == ("managed" if preset == "cpu" else "hf-serve")
