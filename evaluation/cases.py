"""Which recordings there are, what is known about each, and what each must reach.

A folder of recordings holds, for each NAME: the audio (`NAME.flac`, `.wav`, …), `NAME.stm` (who said what) and `NAME.rttm` (who
spoke when), or one of the two; and, where they are known, `NAME.words.json` (when each word was said) and `NAME.summary.txt`
(what a reader would write down).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from evaluation.doubts import doubts
from evaluation.readers import ReadError, Recording, read, read_text, read_words, refuse_unless_folder
from roundtable.transcript import Word

SPOKEN = {"wer": 0.20, "der": 0.15, "cp_wer": 0.35, "speaker_count": 0.0, "real_time": 1.0}
PHONE_CALL_TOLD = {"der": 0.20, "real_time": 1.0}
PHONE_CALL = {"speaker_count": 0.0, "real_time": 1.0}
"""The most that each measure may be, with the embedded engines."""

HELD_OUT = {"wer": 0.05, "real_time": 1.0}
HELD_OUT_PYANNOTE = {"wer": 0.05, "der": 0.10, "cp_wer": 0.15, "speaker_count": 0.0, "real_time": 1.0}
"""The same with the tiny models of `tests/models`, on the dialogues that nothing was trained on."""

WORDLESS = frozenset(("silence", "noise", "tone"))
"""The edge clips in which nothing at all is said."""

AUDIO = (".flac", ".wav", ".mp3", ".m4a", ".ogg", ".opus", ".webm", ".mp4")


@dataclass(frozen=True, slots=True)
class Case:
    """One call: a recording, what is known about it, and the most that each measure may be.

    `words` are the reference's words with exact times, in order; `summary` is a reader's. `problem`: why its reference cannot
    be read; then it is not heard, and fails by that. `doubts`: what in its reference looks like a mistake.
    """

    name: str
    audio: Path
    reference: Recording
    at_most: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    words: tuple[Word, ...] | None = None
    summary: str | None = None
    problem: str | None = None
    doubts: tuple[str, ...] = ()


def case_or_problem(name: str, audio: Path, make: Callable[[], Case]) -> Case:
    """The case; or, where a file of its reference cannot be read, one that says so, so that the others are heard."""
    try:
        return make()
    except ReadError as error:
        return Case(name, audio, Recording(name), problem=str(error))


def heard_again(cases: Sequence[Case]) -> frozenset[str]:
    """The names of the cases that the totals leave out: of one recording, only the first with the fewest parameters counts."""
    first: dict[Path, Case] = {}
    for case in sorted(cases, key=lambda case: len(case.parameters)):
        first.setdefault(case.audio, case)
    return frozenset(case.name for case in cases if first[case.audio] is not case)


def sample_cases(folder: Path, at_most: Mapping[str, float] = SPOKEN) -> list[Case]:
    """Every recording of the folder that has both references, by name. Raises `ReadError` for one that cannot be read."""
    cases = folder_cases(folder, at_most)
    for case in cases:
        if case.problem is not None:
            raise ReadError(case.problem)
    return [case for case in cases if None not in (case.reference.utterances, case.reference.turns)]


def folder_cases(folder: Path, at_most: Mapping[str, float] | None = None) -> list[Case]:
    """Every recording of the folder that has a reference, by name. Raises `ReadError` if two files share one reference."""
    cases = []
    for audio in _audio_files(folder):
        case = case_or_problem(audio.stem, audio, partial(_case, audio, at_most or {}))
        if case.problem is not None or (case.reference.utterances, case.reference.turns) != (None, None):
            cases.append(case)
    for case, other in pairwise(cases):
        if case.name == other.name:
            raise ReadError(f"{case.audio.name} and {other.audio.name} share one reference; only one can be the recording.")
    return cases


def data_cases(folder: Path) -> tuple[list[Case], str]:
    """Of a folder that somebody named, and a line about what has no reference. Raises `ReadError` if nothing has one."""
    refuse_unless_folder(folder)
    cases = [replace(case, doubts=doubts(case.reference)) for case in folder_cases(folder)]
    if not cases:
        raise ReadError("The folder holds no recording with an .stm or .rttm beside it.")
    known = {case.audio for case in cases}
    without = [path.stem for path in _audio_files(folder) if path not in known]
    return cases, f"not scored, for want of a reference: {', '.join(without)}" if without else ""


def phone_call_cases() -> list[Case]:
    """pyannote.audio's sample, from where that package lies: told that two people speak, and not told."""
    package = importlib.util.find_spec("pyannote.audio") if importlib.util.find_spec("pyannote") else None
    if package is None or not package.submodule_search_locations:
        return []
    stem = Path(package.submodule_search_locations[0], "sample", "sample")
    reference = read(stem.with_suffix(".stm"), stem.with_suffix(".rttm"))
    audio = stem.with_suffix(".wav")
    return [
        Case("phone call, told 2", audio, reference, PHONE_CALL_TOLD, {"num_speakers": 2}),
        Case("phone call", audio, reference, PHONE_CALL),
    ]


def _audio_files(folder: Path) -> list[Path]:
    """By name. What macOS writes beside each file (`._NAME`) is none."""
    files = folder.iterdir() if folder.is_dir() else ()
    found = [path for path in files if path.suffix.lower() in AUDIO and not path.name.startswith("._")]
    return sorted(found, key=lambda path: (path.stem, path.suffix))


def _case(audio: Path, at_most: Mapping[str, float]) -> Case:
    """Without words and turns, where nothing lies beside it."""
    stm, rttm = audio.with_suffix(".stm"), audio.with_suffix(".rttm")
    words, summary = audio.with_suffix(".words.json"), audio.with_suffix(".summary.txt")
    if stm.is_file():
        reference = read(stm, rttm if rttm.is_file() else None)
    elif rttm.is_file():
        reference = read(rttm)
    else:
        reference = Recording(audio.stem)
    return Case(
        audio.stem,
        audio,
        reference,
        at_most,
        words=read_words(words) if words.is_file() else None,
        summary=read_text(summary) if summary.is_file() else None,
    )
