"""A second endpoint on which a change is tried first. The journal says which one is ours: no other is ever deleted."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from deploy.deployment import Deployment
from deploy.errors import DeployError, EndpointProblem, HubRefused, InProgress, NotInPlace
from deploy.records import Record
from deploy.state import State
from deploy.verify import show_log, wait_and_verify


def try_canary(deployment: Deployment, wanted: State, secrets: Mapping[str, str], record: Record) -> None:
    """The same on a second endpoint, which is gone afterwards wherever the Hub lets us. Raises `EndpointProblem`, or
    `NotInPlace` where the name is somebody else's.
    """
    hub, name, say = deployment.hub, deployment.specification.canary, deployment.console.progress
    if hub.endpoint(deployment.namespace, name) is not None:
        record.write(outcome="refused", failure="the name of the canary is taken")
        raise NotInPlace(
            f"{name} is there already, and this journal has not made it; nothing was changed",
            f"delete {name} yourself if it is not needed, or apply without --canary",
        )
    one = replace(wanted, min_replicas=1, max_replicas=1)
    record.write(step="canary", canary=name)
    say(f"canary: creating {name}")
    problem: EndpointProblem | None = None
    try:
        hub.create(deployment.namespace, name, one.create_arguments(secrets))
    except (HubRefused, InProgress):  # nothing of ours is there
        record.write(canary=None)
        raise
    except BaseException:  # it may be there all the same
        with suppress(DeployError):
            remove_canary(deployment)
        raise
    try:
        wait_and_verify(deployment, name, one, None)
    except EndpointProblem as found:
        show_log(deployment, name)
        problem = found
    finally:
        left = _deleted(deployment, name, record)
    if problem is not None:
        record.write(outcome="canary_failed", failure=problem.reason)
        reason = f"canary: {problem.reason}. {deployment.name} was not touched"
        if left is not None:
            reason += f". {name} is still there and costs: {left.reason}; the next `apply`, or `delete`, removes it"
        raise type(problem)(reason, problem.next_step)
    if left is not None:
        raise left


def remove_canary(deployment: Deployment) -> None:
    """One that a run before this has left, as the journal says."""
    name = deployment.specification.canary
    for record in deployment.records.all():
        if record.values.get("canary") != name:
            continue
        raw = deployment.hub.endpoint(deployment.namespace, name)
        if raw is not None and _is_ours(State.there(raw), record.after):
            deployment.console.progress(f"deleting {name}, which a run before this one has left")
            deployment.hub.delete(deployment.namespace, name)
        record.write(canary=None)


def _is_ours(there: State, meant: State) -> bool:
    """Somebody may have made another of that name since."""
    return (there.repository, there.revision) == (meant.repository, meant.revision)


def _deleted(deployment: Deployment, name: str, record: Record) -> DeployError | None:
    """What stood in the way, if it is still there. The journal then goes on knowing it."""
    say = deployment.console.progress
    say(f"canary: deleting {name}")
    try:
        deployment.hub.delete(deployment.namespace, name)
    except DeployError as error:
        say(f"canary: {name} could not be deleted: {error.reason}")
        return error
    record.write(canary=None)
    return None
