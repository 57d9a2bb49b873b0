"""From the state that is there to the one that is wanted, verified; or back again.

`apply` and `rollback` are both this. The journal is written before each step, so that a run that is killed anywhere can be
followed by another: it finds what is there, keeps to the snapshot of the first, and makes nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.canary import remove_canary, try_canary
from deploy.deployment import Deployment
from deploy.errors import DeployError, EndpointGone, EndpointProblem, HubRefused, NotInPlace, NotRestored
from deploy.hub_answers import Raw
from deploy.records import GOOD, UNFINISHED, Record
from deploy.smoke import Checked
from deploy.state import Change, State, changes
from deploy.verify import show_log, unforeseen, wait_and_verify

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
    remove_canary(deployment)
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
    unsettled = deployment.records.unsettled()
    if unsettled is not None and there is not None:
        deployment.console.progress("what is there was never verified: the state before it stays the way back")
        before, was_paused = unsettled.whole_before(there), unsettled.values["was_paused"]
    names = sorted(secrets)
    record = deployment.records.begin(verb, before, wanted, was_paused=was_paused, secrets=names, step="begun")
    if cut_off is not None:
        cut_off.write(outcome="cut_off")
    try:
        if canary and raw is not None:
            try_canary(deployment, wanted, secrets, record)
        record.write(step="sending")
        send = bool(found) or resend_secrets or state not in _SERVING_OR_SOON
        raw, in_doubt = _send(deployment, raw, there, wanted, secrets, send)
        record.write(step="waiting")
        changed_from = state if in_doubt or cut_off is not None else None
        raw, checked = wait_and_verify(deployment, name, wanted, changed_from)
    except EndpointGone as problem:
        if record.outcome != UNFINISHED:
            raise
        record.write(outcome="gone", failure=problem.reason)  # whoever deleted it did not ask for another
        raise
    except EndpointProblem as problem:
        if record.outcome != UNFINISHED:
            raise  # the canary's: nothing else was touched
        went_wrong = problem
    except DeployError as error:
        if record.outcome != UNFINISHED:
            raise
        if isinstance(error, HubRefused) and record.values["step"] != "waiting":
            record.write(outcome="refused", failure=error.reason)
        else:  # it stays unfinished, and the next run goes on from it
            record.write(failure=error.reason)
            error.next_step += "; `apply` goes on from where this run stopped"
        raise
    except Exception as error:
        if record.values["step"] not in ("sending", "waiting"):
            raise
        went_wrong = unforeseen(name, error)
    else:
        record.write(outcome="verified", step="done", checked=[vars(one) for one in checked])
        return Done("verified", found, raw, checked)
    show_log(deployment, name)
    raise _restored(deployment, record, before, was_paused, went_wrong)  # out here: no cause that quotes an answer


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
) -> tuple[Raw, bool]:
    """Returns what the API says, and whether its state may for a while still be that of before."""
    hub, namespace, name, say = deployment.hub, deployment.namespace, deployment.name, deployment.console.progress
    if raw is None or there is None:
        say(f"creating {namespace}/{name}")
        return hub.create(namespace, name, wanted.create_arguments(secrets)), False
    if send:
        say(f"updating {namespace}/{name}")
        raw = hub.update(namespace, name, wanted.update_arguments(there, secrets))
    if raw["status"]["state"] == "paused":
        say(f"{name} is paused: resuming it")
        raw = hub.resume(namespace, name)
        return raw, True
    return raw, send


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
            state = raw["status"]["state"]
            raw = hub.update(namespace, name, before.update_arguments(State.there(raw), deployment.secret_values()))
            if was_paused:
                hub.pause(namespace, name)
                outcome, kept = "restored", f"at {before.revision[:12]} and paused, as before"
            else:
                if raw["status"]["state"] == "paused":
                    hub.resume(namespace, name)
                wait_and_verify(deployment, name, before, state)
                outcome, kept = "restored", f"back at {before.revision[:12]}, and verified"
    except DeployError as error:
        record.write(outcome="not_restored", restoring_failed=error.reason)
        return NotRestored(
            f"{problem.reason}; going back failed as well: {error.reason}",
            "`status` shows what is there; `rollback`, or `pause` to stop the cost",
        )
    record.write(outcome=outcome, step="done")
    return type(problem)(f"{problem.reason}. {name} is {kept}", problem.next_step)
