"""How well a diarization pipeline tells held-out synthetic speakers apart; prints the tables of its model card.

    python -m tests.models.judge_pyannote tests/models/pyannote-tiny [--kinds dialogue crosstalk strangers] [--minutes 2.5]

dialogue    `conversations.dialogue`: the voices of the training, sentences it never heard, nobody talks over anybody
crosstalk   the same voices; people begin early and say things in between
strangers   voices that the training never heard (`voices.strangers`), no crosstalk
newcomer    `NEWCOMER` among others of the training's: for weights that were trained without him

The number of speakers is never given. Error rates are those of pyannote.metrics without collar, overlapped speech included,
over the whole recording. Settings are chosen on other seeds, `--development`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # pyannote reads it when it is imported

import torch
from pyannote.audio import Pipeline
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from samples.make_samples import PAUSE_S, SAMPLE_RATE_HZ, Utterance, Voice, mix
from tests.models.conversations import (
    LEVELS_DB,
    MARGIN_S,
    SILENCES,
    TURN_GAP_S,
    TURN_SENTENCES,
    Recording,
    ReferenceWord,
    dialogue,
    nothing,
    wall_to_wall,
)
from tests.models.conversations import PAUSE_S as SENTENCE_PAUSE_S
from tests.models.sentences import english
from tests.models.speech import ENGLISH_SPEAKERS, speak, untouched_espeak
from tests.models.voices import strangers

ROOMS_DB = (-62.0, -54.0, -46.0)
EARLY_SHARE, INTERJECTION_SHARE = 0.4, 0.3  # of the turns in a recording with crosstalk
KINDS = ("dialogue", "crosstalk", "strangers", "newcomer")
NEWCOMER = next(speaker for speaker in ENGLISH_SPEAKERS if speaker.name == "flite:awb")
DEVELOPMENT, HELD_OUT = range(500, 550), range(3001, 3011)  # seeds


@dataclass(frozen=True, slots=True)
class Case:
    """One recording to judge by, and how many speak in it."""

    name: str
    recording: Recording
    speakers: int


def cases(kind: str, seeds: Sequence[int], minutes: float) -> Iterator[Case]:
    """Two, three and four speakers in turn, in quiet and in noisy rooms."""
    for number, seed in enumerate(seeds):
        speakers, noise_db = 2 + number % 3, ROOMS_DB[(number + number // 3) % len(ROOMS_DB)]
        name = f"{kind} {seed}: {speakers} voices, {noise_db:g} dB"
        if kind == "dialogue":
            recording = dialogue(seed, minutes, speakers=speakers, noise_db=noise_db)
        else:
            recording = lively(kind, seed, minutes, speakers, noise_db)
        yield Case(name, recording, speakers)


@untouched_espeak()
def lively(kind: str, seed: int, minutes: float, speakers: int, noise_db: float) -> Recording:
    """A held-out conversation of the voices of that kind."""
    rng = Random(f"{kind} {seed}")  # noqa: S311 - sentences and gaps, not secrets
    if kind == "newcomer":
        people = [NEWCOMER, *rng.sample([speaker for speaker in ENGLISH_SPEAKERS if speaker != NEWCOMER], speakers - 1)]
    else:
        people = rng.sample(strangers() if kind == "strangers" else ENGLISH_SPEAKERS, speakers)
    voices = [replace(speaker.voice(rng), gain_db=rng.uniform(*LEVELS_DB)) for speaker in people]
    crosstalk = kind == "crosstalk"
    clock, turn = rng.uniform(*MARGIN_S), 0
    placed: list[Utterance] = []
    free = [0.0] * speakers  # from when on each has nothing to say
    while clock < minutes * 60 - 3.0:
        begun = clock = max(clock, free[turn])
        for _ in range(rng.choice(TURN_SENTENCES)):
            placed.append(_said(rng, voices[turn], turn, clock))
            clock = placed[-1].end + rng.uniform(*SENTENCE_PAUSE_S)
        end = free[turn] = placed[-1].end
        following = rng.choice([other for other in range(speakers) if other != turn])
        clock = end + rng.uniform(*TURN_GAP_S)
        if crosstalk and rng.random() < EARLY_SHARE:
            clock = max(end - rng.uniform(0.3, 1.5), begun + 0.5)
        elif crosstalk and rng.random() < INTERJECTION_SHARE:
            interjection = _said(rng, voices[following], following, rng.uniform(begun, end), short=True)
            if interjection.start >= free[following]:
                placed.append(interjection)
                free[following] = interjection.end + PAUSE_S
        turn = following
    seconds = max(utterance.end for utterance in placed) + rng.uniform(*MARGIN_S)
    words = [ReferenceWord(w.text, u.start + w.start, u.start + w.end, u.speaker) for u in placed for w in u.words]
    return Recording(mix(placed, seconds, noise_db, seed), tuple(words))


def _said(rng: Random, voice: Voice, number: int, start: float, *, short: bool = False) -> Utterance:
    while True:
        sentences = [english(rng, held_out=True, orderly=True) for _ in range(6 if short else 1)]
        try:
            spoken = speak(min(sentences, key=len), voice)
        except ValueError:  # espeak-ng ran two words of it into one
            continue
        return Utterance(f"SPEAKER_{number}", spoken.samples, spoken.words, start)


def reference(recording: Recording) -> Annotation:
    """Who speaks when: the words, with the pauses that the project's references bridge."""
    spoken = Annotation()
    for number, word in enumerate(recording.words):
        spoken[Segment(word.start, word.end), number] = word.speaker
    merged: Annotation = spoken.support(collar=PAUSE_S)
    return merged


def diarize(pipeline: Any, recording: Recording) -> Annotation:
    waveform = torch.from_numpy(recording.samples.copy())[None]  # a file's samples are read-only
    found: Annotation = pipeline({"waveform": waveform, "sample_rate": SAMPLE_RATE_HZ}).speaker_diarization
    return found


def rows(pipeline: Any, kind: str, seeds: Sequence[int], minutes: float) -> Iterator[str]:
    """One for each recording and one for all of them; shares are of the time that people speak."""
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    total = dict.fromkeys(("missed detection", "false alarm", "confusion", "total"), 0.0)
    overlap_s, right = 0.0, 0
    for case in cases(kind, seeds, minutes):
        wanted, found = reference(case.recording), diarize(pipeline, case.recording)
        parts = metric(wanted, found, uem=Timeline([Segment(0.0, case.recording.duration_s)]), detailed=True)
        for key in total:
            total[key] += parts[key]
        together_s = wanted.get_overlap().duration()
        overlap_s += together_s
        right += len(found.labels()) == case.speakers
        yield _row(case.name, parts, together_s, f"{len(found.labels())} of {case.speakers}")
    yield _row(f"**{kind}, all**", total, overlap_s, f"right in {right} of {len(seeds)}")


def _row(name: str, parts: dict[str, float], overlap_s: float, speakers: str) -> str:
    shares = [parts[key] / parts["total"] for key in ("missed detection", "false alarm", "confusion")]
    figures = " | ".join(f"{share:.2%}" for share in (sum(shares), *shares, overlap_s / parts["total"]))
    return f"| {name} | {figures} | {speakers} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge a diarization pipeline on held-out speech.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS[:3])
    parser.add_argument("--development", action="store_true", help="the recordings that settings are chosen by")
    options = parser.parse_args()
    pipeline = Pipeline.from_pretrained(options.model)
    print(
        "| recording | DER | missed | false alarm | confused | overlap | speakers found |",
        "|---|---|---|---|---|---|---|",
        sep="\n",
    )
    for kind in options.kinds:
        for line in rows(pipeline, kind, DEVELOPMENT if options.development else HELD_OUT, options.minutes):
            print(line, flush=True)
    heard = {kind: len(diarize(pipeline, nothing(kind, 30.0)).labels()) for kind in SILENCES}
    print("speakers in 30 s of", ", ".join(f"{kind}: {count}" for kind, count in heard.items()))
    print("speakers in a minute of one voice:", len(diarize(pipeline, wall_to_wall(60.0)).labels()))


if __name__ == "__main__":
    main()
