"""The conversation as a model reads it: one line a turn, `SPEAKER (mm:ss): text`, with the id that the model is to cite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roundtable.plain import seconds
from roundtable.summarization.text import has_words
from roundtable.transcript import SpeakerTurn


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a prompt's data: a turn, or a stretch of one, or a note. `evidence`: ids of the turns it stands for.

    `header` is what is repeated when the line has to be cut: `[12] SPEAKER_00 (03:15): `.
    """

    header: str
    text: str
    evidence: tuple[int, ...]

    def __str__(self) -> str:
        return self.header + self.text


def transcript_lines(turns: Sequence[SpeakerTurn], guard: Callable[[str], str], *, ids: bool) -> list[Line]:
    """Every turn that has words, in order. `ids`: with the number that the model shall cite in front, in square brackets."""
    lines = []
    for turn in turns:
        text = guard(turn.text)
        if has_words(text):
            who = guard(turn.speaker or "") + " " if turn.speaker else ""
            number = f"[{turn.id}] " if ids else ""
            lines.append(Line(f"{number}{who}({clock(turn.start)}): ", text, (turn.id,)))
    return lines


def clock(time_s: float) -> str:
    """`mm:ss`, or `h:mm:ss` from an hour on."""
    whole = int(seconds(time_s))
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute:02}:{second:02}"
