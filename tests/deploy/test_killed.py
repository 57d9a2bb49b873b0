"""`kill -9` at any request of an apply; the next apply converges, and nothing is made twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from deploy.calling import ClientCaller
from deploy.commands import run
from tests.deploy.harness import ENDPOINT_YAML, Tool
from tests.fake_hub.backends import CannedBackend
from tests.fake_hub.server import FakeHub, Seen

KILLS = [(number, phase) for number in range(1, 16) for phase in ("before", "after")]
"""At each request of an apply, before it is carried out and before it is answered."""

_SPARE = multiprocessing.get_context("forkserver")
_SPARE.set_forkserver_preload(["tests.deploy.test_killed"])


def applying(arguments: list[str], environment: dict[str, str], root: Path, output: Path) -> None:
    """In a process of its own. What it writes is kept beside the journal, where the search for secrets comes by."""
    with output.open("a") as file, redirect_stdout(file), redirect_stderr(file):
        run(
            arguments,
            environment=environment,
            caller=ClientCaller(),
            sleep=lambda s: None,
            clock=time.monotonic,
            root=root,
        )


def apply_and_die(tool: Tool, hub: FakeHub, number: int, phase: str, *more: str, verb: str = "apply") -> int | None:
    """Kill the process at its request of that number. Its exit code: -9, or that of a run that had fewer requests."""
    arguments = tool.arguments(verb, *more)
    process = _SPARE.Process(target=applying, args=(arguments, tool.environment, tool.root, tool.folder / "killed.txt"))
    seen_so_far = len(hub.seen)

    def kill(seen: Seen, when: str) -> None:
        if len(hub.seen) - seen_so_far == number and when == phase:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)

    hub.on_request = kill
    process.start()
    process.join()
    hub.on_request = lambda seen, when: None
    with hub.lock:  # what it asked for last has been carried out
        return process.exitcode


@pytest.mark.parametrize(("number", "phase"), KILLS)
def test_a_first_apply_that_is_killed(tool: Tool, hub: FakeHub, number: int, phase: str) -> None:
    head = tool.published()
    assert apply_and_die(tool, hub, number, phase) == -9
    tool.ok("apply")
    assert hub.endpoints.created == ["roundtable"]
    assert hub.live_revision("roundtable") == head
    assert tool.ok("apply", "--json").json()["outcome"] == "unchanged"


@pytest.mark.parametrize(("number", "phase"), [(6, "before"), (6, "after"), (8, "after"), (12, "before")])
def test_after_a_kill_the_way_back_still_leads_to_the_last_good_state(
    tool: Tool, hub: FakeHub, canned: CannedBackend, number: int, phase: str
) -> None:
    good = tool.published()
    tool.ok("apply")
    tool.write(ENDPOINT_YAML.replace("max_replicas: 2", "max_replicas: 3"))
    canned.broken.add(tool.published(b" that mishears"))
    assert apply_and_die(tool, hub, number, phase) == -9
    assert tool.run("apply").code == 5
    assert hub.live_revision("roundtable") == good
    assert hub.endpoints.by_name["roundtable"].raw["compute"]["scaling"]["maxReplica"] == 2
    assert hub.endpoints.created == ["roundtable"]


@pytest.mark.parametrize(("number", "phase"), [(4, "before"), (4, "after"), (9, "after"), (13, "before")])
def test_a_canary_that_was_left_behind_is_taken_away(tool: Tool, hub: FakeHub, number: int, phase: str) -> None:
    tool.published()
    tool.ok("apply")
    better = tool.published(b" that is better")
    assert apply_and_die(tool, hub, number, phase, "--canary") == -9
    tool.ok("apply", "--canary")
    assert list(hub.endpoints.by_name) == ["roundtable"]
    assert hub.live_revision("roundtable") == better
