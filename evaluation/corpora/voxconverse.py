"""VoxConverse: who spoke when in 448 videos, without words.

The annotations are the repository as it is (`dev/NAME.rttm`, `test/NAME.rttm`; version 0.3 mends some of the test set); the
recordings may lie anywhere beneath the folder, as the two archives unpack them (`audio/NAME.wav`, `voxconverse_test_wav/…`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from evaluation.cases import Case, case_or_problem
from evaluation.corpora.layout import Found, by_stem, refuse_unless
from evaluation.readers import read

PARAMETERS = {"summarize": False}


def voxconverse(folder: Path, split: str) -> Found:
    """The recordings of `dev` or `test`: those with turns, of which those without audio are missing."""
    audio = by_stem(folder, "*.wav", ".wav")
    turns = by_stem(folder, f"{split}/*.rttm", ".rttm")
    cases = [
        case_or_problem(name, audio[name], partial(_recording, name, audio[name], turns[name]))
        for name in sorted(turns)
        if name in audio
    ]
    found = Found(cases, tuple(sorted(turns.keys() - audio.keys())))
    return refuse_unless(found, "voxconverse", f"{split}/*.rttm with a .wav of the same name anywhere beneath the folder")


def _recording(name: str, audio: Path, turns: Path) -> Case:
    return Case(name, audio, read(turns), parameters=PARAMETERS)
