"""The parts of `endpoint.yaml`: models, machine, scaling, container, and what names can be. Every field with unit and range."""

from __future__ import annotations

import re
from typing import Any, Literal

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id
from pydantic import BaseModel, ConfigDict, Field, model_validator

from deploy.settings import MODEL_SETTINGS

COMMIT = re.compile(r"[0-9a-f]{40}")
NOT_ON_THE_HUB = (".", "embedded")

REPOSITORY_RULE = "must be OWNER/NAME as the Hub allows it"
NAMESPACE_RULE = "must be the name of a user or an organisation"
ENDPOINT_RULE = "must be up to 24 lower case letters, digits and hyphens, no hyphen first or last"

REPOSITORY_PATTERN = r"^[\w.-]{1,96}/[\w.-]{1,96}$"
ENDPOINT_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$"


def is_repository(name: str) -> bool:
    """Whether the Hub could have a repository of this name: its own client's rules, and no letter beyond ASCII."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.isascii() and re.match(REPOSITORY_PATTERN, name) is not None and not name.startswith(".")


def is_owner(name: str) -> bool:
    """Whether a user or an organisation could have this name."""
    return is_repository(f"{name}/x")


def is_endpoint(name: str) -> bool:
    """Whether an endpoint could have this name."""
    return re.fullmatch(ENDPOINT_PATTERN, name) is not None


class Part(BaseModel):
    """Immutable; a field that is not there is refused, and so is a number that is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)


class Model(Part):
    """One model: a Hub id with its commit, `.` (the weights lie in the repository) or `embedded` (both without)."""

    id: str = Field(min_length=1, max_length=200)
    revision: str | None = None
    """A commit of 40 digits; `check` is red without, and `apply` refuses."""

    @property
    def on_the_hub(self) -> bool:
        return self.id not in NOT_ON_THE_HUB

    @property
    def pinned(self) -> bool:
        return not self.on_the_hub or (self.revision is not None and COMMIT.fullmatch(self.revision) is not None)

    @model_validator(mode="after")
    def _revision_fits(self) -> Model:
        if not self.on_the_hub and self.revision is not None:
            raise ValueError(f"revision is for models on the Hub; leave it away for '{self.id}'")
        if self.on_the_hub and not is_repository(self.id):
            raise ValueError("id must be OWNER/NAME of a model on the Hub, '.' or 'embedded'")
        return self


class Models(Part):
    """The three models. Without diarization nobody is told apart; without summary nothing is summed up."""

    asr: Model
    diarization: Model | None = None
    summary: Model | None = None

    def named(self) -> dict[str, Model]:
        """Those that are there, by the name of their stage."""
        return {stage: model for stage in MODEL_SETTINGS if (model := getattr(self, stage)) is not None}


class Instance(Part):
    """The machine of one replica, in the API's own names: `hf endpoints hardware` lists them."""

    vendor: str = Field(min_length=1)
    region: str = Field(min_length=1)
    accelerator: Literal["cpu", "gpu", "neuron"]
    type: str = Field(min_length=1)
    size: str = Field(min_length=1)


class Scaling(Part):
    """How many replicas, and when there are more or none."""

    min_replicas: int = Field(default=0, ge=0, le=64)
    """0: none while nobody calls, after `scale_to_zero_minutes`; the first call then waits for minutes."""

    max_replicas: int = Field(default=1, ge=1, le=64)
    scale_to_zero_minutes: int | None = Field(default=15, ge=1, le=7 * 24 * 60)
    """Minutes without a request. null: never; then `min_replicas` must be at least 1."""

    metric: Literal["pendingRequests", "hardwareUsage"] | None = None
    """What adds replicas. null: the platform's choice."""

    threshold: float | None = Field(default=None, gt=0)
    """Requests that wait per replica, or usage in percent; with `metric` only."""

    @model_validator(mode="after")
    def _fits(self) -> Scaling:
        if self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas must not be more than max_replicas")
        if self.min_replicas == 0 and self.scale_to_zero_minutes is None:
            raise ValueError("min_replicas 0 needs scale_to_zero_minutes")
        if (self.metric is None) != (self.threshold is None):
            raise ValueError("metric and threshold go together")
        return self


class Container(Part):
    """What the handler runs in: Hugging Face's managed image, its hf-serve image, or our own."""

    kind: Literal["managed", "hf-serve", "own"] = "managed"
    url: str | None = None
    """Of the image; `own` needs it. For hf-serve null leaves it to the API, whose default is not documented."""

    port: int | None = Field(default=None, ge=1, le=65535)
    health_route: str = Field(default="/health", pattern=r"^/")

    @model_validator(mode="after")
    def _fits(self) -> Container:
        if self.kind == "own" and self.url is None:
            raise ValueError("kind own needs the url of the image")
        if self.kind == "managed" and (self.url is not None or self.port is not None):
            raise ValueError("url and port are for kind own and hf-serve")
        return self

    @property
    def takes_raw_audio(self) -> bool:
        return self.kind != "hf-serve"  # its custom router takes JSON alone

    def image(self) -> dict[str, Any]:
        """As the API wants it: a dictionary whose one key is the kind."""
        if self.kind == "managed":
            return {"huggingface": {}}
        fields = {"url": self.url, "port": self.port, "healthRoute": self.health_route}
        return {"hfServe" if self.kind == "hf-serve" else "custom": {k: v for k, v in fields.items() if v is not None}}


class Smoke(Part):
    """What the running endpoint has to reach before it counts as good."""

    max_wer: float = Field(default=0.35, ge=0, le=1)
    """Word error rate on the recording that is sent, after normalisation."""

    max_latency_s: float = Field(default=60.0, gt=0, le=3600)
    """Seconds for one request with that recording, about ten seconds of speech."""
