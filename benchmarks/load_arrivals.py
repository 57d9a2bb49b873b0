"""When requests come, and how long their recordings are: planned in full before the first one is sent.

Nothing that the server does can therefore delay, drop or reorder what it is sent. Callers who do not know of each other are a
Poisson process; a generator that waited for replies would send least when the server is slowest, and never see it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request: `at_s` seconds after the start, with a recording of `audio_s` seconds."""

    at_s: float
    audio_s: float


def poisson(rate_per_s: float, duration_s: float, weights: Mapping[float, float], seed: int) -> list[Arrival]:
    """All that come before `duration_s`, `rate_per_s` on average; `weights`: how often each length is drawn, by length.

    The same arguments give the same list. The lengths are drawn apart from the times, so that another mix comes at the same
    times. Raises ValueError unless the rate and every weight are greater than 0.
    """
    if rate_per_s <= 0 or not weights or min(weights.values()) <= 0:
        raise ValueError("The rate and every weight must be greater than 0.")
    times, lengths = random.Random(f"{seed} times"), random.Random(f"{seed} lengths")  # noqa: S311
    arrivals: list[Arrival] = []
    at_s = times.expovariate(rate_per_s)
    while at_s < duration_s:
        [audio_s] = lengths.choices(list(weights), list(weights.values()))
        arrivals.append(Arrival(at_s, audio_s))
        at_s += times.expovariate(rate_per_s)
    return arrivals


def waits_one_at_a_time(served: Iterable[tuple[float, float]]) -> list[float]:
    """How long each request waits where one is served after the other, in seconds.

    `served`: when each came and how long it was worked on, in the order of service. Lindley's recursion (1952): the next one
    waits for what is left of the one before, its wait included.
    """
    waits, free_s = [], 0.0
    for at_s, work_s in served:
        waits.append(max(0.0, free_s - at_s))
        free_s = max(free_s, at_s) + work_s
    return waits
