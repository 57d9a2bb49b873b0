"""VoxConverse: who spoke when in 448 videos, without words.

The annotations are the repository as it is (`dev/NAME.rttm`, `test/NAME.rttm`; version 0.3 mends some of the test set); the
recordings may lie anywhere beneath the folder, as the two archives unpack them (`audio/NAME.wav`, `voxconverse_test_wav/…`).
"""

from __future__ import annotations

from pathlib import Path

from evaluation.cases import Case
from evaluation.corpora.layout import by_stem, refuse_unless
from evaluation.readers import read

PARAMETERS = {"summarize": False}


def voxconverse(folder: Path, split: str) -> list[Case]:
    """The recordings of `dev` or `test` that have both audio and turns."""
    audio = by_stem(folder, "*.wav", ".wav")
    turns = by_stem(folder, f"{split}/*.rttm", ".rttm")
    cases = [Case(name, audio[name], read(turns[name]), parameters=PARAMETERS) for name in sorted(turns) if name in audio]
    refuse_unless(cases, "voxconverse", f"{split}/*.rttm with a .wav of the same name anywhere beneath the folder")
    return cases
