"""What plan, delete and history print is for people: no Python, no commit of zeros, no price of what costs nothing."""

from __future__ import annotations

import json

from deploy.wording import in_words
from tests.deploy.harness import ENDPOINT_YAML, Tool
from tests.fake_hub.server import FakeHub

SCALED = ENDPOINT_YAML.replace("max_replicas: 2", "max_replicas: 2, metric: pendingRequests, threshold: 2.5")


def words_of(text: str) -> dict[str, str]:
    """`{field: value}` of the lines that `plan` prints of an endpoint."""
    section = text.split("endpoint me/roundtable")[1].split("cost:")[0]
    rows = [line.split(maxsplit=1) for line in section.splitlines()[1:] if line.startswith("  ")]
    return {row[0]: row[1] for row in rows}


def test_plan_printed_python_for_an_endpoint_that_is_to_be_made(tool: Tool) -> None:
    found = words_of(tool.ok("plan").out)
    assert found["revision"] == "the next publication"
    assert found["metric"] == "the platform's choice"
    assert found["image"] == "the managed image"
    assert found["env.ASR_MODEL"] == "openai/whisper-base"
    assert not {"threshold", "env"} & set(found)
    tool.write(f"{SCALED}container: {{kind: own, url: registry.test/roundtable, port: 80}}\n")
    found = words_of(tool.ok("plan").out)
    assert (found["metric"], found["threshold"]) == ("pendingRequests", "2.5")
    assert found["image"] == "an image of our own, registry.test/roundtable, port 80"


def test_plan_printed_python_for_what_changes(tool: Tool) -> None:
    commit = tool.published()
    tool.ok("apply")
    tool.write(f"{SCALED}container: {{kind: hf-serve}}\n")
    found = {field: text.split() for field, text in words_of(tool.ok("plan").out).items()}
    assert found["revision"] == f"{commit} -> the next publication in place".split()
    assert found["image"] == ["the", "managed", "image", "->", "hf-serve's", "image", "in", "place"]
    assert found["metric"] == ["the", "platform's", "choice", "->", "pendingRequests", "in", "place"]
    assert found["threshold"] == ["the", "platform's", "choice", "->", "2.5", "in", "place"]


def test_a_script_got_a_commit_of_zeros(tool: Tool) -> None:
    commit = tool.published()
    tool.ok("apply")
    ran = tool.ok("plan", "--json")
    revision = next(change for change in ran.json()["changes"] if change["field"] == "revision")
    assert revision == {"field": "revision", "before": commit, "after": None, "in_place": True}
    assert "0" * 40 not in ran.out


def test_what_is_left_to_the_platform_or_never_happens_is_said() -> None:
    assert in_words("scale_to_zero_minutes", None) == "never"
    assert in_words("env.ASR_DTYPE", None) == "-"
    assert in_words("image", {"tgi": {"url": "a/b"}}) == "tgi, a/b"


def test_plan_listed_every_file_of_a_first_publication(tool: Tool) -> None:
    ran = tool.ok("plan")
    listed = [line for line in ran.out.splitlines() if line.startswith("  + ")]
    sizes = tool.ok("plan", "--json").json()["publish"]["send"]
    folder = [size for path, size in sizes.items() if path.startswith("roundtable/")]
    assert f"  + roundtable/  {len(folder)} files, {sum(folder):,} bytes" in listed
    assert f"  + handler.py  {sizes['handler.py']:,} bytes" in listed
    assert len(listed) == len(sizes) - len(folder) + 1


def test_a_paused_endpoint_was_shown_with_its_price(tool: Tool, hub: FakeHub) -> None:
    commit = tool.published()
    tool.ok("apply")
    endpoint = f"endpoint me/roundtable: {{}}, {commit[:12]}, {{}}"
    shown = {"running": "up to $1.00 an hour"}
    shown |= {"paused": "which costs nothing while it is paused", "scaledToZero": "which costs nothing until somebody calls"}
    for state, cost in shown.items():
        hub.endpoints.by_name["roundtable"].raw["status"]["state"] = state
        assert tool.ok("delete").out.splitlines()[0] == endpoint.format(state, cost)


def test_history_did_not_say_what_to_do_about_an_unfinished_change(tool: Tool) -> None:
    tool.published()
    tool.ok("apply")
    hint = "the last change is unfinished: run `apply` again, which goes on from there and keeps the way back"
    assert hint not in tool.ok("history").out
    file = max((tool.folder / "journal").rglob("*.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"outcome": "unfinished"}))
    assert tool.ok("history").out.splitlines()[-1] == hint


def test_a_reason_ended_with_two_full_stops(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    hub.endpoints.script = ["failed"]
    ran = tool.run("apply")
    assert ran.code == 5
    assert "roundtable is failed: Application startup failed. Exiting. roundtable is paused, at no cost" in ran.err
    assert ".." not in ran.err
