"""Spoken utterances on disk: one file of 16-bit samples, one line of JSON per utterance; read back without loading the sound.

    python -m tests.models.corpus --out DIR --count 15000 --seed 1

Synthesis runs at about a hundred times real time on one core; 30 000 utterances are 22 hours of speech and 2.6 GB.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from tests.models.sentences import english, german
from tests.models.speech import ENGLISH_SPEAKERS, GERMAN_SPEAKERS, speak

GERMAN_SHARE = 0.05
FLITE_SHARE = 0.55  # of English utterances, over flite's four voices; the rest is espeak-ng's


@dataclass(frozen=True, slots=True)
class Spoken:
    """One utterance of the corpus: int16 samples, and for each word of it (start, end) in seconds."""

    speaker: str
    words: tuple[str, ...]
    times: tuple[tuple[float, float], ...]
    samples: NDArray[np.int16]

    @property
    def is_german(self) -> bool:
        return self.speaker.startswith("espeak:de")


def write_corpus(folder: Path, count: int, seed: int, *, held_out: bool = False) -> None:
    """`count` utterances into `folder/SEED.i16` and `folder/SEED.jsonl`; the same arguments write the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = Random(seed)  # noqa: S311 - sentences, not secrets
    flite = [speaker for speaker in ENGLISH_SPEAKERS if speaker.name.startswith("flite")]
    espeak = [speaker for speaker in ENGLISH_SPEAKERS if speaker.name.startswith("espeak")]
    written = 0
    with (folder / f"{seed}.i16").open("wb") as sound, (folder / f"{seed}.jsonl").open("w", encoding="utf-8") as lines:
        while written < count:
            if rng.random() < GERMAN_SHARE:
                speaker, text = rng.choice(GERMAN_SPEAKERS), german(rng, held_out=held_out)
            else:
                speaker = rng.choice(flite if rng.random() < FLITE_SHARE else espeak)
                text = english(rng, held_out=held_out)
            try:
                utterance = speak(text, speaker.voice(rng))
            except ValueError:  # two words run into one: there is no true time to learn from
                continue
            pcm = np.round(np.clip(utterance.samples, -1.0, 1.0) * 32767).astype(np.int16)
            sound.write(pcm.tobytes())
            line = {
                "speaker": speaker.name,
                "words": [word.text for word in utterance.words],
                "times": [(round(word.start, 3), round(word.end, 3)) for word in utterance.words],
                "samples": len(pcm),
            }
            lines.write(json.dumps(line) + "\n")
            written += 1


def read_corpus(folder: Path) -> list[Spoken]:
    """All utterances of all seeds in the folder; the sound stays on disk until it is used."""
    corpus: list[Spoken] = []
    for path in sorted(folder.glob("*.jsonl")):
        sound = np.memmap(path.with_suffix(".i16"), dtype=np.int16, mode="r")
        position = 0
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            samples = sound[position : position + row["samples"]]
            position += row["samples"]
            corpus.append(Spoken(row["speaker"], tuple(row["words"]), tuple((a, b) for a, b in row["times"]), samples))
    return corpus


def main() -> None:
    parser = argparse.ArgumentParser(description="Speak a corpus.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=15_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="only sentences that training never sees")
    options = parser.parse_args()
    write_corpus(options.out, options.count, options.seed, held_out=options.held_out)


if __name__ == "__main__":
    main()
