"""Made-up conversations with an exact reference: who says which word when, and whose turns the diarizer draws.

Two to six people: turns of all lengths, monologues, one-word replies, interjections into somebody else's turn, talk at the same
time, hesitations, silences. Words are random letters: no rule here reads them, and for cpWER each should be unlike the others.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from roundtable.transcript import Segment, Transcript, Turn, Word

SPEAKERS = ("Ann", "Ben", "Cem", "Dee", "Eva", "Fay")  # names, so that no algorithm renumbers them
LETTERS = "etaoinshrdlu"

ROUNDS = 36
"""Turns of a conversation before anybody interjects: about five minutes."""
HELD_TOGETHER_S = 0.6
"""A diarizer bridges shorter silences of one speaker."""


@dataclass(frozen=True)
class Talk:
    """A conversation: its words in the order of their starts, who says each, and everybody's turns, sorted by start.

    The turns of different people overlap where they talk at the same time. Disturbances change times and turns, and never the
    words, their order or their speakers.
    """

    words: list[Word]
    said_by: list[str]
    turns: list[Turn]
    punctuated: bool
    word_times: bool = True

    @property
    def duration_s(self) -> float:
        return max([0.0, *(turn.end for turn in self.turns)]) + 5.0

    @property
    def transcript(self) -> Transcript:
        return Transcript(tuple(segments_of(self)))


def conversation(rng: random.Random, *, punctuated: bool) -> Talk:
    """One conversation. Without punctuation it has no mark at all, as some engines write."""
    people = SPEAKERS[: rng.randint(2, len(SPEAKERS))]
    spoken: list[tuple[Word, str]] = []
    clock, speaker = rng.uniform(0.2, 2.0), people[0]
    for _ in range(ROUNDS):
        speaker = rng.choice([other for other in people if other != speaker])
        words = _sentences(rng, clock, _lengths(rng), punctuated)
        spoken += [(word, speaker) for word in words]
        clock = max(words[0].start + 0.1, words[-1].end + _wait_s(rng))
    for _ in range(rng.randint(4, 12)):
        begin, by = rng.choice(spoken)
        other = rng.choice([person for person in people if person != by])
        spoken += [(word, other) for word in _sentences(rng, begin.end - 0.05, [rng.randint(1, 2)], punctuated)]
    spoken.sort(key=lambda item: item[0].start)
    turns = [turn for person in people for turn in _turns([word for word, by in spoken if by == person], person)]
    heard = _heard(rng, spoken)
    return Talk([word for word, _ in heard], [by for _, by in heard], sorted(turns, key=lambda t: t.start), punctuated)


def _lengths(rng: random.Random) -> list[int]:
    """Words in each sentence of a turn."""
    kind = rng.random()
    if kind < 0.3:
        return [rng.randint(1, 3)]
    if kind < 0.95:
        return [rng.randint(3, 14) for _ in range(rng.randint(1, 4))]
    return [rng.randint(5, 20) for _ in range(rng.randint(8, 16))]  # a monologue of about a minute


def _wait_s(rng: random.Random) -> float:
    """Silence before the next turn; negative where somebody does not wait."""
    kind = rng.random()
    if kind < 0.06:
        return rng.uniform(2.0, 8.0)
    if kind < 0.12:
        return -rng.uniform(0.5, 1.5)
    return min(1.5, max(-0.5, rng.gauss(0.25, 0.35)))


def _sentences(rng: random.Random, clock: float, lengths: Sequence[int], punctuated: bool) -> list[Word]:
    """Marks as engines set them: some are missing, some stand at a hesitation, and who is cut short gets none."""
    words = []
    cut_short = rng.random() < 0.1
    for number, length in enumerate(lengths, start=1):
        for place in range(length):
            text = "".join(rng.choices(LETTERS, k=rng.randint(1, 9)))
            mark, gap = "", rng.choice((0.0, 0.0, 0.02, 0.05))
            if place == length - 1:
                gap = rng.uniform(0.1, 0.7)
                if rng.random() < 0.93 and not (cut_short and number == len(lengths)):
                    mark = rng.choice(".?!")
            elif rng.random() < 0.12:
                mark, gap = ",", rng.uniform(0.0, 0.3)
            elif rng.random() < 0.05:  # a hesitation: a silence need not mean another speaker
                mark, gap = rng.choice((".", "", "", "", "", "")), rng.uniform(0.3, 0.9)
            end = clock + (0.08 + 0.045 * len(text)) * rng.uniform(0.8, 1.3)
            words.append(Word(f" {text}{mark if punctuated else ''}", clock, end))
            clock = end + gap
    return words


def _heard(rng: random.Random, spoken: Iterable[tuple[Word, str]]) -> list[tuple[Word, str]]:
    """An ASR engine hears one voice at a time: of two words that share half of the shorter one's time, either is lost."""
    heard: list[tuple[Word, str]] = []
    for word, by in spoken:
        last = heard[-1][0] if heard else Word("", 0.0, 0.0)
        if min(last.end, word.end) - word.start < 0.5 * min(word.end - word.start, last.end - last.start):
            heard.append((word, by))
        elif rng.random() < 0.5:
            heard[-1] = (word, by)
    return heard


def _turns(words: Sequence[Word], speaker: str) -> list[Turn]:
    turns: list[Turn] = []
    for word in words:
        if turns and word.start - turns[-1].end < HELD_TOGETHER_S:
            turns[-1] = replace(turns[-1], end=max(turns[-1].end, word.end))
        else:
            turns.append(Turn(word.start, word.end, speaker))
    return turns


def segments_of(talk: Talk) -> list[Segment]:
    """Segments as an ASR engine cuts them: after a sentence or a silence once 3 s are full, at 10 s wherever it is."""
    cuts = [0]
    for n, (word, following) in enumerate(pairwise(talk.words), start=1):
        length_s = word.start - talk.words[cuts[-1]].start
        pause = word.text[-1] in ".?!" if talk.punctuated else following.start - word.start > 0.8
        if (length_s >= 3.0 and pause) or length_s >= 10.0:
            cuts.append(n)
    segments = []
    for begin, stop in pairwise([*cuts, len(talk.words)]):
        words = tuple(talk.words[begin:stop])
        end = max(word.end if math.isfinite(word.end) else word.start + 0.3 for word in words)
        segments.append(Segment(words[0].start, end, "".join(w.text for w in words), words if talk.word_times else ()))
    return segments
