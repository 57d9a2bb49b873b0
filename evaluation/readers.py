"""What is scored, and how it is read: the JSON reply of this project, STM for words, RTTM for turns.

One file holds one recording. A JSON reply gives words by speaker; its turns are those of the RTTM beside it when there is one,
else the spans of its `speakers`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from roundtable.transcript import Turn, Word

PAUSE_S = 0.5
"""A turn of a reply is scored in pieces parted by pauses this long, so that each piece's words have nearly exact times."""

LONGEST_S = 1e7
"""Four months. What claims to be later is no time in a recording."""


class ReadError(Exception):
    """A file that cannot be scored. The text is one sentence for the person who named the file."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Words of one speaker; None is a stream of its own, of words that nobody was credited with."""

    speaker: str | None
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording as somebody heard it. None: this file does not say.

    `doubts`: what in its files looks like a mistake, a sentence each; they are scored all the same.
    """

    name: str
    utterances: tuple[Utterance, ...] | None = None
    turns: tuple[Turn, ...] | None = None
    duration_s: float | None = None
    wall_s: float | None = None
    doubts: tuple[str, ...] = field(default=(), compare=False)

    @property
    def num_speakers(self) -> int | None:
        """By the turns, or else by the words; None if nobody was told apart."""
        if self.turns is not None:
            return len({turn.speaker for turn in self.turns})
        speakers = {utterance.speaker for utterance in self.utterances or ()}
        return None if self.utterances is None or speakers == {None} else len(speakers - {None})


def read(path: Path, rttm: Path | None = None) -> Recording:
    """Read a .json, .stm or .rttm file, with the turns of `rttm` if given. Raises `ReadError`."""
    parse = {".json": _read_json, ".stm": read_stm, ".rttm": read_rttm}.get(path.suffix.lower())
    if parse is None:
        raise ReadError(f"{path.name}: is none of .json, .stm and .rttm.")
    recording = parse(read_text(path), path.name)
    if rttm is not None:
        turns = read_rttm(read_text(rttm), rttm.name)
        recording = replace(recording, turns=turns.turns, doubts=(*recording.doubts, *turns.doubts))
    return recording


def read_stm(text: str, name: str) -> Recording:
    """`file channel speaker start end [<labels>] words…`, NIST's segment time marks; `;;` opens a comment."""
    utterances = []
    for number, line in _lines(text):
        fields = re.split(r"\s+", line, maxsplit=5)
        if len(fields) < 5:
            raise ReadError(f"{name}, line {number}: an STM line has at least five fields.")
        words = re.sub(r"^<[^>]*>\s*", "", fields[5] if len(fields) > 5 else "")
        if words.lower() == "ignore_time_segment_in_scoring" or fields[2] == "inter_segment_gap":
            continue
        start, end = _times(fields[3], fields[4], name, number)
        if end < start:
            raise ReadError(f"{name}, line {number}: ends before it starts.")
        utterances.append(Utterance(fields[2], start, end, words))
    doubts = _one_recording([line.split()[0] for _, line in _lines(text)], name)
    doubts += () if utterances else (f"{name} holds no utterance, so that every word heard is an insertion.",)
    utterances.sort(key=lambda utterance: utterance.start)
    return Recording(_stem(name), utterances=tuple(utterances), doubts=doubts)


def read_rttm(text: str, name: str) -> Recording:
    """`SPEAKER file channel start length <NA> <NA> speaker …`, NIST's rich transcription time marks; other types are left."""
    turns, names, lines = [], [], _lines(text)
    for number, line in lines:
        fields = line.split()
        if fields[0] != "SPEAKER":
            continue
        if len(fields) < 8:
            raise ReadError(f"{name}, line {number}: an RTTM line has at least eight fields.")
        start, length = _times(fields[3], fields[4], name, number)
        if length < 0:
            raise ReadError(f"{name}, line {number}: ends before it starts.")
        names.append(fields[1])
        turns.append(Turn(start, start + length, fields[7]))
    if lines and not turns:
        raise ReadError(f"{name}: has no SPEAKER line.")
    doubts = _one_recording(names, name)
    return Recording(_stem(name), turns=tuple(sorted(turns, key=lambda turn: turn.start)), doubts=doubts)


def read_reply(reply: Mapping[str, Any], name: str, rttm: str | None = None) -> Recording:
    """A reply in the json format, with `rttm`, the text of the same conversation's RTTM, if there is one."""
    try:
        utterances = tuple(_utterances(reply))
        turns = _spans(reply) if rttm is None else read_rttm(rttm, name).turns
        duration_s, wall_s = _length(reply.get("duration")), _length(reply.get("timings", {}).get("total_s"))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ReadError(f"{name}: is not a reply in the json format.") from error
    if any(one.end < one.start for one in utterances) or any(turn.end < turn.start for turn in turns or ()):
        raise ReadError(f"{name}: a turn ends before it starts.")
    return Recording(_stem(name), utterances, turns, duration_s, wall_s)


def read_words(path: Path) -> tuple[Word, ...]:
    """`[{"speaker", "word", "start", "end"}, …]`, in seconds; the words in the order of their starts. Raises `ReadError`."""
    try:
        words = [
            Word(str(one["word"]), _finite(one["start"]), _finite(one["end"]), speaker=str(one["speaker"]))
            for one in json.loads(read_text(path))
        ]
        if any(word.end < word.start for word in words):
            raise ValueError("ends before it starts")
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ReadError(f"{path.name}: is not a list of words with their times.") from error
    return tuple(sorted(words, key=lambda word: word.start))


def _read_json(text: str, name: str) -> Recording:
    try:
        return read_reply(json.loads(text), name)
    except (ValueError, RecursionError) as error:  # ValueError: nor is a number of thousands of digits one that can be read
        raise ReadError(f"{name}: is not JSON.") from error


def _spans(reply: Mapping[str, Any]) -> tuple[Turn, ...] | None:
    if reply["chunks"] and not reply["speakers"]:
        return None  # diarization was off
    turns = (turn for turn in reply["speakers"] if turn["speaker"] is not None)
    return tuple(Turn(*_span(turn["timestamp"]), speaker=_plain(turn["speaker"])) for turn in turns)


def _utterances(reply: Mapping[str, Any]) -> Iterator[Utterance]:
    if not reply["speakers"]:
        for chunk in reply["chunks"]:
            yield _utterance(None, chunk["timestamp"], chunk["text"])
    for turn in reply["speakers"]:
        if not turn["words"]:
            yield _utterance(turn["speaker"], turn["timestamp"], turn["text"])
        for piece in _pieces(turn["words"]):
            text = " ".join(word["word"] for word in piece)
            yield _utterance(turn["speaker"], (piece[0]["start"], piece[-1]["end"]), text)


def _utterance(speaker: object, timestamp: Sequence[float], text: object) -> Utterance:
    start, end = _span(timestamp)
    return Utterance(None if speaker is None else _plain(speaker), start, end, _plain(text))


def _plain(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _span(timestamp: Sequence[float]) -> tuple[float, float]:
    start, end = timestamp
    return _finite(start), _finite(end)


def _finite(time: str | float) -> float:
    """A time as a float. Raises ValueError unless it is within `LONGEST_S` of 0: no measure survives one that is not."""
    number = float(time)
    if not abs(number) <= LONGEST_S:  # nor is NaN
        raise ValueError("no time in a recording")
    return number


def _length(seconds: str | float | None) -> float | None:
    if seconds is not None and _finite(seconds) < 0:
        raise ValueError("negative")
    return None if seconds is None else _finite(seconds)


def _pieces(words: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    pieces: list[list[Mapping[str, Any]]] = []
    for word in words:
        if pieces and word["start"] - pieces[-1][-1]["end"] < PAUSE_S:
            pieces[-1].append(word)
        else:
            pieces.append([word])
    return pieces


def read_text(path: Path) -> str:
    """Without the byte order mark that editors on Windows begin with. Raises `ReadError` unless it is UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ReadError(f"{path.name}: no such file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path.name}: cannot be read as a text file.") from error


def refuse_unless_folder(path: Path) -> None:
    """Raises `ReadError`. A name that no file system takes is one of no folder."""
    if not os.path.isdir(path):
        raise ReadError(f"{path}: {'not a folder' if os.path.exists(path) else 'no such folder'}.")


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines that say something, stripped, with their numbers."""
    stripped = ((number, line.strip()) for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1))
    return [(number, line) for number, line in stripped if line and not line.startswith(";")]


def _times(first: str, second: str, name: str, number: int) -> tuple[float, float]:
    return read_seconds(first, second, f"{name}, line {number}")


def read_seconds(start: str, end: str, name: str) -> tuple[float, float]:
    """Two times of a file. Raises `ReadError` where one is no time in a recording."""
    try:
        return _finite(start), _finite(end)
    except ValueError as error:
        raise ReadError(f"{name}: a time is not a number.") from error


def _one_recording(names: Sequence[str], file: str) -> tuple[str, ...]:
    """A doubt, where that recording has another name than the file."""
    if len(set(names)) > 1:
        raise ReadError(f"{file}: holds {len(set(names))} recordings; give each one a file of its own.")
    return tuple(f"{file} is about a recording called {name}." for name in set(names) - {_stem(file)})


def _stem(name: str) -> str:
    return Path(name).stem
