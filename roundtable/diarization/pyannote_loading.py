"""A pyannote.audio speaker diarization in memory: found, downloaded and checked by us, put together by pyannote.

A pipeline is a `config.yaml` that names up to three models: segmentation, embedding, PLDA. They lie in folders of the same
repository (community-1) or in others (3.1), of which each has conditions of its own to accept. Whatever is named there is
fetched here, through `roundtable.hub`, before pyannote sees any of it: so each refusal is one sentence that says which
repository it is about, the token stays with the Hub's client, and pyannote downloads nothing and prints no advice.

Only the clustering named VBx uses a PLDA. pyannote asks for one anyway, by default from the gated community-1; here the
others do not fetch it, and 3.1 has one gate less.

**Checkpoints are pickles, and pyannote reads them with `weights_only=False`: loading one runs whatever code is in it.** Name
only repositories that you trust, and pin DIARIZATION_REVISION: it holds for everything that lies in the pipeline's own
repository, while repositories that a config names without a revision are taken as they are that day.

Not read: pipelines of other kinds, of pyannoteAI's servers, and with embeddings of SpeechBrain, NeMo or ONNX.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from roundtable.diarization import DiarizationModel
from roundtable.diarization.pyannote_process import import_pyannote
from roundtable.errors import EngineError, EngineUnavailable, InvalidSettings
from roundtable.hub import ModelSource
from roundtable.quiet import quiet

_SETTING = "DIARIZATION_MODEL"
_EXAMPLE = "pyannote/speaker-diarization-community-1"
_CLASS = re.compile(r"pyannote\.audio\.pipelines\.(speaker_diarization\.)?SpeakerDiarization")
_REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
"""One that a config names is public and helps; a path, or what cannot be a repository, is neither."""

_WITH_PLDA, _WITHOUT_PLDA = "VBxClustering", "AgglomerativeClustering"
_WEIGHTS = {
    "segmentation": ("pytorch_model.bin",),
    "embedding": ("pytorch_model.bin",),
    "plda": ("xvec_transform.npz", "plda.npz"),
}
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPipeline:
    """`pipeline`: a SpeakerDiarization with its hyper-parameters set, evaluating on `device`. `name`: `repository@commit`."""

    pipeline: Any
    name: str
    device: torch.device


def load_pipeline(wanted: DiarizationModel, device: str | None = None) -> LoadedPipeline:
    """`device` None: CUDA if there is any. Costs what its files take to download and read: 30 MB for those released.

    Raises `InvalidSettings` for what is no pipeline for this engine, `EngineUnavailable` for what is missing or out of reach.
    """
    import_pyannote()
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    source = ModelSource(wanted.model, setting=_SETTING, revision=wanted.revision, token=wanted.token, example=_EXAMPLE)
    try:
        config = _read_config(source)
        _refuse_others(config)
        _resolve_parts(config, source, wanted)
        return LoadedPipeline(_build(config, where), source.name, where)
    except EngineError:
        raise
    except Exception as error:  # YAML of other types than expected, of a depth that nobody foresaw
        refusal = _incomplete(f"its config.yaml is not that of a pipeline ({type(error).__name__})")
    raise refusal  # out here: the cause would show paths


# ---- config.yaml


def _read_config(source: ModelSource) -> dict[str, Any]:
    path = source.files("config.yaml") / "config.yaml"
    if not path.is_file():
        raise _incomplete("it has no config.yaml, so it is no pyannote pipeline")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        config = None
    if not isinstance(config, dict):
        raise _incomplete("its config.yaml is damaged")
    return config


def _refuse_others(config: Mapping[str, Any]) -> None:
    """Say so before anything is downloaded for it."""
    if "pipeline" not in config and "model" in config:
        raise InvalidSettings(f"{_SETTING} is a single model of pyannote's; name a pipeline, such as {_EXAMPLE}.")
    name = str(config["pipeline"]["name"])
    if not _CLASS.fullmatch(name):
        kind = _printable(name.rpartition(".")[2])
        raise InvalidSettings(f"{_SETTING} is a pipeline of class {kind}: the pyannote engine takes SpeakerDiarization.")
    clustering = config["pipeline"].get("params", {}).get("clustering", _WITH_PLDA)
    if clustering not in (_WITH_PLDA, _WITHOUT_PLDA):
        raise InvalidSettings(
            f"{_SETTING} clusters by {_printable(clustering)}: the pyannote engine takes {_WITH_PLDA} and {_WITHOUT_PLDA}, "
            "which find the number of speakers themselves."
        )


# ---- the models that it names


def _resolve_parts(config: dict[str, Any], source: ModelSource, wanted: DiarizationModel) -> None:
    """Fetch each, and put its place on this machine into the config."""
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization

    defaults = inspect.signature(SpeakerDiarization).parameters
    params = config["pipeline"].setdefault("params", {})
    for part, files in _WEIGHTS.items():
        if part == "plda" and params.get("clustering") == _WITHOUT_PLDA:
            params[part] = PLDA.__new__(PLDA)  # stands where one is asked for and never used
        else:
            params[part] = _resolve(part, params.get(part, defaults[part].default), files, source, wanted)


def _resolve(
    part: str, named: str | Mapping[str, Any], files: tuple[str, ...], source: ModelSource, wanted: DiarizationModel
) -> dict[str, Any]:
    if isinstance(named, str) and named.startswith("$model/"):
        folder, _, revision = named.removeprefix("$model/").partition("@")
        own = ModelSource(wanted.model, setting=_SETTING, revision=revision, token=wanted.token) if revision else source
        return {"checkpoint": str(_fetch(part, own, folder, files))}
    given: dict[str, Any] = {"checkpoint": named} if isinstance(named, str) else dict(named)
    if isinstance(named, str) and part != "plda":
        given["strict"] = False  # as pyannote does: old checkpoints carry a loss function that nothing has a place for
    given = {name: value for name, value in given.items() if name not in ("token", "cache_dir")}
    checkpoint, revision, folder = str(given["checkpoint"]), given.pop("revision", None), given.pop("subfolder", None)
    here = _path(checkpoint, source)
    if here is not None and here.is_file():
        return {**given, "checkpoint": str(here)}
    public = here is None and _REPOSITORY.fullmatch(checkpoint)
    repository = ModelSource(
        checkpoint if here is None else str(here),
        setting=f"{checkpoint} (the {part} of {_SETTING})" if public else f"The {part} of {_SETTING}",
        revision=revision,
        revision_setting="Its revision",
        token=wanted.token,
        example=_EXAMPLE,
    )
    return {**given, "checkpoint": str(_fetch(part, repository, folder or "", files))}


def _path(checkpoint: str, source: ModelSource) -> Path | None:
    """Where a pipeline in a folder of this machine keeps a model, as seen from there or from where this process runs."""
    if not source.is_folder:
        return None
    try:
        return next((path for path in (source.files() / checkpoint, Path(checkpoint)) if path.exists()), None)
    except OSError:  # a name that is too long
        return None


def _fetch(part: str, source: ModelSource, subfolder: str, files: tuple[str, ...]) -> Path:
    prefix = f"{subfolder.strip('/')}/" if subfolder.strip("/") else ""
    folder = source.files(*(f"{prefix}{file}" for file in files)) / prefix
    for file in files:
        path = folder / file
        if not path.is_file():
            raise EngineUnavailable(f"{source.setting} cannot be loaded: it has no {file} for its {part}.")
        with path.open("rb") as content:
            if content.read(len(_LFS_POINTER)) == _LFS_POINTER:
                raise EngineUnavailable(
                    f"{source.setting} cannot be loaded: in place of its {part} it holds Git LFS's pointers (run git lfs pull)."
                )
    return folder


# ---- pyannote's part


def _build(config: dict[str, Any], device: torch.device) -> Any:
    from pyannote.audio import Pipeline
    from pyannote.audio.core.task import Resolution
    from pyannote.audio.utils.dependencies import MissingDependency, WrongDependencyVersion

    # The device is ours to choose; pyannote prints what goes wrong with the one that a config names.
    config.pop("device", None)
    config["pipeline"]["params"]["legacy"] = False  # only turns, which may overlap
    refusal: EngineError
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline: Any = Pipeline.from_pretrained(config)
            if not pipeline.instantiated:
                pipeline.instantiate(pipeline.default_parameters())
            if pipeline._segmentation.model.specifications.resolution != Resolution.FRAME:
                raise ValueError("no segmentation")
            if pipeline._embedding.model_.specifications.resolution != Resolution.CHUNK:
                raise ValueError("no embedding")
            return pipeline.to(device)
    except MissingDependency as error:
        refusal = EngineUnavailable(
            f"{_SETTING} needs {_printable(error.dependency)} {error.required}, which is not installed here."
        )
    except WrongDependencyVersion as error:
        refusal = EngineUnavailable(
            f"{_SETTING} is made for {_printable(error.dependency)} {error.required.major}, "
            f"and {error.available} is installed here."
        )
    except torch.OutOfMemoryError:
        refusal = EngineUnavailable(f"{_SETTING} does not fit into the memory of the GPU.")
    except Exception as error:  # UnpicklingError, KeyError, RuntimeError, ValueError, ImportError …: by version and by damage
        refusal = _incomplete(f"its models are damaged, or of another kind than its config.yaml says ({type(error).__name__})")
    raise refusal  # out here: the cause would show paths


def _incomplete(what: str) -> EngineUnavailable:
    return EngineUnavailable(f"{_SETTING} cannot be loaded: {what}.")


def _printable(name: object) -> str:
    return repr(re.sub(r"[^\w.-]", "?", str(name))[:64])
