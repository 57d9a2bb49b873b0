"""Writes `held_out/`: two dialogues with their references, for whoever has no flite and espeak-ng at hand.

    python -m tests.models.held_out

The seeds were chosen before there was a model; the same command gives the same files.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from samples.make_samples import SAMPLE_RATE_HZ, Utterance, Word, write_flac, write_references
from tests.models.conversations import Recording, dialogue

FOLDER = Path(__file__).parent / "held_out"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, recording in (
        ("two_people", dialogue(101, 2.0, speakers=2)),
        ("three_people_noisy", dialogue(102, 2.0, speakers=3, noise_db=-50.0)),
    ):
        write_flac(FOLDER / f"{name}.flac", recording.samples)
        write_references(FOLDER, name, turns(recording))


def turns(recording: Recording) -> list[Utterance]:
    """The recording cut at changes of speaker."""
    cut = []
    for speaker, run in groupby(recording.words, key=lambda word: word.speaker):
        words = list(run)
        start, end = words[0].start, words[-1].end
        samples = recording.samples[int(start * SAMPLE_RATE_HZ) : int(end * SAMPLE_RATE_HZ)]
        cut.append(Utterance(speaker, samples, tuple(Word(w.text, w.start - start, w.end - start) for w in words), start))
    return cut


if __name__ == "__main__":
    main()
