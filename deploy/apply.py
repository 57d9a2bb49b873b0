"""`apply` and `rollback`: which state is wanted. How it comes about is in `change.py`."""

from __future__ import annotations

from dataclasses import replace

from deploy.access import PROTECTED
from deploy.change import Done, change_to
from deploy.deployment import Deployment
from deploy.errors import NotPinned, NotPublished
from deploy.plan import change_lines
from deploy.publish import tell_of_another_card
from deploy.records import GOOD
from deploy.state import State


def apply(deployment: Deployment, *, canary: bool, resend_secrets: bool) -> None:
    """To what endpoint.yaml says, with the newest publication."""
    specification = deployment.specification
    loose = [stage for stage, model in specification.models.named().items() if not model.pinned]
    if loose:
        raise NotPinned(
            f"no commit for models.{', models.'.join(loose)}: it would change by itself",
            "`check` shows the newest commit; write it into endpoint.yaml",
        )
    if specification.access == "protected":
        deployment.console.progress(PROTECTED)
    with deployment.records.locked():
        wanted = State.wanted(specification, deployment.published())
        done = change_to(
            deployment,
            wanted,
            verb="apply",
            canary=canary,
            resend_secrets=resend_secrets,
            look_first=lambda: _refuse_unreadable(deployment),
        )
    _tell(deployment, done)


def _refuse_unreadable(deployment: Deployment) -> None:
    """A container that may not read its models starts, costs and fails; `check` says the same, and more."""
    token = deployment.secrets().get("HF_TOKEN")
    for model in deployment.specification.models.named().values():
        if model.on_the_hub:
            deployment.hub.may_read(model.id, token)


def rollback(deployment: Deployment, to: str | None) -> None:
    """To a release, with the settings that it was last verified with; without one, to the last good state but this.

    After a change that did not come to its end, that is the state before it; an interrupted rollback keeps its goal.
    """
    with deployment.records.locked():
        done = change_to(deployment, _rolled_back(deployment, to), verb="rollback")
    _tell(deployment, done)


def _rolled_back(deployment: Deployment, to: str | None) -> State:
    there = State.there(deployment.endpoint())
    if to is None:
        unsettled = deployment.records.unsettled()
        if unsettled is not None and (goal := unsettled.way_back(there)) is not None:
            return goal
        record = deployment.records.last_good(other_than=there)
        if record is None:
            raise NotPublished("the journal knows no other state that was verified", "name a release with --to")
        return record.whole_after(there)
    commit = deployment.published(to)
    known = [record for record in deployment.records.all() if record.outcome in GOOD and record.after.revision == commit]
    if known:
        return known[-1].whole_after(there)
    return replace(there, repository=deployment.specification.repository, revision=commit)


def _tell(deployment: Deployment, done: Done) -> None:
    status = done.raw["status"]
    revision = done.raw["model"]["revision"]
    name = f"{deployment.namespace}/{deployment.name}"
    lines = [f"{name}: nothing to change, {status['state']}" if done.outcome == "unchanged" else f"{name}: running, verified"]
    lines += change_lines(done.changes) if done.changes else []
    lines += [f"revision {revision}", f"url {status['url']}"]
    tell_of_another_card(deployment, State.there(done.raw))
    deployment.console.result(
        {
            "outcome": done.outcome,
            "state": status["state"],
            "revision": revision,
            "url": status["url"],
            "changes": [vars(change) for change in done.changes],
            "checked": [vars(one) for one in done.checked],
        },
        lines,
    )
