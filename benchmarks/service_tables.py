"""The figures of `benchmarks.service` as text, and which promises they keep: nothing here but what the JSON file says."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks.service_overhead import BASE64, RAW, overhead_s
from benchmarks.service_start import STEPS
from evaluation.checks import Check, check_table
from evaluation.report import aligned

Figures = Mapping[str, Any]

OVERHEAD_S, OVERHEAD_SHARE = 0.020, 0.02
"""The larger of the two is what the handler may cost beyond the bare engines."""

START_S = 8.0


def text(figures: Figures) -> str:
    """Every table that the figures allow, then the promises."""
    parts = ["\n".join(f"{name}: {value}" for name, value in figures["machine"].items())]
    if "overhead" in figures:
        parts.append(_overhead(figures["overhead"]))
    if "start" in figures:
        parts.append(_start(figures["start"]))
    return "\n\n".join([*parts, check_table(checks(figures))]) + "\n"


def _overhead(figures: Figures) -> str:
    rows = [("engines", "request", "rounds", "bare, s", "beyond, ms", "beyond, %", "beyond, CPU ms")]
    for engines, measured in figures["engines"].items():
        for way in (BASE64, RAW):
            beyond_s, bare_s = overhead_s(measured["rounds"], way, "wall_s")
            cpu_s, _ = overhead_s(measured["rounds"], way, "cpu_s")
            cells = (f"{bare_s:.3f}", f"{1000 * beyond_s:+.1f}", f"{100 * beyond_s / bare_s:+.1f}", f"{1000 * cpu_s:+.1f}")
            rows.append((engines, way, str(len(measured["rounds"])), *cells))
    return (
        f"HANDLER beyond the bare engines, a clip of {figures['seconds']:g} s: medians of the differences, round by round\n"
        + aligned(rows)
    )


def _start(figures: Figures) -> str:
    rows: list[tuple[str, ...]] = [("start", *STEPS, "in all")]
    for place, steps in enumerate(figures["starts"], 1):
        rows.append((str(place), *(f"{steps[step]:.2f}" for step in STEPS), f"{sum(steps.values()):.2f}"))
    return "FROM PROCESS START TO FIRST REPLY, embedded engines, seconds; files in the system's cache\n" + aligned(rows)


def checks(figures: Figures) -> list[Check]:
    """What must be reached."""
    found = []
    for engines, measured in figures.get("overhead", {}).get("engines", {}).items():
        for way in (BASE64, RAW):
            beyond_s, bare_s = overhead_s(measured["rounds"], way, "wall_s")
            most_s = max(OVERHEAD_S, OVERHEAD_SHARE * bare_s)
            measure = f"beyond the bare engines, ms: {way}"
            limit = f"<= {1000 * most_s:.1f}"
            found.append(Check(engines, measure, f"{1000 * beyond_s:+.1f}", limit, beyond_s <= most_s))
    if "start" in figures:
        middle_s = median(sum(steps.values()) for steps in figures["start"]["starts"])
        limit = f"<= {START_S:.2f}"
        found.append(Check("embedded", "start to first reply, s, median", f"{middle_s:.2f}", limit, middle_s <= START_S))
    return found
