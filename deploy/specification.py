"""`endpoint.yaml`: the one file that says what is deployed. Every field, with its unit, range and consequence.

Wrong values are refused with the line that holds them. Secrets are named here, never held.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from deploy.access import Written
from deploy.errors import InvalidSpecification
from deploy.plain_reasons import did_you_mean, reason_of
from deploy.secrets import SOURCE
from deploy.settings import MODEL_SETTINGS, as_text, problems
from deploy.specification_parts import (
    COMMIT,
    ENDPOINT_PATTERN,
    ENDPOINT_RULE,
    NAMESPACE_RULE,
    NOT_ON_THE_HUB,
    REPOSITORY_PATTERN,
    REPOSITORY_RULE,
    Container,
    Instance,
    Model,
    Models,
    Part,
    Scaling,
    Smoke,
    is_owner,
    is_repository,
)
from deploy.yaml_lines import NEXT_STEP, line_of, load_with_lines

__all__ = ["COMMIT", "MODEL_SETTINGS", "NOT_ON_THE_HUB", "Model", "Smoke", "Specification"]

_RULES = {
    "repository": REPOSITORY_RULE,
    "endpoint": ENDPOINT_RULE,
    "namespace": NAMESPACE_RULE,
    "container.health_route": "must begin with /",
}
"""In words, what a pattern says."""


class Specification(Part):
    """All of `endpoint.yaml`."""

    repository: str = Field(pattern=REPOSITORY_PATTERN)
    """The model repository that the handler is published to and deployed from."""

    endpoint: str = Field(pattern=ENDPOINT_PATTERN)
    """The endpoint's name: lower case, digits and hyphens, up to 24, so that `-canary` still fits the API's 32."""

    namespace: str = Field(min_length=1, pattern=r"^[\w.-]+$")
    """Whose endpoint it is: your user name, or an organisation."""

    access: Written = "private"
    """`private`, `authenticated` or `public`. `protected` is deployed as `private`: see `deploy/access.py`."""

    instance: Instance
    scaling: Scaling = Scaling()
    models: Models
    container: Container = Container()
    settings: dict[str, str] = Field(default_factory=dict)
    """Plain variables, such as ASR_DTYPE or MAX_AUDIO_SECONDS. Anyone with rights on the endpoint sees them. The handler's own
    are held against its rules; `check` names those that nobody is known to read."""

    secrets: dict[str, Annotated[str, Field(pattern=f"^(?:{SOURCE.pattern})$")]] = Field(default_factory=dict)
    """Name in the container: where its value is found at `apply` (`env:NAME`, `file:PATH` or `stdin`)."""

    licences: tuple[str, ...] = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0")
    """Licences of models that `check` lets pass."""

    smoke: Smoke = Smoke()

    @field_validator("repository")
    @classmethod
    def _a_repository(cls, name: str) -> str:
        if not is_repository(name):
            raise ValueError(REPOSITORY_RULE)
        return name

    @field_validator("namespace")
    @classmethod
    def _an_owner(cls, name: str) -> str:
        if not is_owner(name):
            raise ValueError(NAMESPACE_RULE)
        return name

    @field_validator("settings", mode="before")
    @classmethod
    def _as_text(cls, values: Any) -> Any:
        return as_text(values) if isinstance(values, dict) else values

    @field_validator("settings")
    @classmethod
    def _plain(cls, values: dict[str, str]) -> dict[str, str]:
        if found := problems(values):
            raise _Inside(found)
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
                f"{path.name} is not there, or cannot be read",
                "write one with `python -m deploy init --repository OWNER/NAME`, or name it with --file",
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
            wrong = [one for finding in error.errors(include_input=False, include_url=False) for one in _explained(finding)]
        found = [(line_of(place, lines), ".".join(map(str, place)), reason) for place, reason in wrong]
        listed = [f"line {line}: {place + ': ' if place else ''}{reason}" for line, place, reason in sorted(found)]
        raise InvalidSpecification(f"{name}, {'; '.join(listed)}", NEXT_STEP)


class _Inside(ValueError):  # noqa: N818  # pydantic's contract wants a ValueError; people see what is in it
    """What is wrong with values of a dictionary, by name."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name} {reason}" for name, reason in found))
        self.found = found


def _explained(finding: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Each place that a finding of pydantic's is about, with a plain sentence."""
    place = finding["loc"]
    inside = finding.get("ctx", {}).get("error")
    if isinstance(inside, _Inside):
        return [((*place, name), reason) for name, reason in inside.found]
    meant = did_you_mean(place, Specification) if finding["type"] == "extra_forbidden" else ""
    return [(place, reason_of(finding, _RULES.get(".".join(map(str, place)), "")) + meant)]
