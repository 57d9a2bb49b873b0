"""How two widely used projects say who said what: our own small versions, written from a description of each rule.

Both take the same input as `diarization_utils.merge` and answer with one speaker, or None, for each chunk. They are here to be
measured against. Nothing else imports this file.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

from roundtable.transcript import Segment, Turn, Word

Chunk = Segment | Word


def hugging_face(chunks: Sequence[Chunk], turns: Sequence[Turn]) -> list[str | None]:
    """The rule of Hugging Face's ASR + diarization blog post, insanely-fast-whisper and speechbox.

    Consecutive turns of one speaker become one, which lasts until the next speaker begins. Each of these in its order takes
    every chunk left, up to the one whose end is nearest to its own. What is left after the last is dropped (None here).
    A chunk without an end counts as ending never. No chunks or no turns, which are errors there, give no speakers here.
    """
    runs = [(speaker, list(run)) for speaker, run in groupby(sorted(turns, key=lambda t: t.start), key=lambda t: t.speaker)]
    run_ends = [run[0].start for _, run in runs[1:]] + [run[-1].end for _, run in runs[-1:]]
    chunk_ends = [chunk.end if math.isfinite(chunk.end) else math.inf for chunk in chunks]
    speakers: list[str | None] = [None] * len(chunks)
    begin = 0
    for (speaker, _), run_end in zip(runs, run_ends, strict=True):
        if begin == len(chunks):
            break
        last = _first_nearest(chunk_ends, begin, run_end)
        speakers[begin : last + 1] = [speaker] * (last + 1 - begin)
        begin = last + 1
    return speakers


def _first_nearest(chunk_ends: Sequence[float], begin: int, time: float) -> int:
    return min(range(begin, len(chunk_ends)), key=lambda n: abs(chunk_ends[n] - time))


def whisperx(chunks: Sequence[Chunk], turns: Sequence[Turn]) -> list[str | None]:
    """whisperX's rule with its defaults: the speaker whose turns overlap the chunk longest; of equals, the first.

    A chunk that no turn overlaps has no speaker, and so has one of no length or without a time.
    """
    ordered = sorted(turns, key=lambda turn: turn.start)
    speakers: list[str | None] = []
    for chunk in chunks:
        overlap_s: dict[str, float] = defaultdict(float)
        for turn in ordered:
            shared_s = min(turn.end, chunk.end) - max(turn.start, chunk.start)
            if shared_s > 0:
                overlap_s[turn.speaker] += shared_s
        speakers.append(max(overlap_s, key=lambda speaker: overlap_s[speaker], default=None))
    return speakers
