"""The algorithms, each from a conversation to one speaker per word, and how their answers are scored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

import meeteval
import numpy as np

from benchmarks.merge_peers import Chunk, Speakers, hugging_face, sentence_majority, whisperx
from benchmarks.merge_talks import Talk, segments_of
from diarization_utils import COSTS, NEAREST_S, Smoothing, SmoothingCosts, merge
from roundtable.transcript import Diarization, Turn

Rule = Callable[[Sequence[Chunk], Sequence[Turn]], Speakers]


def ours(talk: Talk, costs: SmoothingCosts = COSTS, smoothing: Smoothing = "viterbi") -> Speakers:
    """`diarization_utils.merge`. Raises AssertionError if a word is lost, doubled, moved or changed."""
    transcript = talk.transcript
    merged = merge(transcript, Diarization(tuple(talk.turns)), talk.duration_s, smoothing=smoothing, costs=costs)
    words = [word for turn in merged for word in turn.words]
    texts = [word.text for word in words]
    if texts != [word.text for word in talk.words] or "".join(texts).strip() != transcript.text.strip():
        raise AssertionError("A word is not in its place.")
    return [word.speaker for word in words]


def by_segment(talk: Talk, rule: Rule) -> Speakers:
    """Each word gets its segment's speaker."""
    segments = segments_of(talk)
    speakers = rule(segments, talk.turns)
    return [speaker for segment, speaker in zip(segments, speakers, strict=True) for _ in segment.text.split()]


def by_word(talk: Talk, rule: Rule) -> Speakers:
    """The rule on words, or on segments where there are no word times."""
    return rule(talk.words, talk.turns) if talk.word_times else by_segment(talk, rule)


OURS = "ours"
UNSMOOTHED = "ours, unsmoothed"
ALGORITHMS: dict[str, Callable[[Talk], Speakers]] = {
    OURS: ours,
    UNSMOOTHED: partial(ours, smoothing="none"),
    "HF blog, words": partial(by_word, rule=hugging_face),
    "HF blog, segments": partial(by_segment, rule=hugging_face),
    "whisperX": partial(by_word, rule=whisperx),
    "whisperX, filled": partial(by_word, rule=partial(whisperx, fill_nearest=True)),
    "sentence majority": partial(by_word, rule=sentence_majority),
}
PEERS = tuple(name for name in ALGORITHMS if name not in {OURS, UNSMOOTHED})


def wrong_speakers(talk: Talk, speakers: Speakers) -> int:
    """Words with another speaker than who said them, or with none. Every algorithm answers for every word, in order."""
    return sum(said != given for said, given in zip(talk.said_by, speakers, strict=True))


def cp_errors(talk: Talk, speakers: Speakers) -> int:
    """Errors of cpWER: by speaker, under the best mapping. A word without a speaker is left out, which deletes it."""
    if not any(speakers):
        return len(talk.words)
    said, given = _streams(talk, talk.said_by), _streams(talk, speakers)
    found = meeteval.wer.cp_word_error_rate(said, given, reference_sort=False, hypothesis_sort=False)
    return int(found.errors)


def _streams(talk: Talk, speakers: Sequence[str | None]) -> dict[str, str]:
    by_speaker: dict[str, list[str]] = defaultdict(list)
    for word, speaker in zip(talk.words, speakers, strict=True):
        if speaker is not None:
            by_speaker[speaker].append(word.text.strip())
    return {speaker: " ".join(texts) for speaker, texts in by_speaker.items()}


def out_of_reach(talk: Talk) -> int:
    """Words whose speaker has no turn within `NEAREST_S` of them: nothing that the algorithms are given says who it was."""
    starts = np.array([word.start for word in talk.words])
    ends = np.fmax(starts, [word.end for word in talk.words])
    near = np.zeros(len(starts), np.bool_)
    said_by = np.array(talk.said_by)
    for turn in talk.turns:
        near |= (said_by == turn.speaker) & (starts <= turn.end + NEAREST_S) & (ends >= turn.start - NEAREST_S)
    return int((~near).sum())
