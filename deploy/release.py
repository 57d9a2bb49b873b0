"""A release is named by what is in it: the same files have the same name, so that publishing twice is publishing once.

Each carries the list of its files. What is in the repository and on no such list is somebody else's, and stays.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.errors import NotPublished, NotThere
from deploy.hub import Hub

LISTING = "roundtable-release.json"
"""The list's own place in the repository."""

_NAME = re.compile("release-[0-9a-f]{12}")


def release_name(files: Mapping[str, bytes]) -> str:
    """`release-` and 12 digits of the SHA-256 over names and contents, those of the list left out."""
    whole = hashlib.sha256()
    for name in sorted(set(files) - {LISTING}):
        whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return f"release-{whole.hexdigest()[:12]}"


def blob_id(content: bytes) -> str:
    """The id that git, and so the Hub, gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def ids(content: bytes) -> list[str]:
    """What the Hub may name a file's content by: git's id, or the SHA-256 where it keeps large or binary files apart."""
    return [blob_id(content), hashlib.sha256(content).hexdigest()]


@dataclass(frozen=True)
class Listing:
    """What a release put there: its name, its models as `id@commit` by stage, and the ids of each file's content."""

    release: str
    models: Mapping[str, str]
    files: Mapping[str, list[str]]

    @classmethod
    def of(cls, files: Mapping[str, bytes], models: Mapping[str, str]) -> Listing:
        return cls(release_name(files), models, {path: ids(content) for path, content in files.items()})

    def content(self) -> bytes:
        """As it lies in the repository."""
        return (json.dumps(vars(self), indent=1, sort_keys=True) + "\n").encode()

    def put(self, path: str, blob: str) -> bool:
        """Whether this release put that content there, or is the list itself."""
        return path == LISTING or blob in self.files.get(path, ())

    def is_at(self, blobs: Mapping[str, str]) -> bool:
        """Whether all of its files are, as it listed them, in a commit with these blobs."""
        return all(blobs.get(path) in known for path, known in self.files.items())


def listing_at(hub: Hub, repository: str, commit: str) -> Listing | None:
    """The list in that commit; None where there is none, or none of ours."""
    try:
        values = json.loads(hub.file(repository, commit, LISTING))
        files = {str(path): [str(one) for one in known] for path, known in values["files"].items()}
        models = {str(stage): str(model) for stage, model in values["models"].items()}
        return Listing(str(values["release"]), models, files)
    except (NotThere, ValueError, LookupError, TypeError, AttributeError):
        return None


def refuse_moved(hub: Hub, repository: str, name: str, commit: str) -> None:
    """A tag can be moved. Raises `NotPublished` where the name of a release leads to a commit that is not that release."""
    if _NAME.fullmatch(name) is None:
        return  # a commit, or a name that somebody else gave
    listing = listing_at(hub, repository, commit)
    if listing is None or listing.release != name or not listing.is_at(hub.blobs(repository, commit)):
        raise NotPublished(
            f"{name} names commit {commit} of {repository}, whose files are not that release's", "name the commit that is meant"
        )
