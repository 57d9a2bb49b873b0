"""What looks like a mistake in a reference: told, and scored all the same, since only a person can know.

Scores do not show such a mistake for what it is: a reference of another recording, or one that is shifted, just makes every
figure bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from evaluation.readers import Recording

BEYOND_S = 1.0
"""Times that are rounded, and a decoder's last frame, reach beyond a recording by less."""


def doubts(reference: Recording) -> tuple[str, ...]:
    """A sentence each: those of its files, and speakers of its words who are not those of its turns."""
    return (*reference.doubts, *_speakers(reference))


def beyond_the_end(reference: Recording, duration_s: float | None) -> tuple[str, ...]:
    """A sentence, if the reference goes on for more than `BEYOND_S` after the recording's end."""
    ends_s = [*(one.end for one in reference.utterances or ()), *(turn.end for turn in reference.turns or ())]
    if duration_s is None or max(ends_s, default=0.0) <= duration_s + BEYOND_S:
        return ()
    return (f"the reference ends at {max(ends_s):.1f} s and the recording at {duration_s:.1f} s.",)


def doubt_lines(doubted: Mapping[str, Iterable[str]]) -> list[str]:
    """Each as it stands on stderr and under the tables, by the recording's name."""
    return [f"warning: {name}: {text}" for name, texts in doubted.items() for text in texts]


def _speakers(reference: Recording) -> tuple[str, ...]:
    said = sorted((one.speaker, one.start, one.end) for one in reference.utterances or () if one.speaker is not None)
    turns = reference.turns or ()
    there = {turn.speaker for turn in turns}
    if not said or not there:
        return ()
    if there.isdisjoint(speaker for speaker, _, _ in said):
        return ("no speaker of the words has the name of a speaker of the turns.",)
    found = []
    for speaker, group in groupby(said, key=lambda one: one[0]):
        spans = [(start, end) for _, start, end in group]
        within = {
            name: sum(
                max(0.0, min(end, turn.end) - max(start, turn.start))
                for turn in turns
                if turn.speaker == name
                for start, end in spans
            )
            for name in sorted(there)
        }
        other = max(within, key=lambda name: within[name])
        if within[other] > max(within.get(speaker, 0.0), sum(end - start for start, end in spans) / 2):
            found.append(f"most of what {speaker} says lies in the turns of {other}.")
    return tuple(found)
