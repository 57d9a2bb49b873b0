"""Model repositories: commits with their whole trees, and tags. Guarantees: a commit is whole or not there; its id and its
blobs' ids are derived from their contents, the blobs' as git derives them; a wrong parent is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field


@dataclass
class Repository:
    """`commits` is in order; each has the whole tree of its files."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    licence: str = "apache-2.0"
    gated_to: set[str] | None = None
    """The tokens that may read a gated repository. None: not gated."""

    kept_apart: tuple[str, ...] = ()
    """Endings of files that the Hub keeps as LFS or Xet does: their blob is that of a pointer."""

    extra_bytes: int = 0
    """Of one weights file that is listed with this size and holds nothing."""

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    def at(self, revision: str) -> str | None:
        """The commit that a branch, tag or commit names."""
        if revision == "main":
            return self.head
        return self.tags.get(revision) or (revision if revision in self.commits else None)

    def add(self, files: dict[str, bytes], message: str = "") -> str:
        text = f"{list(self.commits)[-1:]} {message} {sorted((name, blob_id(content)) for name, content in files.items())}"
        commit = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.commits[commit] = files
        return commit

    def commit(self, lines: bytes) -> str | None:
        """Apply what the client POSTs, JSON by the line. None where the parent is not the head."""
        files, message = dict(self.commits[self.head]), ""
        for line in filter(None, lines.split(b"\n")):
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                message = value["summary"]
                if value.get("parentCommit", self.head) != self.head:
                    return None
            elif entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise AssertionError(entry["key"])
        return self.add(files, message)

    def tree(self, commit: str) -> list[dict[str, object]]:
        files = self.commits[commit].items()
        entries: list[dict[str, object]] = [
            {"type": "file", "path": name, "size": len(content), "oid": blob_id(content)} for name, content in files
        ]
        for entry in entries:
            if str(entry["path"]).endswith(self.kept_apart):
                sha256 = hashlib.sha256(self.commits[commit][str(entry["path"])]).hexdigest()
                entry |= {"oid": blob_id(sha256.encode()), "lfs": {"sha256": sha256, "size": entry["size"], "pointerSize": 130}}
        if self.extra_bytes:
            entries.append({"type": "file", "path": "model.safetensors", "size": self.extra_bytes, "oid": "0" * 40})
        return entries


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
