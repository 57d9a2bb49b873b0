"""Seconds and memory of the extractive engine, on made-up transcripts of two kinds.

varied      words as rare and as common as in a real text (Zipf's law), in sentences of any length
repetitive  the small language of the tiny models: hundreds of sentences that are all but the same, the worst for a graph of
            similar sentences
"""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from roundtable.control import Control
from roundtable.summarization import SummarizeOptions
from roundtable.summarization.extractive import ExtractiveSummarizer
from roundtable.summarization.text import ENGLISH_STOP_WORDS
from roundtable.transcript import SpeakerTurn
from tests.models.facts import draw_facts, talk

ROUNDS = 3
TWO_HOURS_WORDS = 20_000

_RARE_WORDS = 8000
_SMALL_SHARE = 0.45
_OPENINGS = ("", "", "", "", "We decided that ", "I will ", "Can you ", "Let us ", "By Friday ")


def varied(about_words: int) -> list[SpeakerTurn]:
    """Half of it function words, as in speech; the rest drawn by Zipf's law."""
    rng = random.Random(about_words)  # noqa: S311
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    rare = ["".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in range(_RARE_WORDS)]
    frequency = list(accumulate(1 / rank for rank in range(1, _RARE_WORDS + 1)))
    small = sorted(ENGLISH_STOP_WORDS)
    turns: list[SpeakerTurn] = []
    said, clock = 0, 0.0
    while said < about_words:
        sentences = []
        for _ in range(rng.randint(1, 6)):
            count = rng.randint(2, 18)
            chosen = rng.choices(rare, cum_weights=frequency, k=count)
            mixed = [rng.choice(small) if rng.random() < _SMALL_SHARE else word for word in chosen]
            sentences.append(f"{rng.choice(_OPENINGS)}{' '.join(mixed)}{rng.choice('....?')}".capitalize())
        text = " ".join(sentences)
        said += len(text.split())
        seconds = len(text.split()) / 2.8
        turns.append(SpeakerTurn(len(turns), f"SPEAKER_{rng.randrange(4):02}", clock, clock + seconds, text))
        clock += seconds
    return turns


def repetitive(about_words: int) -> list[SpeakerTurn]:
    rng = random.Random(about_words)  # noqa: S311
    spoken = talk(rng, round(about_words / 4.3), draw_facts(rng, 20, held_out=False))
    return list(spoken.turns)


KINDS: dict[str, Callable[[int], list[SpeakerTurn]]] = {"varied": varied, "repetitive": repetitive}


def measure(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """For each kind and number of words the best of `ROUNDS`, and the peak of tracemalloc in another."""
    engine = ExtractiveSummarizer()
    options = SummarizeOptions(format="structured", language="en")
    rows = []
    for kind, make in KINDS.items():
        for size in sizes:
            turns = make(size)
            walls, cpus = [], []
            for _ in range(ROUNDS):
                wall, cpu = time.perf_counter(), time.process_time()
                engine.summarize(turns, options, Control())
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
            tracemalloc.start()
            engine.summarize(turns, options, Control())
            peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
            said = sum(len(turn.text.split()) for turn in turns)
            rows.append(
                {"kind": kind, "size": size, "words": said, "wall_s": min(walls), "cpu_s": min(cpus), "peak_mb": peak_mb}
            )
    return rows
