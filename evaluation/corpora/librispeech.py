"""LibriSpeech: one reader a recording, one sentence or a few, in capitals and without punctuation.

`dev-clean/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac` and `SPEAKER-CHAPTER.trans.txt` beside, a line per recording: its name and
what is said. The folder may be the one that is called LibriSpeech or one above it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av

from evaluation.cases import Case, case_or_problem
from evaluation.corpora.layout import Found, files, refuse_unless
from evaluation.readers import ReadError, Recording, Utterance, read_text

PARAMETERS = {"summarize": False, "diarize": False}
"""There is one speaker: words are all that is measured."""


def librispeech(folder: Path, split: str) -> Found:
    """The recordings of a split, such as `test-clean`. A line of which the recording does not lie beside is missing."""
    lines = [line for path in files(folder, f"{split}/*/*/*.trans.txt") for line in _lines(path)]
    cases = [case_or_problem(audio.stem, audio, partial(_sentence, audio, text)) for audio, text in lines if audio.is_file()]
    found = Found(cases, tuple(audio.stem for audio, _ in lines if not audio.is_file()))
    return refuse_unless(found, "librispeech", f"{split}/SPEAKER/CHAPTER/*.trans.txt with its .flac files")


def _lines(transcript: Path) -> Iterator[tuple[Path, str]]:
    """Each recording and what is said in it."""
    for line in read_text(transcript).splitlines():
        name, _, text = line.strip().partition(" ")
        if name:
            yield transcript.with_name(f"{name}.flac"), text


def _sentence(audio: Path, text: str) -> Case:
    said = Utterance(audio.stem.partition("-")[0], 0.0, _seconds(audio), text)
    return Case(audio.stem, audio, Recording(audio.stem, utterances=(said,)), parameters=PARAMETERS)


def _seconds(audio: Path) -> float:
    """From the header: nothing is decoded."""
    try:
        with av.open(str(audio)) as file:
            return (file.duration or 0) / av.time_base
    except (av.FFmpegError, OSError) as error:
        raise ReadError(f"{audio.name}: cannot be read as a recording.") from error
