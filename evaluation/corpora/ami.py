"""AMI: meetings of three to five people, with every word's time by forced alignment.

Read from anywhere beneath the folder:

    MEETING.Mix-Headset.wav     all headsets mixed, as `amicorpus/MEETING/audio/` has it
    MEETING.X.words.xml         the words of participant X, in NXT's form, from the manual annotations (1.6.2)
    only_words/rttms/SPLIT/MEETING.rttm
                                the `only_words` turns that diarization papers score against

With words alone, the turns are made of them by the rule of `only_words`: words that touch are one turn. With turns alone, words
are not scored. The two name the speakers differently, which no measure minds.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from evaluation.cases import Case
from evaluation.corpora.layout import by_stem, refuse_unless
from evaluation.readers import PAUSE_S, ReadError, Recording, Utterance, read
from roundtable.transcript import Turn, Word

PARAMETERS = {"summarize": False}


def _series(names: str, parts: str = "abcd") -> tuple[str, ...]:
    return tuple(f"{name}{part}" for name in names.split() for part in parts)


SPLITS = {
    "dev": (*_series("ES2011 IS1008 TS3004"), *_series("IB400", "1234"), "IB4010", "IB4011"),
    "test": _series("EN2002 ES2004 IS1009 TS3003"),
}
"""The Full-corpus-ASR partition. `train`: every other meeting."""


_CLITICS = frozenset(("'s", "'ve", "'re", "'ll", "'d", "'m", "n't"))


def ami(folder: Path, split: str) -> list[Case]:
    """The meetings of `dev`, `test` or `train` that have their audio and words or turns."""
    audio = by_stem(folder, "*.Mix-Headset.wav", ".Mix-Headset.wav")
    turns = by_stem(folder, f"only_words/rttms/{split}/*.rttm", ".rttm")
    words = by_stem(folder, "*.words.xml", ".words.xml")
    cases = []
    for name in sorted(audio):
        channels = [path for key, path in sorted(words.items()) if key.startswith(f"{name}.")]
        if _in_split(name, split) and (channels or name in turns):
            cases.append(_meeting(name, audio[name], channels, read(turns[name]).turns if name in turns else None))
    refuse_unless(cases, "ami", f"{split} meetings as *.Mix-Headset.wav with *.words.xml or only_words/rttms/{split}/*.rttm")
    return cases


def _in_split(meeting: str, split: str) -> bool:
    if split == "train":
        return meeting not in chain(*SPLITS.values())
    return meeting in SPLITS.get(split, ())


def _meeting(name: str, audio: Path, channels: Sequence[Path], turns: tuple[Turn, ...] | None) -> Case:
    """A meeting of which the words are known, or at least the turns."""
    if not channels:
        return Case(name, audio, Recording(name, turns=turns), parameters=PARAMETERS)
    said = [_channel(path) for path in channels]
    words = tuple(sorted(chain(*said), key=lambda word: word.start))
    utterances = tuple(sorted(chain(*map(_utterances, said)), key=lambda utterance: utterance.start))
    spoken = turns or tuple(sorted(chain(*map(_turns, said)), key=lambda turn: turn.start))
    return Case(name, audio, Recording(name, utterances, spoken), parameters=PARAMETERS, words=words)


def _channel(path: Path) -> list[Word]:
    """One participant's words, in order. Punctuation, noises and words without times are left out; `'ve` joins its host."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314  a file that its owner named, not one off the net
    except (OSError, ElementTree.ParseError) as error:
        raise ReadError(f"{path.name}: is not NXT's XML.") from error
    speaker = path.name.removesuffix(".words.xml").rpartition(".")[2]
    words: list[Word] = []
    for node in root.iter("w"):
        text, start, end = (node.text or "").strip(), node.get("starttime"), node.get("endtime")
        if not text or not start or not end or node.get("punc") == "true":
            continue
        if text in _CLITICS and words:
            host = words.pop()
            text, start = host.text + text, str(host.start)
        words.append(Word(text, float(start), float(end), speaker=speaker))
    return sorted(words, key=lambda word: word.start)


def _utterances(words: Sequence[Word]) -> Iterator[Utterance]:
    """A speaker's words in pieces parted by pauses, as our own replies are scored."""
    for piece in _pieces(words, PAUSE_S):
        yield Utterance(piece[0].speaker, piece[0].start, piece[-1].end, " ".join(word.text for word in piece))


def _turns(words: Sequence[Word]) -> Iterator[Turn]:
    for piece in _pieces(words, 0.0):
        yield Turn(piece[0].start, max(word.end for word in piece), str(piece[0].speaker))


def _pieces(words: Sequence[Word], pause_s: float) -> list[list[Word]]:
    """Parted wherever the next word begins more than so much after the last one's end."""
    pieces: list[list[Word]] = []
    for word in words:
        if pieces and word.start - pieces[-1][-1].end <= pause_s:
            pieces[-1].append(word)
        else:
            pieces.append([word])
    return pieces
