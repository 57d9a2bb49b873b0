"""From the state that is there to the one that is wanted, verified; or back again.

`apply` and `rollback` are both this. The journal is written before each step, so that a run that is killed anywhere can be
followed by another: it finds what is there, keeps to the snapshot of the first, and makes nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.canary import remove_canary, try_canary
from deploy.deployment import Deployment
from deploy.errors import (
    DeployError,
    EndpointGone,
    EndpointPaused,
    EndpointProblem,
    HubRefused,
    InProgress,
    NotInPlace,
    NotRestored,
    Rejected,
)
from deploy.hub_answers import Raw
from deploy.needs import needs_of
from deploy.records import UNFINISHED, Record
from deploy.smoke import Checked
from deploy.state import Change, State, changes
from deploy.verify import show_log, unforeseen, wait_and_verify


@dataclass(frozen=True)
class Done:
    """What came of it: `unchanged`, where nothing was sent, or `verified`."""

    outcome: str
    changes: Sequence[Change]
    raw: Raw
    checked: Sequence[Checked] = ()


def change_to(
    deployment: Deployment,
    wanted: State,
    *,
    verb: str,
    canary: bool = False,
    resend_secrets: bool = False,
    look_first: Callable[[], None] = lambda: None,
) -> Done:
    """Create or update, wait, smoke; on failure put back what was there, and raise what was wrong.

    `look_first` may refuse, where there is something to change. Raises `NotInPlace`, with nothing sent; `EndpointProblem` once
    the old state is back; `NotRestored` where it is not; and what the Hub refuses.
    """
    hub, namespace, name, say = deployment.hub, deployment.namespace, deployment.name, deployment.console.progress
    secrets = deployment.secret_values()
    remove_canary(deployment)
    raw = hub.endpoint(namespace, name)
    need = needs_of(deployment, raw, wanted, secrets, resend_secrets=resend_secrets)
    _refuse_not_in_place(need.changes)
    if raw is not None and need.nothing:
        return Done("unchanged", (), raw)

    look_first()
    there, state = need.there, need.state
    before, was_paused = there, state == "paused"
    unsettled = deployment.records.unsettled()
    if unsettled is not None and there is not None:
        say("what is there was never verified: the state before it stays the way back")
        before, was_paused = unsettled.whole_before(there), unsettled.values["was_paused"]
    elif there is not None and not need.changes and (known := deployment.records.newest_good()) and changes(there, known.after):
        say("what is there was set by somebody else: the last verified state is the way back")
        before = known.whole_after(there)
    told = {"was_paused": was_paused, "secrets": sorted(secrets), "emptied": need.emptied}
    record = deployment.records.begin(verb, before, wanted, step="begun", **told)
    if need.cut_off is not None:
        need.cut_off.write(outcome="cut_off")
    secrets = {**dict.fromkeys(need.gone, ""), **secrets}
    try:
        if canary and raw is not None:
            try_canary(deployment, wanted, secrets, record)
        record.write(step="sending")
        raw, in_doubt = _send(deployment, raw, there, wanted, secrets, need.send)
        record.note(say, step="waiting")
        changed_from = state if in_doubt or need.cut_off is not None else None
        raw, checked = wait_and_verify(deployment, name, wanted, changed_from)
    except EndpointGone as problem:
        if record.outcome != UNFINISHED:
            raise
        record.note(say, outcome="gone", failure=problem.reason)  # whoever deleted it did not ask for another
        raise
    except EndpointProblem as problem:
        if record.outcome != UNFINISHED:
            raise  # the canary's: nothing else was touched
        went_wrong = problem
    except DeployError as error:
        if record.outcome != UNFINISHED:
            raise
        if _changed_nothing(error, record):
            record.write(outcome="refused", failure=error.reason)
        else:  # it stays unfinished, and the next run goes on from it
            record.note(say, failure=error.reason)
            error.next_step += f"; what is live has not been verified, and the next `{verb}` goes on from there"
        raise
    except Exception as error:
        if record.values["step"] not in ("sending", "waiting"):
            raise
        went_wrong = unforeseen(name, error)
    else:
        record.note(say, outcome="verified", step="done", checked=[vars(one) for one in checked])
        return Done("verified", need.changes, raw, checked)
    show_log(deployment, name)
    raise _restored(deployment, record, before, was_paused, went_wrong)  # out here: no cause that quotes an answer


def _changed_nothing(error: DeployError, record: Record) -> bool:
    """The Hub refused, or somebody was there first, and no request before may have been carried out all the same."""
    lost = isinstance(error, Rejected) and error.after_a_lost_answer
    return isinstance(error, (HubRefused, InProgress)) and record.values["step"] != "waiting" and not lost


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
        try:
            raw = hub.update(namespace, name, wanted.update_arguments(there, secrets))
        except Rejected as error:
            raw = deployment.endpoint()
            if not error.after_a_lost_answer or changes(State.there(raw), wanted):
                raise
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
    record.note(say, step="restoring", failure=problem.reason)
    stays_paused = was_paused or isinstance(problem, EndpointPaused)  # whoever paused it did not ask for its cost again
    try:
        if before is None:
            # Deleting what was never there would take its log along. Paused it costs nothing, and keeps it.
            raw = hub.pause(namespace, name)
            outcome, kept = "paused", "paused, at no cost"
        else:
            say(f"restoring {name} to {before.revision[:12]}")
            raw = deployment.endpoint()
            state = raw["status"]["state"]
            raw = hub.update(namespace, name, before.update_arguments(State.there(raw), deployment.secret_values()))
            if stays_paused:
                hub.pause(namespace, name)
                outcome, kept = "restored", f"at {before.revision[:12]} and paused{', as before' if was_paused else ''}"
            else:
                if raw["status"]["state"] == "paused":
                    hub.resume(namespace, name)
                wait_and_verify(deployment, name, before, state)
                outcome, kept = "restored", f"back at {before.revision[:12]}, and verified"
    except DeployError as error:
        record.note(say, outcome="not_restored", restoring_failed=error.reason)
        return NotRestored(
            f"{problem.reason}; going back failed as well: {error.reason}",
            "`status` shows what is there; `rollback`, or `pause` to stop the cost",
        )
    record.note(say, outcome=outcome, step="done")
    return type(problem)(f"{problem.reason}. {name} is {kept}{_what_stays(raw, before)}", problem.next_step)


def _what_stays(raw: Raw, before: State | None) -> str:
    """What the update call can set, and not take away again."""
    if before is None:
        return ""
    there = State.there(raw)
    stays = [
        f"{field} {getattr(there, field)}"
        for field in ("scale_to_zero_minutes", "metric", "threshold")
        if getattr(before, field) is None and getattr(there, field) is not None
    ]
    return f"; the API cannot take away {', '.join(stays)}" if stays else ""
