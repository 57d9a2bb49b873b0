"""Looks for secrets in files before they are published: tokens of known forms, and the very secrets that are in use.

Both are looked for in names and contents, as UTF-8 and as UTF-16, plain and in base64.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from deploy.errors import SecretExposed
from deploy.secrets import TOKEN_LIKE
from deploy.spellings import Spellings

_TELLING = r"(?:password|passwd|api_?key|secret|token)"
_ASSIGNED = re.compile(
    rf"""(?i:(?<![a-z]){_TELLING}\w*["']?\s*[:=]\s*["'](?:[a-z0-9+/_-]{{20,}})["'])"""
    rf"""|(?m:^[ \t]*(?:export[ \t]+)?(?:[A-Z0-9]+_)*(?i:{_TELLING})\w*=(?=\S*\d)[^\s"'$<(]{{8,}}[ \t]*\r?$)"""
    rf"""|(?im:^[ \t]*["']?[\w-]*{_TELLING}\w*["']?[ \t]*[:=][ \t]*(?=\S*\d)[a-z0-9+/_-]{{20,}}[ \t]*\r?$)"""
)
"""A long literal under a telling name, as code has it; bare, as a shell has it; and bare, as YAML has it."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}")


def refuse_secrets(files: Mapping[str, bytes], known: Iterable[SecretStr] = ()) -> None:
    """Raises `SecretExposed`, naming the first file and line, never the secret."""
    spellings = [Spellings(secret.get_secret_value()) for secret in known]
    for name, content in files.items():
        if _places(name, spellings):
            raise _exposed("the name of a file")  # which would be in the message
        for text in _texts(content):
            found = _places(text, spellings)
            found += [run.start() for run in _BASE64.finditer(text) if TOKEN_LIKE.search(_decoded(run[0]))]
            if found:
                line = text.count("\n", 0, min(found)) + 1
                raise _exposed(f"{name}, line {line},")


def _places(text: str, spellings: Iterable[Spellings]) -> list[int]:
    found = [match.start() for pattern in (TOKEN_LIKE, _ASSIGNED) if (match := pattern.search(text))]
    return found + [at for spelling in spellings if (at := spelling.first(text)) is not None]


def _texts(content: bytes) -> Iterable[str]:
    yield content.decode("utf-8", errors="replace")
    if b"\0" in content:  # not UTF-8 text; Windows writes the other two
        yield content.decode("utf-16-le", errors="replace")
        yield content.decode("utf-16-be", errors="replace")


def _decoded(run: str) -> str:
    try:
        return base64.b64decode(run[: len(run) // 4 * 4], altchars=b"-_" if set("-_") & set(run) else None).decode("latin-1")
    except binascii.Error:
        return ""


def _exposed(where: str) -> SecretExposed:
    return SecretExposed(
        f"{where} holds what looks like a secret; nothing was published",
        "take it out, make it invalid if it was ever shared, and name it in endpoint.yaml's secrets instead",
    )
