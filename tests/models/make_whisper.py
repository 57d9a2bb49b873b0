"""Train the tiny Whisper of the tests, from nothing, in an hour and a half on two CPU cores.

    python -m tests.models.make_whisper --out DIR [--corpus DIR] [--minutes 80] [--workers 2] [--resume]

Speaks the corpus first if the folder holds none (six minutes on two cores). The learning rate and the length of the windows
follow the clock, so the training ends when it was told to, on any machine; a faster machine makes a better model. Every few
minutes DIR is replaced by what has been learned so far, a complete Hugging Face folder; `--resume` goes on from there.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from random import Random

import torch
import torch.distributed as dist
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from tests.models.corpus import read_corpus, write_corpus
from tests.models.features import FRAME_S, MEL_BINS
from tests.models.network import ENCODER_FRAMES, Batch, Lesson, build, collate
from tests.models.optimiser import Optimiser
from tests.models.sentences import vocabulary
from tests.models.tokens import Tokens, as_piece, save_processor, whole_words
from tests.models.windows import WindowMaker

MARKS = (".", ",", "?")
UTTERANCES_PER_WORKER = 15_000
MATRIX_RATE, OTHER_RATE = 0.01, 2e-3
WARM_UP_STEPS = 100
DECAY_FROM = 0.45  # of the time; from there the rates fall in a straight line
FINAL_SCALE = 0.02
SAVE_EVERY_S = 240.0


@dataclass(frozen=True, slots=True)
class Stage:
    """From this share of the time on: windows of this many seconds, this many to a step over all workers."""

    begins: float
    length_s: float
    windows: int


STAGES = (Stage(0.0, 6.0, 32), Stage(0.22, 12.0, 16), Stage(0.36, 30.0, 8))
SHORT_STEPS = 0.2  # of the last stage's steps take the stage before it


@dataclass(frozen=True, slots=True)
class Plan:
    corpus: Path
    out: Path
    minutes: float
    workers: int
    resume: bool


def word_pieces(words: dict[str, int]) -> dict[str, int]:
    """The token of each word and mark, by how it is written."""
    spelled = {as_piece(f" {word}"): word for word in vocabulary()} | {mark: mark for mark in MARKS}
    return {written: words[piece] for piece, written in spelled.items()}


def train(rank: int, plan: Plan, meeting_point: str) -> None:
    """One worker of `plan.workers`; they average their gradients at every step."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dist.init_process_group("gloo", init_method=f"file://{meeting_point}", rank=rank, world_size=plan.workers)
    pieces, merges = whole_words([*vocabulary(), *MARKS])
    tokens = Tokens(len(pieces))
    maker = WindowMaker(read_corpus(plan.corpus), word_pieces(pieces), tokens)
    lesson = Lesson(build(tokens), tokens, maker.word_classes)
    optimiser = Optimiser(lesson.named_parameters(), MATRIX_RATE, OTHER_RATE)
    steps, spent_s = 0, 0.0
    checkpoint = plan.out.with_name(plan.out.name + ".checkpoint.pt")
    if plan.resume:
        saved = torch.load(checkpoint)
        lesson.load_state_dict(saved["lesson"])
        optimiser.load(saved["optimiser"])
        steps, spent_s = saved["steps"], saved["spent_s"]
    rng = Random(f"{rank} {steps}")  # noqa: S311 - which sentences, not secrets
    stages = Random(f"stages {steps}")  # noqa: S311 - the same for every worker
    parameters = [parameter for parameter in lesson.parameters() if parameter.requires_grad]
    begun = saved_at = logged_at = time.monotonic()
    report: dict[str, float] = {}
    while True:
        done = _agree(min(1.0, (spent_s + time.monotonic() - begun) / (60 * plan.minutes)))
        if done >= 1.0:
            break
        stage = _stage(done, stages)
        batch = _draw(maker, rng, stage, plan.workers, tokens)
        with torch.autocast("cpu", torch.bfloat16):
            loss, parts = lesson(batch, listening=1.0 if done < 0.3 else 0.5)
        lesson.zero_grad(set_to_none=True)
        loss.backward()
        norm = _average_gradients(parameters, plan.workers)
        if not torch.isfinite(norm):
            raise ArithmeticError(f"the gradient is no number at step {steps}")
        optimiser.step(_scale(done, steps))
        steps += 1
        parts["norm"] = float(norm)
        report = {name: 0.96 * report.get(name, value) + 0.04 * value for name, value in parts.items()}
        if rank == 0 and steps % 25 == 0:
            now = time.monotonic()
            figures = " ".join(f"{name} {value:.3f}" for name, value in report.items())
            print(f"{done:.3f} step {steps} {stage.length_s:.0f} s {figures} {(now - logged_at) / 25:.2f} s/step", flush=True)
            logged_at = now
        if rank == 0 and time.monotonic() - saved_at > SAVE_EVERY_S:
            saved_at = time.monotonic()
            _save(checkpoint, lesson, optimiser, steps, spent_s + saved_at - begun)
            export(lesson.model, plan.out, pieces, merges, tokens)
    if rank == 0:
        _save(checkpoint, lesson, optimiser, steps, spent_s + time.monotonic() - begun)
        export(lesson.model, plan.out, pieces, merges, tokens)
    dist.destroy_process_group()


def _agree(value: float) -> float:
    shared = torch.tensor([value])
    dist.broadcast(shared, 0)
    return float(shared)


def _stage(done: float, rng: Random) -> Stage:
    number = max(i for i, stage in enumerate(STAGES) if done >= stage.begins)
    shorter = rng.random() < SHORT_STEPS
    return STAGES[number - 1 if shorter and number == len(STAGES) - 1 else number]


def _scale(done: float, steps: int) -> float:
    decay = 1.0 if done < DECAY_FROM else (1.0 - done) / (1.0 - DECAY_FROM)
    return min(1.0, (steps + 1) / WARM_UP_STEPS) * max(FINAL_SCALE, decay)


def _draw(maker: WindowMaker, rng: Random, stage: Stage, workers: int, tokens: Tokens) -> Batch:
    """This worker's share of a step. Short windows stand anywhere in the 30 s, so that every position is trained."""
    room = ENCODER_FRAMES - round(stage.length_s / FRAME_S)
    windows = [maker.draw(rng, stage.length_s) for _ in range(stage.windows // workers)]
    return collate(windows, [0 if rng.random() < 0.15 else rng.randint(0, room) for _ in windows], tokens)


def _average_gradients(parameters: list[torch.nn.Parameter], workers: int) -> Tensor:
    """Over all workers, in one message; clipped to a norm of 1. Returns the norm before that."""
    flat = torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.reshape(-1) for p in parameters])
    dist.all_reduce(flat)
    flat /= workers
    norm: Tensor = flat.norm()
    flat *= torch.clamp(1.0 / (norm + 1e-6), max=1.0)
    ends = [0]
    for parameter in parameters:
        ends.append(ends[-1] + parameter.numel())
    for parameter, (start, end) in zip(parameters, pairwise(ends), strict=True):
        parameter.grad = flat[start:end].view_as(parameter)
    return norm


def _save(path: Path, lesson: Lesson, optimiser: Optimiser, steps: int, spent_s: float) -> None:
    state = {"lesson": lesson.state_dict(), "optimiser": optimiser.state(), "steps": steps, "spent_s": spent_s}
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def export(
    model: WhisperForConditionalGeneration, folder: Path, pieces: dict[str, int], merges: list[tuple[str, str]], tokens: Tokens
) -> None:
    """A complete folder with fp16 weights, put in place of the one before at once."""
    fresh = Path(tempfile.mkdtemp(dir=folder.parent))
    half = WhisperForConditionalGeneration(model.config)
    half.load_state_dict(model.state_dict())
    half.half().tie_weights()  # type: ignore[no-untyped-call]
    half.generation_config = model.generation_config
    half.generation_config.begin_suppress_tokens = [pieces[as_piece(" ")]]  # no transcript begins with a lone space
    half.save_pretrained(fresh)
    save_processor(fresh, pieces, merges, tokens, MEL_BINS)
    fresh.chmod(0o755)
    if folder.exists():
        old = folder.with_name(folder.name + ".old")
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old)
    else:
        fresh.rename(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the tiny Whisper of the tests.")
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    parser.add_argument("--corpus", type=Path, default=Path("out/corpus"), help="spoken if it holds nothing")
    parser.add_argument("--minutes", type=float, default=80.0)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    plan = Plan(options.corpus, options.out.resolve(), options.minutes, options.workers, options.resume)
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    spawn = get_context("spawn")
    if not any(plan.corpus.glob("*.jsonl")):
        _run([spawn.Process(target=write_corpus, args=(plan.corpus, UTTERANCES_PER_WORKER, seed)) for seed in (1, 2)])
    with tempfile.TemporaryDirectory() as folder:
        meeting_point = str(Path(folder) / "meeting")
        _run([spawn.Process(target=train, args=(rank, plan, meeting_point)) for rank in range(plan.workers)])


def _run(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode != 0 for process in processes):
        raise SystemExit("a worker failed")


if __name__ == "__main__":
    main()
