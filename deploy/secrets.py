"""Where secrets come from, and what keeps them from going anywhere but to the one field that is meant for them.

A source is `env:NAME`, `file:PATH` or `stdin`: never a value. What is printed or stored goes through a `Mask` first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from deploy.errors import SecretExposed, SecretMissing
from deploy.spellings import Spellings

SOURCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+|stdin")
MASKED = "***"

TOKEN_LIKE = re.compile(
    r"\bhf_[A-Za-z0-9]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bsk-[A-Za-z0-9_-]{20,}|\bxox[abprs]-[\w-]{10,}"
    r"|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|\bapi_org_[A-Za-z0-9]{16,}"
)
"""Tokens of Hugging Face, GitHub, OpenAI, Slack and AWS, private keys, and JSON Web Tokens."""

SECRET_NAMES = re.compile(r"TOKEN$|SECRET|PASSWORD|API_?KEY|CREDENTIAL")
"""Names, in upper case, under which people keep secrets."""

SHORTEST = 8
"""Characters. A shorter value stands in commits, names and figures by chance: masking it would blot them out."""

LONGEST = 64 * 1024
"""Characters; more than any variable of a container may have by far. Looking for it in all that is said takes time."""


def read_secret(source: str, *, name: str, environment: Mapping[str, str]) -> SecretStr:
    """The value behind `env:NAME`, `file:PATH` or `stdin`, without the white space around it. Raises `SecretMissing`."""
    kind, _, where = source.partition(":")
    if kind == "env":
        value = environment.get(where, "")
        problem = f"the variable {where} is not set"
    elif kind == "file":
        try:
            with Path(where).expanduser().open(encoding="utf-8") as file:
                value = file.read(LONGEST + 1)
        except (OSError, ValueError, RuntimeError):  # not UTF-8, a name that no file has, the home of nobody
            value = ""
        problem = "its file is not there, cannot be read, or is empty"
    else:
        value = sys.stdin.read(LONGEST + 1)
        problem = "nothing came on standard input"
    if not value.strip():
        raise SecretMissing(f"secret {name}: {problem}", "put the value there, or name another env:, file: or stdin source")
    if len(value) > LONGEST:
        raise SecretExposed(
            f"secret {name}: longer than {LONGEST} characters, which could not be kept out of what is printed",
            "make it shorter: a container's variable could not hold it",
        )
    return SecretStr(value.strip())


def looks_secret(name: str) -> bool:
    """Whether a variable of this name is likely to hold a secret."""
    return SECRET_NAMES.search(name.upper()) is not None


def refuse_short(secret: SecretStr, *, name: str) -> None:
    """Raises `SecretExposed` for a secret that could not be masked."""
    if len(secret.get_secret_value()) < SHORTEST:
        raise SecretExposed(
            f"secret {name}: shorter than {SHORTEST} characters, which could not be kept out of what is printed",
            "make it longer; what is no secret goes under `settings`",
        )


def refuse_debug(environment: Mapping[str, str]) -> None:
    """With HF_DEBUG, huggingface_hub logs whole requests, and only the token of the header is hidden there."""
    if environment.get("HF_DEBUG", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise SecretExposed("HF_DEBUG is set: huggingface_hub would log the endpoint's secrets", "unset HF_DEBUG")


class Mask:
    """Replaces every known secret, however it is spelt, and whatever looks like a token, in text and in JSON values."""

    def __init__(self, values: Iterable[SecretStr] = ()) -> None:
        self._known: dict[str, Spellings] = {}
        for value in values:
            self.add(value)

    def add(self, secret: SecretStr) -> None:
        value = secret.get_secret_value()
        if len(value) >= SHORTEST and value not in self._known:
            self._known[value] = Spellings(value)

    def text(self, text: str) -> str:
        for value in sorted(self._known, key=len, reverse=True):
            text = self._known[value].replaced(text, MASKED)
        return TOKEN_LIKE.sub(MASKED, text)

    def lines(self, text: str) -> list[str]:
        """The lines of a text that is masked as a whole: a line of a secret by itself may be too short to be known."""
        return self.text(text).splitlines()

    def json(self, value: Any) -> Any:
        """The same of a JSON value: its texts and its keys, however deep; and every text under a name that secrets have."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._under(str(key), self.json(inner)) for key, inner in value.items()}
        return self._inner(value, self.json)

    def values(self, value: Any) -> Any:
        """The same, but for the keys, which stay as they are."""
        if isinstance(value, Mapping):
            return {key: self._under(str(key), self.values(inner)) for key, inner in value.items()}
        return self._inner(value, self.values)

    def _inner(self, value: Any, mask: Callable[[Any], Any]) -> Any:
        if isinstance(value, str):
            return self.text(value)
        return [mask(inner) for inner in value] if isinstance(value, (list, tuple)) else value

    def _under(self, name: str, value: Any) -> Any:
        return MASKED if isinstance(value, str) and value and looks_secret(name) else value
