"""Words to segments: one sentence each, where the text shows its sentences, and never over a silence.

Works on the words of one window, in file time. Subtitles and the merge build on the segments, so the cuts are those that a
reader would make: at the marks of the text, at pauses that no sentence would hold, and, for want of both, by the clock.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import attrgetter

from roundtable.asr.gates import Quality
from roundtable.transcript import Segment, Word
from roundtable.voice_activity import Region
from roundtable.word_placement import CLOSING_MARKS, SENTENCE_ENDS, last_mark

MAX_SEGMENT_S = 30.0

PAUSE_S = 1.0
"""A silence this long ends a segment, whatever the text says."""

_SCRAP_S, _SCRAP_REACH_S = 0.6, 2.0
"""A word that lasts no longer, alone between two pauses within a sentence, stays with its neighbour if that is in reach."""

_BREATH_S = 0.2
"""A sentence that is too long is cut at no shorter silence, but in its middle."""

_MIDDLE_SHARE = 2 / 3
"""Of a sentence that is too long: where it is cut, if there is a place, so that no scraps fall off."""

_DOUBT_S = 0.3
"""A full stop that may belong to an abbreviation or a number ends the sentence too if such a silence follows."""


def cut_segments(words: Sequence[Word], regions: Sequence[Region], language: str, quality: Quality) -> tuple[Segment, ...]:
    """The words of one window, each once and in order, in segments of at most 30 s that carry the window's `quality`.

    `regions`: where somebody speaks in the recording, sorted and disjoint. What lies between the regions of two words is a
    silence, even if the words' own times reach into it. Joined, the segments' texts are the words'. Only a word that lasts
    longer by itself makes a segment longer than 30 s. Costs about 5 µs a word.
    """
    if not words:
        return ()
    silences = _silences_s(words, regions)
    sentences = _cut(range(len(words)), (at for at in range(1, len(words)) if _is_sentence_end(words, silences, at, language)))
    return tuple(
        _segment(words[piece.start : piece.stop], quality)
        for sentence in sentences
        for passage in _passages(words, silences, sentence)
        for piece in _short_enough(words, silences, passage)
    )


def _segment(words: Sequence[Word], quality: Quality) -> Segment:
    return Segment(
        start=words[0].start,
        end=words[-1].end,
        text="".join(word.text for word in words),
        words=tuple(words),
        avg_logprob=quality.avg_logprob,
        no_speech_prob=quality.no_speech_prob,
        compression_ratio=quality.compression_ratio,
        temperature=quality.temperature,
    )


# ---- Where to cut. `range`s are runs of words; `silences[at]` lies before word `at`


def _silences_s(words: Sequence[Word], regions: Sequence[Region]) -> list[float]:
    """The silence before each word; rounded, since clocks tick in hundredths, and 1.2 - 0.2 is not 1.0."""
    homes = [bisect_right(regions, (word.start + word.end) / 2, key=attrgetter("start")) - 1 for word in words]
    silences = [math.inf]
    for (left, right), (here, there) in zip(pairwise(words), pairwise(homes), strict=True):
        between_regions = regions[there].start - regions[here].end if 0 <= here < there else 0.0
        silences.append(round(max(right.start - left.end, between_regions), 6))
    return silences


def _cut(run: range, places: Iterable[int]) -> list[range]:
    return [range(start, stop) for start, stop in pairwise([run.start, *places, run.stop])]


def _passages(words: Sequence[Word], silences: Sequence[float], sentence: range) -> Iterator[range]:
    """The sentence cut at its pauses, without leaving scraps."""
    pieces = _cut(sentence, (at for at in sentence[1:] if silences[at] >= PAUSE_S))
    passage = pieces[0]
    for piece in pieces[1:]:
        scraps = [
            end for end in (passage, piece) if len(end) == 1 and words[end.start].end - words[end.start].start <= _SCRAP_S
        ]
        nearer_s = silences[piece.stop] if piece.stop < sentence.stop else math.inf
        if silences[piece.start] <= _SCRAP_REACH_S and (
            passage in scraps or (piece in scraps and silences[piece.start] <= nearer_s)
        ):
            passage = range(passage.start, piece.stop)
        else:
            yield passage
            passage = piece
    yield passage


def _short_enough(words: Sequence[Word], silences: Sequence[float], run: range) -> Iterator[range]:
    """The run in pieces of at most `MAX_SEGMENT_S`, cut at the longest breath in its middle, or else near the middle."""
    start, end = words[run.start].start, words[run.stop - 1].end
    if len(run) == 1 or end - start <= MAX_SEGMENT_S:
        yield run
        return
    off_centre_s = {at: abs((words[at - 1].end + words[at].start) / 2 - (start + end) / 2) for at in run[1:]}
    breaths = [at for at in run[1:] if silences[at] >= _BREATH_S and off_centre_s[at] <= _MIDDLE_SHARE * (end - start) / 2]
    if breaths:
        cut = max(breaths, key=lambda at: (silences[at], -off_centre_s[at]))
    else:
        cut = min(run[1:], key=off_centre_s.__getitem__)
    yield from _short_enough(words, silences, range(run.start, cut))
    yield from _short_enough(words, silences, range(cut, run.stop))


# ---- Ends of sentences

_OPENING_MARKS = " \t\n\"'“‘«»„‚([{¿¡-–—"

_NEVER_LAST = re.compile(
    r"mr|mrs|ms|mx|messrs|dr|drs|prof|rev|hon|gov|gen|sen|rep|col|capt|cpt|lt|sgt|maj|mme|mlle|hr|fr|sra?|srta|"
    r"vs|cf|viz|e\.g|i\.e|z\.\s?b|d\.\s?h|u\.\s?a|bzw|vgl|sog|т\.\s?е|т\.\s?к|напр"
)
"""What stands before a full stop that somebody or something always follows."""

_BEFORE_NUMBER = re.compile(r"no|nos|nr|nº|núm|num|fig|figs|p|pp|s|vol|ch|cap|sec|art|tel|ext|pos|abb|bd|стр|гл|рис")
"""… and a number, if it is an abbreviation at all: `No. 5`, but `No. Yes.`"""

_MAY_BE_LAST = re.compile(r"(?:[^\W\d_]\.\s?)+[^\W\d_]|etc|inc|ltd|co|corp|jr|st|bros|approx|dept|usw|ca|evtl|ggf")

_ORDINALS = frozenset(
    ("bs", "cs", "da", "de", "et", "fi", "fo", "hr", "hu", "is", "lb", "lv", "nn", "no", "pl", "sk", "sl", "sr", "tr")
)
"""Languages that write `3.` for `third`."""


def _is_sentence_end(words: Sequence[Word], silences: Sequence[float], at: int, language: str) -> bool:
    """Does a sentence end before word `at`?"""
    text = words[at - 1].text.strip()
    mark = last_mark(text)
    if mark not in SENTENCE_ENDS:
        return False
    after = words[at].text.lstrip(_OPENING_MARKS)[:1]
    if mark not in ".…":
        is_quote = text[-1] in CLOSING_MARKS  # "Really?" he asked.
        return not (is_quote and after.islower())
    if after.islower():
        return False
    stem = text.rstrip(CLOSING_MARKS).lstrip(_OPENING_MARKS)[:-1]
    bare = stem.casefold()
    if _NEVER_LAST.fullmatch(bare) or (_BEFORE_NUMBER.fullmatch(bare) and after.isdigit()):
        return False
    is_initial = len(stem) == 1 and stem.isupper() and not (stem == "I" and language == "en")
    opens = at == 1 or last_mark(words[at - 2].text) in SENTENCE_ENDS  # "2. Call Tom."
    is_numbering = stem.isdigit() and (opens or language in _ORDINALS)
    if is_initial or is_numbering or _MAY_BE_LAST.fullmatch(bare):
        return silences[at] >= _DOUBT_S
    return True
