"""What is pushed, that it is pushed once, and what is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from deploy.errors import InvalidSpecification, SecretExposed
from deploy.manifest import ROOT, SHIPPED, lay_out, shipped_files
from deploy.model_card import check_card
from deploy.release import LISTING, blob_id, release_name
from deploy.secret_scan import refuse_secrets
from tests.deploy.harness import DEPLOY_TOKEN, ENDPOINT_YAML, PASSPHRASE, Tool
from tests.fake_hub.server import FakeHub, Fault

RESULTS = {
    "machine": {"processor": "a processor", "commit": "0123456789"},
    "recordings": [{"name": "call", "wer": {"value": 0.0977}, "der": {"value": None}}],
}


@pytest.fixture
def small(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Tool:
    """A repository of a few files, which may be changed."""
    tool.root = tmp_path_factory.mktemp("root") / "tree"
    files = {f"{name}/x.py" if "." not in name and name != "LICENSE" else name: b"x = 1\n" for name in SHIPPED}
    lay_out({**files, "README.md": (ROOT / "README.md").read_bytes(), "notes.txt": b"not shipped"}, tool.root)
    return tool


def pushed(hub: FakeHub) -> dict[str, bytes]:
    repository = hub.repositories["me/roundtable"]
    return repository.commits[repository.head]


def test_publish_pushes_exactly_the_shipped_files_of_this_repository(tool: Tool, hub: FakeHub) -> None:
    done = tool.ok("publish", "--json").json()
    files = pushed(hub)
    assert set(files) - {".gitattributes", LISTING} == set(shipped_files())
    assert {path: files[path] for path in shipped_files() if path != "README.md"} == {
        path: content for path, content in shipped_files().items() if path != "README.md"
    }
    assert not [path for path in files if path.startswith(("tests/", "deploy/", "client/")) or "__pycache__" in path]
    repository = hub.repositories["me/roundtable"]
    assert repository.tags == {done["release"]: repository.head}
    assert done["commit"] == repository.head
    assert done["link"] == f"{hub.url}/me/roundtable/tree/{repository.head}"


def test_publishing_twice_is_publishing_once(small: Tool, hub: FakeHub) -> None:
    first = small.ok("publish", "--json").json()
    writes = hub.writes()
    second = small.ok("publish", "--json").json()
    assert hub.writes() == writes
    assert (second["commit"], second["release"]) == (first["commit"], first["release"])
    assert second["send"] == {}


def test_only_what_changed_is_sent_and_what_went_is_removed(small: Tool, hub: FakeHub) -> None:
    small.ok("publish")
    (small.root / "config.py").write_text("x = 2\n")
    (small.root / "roundtable" / "x.py").rename(small.root / "roundtable" / "y.py")
    done = small.ok("publish", "--json").json()
    assert done["send"] == {"config.py": 6, "roundtable/y.py": 6, LISTING: len(pushed(hub)[LISTING])}
    assert done["remove"] == ["roundtable/x.py"]
    assert pushed(hub)["config.py"] == b"x = 2\n"
    assert "roundtable/x.py" not in pushed(hub)
    assert ".gitattributes" in pushed(hub)
    assert len(hub.repositories["me/roundtable"].tags) == 2


@pytest.mark.parametrize("path", ["/api/repos/create", ".*/preupload/main", ".*/commit/main", ".*/tag/.*"])
def test_a_publication_that_was_cut_off_is_completed_by_the_next(small: Tool, hub: FakeHub, path: str) -> None:
    hub.faults = [Fault("POST", path, status=400, message="no", after=True)]
    assert small.run("publish").code == 3
    small.ok("publish")
    repository = hub.repositories["me/roundtable"]
    assert list(repository.tags.values()) == [repository.head]
    assert len(repository.commits) == 2  # the Hub's first one, and ours


def test_a_secret_in_any_file_stops_the_publication(small: Tool, hub: FakeHub) -> None:
    for secret in (f"hf_{'x' * 20}", PASSPHRASE, f"sk-{'y' * 24}", "-----BEGIN RSA PRIVATE KEY-----"):
        (small.root / "roundtable" / "x.py").write_text(f"# fine\nx = '{secret}'\n")
        ran = small.run("publish")
        assert ran.code == 2
        assert "error: roundtable/x.py, line 2, holds what looks like a secret; nothing was published" in ran.err
    assert hub.writes() == []
    (small.root / "roundtable" / "x.py").unlink()  # the teardown looks for secrets everywhere, and this is one


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", min_size=16, max_size=40), st.text(max_size=30))
def test_a_token_is_found_wherever_it_stands(body: str, around: str) -> None:
    with pytest.raises(SecretExposed) as caught:
        refuse_secrets({"a.py": f"{around} hf_{body} {around}".encode()})
    assert body not in caught.value.reason


def test_our_own_files_hold_no_secret() -> None:
    refuse_secrets(shipped_files())


def test_the_card_names_models_commits_licences_and_figures(tool: Tool, hub: FakeHub, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps(RESULTS))
    tool.ok("publish", "--results", str(results))
    text = pushed(hub)["README.md"].decode()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["base_model"] == ["openai/whisper-base", "pyannote/community"]
    assert front["pipeline_tag"] == "automatic-speech-recognition"
    head = hub.repositories["pyannote/community"].head
    line = f"| who speaks when | [pyannote/community](https://huggingface.co/pyannote/community) | `{head}` | cc-by-4.0 |"
    assert line in text
    assert "| call | 0.098 | - |" in text
    assert "at commit 0123456789, on a processor." in text
    assert "No diarization" not in text
    assert "## Intended use" in text
    assert ModelCard(text).data.get("license") == "apache-2.0"


def test_sections_without_content_are_left_out(tool: Tool, hub: FakeHub) -> None:
    lines = [line for line in ENDPOINT_YAML.splitlines() if not line.startswith(("  diarization", "  summary"))]
    tool.write("\n".join(lines).replace("MAX_AUDIO_SECONDS: 600", "ASR_DTYPE: int8"))
    tool.ok("publish")
    text = pushed(hub)["README.md"].decode()
    assert "- No diarization: nobody is told apart" in text
    assert "- No summary: `summarize` is empty." in text
    assert "## Quantised\n\n`ASR_DTYPE`: weights in 8 bits" in text
    assert "## Measured" not in text
    assert "who speaks when" not in text


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("license: apache-2.0\n", "", "README.md is no model card: license is missing or not valid"),
        ("pipeline_tag: automatic-speech-recognition", "pipeline_tag: hearing", "README.md is no model card: pipeline_tag"),
        ("license: apache-2.0", "license: [", "README.md is no model card: its front matter does not parse"),
        ("# Roundtable", "# {{ name }}", "README.md has something left to fill in"),
    ],
)
def test_a_card_that_the_hub_would_refuse_is_refused_here(old: str, new: str, reason: str) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    check_card(text)
    with pytest.raises(InvalidSpecification, match=reason):
        check_card(text.replace(old, new, 1))


def test_plan_shows_files_fields_and_cost_and_changes_nothing(small: Tool, hub: FakeHub) -> None:
    plan = small.ok("plan", "--json").json()
    assert plan["endpoint"] == "create"
    assert plan["publish"]["send"]["config.py"] == 6
    assert plan["cost"] == {"per_hour_least": 0.5, "per_hour_most": 1.0, "per_month_least": 365.0, "per_month_most": 730.0}
    assert hub.writes() == []
    small.ok("publish")
    small.ok("apply")
    assert small.ok("plan", "--json").json()["endpoint"] == "unchanged"
    small.write(ENDPOINT_YAML.replace("access: private", "access: public").replace("max_replicas: 2", "max_replicas: 3"))
    shown = small.ok("plan").out
    assert "access        private  ->  public  NOT POSSIBLE IN PLACE" in shown
    assert "max_replicas  2        ->  3       in place" in shown
    assert "cost: $0.50 to $1.50 an hour, $365.00 to $1095.00 a month of 730 hours (1 to 3 replica(s))" in shown


def test_names_of_releases_and_blobs() -> None:
    assert blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # git's own, of the empty file
    assert release_name({"a": b"1", "b": b"2"}) == release_name({"b": b"2", "a": b"1"})
    assert release_name({"a": b"12"}) != release_name({"a1": b"2"})


def test_a_shipped_name_that_is_missing_or_a_dangling_link_ends_with_a_reason(small: Tool, hub: FakeHub) -> None:
    (small.root / "LICENSE").unlink()
    ran = small.run("publish", "--json")
    assert (ran.code, ran.json()["error"]["code"]) == (2, "command")
    assert ran.json()["error"]["reason"] == "LICENSE: not there, or not readable; nothing was published"
    (small.root / "LICENSE").symlink_to("/nonexistent")
    assert small.run("plan").err.startswith("error: LICENSE: not of the package")
    assert hub.writes() == []


@pytest.mark.parametrize("name", [".env", "x.py.orig", ".handler.py.swp", "notes.pdf", ".hidden/x.py", "nosuffix"])
def test_publish_sent_hidden_files_and_what_editors_leave_behind(small: Tool, hub: FakeHub, name: str) -> None:
    (small.root / "roundtable" / name).parent.mkdir(exist_ok=True)
    (small.root / "roundtable" / name).write_text("x")
    ran = small.run("publish")
    assert ran.code == 2
    assert f"roundtable/{name}" in ran.err
    assert hub.writes() == []


@pytest.mark.parametrize("name", ["link.txt", "folder"])
def test_publish_sent_what_a_link_points_at(small: Tool, hub: FakeHub, name: str) -> None:
    (small.folder / "outside.txt").write_text("private notes")
    (small.root / "roundtable" / name).symlink_to(small.folder / "outside.txt" if name == "link.txt" else small.folder)
    assert f"error: roundtable/{name}: not of the package" in small.run("publish").err
    assert hub.writes() == []


_UNKNOWN = f"hf_{'q' * 30}"
_OF_TWO_LINES = "alpha-secret-line-1\nbravo-secret-line-2"
_SPELLINGS = {
    "utf-16": f"t = {PASSPHRASE}".encode("utf-16"),
    "utf-16-be": f"t = {_UNKNOWN}".encode("utf-16-be"),
    "base64": base64.b64encode(PASSPHRASE.encode()),
    "base64 of user and secret": base64.b64encode(f"user:{PASSPHRASE}".encode()),
    "base64 of an unknown token": base64.b64encode(_UNKNOWN.encode()),
    "two lines": f"x = {_OF_TWO_LINES}\n".encode(),
    "two lines of windows": _OF_TWO_LINES.replace("\n", "\r\n").encode(),
    "one of two lines": b"bravo-secret-line-2",
    "a variable of a shell": b"OPENAI_API_KEY=abcdefghijklmnopqrstuvwxyz0123456789\n",
    "a short password": b"DB_PASSWORD=hunter2hunter2\n",
    "under a longer name": b'openai_api_key = "abcdefghijklmnopqrstuvwxyz"\n',
}


@pytest.mark.parametrize("content", _SPELLINGS.values(), ids=_SPELLINGS.keys())
def test_publish_sent_a_secret_in_another_spelling(content: bytes) -> None:
    with pytest.raises(SecretExposed) as caught:
        refuse_secrets({"a.txt": content}, [SecretStr(PASSPHRASE), SecretStr(_OF_TWO_LINES)])
    assert caught.value.reason == "a.txt, line 1, holds what looks like a secret; nothing was published"


def test_publish_sent_a_secret_as_the_name_of_a_file() -> None:
    with pytest.raises(SecretExposed) as caught:
        refuse_secrets({f"roundtable/{_UNKNOWN}.txt": b""})
    assert caught.value.reason == "the name of a file holds what looks like a secret; nothing was published"


def test_the_deploy_token_is_looked_for_too(small: Tool) -> None:
    (small.root / "config.py").write_text(f"# {DEPLOY_TOKEN}\n")
    assert small.run("publish").code == 2
    (small.root / "config.py").unlink()
