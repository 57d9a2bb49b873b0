"""The figures of `benchmarks.load` as text, and which promises they keep: nothing here but what the JSON file says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.load_arrivals import waits_one_at_a_time
from benchmarks.load_requests import DEGRADED, OK, UNFINISHED, Sent
from evaluation.checks import Check, check_table
from evaluation.report import aligned

Figures = Mapping[str, Any]

PERCENTILES = (50, 90, 95, 99, 100)

LATE_S = 0.1
"""The generator's own: beyond it, the figures would be about this program."""

GROWTH_MB = 20.0
"""Per 100 requests."""

QUEUE_OFF = 0.2
"""How far the mean queueing on hf-serve may be from that of one request at a time, as a share of it; and in seconds, for queues
that are next to empty. Parsing and logging a body of megabytes holds up all who wait as well, and is not in the handler's time;
two at a time would halve the queue and more."""


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that at least `percent` % of all are not above (nearest rank): one that was measured, none between."""
    return sorted(values)[max(-(-percent * len(values) // 100), 1) - 1]


def at_rest(run: Figures) -> list[tuple[int, float]]:
    """(requests, MB) whenever every request that had begun had ended: what one in progress takes is no loss."""
    begun_s = [one["begun_s"] for one in run["requests"]]
    return [(ended, mb) for ended, mb, at_s in run["memory"] if ended == sum(one <= at_s for one in begun_s)]


def slope(points: Sequence[tuple[int, float]]) -> float | None:
    """MB per 100 requests, by least squares over (requests, MB), from when half of all requests had ended.

    Before, the longest recording that has come yet, and how many come at a time, still raise it: nothing is lost by that.
    None where what is left has no two different numbers of requests.
    """
    most = max((count for count, _ in points), default=0)
    kept = [(count, mb) for count, mb in points if 2 * count >= most]
    if len({count for count, _ in kept}) < 2:
        return None
    mean_count, mean_mb = fmean(count for count, _ in kept), fmean(mb for _, mb in kept)
    spread = sum((count - mean_count) ** 2 for count, _ in kept)
    return 100 * sum((count - mean_count) * (mb - mean_mb) for count, mb in kept) / spread


def requests(run: Figures) -> list[Sent]:
    return [Sent(**row) for row in run["requests"]]


def text(figures: Figures) -> str:
    """A block for each server, then the promises."""
    parts = ["\n".join(f"{name}: {value}" for name, value in figures["machine"].items())]
    parts += [_run(run) for run in figures["runs"]]
    return "\n\n".join([*parts, check_table(checks(figures))]) + "\n"


def _run(run: Figures) -> str:
    sent = requests(run)
    mix = ", ".join(f"{weight:g} x {float(length):g} s" for length, weight in run["mix"].items())
    heading = (
        f"{run['server'].upper()}: {len(sent)} requests in {run['duration_s']:g} s, {run['rate_per_s']:g} per second on average"
        f" (seed {run['seed']}), as {run['send_as']}\nmix: {mix}\nengines: {', '.join(run['models'].values())}"
    )
    rows = [("seconds", "requests", *(f"p{percent}" if percent < 100 else "max" for percent in PERCENTILES))]
    waited = [one for one in sent if one.answered or one.kind == UNFINISHED]
    for length in sorted({one.audio_s for one in waited}):
        rows.append(_row(f"latency, {length:g} s", [one.latency_s for one in waited if one.audio_s == length]))
    answered = [one for one in sent if one.answered]
    rows += [
        _row("latency, all", [one.latency_s for one in waited]),
        _row("the server's own", [one.served_s or 0.0 for one in answered]),
        _row("queueing", [one.queueing_s for one in answered]),
        _row("queueing, if one at a time", _waits(answered)),
        _row("sent late", [one.begun_s - one.at_s for one in sent]),
    ]
    return "\n".join([heading, aligned(rows), aligned(_facts(run, sent))])


def _row(name: str, values: Sequence[float]) -> tuple[str, ...]:
    cells = (f"{percentile(values, percent):.3f}" if values else "-" for percent in PERCENTILES)
    return (name, str(len(values)), *cells)


def _waits(answered: Sequence[Sent]) -> list[float]:
    """In the order in which they were served, which is the host's: a small body is read before a large one."""
    answered = sorted(answered, key=lambda one: one.ended_s)
    return waits_one_at_a_time((one.at_s, one.served_s or 0.0) for one in answered)


def _facts(run: Figures, sent: Sequence[Sent]) -> list[tuple[str, str]]:
    kinds = Counter(one.kind for one in sent)
    answered = [one for one in sent if one.answered]
    span_s = max((one.ended_s for one in answered), default=0.0) - min((one.at_s for one in answered), default=0.0)
    work_s = sum(one.served_s or 0.0 for one in answered)
    facts = [
        ("answered", str(len(answered))),
        *((name, str(kinds.pop(name, 0))) for name in (DEGRADED, UNFINISHED)),
        ("errors", ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()) if kind != OK) or "none"),
    ]
    if answered:
        audio_s = sum(one.audio_s for one in answered)
        facts += [
            ("audio seconds per second", f"{audio_s / span_s:.1f}"),
            ("share of the time that requests were worked on", f"{work_s / span_s:.2f}"),
        ]
    if run["memory"]:
        grown = slope(at_rest(run))
        facts += [
            ("memory at the beginning, at most, at the end, MB", "  ".join(f"{mb:.0f}" for mb in _memory(run["memory"]))),
            ("memory at rest, MB per 100 requests", "-" if grown is None else f"{grown:+.1f}"),
        ]
    return facts


def _memory(samples: Sequence[tuple[int, float, float]]) -> tuple[float, float, float]:
    held_mb = [mb for _, mb, _ in samples]
    return held_mb[0], max(held_mb), held_mb[-1]


def checks(figures: Figures) -> list[Check]:
    """What must be reached by each server."""
    return [check for run in figures["runs"] for check in _checks(run)]


def _checks(run: Figures) -> list[Check]:
    sent, name = requests(run), run["server"]
    kinds = Counter(one.kind for one in sent)
    failed = sum(count for kind, count in kinds.items() if kind not in (OK, DEGRADED, UNFINISHED))
    late_s = percentile([one.begun_s - one.at_s for one in sent], 99)
    found = [
        Check(name, "errors", str(failed), "0", not failed),
        Check(name, "degraded replies", str(kinds[DEGRADED]), "0", not kinds[DEGRADED]),
        Check(name, "unfinished", str(kinds[UNFINISHED]), "0", not kinds[UNFINISHED]),
        Check(name, "sent late, p99, s", f"{late_s:.3f}", f"<= {LATE_S:.3f}", late_s <= LATE_S),
    ]
    if run["memory"]:
        grown = slope(at_rest(run))
        ok = grown is not None and grown <= GROWTH_MB
        measured = "-" if grown is None else f"{grown:+.1f}"
        found.append(Check(name, "memory at rest, MB per 100 requests", measured, f"<= {GROWTH_MB:.0f}", ok))
    answered = [one for one in sent if one.answered]
    if run["one_at_a_time"] and answered:
        measured_s, predicted_s = fmean(one.queueing_s for one in answered), fmean(_waits(answered))
        most_s = QUEUE_OFF * max(predicted_s, 1.0)
        found.append(
            Check(
                name,
                "mean queueing, s: one at a time",
                f"{measured_s:.3f}",
                f"{predicted_s:.3f} ± {most_s:.3f}",
                abs(measured_s - predicted_s) <= most_s,
            )
        )
    return found
