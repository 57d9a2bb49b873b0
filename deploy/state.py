"""What an endpoint is, as far as we decide it: comparable, storable without its secrets, and able to be put back.

Built from `endpoint.yaml` (what is wanted) or from the API's reply (what is there).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from deploy.access import api_level
from deploy.secrets import MASKED, looks_secret
from deploy.specification import Specification

Raw = Mapping[str, Any]

FRAMEWORK = "custom"
TASK = "custom"
"""Any other task makes the toolkit decode the recording before the handler sees it."""

NOT_IN_PLACE = ("access", "vendor", "region")
"""What the update call has no field for."""


@dataclass(frozen=True)
class State:
    """The fields that `plan` compares. `None`: the platform decides."""

    repository: str
    revision: str
    access: str
    vendor: str
    region: str
    accelerator: str
    instance_type: str
    instance_size: str
    min_replicas: int
    max_replicas: int
    scale_to_zero_minutes: int | None
    metric: str | None
    threshold: float | None
    image: Mapping[str, Any]
    env: Mapping[str, str]
    framework: str = FRAMEWORK
    task: str | None = TASK

    @classmethod
    def wanted(cls, specification: Specification, revision: str) -> State:
        """`revision`: the commit of the repository that is to be served. An empty variable counts as none, as in `there`."""
        instance, scaling = specification.instance, specification.scaling
        return cls(
            repository=specification.repository,
            revision=revision,
            access=api_level(specification.access),
            vendor=instance.vendor,
            region=instance.region,
            accelerator=instance.accelerator,
            instance_type=instance.type,
            instance_size=instance.size,
            min_replicas=scaling.min_replicas,
            max_replicas=scaling.max_replicas,
            scale_to_zero_minutes=scaling.scale_to_zero_minutes,
            metric=scaling.metric,
            threshold=scaling.threshold,
            image=specification.container.image(),
            env={name: value for name, value in specification.environment().items() if value},
        )

    @classmethod
    def there(cls, raw: Raw) -> State:
        """From the API's reply. An empty variable counts as none: the handler reads it so too."""
        model, compute = raw["model"], raw["compute"]
        scaling = compute["scaling"]
        measure = scaling.get("measure") or {}
        metric = next(iter(measure), None)
        return cls(
            repository=model["repository"],
            revision=model["revision"] or "",
            access=raw["type"],
            vendor=raw["provider"]["vendor"],
            region=raw["provider"]["region"],
            accelerator=compute["accelerator"],
            instance_type=compute["instanceType"],
            instance_size=compute["instanceSize"],
            min_replicas=scaling["minReplica"],
            max_replicas=scaling["maxReplica"],
            scale_to_zero_minutes=scaling.get("scaleToZeroTimeout"),
            metric=metric,
            threshold=measure.get(metric),
            image=_without_credentials(model["image"]),
            env={name: value for name, value in (model.get("env") or {}).items() if value},
            framework=model["framework"],
            task=model["task"],
        )

    @classmethod
    def stored(cls, values: Raw) -> State:
        """From `as_dict`."""
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def create_arguments(self, secrets: Mapping[str, str]) -> dict[str, Any]:
        """For the client's `create_inference_endpoint`."""
        return {
            **self._arguments(),
            "vendor": self.vendor,
            "region": self.region,
            "type": self.access,
            "env": self._plain(secrets) or None,
            "secrets": dict(secrets) or None,
        }

    def update_arguments(self, before: State, secrets: Mapping[str, str]) -> dict[str, Any]:
        """For `update_inference_endpoint`: everything that it takes, and all secrets.

        Nothing says whether the API merges variables or replaces them, so one that has to go is sent empty, which the handler
        takes as unset: right in both cases. A name is sent as a variable or as a secret, never as both: nothing says which of
        them a container would get.
        """
        gone = dict.fromkeys(set(before.env) - set(self.env) - set(secrets), "")
        return {**self._arguments(), "env": {**gone, **self._plain(secrets)}, "secrets": dict(secrets) or None}

    def _plain(self, secrets: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in self.env.items() if name not in secrets}

    def _arguments(self) -> dict[str, Any]:
        return {
            "repository": self.repository,
            "framework": self.framework,
            "revision": self.revision,
            "task": self.task,
            "accelerator": self.accelerator,
            "instance_type": self.instance_type,
            "instance_size": self.instance_size,
            "min_replica": self.min_replicas,
            "max_replica": self.max_replicas,
            "scale_to_zero_timeout": self.scale_to_zero_minutes,
            "scaling_metric": self.metric,
            "scaling_threshold": self.threshold,
            "custom_image": dict(self.image),
        }


@dataclass(frozen=True)
class Change:
    """One field: what is there, what is wanted, and whether the API can change it on an endpoint that exists."""

    field: str
    before: Any
    after: Any
    in_place: bool = True


def changes(there: State, wanted: State) -> list[Change]:
    """Field by field, each variable by itself. What is left to the platform (`None`) is no change, except scale-to-zero.

    They are for showing: somebody else's variable whose name says that it is a secret has its value masked.
    """
    found = []
    for one in fields(State):
        before, after = getattr(there, one.name), getattr(wanted, one.name)
        if one.name == "env":
            names = sorted(set(before) | set(after))
            found += [
                Change(f"env.{n}", _shown(n, before.get(n)), _shown(n, after.get(n)))
                for n in names
                if before.get(n) != after.get(n)
            ]
        elif one.name == "image":
            if not _covers(before, after):
                found.append(Change("image", before, after))
        elif before != after and not (after is None and one.name in ("metric", "threshold", "task")):
            # The client leaves out what is None, so that a timeout that is there cannot be taken away.
            possible = one.name not in NOT_IN_PLACE and not (one.name == "scale_to_zero_minutes" and after is None)
            found.append(Change(one.name, before, after, possible))
    return found


def _shown(name: str, value: str | None) -> str | None:
    return MASKED if value and looks_secret(name) else value


def _covers(there: Any, wanted: Any) -> bool:
    """Everything that is wanted is there; the API fills in more."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(key in there and _covers(there[key], wanted[key]) for key in wanted)
    return bool(there == wanted)


def _without_credentials(image: Raw) -> dict[str, Any]:
    return {
        kind: {key: value for key, value in part.items() if key != "credentials"} if isinstance(part, Mapping) else part
        for kind, part in image.items()
    }
