"""pyannote's speaker embeddings at a third of the work: the network hears each chunk once, not once per speaker.

For every chunk of 10 s pyannote wants an embedding of each of its three local speakers. Only the pooling at the end depends on
who is meant, yet its pipeline runs the whole network for each. `share_frames` makes one loaded pipeline run it once per chunk
and pool three times, with the model's own parts (`forward_frames` and `forward_embedding` of a WeSpeaker network, the layers
of an x-vector's): the same embeddings, bit for bit. Chunks in which nobody speaks do not run at all: where no frame has any
weight, all sounds pool to the same.

On a CPU the network then runs in a form that suits it better: batch norms folded into the convolutions before them, channels
last, rectified in place. That is the same function, rounded elsewhere: embeddings move by about 1e-5 of their length.

Nothing in the library is changed for anybody else, and nothing at all unless the model proves at load that it can do this.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx import symbolic_trace
from torch.nn.utils.fusion import fuse_conv_bn_eval

from roundtable.heap import own_array

Floats = NDArray[np.float32]

Frames = Callable[[torch.Tensor], torch.Tensor]
"""From (chunks, 1, samples) of sound to (chunks, …, frames)."""

Pool = Callable[..., torch.Tensor]
"""From that, and `weights` of (chunks, speakers, frames), to embeddings of (chunks, speakers, dimension)."""

Way = tuple[Frames, Pool]

_PROOF_S = 2
"""The length of sound that both ways are tried on at load: enough for a few dozen frames."""

_TOLERANCE = 1e-4
"""The most that an embedding may be off, of its length. Folding takes a tenth of it."""


def share_frames(pipeline: Any, *, fold: bool = True) -> bool:
    """Make this `SpeakerDiarization`, and no other, run its embedding network once per chunk. Takes a second.

    False if its model cannot, or says something else that way: then the pipeline is as it was. Afterwards
    `pipeline.embedding_batch_size` counts chunks, no longer pairs of a chunk and a speaker. `fold=False` keeps to the stock
    arithmetic on a CPU too.
    """
    embedding = getattr(pipeline, "_embedding", None)
    model = getattr(embedding, "model_", None)
    for way in _ways(model, fold):
        nobody = _embedding_of_nobody(embedding, way)
        if nobody is not None:
            pipeline.get_embeddings = _SharedFrames(pipeline, way, nobody)
            return True
    return False


class _SharedFrames:
    """Stands in for the `get_embeddings` of one pipeline. Calls change nothing here, so that they may come from any thread."""

    def __init__(self, pipeline: Any, way: Way, nobody: Floats) -> None:
        self._pipeline = pipeline
        self._stock = pipeline.get_embeddings
        self._way = way
        self._nobody = nobody

    def __call__(
        self, file: Any, binary_segmentations: Any, exclude_overlap: bool = False, hook: Callable[..., None] | None = None
    ) -> Floats:
        """(chunks, speakers, dimension), as stock. `total` and `completed` of the hook count batches of chunks."""
        pipeline, embedding = self._pipeline, self._pipeline._embedding
        if pipeline.training:  # stock remembers embeddings from trial to trial
            stock: Floats = self._stock(file, binary_segmentations, exclude_overlap=exclude_overlap, hook=hook)
            return stock
        activity, window = binary_segmentations.data, binary_segmentations.sliding_window
        size = pipeline.embedding_batch_size
        least = _least_frames(activity, window.duration, embedding) if exclude_overlap else None

        # Filled as they come: while the recording is still being transcribed, most of them are not there yet.
        embeddings = own_array((*activity.shape[::2], len(self._nobody)), self._nobody.dtype)
        speaking = activity.any(axis=(1, 2))
        spoken = np.flatnonzero(speaking)
        batches = [spoken[start : start + size] for start in range(0, len(spoken), size)]
        if hook is not None:
            hook("embeddings", None, total=len(batches), completed=0)
        for done, chunks in enumerate(batches, 1):
            sounds = [pipeline._audio.crop(file, window[chunk], mode="pad")[0] for chunk in chunks]
            sound, weights = torch.stack(sounds), torch.from_numpy(_weights(activity[chunks], least))
            if embedding.device.type != "cpu":
                # Another shape, another algorithm: one batch that is not full would take gigabytes of cuDNN's workspace.
                sound, weights = _padded(sound, size), _padded(weights, size)
            embeddings[chunks] = _embed(embedding, self._way, sound, weights)[: len(chunks)]
            if hook is not None:
                hook("embeddings", embeddings[chunks].reshape(-1, embeddings.shape[-1]), total=len(batches), completed=done)
        embeddings[~speaking] = self._nobody
        return embeddings


# --- Whose frames count ----------------------------------------------------------------------------------------------


def _least_frames(activity: Floats, duration_s: float, embedding: Any) -> int:
    """So many frames, at the resolution of `activity`, are fewer than the model needs."""
    samples: float = duration_s * embedding.sample_rate
    least: int = math.ceil(activity.shape[1] * embedding.min_num_samples / samples)
    return least


def _weights(activity: Floats, least: int | None) -> Floats:
    """(chunks, frames, speakers) of 0, 1 and NaN to (chunks, speakers, frames) of 0 and 1.

    With `least`, frames in which others speak as well count for nobody, unless a speaker would be left with no more than that.
    """
    weights = np.nan_to_num(activity, nan=0.0)
    if least is not None:
        alone = np.nan_to_num(activity * (activity.sum(axis=2, keepdims=True) < 2), nan=0.0)
        weights = np.where(alone.sum(axis=1, keepdims=True) > least, alone, weights)
    return np.ascontiguousarray(weights.transpose(0, 2, 1), np.float32)


def _padded(batch: torch.Tensor, size: int) -> torch.Tensor:
    return torch.cat([batch, batch.new_zeros(size - len(batch), *batch.shape[1:])])


def _embed(embedding: Any, way: Way, sound: torch.Tensor, weights: torch.Tensor) -> Floats:
    """(chunks, speakers, dimension)."""
    frames, pool = way
    with torch.inference_mode():
        heard = frames(sound.to(embedding.device))
        pooled: Floats = pool(heard, weights=weights.to(embedding.device)).cpu().numpy()
    return pooled


# --- The network -----------------------------------------------------------------------------------------------------


def _ways(model: Any, fold: bool) -> Iterator[Way]:
    """The fastest first. None for a model whose parts have other names."""
    if hasattr(model, "forward_frames") and hasattr(model, "forward_embedding"):
        if fold and model.device.type == "cpu" and hasattr(model, "resnet") and hasattr(model, "compute_fbank"):
            yield _folded(model), model.forward_embedding
        yield model.forward_frames, model.forward_embedding
    elif all(hasattr(model, name) for name in ("tdnns", "stats_pool", "embedding")):
        yield _x_vector(model)


def _x_vector(model: Any) -> Way:
    """The layers of `XVectorMFCC` or `XVectorSincNet`, cut where the speakers come in (Snyder et al. 2018)."""
    features = model.mfcc if hasattr(model, "mfcc") else model.sincnet

    def frames(sound: torch.Tensor) -> torch.Tensor:
        heard = features(sound).squeeze(dim=1)
        for layer in model.tdnns:
            heard = layer(heard)
        return heard  # type: ignore[no-any-return]  # published without types

    def pool(heard: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return model.embedding(model.stats_pool(heard, weights=weights))  # type: ignore[no-any-return]  # as above

    return frames, pool


def _folded(model: Any) -> Frames:
    """`model.forward_frames`, computed by a copy of its network."""
    layers = symbolic_trace(_Layers(copy.deepcopy(model.resnet)))
    modules = dict(layers.named_modules())
    for node in list(layers.graph.nodes):
        if node.target is nn.functional.relu:
            node.update_kwarg("inplace", True)
        elif isinstance(norm := modules.get(str(node.target)), nn.BatchNorm2d):
            before = node.args[0]
            if isinstance(convolution := modules.get(str(before.target)), nn.Conv2d):
                layers.set_submodule(before.target, fuse_conv_bn_eval(convolution, norm))
                node.replace_all_uses_with(before)
                layers.graph.erase_node(node)
    layers.recompile()
    layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    def frames(sound: torch.Tensor) -> torch.Tensor:
        if sound.device.type != "cpu":  # the pipeline has moved since
            return model.forward_frames(sound)  # type: ignore[no-any-return]  # published without types
        return layers(model.compute_fbank(sound)).contiguous()  # type: ignore[no-any-return]

    return frames


class _Layers(nn.Module):
    def __init__(self, resnet: Any) -> None:
        super().__init__()
        self.resnet = resnet

    def forward(self, fbank: torch.Tensor) -> torch.Tensor:
        return self.resnet.forward_frames(fbank)  # type: ignore[no-any-return]  # as above


def _embedding_of_nobody(embedding: Any, way: Way) -> Floats | None:
    """What a mask without any frame pools to; None unless this way says what stock says, and that about every sound."""
    noise = np.random.default_rng(0)
    sound = torch.from_numpy(0.1 * noise.standard_normal((2, 1, _PROOF_S * embedding.sample_rate), np.float32))
    weights = torch.from_numpy((noise.random((2, 3, 50)) < 0.5).astype(np.float32))
    weights[:, 2] = 0.0
    try:
        shared = _embed(embedding, way, sound, weights)
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return None  # methods of these names that mean something else
    stock = np.stack([embedding(sound, masks=weights[:, speaker]) for speaker in range(3)], axis=1)
    if shared.shape != stock.shape or not np.array_equal(shared[0, 2], shared[1, 2], equal_nan=True):
        return None
    margin = _TOLERANCE * np.linalg.norm(stock, axis=-1, keepdims=True)
    return shared[0, 2] if np.isclose(shared, stock, rtol=0.0, atol=margin, equal_nan=True).all() else None
