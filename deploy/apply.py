"""`apply` and `rollback`: which state is wanted. How it comes about is in `change.py`."""

from __future__ import annotations

from deploy.access import PROTECTED
from deploy.change import Done, change_to
from deploy.deployment import Deployment
from deploy.errors import NotPinned, NotPublished
from deploy.plan import change_lines
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
    wanted = State.wanted(specification, deployment.published())
    _tell(deployment, change_to(deployment, wanted, verb="apply", canary=canary, resend_secrets=resend_secrets))


def rollback(deployment: Deployment, to: str | None) -> None:
    """To a release, with the settings that it was last verified with; without one, to the last good state but this."""
    raw = deployment.endpoint()
    there = State.there(raw)
    if to is None:
        wanted = deployment.records.last_good(other_than=there.as_dict())
        if wanted is None:
            raise NotPublished("the journal knows no other state that was verified", "name a release with --to")
    else:
        commit = deployment.published(to)
        good = [record.after for record in deployment.records.all() if record.outcome in GOOD]
        known = [state for state in good if state.revision == commit]
        wanted = known[-1] if known else State.stored({**there.as_dict(), "revision": commit})
    _tell(deployment, change_to(deployment, wanted, verb="rollback"))


def _tell(deployment: Deployment, done: Done) -> None:
    status = done.raw["status"]
    revision = done.raw["model"]["revision"]
    name = f"{deployment.namespace}/{deployment.name}"
    lines = [f"{name}: nothing to change, {status['state']}" if done.outcome == "unchanged" else f"{name}: running, verified"]
    lines += change_lines(done.changes) if done.changes else []
    lines += [f"revision {revision}", f"url {status['url']}"]
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
