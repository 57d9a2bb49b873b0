"""A pyannote pipeline whose speakers are tones: what it should find is known exactly, and every step of it is pyannote's own.

    python -m tests.models.tones --out DIR

The two networks are a spectrum and a threshold. Everything around them is real: `Pipeline.from_pretrained`, checkpoints read by
lightning, windows, powerset, counting, masks, clustering (VBx, agglomerative, k-means), exclusive turns. As in a trained
segmentation, the speakers of a window are numbered anew in every window, so that the clustering has something to do.

A few kB on disk; a minute of sound takes a tenth of a second.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")  # before the import below, which would switch it on

import lightning
import numpy as np
import torch
import yaml
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from torch import Tensor

from roundtable.audio import SAMPLE_RATE_HZ, Audio

TONES_HZ = (300, 800, 1300, 1800)
"""One speaker each, whole waves in a frame."""

FRAME_S = 0.01
CHUNK_S = 10.0
_FRAME = round(FRAME_S * SAMPLE_RATE_HZ)
_CLASSES = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
"""pyannote's powerset of three speakers, at most two at a time."""

_LOUDNESS = 0.2
_AUDIBLE = _LOUDNESS / 2
_DIMENSION = 16

Said = tuple[float, float, int]
"""Start and end in seconds, and which of the tones."""


def conversation(said: Sequence[Said], seconds: float) -> Audio:
    """The tones at these times, silence between; read-only as every recording."""
    samples = np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)
    for start, end, tone in said:
        span = np.arange(round(start * SAMPLE_RATE_HZ), min(round(end * SAMPLE_RATE_HZ), len(samples)))
        samples[span] += _LOUDNESS * np.sin(2 * np.pi * TONES_HZ[tone] * span / SAMPLE_RATE_HZ).astype(np.float32)
    samples.flags.writeable = False
    return Audio(samples)


class _ToneModel(Model):
    """`room`: more rows at once than this are more than its memory holds."""

    def __init__(self, sample_rate: int = SAMPLE_RATE_HZ, num_channels: int = 1, room: int = 1 << 30) -> None:
        super().__init__(sample_rate=sample_rate, num_channels=num_channels)
        self.save_hyperparameters("room")
        self._room = room
        self.weight = torch.nn.Parameter(torch.ones(1))  # lightning finds a model's device by its weights

    def spectrum(self, waveforms: Tensor) -> Tensor:
        """(rows, 1, samples) to (rows, frames, bins of 100 Hz): the amplitude of a sine in each."""
        rows, _, samples = waveforms.shape
        if rows > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if samples < _FRAME:
            raise ValueError("not a single frame")
        frames = waveforms[:, 0, : samples - samples % _FRAME].reshape(rows, -1, _FRAME)
        amplitudes: Tensor = torch.fft.rfft(frames * self.weight).abs() * (2 / _FRAME)
        return amplitudes

    def num_frames(self, num_samples: int) -> int:
        return num_samples // _FRAME

    def receptive_field_size(self, num_frames: int = 1) -> int:
        return num_frames * _FRAME

    def receptive_field_center(self, frame: int = 0) -> float:
        return frame * _FRAME + (_FRAME - 1) / 2


class ToneSegmentation(_ToneModel):
    """Who speaks in a frame; speakers are numbered by their first frame in the window."""

    @property
    def dimension(self) -> int:
        return len(_CLASSES)

    def forward(self, waveforms: Tensor, **_: Any) -> Tensor:
        """(rows, frames, classes): 1 for the class that it is, 0 for the others."""
        bins = [hz * _FRAME // SAMPLE_RATE_HZ for hz in TONES_HZ]
        heard = (self.spectrum(waveforms)[:, :, bins] > _AUDIBLE).cpu().numpy()
        classes = np.zeros((*heard.shape[:2], len(_CLASSES)), np.float32)
        for of_row, row in zip(classes, heard, strict=True):
            by_first_frame = sorted(np.flatnonzero(row.any(axis=0)), key=lambda tone: row[:, tone].argmax())
            for frame, tones in enumerate(row[:, by_first_frame[:3]]):
                of_row[frame, _CLASSES.index(tuple(np.flatnonzero(tones)[:2]))] = 1.0
        return torch.from_numpy(classes).to(waveforms.device)


class ToneEmbedding(_ToneModel):
    """The mean spectrum of a speaker's frames, in bands of 500 Hz. Equal tones are equal voices, silence is the zero vector."""

    @property
    def dimension(self) -> int:
        return _DIMENSION

    def forward(self, waveforms: Tensor, weights: Tensor | None = None, **_: Any) -> Tensor:
        spectrum = self.spectrum(waveforms)[:, :, : 5 * _DIMENSION]
        bands = spectrum.reshape(*spectrum.shape[:2], _DIMENSION, 5).sum(dim=3)
        weights = torch.ones(bands.shape[:2], device=bands.device) if weights is None else weights
        weights = torch.nn.functional.interpolate(weights[:, None], size=bands.shape[1], mode="nearest")[:, 0, :, None]
        return (bands * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)


VBX = {"clustering": {"threshold": 0.6, "Fa": 0.5, "Fb": 0.8}, "segmentation": {"min_duration_off": 0.0}}
"""With `Fa` as released (0.07) a handful of embeddings is not enough evidence for a second speaker."""

AGGLOMERATIVE = {
    "clustering": {"method": "centroid", "min_cluster_size": 2, "threshold": 0.7},
    "segmentation": {"min_duration_off": 0.0},
}


def config(*, params: Mapping[str, Any] = VBX, **pipeline: Any) -> dict[str, Any]:
    """The content of a `config.yaml`. `pipeline`: parameters beside or in place of those of community-1; None: left out."""
    given = {
        "clustering": "VBxClustering",
        "segmentation": "$model/segmentation",
        "segmentation_batch_size": 32,
        "embedding": "$model/embedding",
        "embedding_batch_size": 32,
        "embedding_exclude_overlap": True,
        "plda": "$model/plda",
        **pipeline,
    }
    return {
        "dependencies": {"pyannote.audio": "4.0.0"},
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {name: value for name, value in given.items() if value is not None},
        },
        "params": dict(params),
    }


def write_config(folder: Path, content: Mapping[str, Any]) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(content)), encoding="utf-8")


def tone_pipeline(
    folder: Path,
    *,
    lightning_version: str = lightning.__version__,
    segmentation_room: int = 1 << 30,
    embedding_room: int = 1 << 30,
) -> Path:
    """Write a whole pipeline into `folder`, laid out like pyannote/speaker-diarization-community-1. Returns the folder."""
    frames = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=CHUNK_S,
        warm_up=(0.0, 0.0),
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    chunks = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=CHUNK_S, classes=None)
    _save(folder / "segmentation", ToneSegmentation(room=segmentation_room), frames, lightning_version)
    _save(folder / "embedding", ToneEmbedding(room=embedding_room), chunks, lightning_version)
    (folder / "plda").mkdir()
    even, rising = np.eye(_DIMENSION), np.linspace(20, 10, _DIMENSION)
    np.savez(folder / "plda" / "xvec_transform.npz", mean1=np.zeros(_DIMENSION), mean2=np.zeros(_DIMENSION), lda=even)
    np.savez(folder / "plda" / "plda.npz", mu=np.zeros(_DIMENSION), tr=even, psi=rising)
    write_config(folder, config())
    return folder


def _save(folder: Path, model: Any, specifications: Specifications, lightning_version: str) -> None:
    model.specifications = specifications
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning_version,
        "epoch": 0,
        "global_step": 0,
    }
    model.on_save_checkpoint(checkpoint)
    folder.mkdir(parents=True)
    torch.save(checkpoint, folder / "pytorch_model.bin")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    # Checkpoints name the module of their class, and that is not __main__.
    from tests.models import tones

    tones.tone_pipeline(parser.parse_args().out)
