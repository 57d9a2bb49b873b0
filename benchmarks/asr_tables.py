"""The figures of `benchmarks.asr` as text, and which promises they keep: nothing here but what the JSON file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.asr_ours import OURS
from benchmarks.asr_peers import DEFAULT_BEAMS, GREEDY
from evaluation.checks import Check, check_table
from evaluation.report import aligned

Figures = Mapping[str, Any]

BYTES_PER_S = 64_000
"""A waveform: float32 at 16 kHz."""

WER, START_MEDIAN_S, STARTS_NEAR = 0.05, 0.1, 0.95
RATIOS = {DEFAULT_BEAMS: 6.0, GREEDY: 2.0}
GPU_RATIO = 3.0
GROWTH = 1.1


def text(figures: Figures) -> str:
    """Every table that the figures allow, then the promises."""
    parts = ["\n".join(f"{name}: {value}" for name, value in figures["machine"].items())]
    for title, table in (("accuracy", _accuracy), ("speed", _speed), ("memory", _memory), ("gpu", _gpu)):
        if title in figures:
            parts += table(figures[title])
    found = checks(figures)
    if found:
        parts.append(check_table(found))
    return "\n\n".join(parts) + "\n"


# --- Accuracy --------------------------------------------------------------------------------------------------------


def _accuracy(figures: Figures) -> Iterator[str]:
    yield f"ACCURACY of {figures['model']} through each system; samples in, text out. {figures['note']}"
    for block in figures["blocks"]:
        told = f"language={block['language']!r}" if block["language"] else "language not given"
        systems = block["systems"]
        heading = ("system", "words", "WER", "sub", "del", "ins", "starts", "median s", "p95 s", "<=0.3 s", "CPU s", "enc/min")
        rows = [_total_row(name, total) for name, total in systems.items()]
        yield f"{told}, all recordings (starts: words heard right, and how far off they begin)\n{aligned([heading, *rows])}"
        yield f"{told}, WER of each recording\n{aligned(_by_recording(systems))}"


def _total_row(name: str, system: Figures) -> tuple[str, ...]:
    if "missing" in system:
        return (name, f"not installed: {system['missing']}", *[""] * 10)
    total = system["total"]
    encoded = total["encoder_rows"]
    return (
        name,
        _number(total["words"], 0),
        _number(total["wer"], 4),
        *(_number(total[kind], 0) for kind in ("substitutions", "deletions", "insertions")),
        _number(total["starts"], 0),
        _number(total["start_median_s"], 3),
        _number(total["start_p95_s"], 3),
        _number(total["starts_near"], 3),
        _number(total["cpu_s"], 1),
        _number(None if encoded is None else 60 * encoded / total["seconds"], 2),
    )


def _by_recording(systems: Mapping[str, Figures]) -> list[tuple[str, ...]]:
    there = {name: system for name, system in systems.items() if "missing" not in system}
    recordings = list(next(iter(there.values()))["recordings"])
    rows = [("system", *recordings)]
    return [*rows, *((name, *(_number(one["recordings"][r]["wer"], 4) for r in recordings)) for name, one in there.items())]


# --- Speed -----------------------------------------------------------------------------------------------------------


def _speed(figures: Figures) -> Iterator[str]:
    yield (
        f"SPEED of the ASR stage: random weights of real shapes, {figures['seconds'] / 60:.1f} minutes of dialogue,"
        f" {figures['threads']} threads,\neach system in a process of its own, {figures['rounds']} rounds in turn, medians."
        f"\n{figures['note']}"
    )
    heading = ("shape, system", "windows", "tokens", "beams", "CPU s", "wall s", "peak MB", "CPU / ours, same total")
    rows = []
    for shape, systems in figures["shapes"].items():
        for name, one in systems.items():
            rows.append(
                (
                    f"{shape}  {name}",
                    _number(one["windows"], 0),
                    _number(one["tokens"], 0),
                    _number(one["beams"], 0),
                    _number(median(one["cpu_s"]), 1),
                    _number(median(one["wall_s"]), 1),
                    _number(one["peak_mb"], 0),
                    _number(ratio(systems, name), 2),
                )
            )
    yield aligned([heading, *rows])
    yield "Where ours spends its CPU seconds\n" + aligned(_stages({s: r[SAME_TOTAL] for s, r in figures["shapes"].items()}))


SAME_TOTAL = f"{OURS}, as many tokens in all"


def ratio(systems: Mapping[str, Figures], name: str, clock: str = "cpu_s") -> float:
    """How many times as long a system takes as ours with the same number of tokens in all: the median of its rounds."""
    return float(median(theirs / own for theirs, own in zip(systems[name][clock], systems[SAME_TOTAL][clock], strict=True)))


def _stages(by_row: Mapping[str, Figures]) -> list[tuple[str, ...]]:
    stages = list(dict.fromkeys(stage for one in by_row.values() for stage in one["stages_s"]))
    rows = [("", *stages)]
    for name, one in by_row.items():
        total = sum(one["stages_s"].values())
        seconds = [one["stages_s"].get(stage, 0.0) for stage in stages]
        rows.append((name, *(f"{value:.2f} ({value / total:.0%})" for value in seconds)))
    return rows


# --- Memory and GPU --------------------------------------------------------------------------------------------------


def _memory(figures: Figures) -> Iterator[str]:
    rows = [(f"{one['seconds'] / 60:.0f} min", _number(one["peak_mb"], 0), _number(one["cpu_s"], 1)) for one in figures["rows"]]
    yield (
        f"MEMORY of ours, {figures['model']}, each recording in a fresh process (waveform included)\n"
        + aligned([("recording", "peak MB", "CPU s"), *rows])
    )


def _gpu(figures: Figures) -> Iterator[str]:
    yield (
        f"GPU: {figures['device']}, random weights of shape {figures['shape']}, float16, {figures['seconds'] / 60:.1f} minutes."
        f" {figures['note']}"
    )
    systems = figures["systems"]
    rows = [
        (
            name,
            _number(one["windows"], 0),
            _number(one["tokens"], 0),
            _number(median(one["wall_s"]), 1),
            _number(figures["seconds"] / median(one["wall_s"]), 0),
            _number(ratio(systems, name, "wall_s"), 2),
        )
        for name, one in systems.items()
    ]
    yield aligned([("system", "windows", "tokens", "wall s", "x real time", "wall / ours"), *rows])
    yield "Where ours spends its wall seconds\n" + aligned(_stages({figures["shape"]: systems[SAME_TOTAL]}))


# --- Promises --------------------------------------------------------------------------------------------------------


def checks(figures: Figures) -> list[Check]:
    """What must be reached, of the parts that were measured."""
    found: list[Check] = []
    if "accuracy" in figures:
        found += _accuracy_checks(figures["accuracy"])
    if "speed" in figures:
        found += _speed_checks(figures["speed"])
    if "memory" in figures:
        found.append(_memory_check(figures["memory"]["rows"]))
    if "gpu" in figures:
        systems = figures["gpu"]["systems"]
        peers = [name for name in systems if not name.startswith(OURS)]
        found += [_at_least("GPU", f"{name} / ours, wall", ratio(systems, name, "wall_s"), GPU_RATIO) for name in peers]
    return found


def _accuracy_checks(figures: Figures) -> Iterator[Check]:
    for block in figures["blocks"]:
        language = block["language"] or "detected"
        ran = {name: system["total"] for name, system in block["systems"].items() if "missing" not in system}
        own = ran[OURS]
        best = min(total["wer"] for name, total in ran.items() if name != OURS)
        yield _at_most(language, "WER", own["wer"], WER, 4)
        yield _at_most(language, "WER, the best peer's", own["wer"], best, 4)
        yield _at_most(language, "word starts, median s", own["start_median_s"], START_MEDIAN_S, 3)
        yield _at_least(language, "word starts within 0.3 s", own["starts_near"], STARTS_NEAR, 3)
        passes = own["encoder_rows"] / own["windows"]
        yield Check(language, "encoder passes per window", f"{passes:g}", "1", passes == 1)


def _speed_checks(figures: Figures) -> Iterator[Check]:
    for shape, systems in figures["shapes"].items():
        for name, wanted in RATIOS.items():
            yield _at_least(shape, f"{name} / ours, CPU", ratio(systems, name), wanted)


def _memory_check(rows: Sequence[Figures]) -> Check:
    short, long = rows[0], rows[-1]
    grown, waveform = long["peak_mb"] - short["peak_mb"], (long["seconds"] - short["seconds"]) * BYTES_PER_S / 1e6
    name = f"{long['seconds'] / 60:.0f} against {short['seconds'] / 60:.0f} min"
    return _at_most(name, "peak grows by, MB", grown, GROWTH * waveform, 0)


def _at_most(subject: str, measure: str, value: float | None, limit: float, digits: int = 2) -> Check:
    return Check(subject, measure, _number(value, digits), f"<= {limit:.{digits}f}", value is not None and value <= limit)


def _at_least(subject: str, measure: str, value: float | None, limit: float, digits: int = 2) -> Check:
    return Check(subject, measure, _number(value, digits), f">= {limit:.{digits}f}", value is not None and value >= limit)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
