"""`publish`: exactly the shipped files into the model repository, in one commit, with the model card, under a tag.

Looks before it writes: what is there already is not sent, so that a second run, or one after a run that was killed, sends
what is missing and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.deployment import Deployment
from deploy.errors import NotThere
from deploy.model_card import Source, model_card
from deploy.release import blob_id, release_name
from deploy.secret_scan import refuse_secrets

_KEPT = {".gitattributes"}
"""Made by the Hub, and its own."""


@dataclass(frozen=True)
class FileChanges:
    """What a commit would do to the repository, by path; sizes in bytes."""

    files: Mapping[str, bytes]
    sent: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    parent: str | None
    """The commit that it goes on top of. None: there is no repository yet."""

    @property
    def any(self) -> bool:
        return bool(self.sent or self.removed)

    def as_dict(self) -> dict[str, Any]:
        return {
            "send": {path: len(self.files[path]) for path in self.sent},
            "remove": list(self.removed),
            "unchanged": self.unchanged,
        }


def prepared(deployment: Deployment, results: Mapping[str, Any] | None) -> dict[str, bytes]:
    """The files, the model card filled in. Raises `InvalidSpecification` or `SecretExposed`: nothing has been sent then."""
    files = deployment.shipped()
    card = model_card(files["README.md"].decode(), deployment.specification, sources_of(deployment), results)
    files["README.md"] = card.encode()
    refuse_secrets(files, [deployment.token, *deployment.known_secrets()])
    return files


def sources_of(deployment: Deployment) -> dict[str, Source]:
    """Commit and licence of each model on the Hub, by stage."""
    found = {}
    for stage, model in deployment.specification.models.named().items():
        if model.on_the_hub:
            info = deployment.hub.model(model.id, model.revision)
            licence = info.card_data.get("license") if info.card_data is not None else None
            found[stage] = Source(str(info.sha), str(licence or "not named"))
    return found


def compared(deployment: Deployment, files: Mapping[str, bytes]) -> FileChanges:
    """What is different from the newest commit. Reads only."""
    repository = deployment.specification.repository
    try:
        parent = str(deployment.hub.model(repository).sha)
    except NotThere:
        return FileChanges(files, tuple(sorted(files)), (), 0, None)
    there = deployment.hub.blobs(repository, parent)
    sent = tuple(sorted(path for path, content in files.items() if there.get(path) != blob_id(content)))
    removed = tuple(sorted(set(there) - set(files) - _KEPT))
    return FileChanges(files, sent, removed, len(files) - len(sent), parent)


def publish(deployment: Deployment, results: Mapping[str, Any] | None, hub_url: str) -> None:
    files = prepared(deployment, results)
    found = compared(deployment, files)
    repository, say = deployment.specification.repository, deployment.console.progress
    release = release_name(files)
    if results is None:
        say("no --results: the model card goes without measured figures")
    parent = found.parent
    if parent is None:
        say(f"making the private repository {repository}")
        deployment.hub.create_repository(repository)
        parent = str(deployment.hub.model(repository).sha)
    commit = parent
    if found.any:
        say(f"sending {len(found.sent)} file(s), removing {len(found.removed)}")
        added = {path: files[path] for path in found.sent}
        commit = deployment.hub.commit(repository, added, found.removed, f"Roundtable {release}", parent)
    if deployment.hub.tags(repository).get(release) is None:
        deployment.hub.tag(repository, release, commit)
    link = f"{hub_url}/{repository}/tree/{commit}"
    deployment.console.result(
        {"release": release, "commit": commit, "link": link, **found.as_dict()},
        [f"{'published' if found.any else 'nothing to send; published before'}: {release}", f"commit {commit}", link],
    )
