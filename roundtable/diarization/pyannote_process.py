"""pyannote.audio as a guest in this process: what it would do to everybody in it, kept from happening or undone.

Left to itself it reports every recording's length to its makers, prints hints and "Found only …" to stdout, lets numpy and
scikit-learn warn about every short recording, and switches TensorFloat-32 off for whatever else computes on the GPU.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module, metadata
from typing import Any

import torch

from roundtable.errors import EngineUnavailable
from roundtable.quiet import quiet

_INSTALL = "pip install 'pyannote.audio>=4.0.7,<5'"
_TELEMETRY = {"PYANNOTE_METRICS_ENABLED": "0", "ORT_DISABLE_TELEMETRY": "1"}
"""Its own, and that of onnxruntime, which it imports."""

_PRINTING = ("pyannote.audio.pipelines.clustering", "pyannote.audio.utils.vbx")
_WARNING = ("pyannote", "numpy", "sklearn", "torch")
_lock = threading.Lock()
_inside = 0
_tf32 = (False, False)


def import_pyannote() -> Any:
    """`pyannote.audio`, without telemetry unless the environment asks for it, and without a word on stdout or stderr.

    Raises `EngineUnavailable`, with what to do, where it is missing, too old or broken.
    """
    for variable, off in _TELEMETRY.items():
        os.environ.setdefault(variable, off)  # read by the import; unset means yes
    try:
        version = metadata.version("pyannote.audio")
    except metadata.PackageNotFoundError:
        version = ""
    if not version:
        raise EngineUnavailable(f"DIARIZATION_MODEL needs pyannote.audio, which is not installed: {_INSTALL}.")
    if not version.startswith("4."):
        # 3.x has no exclusive turns, no VBx, and cannot read community-1; nobody knows what 5.x has.
        raise EngineUnavailable(f"DIARIZATION_MODEL needs pyannote.audio 4, and {version} is installed: {_INSTALL}.")
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that torchcodec is missing: it reads files, and here nobody does
            pyannote = import_module("pyannote.audio")
            for name in _PRINTING:
                import_module(name).print = _say_nothing  # type: ignore[attr-defined]  # in place of the builtin, there alone
        return pyannote
    except Exception as error:  # ImportError, OSError, AttributeError …: by what is missing or does not fit
        refusal = EngineUnavailable(
            f"pyannote.audio {version} is installed but cannot be imported ({type(error).__name__}): "
            f"its versions of torch and torchaudio do not fit each other, or a package is missing; {_INSTALL}."
        )
    raise refusal  # out here: the cause would show paths


def _say_nothing(*_: object, **__: object) -> None:
    """What it says, the reply says as a warning."""


@contextmanager
def contained(device: torch.device) -> Iterator[None]:
    """Run pyannote in here, on any thread: nothing is warned meanwhile, and the last one out puts TensorFloat-32 back."""
    with _tf32_restored() if device.type == "cuda" else nullcontext(), warnings.catch_warnings():
        # Not thread-safe before Python 3.14: at worst, warnings of these packages stay off.
        for package in _WARNING:
            warnings.filterwarnings("ignore", module=rf"{package}\.")
        yield


@contextmanager
def _tf32_restored() -> Iterator[None]:
    """On a GPU pyannote switches both flags off, for accuracy. They belong to the process: the first one in remembers them."""
    global _inside, _tf32
    with _lock:
        if _inside == 0:
            _tf32 = (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = _tf32
