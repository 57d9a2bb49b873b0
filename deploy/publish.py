"""`publish`: exactly the shipped files into the model repository, in one commit, with the model card, under a tag.

Looks before it writes: what is there already is not sent, so that a second run, or one after a run that was killed, sends
what is missing and no more. Removes only what the release before put there and nobody has changed since: weights, and whatever
else somebody has brought, stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.deployment import Deployment
from deploy.errors import CommandError, DeployError, NotThere
from deploy.manifest import named
from deploy.model_card import Source, differences, model_card
from deploy.release import LISTING, Listing, ids, listing_at, release_name
from deploy.secret_scan import refuse_secrets
from deploy.state import State
from deploy.weights import weights_there

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

    replaced: tuple[str, ...] = ()
    """Of `sent`: what lies there is no release's of ours, or was changed since."""

    left: tuple[str, ...] = ()
    """Somebody else's, which stay as they are."""

    @property
    def any(self) -> bool:
        return bool(self.sent or self.removed)

    def as_dict(self) -> dict[str, Any]:
        return {
            "send": {path: len(self.files[path]) for path in self.sent},
            "remove": list(self.removed),
            "unchanged": self.unchanged,
            "replace": list(self.replaced),
            "leave": list(self.left),
        }


def prepared(deployment: Deployment, results: Mapping[str, Any] | None) -> dict[str, bytes]:
    """The files, the model card filled in, and the list of them.

    Raises `InvalidSpecification` or `SecretExposed`: nothing has been sent then.
    """
    files = deployment.shipped()
    sources = sources_of(deployment)
    card = model_card(files["README.md"].decode(), deployment.specification, sources, results)
    files["README.md"] = card.encode()
    models = deployment.specification.models.named().items()
    served = {stage: f"{model.id}@{sources[stage].commit}" if stage in sources else model.id for stage, model in models}
    files[LISTING] = Listing.of(files, served).content()
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
    before = listing_at(deployment.hub, repository, parent) if LISTING in there else None
    ours = {path for path, blob in there.items() if before is not None and before.put(path, blob)}
    sent = _differing(files, there)
    others = set(there) - ours - _KEPT
    return FileChanges(
        files,
        sent,
        tuple(sorted(ours - set(files))),
        len(files) - len(sent),
        parent,
        replaced=tuple(sorted(others & set(sent))),
        left=tuple(sorted(others - set(files))),
    )


def _differing(files: Mapping[str, bytes], there: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(path for path, content in files.items() if there.get(path) not in ids(content)))


def _tagged(deployment: Deployment, release: str, found: FileChanges) -> bool:
    """Whether the release has its tag. Raises `CommandError` where that leads to other files."""
    repository = deployment.specification.repository
    commit = deployment.hub.tags(repository).get(release)
    if commit is not None and _differing(found.files, deployment.hub.blobs(repository, commit)):
        raise CommandError(
            f"the tag {release} is at commit {commit}, which has other files; nothing was sent on top of commit {found.parent}",
            f"delete that tag of {repository} on the Hub, once you know who set it; then publish again",
        )
    return commit is not None


def publish(deployment: Deployment, results: Mapping[str, Any] | None, hub_url: str) -> None:
    files = prepared(deployment, results)
    found = compared(deployment, files)
    repository, say = deployment.specification.repository, deployment.console.progress
    release = release_name(files)
    if results is None:
        say("no --results: the model card goes without measured figures")
    if found.replaced:
        say(f"replacing what no release of ours put there: {named(found.replaced)}")
    if found.left:
        say(f"leaving alone what no release of ours put there: {named(found.left)}")
    _tell_of_weights(deployment)
    parent, tagged = found.parent, found.parent is not None and _tagged(deployment, release, found)
    if parent is None:
        say(f"making the private repository {repository}")
        deployment.hub.create_repository(repository)
        parent = str(deployment.hub.model(repository).sha)
    commit = parent
    if found.any:
        say(f"sending {len(found.sent)} file(s), removing {len(found.removed)}")
        added = {path: files[path] for path in found.sent}
        commit = deployment.hub.commit(repository, added, found.removed, f"Roundtable {release}", parent)
    if not tagged:
        deployment.hub.tag(repository, release, commit)
    link = f"{hub_url}/{repository}/tree/{commit}"
    deployment.console.result(
        {"release": release, "commit": commit, "link": link, **found.as_dict()},
        [f"{'published' if found.any else 'nothing to send; published before'}: {release}", f"commit {commit}", link],
    )


def _tell_of_weights(deployment: Deployment) -> None:
    here = [stage for stage, model in deployment.specification.models.named().items() if model.id == "."]
    if here and not weights_there(deployment):
        repository = deployment.specification.repository
        deployment.console.progress(f"models.{', models.'.join(here)}: no weights in {repository} yet; upload them there")


def tell_of_another_card(deployment: Deployment, there: State) -> None:
    """In what the card published with the revision that is there names other models than are served; a line each."""
    try:
        listing = listing_at(deployment.hub, there.repository, there.revision)
    except DeployError:  # a hint: what was asked for has been done without it
        return
    for line in differences(listing.models, there.env) if listing is not None else ():
        deployment.console.progress(line)
