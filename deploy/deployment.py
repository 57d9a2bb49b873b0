"""What every verb works with: the file, the Hub, the secrets, the journal, and where to speak."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from deploy.calling import Caller
from deploy.console import Console
from deploy.errors import NoEndpoint, NotPublished, NotThere, SecretMissing
from deploy.hub import Hub
from deploy.hub_answers import Raw
from deploy.manifest import ROOT, shipped_files
from deploy.records import Records
from deploy.release import refuse_moved
from deploy.secrets import read_secret, refuse_short
from deploy.specification import Specification
from deploy.waiting import Patience


@dataclass
class Deployment:
    """`token` is the account's that deploys; the secrets of the container are others, read when they are needed."""

    specification: Specification
    hub: Hub
    console: Console
    records: Records
    token: SecretStr
    caller: Caller
    environment: Mapping[str, str]
    patience: Patience = field(default_factory=Patience)
    root: Path = ROOT
    _secrets: dict[str, SecretStr] | None = None

    @property
    def name(self) -> str:
        return self.specification.endpoint

    @property
    def namespace(self) -> str:
        return self.specification.namespace

    def secrets(self) -> dict[str, SecretStr]:
        """Those that endpoint.yaml names, read once: standard input can be read no second time. Raises
        `SecretMissing`, and `SecretExposed` for one that is too short.
        """
        if self._secrets is None:
            self._secrets = {name: self.secret(name) for name in self.specification.secrets}
        return self._secrets

    def secret(self, name: str) -> SecretStr:
        """One of them, read now and masked from now on. Raises the same."""
        secret = read_secret(self.specification.secrets[name], name=name, environment=self.environment)
        refuse_short(secret, name=name)
        self.console.mask.add(secret)
        return secret

    def known_secrets(self) -> list[SecretStr]:
        """Those that can be read without being needed, masked from now on: a log or an answer may hold them. One that is
        missing is no error here, and one on standard input stays unknown.
        """
        known = []
        for name, source in self.specification.secrets.items():
            if source != "stdin":
                with suppress(SecretMissing):
                    known.append(read_secret(source, name=name, environment=self.environment))
                    self.console.mask.add(known[-1])
        return known

    def secret_values(self) -> dict[str, str]:
        """For the one field of a request that is meant for them."""
        return {name: secret.get_secret_value() for name, secret in self.secrets().items()}

    def endpoint(self) -> Raw:
        """What the API says of it. Raises `NoEndpoint`."""
        raw = self.hub.endpoint(self.namespace, self.name)
        if raw is None:
            raise NoEndpoint(f"there is no endpoint {self.namespace}/{self.name}", "`apply` makes it")
        return raw

    def published(self, revision: str | None = None) -> str:
        """The commit of the newest publication, or of a release or commit. Raises `NotPublished`."""
        repository = self.specification.repository
        try:
            commit = str(self.hub.model(repository, revision).sha)
        except NotThere:
            what = repository if revision is None else f"{revision} of {repository}"
            raise NotPublished(f"{what} is not on the Hub, or this token may not see it", "`publish` puts it there") from None
        if revision is not None:
            refuse_moved(self.hub, repository, revision, commit)
        return commit

    def shipped(self) -> dict[str, bytes]:
        return shipped_files(self.root)

    def release_of(self, commit: str) -> str | None:
        """The tag of a commit, if it has one."""
        tags = self.hub.tags(self.specification.repository)
        return next((tag for tag, target in sorted(tags.items()) if target == commit), None)
