"""A conversation that is too long for one prompt, in parts that fit: whole turns, some overlap, and no word left out.

Every line stands in at least one part, in order; a part begins with the last line or two of the one before it, so that an
answer is not parted from its question. A line that is too long by itself is cut at sentence ends, then at words, and each piece
has its header again. Cost grows linearly with the text: each line is counted once, and at most a quarter of a part is overlap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from roundtable.summarization.rendering import Line
from roundtable.summarization.text import TOKEN

Count = Callable[[Sequence[str]], Sequence[int]]
"""How many tokens each of some texts has."""

_OVERLAP_LINES = 2
_OVERLAP_SHARE = 4
"""Overlap takes at most one token in this many of a part, and so does a piece of a line that was cut."""

_LINE_BREAK = 1
"""Token between two lines, at most."""

_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’»)]*\s*")


def split_lines(lines: Sequence[Line], room: int, count: Count) -> list[list[Line]]:
    """Parts of at most `room` tokens each, by the sum of their lines' tokens. Every line stands whole, or in pieces that follow
    each other, in some part; nothing else does.

    Raises ValueError when `room` is too small for a header and a character.
    """
    pieces = _pieces(lines, room, count)
    parts: list[list[Line]] = []
    part: list[tuple[Line, int]] = []
    used = 0
    for piece, tokens in pieces:
        if part and used + tokens > room:
            parts.append([line for line, _ in part])
            part = _overlap(part, room // _OVERLAP_SHARE, room - tokens)
            used = sum(size for _, size in part)
        part.append((piece, tokens))
        used += tokens
    if part:
        parts.append([line for line, _ in part])
    return parts


def _overlap(part: Sequence[tuple[Line, int]], most: int, left: int) -> list[tuple[Line, int]]:
    """The last lines of a part that the next one begins with: one or two, as far as there is room, never all of it."""
    kept: list[tuple[Line, int]] = []
    for line, tokens in reversed(part[1:][-_OVERLAP_LINES:]):
        most, left = most - tokens, left - tokens
        if most < 0 or left < 0:
            break
        kept.insert(0, (line, tokens))
    return kept


def _pieces(lines: Sequence[Line], room: int, count: Count) -> Iterator[tuple[Line, int]]:
    for line, tokens in zip(lines, count([str(line) for line in lines]), strict=True):
        if tokens + _LINE_BREAK <= room:
            yield line, tokens + _LINE_BREAK
        else:
            yield from _cut(line, max(room // _OVERLAP_SHARE, min(room, 16)), count)


def _cut(line: Line, room: int, count: Count) -> Iterator[tuple[Line, int]]:
    """Pieces of one line, each with its header, of at most `room` tokens: at sentence ends where they lie well, else at
    words."""
    header = _short_header(line.header, room // 2, count)
    (header_tokens,) = count([header])
    room_for_text = room - header_tokens - _LINE_BREAK
    if room_for_text < 1:
        raise ValueError("no room for a header and a character")
    for text in _packed(_atoms(line.text, room_for_text, count), room_for_text):
        piece = Line(header, text.strip(), line.evidence)
        (tokens,) = count([str(piece)])
        yield piece, tokens + _LINE_BREAK


def _short_header(header: str, most: int, count: Count) -> str:
    """Its beginning, which has the number to cite, and its end, which has the time; a long name gives way."""
    kept = len(header)
    while kept > 16 and count([header])[0] > most:
        kept = kept * 3 // 4
        header = f"{header[: kept // 2]}…{header[len(header) - kept // 2 :]}"
    return header


def _atoms(text: str, room: int, count: Count) -> Iterator[tuple[str, int]]:
    """What is not cut any further, and its tokens: sentences; words of sentences that are too long; characters of such
    words."""
    yield from _finer(_at(_SENTENCE_END, text), room, count, [lambda part: _tokens_of(part), lambda part: list(part)])


def _finer(
    texts: Sequence[str], room: int, count: Count, finer: Sequence[Callable[[str], Sequence[str]]]
) -> Iterator[tuple[str, int]]:
    for text, tokens in zip(texts, count(texts), strict=True):
        if tokens <= room or not finer:
            yield text, tokens
        else:
            yield from _finer(finer[0](text), room, count, finer[1:])


def _packed(atoms: Iterator[tuple[str, int]], room: int) -> Iterator[str]:
    text, used = "", 0
    for atom, tokens in atoms:
        if text and used + tokens > room:
            yield text
            text, used = "", 0
        text += atom
        used += tokens
    if text:
        yield text


def _at(end: re.Pattern[str], text: str) -> list[str]:
    cuts = [match.end() for match in end.finditer(text) if match.end() < len(text) and text[match.end() - 1].isspace()]
    return [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _tokens_of(text: str) -> list[str]:
    """Words with the white space behind them; characters of scripts that put none between words."""
    starts = [match.start() for match in TOKEN.finditer(text)]
    starts = [0, *starts[1:]] if starts else [0]
    return [text[start:stop] for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)]
