"""Is it what was asked for? Waiting until it serves, the smoke test, and what its log says when it is not."""

from __future__ import annotations

from deploy.deployment import Deployment
from deploy.errors import DeployError, SmokeFailed
from deploy.hub_answers import Raw
from deploy.release import listing_at
from deploy.smoke import Checked, demand, rows, smoke
from deploy.state import State
from deploy.waiting import wait_until_serving

LOG_LINES = 10
"""Of the container's log, shown when it did not come up."""


def verify(deployment: Deployment, raw: Raw, expected: State) -> list[Checked]:
    """The smoke test, shown line by line. Raises `SmokeFailed`."""
    say, bounds = deployment.console.progress, deployment.specification.smoke
    say(f"smoke test of {raw['name']}")
    checked = smoke(
        deployment.caller, raw, expected=expected, token=deployment.token, bounds=bounds, release=_release(deployment, expected)
    )
    for verdict, what, found in rows(checked)[1:]:
        say(f"  {verdict}  {what}: {found}")
    demand(checked, raw["name"])
    return checked


def _release(deployment: Deployment, expected: State) -> str | None:
    """What the repository calls the code of that revision. None where it was published without a name, or cannot be asked."""
    try:
        listing = listing_at(deployment.hub, expected.repository, expected.revision)
    except DeployError:
        return None
    return listing.release if listing is not None else None


def wait_and_verify(deployment: Deployment, name: str, wanted: State, changed_from: str | None) -> tuple[Raw, list[Checked]]:
    """`changed_from`: see `wait_until_serving`. Raises `EndpointProblem`, whatever it was that went wrong with an answer."""
    try:
        raw = wait_until_serving(
            deployment.hub,
            deployment.namespace,
            name,
            revision=wanted.revision,
            token=deployment.token,
            changed_from=changed_from,
            patience=deployment.patience,
            progress=deployment.console.progress,
        )
        return raw, verify(deployment, raw, wanted)
    except DeployError:
        raise
    except Exception as error:  # an answer that nobody thought of must not keep a bad revision live
        problem = unforeseen(name, error)
    raise problem  # out here: the cause may quote what was said


def unforeseen(name: str, error: Exception) -> SmokeFailed:
    """For an exception that is none of ours: by its type alone, as its text may quote anything."""
    return SmokeFailed(f"{name} could not be verified: {type(error).__name__} over its answer", "`logs` may show why")


def show_log(deployment: Deployment, name: str) -> None:
    """Its last lines, as progress. Raises nothing: what comes after is the way back."""
    try:
        log = deployment.hub.logs(deployment.namespace, name)
    except DeployError as error:
        deployment.console.progress(f"its log: {error.reason}")
        return
    except Exception as error:
        deployment.console.progress(f"its log: {type(error).__name__}")
        return
    for line in deployment.console.mask.lines(log)[-LOG_LINES:]:
        deployment.console.progress(f"  log: {line}")
