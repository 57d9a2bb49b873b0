"""`settings` of endpoint.yaml: plain variables. Those of the handler are held against its own rules; a host may have others."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from config import ModelSettings
from deploy.plain_reasons import reason_of
from deploy.secrets import TOKEN_LIKE, looks_secret

MODEL_SETTINGS = {"asr": "ASR", "diarization": "DIARIZATION", "summary": "SUMMARIZE"}
"""The start of the handler's variables for each model."""

HOST_SETTINGS = frozenset(
    {
        *("TIMEOUT", "WORKERS", "TASK", "TRUST_REMOTE_CODE", "CUSTOM_HANDLER_FILE", "HF_SERVE_LOGGING_LEVEL"),
        *("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF", "HF_HOME"),
        *("PYANNOTE_METRICS_ENABLED", "ORT_DISABLE_TELEMETRY"),
    }
)
"""Variables that the hosts' servers, or libraries in the image, read themselves."""

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_OURS = frozenset(name.upper() for name in ModelSettings.model_fields)
_SET_BY_MODELS = frozenset(f"{start}_{end}" for start in MODEL_SETTINGS.values() for end in ("MODEL", "REVISION"))


class _FromTheFile(ModelSettings):
    """The handler's settings from endpoint.yaml alone: whoever deploys may have variables of their own."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def as_text(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """YAML reads 600 as a number and true as a boolean; a variable is text. Anything else stays, to be refused."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, (int, float)) else value
        for name, value in values.items()
    }


def problems(settings: Mapping[str, str]) -> list[tuple[str, str]]:
    """`(name, what is wrong with it)`, in order. No value is quoted: it may be a secret in the wrong place."""
    found = [(name, reason) for name, value in settings.items() if (reason := _refusal(name, value))]
    values = {name.lower(): value for name, value in settings.items() if name in _OURS - _SET_BY_MODELS and value}
    try:
        _FromTheFile(asr_model="embedded", **values)  # type: ignore[arg-type]  # text is what the environment has, too
    except ValidationError as error:
        wrong = [(str(one["loc"][0]).upper(), reason_of(one)) for one in error.errors(include_input=False, include_url=False)]
        found += [(name, reason) for name, reason in wrong if name not in dict(found)]
    order = list(settings)
    return sorted(found, key=lambda one: order.index(one[0]))


def unknown(settings: Mapping[str, str]) -> dict[str, str]:
    """What neither the handler nor a host that we know reads, with what may have been meant."""
    found = {}
    for name in settings:
        if name not in _OURS | HOST_SETTINGS:
            close = difflib.get_close_matches(name, sorted(_OURS - _SET_BY_MODELS | HOST_SETTINGS), 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            found[name] = f"the handler does not know it, nor do the hosts that this tool knows{meant}"
    return found


def _refusal(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        return "must be the name of a variable: capitals, digits and _"
    if looks_secret(name) or TOKEN_LIKE.search(value):
        return "looks like a secret: name it under secrets"
    return "is set by models" if name in _SET_BY_MODELS else ""
