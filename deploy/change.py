"""From the state that is there to the one that is wanted, verified; or back again.

`apply` and `rollback` are both this. The journal is written before each step, so that a run that is killed anywhere can be
followed by another: it finds what is there, keeps to the snapshot of the first, and makes nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deploy.deployment import Deployment
from deploy.errors import DeployError, EndpointProblem, HubRefused, NotInPlace, NotRestored
from deploy.hub import Raw
from deploy.records import GOOD, UNFINISHED, Record
from deploy.smoke import Checked, demand, rows, smoke
from deploy.state import Change, State, changes
from deploy.waiting import wait_until_serving

LOG_LINES = 10
"""Of the container's log, shown when it did not come up."""

_SERVING_OR_SOON = ("running", "scaledToZero", "pending", "initializing", "updating", "paused")


@dataclass(frozen=True)
class Done:
    """What came of it: `unchanged`, where nothing was sent, or `verified`."""

    outcome: str
    changes: Sequence[Change]
    raw: Raw
    checked: Sequence[Checked] = ()


def change_to(deployment: Deployment, wanted: State, *, verb: str, canary: bool = False, resend_secrets: bool = False) -> Done:
    """Create or update, wait, smoke; on failure put back what was there, and raise what was wrong.

    Raises `NotInPlace`, with nothing sent; `EndpointProblem` once the old state is back; `NotRestored` where it is not; and
    what the Hub refuses.
    """
    hub, namespace, name = deployment.hub, deployment.namespace, deployment.name
    secrets = deployment.secret_values()
    cut_off = _cut_off(deployment)
    resend_secrets = resend_secrets or not _secrets_are_there(deployment, secrets, cut_off)
    _remove_canary(deployment)
    raw = hub.endpoint(namespace, name)
    there = State.there(raw) if raw is not None else None
    found = changes(there, wanted) if there is not None else []
    _refuse_not_in_place(found)
    state = raw["status"]["state"] if raw is not None else None
    last = deployment.records.last()
    as_it_was_verified = not found and not resend_secrets and last is not None and last.outcome in GOOD
    if raw is not None and as_it_was_verified and state in ("running", "scaledToZero"):
        return Done("unchanged", (), raw)

    before, was_paused = there, state == "paused"
    if cut_off is not None:
        deployment.console.progress("the run before this one was cut off: what was there before it stays the way back")
        before, was_paused = cut_off.before, cut_off.values["was_paused"]
    names = sorted(secrets)
    record = deployment.records.begin(verb, before, wanted, was_paused=was_paused, secrets=names, step="begun")
    if cut_off is not None:
        cut_off.write(outcome="cut_off")
    try:
        if canary and raw is not None:
            _try_canary(deployment, wanted, secrets, record)
        record.write(step="sending")
        send = bool(found) or resend_secrets or state not in _SERVING_OR_SOON
        raw, newer_than = _send(deployment, raw, there, wanted, secrets, send)
        record.write(step="waiting")
        raw, checked = _verify(deployment, name, wanted, newer_than)
    except EndpointProblem as problem:
        if record.outcome != UNFINISHED:
            raise  # the canary's: nothing else was touched
        _show_log(deployment, name)
        raise _restored(deployment, record, before, was_paused, problem) from None
    except DeployError as error:
        if isinstance(error, HubRefused) and record.values["step"] != "waiting":
            record.write(outcome="refused", failure=error.reason)
        else:  # it stays unfinished, and the next run goes on from it
            record.write(failure=error.reason)
            error.next_step += "; `apply` goes on from where this run stopped"
        raise
    record.write(outcome="verified", step="done", checked=[vars(one) for one in checked])
    return Done("verified", found, raw, checked)


def verify(deployment: Deployment, raw: Raw, expected: State) -> list[Checked]:
    """The smoke test, shown line by line. Raises `SmokeFailed`."""
    say, bounds = deployment.console.progress, deployment.specification.smoke
    say(f"smoke test of {raw['name']}")
    checked = smoke(deployment.caller, raw, expected=expected, token=deployment.token, bounds=bounds)
    for verdict, what, found in rows(checked)[1:]:
        say(f"  {verdict}  {what}: {found}")
    demand(checked, raw["name"])
    return checked


def _cut_off(deployment: Deployment) -> Record | None:
    last = deployment.records.last()
    return last if last is not None and last.outcome == UNFINISHED else None


def _secrets_are_there(deployment: Deployment, secrets: dict[str, str], cut_off: Record | None) -> bool:
    """The API gives no secret back, so the journal has to know: the last run that came to its end sent the same names."""
    good = [record for record in deployment.records.all() if record.outcome in GOOD]
    sent = good[-1].values["secrets"] if good else []
    return sorted(secrets) == sent and (cut_off is None or not secrets)


def _refuse_not_in_place(found: Sequence[Change]) -> None:
    fixed = [change for change in found if not change.in_place]
    if fixed:
        listed = ", ".join(f"{c.field} from {c.before} to {c.after}" for c in fixed)
        raise NotInPlace(
            f"not possible on an endpoint that exists: {listed}; nothing was changed",
            "give the endpoint another name, or `delete` it first",
        )


def _send(
    deployment: Deployment, raw: Raw | None, there: State | None, wanted: State, secrets: dict[str, str], send: bool
) -> tuple[Raw, str | None]:
    """Returns what the API says, and its time of before where something was changed."""
    hub, namespace, name, say = deployment.hub, deployment.namespace, deployment.name, deployment.console.progress
    if raw is None or there is None:
        say(f"creating {namespace}/{name}")
        return hub.create(namespace, name, wanted.create_arguments(secrets)), None
    newer_than = None
    if send:
        say(f"updating {namespace}/{name}")
        newer_than = raw["status"]["updatedAt"]
        raw = hub.update(namespace, name, wanted.update_arguments(there, secrets))
    if raw["status"]["state"] == "paused":
        say(f"{name} is paused: resuming it")
        raw = hub.resume(namespace, name)
    return raw, newer_than


def _verify(deployment: Deployment, name: str, wanted: State, newer_than: str | None) -> tuple[Raw, list[Checked]]:
    raw = wait_until_serving(
        deployment.hub,
        deployment.namespace,
        name,
        revision=wanted.revision,
        token=deployment.token,
        newer_than=newer_than,
        patience=deployment.patience,
        progress=deployment.console.progress,
    )
    return raw, verify(deployment, raw, wanted)


def _restored(
    deployment: Deployment, record: Record, before: State | None, was_paused: bool, problem: EndpointProblem
) -> EndpointProblem:
    """Put back what was there, and say how that went: the error to raise."""
    hub, namespace, name, say = deployment.hub, deployment.namespace, deployment.name, deployment.console.progress
    record.write(step="restoring", failure=problem.reason)
    try:
        if before is None:
            # Deleting what was never there would take its log along. Paused it costs nothing, and keeps it.
            hub.pause(namespace, name)
            outcome, kept = "paused", "paused, at no cost"
        else:
            say(f"restoring {name} to {before.revision[:12]}")
            raw = deployment.endpoint()
            newer_than = raw["status"]["updatedAt"]
            raw = hub.update(namespace, name, before.update_arguments(State.there(raw), deployment.secret_values()))
            if was_paused:
                hub.pause(namespace, name)
                outcome, kept = "restored", f"at {before.revision[:12]} and paused, as before"
            else:
                if raw["status"]["state"] == "paused":
                    hub.resume(namespace, name)
                _verify(deployment, name, before, newer_than)
                outcome, kept = "restored", f"back at {before.revision[:12]}, and verified"
    except DeployError as error:
        record.write(outcome="not_restored", restoring_failed=error.reason)
        return NotRestored(
            f"{problem.reason}; going back failed as well: {error.reason}",
            "`status` shows what is there; `rollback`, or `pause` to stop the cost",
        )
    record.write(outcome=outcome, step="done")
    return type(problem)(f"{problem.reason}. {name} is {kept}", problem.next_step)


def _try_canary(deployment: Deployment, wanted: State, secrets: dict[str, str], record: Record) -> None:
    """The same on a second endpoint, which is gone afterwards whatever happens. Raises `EndpointProblem`."""
    name, say = deployment.specification.canary, deployment.console.progress
    one = replace(wanted, min_replicas=1, max_replicas=1)
    record.write(step="canary")
    say(f"canary: creating {name}")
    try:
        deployment.hub.create(deployment.namespace, name, one.create_arguments(secrets))
        _verify(deployment, name, one, None)
    except EndpointProblem as problem:
        _show_log(deployment, name)
        record.write(outcome="canary_failed", failure=problem.reason)
        reason = f"canary: {problem.reason}. {deployment.name} was not touched"
        raise type(problem)(reason, problem.next_step) from None
    finally:
        say(f"canary: deleting {name}")
        deployment.hub.delete(deployment.namespace, name)


def _remove_canary(deployment: Deployment) -> None:
    """One that a run which was killed has left."""
    name = deployment.specification.canary
    if deployment.hub.endpoint(deployment.namespace, name) is not None:
        deployment.console.progress(f"deleting {name}, which a run before this one has left")
        deployment.hub.delete(deployment.namespace, name)


def _show_log(deployment: Deployment, name: str) -> None:
    try:
        log = deployment.hub.logs(deployment.namespace, name)
    except DeployError as error:
        deployment.console.progress(f"its log: {error.reason}")
        return
    for line in log.splitlines()[-LOG_LINES:]:
        deployment.console.progress(f"  log: {line}")
