"""`endpoint.yaml`: the one file that says what is deployed. Every field, with its unit, range and consequence.

Wrong values are refused with the line that holds them. Secrets are named here, never held.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from config import ModelSettings
from deploy.access import Access
from deploy.errors import InvalidSpecification
from deploy.secrets import SOURCE, TOKEN_LIKE, looks_secret
from deploy.yaml_lines import NEXT_STEP, line_of, load_with_lines

COMMIT = re.compile(r"[0-9a-f]{40}")
NOT_ON_THE_HUB = (".", "embedded")
MODEL_SETTINGS = {"asr": "ASR", "diarization": "DIARIZATION", "summary": "SUMMARIZE"}
"""The start of the handler's variables for each model."""

_REPOSITORY = r"^[\w.-]{1,96}/[\w.-]{1,96}$"


def is_repository(name: str) -> bool:
    """Whether the Hub could have a repository of this name: its own client's rules, and no letter beyond ASCII."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.isascii() and re.match(_REPOSITORY, name) is not None and not name.startswith(".")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)


class Model(_Part):
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


class Models(_Part):
    """The three models. Without diarization nobody is told apart; without summary nothing is summed up."""

    asr: Model
    diarization: Model | None = None
    summary: Model | None = None

    def named(self) -> dict[str, Model]:
        """Those that are there, by the name of their stage."""
        return {stage: model for stage in MODEL_SETTINGS if (model := getattr(self, stage)) is not None}


class Instance(_Part):
    """The machine of one replica, in the API's own names: `hf endpoints hardware` lists them."""

    vendor: str = Field(min_length=1)
    region: str = Field(min_length=1)
    accelerator: Literal["cpu", "gpu", "neuron"]
    type: str = Field(min_length=1)
    size: str = Field(min_length=1)


class Scaling(_Part):
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


class Container(_Part):
    """What the handler runs in: Hugging Face's managed image, its hf-serve image, or our own."""

    kind: Literal["managed", "hf-serve", "own"] = "managed"
    url: str | None = None
    """Of the image; `own` needs it, and hf-serve has one by default."""

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


class Smoke(_Part):
    """What the running endpoint has to reach before it counts as good."""

    max_wer: float = Field(default=0.35, ge=0, le=1)
    """Word error rate on the recording that is sent, after normalisation."""

    max_latency_s: float = Field(default=60.0, gt=0, le=3600)
    """Seconds for one request with that recording, about ten seconds of speech."""


class Specification(_Part):
    """All of `endpoint.yaml`."""

    repository: str = Field(pattern=_REPOSITORY)
    """The model repository that the handler is published to and deployed from."""

    endpoint: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$")
    """The endpoint's name: lower case, digits and hyphens, up to 24, so that `-canary` still fits the API's 32."""

    namespace: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    """Whose endpoint it is: your user name, or an organisation."""

    access: Access | Literal["protected"] = "private"
    """`private`, `authenticated` or `public`. `protected` is deployed as `private`: see `deploy/access.py`."""

    instance: Instance
    scaling: Scaling = Scaling()
    models: Models
    container: Container = Container()
    settings: dict[str, str] = Field(default_factory=dict)
    """Plain variables for the handler, such as ASR_DTYPE or MAX_AUDIO_SECONDS. Anyone with rights on the endpoint sees them."""

    secrets: dict[str, Annotated[str, Field(pattern=f"^(?:{SOURCE.pattern})$")]] = Field(default_factory=dict)
    """Name in the container: where its value is found at `apply` (`env:NAME`, `file:PATH` or `stdin`)."""

    licences: tuple[str, ...] = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0")
    """Licences of models that `check` lets pass."""

    smoke: Smoke = Smoke()

    @field_validator("repository")
    @classmethod
    def _a_repository(cls, name: str) -> str:
        if not is_repository(name):
            raise ValueError("must be OWNER/NAME as the Hub allows it")
        return name

    @field_validator("namespace")
    @classmethod
    def _an_owner(cls, name: str) -> str:
        if not is_repository(f"{name}/x"):
            raise ValueError("must be the name of a user or an organisation")
        return name

    @field_validator("settings", mode="before")
    @classmethod
    def _as_text(cls, values: Any) -> Any:
        # YAML reads 600 as a number and true as a boolean; a variable is text.
        if not isinstance(values, dict):
            return values
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, (int, float)) else value
            for name, value in values.items()
        }

    @field_validator("settings")
    @classmethod
    def _plain(cls, values: dict[str, str]) -> dict[str, str]:
        ours = {name.upper() for name in ModelSettings.model_fields}
        named_elsewhere = {f"{start}_{end}" for start in MODEL_SETTINGS.values() for end in ("MODEL", "REVISION")}
        for name, value in values.items():
            if looks_secret(name) or TOKEN_LIKE.search(value):
                raise ValueError(f"{name} looks like a secret: name it under secrets")
            if name in named_elsewhere:
                raise ValueError(f"{name} is set by models")
            if name not in ours and name not in _HOSTS_SETTINGS:
                raise ValueError(f"{name} is not a setting of the handler or its host")
        return values

    @field_validator("secrets", mode="before")
    @classmethod
    def _no_values(cls, values: Any) -> Any:
        if isinstance(values, dict) and any(not isinstance(v, str) or not SOURCE.fullmatch(v) for v in values.values()):
            raise ValueError("each secret is env:NAME, file:PATH or stdin, never a value")  # without quoting it
        return values

    @property
    def canary(self) -> str:
        """The name of the second endpoint that `apply --canary` tries a revision on."""
        return f"{self.endpoint}-canary"

    def environment(self) -> dict[str, str]:
        """The plain variables of the container."""
        variables = dict(self.settings)
        for stage, model in self.models.named().items():
            start = MODEL_SETTINGS[stage]
            variables[f"{start}_MODEL"] = model.id
            if model.revision is not None:
                variables[f"{start}_REVISION"] = model.revision
        return variables

    @classmethod
    def load(cls, path: Path) -> Specification:
        """Read and check a file. Raises `InvalidSpecification`, naming the line of each wrong field."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise InvalidSpecification(
                f"{path.name} is not there, or cannot be read", "write one with `python -m deploy init`, or name it with --file"
            ) from None
        return cls.parse(text, path.name)

    @classmethod
    def parse(cls, text: str, name: str = "endpoint.yaml") -> Specification:
        """The same from text. No value is quoted: somebody may have written a token where it does not belong."""
        values, lines = load_with_lines(text, name)
        if not isinstance(values, dict):
            raise InvalidSpecification(f"{name}, line 1: must be fields and values", NEXT_STEP)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = [
                (line_of(one["loc"], lines), ".".join(map(str, one["loc"])), _reason(one["type"], one["msg"]))
                for one in error.errors(include_input=False, include_url=False)
            ]
        found = [f"line {line}: {place + ': ' if place else ''}{reason}" for line, place, reason in sorted(problems)]
        raise InvalidSpecification(f"{name}, {'; '.join(found)}", NEXT_STEP)


_HOSTS_SETTINGS = frozenset({"TIMEOUT", "WORKERS", "TRUST_REMOTE_CODE", "CUSTOM_HANDLER_FILE", "OMP_NUM_THREADS"})
"""Variables that Hugging Face's servers read themselves."""


def _reason(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown field"
    if kind == "missing":
        return "is missing"
    return message.removeprefix("Value error, ")
