"""Seconds and memory of `merge` on a very long conversation."""

from __future__ import annotations

import random
import time
import tracemalloc
from typing import Any

from diarization_utils import merge
from roundtable.transcript import Diarization, Segment, Transcript, Turn, Word

ROUNDS = 5


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


def measure(turns: int) -> list[dict[str, Any]]:
    """Half as many turns, and so many: the best of `ROUNDS`, and the peak of tracemalloc while merging once more."""
    rows = []
    for size in (turns // 2, turns):
        transcript, diarization, duration_s = long_conversation(size)
        walls, cpus = [], []
        for _ in range(ROUNDS):
            wall, cpu = time.perf_counter(), time.process_time()
            merged = merge(transcript, diarization, duration_s)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
            del merged  # outside the measured time
        tracemalloc.start()
        merge(transcript, diarization, duration_s)
        peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        words = sum(1 for _ in transcript.words())
        rows.append({"turns": size, "words": words, "wall_s": min(walls), "cpu_s": min(cpus), "peak_mb": peak_mb})
    return rows
