"""Looks for secrets in files before they are published: tokens of known forms, and the very secrets that are in use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from deploy.errors import SecretExposed
from deploy.secrets import TOKEN_LIKE

_ASSIGNED = re.compile(r"""(?i)\b(?:password|passwd|api_?key|secret|token)\w*["']?\s*[:=]\s*["']([A-Za-z0-9+/_-]{20,})["']""")
"""A long literal under a telling name."""


def refuse_secrets(files: Mapping[str, bytes], known: Iterable[SecretStr] = ()) -> None:
    """Raises `SecretExposed`, naming the first file and line, never the secret."""
    values = [secret.get_secret_value() for secret in known]
    for name, content in files.items():
        text = content.decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if TOKEN_LIKE.search(line) or _ASSIGNED.search(line) or any(value in line for value in values):
                raise SecretExposed(
                    f"{name}, line {number}, holds what looks like a secret; nothing was published",
                    "take it out, make it invalid if it was ever shared, and name it in endpoint.yaml's secrets instead",
                )
