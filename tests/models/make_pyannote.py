"""Trains the tiny diarization pipeline of the tests from synthetic voices: `tests/models/pyannote-tiny`.

    python -m tests.models.make_pyannote --out DIR [--corpus DIR] [--minutes 46]

Two networks of pyannote.audio's own classes, each in a process of one thread, side by side: a PyanNet that says who of up to
three people speaks when in a few seconds, two of them at once at most, and an XVectorMFCC that says whose voice it is. Then the
PLDA is fitted, and the folder written that `pyannote.audio.Pipeline.from_pretrained` loads. The corpus (`voices.py`) is spoken
first if there is none. What is drawn depends on nothing but seeds; how many steps fit into the minutes depends on the machine.
`--only` does one of the three by itself, so that a part can be trained again; `--without` keeps voices from it, by the
beginning of their names, to see what becomes of them.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # pyannote reads it when it is imported

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding.xvector import XVectorMFCC
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.utils.powerset import Powerset
from scipy.linalg import eigh
from torch import Tensor, nn
from torch.nn import functional

from tests.models.mixtures import FRAME_HZ, MOST_AT_ONCE, MOST_SPEAKERS, Mixture, MixtureMaker
from tests.models.voices import voices

CHUNK_S = 5.0  # the window that slides over a recording
SAVE_EVERY_S = 240.0
WARM_UP_STEPS = 100

# Segmentation.
LSTM_WIDTH, LINEAR_WIDTH = 96, 64
SEGMENTATION_RATE = 2e-3
FIRST_CHUNK_S, FIRST_UNTIL = 2.5, 0.15  # of the time: whoever has to remember less learns sooner who is who
SEGMENTATION_BATCH = 16

# Embedding.
DIMENSION = 64
MFCC = {"n_mfcc": 64, "log_mels": True, "melkwargs": {"n_fft": 1024, "win_length": 640, "hop_length": 320, "n_mels": 64}}
EMBEDDING_RATE = 1.5e-3
EMBEDDING_BATCH, EMBEDDING_CHUNKS_S = 24, (2.0, 3.0, 4.0)
MARGIN, SCALE = 0.2, 24.0  # of the additive-margin softmax
LEAST_SPEECH_S = 0.5  # of one voice alone, for it to be learned from
GLIMPSE_SHARE = 0.3  # of voices are judged by a part of what they say
PLDA_CHUNKS = 1500
LEAST_VARIANCE = 1e-5
FINAL_SCALE = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the corpus lies, where the pipeline goes, how long each network learns, and which voices it may not hear."""

    out: Path
    corpus: Path
    minutes: float
    without: tuple[str, ...] = ()
    resume: bool = False

    def mixtures(self) -> MixtureMaker:
        return MixtureMaker([spoken for spoken in voices(self.corpus) if not spoken.speaker.startswith(self.without)])


def segmentation_model() -> Any:
    """Untrained; two LSTMs, so that training can ask the first one whose voice it hears."""
    model: Any = PyanNet(
        lstm={"hidden_size": LSTM_WIDTH, "num_layers": 2, "monolithic": False},
        linear={"hidden_size": LINEAR_WIDTH, "num_layers": 1},
    )
    model.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=CHUNK_S,
        classes=[f"speaker#{number + 1}" for number in range(MOST_SPEAKERS)],
        powerset_max_classes=MOST_AT_ONCE,
        permutation_invariant=True,
    )
    model.build()
    model.sincnet.wav_norm1d.requires_grad_(False)
    model.sincnet.conv1d[0].requires_grad_(False)  # mel-spaced from the start; learning them takes five times as long
    return model


def embedding_model() -> Any:
    model: Any = XVectorMFCC(mfcc=MFCC, dimension=DIMENSION)
    model.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=EMBEDDING_CHUNKS_S[-1]
    )
    model.build()
    return model


class SegmentationLesson(nn.Module):
    """The losses of the segmentation.

    A permutation-invariant loss alone long finds it best to call everybody the same. Two more get it over that: at first the
    speakers also have to come in the order in which they are heard, and the first LSTM has to know the voice of each frame.
    """

    def __init__(self, model: Any, people: int) -> None:
        super().__init__()
        self.model: Any = model
        self.who = nn.Linear(2 * LSTM_WIDTH, people)
        powerset: Any = Powerset(MOST_SPEAKERS, MOST_AT_ONCE)
        sets = powerset.mapping.long()
        bits = 2 ** torch.arange(MOST_SPEAKERS)
        classes = torch.zeros(2**MOST_SPEAKERS, dtype=torch.long)
        classes[sets @ bits] = torch.arange(len(sets))
        self.classes = classes
        self.orders = torch.stack([bits[list(order)] for order in permutations(range(MOST_SPEAKERS))])

    def forward(self, mixtures: list[Mixture], done: float) -> tuple[Tensor, dict[str, float]]:
        activity = torch.from_numpy(np.stack([mixture.activity for mixture in mixtures]))
        waveforms = torch.from_numpy(np.stack([mixture.samples for mixture in mixtures]))[:, None]
        first, scores = self._listen(waveforms)
        field = self.model.receptive_field
        at = torch.tensor([int(field[i].middle * FRAME_HZ) for i in range(scores.shape[1])]).clamp(max=activity.shape[1] - 1)
        active = activity[:, at].long()

        sets = self.classes[torch.einsum("btk,pk->pbt", active, self.orders)]  # the right answer in each order of the speakers
        losses = torch.stack([functional.nll_loss(scores.transpose(1, 2), wanted, reduction="none").mean(1) for wanted in sets])
        free, ordered = losses.min(0).values.mean(), losses[0].mean()

        people = torch.tensor([[*mixture.speakers, *[0] * (MOST_SPEAKERS - len(mixture.speakers))] for mixture in mixtures])
        alone = active.sum(-1) == 1
        voice = (active * people[:, None]).sum(-1)[alone]
        known = functional.cross_entropy(self.who(first[alone]), voice)
        loss = free + max(0.0, 1.0 - 2.0 * done) * ordered + max(0.1, 0.5 - done) * known
        with torch.no_grad():
            best = losses.min(0).indices
            right = (scores.argmax(-1) == sets[best, torch.arange(len(best))]).float().mean()
            speech = ((scores.argmax(-1) > 0) == (active.sum(-1) > 0)).float().mean()
        figures = {"free": float(free), "ordered": float(ordered), "voice": float(known), "right": float(right)}
        return loss, figures | {"speech": float(speech)}

    def _listen(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """The first LSTM's output and the log-probabilities: `PyanNet.forward`, with only its convolutions in bfloat16."""
        with torch.autocast("cpu", torch.bfloat16):
            features = self.model.sincnet(waveforms)
        first, _ = self.model.lstm[0](features.float().transpose(1, 2))
        outputs, _ = self.model.lstm[1](first)
        for linear in self.model.linear:
            outputs = functional.leaky_relu(linear(outputs))
        return first, self.model.activation(self.model.classifier(outputs))


class EmbeddingLesson(nn.Module):
    """Additive-margin softmax over all people of the corpus; a voice is judged by the frames in which it speaks alone."""

    def __init__(self, model: Any, people: int) -> None:
        super().__init__()
        self.model: Any = model
        self.people = nn.Parameter(torch.randn(people, DIMENSION) * 0.1)

    def forward(self, waveforms: Tensor, masks: Tensor, people: Tensor, margin: float) -> tuple[Tensor, dict[str, float]]:
        """`masks` is (chunk, speaker, frame) and `people` (chunk, speaker), -1 where there is none."""
        embeddings = embed(self.model, waveforms, masks)[people >= 0]
        wanted = people[people >= 0]
        cosines = functional.normalize(embeddings) @ functional.normalize(self.people).T
        loss = functional.cross_entropy(SCALE * (cosines - margin * functional.one_hot(wanted, len(self.people))), wanted)
        return loss, {"loss": float(loss), "right": float((cosines.argmax(-1) == wanted).float().mean())}

    @torch.no_grad()
    def remember(self, batches: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Takes each person to be the mean of what the model already makes of him."""
        for waveforms, masks, people in batches:
            embeddings = functional.normalize(embed(self.model, waveforms, masks), dim=-1)
            self.people.index_add_(0, people[people >= 0], embeddings[people >= 0])


def embed(model: Any, waveforms: Tensor, masks: Tensor) -> Tensor:
    """`XVectorMFCC.forward` for several speakers of each chunk, with only its convolutions in bfloat16.

    A unit that is the same in all frames spreads by 0, whose square root has no gradient: here it spreads by a little.
    """
    outputs = model.mfcc(waveforms).squeeze(dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        for block in model.tdnns:
            outputs = block(outputs)
    outputs = outputs.float()
    masks = functional.interpolate(masks, size=outputs.shape[-1], mode="nearest")
    weights = masks / masks.sum(-1, keepdim=True)
    mean = torch.einsum("bft,bst->bsf", outputs, weights)
    square = torch.einsum("bft,bst->bsf", outputs**2, weights)
    unbiased = 1.0 / (1.0 - (weights**2).sum(-1, keepdim=True))
    deviation = ((square - mean**2) * unbiased).clamp(min=LEAST_VARIANCE).sqrt()
    result: Tensor = model.embedding(torch.cat([mean, deviation], dim=-1))
    return result


def balance(model: Any, waveforms: Tensor) -> None:
    """Sets the first layer so that all coefficients weigh alike: the first of them is a hundred times the last."""
    with torch.no_grad():
        features = model.mfcc(waveforms).squeeze(dim=1)
        mean, deviation = features.mean((0, 2)), features.std((0, 2))
        first = model.tdnns[0]
        first.weight /= deviation[None, :, None]
        first.bias -= (first.weight * mean[None, :, None]).sum((1, 2))


def voices_alone(mixtures: list[Mixture], rng: Random) -> tuple[Tensor, Tensor, Tensor]:
    """Waveforms, masks and people for `EmbeddingLesson`."""
    waveforms = torch.from_numpy(np.stack([mixture.samples for mixture in mixtures]))[:, None]
    activity = np.stack([mixture.activity for mixture in mixtures])
    alone = activity & (activity.sum(-1, keepdims=True) == 1)
    people = np.full((len(mixtures), MOST_SPEAKERS), -1)
    for chunk, mixture in enumerate(mixtures):
        for slot, person in enumerate(mixture.speakers):
            frames = np.flatnonzero(alone[chunk, :, slot])
            if len(frames) < LEAST_SPEECH_S * FRAME_HZ:
                continue
            people[chunk, slot] = person
            if rng.random() < GLIMPSE_SHARE:
                length = rng.randint(round(LEAST_SPEECH_S * FRAME_HZ), len(frames))
                start = rng.randint(0, len(frames) - length)
                alone[chunk, :, slot] = False
                alone[chunk, frames[start : start + length], slot] = True
    alone[np.broadcast_to(people[:, None] < 0, alone.shape)] = True  # of no consequence; the spread of nothing has no gradient
    return waveforms, torch.from_numpy(alone.transpose(0, 2, 1).astype(np.float32)), torch.from_numpy(people)


# ---------------------------------------------------------------- training


def train_segmentation(plan: Plan) -> None:
    """Writes `out/segmentation`, now and then and at the end."""
    torch.manual_seed(0)
    maker = plan.mixtures()
    lesson = SegmentationLesson(segmentation_model(), maker.people)
    if plan.resume:
        restore(lesson.model, plan.out / "segmentation")

    again = " again" if plan.resume else ""  # other sentences than the first time

    def step(number: int, done: float) -> tuple[Tensor, dict[str, float]]:
        rng = Random(f"segmentation{again} {number}")  # noqa: S311 - which sentences, not secrets
        length_s = FIRST_CHUNK_S if done < FIRST_UNTIL else CHUNK_S
        count = round(SEGMENTATION_BATCH * CHUNK_S / length_s)
        loss: tuple[Tensor, dict[str, float]] = lesson([maker.draw(rng, length_s) for _ in range(count)], done)
        return loss

    _train("segmentation", lesson, step, SEGMENTATION_RATE, plan.minutes, lambda: save(lesson.model, plan.out / "segmentation"))


def train_embedding(plan: Plan) -> None:
    """Writes `out/embedding`, now and then and at the end."""
    torch.manual_seed(0)
    maker = plan.mixtures()
    model = embedding_model()
    lesson = EmbeddingLesson(model, maker.people)
    rng = Random("balance")  # noqa: S311 - which sentences, not secrets
    if plan.resume:
        restore(model, plan.out / "embedding")
        lesson.remember([voices_alone([maker.draw(rng, 4.0) for _ in range(20)], rng) for _ in range(100)])
    else:
        balance(model, voices_alone([maker.draw(rng, 4.0) for _ in range(32)], rng)[0])

    again = " again" if plan.resume else ""  # other sentences than the first time

    def step(number: int, done: float) -> tuple[Tensor, dict[str, float]]:
        rng = Random(f"embedding{again} {number}")  # noqa: S311 - which sentences, not secrets
        length_s = rng.choice(EMBEDDING_CHUNKS_S)
        count = round(EMBEDDING_BATCH * EMBEDDING_CHUNKS_S[1] / length_s)
        batch = voices_alone([maker.draw(rng, length_s) for _ in range(count)], rng)
        loss: tuple[Tensor, dict[str, float]] = lesson(*batch, MARGIN * min(1.0, 4.0 * done))
        return loss

    _train("embedding", lesson, step, EMBEDDING_RATE, plan.minutes, lambda: save(model, plan.out / "embedding"))


def _train(
    name: str,
    lesson: nn.Module,
    step: Callable[[int, float], tuple[Tensor, dict[str, float]]],
    rate: float,
    minutes: float,
    keep: Callable[[], None],
) -> None:
    """AdamW for that long; the rate rises for a hundred steps and falls along a cosine."""
    parameters = [parameter for parameter in lesson.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    begun = kept = time.monotonic()
    report: dict[str, float] = {}
    steps = 0
    lesson.train()
    while (done := (time.monotonic() - begun) / (60 * minutes)) < 1.0:
        for group in optimiser.param_groups:
            cosine = 0.5 + 0.5 * math.cos(math.pi * done)
            group["lr"] = rate * min(1.0, (steps + 1) / WARM_UP_STEPS) * max(FINAL_SCALE, cosine)
        loss, figures = step(steps, done)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(parameters, 1.0)
        if not torch.isfinite(norm):
            raise ArithmeticError(f"the gradient is no number at step {steps}")
        optimiser.step()
        steps += 1
        report = {key: 0.98 * report.get(key, value) + 0.02 * value for key, value in figures.items()}
        if steps % 100 == 0:
            each_s = (time.monotonic() - begun) / steps
            shown = " ".join(f"{key} {value:.3f}" for key, value in report.items())
            print(f"{name} {done:.3f} step {steps} {shown} {each_s:.2f} s/step", flush=True)
        if time.monotonic() - kept > SAVE_EVERY_S:
            kept = time.monotonic()
            keep()
    keep()
    print(f"{name} {steps} steps", flush=True)


def save(model: Any, folder: Path) -> None:
    """A checkpoint as pyannote's own training writes it, without the optimiser, in fp16."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    checkpoint = {
        "state_dict": weights,
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning.__version__,
        "epoch": 0,
        "global_step": 0,
    }
    model.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / "pytorch_model.new")
    (folder / "pytorch_model.new").replace(folder / "pytorch_model.bin")


def restore(model: nn.Module, folder: Path) -> None:
    """The weights that `save` wrote."""
    weights = torch.load(folder / "pytorch_model.bin", weights_only=False)["state_dict"]
    model.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in weights.items()})


# ---------------------------------------------------------------- PLDA


def fit_plda(plan: Plan) -> None:
    """Writes `out/plda` from embeddings of the training voices: LDA, then a two-covariance model of what it leaves."""
    model: Any = Model.from_pretrained(plan.out / "embedding")
    model.eval()
    maker = plan.mixtures()
    rng = Random("plda")  # noqa: S311 - which sentences, not secrets
    found: list[NDArray[np.float64]] = []
    who: list[NDArray[np.int64]] = []
    with torch.no_grad():
        for _ in range(PLDA_CHUNKS // 20):
            waveforms, masks, people = voices_alone([maker.draw(rng, CHUNK_S) for _ in range(20)], rng)
            embeddings = model(waveforms, weights=masks)
            found.append(embeddings[people >= 0].double().numpy())
            who.append(people[people >= 0].numpy())
    embeddings, numbers = np.concatenate(found), np.concatenate(who)
    mean = embeddings.mean(0)
    directions = _unit(embeddings - mean) * math.sqrt(DIMENSION)
    _, vectors = eigh(*_covariances(directions, numbers))
    lda = vectors[:, ::-1].copy()
    projected = directions @ lda
    centre = projected.mean(0)
    projected = _unit(projected - centre) * math.sqrt(DIMENSION)
    between, vectors = eigh(*_covariances(projected, numbers))
    folder = plan.out / "plda"
    folder.mkdir(exist_ok=True)
    np.savez(folder / "xvec_transform.npz", mean1=mean, mean2=centre, lda=lda)
    np.savez(folder / "plda.npz", mu=projected.mean(0), tr=vectors[:, ::-1].T.copy(), psi=between[::-1].copy())


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _covariances(rows: NDArray[np.float64], people: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Between people and within them, of those heard more than once; a little added so that both can be inverted."""
    groups = [rows[people == person] for person in np.unique(people) if (people == person).sum() > 1]
    centres = np.stack([group.mean(0) for group in groups])
    spread = np.concatenate([group - centre for group, centre in zip(groups, centres, strict=True)])
    ridge = 1e-3 * np.eye(rows.shape[1])
    return np.cov(centres.T) + ridge, spread.T @ spread / (len(spread) - len(groups)) + ridge


# The clustering's settings were chosen on the recordings of `judge_pyannote --development`.
CONFIG = """\
dependencies:
  pyannote.audio: 4.0.7
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: AgglomerativeClustering
    segmentation: $model/segmentation
    segmentation_step: 0.2
    segmentation_batch_size: 8
    embedding: $model/embedding
    embedding_batch_size: 8
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  clustering:
    method: centroid
    min_cluster_size: 8
    threshold: 0.55
  segmentation:
    min_duration_off: 0.0
"""


def finish(plan: Plan) -> None:
    """What needs no training."""
    fit_plda(plan)
    (plan.out / "config.yaml").write_text(CONFIG, encoding="utf-8")


PARTS: dict[str, Callable[[Plan], None]] = {"segmentation": train_segmentation, "embedding": train_embedding, "rest": finish}


def _run(part: str, plan: Plan) -> None:
    torch.set_num_threads(1)
    PARTS[part](plan)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the tiny diarization pipeline of the tests.")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    parser.add_argument("--corpus", type=Path, default=Path("out/voices"), help="spoken if it holds nothing")
    parser.add_argument("--minutes", type=float, default=46.0)
    parser.add_argument("--only", choices=tuple(PARTS))
    parser.add_argument("--without", nargs="*", default=[], metavar="VOICE", help='as in "flite:awb"')
    parser.add_argument("--resume", action="store_true", help="begin with the weights in --out, and the learning rate anew")
    options = parser.parse_args()
    plan = Plan(options.out, options.corpus, options.minutes, tuple(options.without), options.resume)
    voices(plan.corpus)
    spawn = get_context("spawn")
    for stage in [[options.only]] if options.only else [["segmentation", "embedding"], ["rest"]]:
        processes = [spawn.Process(target=_run, args=(part, plan)) for part in stage]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        if any(process.exitcode != 0 for process in processes):
            raise SystemExit("a part failed")


if __name__ == "__main__":
    main()
