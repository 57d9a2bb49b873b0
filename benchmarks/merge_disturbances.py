"""What engines do to a conversation: to the words' times, to the turns, to both; each in three strengths."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.merge_talks import SPEAKERS, Talk, conversation
from roundtable.transcript import Turn


@dataclass(frozen=True, slots=True)
class Level:
    """How much goes wrong. All but the shares are in seconds."""

    times_s: float
    """Words and borders of turns are found up to this much early or late."""
    ends_share: float
    """Of the words, those whose end is not known, or wrong."""
    merged_gap_s: float
    """Turns of one speaker with a shorter gap become one, whoever speaks in between."""
    dropped_s: float
    """Half of the turns shorter than this are missed."""
    extra_every_s: float
    """A false turn comes about that often,"""
    extra_s: float
    """and is at most this long."""


LEVELS = {
    "mild": Level(0.1, 0.1, 0.8, 0.3, 60.0, 0.2),
    "middle": Level(0.3, 0.3, 1.5, 0.6, 20.0, 0.4),
    "strong": Level(0.6, 0.6, 3.0, 1.2, 7.0, 0.8),
}

Disturbance = Callable[[Talk, random.Random, Level], Talk]


def jitter_words(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """Each word is heard a little early or late, independently of the others."""
    return _shifted(talk, [rng.uniform(-level.times_s, level.times_s) for _ in talk.words])


def lag_words(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """All words are early or late by the same time."""
    return _shifted(talk, [rng.uniform(-level.times_s, level.times_s)] * len(talk.words))


def _shifted(talk: Talk, shifts: list[float]) -> Talk:
    moved = [replace(word, start=word.start + by, end=word.end + by) for word, by in zip(talk.words, shifts, strict=True)]
    return replace(talk, words=moved)


def lose_ends(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """Ends are unknown, or run into the silence up to the next word; some words collapse to an instant."""
    words = list(talk.words)
    for n, following in enumerate([*words[1:], replace(words[-1], start=words[-1].end)]):
        if rng.random() < level.ends_share:
            start = words[n].start
            words[n] = replace(words[n], end=rng.choice((math.nan, start, max(start, following.start))))
    return replace(talk, words=words)


def jitter_turns(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """Turns begin and end a little early or late; the shortest may vanish."""
    by_s = level.times_s
    moved = [replace(t, start=t.start + rng.uniform(-by_s, by_s), end=t.end + rng.uniform(-by_s, by_s)) for t in talk.turns]
    return _with_turns(talk, [turn for turn in moved if turn.start < turn.end])


def merge_turns(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """A speaker's turns close to one another become one."""
    merged: list[Turn] = []
    for speaker in SPEAKERS:
        own: list[Turn] = []
        for turn in talk.turns:
            if turn.speaker != speaker:
                continue
            if own and turn.start - own[-1].end < level.merged_gap_s:
                own[-1] = replace(own[-1], end=max(turn.end, own[-1].end))
            else:
                own.append(turn)
        merged += own
    return _with_turns(talk, merged)


def drop_turns(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """Short turns are missed."""
    return _with_turns(talk, [t for t in talk.turns if t.end - t.start >= level.dropped_s or rng.random() < 0.5])


def add_turns(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """Short turns of somebody who is not speaking."""
    end_s, people = talk.turns[-1].end, sorted(set(talk.said_by))
    false = []
    for _ in range(int(end_s / level.extra_every_s)):
        start = rng.uniform(0.0, end_s)
        false.append(Turn(start, start + rng.uniform(0.1, level.extra_s), rng.choice(people)))
    return _with_turns(talk, [*talk.turns, *false])


def _with_turns(talk: Talk, turns: list[Turn]) -> Talk:
    return replace(talk, turns=sorted(turns, key=lambda turn: turn.start))


def no_word_times(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """The engine gives the times of segments only, and turns are off."""
    return replace(jitter_turns(talk, rng, level), word_times=False)


def everything(talk: Talk, rng: random.Random, level: Level) -> Talk:
    """All of it at once."""
    for disturb in (jitter_words, lose_ends, drop_turns, merge_turns, jitter_turns, add_turns):
        talk = disturb(talk, rng, level)
    return talk


UNDISTURBED = "as it is"
EVERYTHING = "all together"
DISTURBANCES: dict[str, Disturbance] = {
    "word times off": jitter_words,
    "all words early or late": lag_words,
    "word ends missing": lose_ends,
    "turn borders off": jitter_turns,
    "turns merged": merge_turns,
    "turns dropped": drop_turns,
    "extra turns": add_turns,
    "no word times": no_word_times,
    EVERYTHING: everything,
}
CONDITIONS = [(UNDISTURBED, ""), *((kind, level) for kind in DISTURBANCES for level in LEVELS)]
"""Every kind of disturbance at every level."""


def disturbed(kind: str, level: str, seed: int, *, punctuated: bool) -> Talk:
    """Conversation number `seed`, the same for every kind and level, disturbed."""
    talk = conversation(random.Random(f"{seed} {punctuated}"), punctuated=punctuated)  # noqa: S311 - nothing to guess
    if kind == UNDISTURBED:
        return talk
    return DISTURBANCES[kind](talk, random.Random(f"{kind} {level} {seed}"), LEVELS[level])  # noqa: S311
