"""Who may call the endpoint: the levels of the API, and what became of `protected`."""

from __future__ import annotations

from typing import Literal

Access = Literal["public", "authenticated", "private"]

Written = Literal["private", "authenticated", "public", "protected"]
"""What endpoint.yaml may say."""

MEANING: dict[Access, str] = {
    "public": "anyone, without a token",
    "authenticated": "anyone with a Hugging Face account and a token of it",
    "private": "you, or the members of your organisation, with a token",
}

PROTECTED = (
    "access: the API has no 'protected' any more. It meant a token of your organisation, which is 'private' today, and that is "
    "used. ('authenticated', which Hugging Face's client suggests instead, lets in anyone with an account.)"
)


def api_level(written: Written) -> Access:
    """The API's word for a level. `protected` is `private`, which keeps its old meaning; others stay as they are."""
    return "private" if written == "protected" else written
