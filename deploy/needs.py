"""What stands between an endpoint and the state that is wanted: fields, secrets, sleep, and whether anybody has verified it.

`plan` shows it and `apply` does it, from the same decision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from deploy.deployment import Deployment
from deploy.hub_answers import Raw
from deploy.records import GOOD, UNFINISHED, Record
from deploy.state import Change, State, changes

_SERVING_OR_SOON = ("running", "scaledToZero", "pending", "initializing", "updating", "paused")


@dataclass(frozen=True)
class Needs:
    """Of an endpoint that may not be there yet. `emptied`: names of secrets that are, or are to be, sent empty."""

    there: State | None
    state: str | None
    changes: list[Change]
    gone: list[str]
    emptied: list[str]
    send_secrets: bool
    verified: bool
    cut_off: Record | None
    """The last change, where it did not come to its end."""

    @property
    def nothing(self) -> bool:
        as_it_was_verified = self.verified and not self.changes and not self.send_secrets
        return as_it_was_verified and self.state in ("running", "scaledToZero")

    @property
    def send(self) -> bool:
        """Whether the endpoint has to be told anything."""
        return bool(self.changes) or self.send_secrets or self.state not in _SERVING_OR_SOON

    def beside_fields(self) -> list[str]:
        """In words, what is to be done though no field differs."""
        if self.there is None or self.nothing:
            return []
        found = []
        if self.gone:
            found.append(f"secrets that endpoint.yaml no longer names are emptied: {', '.join(self.gone)}")
        elif self.send_secrets:
            found.append("the secrets are sent again")
        if self.state == "paused":
            found.append("it is paused: it is resumed, and costs again")
        elif self.state not in _SERVING_OR_SOON:
            found.append(f"it is {self.state}: everything is sent again")
        if not self.changes and not found:
            found.append("nobody has verified what is there: it is tested")
        return found


def needs_of(
    deployment: Deployment, raw: Raw | None, wanted: State, secrets: Collection[str], *, resend_secrets: bool = False
) -> Needs:
    """`raw`: what the API says, or None where there is no endpoint. `secrets`: the names that are wanted. Reads the journal."""
    there = State.there(raw) if raw is not None else None
    last, good = deployment.records.last(), deployment.records.newest_good()
    cut_off = last if last is not None and last.outcome == UNFINISHED else None
    emptied: set[str] = set(good.values.get("emptied", [])) - set(secrets) if good is not None else set()
    gone = _taken_away(raw, secrets, emptied)
    return Needs(
        there=there,
        state=raw["status"]["state"] if raw is not None else None,
        changes=changes(there, wanted) if there is not None else [],
        gone=gone,
        emptied=sorted(emptied.union(gone)),
        send_secrets=resend_secrets or bool(gone) or not _are_there(secrets, good, cut_off),
        verified=last is not None and last.outcome in GOOD and not changes(last.after, wanted),
        cut_off=cut_off,
    )


def _are_there(secrets: Collection[str], good: Record | None, cut_off: Record | None) -> bool:
    """The API gives no secret back, so the journal has to know: the last run that came to its end sent the same names."""
    sent = good.values["secrets"] if good is not None else []
    return sorted(secrets) == sent and (cut_off is None or not secrets)


def _taken_away(raw: Raw | None, secrets: Collection[str], emptied: Collection[str]) -> list[str]:
    """Names of secrets that the API lists, that are no longer wanted, and that nobody has emptied yet.

    The update call takes none away. An empty value is what the handler reads as unset.
    """
    listed = (raw or {}).get("model", {}).get("secrets")
    return sorted(set(listed) - set(secrets) - set(emptied)) if isinstance(listed, Mapping) else []
