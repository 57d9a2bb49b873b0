"""The parts of `benchmarks.whole_job`: what each system is given to hear, in which order, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.asr import endless
from benchmarks.asr_peers import Heard as Text
from benchmarks.asr_score import judge
from benchmarks.peers.protocol import SAMPLE_RATE_HZ, Heard
from benchmarks.whole_job_systems import (
    COMPUTE_TYPES,
    DEFAULT_BEAMS,
    OURS,
    OURS_FLOAT32,
    OURS_INT8,
    SYSTEMS,
    TUTORIAL,
    TUTORIAL_GREEDY,
    WHISPERX,
    Measured,
    NotBuiltError,
    Weights,
    Worker,
    batched,
    convert,
)
from evaluation.machine import ROOT
from evaluation.readers import Recording as Account
from evaluation.readers import Utterance, read
from evaluation.report import announced
from evaluation.score import score
from roundtable.transcript import Turn

MODELS = ROOT / "tests" / "models"
JOB = (OURS, OURS_INT8, TUTORIAL, TUTORIAL_GREEDY, WHISPERX)
ASR = tuple(name for name in SYSTEMS if name not in (TUTORIAL, TUTORIAL_GREEDY))
LENGTHS = (OURS, OURS_INT8, TUTORIAL, WHISPERX)
FAMILIES = (
    (OURS,),
    (OURS_INT8, OURS_FLOAT32),
    *(tuple(batched(compute_type, beams) for compute_type in COMPUTE_TYPES) for beams in (DEFAULT_BEAMS, 1)),
)
"""Of the shapes: of each of these, the one that a first hearing finds fastest goes on."""

SEED, VOICES, NOISE_DB = 9400, 3, -54.0
WARM_S = 10.0
SHORT_S, SHORT_ROUNDS = 60.0, 3
"""Up to so long, a recording is heard several times."""
LONG_PROCESSES = 5
"""So many hear a longer one, of ours: where the stages happen to meet moves a peak by some 20 MB."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. `lengths` and `longest_peers` in seconds; `shapes` with the minutes that each hears."""

    minutes: float
    rounds: int
    lengths: Sequence[float]
    longest_peers: float
    shapes: Mapping[str, float]
    tokens: int


class Bench:
    """The recordings and weights that the parts share, spoken and converted once, and the parts themselves."""

    def __init__(self, scale: Scale, systems: Sequence[str], threads: int, scratch: Path) -> None:
        from samples.make_samples import write_flac, write_references
        from tests.models.conversations import dialogue
        from tests.models.held_out import turns

        self.scale, self.systems, self.threads, self.scratch = scale, systems, threads, scratch
        self.talk = dialogue(SEED, scale.minutes, speakers=VOICES, noise_db=NOISE_DB)
        self.write_flac = write_flac
        write_references(scratch, "talk", turns(self.talk))
        self.reference = read(scratch / "talk.stm", scratch / "talk.rttm")
        self.said = [(word.text, word.start) for word in self.talk.words]
        self.weights = Weights(
            MODELS / "whisper-tiny", convert(MODELS / "whisper-tiny", scratch / "converted"), MODELS / "pyannote-tiny"
        )

    def job(self) -> dict[str, Any]:
        """File to reply."""
        flac = self._flac(self.talk.duration_s)
        heard = self._in_turn(JOB, self.weights, flac, self._flac(WARM_S), speakers=True)
        return {
            "seconds": self.talk.duration_s,
            "words": len(self.said),
            "voices": VOICES,
            "rows": {name: _row(one, self._job_errors) for name, one in heard.items()},
        }

    def asr(self) -> dict[str, Any]:
        """Samples to text."""
        heard = self._in_turn(ASR, self.weights, self._samples(self.talk.duration_s), self._samples(WARM_S))
        rows = {name: _row(one, self._word_errors) for name, one in heard.items()}
        return {"seconds": self.talk.duration_s, "words": len(self.said), "rows": rows}

    def lengths(self) -> dict[str, Any]:
        """The dialogue's beginning, or all of it again and again, whichever fills the length."""
        rows: dict[str, Any] = {name: {} for name in LENGTHS if name in self.systems}
        cases = [(name, seconds) for seconds in self.scale.lengths for name in rows]
        for name, seconds in announced(cases, lambda case: f"{case[0]}, {case[1]:g} s"):
            longest = float("inf") if SYSTEMS[name].module == "ours" else self.scale.longest_peers
            if seconds > longest:
                rows[name][f"{seconds:g}"] = {"left_out": f"over {longest:g} s"}
                continue
            several = self.scale.rounds > 1
            times = SHORT_ROUNDS if several and seconds <= SHORT_S else 1
            processes = LONG_PROCESSES if several and seconds > SHORT_S and SYSTEMS[name].module == "ours" else 1
            try:
                heard = [self._afresh(name, self._flac(seconds), times) for _ in range(processes)]
            except NotBuiltError as missing:
                rows[name][f"{seconds:g}"] = {"left_out": str(missing)}
                continue
            rows[name][f"{seconds:g}"] = {
                "wall_s": median(one.wall_s for process in heard for one in process),
                "cpu_s": median(one.cpu_s for process in heard for one in process),
                "peaks_mb": [process[-1].peak_mb for process in heard],
                "file_mb": self._flac(seconds).stat().st_size / 1e6,
            }
        return {"seconds": list(self.scale.lengths), "rows": rows}

    def _afresh(self, name: str, recording: Path, times: int) -> list[Measured]:
        """The whole job, so many times in one process that has heard a little before."""
        with Worker(name, self.weights, self.threads) as worker:
            worker.hear(self._flac(WARM_S), speakers=True)
            return [worker.hear(recording, speakers=True) for _ in range(times)]

    def shapes(self) -> dict[str, Any]:
        """Random weights. Peers get so many tokens a window, ours as many in all as the peers."""
        return {
            "tokens": self.scale.tokens,
            "shapes": {
                shape: self._shape(shape, minutes * 60)
                for shape, minutes in announced(list(self.scale.shapes.items()), lambda item: item[0])
            },
        }

    def _shape(self, shape: str, seconds: float) -> dict[str, Any]:
        model = endless(self.scratch, shape)
        weights = Weights(model, convert(model, self.scratch / f"converted-{shape}"))
        recording, tokens = self._samples(seconds), self.scale.tokens
        rows: dict[str, Any] = {}
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            first: dict[str, Measured] = {}
            for family in FAMILIES:
                tried: dict[str, Worker] = {}
                for name in (name for name in family if name in self.systems):
                    try:
                        tried[name] = stack.enter_context(Worker(name, weights, self.threads))
                    except NotBuiltError as missing:
                        rows[name] = {"missing": str(missing)}
                        continue
                    tried[name].hear(recording, limit=4)
                    first[name] = tried[name].hear(recording, limit=tokens)
                if tried:
                    fastest = min(tried, key=lambda name: first[name].wall_s)
                    workers[fastest] = tried[fastest]
            peers = [name for name in workers if SYSTEMS[name].module != "ours"]
            wanted = max((first[name].heard.tokens or 0 for name in peers), default=0)
            limits = {name: tokens if name in peers or not wanted else _share(wanted, first[name]) for name in workers}
            rounds = [
                {name: worker.hear(recording, limit=limits[name]) for name, worker in workers.items()}
                for _ in range(self.scale.rounds)
            ]
        for name in workers:
            rows[name] = _row([one[name] for one in rounds], lambda heard: {"windows": heard.windows, "tokens": heard.tokens})
        return {"seconds": seconds, "rows": rows}

    # --- Hearing ---

    def _in_turn(
        self, names: Sequence[str], weights: Weights, recording: Path, warm: Path, *, speakers: bool = False
    ) -> dict[str, list[Measured] | str]:
        """Rounds in which each system hears the recording once, one after the other. A first short one is not counted."""
        heard: dict[str, list[Measured] | str] = {}
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            for name in announced([name for name in names if name in self.systems], str):
                heard[name] = []
                try:
                    workers[name] = stack.enter_context(Worker(name, weights, self.threads))
                except NotBuiltError as missing:
                    heard[name] = str(missing)
                    continue
                workers[name].hear(warm, speakers=speakers)
            rounds = [
                {name: worker.hear(recording, speakers=speakers) for name, worker in workers.items()}
                for _ in announced(range(self.scale.rounds), lambda number: f"round {number + 1}")
            ]
        return {name: [one[name] for one in rounds] if name in workers else missing for name, missing in heard.items()}

    # --- Judging ---

    def _word_errors(self, heard: Heard) -> dict[str, Any]:
        wer = judge(Text(heard.text), self.said).wer
        return {"wer": wer.value, **wer.errors_by_kind}

    def _job_errors(self, heard: Heard) -> dict[str, Any]:
        utterances = tuple(Utterance(*one) for one in heard.utterances)
        turns = tuple(Turn(start, end, speaker) for speaker, start, end in heard.turns or ())
        found = score(Account("", utterances, turns, self.talk.duration_s), self.reference)
        rates = {name: getattr(found, name) for name in ("cp_wer", "der")}
        return {
            **self._word_errors(heard),
            **{name: rate.value for name, rate in rates.items()},
            "speakers": len({turn.speaker for turn in turns}),
        }

    # --- Recordings ---

    def _flac(self, seconds: float) -> Path:
        path = self.scratch / f"{seconds:g}.flac"
        if not path.exists():
            self.write_flac(path, self._filled(seconds))
        return path

    def _samples(self, seconds: float) -> Path:
        path = self.scratch / f"{seconds:g}.npy"
        if not path.exists():
            np.save(path, self._filled(seconds))
        return path

    def _filled(self, seconds: float) -> np.typing.NDArray[np.float32]:
        return np.resize(self.talk.samples, round(seconds * SAMPLE_RATE_HZ))


def _share(tokens: int, first: Measured) -> int:
    """So many a window that it makes `tokens` in all, or hardly more."""
    return ceil(tokens / (first.heard.windows or 1))


def _row(heard: list[Measured] | str, judged: Callable[[Heard], dict[str, Any]]) -> dict[str, Any]:
    """A system's figures over the rounds; what it heard is judged in the last."""
    if isinstance(heard, str):
        return {"missing": heard}
    stages = {stage: median(one.heard.stages_s[stage] for one in heard) for stage in heard[-1].heard.stages_s}
    return {
        **judged(heard[-1].heard),
        "wall_s": [one.wall_s for one in heard],
        "cpu_s": [one.cpu_s for one in heard],
        "peak_mb": heard[-1].peak_mb,
        "stages_s": stages,
    }
