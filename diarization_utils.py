"""Words x speaker turns -> who said what. Pure functions on plain data; nothing here raises, whatever the times.

`merge` is the way through this file, in its order: the diarization is put straight, every word gets a usable time, the turns
testify about each word, smoothing decides, and runs of one speaker become `SpeakerTurn`s. Sorted input costs O(words + turns)
time and memory; what has to be sorted or put straight first costs a logarithm more.

The rule behind the rest: text is never lost, doubled or moved, and nobody is named without evidence. What this file does not
do: change a word, find a name, or ask a model who may have said something.
"""

from __future__ import annotations

import gc
import heapq
import math
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from typing import Literal

import numpy as np
import numpy.typing as npt

from roundtable.transcript import Diarization, Segment, SpeakerStats, SpeakerTurn, Transcript, Turn, Word
from roundtable.word_placement import SENTENCE_ENDS, last_mark, place_words, split_words

Smoothing = Literal["none", "sentence", "viterbi"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOBODY = -1
"""In place of a speaker's number."""

# Times, in seconds.
MAX_WORD_S = 1.5
"""No word takes longer: what an engine reports beyond is silence that it could not place."""
CHARACTER_S = 0.06
"""One character of a word whose end is unknown."""
NEAREST_S = 1.0
"""A word further than this from every turn was said by nobody that the diarizer heard."""
PAUSE_S = 0.3
"""A silence between two words at which a change of speaker is nothing unusual."""
NEW_TURN_PAUSE_S = 2.0
"""A silence after which even the same speaker begins a new turn."""
MAX_TIME_S = 1e9
"""Longer than any recording; sums of times below it stay finite and exact enough."""
OWN_TURN_WORDS = 3
"""A turn with so few words may be an interjection; a longer one needs no protection."""
INSIDE_SHARE = 0.9
"""A word with this share of its time in a turn lies in it: no two clocks agree to the last frame."""

# Two clocks.
MAX_LAG_S = 1.0
"""The words' clock may be this much ahead of the turns' clock, or behind it."""
LAG_STEP_S = 0.02
LAG_WORDS = 50
"""Fewer words do not tell one clock from the other;"""
LAG_WORDS_AT_MOST = 1000
"""and so many, from the whole recording, tell it well enough."""
EQUAL_FIT = 0.002
"""Lags whose fits differ by less than this share of all word time are equals."""
LAG_ERRORS = 3.0
"""The words must fit better elsewhere by so many standard errors: by chance they do by 1 or 2."""

CLAUSE_ENDS = frozenset(",;:—–、，；：،؛")


@dataclass(frozen=True, slots=True)
class SmoothingCosts:
    """What the Viterbi smoothing charges. The unit: 1 is the evidence of one word that lies wholly in a speaker's turns.

    Chosen with `python -m benchmarks.merge --tune`, on other seeds than its table's, and rounded: the optimum is flat.
    """

    mid_clause: float = 1.1
    """Changing speaker between two words that nothing separates."""
    unpunctuated: float = 0.25
    """... the same in a text without a single full stop, where nothing tells the middle of a clause from its end."""
    clause_end: float = 0.8
    """... after a comma or the like."""
    segment_end: float = 0.1
    """... where the ASR engine began a new segment."""
    sentence_end: float = 0.02
    """... after a full stop or the like."""
    pause: float = 0.1
    """... at a silence of `PAUSE_S`, or beside words that nobody was found saying. At most `segment_end`."""
    own_turn_share: float = 0.75
    """Up to `OWN_TURN_WORDS` words that lie in a turn and fill this share of it *are* that turn: smoothing leaves them."""
    overlapped: float = 0.95
    """Evidence of a turn that covers the word while another has the floor, as a share of what the floor gives."""
    nearby: float = 0.5
    """Evidence of a turn that touches the word without overlapping it; falls to 0 at `NEAREST_S`."""


COSTS = SmoothingCosts()


def merge(
    transcript: Transcript,
    diarization: Diarization,
    duration_s: float,
    *,
    smoothing: Smoothing = "viterbi",
    costs: SmoothingCosts = COSTS,
) -> tuple[SpeakerTurn, ...]:
    """Say who said what: every word of the transcript, once and in order, in runs of one speaker.

    `smoothing`: `none` takes each word by itself, `sentence` gives each sentence to whoever most of it overlaps, `viterbi`
    (the one to use) changes speaker only where the evidence pays for it. `duration_s` is the recording's; if it is negative
    or no number, the last finite time of words and turns takes its place.

    Where all words are timed a little late or early, the turns are asked at the words' true times; those reported stay.

    Promises, for every input. It does not raise. The texts of all words, joined, are `transcript.text`, but for white space at
    its two ends and segments whose text is blank; `SpeakerTurn.text` is its words' texts, joined and stripped. Times lie in
    [0, duration] and no word begins before the one before it ends. A word's speaker is one of `clean_diarization`'s, or None,
    with `outside_speech`, if nobody speaks within `NEAREST_S` of it. The order of the turns does not matter. Merging the
    result again, with its turns as segments, gives every word the same speaker.
    """
    limit_s = _limit_s(transcript, diarization, duration_s)
    diarization = clean_diarization(diarization, limit_s)
    words = _timed_words(transcript, diarization.turns, limit_s)
    if not words.texts:
        return ()
    speakers = _by_first_appearance(diarization.turns, diarization.overlaps)
    spans = _spans(diarization.turns)
    lag_s = _clock_lag(words, *spans)
    heard = replace(words, starts=words.starts - lag_s, ends=words.ends - lag_s) if lag_s else words
    evidence = _hear(heard, diarization, spans, speakers, costs)
    if smoothing == "none":
        said_by = _strongest(evidence.word, evidence.speaker, evidence.weight, len(words.texts))
    elif smoothing == "sentence":
        sentence = _sentence_numbers(words)
        said_by = _strongest(sentence[evidence.word], evidence.speaker, evidence.weight, len(words.texts))[sentence]
    else:
        said_by = _best_path(evidence, _change_costs(words, evidence.outside, costs), costs)
    said_by[evidence.outside] = NOBODY
    with _no_cycle_search():
        return _speaker_turns(words, said_by, speakers, evidence, _during(heard, diarization.overlaps))


def plain_turns(transcript: Transcript) -> tuple[SpeakerTurn, ...]:
    """Without diarization: one turn for each segment, `id` its index, `speaker` None, times as the engine gave them."""
    return tuple(
        SpeakerTurn(index, None, segment.start, segment.end, segment.text.strip(), segment.words)
        for index, segment in enumerate(transcript.segments)
    )


def speaker_stats(turns: Iterable[SpeakerTurn], diarization: Diarization) -> tuple[SpeakerStats, ...]:
    """How much each speaker of the diarization talks, in the order of first appearance.

    `seconds`: the time that the speaker's turns and overlaps cover, each instant once. People who talk at the same time all
    talk, so the seconds may add up to more than the speech. `share`: of the sum of all speakers' seconds; shares sum to 1.
    `words`: how many words of `turns` carry the speaker's label. A speaker without words is listed too.
    """
    diarization = clean_diarization(diarization, MAX_TIME_S)
    seconds: dict[str, float] = dict.fromkeys(_by_first_appearance(diarization.turns, diarization.overlaps), 0.0)
    for turn in _united((*diarization.turns, *diarization.overlaps)):
        seconds[turn.speaker] += turn.end - turn.start
    words: dict[str | None, int] = defaultdict(int)
    for said in turns:
        words[said.speaker] += len(said.words)
    total_s = sum(seconds.values())
    return tuple(SpeakerStats(speaker, own_s, words[speaker], own_s / total_s) for speaker, own_s in seconds.items())


# ---- The diarization, put straight


def clean_diarization(diarization: Diarization, duration_s: float) -> Diarization:
    """The same diarization, keeping its contract: turns sorted, exclusive, in [0, duration], labelled by first appearance.

    Turns of no length and turns with a time that is no number are dropped. Where several people speak at once, the shortest
    turn has the floor, since an interjection would vanish if the long turn around it had it; the rest joins `overlaps`.
    Labels of the form SPEAKER_nn are renumbered by first appearance, turns and overlaps together; any other label is a name
    and stays. `embeddings`, where there are any, are those of these speakers. What keeps the contract comes back equal.
    """
    turns, overlaps = _usable(diarization.turns), _usable(diarization.overlaps)
    if not _is_exclusive(turns):
        turns, crowded_out = _exclusive(_united(turns))
        overlaps = (*overlaps, *crowded_out)
    if not _is_exclusive(overlaps):
        overlaps = _united(overlaps)
    labels = _numbered(_by_first_appearance(turns, overlaps))
    turns, overlaps = _relabelled(turns, labels, duration_s), _relabelled(overlaps, labels, duration_s)
    voices = diarization.embeddings
    if voices:
        heard = {turn.speaker for turn in (*turns, *overlaps)}
        voices = {label: voices.get(given) for given, label in labels.items() if label in heard}
    return replace(diarization, turns=turns, overlaps=overlaps, embeddings=voices)


def _usable(turns: Sequence[Turn]) -> Sequence[Turn]:
    raw_starts, raw_ends = _numbers([turn.start for turn in turns]), _numbers([turn.end for turn in turns])
    starts, ends = np.clip(raw_starts, 0.0, MAX_TIME_S), np.clip(raw_ends, 0.0, MAX_TIME_S)
    in_range = np.array_equal(starts, raw_starts) and np.array_equal(ends, raw_ends) and np.all(starts < ends)
    if in_range and np.all(ends[:-1] <= starts[1:]):
        return turns  # the usual case, and a hundred thousand objects that need not be made
    times = zip(turns, starts.tolist(), ends.tolist(), strict=True)
    return sorted((Turn(start, end, turn.speaker) for turn, start, end in times if start < end), key=_in_time)


def _is_exclusive(turns: Sequence[Turn]) -> bool:
    return all(before.end <= after.start for before, after in pairwise(turns))


def _in_time(turn: Turn) -> tuple[float, float, int, str]:
    return turn.start, turn.end, len(turn.speaker), turn.speaker  # the length: SPEAKER_99 comes before SPEAKER_100


def _united(turns: Iterable[Turn]) -> list[Turn]:
    """Each speaker's turns that overlap or touch one another made one, in time order."""
    latest: dict[str, Turn] = {}
    done = []
    for turn in sorted(turns, key=_in_time):
        before = latest.get(turn.speaker)
        if before is not None and turn.start <= before.end:
            latest[turn.speaker] = replace(before, end=max(before.end, turn.end))
            continue
        if before is not None:
            done.append(before)
        latest[turn.speaker] = turn
    return sorted((*done, *latest.values()), key=_in_time)


def _exclusive(turns: Sequence[Turn]) -> tuple[list[Turn], list[Turn]]:
    """Give every instant to the shortest turn that covers it. Returns those pieces, and the time that the others lost.

    A sweep over the edges of the turns, with the turns under way in a heap: O(turns x log turns).
    """
    lengths = [turn.end - turn.start for turn in turns]
    under_way: list[tuple[float, int]] = []
    held: list[list[Turn]] = [[] for _ in turns]
    begun = 0
    for start, end in pairwise(sorted({edge for turn in turns for edge in (turn.start, turn.end)})):
        while begun < len(turns) and turns[begun].start <= start:
            heapq.heappush(under_way, (lengths[begun], begun))
            begun += 1
        while under_way and turns[under_way[0][1]].end <= start:
            heapq.heappop(under_way)
        if under_way:
            holder = under_way[0][1]
            held[holder].append(Turn(start, end, turns[holder].speaker))
    lost = []
    for turn, pieces in zip(turns, map(_united, held), strict=True):
        edges = [turn.start, *chain.from_iterable((piece.start, piece.end) for piece in pieces), turn.end]
        lost += [Turn(start, end, turn.speaker) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end]
    return sorted(chain.from_iterable(map(_united, held)), key=_in_time), lost


def _by_first_appearance(turns: Iterable[Turn], overlaps: Iterable[Turn]) -> list[str]:
    # The sort is stable: who has the floor appears before who speaks into it at the same instant.
    return list(dict.fromkeys(turn.speaker for turn in sorted((*turns, *overlaps), key=attrgetter("start"))))


def _numbered(labels: Iterable[str]) -> dict[str, str]:
    labels = list(labels)
    anonymous = [label for label in labels if re.fullmatch(r"SPEAKER_[0-9]+", label)]
    return {**dict(zip(labels, labels, strict=True)), **{label: f"SPEAKER_{n:02d}" for n, label in enumerate(anonymous)}}


def _relabelled(turns: Sequence[Turn], labels: dict[str, str], duration_s: float) -> tuple[Turn, ...]:
    if all(label == kept for label, kept in labels.items()) and all(turn.end <= duration_s for turn in turns):
        return tuple(turns)
    inside = (turn for turn in turns if turn.start < duration_s)
    return tuple(sorted((Turn(t.start, min(t.end, duration_s), labels[t.speaker]) for t in inside), key=_in_time))


# ---- The words, each with a usable time


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of a transcript in columns. `first`: begins a segment. `approximate`: its time is interpolated."""

    texts: list[str]
    confidences: list[float | None]
    starts: Floats
    ends: Floats
    first: Flags
    approximate: Flags


def _timed_words(transcript: Transcript, turns: Sequence[Turn], limit_s: float) -> _Words:
    """Every word once, in order. A segment that has no words, or none with a time, gets its words placed by `place_words`."""
    texts: list[str] = []
    confidences: list[float | None] = []
    starts: list[float] = []
    ends: list[float] = []
    firsts: list[int] = []
    placed: list[tuple[int, int]] = []
    turn_starts, turn_ends = [turn.start for turn in turns], [turn.end for turn in turns]
    for segment, start, end in zip(transcript.segments, *_segment_spans(transcript.segments, limit_s), strict=True):
        firsts.append(len(texts))
        spelled = _spelled(segment)
        segment_texts = split_words(segment.text) if spelled is None else spelled
        texts += segment_texts
        confidences += [None] * len(segment_texts) if spelled is None else [word.confidence for word in segment.words]
        if spelled is not None and any(math.isfinite(_number(word.start)) for word in segment.words):
            starts += [word.start for word in segment.words]
            ends += [word.end for word in segment.words]
        elif segment_texts:
            placed.append((firsts[-1], len(texts)))
            during = turns[bisect_right(turn_ends, start) : bisect_left(turn_starts, end)]
            for word_start, word_end in place_words(segment_texts, start, end, during):
                starts.append(word_start)
                ends.append(word_end)
    first, approximate = np.zeros(len(texts) + 1, np.bool_), np.zeros(len(texts), np.bool_)
    first[firsts] = True
    for begin, stop in placed:
        approximate[begin:stop] = True
    lengths = np.array([len(text) for text in texts], np.float64)
    word_starts, word_ends = sanitize_times(_numbers(starts), _numbers(ends), lengths, limit_s, longest_s=MAX_WORD_S)
    return _Words(texts, confidences, word_starts, word_ends, first[:-1], approximate)


def clean_transcript(transcript: Transcript, duration_s: float) -> Transcript:
    """The same transcript with the times that it promises: in [0, duration], ascending, for segments and for words.

    Texts, order and every other field stay. What keeps the promise already comes back as it is.
    """
    limit_s = _limit_s(transcript, Diarization(), duration_s)
    spans = list(zip(*_segment_spans(transcript.segments, limit_s), strict=True))
    words = list(transcript.words())
    starts, ends = _numbers([word.start for word in words]), _numbers([word.end for word in words])
    lengths = np.array([len(word.text) for word in words], np.float64)
    timed = zip(
        *(times.tolist() for times in sanitize_times(starts, ends, lengths, limit_s, longest_s=MAX_WORD_S)), strict=True
    )
    segments = tuple(
        replace(segment, start=start, end=end, words=tuple(_at(word, *next(timed)) for word in segment.words))
        for segment, (start, end) in zip(transcript.segments, spans, strict=True)
    )
    return transcript if segments == transcript.segments else replace(transcript, segments=segments)


def _at(word: Word, start: float, end: float) -> Word:
    return word if (word.start, word.end) == (start, end) else replace(word, start=start, end=end)


def _segment_spans(segments: Sequence[Segment], limit_s: float) -> tuple[list[float], list[float]]:
    lengths = np.array([len(segment.text) for segment in segments], np.float64)
    raw_starts, raw_ends = (_numbers([getattr(segment, side) for segment in segments]) for side in ("start", "end"))
    starts, ends = sanitize_times(raw_starts, raw_ends, lengths, limit_s, longest_s=math.inf)
    return starts.tolist(), ends.tolist()


def sanitize_times(starts: Floats, ends: Floats, lengths: Floats, limit_s: float, *, longest_s: float) -> tuple[Floats, Floats]:
    """Times as they should be: in [0, limit], ascending, each end before the next start, none longer than `longest_s`.

    What is that already stays as it is. Starts out of order move as little as possible in total, so that one wild time does
    not drag its neighbours along. An unknown start (not finite) is where the word before it ends. An end that is unknown, or
    before its start, is `CHARACTER_S` per character after it. A word that is too long keeps its start.
    """
    known = np.isfinite(starts)
    starts = np.where(known, _ascending(np.clip(starts, 0.0, limit_s), known), np.nan)
    following = np.minimum.accumulate(np.where(known, starts, limit_s)[::-1])[::-1]
    guesses = np.minimum(lengths * CHARACTER_S, longest_s)
    for i in np.flatnonzero(~known).tolist():
        if i == 0:
            starts[0] = following[0] if known.any() else 0.0
            continue
        before = min(ends[i - 1] - starts[i - 1], longest_s) if starts[i - 1] <= ends[i - 1] < math.inf else guesses[i - 1]
        starts[i] = min(starts[i - 1] + before, following[i])
    ends = np.where(np.isfinite(ends) & (ends >= starts), ends, starts + guesses)
    return starts, np.minimum(np.minimum(ends, starts + longest_s), np.append(starts[1:], limit_s))


def _ascending(times: Floats, known: Flags) -> Floats:
    """The ascending times nearest to the known ones, by the sum of all moves (isotonic regression, L1; unknown ones are kept).

    Found with a heap of the times so far, largest first, in O(n log n): Rote, "Isotonic regression by dynamic programming".
    """
    values = times[known]
    if not np.any(values[1:] < values[:-1]):
        return times
    largest: list[float] = []
    fitted = []
    for value in values.tolist():
        heapq.heappush(largest, -value)
        if -largest[0] > value:
            heapq.heapreplace(largest, -value)
        fitted.append(-largest[0])
    times = times.copy()
    times[known] = np.minimum.accumulate(fitted[::-1])[::-1]
    return times


def _spelled(segment: Segment) -> list[str] | None:
    """The texts of a segment's words such that they join to its text; None if there are none, or they spell another text.

    Some engines strip their words or their segments: then the white space is taken from the text.
    """
    if not segment.words:
        return None
    texts = [word.text for word in segment.words]
    if "".join(texts) == segment.text or not segment.text.strip():
        return texts
    bare = ["".join(text.split()) for text in texts]
    if "".join(bare) != "".join(segment.text.split()):
        return None
    after_letter = [0, *(match.end() for match in re.finditer(r"\S", segment.text))]
    cuts = [0, *(after_letter[count] for count in accumulate(map(len, bare)))]
    cuts[-1] = len(segment.text)
    return [segment.text[start:end] for start, end in pairwise(cuts)]


# ---- The words' clock and the turns' clock


def _clock_lag(words: _Words, turn_starts: Floats, turn_ends: Floats) -> float:
    """How many seconds later the words are timed than the sorted turns; 0 unless the words clearly speak for another figure.

    Two engines that hear one recording may place all of it a little apart. Speech fits speech best where their clocks agree,
    and the silences between turns tell where: the lag with the most time of words in turns, or the middle of equals. It must
    better no lag at all by `LAG_ERRORS` standard errors of what the single words gain.
    """
    step = max(1, math.ceil(len(words.texts) / LAG_WORDS_AT_MOST))
    starts, texts = words.starts[::step], words.texts[::step]
    if len(texts) < LAG_WORDS or not len(turn_starts):
        return 0.0
    # An engine may count a silence as part of the word before it.
    ends = np.minimum(words.ends[::step], starts + CHARACTER_S * np.array([len(text.strip()) for text in texts]))
    edges = np.stack([turn_starts, turn_ends], axis=1).ravel()
    spoken_s = np.cumsum(np.diff(edges, prepend=edges[0]) * (np.arange(len(edges)) % 2))  # in turns, up to each edge
    steps = round(MAX_LAG_S / LAG_STEP_S)
    lags_s = np.arange(-steps, steps + 1) * LAG_STEP_S
    heard_s = np.array([np.interp(ends - lag, edges, spoken_s) - np.interp(starts - lag, edges, spoken_s) for lag in lags_s])
    fit_s = heard_s.sum(axis=1)
    gained_s = heard_s[fit_s.argmax()] - heard_s[steps]
    if gained_s.sum() <= LAG_ERRORS * math.sqrt(float(np.square(gained_s).sum())):
        return 0.0
    return float(lags_s[fit_s >= fit_s.max() - EQUAL_FIT * float((ends - starts).sum())].mean())


# ---- What the turns say about the words


@dataclass(frozen=True, slots=True)
class _Evidence:
    """One row for each word and each speaker heard in or near it, in the order of words; and `outside`, one for each word.

    `share`: of the word's time that lies in the speaker's turns. `weight`: what that counts. `own`: the word is nearly all
    there is of one turn.
    """

    word: Ints
    speaker: Ints
    share: Floats
    weight: Floats
    own: Flags
    outside: Flags


def _spans(turns: Sequence[Turn]) -> tuple[Floats, Floats]:
    """Their starts and their ends."""
    return np.array([turn.start for turn in turns]), np.array([turn.end for turn in turns])


def _hear(
    words: _Words, diarization: Diarization, spans: tuple[Floats, Floats], speakers: Sequence[str], costs: SmoothingCosts
) -> _Evidence:
    """Lay the sorted words over the sorted turns, `spans` being `_spans` of these. Takes time and memory for the pairs that
    overlap, which for the exclusive turns are at most words + turns.

    A word that nobody's turn overlaps hears the nearest turn on either side, from edge to edge: distance to the middle would
    favour short turns.
    """
    number = {speaker: n for n, speaker in enumerate(speakers)}
    turns, floor = (*diarization.turns, *diarization.overlaps), len(diarization.turns)
    starts, ends = (np.concatenate(both) for both in zip(spans, _spans(diarization.overlaps), strict=True))
    speaker = np.array([number[turn.speaker] for turn in turns], np.int64)

    word, turn, share, heard_s = _overlapping(words, starts, ends)
    holds_floor = turn < floor
    weight = np.where(holds_floor, share, costs.overlapped * share)
    inside = holds_floor & (share >= INSIDE_SHARE) & (heard_s > 0)
    filled_s = np.bincount(turn[inside], heard_s[inside], len(turns))
    few = np.bincount(turn[inside], minlength=len(turns)) <= OWN_TURN_WORDS
    own = inside & (few & (filled_s >= costs.own_turn_share * (ends - starts)))[turn]

    outside = np.ones(len(words.texts), np.bool_)
    outside[word] = False
    alone = np.flatnonzero(outside)
    right = np.searchsorted(ends[:floor], words.starts[alone], side="right")
    left_s = words.starts[alone] - np.concatenate([[-np.inf], ends[:floor]])[right]
    right_s = np.concatenate([starts[:floor], [np.inf]])[right] - words.ends[alone]
    near_left, near_right = left_s <= NEAREST_S, right_s <= NEAREST_S
    outside[alone] = ~near_left & ~near_right

    near_word = np.concatenate([alone[near_left], alone[near_right]])
    near_turn = np.concatenate([right[near_left] - 1, right[near_right]])
    near_weight = costs.nearby * (1.0 - np.concatenate([left_s[near_left], right_s[near_right]]) / NEAREST_S)
    # One row for each word and speaker. Weights become multiples of 2**-20: sums of such are exact, in whatever order.
    keys = np.concatenate([word, near_word]) * len(speakers) + speaker[np.concatenate([turn, near_turn])]
    keys, row = np.unique(keys, return_inverse=True)
    nothing = np.zeros(len(near_word))
    shares = np.bincount(row, np.concatenate([share, nothing]), len(keys))
    weights = np.bincount(row, np.concatenate([weight, near_weight]), len(keys))
    owns = np.bincount(row, np.concatenate([own, nothing]), len(keys))
    word, speaker = np.divmod(keys, max(1, len(speakers)))
    return _Evidence(word, speaker, np.minimum(shares, 1.0), np.round(weights * 2**20) / 2**20, owns > 0, outside)


def _overlapping(words: _Words, starts: Floats, ends: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    """Each word and turn that overlap: their indices, the share of the word that the turn covers, and its seconds.

    A word of no length lies in the turn that covers its instant, from the turn's start up to, not with, its end.
    """
    first = np.searchsorted(words.ends, starts, side="left")
    stop = np.searchsorted(words.starts, ends, side="left")
    count = np.maximum(stop - first, 0)
    turn = np.repeat(np.arange(len(starts)), count)
    word = np.arange(len(turn)) - np.repeat(np.cumsum(count) - count - first, count)
    heard_s = np.minimum(ends[turn], words.ends[word]) - np.maximum(starts[turn], words.starts[word])
    length_s = (words.ends - words.starts)[word]
    heard = (heard_s > 0) | (length_s == 0)
    word, turn, heard_s, length_s = word[heard], turn[heard], heard_s[heard], length_s[heard]
    share = np.divide(heard_s, length_s, out=np.ones(len(word)), where=length_s > 0)
    return word, turn, share, heard_s


def _during(words: _Words, overlaps: Sequence[Turn]) -> Flags:
    """Which words share an instant with one of the overlaps."""
    begun = np.searchsorted(np.sort(np.array([turn.start for turn in overlaps])), words.ends)
    over = np.searchsorted(np.sort(np.array([turn.end for turn in overlaps])), words.starts, side="right")
    return np.asarray(begun > over)


# ---- Smoothing


def _strongest(group: Ints, speaker: Ints, weight: Floats, groups: int) -> Ints:
    """For each group the speaker with the greatest sum of weights; of equals, the one with the lower number."""
    count = int(speaker.max(initial=0)) + 1
    keys, row = np.unique(group * count + speaker, return_inverse=True)
    sums = np.bincount(row, weight, len(keys))
    best = np.full(groups, NOBODY)
    ascending = np.lexsort((-keys, sums))
    best[keys[ascending] // count] = keys[ascending] % count  # the last one written stays
    return best


def _silences(words: _Words) -> Floats:
    """Seconds between each word and the next. Rounded, since clocks tick in whole 10 ms and 1.2 - 0.9 is less than 0.3."""
    return np.round(words.starts[1:] - words.ends[:-1], 6)


def _sentence_numbers(words: _Words) -> Ints:
    ends = np.array([last_mark(text) in SENTENCE_ENDS for text in words.texts[:-1]], np.bool_)
    return np.append(0, np.cumsum(ends | (_silences(words) >= PAUSE_S)))


def _change_costs(words: _Words, outside: Flags, costs: SmoothingCosts) -> Floats:
    """What a change of speaker costs between each word and the next: the cheapest reason that there is."""
    marks = [last_mark(text) for text in words.texts]
    by_mark = dict.fromkeys(CLAUSE_ENDS, costs.clause_end) | dict.fromkeys(SENTENCE_ENDS, costs.sentence_end)
    unmarked = costs.unpunctuated if SENTENCE_ENDS.isdisjoint(marks) else costs.mid_clause
    cheapest = np.array([by_mark.get(mark, unmarked) for mark in marks[:-1]])
    pause = (_silences(words) >= PAUSE_S) | outside[1:] | outside[:-1]
    cheapest = np.where(words.first[1:], np.minimum(cheapest, costs.segment_end), cheapest)
    return np.where(pause, np.minimum(cheapest, costs.pause), cheapest)


def _best_path(evidence: _Evidence, change_costs: Floats, costs: SmoothingCosts) -> Ints:
    """The speakers that maximise evidence minus the costs of changes: Viterbi, with the same cost between any two speakers.

    Only speakers heard in a word gain anything from it. All the others are worth what they were, or the best of all so far
    less a change, whichever is more; that bound never falls, so one number stands for them all. It takes O(evidence) time,
    however many speakers there are.
    """
    speakers = evidence.speaker.tolist()
    weights = (evidence.weight + evidence.own * 2 * costs.mid_clause).tolist()
    rows_until = np.searchsorted(evidence.word, np.arange(len(evidence.outside)), side="right").tolist()

    runs: list[tuple[int, int, int]] = []  # speaker, first word, the run before
    worth: dict[int, float] = {}  # for each speaker, the best path that ends with them,
    run_of: dict[int, int] = {}  # and its last run
    best, best_run = -1.0, NOBODY
    bound, bound_word, bound_run = 0.0, 0, NOBODY
    row = 0
    for word, (until, cost) in enumerate(zip(rows_until, [0.0, *change_costs.tolist()], strict=True)):
        if best - cost > bound:
            bound, bound_word, bound_run = best - cost, word, best_run
        for row in range(row, until):  # noqa: B020 - goes on where the last word stopped
            speaker = speakers[row]
            value = worth.get(speaker, -1.0)
            if value < bound:
                value = bound
                run_of[speaker] = len(runs)
                runs.append((speaker, bound_word, bound_run))
            worth[speaker] = value = value + weights[row]
            if value > best:
                best, best_run = value, run_of[speaker]
        row = until

    said_by = np.full(len(rows_until), NOBODY)
    stop = len(rows_until)
    while best_run != NOBODY:
        speaker, begin, best_run = runs[best_run]
        said_by[begin:stop] = speaker
        stop = begin
    return said_by


# ---- The result


def _speaker_turns(
    words: _Words, said_by: Ints, speakers: Sequence[str], evidence: _Evidence, overlapped: Flags
) -> tuple[SpeakerTurn, ...]:
    """Runs of one speaker, ended also by a silence of `NEW_TURN_PAUSE_S`."""
    heard = evidence.speaker == said_by[evidence.word]
    share = np.zeros(len(said_by))
    share[evidence.word[heard]] = evidence.share[heard]
    names = [*speakers, None]  # NOBODY is the last
    labels = [names[number] for number in said_by.tolist()]
    confidences = [None if label is None else value for label, value in zip(labels, share.tolist(), strict=True)]
    starts, ends = words.starts.tolist(), words.ends.tolist()
    flags = overlapped.tolist(), evidence.outside.tolist()
    said = list(map(Word, words.texts, starts, ends, words.confidences, labels, confidences, *flags))

    interpolated = words.approximate[1:] & ~words.first[1:]  # a silence between two such words is none that was heard
    pause = (_silences(words) >= NEW_TURN_PAUSE_S) & ~interpolated
    breaks = np.flatnonzero((said_by[1:] != said_by[:-1]) | pause) + 1
    begins = [0, *breaks.tolist()]
    approximate = np.logical_or.reduceat(words.approximate, begins).tolist()
    texts = words.texts
    return tuple(
        SpeakerTurn(
            number,
            labels[begin],
            starts[begin],
            ends[stop - 1],
            "".join(texts[begin:stop]).strip(),
            tuple(said[begin:stop]),
            approximate[number],
        )
        for number, (begin, stop) in enumerate(pairwise([*begins, len(said)]))
    )


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Hold the garbage collector off while half a million objects are made that cannot form a cycle: half of `merge`'s time.

    Safe from several threads: whoever found it on turns it on again, and a search that comes a moment late costs nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


# ---- Numbers from anywhere


def _limit_s(transcript: Transcript, diarization: Diarization, duration_s: float) -> float:
    duration_s = _number(duration_s)
    if 0.0 <= duration_s < math.inf:
        return min(duration_s, MAX_TIME_S)
    timed: tuple[Segment | Word | Turn, ...] = (*transcript.segments, *transcript.words(), *diarization.turns)
    times = _numbers([time for item in timed for time in (item.start, item.end)])
    return float(np.clip(times[np.isfinite(times)], 0.0, MAX_TIME_S).max(initial=0.0))


def _numbers(values: Sequence[object]) -> Floats:
    try:
        return np.array(values, np.float64)  # None becomes NaN
    except (TypeError, ValueError, OverflowError):
        return np.array([_number(value) for value in values], np.float64)


def _number(value: object) -> float:
    """The value as a float; NaN for what is none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan
