"""LibriSpeech: one reader a recording, one sentence or a few, in capitals and without punctuation.

`dev-clean/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac` and `SPEAKER-CHAPTER.trans.txt` beside, a line per recording: its name and
what is said. The folder may be the one that is called LibriSpeech or one above it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av

from evaluation.cases import Case
from evaluation.corpora.layout import refuse_unless
from evaluation.readers import ReadError, Recording, Utterance, read_text

PARAMETERS = {"summarize": False, "diarize": False}
"""There is one speaker: words are all that is measured."""


def librispeech(folder: Path, split: str) -> list[Case]:
    """The recordings of a split, such as `test-clean`. Raises `ReadError` also for a line without its recording."""
    transcripts = sorted(folder.glob(f"**/{split}/*/*/*.trans.txt"))
    cases = [case for path in transcripts for case in _chapter(path)]
    refuse_unless(cases, "librispeech", f"{split}/SPEAKER/CHAPTER/*.trans.txt with its .flac files")
    return cases


def _chapter(transcript: Path) -> Iterator[Case]:
    for line in read_text(transcript).splitlines():
        name, _, text = line.strip().partition(" ")
        audio = transcript.with_name(f"{name}.flac")
        if not audio.is_file():
            raise ReadError(f"{transcript.name}: {name}.flac does not lie beside it.")
        said = Utterance(name.partition("-")[0], 0.0, _seconds(audio), text)
        yield Case(name, audio, Recording(name, utterances=(said,)), parameters=PARAMETERS)


def _seconds(audio: Path) -> float:
    """From the header: nothing is decoded."""
    with av.open(str(audio)) as file:
        return (file.duration or 0) / av.time_base
