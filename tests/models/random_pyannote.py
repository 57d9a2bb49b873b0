"""A pyannote pipeline with random weights in the published shapes: for speed, memory and identity, offline.

    python -m tests.models.random_pyannote --out DIR [--seed 0]

The folder is laid out like `pyannote/speaker-diarization-community-1` and is loaded by the real `Pipeline.from_pretrained`:
PyanNet as in segmentation-3.0, WeSpeakerResNet34, a PLDA from 256 to 128 dimensions, VBx (27 MB). Nothing in it was trained.
So that it still finds turns of several speakers, which a comparison of turns needs, statistics of one real recording are
written into it: batch norms get its means and variances, and the two output layers are shifted and scaled until every class
of speakers occurs and embeddings point in all directions.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")  # before the import below, which would switch it on

import lightning
import numpy as np
import torch
import yaml
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34, XVectorSincNet
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet
from pyannote.audio.models.segmentation import PyanNet

from roundtable.audio import SAMPLE_RATE_HZ, decode_audio

_RECORDING = Path(__file__).resolve().parents[2] / "samples" / "call.flac"
_CHUNK_S, _CHUNKS, _PIECES = 10, 4, 50
_DIMENSION, _PLDA_DIMENSION = 256, 128


class SlimResNet(WeSpeakerResNet34):
    """The same kind of network with a hundredth of the work, where only the number of chunks matters."""

    def __init__(self) -> None:
        super().__init__()
        make: Any = ResNet
        self.resnet = make(BasicBlock, [1, 1, 1, 1], m_channels=4, feat_dim=80, embed_dim=_DIMENSION, two_emb_layer=False)


# Embedding networks by name. X-vectors have no `forward_frames`.
EMBEDDINGS: dict[str, Callable[[], Any]] = {"resnet34": WeSpeakerResNet34, "slim": SlimResNet, "xvector": XVectorSincNet}


def random_pyannote(
    folder: Path,
    seed: int = 0,
    *,
    embedding: str = "resnet34",
    lstm: tuple[int, int] = (128, 4),
    exclude_overlap: bool = True,
    batch_size: int = 8,
) -> None:
    """Write a pipeline. `embedding`: a key of `EMBEDDINGS`; `lstm`: units and layers of the segmentation."""
    chunks = _chunks()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _save(folder / "segmentation", _segmentation(chunks, *lstm))
        speakers, voices = _embedding(EMBEDDINGS[embedding](), chunks)
    _save(folder / "embedding", speakers)
    _save_plda(folder / "plda", voices, seed)
    settings = {
        "dependencies": {"pyannote.audio": "4.0.0"},
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {
                "clustering": "VBxClustering",
                "segmentation": "$model/segmentation",
                "segmentation_batch_size": batch_size,
                "embedding": "$model/embedding",
                "embedding_batch_size": batch_size,
                "embedding_exclude_overlap": exclude_overlap,
                "plda": "$model/plda",
            },
        },
        "params": {"clustering": {"threshold": 0.6, "Fa": 0.5, "Fb": 0.3}, "segmentation": {"min_duration_off": 0.0}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def _chunks() -> torch.Tensor:
    """(chunks, 1, samples): the beginning of a recording."""
    samples = decode_audio(_RECORDING.read_bytes(), max_bytes=10**7, max_seconds=3600).samples
    return torch.from_numpy(samples[: _CHUNKS * _CHUNK_S * SAMPLE_RATE_HZ].copy()).reshape(_CHUNKS, 1, -1)


def _segmentation(chunks: torch.Tensor, units: int, layers: int) -> Any:
    model: Any = PyanNet(sincnet={"stride": 10}, lstm={"hidden_size": units, "num_layers": layers})
    model.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=float(_CHUNK_S),
        warm_up=(0.0, 0.0),
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    model.build()
    model.eval()
    activation, model.activation = model.activation, torch.nn.Identity()
    with torch.inference_mode():
        _standardise(model.classifier, model(chunks).flatten(0, 1))
        model.classifier.bias[4:] -= 1.0  # two at once are rarer
    model.activation = activation
    return model


def _embedding(model: Any, chunks: torch.Tensor) -> tuple[Any, torch.Tensor]:
    """The model, and (voices, dimension): what it says of pieces of sound."""
    model.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=float(_CHUNK_S), classes=None
    )
    pieces = torch.eye(_PIECES).repeat_interleave(10, dim=1).expand(_CHUNKS, -1, -1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # an average over all that is seen, instead of a running one
    with torch.inference_mode():
        model.train()
        model(chunks)
        model.eval()
        if hasattr(model, "resnet"):
            _standardise(model.resnet.seg_1, model(chunks, weights=pieces).flatten(0, 1))
        return model, model(chunks, weights=pieces).flatten(0, 1)


def _standardise(layer: torch.nn.Linear, outputs: torch.Tensor) -> None:
    """Make the layer's outputs vary around 0 with variance 1, each by itself."""
    mean, deviation = outputs.mean(dim=0), outputs.std(dim=0)
    layer.weight.div_(deviation[:, None])
    layer.bias.sub_(mean).div_(deviation)


def _save(folder: Path, model: Any) -> None:
    folder.mkdir(parents=True)
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning.__version__,
        "epoch": 0,
        "global_step": 0,
    }
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / "pytorch_model.bin")


def _save_plda(folder: Path, voices: torch.Tensor, seed: int) -> None:
    """Voices differ in the few directions in which those given do most, and hardly in the others, which are random."""
    folder.mkdir()
    directions = np.random.default_rng(seed).standard_normal((voices.shape[1], _PLDA_DIMENSION))
    directions[:, :8] = np.linalg.svd(voices.numpy(), full_matrices=False)[2][:8].T
    lda, _ = np.linalg.qr(directions)
    np.savez(folder / "xvec_transform.npz", mean1=np.zeros(len(lda)), mean2=np.zeros(_PLDA_DIMENSION), lda=lda)
    between = np.maximum(20 * np.exp(-np.arange(_PLDA_DIMENSION) / 2), 1e-6)
    np.savez(folder / "plda.npz", mu=np.zeros(_PLDA_DIMENSION), tr=np.eye(_PLDA_DIMENSION), psi=between)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a pyannote pipeline with random weights.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random_pyannote(options.out, options.seed)


if __name__ == "__main__":
    main()
