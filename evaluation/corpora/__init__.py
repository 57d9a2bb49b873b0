"""Published corpora, read where they lie: each reader takes the folder that was unpacked and a split, and gives cases.

Nothing is copied and nothing downloaded. docs/evaluation.md says where each can be had, which split the field reports, and how.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evaluation.corpora.ami import ami
from evaluation.corpora.layout import Found
from evaluation.corpora.librispeech import librispeech
from evaluation.corpora.voxconverse import voxconverse


@dataclass(frozen=True, slots=True)
class Corpus:
    """`read(folder, split)`: its recordings, and what is missing; raises `ReadError` if there are none.

    `split` is the one that is reported.
    """

    read: Callable[[Path, str], Found]
    split: str


CORPORA = {
    "ami": Corpus(ami, "test"),
    "voxconverse": Corpus(voxconverse, "test"),
    "librispeech": Corpus(librispeech, "test-clean"),
}
