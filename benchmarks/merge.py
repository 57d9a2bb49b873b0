"""The merge against its peers on disturbed conversations, and its speed and memory: `python -m benchmarks.merge`.

No audio is needed: a seeded conversation with an exact reference is disturbed the way that real engines err, each algorithm
says who said which word, and WDER counts the share of words that went to the wrong speaker (or to nobody). All of them get the
same words and the same turns, overlapping where people do. The conversations are synthetic: compare columns, not papers.

`--tune` searches `SmoothingCosts` on the development seeds, which the table does not use.
"""

from __future__ import annotations

import argparse
import math
import random
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

from benchmarks.merge_peers import Chunk, hugging_face, whisperx
from diarization_utils import COSTS, SmoothingCosts, merge
from roundtable.transcript import Diarization, Segment, Transcript, Turn, Word

TABLE_SEEDS = range(1000, 1020)
TUNING_SEEDS = range(20)
SPEAKERS = ("Ann", "Ben", "Cem", "Dee")  # names, so that no algorithm renumbers them
LETTERS = "etaoinshrdlu"


@dataclass(frozen=True)
class Talk:
    """A conversation: its words in the order of their starts, who says each, and everybody's turns, sorted."""

    words: list[Word]
    said_by: list[str]
    turns: list[Turn]
    punctuated: bool
    word_times: bool = True

    @property
    def duration_s(self) -> float:
        return max(turn.end for turn in self.turns) + 5.0


# ---- A conversation


def conversation(rng: random.Random, *, punctuated: bool, interjections: int = 0) -> Talk:
    """Two to four people, about four minutes. Talk has sentences, commas, hesitations, short replies, gaps and overlaps."""
    people = SPEAKERS[: rng.randint(2, 4)]
    spoken: list[tuple[Word, str]] = []
    clock, speaker = rng.uniform(0.2, 2.0), people[0]
    for _ in range(40):
        speaker = rng.choice([other for other in people if other != speaker])
        sentences = [rng.randint(1, 3)] if rng.random() < 0.3 else [rng.randint(3, 14) for _ in range(rng.randint(1, 4))]
        spoken += [(word, speaker) for word in _sentences(rng, clock, sentences, punctuated)]
        clock = spoken[-1][0].end + min(1.5, max(-0.5, rng.gauss(0.25, 0.35)))
    for _ in range(interjections):
        begin, by = rng.choice(spoken)
        other = rng.choice([person for person in people if person != by])
        spoken += [(word, other) for word in _sentences(rng, begin.end - 0.05, [rng.randint(1, 2)], punctuated)]
    spoken.sort(key=lambda item: item[0].start)
    turns = [turn for person in people for turn in _turns([word for word, by in spoken if by == person], person)]
    heard = _heard(rng, spoken)
    return Talk([word for word, _ in heard], [by for _, by in heard], sorted(turns, key=lambda t: t.start), punctuated)


def _heard(rng: random.Random, spoken: Iterable[tuple[Word, str]]) -> list[tuple[Word, str]]:
    """An ASR engine hears one voice at a time: of two words that share half of the shorter one's time, either is lost."""
    heard: list[tuple[Word, str]] = []
    for word, by in spoken:
        last = heard[-1][0] if heard else Word("", 0.0, 0.0)
        if min(last.end, word.end) - word.start < 0.5 * min(word.end - word.start, last.end - last.start):
            heard.append((word, by))
        elif rng.random() < 0.5:
            heard[-1] = (word, by)
    return heard


def _sentences(rng: random.Random, clock: float, lengths: Iterable[int], punctuated: bool) -> list[Word]:
    words = []
    for length in lengths:
        for place in range(length):
            text = "".join(rng.choices(LETTERS, k=rng.randint(1, 9)))
            mark, gap = "", rng.choice((0.0, 0.0, 0.02, 0.05))
            if place == length - 1:
                mark, gap = rng.choice(".?!"), rng.uniform(0.1, 0.7)
            elif rng.random() < 0.12:
                mark, gap = ",", rng.uniform(0.0, 0.3)
            elif rng.random() < 0.05:
                gap = rng.uniform(0.3, 0.9)  # a hesitation: a silence need not mean another speaker
            end = clock + (0.08 + 0.045 * len(text)) * rng.uniform(0.8, 1.3)
            words.append(Word(f" {text}{mark if punctuated else ''}", clock, end))
            clock = end + gap
    return words


def _turns(words: Sequence[Word], speaker: str) -> list[Turn]:
    """One speaker's turns as a diarizer would draw them: silences under 0.6 s belong to the turn."""
    turns: list[Turn] = []
    for word in words:
        if turns and word.start - turns[-1].end < 0.6:
            turns[-1] = replace(turns[-1], end=max(turns[-1].end, word.end))
        else:
            turns.append(Turn(word.start, word.end, speaker))
    return turns


# ---- What engines do to it


def jitter_words(talk: Talk, rng: random.Random, by_s: float = 0.3) -> Talk:
    """Each word is heard a little early or late, independently."""
    shifts = [rng.uniform(-by_s, by_s) for _ in talk.words]
    moved = [replace(word, start=word.start + by, end=word.end + by) for word, by in zip(talk.words, shifts, strict=True)]
    return replace(talk, words=moved)


def lag_words(talk: Talk, rng: random.Random, by_s: float = 0.3) -> Talk:
    """All words are heard early or late by the same time, as an ASR engine's clock is."""
    lag = rng.uniform(-by_s, by_s)
    return replace(talk, words=[replace(word, start=word.start + lag, end=word.end + lag) for word in talk.words])


def drop_ends(talk: Talk, rng: random.Random, share: float = 0.3) -> Talk:
    """Ends are unknown, or run into the silence up to the next word; some words collapse to an instant."""
    words = list(talk.words)
    for n, following in enumerate([*words[1:], replace(words[-1], start=words[-1].end)]):
        if rng.random() < share:
            start = words[n].start
            words[n] = replace(words[n], end=rng.choice((math.nan, start, max(start, following.start))))
    return replace(talk, words=words)


def jitter_turns(talk: Talk, rng: random.Random, by_s: float = 0.3) -> Talk:
    """Turns begin and end a little early or late."""
    moved = [replace(t, start=t.start + rng.uniform(-by_s, by_s), end=t.end + rng.uniform(-by_s, by_s)) for t in talk.turns]
    return replace(talk, turns=sorted((turn for turn in moved if turn.start < turn.end), key=lambda turn: turn.start))


def merge_turns(talk: Talk, rng: random.Random, gap_s: float = 1.0, short_s: float = 0.3) -> Talk:
    """A speaker's turns close to one another become one, across whoever speaks between; half of the very short are missed."""
    merged: list[Turn] = []
    for speaker in SPEAKERS:
        own: list[Turn] = []
        for turn in talk.turns:
            if turn.speaker != speaker or (turn.end - turn.start < short_s and rng.random() < 0.5):
                continue
            if own and turn.start - own[-1].end < gap_s:
                own[-1] = replace(own[-1], end=max(turn.end, own[-1].end))
            else:
                own.append(turn)
        merged += own
    return replace(talk, turns=sorted(merged, key=lambda turn: turn.start))


def flicker(talk: Talk, rng: random.Random, every_s: float = 15.0) -> Talk:
    """Short turns of somebody who is not speaking."""
    end_s, people = talk.turns[-1].end, sorted(set(talk.said_by))
    false = []
    for _ in range(int(end_s / every_s)):
        start = rng.uniform(0.0, end_s)
        false.append(Turn(start, start + rng.uniform(0.1, 0.4), rng.choice(people)))
    return replace(talk, turns=sorted([*talk.turns, *false], key=lambda turn: turn.start))


def keep_segments_only(talk: Talk, rng: random.Random) -> Talk:
    """The engine gives no word times."""
    return replace(talk, word_times=False)


def everything(talk: Talk, rng: random.Random) -> Talk:
    """All of it at once, at the strength of good engines."""
    talk = jitter_words(lag_words(talk, rng, 0.1), rng, 0.1)
    talk = drop_ends(talk, rng, 0.1)
    return flicker(merge_turns(jitter_turns(talk, rng, 0.15), rng, 0.5, 0.25), rng, 60.0)


Disturbance = Callable[[Talk, random.Random], Talk]
KINDS: dict[str, tuple[int, Disturbance]] = {  # interjections, and what happens to the conversation
    "words ±0.3 s": (0, jitter_words),
    "all words early or late": (0, lag_words),
    "ends dropped": (0, drop_ends),
    "turns ±0.3 s": (0, jitter_turns),
    "turns merged": (0, merge_turns),
    "interjections": (15, lambda talk, rng: jitter_turns(talk, rng, 0.1)),
    "flicker": (0, flicker),
    "no word times": (0, keep_segments_only),
    "everything": (8, everything),
}


def disturbed(kind: str, seed: int, *, punctuated: bool) -> Talk:
    rng = random.Random(f"{kind} {seed} {punctuated}")  # noqa: S311 - the same on every machine, and nothing to guess
    interjections, disturb = KINDS[kind]
    return disturb(conversation(rng, punctuated=punctuated, interjections=interjections), rng)


def segments_of(talk: Talk) -> list[Segment]:
    """Segments as an ASR engine cuts them: after a sentence or a silence once 3 s are full, at 10 s wherever it is."""
    cuts = [0]
    for n, (word, following) in enumerate(pairwise(talk.words), start=1):
        length_s = word.start - talk.words[cuts[-1]].start
        pause = word.text[-1] in ".?!" if talk.punctuated else following.start - word.start > 0.8
        if (length_s >= 3.0 and pause) or length_s >= 10.0:
            cuts.append(n)
    segments = []
    for begin, stop in pairwise([*cuts, len(talk.words)]):
        words = tuple(talk.words[begin:stop])
        end = max(word.end if math.isfinite(word.end) else word.start + 0.3 for word in words)
        segments.append(Segment(words[0].start, end, "".join(w.text for w in words), words if talk.word_times else ()))
    return segments


# ---- The algorithms, and their score

Speakers = list[str | None]


def ours(talk: Talk, costs: SmoothingCosts = COSTS) -> Speakers:
    merged = merge(Transcript(tuple(segments_of(talk))), Diarization(tuple(talk.turns)), talk.duration_s, costs=costs)
    return [word.speaker for turn in merged for word in turn.words]


def unsmoothed(talk: Talk) -> Speakers:
    merged = merge(Transcript(tuple(segments_of(talk))), Diarization(tuple(talk.turns)), talk.duration_s, smoothing="none")
    return [word.speaker for turn in merged for word in turn.words]


def by_segment(rule: Callable[[Sequence[Chunk], Sequence[Turn]], Speakers]) -> Callable[[Talk], Speakers]:
    def algorithm(talk: Talk) -> Speakers:
        segments = segments_of(talk)
        speakers = rule(segments, talk.turns)
        return [speaker for segment, speaker in zip(segments, speakers, strict=True) for _ in segment.text.split()]

    return algorithm


def by_word(rule: Callable[[Sequence[Chunk], Sequence[Turn]], Speakers]) -> Callable[[Talk], Speakers]:
    """The rule on words, or on segments where there are no words."""
    return lambda talk: rule(talk.words, talk.turns) if talk.word_times else by_segment(rule)(talk)


ALGORITHMS: dict[str, Callable[[Talk], Speakers]] = {
    "ours": ours,
    "ours, unsmoothed": unsmoothed,
    "whisperX, words": by_word(whisperx),
    "HF, words": by_word(hugging_face),
    "HF, segments": by_segment(hugging_face),
}


def wder(talk: Talk, speakers: Sequence[str | None]) -> float:
    """Share of words with the wrong speaker. Every algorithm answers for every word, so no alignment is needed."""
    return sum(a != b for a, b in zip(talk.said_by, speakers, strict=True)) / len(talk.said_by)


def table(seeds: Iterable[int], *, punctuated: bool) -> dict[str, dict[str, float]]:
    """WDER by kind of disturbance and algorithm, each the mean over the seeds."""
    talks = {kind: [disturbed(kind, seed, punctuated=punctuated) for seed in seeds] for kind in KINDS}
    return {
        kind: {name: fmean(wder(talk, run(talk)) for talk in talks[kind]) for name, run in ALGORITHMS.items()} for kind in KINDS
    }


def print_table(seeds: Sequence[int]) -> None:
    for punctuated in (True, False):
        print(f"\nWDER in %, mean of {len(seeds)} conversations, text {'with' if punctuated else 'without'} punctuation")
        print(f"{'':24}" + "".join(f"{name:>18}" for name in ALGORITHMS))
        rows = table(seeds, punctuated=punctuated)
        for kind, row in rows.items():
            print(f"{kind:24}" + "".join(f"{100 * value:18.2f}" for value in row.values()))
        print(f"{'mean':24}" + "".join(f"{100 * fmean(row[name] for row in rows.values()):18.2f}" for name in ALGORITHMS))


# ---- Tuning

GRID = {
    "mid_clause": (0.3, 0.45, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0),
    "unpunctuated": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
    "clause_end": (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0),
    "segment_end": (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
    "sentence_end": (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6),
    "pause": (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6),
    "own_turn_share": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 2.0),
    "overlapped": (0.0, 0.25, 0.5, 0.75, 0.9, 1.0),
    "nearby": (0.1, 0.2, 0.3, 0.5, 0.7),
}


def tune(seeds: Sequence[int]) -> SmoothingCosts:
    """Coordinate descent over `GRID`, to the least mean WDER over all kinds, with and without punctuation."""
    talks = [disturbed(kind, seed, punctuated=mark) for kind in KINDS for seed in seeds for mark in (True, False)]

    def score(costs: SmoothingCosts) -> float:
        return fmean(wder(talk, ours(talk, costs)) for talk in talks)

    best, best_score = COSTS, score(COSTS)
    print(f"{100 * best_score:.3f} %  {best}")
    improved = True
    while improved:
        improved = False
        for name, values in GRID.items():
            for value in values:
                costs = replace(best, **{name: value})
                if costs.pause > costs.segment_end:  # merging a result again would not be stable: its turns are segments
                    continue
                if (found := score(costs)) < best_score - 1e-9:
                    best, best_score, improved = costs, found, True
                    print(f"{100 * best_score:.3f} %  {name} = {value}", flush=True)
    return best


# ---- Speed and memory


def long_conversation(turns: int) -> tuple[Transcript, Diarization, float]:
    """So many turns of 3 1/3 words each, by four people, some of whose words reach into the next turn."""
    rng = random.Random(turns)  # noqa: S311
    clock, segments, said = 0.0, [], []
    for number in range(turns):
        begin, words = clock, []
        for _ in range(4 if number % 3 == 0 else 3):
            end = clock + rng.uniform(0.1, 0.5)
            words.append(Word(f" word{rng.choice(('', '', ',', '.'))}", clock + rng.uniform(-0.05, 0.05), end))
            clock = end + rng.choice((0.0, 0.0, 0.05, 0.4))
        said.append(Turn(begin, clock, f"SPEAKER_{number % 4:02d}"))
        segments.append(Segment(begin, clock, "".join(word.text for word in words), tuple(words)))
    return Transcript(tuple(segments)), Diarization(tuple(said)), clock


def print_speed(turns: int = 100_000) -> None:
    print(
        f"\n{'turns':>10}{'words':>10}{'wall s':>10}{'CPU s':>10}{'peak MB':>10}   (best of 5; peak: tracemalloc while merging)"
    )
    for size in (turns // 2, turns):
        transcript, diarization, duration_s = long_conversation(size)
        walls, cpus = [], []
        for _ in range(5):
            wall, cpu = time.perf_counter(), time.process_time()
            merged = merge(transcript, diarization, duration_s)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
            del merged  # outside the measured time
        tracemalloc.start()
        merge(transcript, diarization, duration_s)
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        count = sum(1 for _ in transcript.words())
        print(f"{size:>10}{count:>10}{min(walls):>10.2f}{min(cpus):>10.2f}{peak_mb:>10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merge", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--tune", action="store_true", help="search the smoothing costs on the development seeds and print them"
    )
    parser.add_argument("--speed", action="store_true", help="print only the speed and the memory")
    arguments = parser.parse_args()
    if arguments.tune:
        print(tune(TUNING_SEEDS))
        return
    print_speed()
    if not arguments.speed:
        print_table(TABLE_SEEDS)


if __name__ == "__main__":
    main()
