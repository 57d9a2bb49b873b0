"""How widely used projects say who said what: our own small versions, each written from a description of the rule.

They take chunks (words or segments) and turns, sorted by start, and answer with one speaker, or None, for each chunk. What is
an error there is one here: they raise on input that the originals do not survive. Nothing but the benchmark imports this file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from roundtable.transcript import Segment, Turn, Word

Chunk = Segment | Word
Speakers = list[str | None]


def hugging_face(chunks: Sequence[Chunk], turns: Sequence[Turn]) -> Speakers:
    """The rule of Hugging Face's ASR + diarization blog post, fast-whisper-server, insanely-fast-whisper and speechbox.

    Consecutive turns of one speaker become one, which lasts until the next speaker begins. Each of these in its order takes
    every chunk left, up to the one whose end is nearest to its own. What is left after the last is dropped (None here).
    A chunk without an end (None) never ends. Raises IndexError without turns and ValueError without chunks.
    """
    runs = [list(run) for _, run in groupby(turns, key=lambda turn: turn.speaker)]
    run_ends = [run[0].start for run in runs[1:]] + [runs[-1][-1].end]
    chunk_ends = np.array([np.finfo(float).max if chunk.end is None else chunk.end for chunk in chunks])
    speakers: Speakers = [None] * len(chunks)
    begin = 0
    for run, run_end in zip(runs, run_ends, strict=True):
        last = begin + int(np.argmin(np.abs(chunk_ends[begin:] - run_end)))
        speakers[begin : last + 1] = [run[0].speaker] * (last + 1 - begin)
        begin = last + 1
        if begin == len(chunks):
            break
    return speakers


def whisperx(chunks: Sequence[Chunk], turns: Sequence[Turn], *, fill_nearest: bool = False) -> Speakers:
    """whisperX's rule: the speaker whose turns overlap the chunk longest; of equals, the first.

    A chunk that no turn overlaps, such as one of no length or without an end, has no speaker; with `fill_nearest` (off there
    by default) it gets the turn whose middle is nearest to its own. Raises TypeError for a time that is None.
    """
    starts, ends = np.array([turn.start for turn in turns]), np.array([turn.end for turn in turns])
    middles = (starts + ends) / 2
    speakers: Speakers = []
    for chunk in chunks:
        shared_s = np.minimum(ends, chunk.end) - np.maximum(starts, chunk.start)
        overlap_s: dict[str, float] = defaultdict(float)
        for n in np.flatnonzero(shared_s > 0).tolist():
            overlap_s[turns[n].speaker] += shared_s[n]
        if overlap_s:
            speakers.append(max(overlap_s, key=lambda speaker: overlap_s[speaker]))
        elif fill_nearest and turns:
            speakers.append(turns[int(np.argmin(np.abs(middles - (chunk.start + chunk.end) / 2)))].speaker)
        else:
            speakers.append(None)
    return speakers


SENTENCE_WORDS = 50
"""A longer sentence is none: it takes no vote."""


def sentence_majority(chunks: Sequence[Chunk], turns: Sequence[Turn]) -> Speakers:
    """The rule of MahmoudAshraf97/whisper-diarization.

    A pointer goes through the turns: a chunk belongs to the first turn, from the one before on, that ends at or after the
    chunk's start, or to the last turn. Where the speaker changes within a sentence, the sentence goes to whoever has most of
    its words, unless that is less than half of them, rounded down. (There a model sets the marks; here the text has them or
    not.) Raises IndexError for a chunk without text and, if there are chunks, without turns.
    """
    at = 0
    speakers: Speakers = []
    for chunk in chunks:
        while at < len(turns) - 1 and chunk.start > turns[at].end:
            at += 1
        speakers.append(turns[at].speaker)
    ends_sentence = [chunk.text.strip()[-1] in ".?!" for chunk in chunks]
    n = 0
    while n < len(chunks):
        if n + 1 < len(chunks) and speakers[n] != speakers[n + 1] and not ends_sentence[n]:
            begin, last = n, n
            while begin > 0 and n - begin < SENTENCE_WORDS and not ends_sentence[begin - 1]:
                begin -= 1
            while last < len(chunks) - 1 and last - begin < SENTENCE_WORDS and not ends_sentence[last]:
                last += 1
            if last - begin < SENTENCE_WORDS and (begin == 0 or ends_sentence[begin - 1]) and ends_sentence[last]:
                speaker, count = Counter(speakers[begin : last + 1]).most_common(1)[0]
                if count >= (last + 1 - begin) // 2:
                    speakers[begin : last + 1] = [speaker] * (last + 1 - begin)
                    n = last
        n += 1
    return speakers
