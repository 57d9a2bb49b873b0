"""What the images bring along, and what of endpoint.yaml cannot run in them: known before anything is paid for."""

from __future__ import annotations

from typing import Literal

from deploy.findings import GREEN, RED, YELLOW, Finding
from deploy.settings import unknown
from deploy.specification import Specification

Kind = Literal["managed", "hf-serve", "own"]

IMAGE: dict[Kind, str] = {"managed": "the managed image", "hf-serve": "hf-serve's image", "own": "an image of your own"}

PYTHON: dict[Kind, str | None] = {"managed": "3.11", "hf-serve": "3.12", "own": None}
"""Of the image. None: whoever built it knows."""

EMBEDDED_NEEDS = "requirements-local.txt and requirements-weights.txt"

_NOT_THERE = (
    f"embedded: its engine needs packages that this image does not get ({EMBEDDED_NEEDS}); container.kind own, an image \
that has them, or a model of the Hub"
)
_NO_PYANNOTE = (
    "pyannote.audio 4 cannot be installed in the managed image (Python 3.11, torch 2.5.1): container.kind hf-serve, or own"
)
_NOT_TRUSTED = "hf-serve runs no handler.py without it: set TRUST_REMOTE_CODE to 1"
_LOGGED = "hf-serve writes each request, recording and all, into its log: set HF_SERVE_LOGGING_LEVEL to WARNING"
_QUIET = ("WARNING", "ERROR", "CRITICAL")


def container_findings(specification: Specification) -> list[Finding]:
    """The engines and the settings against the image."""
    return [*_engines(specification), *_hf_serve(specification), *_settings(specification)]


def _engines(specification: Specification) -> list[Finding]:
    kind, models = specification.container.kind, specification.models
    found = []
    for stage in ("asr", "diarization"):
        model = models.named().get(stage)
        if model is not None and model.id == "embedded" and kind != "own":
            found.append(Finding(RED, f"models.{stage}", _NOT_THERE))
    if models.diarization is not None and models.diarization.id != "embedded" and kind == "managed":
        found.append(Finding(RED, "models.diarization", _NO_PYANNOTE))
    return found


def _hf_serve(specification: Specification) -> list[Finding]:
    if specification.container.kind != "hf-serve":
        return []
    found, settings = [], specification.settings
    if settings.get("TRUST_REMOTE_CODE", "").lower() not in ("1", "true"):
        found.append(Finding(RED, "settings.TRUST_REMOTE_CODE", _NOT_TRUSTED))
    if settings.get("HF_SERVE_LOGGING_LEVEL", "").upper() not in _QUIET:
        found.append(Finding(YELLOW, "settings.HF_SERVE_LOGGING_LEVEL", _LOGGED))
    return found


def _settings(specification: Specification) -> list[Finding]:
    return [Finding(YELLOW, f"settings.{name}", reason) for name, reason in unknown(specification.settings).items()]


def without_download(stage: str, model_id: str) -> Finding:
    """What is said of a model that does not come from the Hub."""
    what = f"models.{stage}"
    if model_id == ".":
        return Finding(GREEN, what, ".: the weights lie in the repository")
    if stage == "summary":
        return Finding(GREEN, what, "embedded: comes with the code, on every image")
    return Finding(GREEN, what, f"embedded: nothing to download, in an image that has {EMBEDDED_NEEDS}")
