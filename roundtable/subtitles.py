"""Subtitles a person can read: `srt` and `vtt`, from the speaker turns, or from the segments when nobody was told apart.

A cue has at most two lines of 42 characters and seven seconds, belongs to one speaker, and never spans a pause of a second or
more. Among the cuts that these limits allow, the cheapest series is taken: few cues, of like length, that end where sentences
do. Cues come in order, never overlap, always last, and lie within the recording. No word is lost: what does not fit is cut
only at words, or between the characters of a script that is written without spaces; a word longer than a line is broken.

Cost: linear in the words. Characters are counted as they are; a wide one counts once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from roundtable.plain import milliseconds, one_line, plain_text
from roundtable.transcript import Conversation, Word

LINE_CHARACTERS = 42
CUE_MS = 7_000
"""Longest cue."""

PAUSE_MS = 1_000
"""A silence this long ends a cue."""

COMFORTABLE_MS = 1_000
"""Shortest cue, as long as the next one leaves room for it."""

SHORTEST_MS = 400
"""Shortest cue even when the next one is due: that one is then late. Less only where the recording has no room for it."""

READING_CHARACTERS_PER_S = 20

UNKNOWN = "UNKNOWN"
"""How a speaker who could not be named is written, where others in the same file have names."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle. Times are whole milliseconds, `start_ms < end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None


def srt(conversation: Conversation) -> str:
    """SubRip. The first cue of a turn opens with `SPEAKER: `, which counts towards its line."""
    blocks = []
    for number, cue in enumerate(cues(conversation, name_speakers=True), 1):
        # SubRip has no escape: an arrow within the text would look like a timing line.
        text = "\n".join(re.sub(r"-[- ] *>", "→", line) for line in cue.lines)
        blocks.append(f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n{text}\n\n")
    return "".join(blocks)


def vtt(conversation: Conversation) -> str:
    """WebVTT. Every cue names its speaker in a voice tag, which players show or not as they like."""
    blocks = ["WEBVTT\n\n"]
    for cue in cues(conversation, name_speakers=False):
        voice = f"<v {_escape(one_line(cue.speaker))}>" if cue.speaker else ""
        text = "\n".join(_escape(line) for line in cue.lines)
        blocks.append(f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{voice}{text}\n\n")
    return "".join(blocks)


def cues(conversation: Conversation, *, name_speakers: bool) -> list[Cue]:
    """The cues of a conversation. `name_speakers` writes the speaker into the first cue of each turn, if any has a name."""
    named = name_speakers and any(turn.speaker is not None for turn in conversation.turns)
    drafts: list[Cue] = []
    for speaker, words in _passages(conversation):
        atoms = _atoms(words)
        if atoms and named:
            atoms = _labelled(f"{one_line(speaker or UNKNOWN)}:", atoms)
        for first, after in _cut(atoms):
            cue = atoms[first:after]
            drafts.append(Cue(cue[0].start_ms, cue[-1].end_ms, _lines(cue), speaker))
    return _timed(drafts, milliseconds(conversation.duration_s))


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(time_ms: int, decimal_mark: str) -> str:
    minutes, rest_ms = divmod(time_ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest_ms // 1000:02d}{decimal_mark}{rest_ms % 1000:03d}"


# --- Atoms: what a line is never cut within --------------------------------------------------------------------------

# Scripts written without spaces: a line may end after any of their characters, but does not open with a closing mark or
# end with an opening one.
_SPACELESS = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_OPENING = "\u3008\u300a\u300c\u300e\u3010\u3014\uff08"
_CLOSING = "\u3001\u3002\u3009\u300b\u300d\u300f\u3011\u3015\u30fc\uff01\uff09\uff0c\uff0e\uff1a\uff1b\uff1f\u2026"
_UNIT = re.compile(f"[{_OPENING}]*[{_SPACELESS}][{_CLOSING}]*|[{_OPENING}]+|[^{_SPACELESS}{_OPENING}]+")
_CUTTABLE_AFTER = re.compile(f"[{_SPACELESS}{_CLOSING}]\\Z")
_CUTTABLE_BEFORE = re.compile(f"[{_SPACELESS}{_OPENING}]")
_STUCK = re.compile(f"[{_CLOSING}]")


@dataclass(frozen=True, slots=True)
class _Atom:
    """At most a line of text without a cut in it. `spaced`: a space stands before it, unless it opens a line."""

    text: str
    start_ms: int
    end_ms: int
    spaced: bool
    is_label: bool = False


def _passages(conversation: Conversation) -> Iterator[tuple[str | None, Sequence[Word]]]:
    """Speaker and words of each turn, or of each segment. A text without words is one long word."""
    for turn in conversation.turns:
        yield turn.speaker, turn.words or (Word(turn.text, turn.start, turn.end),)
    if not conversation.turns:
        for segment in conversation.transcript.segments:
            yield None, segment.words or (Word(segment.text, segment.start, segment.end),)


def _atoms(words: Sequence[Word]) -> list[_Atom]:
    """The words as atoms: times ascending, white space gone, pieces of one written word (` don`, `'t`) joined."""
    atoms: list[_Atom] = []
    clock_ms = 0
    spaced = False
    for word in words:
        text = plain_text(word.text)
        start_ms = max(clock_ms, milliseconds(word.start))
        end_ms = max(start_ms, milliseconds(word.end))
        core = text.strip()
        per_character_ms = (end_ms - start_ms) / max(1, len(core))
        spaced = spaced or text[:1].isspace()
        for chunk in re.finditer(r"\S+", core):
            spaced = spaced or chunk.start() > 0
            for unit in _UNIT.finditer(chunk.group()):
                at = chunk.start() + unit.start()
                clock_ms = start_ms + round(at * per_character_ms)
                unit_end_ms = start_ms + round((at + len(unit.group())) * per_character_ms)
                _append(atoms, _Atom(unit.group(), clock_ms, unit_end_ms, spaced))
                spaced = False
        spaced = spaced or text[-1:].isspace()
        clock_ms = end_ms
    return [piece for atom in atoms for piece in _broken(atom)]


def _append(atoms: list[_Atom], atom: _Atom) -> None:
    """Add an atom, or join it to the last one when no line may be cut between them."""
    if not atoms or atom.spaced or _cuttable(atoms[-1], atom):
        atoms.append(atom)
    else:
        last = atoms[-1]
        atoms[-1] = _Atom(last.text + atom.text, last.start_ms, atom.end_ms, last.spaced)


def _cuttable(last: _Atom, atom: _Atom) -> bool:
    """May a line end between two atoms that no space parts?"""
    if atom.start_ms - last.end_ms >= PAUSE_MS:
        return True
    borders_spaceless = _CUTTABLE_BEFORE.match(atom.text) or _CUTTABLE_AFTER.search(last.text)
    return bool(borders_spaceless) and not _STUCK.match(atom.text)


def _broken(atom: _Atom) -> Iterator[_Atom]:
    """The atom, or line-long pieces of it if it is longer than a line; none lasts longer than a cue may."""
    per_character_ms = (atom.end_ms - atom.start_ms) / len(atom.text)
    for at in range(0, len(atom.text), LINE_CHARACTERS):
        text = atom.text[at : at + LINE_CHARACTERS]
        start_ms = atom.start_ms + round(at * per_character_ms)
        end_ms = atom.start_ms + round((at + len(text)) * per_character_ms)
        yield _Atom(text, start_ms, min(end_ms, start_ms + CUE_MS), atom.spaced and at == 0)


def _labelled(label: str, atoms: list[_Atom]) -> list[_Atom]:
    """The atoms behind the speaker's name, which is an atom like any other but that no cue ends with it."""
    first = atoms[0]
    pieces = _broken(_Atom(label, first.start_ms, first.start_ms, spaced=False))
    return [*(replace(piece, is_label=True) for piece in pieces), replace(first, spaced=True), *atoms[1:]]


# --- Cutting ---------------------------------------------------------------------------------------------------------

_QUOTES = "\"')]»”’」』"
_SENTENCE_ENDS = tuple(".?!…。？！")
_CLAUSE_ENDS = tuple(",;:—、，；：")
_NEVER = 1e6


def _cut(atoms: Sequence[_Atom]) -> list[tuple[int, int]]:
    """The cheapest series of cues, as (first, after last) places of atoms: dynamic programming over all that fit."""
    count = len(atoms)
    widths = _widths(atoms)
    line_end = [_line_end(widths, first, atoms[first].spaced) for first in range(count)]
    prices = [_price(atoms, after) for after in range(1, count + 1)]
    cheapest = [0.0] + [float("inf")] * count
    cut_before = [0] * (count + 1)
    for first in range(count):
        furthest = line_end[line_end[first]] if line_end[first] < count else count
        for after in range(first + 1, furthest + 1):
            if after > first + 1 and (
                atoms[after - 1].end_ms - atoms[first].start_ms > CUE_MS
                or atoms[after - 1].start_ms - atoms[after - 2].end_ms >= PAUSE_MS
            ):
                break
            fullness = (widths[after] - widths[first]) / (2 * LINE_CHARACTERS)
            cost = cheapest[first] + 1.0 + prices[after - 1] + 0.3 * fullness * fullness  # squares are least when even
            if cost < cheapest[after]:
                cheapest[after], cut_before[after] = cost, first
    bounds = [count]
    while bounds[-1] > 0:
        bounds.append(cut_before[bounds[-1]])
    bounds.reverse()
    return list(pairwise(bounds))


def _widths(atoms: Sequence[_Atom]) -> list[int]:
    """Characters before each atom, had everything been one line: each atom's space counts with it."""
    return [0, *accumulate(len(atom.text) + atom.spaced for atom in atoms)]


def _line_end(widths: Sequence[int], first: int, spaced: bool) -> int:
    """The place after the last atom that a line opening with atom `first` can hold."""
    return bisect_right(widths, widths[first] + spaced + LINE_CHARACTERS) - 1


def _price(atoms: Sequence[_Atom], after: int) -> float:
    """What it costs to end a cue after `after` atoms: nothing at the end of a sentence, most within a phrase."""
    last = atoms[after - 1]
    if last.is_label:
        return _NEVER
    text = last.text.rstrip(_QUOTES)
    pause_ms = atoms[after].start_ms - last.end_ms if after < len(atoms) else PAUSE_MS
    if text.endswith(_SENTENCE_ENDS) or pause_ms >= PAUSE_MS:
        return 0.0
    return 0.4 if text.endswith(_CLAUSE_ENDS) or pause_ms >= 300 else 1.0


def _lines(atoms: Sequence[_Atom]) -> tuple[str, ...]:
    """One line, or two of like length, the first preferably ending with a mark. The atoms are known to fit."""
    whole = _joined(atoms)
    if len(whole) <= LINE_CHARACTERS:
        return (whole,)
    cuts = [cut for cut in range(1, len(atoms)) if max(len(_joined(atoms[:cut])), len(_joined(atoms[cut:]))) <= LINE_CHARACTERS]
    cut = min(cuts, key=lambda cut: _line_cost(atoms, cut))
    return _joined(atoms[:cut]), _joined(atoms[cut:])


def _line_cost(atoms: Sequence[_Atom], cut: int) -> int:
    """How far apart the lines' lengths are, less a bonus for a mark at the end of the first."""
    difference = abs(len(_joined(atoms[:cut])) - len(_joined(atoms[cut:])))
    last = atoms[cut - 1]
    ends_well = not last.is_label and last.text.rstrip(_QUOTES).endswith(_SENTENCE_ENDS + _CLAUSE_ENDS)
    return difference - 10 * ends_well


def _joined(atoms: Sequence[_Atom]) -> str:
    return "".join(f" {atom.text}" if atom.spaced and place else atom.text for place, atom in enumerate(atoms))


# --- Timing ----------------------------------------------------------------------------------------------------------


def _timed(drafts: Sequence[Cue], duration_ms: int) -> list[Cue]:
    """The drafts with times that can be shown: in order, apart, long enough to read, within the recording.

    A cue may stay until the next one is due; when that is too soon to be seen at all, the next one is late instead.
    `latest_ms`, the latest start that leaves room for everything behind, keeps the lateness within the recording.
    """
    horizon_ms = max(duration_ms, len(drafts))
    shortest_ms = min(SHORTEST_MS, horizon_ms // max(1, len(drafts)))
    timed: list[Cue] = []
    clock_ms = 0
    for place, draft in enumerate(drafts):
        latest_ms = horizon_ms - (len(drafts) - place) * shortest_ms
        start_ms = min(max(draft.start_ms, clock_ms), latest_ms)
        reading_ms = sum(map(len, draft.lines)) * 1000 // READING_CHARACTERS_PER_S
        due_ms = drafts[place + 1].start_ms if place + 1 < len(drafts) else horizon_ms
        wanted_ms = max(draft.end_ms, start_ms + max(COMFORTABLE_MS, reading_ms))
        end_ms = max(min(wanted_ms, due_ms), start_ms + shortest_ms)
        clock_ms = min(end_ms, latest_ms + shortest_ms)
        timed.append(Cue(start_ms, clock_ms, draft.lines, draft.speaker))
    return timed
