"""AMI: meetings of three to five people, with every word's time by forced alignment.

Read from anywhere beneath the folder:

    MEETING.Mix-Headset.wav     all headsets mixed, as `amicorpus/MEETING/audio/` has it
    MEETING.X.words.xml         the words of participant X, in NXT's form, from the manual annotations (1.6.2)
    corpusResources/meetings.xml
                                who takes part in which meeting, from the same
    only_words/rttms/SPLIT/MEETING.rttm
                                the `only_words` turns that diarization papers score against

With words alone, the turns are made of them by the rule of `only_words`: words that touch are one turn. With turns alone, words
are not scored. A meeting of which a participant's words are missing is not scored at all: the words that were right would count
as invented. The two name the speakers differently, which no measure minds.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from evaluation.cases import Case, case_or_problem
from evaluation.corpora.layout import Found, by_stem, files, refuse_unless
from evaluation.readers import PAUSE_S, ReadError, Recording, Utterance, read, read_seconds
from roundtable.transcript import Turn, Word

PARAMETERS = {"summarize": False}


def _series(names: str, parts: str = "abcd") -> tuple[str, ...]:
    return tuple(f"{name}{part}" for name in names.split() for part in parts)


SPLITS = {
    "dev": (*_series("ES2011 IS1008 TS3004"), *_series("IB400", "1234"), "IB4010", "IB4011"),
    "test": _series("EN2002 ES2004 IS1009 TS3003"),
}
"""The Full-corpus-ASR partition. `train`: every other meeting."""


FEWEST_PARTICIPANTS = 3

_CLITICS = frozenset(("'s", "'ve", "'re", "'ll", "'d", "'m", "n't"))
_CLITIC_WITHIN_S = 0.5
"""What begins later than this after the last word is no ending of it."""

_ACRONYM = re.compile(r"(?:[A-Za-z]_)+\w*")
"""AMI spells letters that are said one by one as `T_V_`."""


def ami(folder: Path, split: str) -> Found:
    """The meetings of `dev`, `test` or `train` that have their audio and words or turns.

    Of `dev` and `test` it is known which there are, of `train` only those of which something lies there.
    """
    audio = by_stem(folder, "*.Mix-Headset.wav", ".Mix-Headset.wav")
    turns = by_stem(folder, f"only_words/rttms/{split}/*.rttm", ".rttm")
    words = by_stem(folder, "*.words.xml", ".words.xml")
    participants = _participants(folder)
    cases = []
    for name in sorted(audio):
        channels = [path for key, path in sorted(words.items()) if key.startswith(f"{name}.")]
        if _in_split(name, split) and (channels or name in turns):
            make = partial(_meeting, name, audio[name], channels, turns.get(name), participants.get(name))
            cases.append(case_or_problem(name, audio[name], make))
    known = SPLITS.get(split) or sorted(name for name in {*audio, *turns} if _in_split(name, split))
    found = Found(cases, tuple(sorted(set(known) - {case.name for case in cases})))
    return refuse_unless(
        found, "ami", f"{split} meetings as *.Mix-Headset.wav with *.words.xml or only_words/rttms/{split}/*.rttm"
    )


def _participants(folder: Path) -> Mapping[str, frozenset[str]]:
    """The letters of each meeting's participants, as `meetings.xml` has them; nothing where it does not lie there."""
    return {
        str(meeting.get("observation")): frozenset(str(one.get("nxt_agent")) for one in meeting.iter("speaker"))
        for path in files(folder, "corpusResources/meetings.xml")
        for meeting in _xml(path).iter("meeting")
    }


def _in_split(meeting: str, split: str) -> bool:
    if split == "train":
        return meeting not in chain(*SPLITS.values())
    return meeting in SPLITS.get(split, ())


def _meeting(name: str, audio: Path, channels: Sequence[Path], rttm: Path | None, participants: frozenset[str] | None) -> Case:
    """A meeting of which the words are known, or at least the turns. Raises `ReadError` for one that is incomplete."""
    turns = None if rttm is None else read(rttm).turns
    if not channels:
        return Case(name, audio, Recording(name, turns=turns), parameters=PARAMETERS)
    _refuse_incomplete(channels, turns, participants)
    said = [_channel(path) for path in channels]
    words = tuple(sorted(chain(*said), key=lambda word: word.start))
    utterances = tuple(sorted(chain(*map(_utterances, said)), key=lambda utterance: utterance.start))
    spoken = turns or tuple(sorted(chain(*map(_turns, said)), key=lambda turn: turn.start))
    return Case(name, audio, Recording(name, utterances, spoken), parameters=PARAMETERS, words=words)


def _refuse_incomplete(channels: Sequence[Path], turns: Sequence[Turn] | None, participants: frozenset[str] | None) -> None:
    there = {_participant(path) for path in channels}
    if participants is not None:
        if missing := sorted(participants - there):
            raise ReadError(f"incomplete: the words of {', '.join(missing)} are missing.")
        return
    wanted = FEWEST_PARTICIPANTS if turns is None else len({turn.speaker for turn in turns})
    if len(there) < wanted:
        raise ReadError(f"incomplete: the words of {len(there)} of {wanted} participants or more are there.")


def _participant(path: Path) -> str:
    return path.name.removesuffix(".words.xml").rpartition(".")[2]


def _xml(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()  # noqa: S314  a file that its owner named, not one off the net
    except (OSError, ElementTree.ParseError) as error:
        raise ReadError(f"{path.name}: is not NXT's XML.") from error


def _channel(path: Path) -> list[Word]:
    """One participant's words, in order. Punctuation, noises and words without times are left out; `'ve` joins its host."""
    speaker = _participant(path)
    words: list[Word] = []
    for node in _xml(path).iter("w"):
        text, start, end = (node.text or "").strip(), node.get("starttime"), node.get("endtime")
        if not text or not start or not end or node.get("punc") == "true":
            continue
        start_s, end_s = read_seconds(start, end, path.name)
        if _ACRONYM.fullmatch(text):
            text = text.replace("_", "")
        if text in _CLITICS and words and start_s - words[-1].end <= _CLITIC_WITHIN_S:
            host = words.pop()
            text, start_s = host.text + text, host.start
        words.append(Word(text, start_s, max(start_s, end_s), speaker=speaker))
    return sorted(words, key=lambda word: word.start)


def _utterances(words: Sequence[Word]) -> Iterator[Utterance]:
    """A speaker's words in pieces parted by pauses, as our own replies are scored."""
    for piece in _pieces(words, PAUSE_S):
        yield Utterance(
            piece[0].speaker, piece[0].start, max(word.end for word in piece), " ".join(word.text for word in piece)
        )


def _turns(words: Sequence[Word]) -> Iterator[Turn]:
    for piece in _pieces(words, 0.0):
        yield Turn(piece[0].start, max(word.end for word in piece), str(piece[0].speaker))


def _pieces(words: Sequence[Word], pause_s: float) -> list[list[Word]]:
    """Parted wherever the next word begins more than so much after all before it have ended: some lie within others."""
    pieces: list[list[Word]] = []
    until_s = 0.0
    for word in words:
        if pieces and word.start - until_s <= pause_s:
            pieces[-1].append(word)
        else:
            pieces.append([word])
        until_s = max(until_s, word.end)
    return pieces
