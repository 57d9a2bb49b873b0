"""What lies in the repository beside ours stays; tags that lead elsewhere; files that the Hub keeps apart; stale cards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.manifest import ROOT, SHIPPED, lay_out
from deploy.release import LISTING, Listing, ids, release_name
from tests.deploy.harness import ENDPOINT_YAML, Tool
from tests.fake_hub.repositories import Repository
from tests.fake_hub.server import FakeHub, Fault

WEIGHTS = {"model.safetensors": b"w" * 100, "config.json": b"{}", "tokenizer.json": b"{}"}
WITH_WEIGHTS = ENDPOINT_YAML.replace("asr: {id: openai/whisper-base, revision: WHISPER}", "asr: {id: .}")


@pytest.fixture
def small(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """A repository of a few files, one of them a recording, which may be changed."""
    tool.root = tmp_path_factory.mktemp("root") / "tree"
    files = {f"{name}/x.py" if "." not in name and name != "LICENSE" else name: b"x = 1\n" for name in SHIPPED}
    lay_out({**files, "README.md": (ROOT / "README.md").read_bytes(), "roundtable/warm_up.flac": b"fLaC\0"}, tool.root)
    return tool


def repository(hub: FakeHub) -> Repository:
    return hub.repositories["me/roundtable"]


def at_head(hub: FakeHub) -> dict[str, bytes]:
    return repository(hub).commits[repository(hub).head]


def test_publish_deleted_the_weights_that_lie_in_the_repository(small: Tool, hub: FakeHub) -> None:
    small.write(WITH_WEIGHTS)
    hub.repositories["me/roundtable"] = Repository()
    repository(hub).add(WEIGHTS)
    ran = small.ok("publish", "--json")
    assert ran.json()["remove"] == []
    assert ran.json()["leave"] == ["config.json", "model.safetensors", "tokenizer.json"]
    assert "leaving alone what no release of ours put there: config.json, model.safetensors, tokenizer.json" in ran.err
    assert "no weights" not in ran.err
    assert {path: at_head(hub)[path] for path in WEIGHTS} == WEIGHTS
    (small.root / "roundtable" / "x.py").rename(small.root / "roundtable" / "y.py")
    assert small.ok("publish", "--json").json()["remove"] == ["roundtable/x.py"]
    assert {path: at_head(hub)[path] for path in WEIGHTS} == WEIGHTS
    assert small.ok("plan", "--json").json()["publish"]["leave"] == sorted(WEIGHTS)


def test_publish_says_that_the_weights_are_not_there_yet(small: Tool, hub: FakeHub) -> None:
    small.write(WITH_WEIGHTS)
    assert "models.asr: no weights in me/roundtable yet; upload them there" in small.ok("publish").err


def test_publish_deleted_a_file_of_ours_that_somebody_has_changed_since(small: Tool, hub: FakeHub) -> None:
    small.ok("publish")
    repository(hub).add({**at_head(hub), "roundtable/x.py": b"patched", "notes.md": b"mine", "config.py": b"patched"})
    (small.root / "roundtable" / "x.py").rename(small.root / "roundtable" / "y.py")
    ran = small.ok("publish", "--json")
    assert (ran.json()["remove"], ran.json()["leave"]) == ([], ["notes.md", "roundtable/x.py"])
    assert ran.json()["replace"] == ["config.py"]
    assert "replacing what no release of ours put there: config.py" in ran.err
    assert at_head(hub)["roundtable/x.py"] == b"patched"
    assert at_head(hub)["config.py"] == b"x = 1\n"


@pytest.mark.parametrize("listing", [b"", b"[]", b"{}", b'{"files": 1}', b'{"files": {"model.safetensors": 1}}', b"\xff"])
def test_a_list_that_is_none_of_ours_lets_nothing_be_removed(small: Tool, hub: FakeHub, listing: bytes) -> None:
    hub.repositories["me/roundtable"] = Repository()
    repository(hub).add({**WEIGHTS, LISTING: listing})
    assert small.ok("publish", "--json").json()["remove"] == []
    assert Listing(**json.loads(at_head(hub)[LISTING])).is_at({path: ids(content)[0] for path, content in at_head(hub).items()})


def test_a_publication_that_was_cut_off_before_its_tag_is_still_known_as_ours(small: Tool, hub: FakeHub) -> None:
    hub.faults = [Fault("POST", "/api/models/me/roundtable/tag/.*", status=400, message="no")]
    assert small.run("publish").code == 3
    (small.root / "roundtable" / "x.py").rename(small.root / "roundtable" / "y.py")
    assert small.ok("publish", "--json").json()["remove"] == ["roundtable/x.py"]


def test_a_release_whose_tag_is_elsewhere_was_called_published(small: Tool, hub: FakeHub) -> None:
    done = small.ok("publish", "--json").json()
    other = repository(hub).add({"handler.py": b"other"})
    repository(hub).tags[done["release"]] = other
    writes = hub.writes()
    ran = small.run("publish")
    assert ran.code == 2
    assert f"the tag {done['release']} is at commit {other}, which has other files; nothing was sent on top of" in ran.err
    assert f"on top of commit {repository(hub).head}" in ran.err
    assert hub.writes() == writes


def test_the_same_files_under_somebody_elses_commit_are_the_same_release(small: Tool, hub: FakeHub) -> None:
    done = small.ok("publish", "--json").json()
    repository(hub).add({**at_head(hub), **WEIGHTS})
    again = small.ok("publish", "--json").json()
    assert (again["release"], again["send"], again["remove"]) == (done["release"], {}, [])
    assert repository(hub).tags == {done["release"]: done["commit"]}


@pytest.mark.parametrize("files", [{"handler.py": b"other"}, {LISTING: b"{}"}], ids=["another", "no list"])
def test_rollback_to_a_release_whose_tag_was_moved(small: Tool, hub: FakeHub, files: dict[str, bytes]) -> None:
    done = small.ok("publish", "--json").json()
    small.ok("apply")
    assert small.ok("rollback", "--to", done["release"], "--json").json()["revision"] == done["commit"]
    moved = repository(hub).tags[done["release"]] = repository(hub).add({**at_head(hub), **files})
    writes = hub.writes()
    for verb in (("rollback", "--to", done["release"]), ("smoke", "--release", done["release"])):
        ran = small.run(*verb)
        assert ran.code == 2
        assert f"error: {done['release']} names commit {moved} of me/roundtable, whose files are not that release's" in ran.err
    assert hub.writes() == writes


def test_files_that_the_hub_keeps_apart_were_sent_every_time(small: Tool, hub: FakeHub) -> None:
    small.ok("publish")
    repository(hub).kept_apart = (".flac",)
    writes = hub.writes()
    assert small.ok("plan", "--json").json()["publish"]["send"] == {}
    assert small.ok("publish", "--json").json()["send"] == {}
    assert hub.writes() == writes
    (small.root / "roundtable" / "warm_up.flac").rename(small.root / "roundtable" / "other.flac")
    done = small.ok("publish", "--json").json()
    assert done["remove"] == ["roundtable/warm_up.flac"]
    assert set(done["send"]) == {"roundtable/other.flac", LISTING}


def test_nobody_said_that_the_published_card_names_another_model_commit(small: Tool, hub: FakeHub) -> None:
    small.ok("publish")
    assert "the published card" not in small.ok("apply").err + small.ok("status").err
    old = hub.repositories["openai/whisper-base"].head
    new = hub.repositories["openai/whisper-base"].add({"config.json": b"{ }"})
    small.write(ENDPOINT_YAML)
    told = (
        f"the published card names openai/whisper-base@{old} for asr, and openai/whisper-base@{new} is served: "
        "publish, then apply"
    )
    assert told in small.ok("apply").err
    assert told in small.ok("status", "--json").err
    hub.faults = [Fault("GET", "/me/roundtable/raw/.*", 500, times=9)]
    assert "the published card" not in small.ok("status").err
    hub.faults = []
    small.ok("publish")
    assert "the published card" not in small.ok("apply").err


def test_rollback_after_the_repository_was_changed_sent_the_old_one_with_a_commit_of_the_new(
    tool: Tool, hub: FakeHub, tmp_path: Path
) -> None:
    tool.published()
    tool.ok("apply")
    other = hub.repositories["me/other"] = Repository()
    commit = other.add({"handler.py": b"# another"})
    tool.write(ENDPOINT_YAML.replace("repository: me/roundtable", "repository: me/other"))
    tool.ok("rollback", "--to", commit)
    model = hub.endpoints.by_name["roundtable"].raw["model"]
    assert (model["repository"], model["revision"]) == ("me/other", commit)


_FILES = st.dictionaries(st.sampled_from(["a", "b/c", "d.py", LISTING]), st.binary(max_size=4))


@given(_FILES, _FILES)
def test_a_list_says_put_of_what_it_listed_and_of_nothing_else(ours: dict[str, bytes], there: dict[str, bytes]) -> None:
    listing = Listing.of(ours, {})
    assert listing.release == release_name({path: content for path, content in ours.items() if path != LISTING})
    for path, content in there.items():
        for known in ids(content):
            assert listing.put(path, known) == (path == LISTING or ours.get(path) == content)
