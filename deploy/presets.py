"""What `deploy init` writes: a commented `endpoint.yaml` for a machine of a known size."""

from __future__ import annotations

import json
from dataclasses import dataclass

import yaml

from deploy.containers import Kind


@dataclass(frozen=True)
class Preset:
    """A machine and models that fit it."""

    machine: str
    accelerator: str
    vendor: str
    region: str
    type: str
    size: str
    asr: str
    diarization: str | None
    summary: str | None
    fits: str

    @property
    def container(self) -> Kind:
        """pyannote.audio 4 cannot be installed in the managed image."""
        return "managed" if self.diarization is None else "hf-serve"


_TURBO = "openai/whisper-large-v3-turbo"
_COMMUNITY = "pyannote/speaker-diarization-community-1"
_AWS = ("aws", "us-east-1")

PRESETS: dict[str, Preset] = {
    "cpu": Preset(
        "a CPU, for a trial",
        "cpu",
        *_AWS,
        "intel-spr",
        "x4",
        "openai/whisper-base",
        None,
        "embedded",
        "Slow: about the length of the recording. Nobody is told apart.",
    ),
    "t4": Preset(
        "one NVIDIA T4, 14 GB",
        "gpu",
        *_AWS,
        "nvidia-t4",
        "x1",
        _TURBO,
        _COMMUNITY,
        "embedded",
        "Whisper and pyannote take about 6 GB. T4s have no bfloat16: a chat model would compute in float16.",
    ),
    "l4": Preset(
        "one NVIDIA L4, 24 GB",
        "gpu",
        *_AWS,
        "nvidia-l4",
        "x1",
        _TURBO,
        _COMMUNITY,
        "Qwen/Qwen3-4B-Instruct-2507",
        "Whisper, pyannote and a chat model of 4 billion parameters take about 15 GB.",
    ),
    "a10g": Preset(
        "one NVIDIA A10G, 24 GB",
        "gpu",
        *_AWS,
        "nvidia-a10g",
        "x1",
        _TURBO,
        _COMMUNITY,
        "Qwen/Qwen3-4B-Instruct-2507",
        "As on an L4, and faster: more memory bandwidth.",
    ),
    "a100": Preset(
        "one NVIDIA A100, 80 GB",
        "gpu",
        *_AWS,
        "nvidia-a100",
        "x1",
        "openai/whisper-large-v3",
        _COMMUNITY,
        "Qwen/Qwen3-30B-A3B-Instruct-2507",
        "Whisper, pyannote and a chat model of 30 billion parameters take about 70 GB.",
    ),
}
"""The figures of memory are weights plus room to work in, estimated, not measured; `check` compares the files' real sizes."""


def models_of(preset: Preset) -> list[str]:
    """Those that lie on the Hub, whose commits `init` asks for."""
    return [model for model in (preset.asr, preset.diarization, preset.summary) if model not in (None, "embedded")]


def _scalar(name: str) -> str:
    """A name as YAML reads it back: `007` and `on` need quotes."""
    return name if yaml.safe_load(name) == name else json.dumps(name)


def render(preset: Preset, repository: str, endpoint: str, namespace: str, commits: dict[str, str]) -> str:
    """The file. A model that `commits` does not name stays without a revision, and the file says so."""
    return f"""\
# What `python -m deploy` deploys: {preset.machine}.
# {preset.fits}

repository: {_scalar(repository)}      # the model repository on the Hub that holds the handler; `publish` makes it, private
endpoint: {_scalar(endpoint)}          # up to 24 characters: lower case, digits, hyphens
namespace: {_scalar(namespace)}        # your user name or your organisation

# Who may call it. private: you or your organisation, with a token. authenticated: anyone with a Hugging Face account.
# public: anyone. The older 'protected' is taken as private, which is what it meant.
access: private

instance:                     # `hf endpoints hardware` lists what there is; `check` asks for price and quota
  vendor: {preset.vendor}
  region: {preset.region}
  accelerator: {preset.accelerator}
  type: {preset.type}
  size: {preset.size}

scaling:
  min_replicas: 0             # 0: costs nothing while nobody calls, and the first call waits for minutes. 1: always there
  max_replicas: 1
  scale_to_zero_minutes: 15   # null: never, with min_replicas of 1 or more
  metric: null                # pendingRequests or hardwareUsage, with a threshold; null: the platform's choice
  threshold: null

# Each model with the commit that is meant: a branch would change by itself. Leave diarization or summary away to do without.
# 'embedded' as the summary comes with the code and works on every image. As asr or diarization it needs packages that Hugging
# Face's images do not get: only for container.kind own. '.': the weights lie in the repository itself.
models:
  asr:
{_model(preset.asr, commits)}
{_optional("diarization", preset.diarization, commits)}
{_optional("summary", preset.summary, commits)}

{_container(preset.container)}
# Name in the container: where `apply` finds the value (env:NAME, file:PATH or stdin). Never the value itself.
# Use a token of its own here, with read access only: it is for gated models, such as pyannote's.
secrets:{" {}" if preset.diarization is None else ""}
{"#" if preset.diarization is None else " "} HF_TOKEN: env:ROUNDTABLE_RUNTIME_TOKEN

licences: [apache-2.0, mit, bsd-3-clause, cc-by-4.0]    # of models that `check` lets pass

smoke:                        # what a running endpoint has to reach, on ten seconds of speech
  max_wer: 0.35
  max_latency_s: 60
"""


def _container(kind: Kind) -> str:
    return _MANAGED if kind == "managed" else _HF_SERVE


_MANAGED = """\
container:
  kind: managed               # Hugging Face's own (Python 3.11, torch 2.5). Or hf-serve, or own (with url, port, health_route)

settings:                     # plain variables; anyone with rights on the endpoint can read them
  TIMEOUT: 600                # of the managed image's server, in seconds
"""

_HF_SERVE = """\
# hf-serve (Python 3.12), since pyannote.audio 4 cannot be installed in the managed image (Python 3.11, torch 2.5). Its price:
# recordings go in as base64 in JSON only, and /health does not answer while a request runs.
container:
  kind: hf-serve              # or managed, without diarization; or own (with url, port, health_route)
  url: null                   # null: the API's choice. Where it wants one: ghcr.io/huggingface/hf-serve:COMMIT

settings:                     # plain variables; anyone with rights on the endpoint can read them
  TASK: custom                # hf-serve serves handler.py,
  TRUST_REMOTE_CODE: 1        # as it is code that it does not come with,
  HF_SERVE_LOGGING_LEVEL: WARNING    # and would write every recording into its log at INFO
"""


def _model(model: str, commits: dict[str, str]) -> str:
    if model == "embedded":
        return f"    id: {model}"
    if model in commits:
        return f"    id: {model}\n    revision: {commits[model]}"
    return f"    id: {model}\n    revision: null            # not pinned: `check` shows the newest commit; write it here"


def _optional(stage: str, model: str | None, commits: dict[str, str]) -> str:
    return f"  {stage}: null" if model is None else f"  {stage}:\n{_model(model, commits)}"
