"""The files of a transformers checkpoint, whatever it is a model of: its JSON, and its weights, fetched once and in one format.

Shared by the engines that load one. Every refusal is a sentence about the setting that names the model; no path stands in it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from roundtable.errors import EngineUnavailable
from roundtable.hub import ModelSource

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
"""Which file holds which weights, where they come in several."""

_LFS_POINTER = b"version https://git-lfs"


def fetch_weights(folder: Path, source: ModelSource) -> bool:
    """Get the weights into `folder`, once and in one format, as transformers would choose. Returns whether they are pickled.

    Raises `EngineUnavailable` when there are none, when some are missing, or when torch is too old to read pickles safely.
    """
    import torch

    for whole, pickled in (("model.safetensors", False), ("pytorch_model.bin", True)):
        shards = read_json(folder / f"{whole}.index.json", source).get("weight_map")
        wanted = sorted(set(shards.values())) if isinstance(shards, dict) else [whole]
        source.files(*wanted)
        if (folder / whole).is_file():
            wanted = [whole]
        present = [name for name in wanted if (folder / name).is_file()]
        if not present:
            continue
        if len(present) < len(wanted):
            raise incomplete(source, f"{len(wanted) - len(present)} of its {len(wanted)} weight files are missing")
        for name in present:
            with (folder / name).open("rb") as file:
                if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
                    raise incomplete(source, "in place of the weights it holds Git LFS's pointers to them (run git lfs pull)")
        if pickled and _version(torch.__version__) < (2, 6):
            # Before, a crafted file could run code in spite of `weights_only` (CVE-2025-32434).
            raise EngineUnavailable(
                f"{source.setting} has pickled weights only, which torch reads safely from 2.6 on; save them as safetensors."
            )
        return pickled
    raise incomplete(source, "it has no weights: neither model.safetensors nor pytorch_model.bin")


def read_json(path: Path, source: ModelSource) -> dict[str, Any]:
    """A missing file is an empty object."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise incomplete(source, f"its {path.name} is damaged")
    return content


def incomplete(source: ModelSource, what: str) -> EngineUnavailable:
    return EngineUnavailable(f"{source.setting} cannot be loaded: {what}.")


def printable(name: object) -> str:
    """A name out of a model's files, made safe for a message."""
    return repr(re.sub(r"[^\w.-]", "?", str(name))[:64])


def dtype_keyword(transformers_version: str) -> str:
    """What `from_pretrained` calls it. Unless told, it would take float16 weights as they are, on a CPU too."""
    return "dtype" if _version(transformers_version) >= (4, 56) else "torch_dtype"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
