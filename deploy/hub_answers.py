"""What the Hub answers with, made ours: its errors as the tree of `errors.py`, and what it may leave out of an endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import huggingface_hub
from huggingface_hub import errors

from deploy.errors import DeployError, Forbidden, Gated, HubBusy, HubDown, NotThere, QuotaReached, Rejected, Unauthorized
from deploy.secrets import Mask

Raw = dict[str, Any]
"""What the API says of an endpoint."""

_UTILS: Any = huggingface_hub.utils  # it re-exports without saying so

_MOST_QUOTED = 300
"""Characters of what the Hub says."""


def whole(raw: Mapping[str, Any]) -> Raw:
    """What the API may leave out, or give as null, put in its place: readers then need not ask."""
    status = {**raw["status"]}
    for name in ("message", "updatedAt"):
        status[name] = status.get(name) or ""
    status["url"] = status.get("url")
    return {**raw, "status": status}


def connection_errors() -> tuple[type[Exception], ...]:
    """Of httpx or httpx2, by the client's version. Also endless redirects, what does not decode, what is no address."""
    return (_UTILS.httpx.RequestError, _UTILS.httpx.InvalidURL)


def translated(what: str, error: errors.HfHubHTTPError, mask: Mask) -> DeployError:
    """The Hub's refusal to do something with `what`, as one of ours. Of its own words, masked, at most 300 characters."""
    status = error.response.status_code
    said = " ".join(mask.text(error.server_message or "").split())[:_MOST_QUOTED]  # masked whole: half a secret is one too
    quoted = f": {said}" if said else ""
    if isinstance(error, errors.GatedRepoError):
        return Gated(f"{what} is gated, and this token may not read it", "accept its conditions on the Hub with that account")
    if status == 429:
        busy = HubBusy(f"the Hub is still too busy for {what}", "wait some minutes, then run the same command again")
        retry_after = error.response.headers.get("Retry-After", "")
        busy.retry_after_s = float(retry_after) if re.fullmatch("[0-9]+", retry_after) else None
        return busy
    if status >= 500:
        return HubDown(f"the Hub answered {status} for {what}", "run the same command again; status.huggingface.co has news")
    if "quota" in said.lower():
        return QuotaReached(f"the quota of this hardware is used up{quoted}", "pause another endpoint, or ask for more quota")
    if status == 401 and not isinstance(error, errors.RepositoryNotFoundError):
        return Unauthorized("the Hub does not know this token", "make a new one at huggingface.co/settings/tokens")
    if isinstance(error, errors.RevisionNotFoundError):
        return NotThere(f"{what} has no such revision", "look at its commits and tags on the Hub")
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        return NotThere(f"{what} is not there, or this token may not see it", "check the name and the token's rights")
    if status == 403:
        return Forbidden(f"this token may not do that with {what}{quoted}", "use a token with the right to manage it")
    return Rejected(f"the Hub refused {what} with {status}{quoted}", "mend what it names, then run the same command again")
