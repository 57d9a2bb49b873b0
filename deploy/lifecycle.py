"""The verbs on an endpoint that exists: `status`, `logs`, `smoke`, `pause`, `resume`, `delete`, `history`."""

from __future__ import annotations

from contextlib import suppress

from deploy.canary import remove_canary
from deploy.console import Console, table
from deploy.deployment import Deployment
from deploy.errors import DeployError, NoEndpoint, NotPublished
from deploy.hub_answers import Raw
from deploy.plan import change_lines, hourly_of
from deploy.publish import tell_of_another_card
from deploy.records import UNFINISHED, Records
from deploy.state import State, changes
from deploy.verify import verify
from deploy.waiting import wait_until_serving


def status(deployment: Deployment) -> None:
    """What is there, and how it differs from endpoint.yaml."""
    raw = deployment.endpoint()
    there = State.there(raw)
    try:
        wanted = State.wanted(deployment.specification, deployment.published())
        release = deployment.release_of(there.revision)
    except NotPublished:  # deployed from elsewhere, or the repository is gone
        wanted, release = State.wanted(deployment.specification, there.revision), None
    found = changes(there, wanted)
    tell_of_another_card(deployment, there)
    state, left = raw["status"], _left_canary(deployment)
    lines = [
        f"{deployment.namespace}/{deployment.name}: {state['state']}" + (f", {state['message']}" if state["message"] else ""),
        f"serves {there.repository} at {there.revision}" + (f" ({release})" if release else ""),
        f"replicas ready {state.get('readyReplica', 0)}, {there.min_replicas} to {there.max_replicas}; access {there.access}",
        f"url {state.get('url') or '-'}",
        f"differs from endpoint.yaml and the newest publication in {len(found)} field(s)",
        *(change_lines(found) if found else []),
        *_canary_lines(left),
    ]
    deployment.console.result(
        {
            "state": state["state"],
            "message": state["message"],
            "url": state.get("url"),
            "release": release,
            "there": there.as_dict(),
            "changes": [vars(change) for change in found],
            "canary": left,
        },
        lines,
    )


def logs(deployment: Deployment, count: int) -> None:
    """The last lines of the container's log."""
    deployment.endpoint()
    lines = deployment.console.mask.lines(deployment.hub.logs(deployment.namespace, deployment.name))[-count:]
    deployment.console.result({"lines": lines}, lines)


def smoke(deployment: Deployment, release: str | None) -> None:
    """The smoke test against what endpoint.yaml and the newest publication, or a release, say should be there."""
    raw = deployment.endpoint()
    if raw["status"]["state"] not in ("running", "scaledToZero"):
        raise NoEndpoint(
            f"{deployment.name} is {raw['status']['state']}, so there is nothing to test", "`resume` or `apply` it"
        )
    expected = State.wanted(deployment.specification, deployment.published(release))
    raw = _serving(deployment, raw, None)  # one that sleeps is woken first, which is nothing that it is judged by
    checked = verify(deployment, raw, expected)
    deployment.console.result({"ok": True, "checked": [vars(one) for one in checked]}, [f"{len(checked)} checks, all good"])


def pause(deployment: Deployment) -> None:
    """Stop it: no replicas, no cost, no wake-up by itself."""
    raw = deployment.endpoint()
    if raw["status"]["state"] != "paused":
        raw = deployment.hub.pause(deployment.namespace, deployment.name)
    left = _left_canary(deployment)
    state = raw["status"]["state"]
    deployment.console.result({"state": state, "canary": left}, [f"{deployment.name}: {state}", *_canary_lines(left)])


def resume(deployment: Deployment) -> None:
    """Start it again, and wait until it serves."""
    raw = deployment.endpoint()
    was = raw["status"]["state"]
    if was == "paused":
        raw = deployment.hub.resume(deployment.namespace, deployment.name)
    raw = _serving(deployment, raw, was if was == "paused" else None)
    deployment.console.result({"state": raw["status"]["state"]}, [f"{deployment.name}: {raw['status']['state']}"])


def _serving(deployment: Deployment, raw: Raw, changed_from: str | None) -> Raw:
    return wait_until_serving(
        deployment.hub,
        deployment.namespace,
        deployment.name,
        revision=raw["model"]["revision"],
        token=deployment.token,
        changed_from=changed_from,
        patience=deployment.patience,
        progress=deployment.console.progress,
    )


def _left_canary(deployment: Deployment) -> str | None:
    """The name of a canary that the journal knows and that is there, or None."""
    name = deployment.specification.canary
    known = any(record.values.get("canary") == name for record in deployment.records.all())
    return name if known and deployment.hub.endpoint(deployment.namespace, name) is not None else None


def _canary_lines(left: str | None) -> list[str]:
    return [f"{left} is still there, from a run that was cut off, and costs: `apply` and `delete` remove it"] if left else []


def delete(deployment: Deployment, yes: bool) -> None:
    """Show what would go; with `--yes`, delete it, and a canary that was left. The repository on the Hub stays."""
    if not yes:
        _delete(deployment, yes)
        return
    with deployment.records.locked():
        remove_canary(deployment)
        _delete(deployment, yes)


def _delete(deployment: Deployment, yes: bool) -> None:
    raw = deployment.endpoint()
    there, state = State.there(raw), raw["status"]["state"]
    what = (
        f"endpoint {deployment.namespace}/{deployment.name}: {state}, {there.revision[:12]}, {_costs(deployment, there, state)}"
    )
    if not yes:
        left = _left_canary(deployment)
        deployment.console.result(
            {"deleted": False, "endpoint": deployment.name}, [what, *_canary_lines(left), "nothing deleted: --yes deletes it"]
        )
        return
    record = deployment.records.begin("delete", there, there, was_paused=state == "paused", secrets=[])
    try:
        deployment.hub.delete(deployment.namespace, deployment.name)
    except DeployError as error:
        record.write(outcome="refused", failure=error.reason)
        raise
    record.write(outcome="deleted")
    deployment.console.result({"deleted": True, "endpoint": deployment.name}, [what, "deleted; the model repository stays"])


_FREE = {
    "paused": "which costs nothing while it is paused",
    "scaledToZero": "which costs nothing until somebody calls",
}


def _costs(deployment: Deployment, there: State, state: str) -> str:
    if state in _FREE:
        return _FREE[state]
    hourly = None
    with suppress(DeployError):  # without its price list, too, an endpoint can be deleted
        hourly = hourly_of(deployment, there)
    return "at a price that the API does not name" if hourly is None else f"up to ${hourly:.2f} an hour"


def history(journal: Records, console: Console) -> None:
    """Every change that this journal knows, oldest first."""
    records = journal.all()
    rows = [("begun", "verb", "from", "to", "outcome")]
    for record in records:
        before = record.before.revision[:12] if record.before is not None else "-"
        rows.append((record.values["begun"], record.values["verb"], before, record.after.revision[:12], record.outcome))
    lines = table(rows) if records else ["no changes yet"]
    if records and records[-1].outcome == UNFINISHED:
        verb = records[-1].values["verb"]
        lines.append(f"the last change is unfinished: run `{verb}` again, which goes on from there and keeps the way back")
    console.result([record.values for record in records], lines)
