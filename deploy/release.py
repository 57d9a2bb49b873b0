"""A release is named by what is in it: the same files have the same name, so that publishing twice is publishing once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def release_name(files: Mapping[str, bytes]) -> str:
    """`release-` and 12 digits of the SHA-256 over names and contents."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return f"release-{whole.hexdigest()[:12]}"


def blob_id(content: bytes) -> str:
    """The id that git, and so the Hub, gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
