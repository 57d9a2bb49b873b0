"""`init` writes a file that the other verbs take, with the newest commits of its models."""

from __future__ import annotations

import pytest

from deploy.presets import PRESETS, models_of
from deploy.specification import Specification
from tests.deploy.harness import Tool
from tests.fake_hub.repositories import Repository
from tests.fake_hub.server import FakeHub

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


def test_names_that_are_no_names_are_refused_before_anything_is_written(tool: Tool) -> None:
    tool.file.unlink()
    assert tool.run(*INIT, "--no-pin", "--endpoint", "No Name").code == 2
    assert not tool.file.exists()
