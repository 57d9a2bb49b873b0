"""The figures of `benchmarks.merge` as text, and which promises they keep: nothing here but what the JSON file says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.merge_disturbances import EVERYTHING, LEVELS
from benchmarks.merge_score import OURS, PEERS
from evaluation.checks import Check, check_table
from evaluation.report import aligned

Figures = Mapping[str, Any]

HALF_AT = "middle"
WRONG, CP_ERRORS = "wrong", "cp_errors"


def text(figures: Figures) -> str:
    """Every table that the figures allow, then the promises."""
    parts = ["\n".join(f"{name}: {value}" for name, value in figures["machine"].items())]
    for title, table in (("attribution", _attribution), ("robustness", _robustness), ("speed", _speed)):
        if title in figures:
            parts += table(figures[title])
    return "\n\n".join([*parts, check_table(checks(figures))]) + "\n"


# ---- Attribution


def _attribution(figures: Figures) -> Iterator[str]:
    yield f"WHO SAID IT: {figures['note']}"
    for block in figures["blocks"]:
        marks = _marks(block)
        for name, errors in (("WDER", WRONG), ("cpWER", CP_ERRORS)):
            yield f"{name} in %, text {marks} punctuation, all disturbances of a level\n" + aligned(by_level(block, errors))
    for block in figures["blocks"]:
        marks = _marks(block)
        for name, errors in (("WDER", WRONG), ("cpWER", CP_ERRORS)):
            yield f"{name} in %, text {marks} punctuation\n" + aligned(_by_condition(block, errors))
    yield "CPU seconds, with and without punctuation together\n" + aligned(_seconds(figures["blocks"]))


def _marks(block: Figures) -> str:
    return "with" if block["punctuated"] else "without"


def by_level(block: Figures, errors: str) -> list[tuple[str, ...]]:
    """A heading and a row for each level: rates in %, ours over the best peer's last."""
    names = list(block["rows"][0]["algorithms"])
    rows = [("level", *names, "ours / best peer")]
    for level in ("", *LEVELS):
        rates = level_rates(block, level, errors)
        rows.append((level or "undisturbed", *(_percent(rates[name]) for name in names), _ratio(rates)))
    return rows


def level_rates(block: Figures, level: str, errors: str = WRONG) -> dict[str, float]:
    """For each algorithm, the rate over all disturbances of the level, pooled."""
    return rates_of([row for row in block["rows"] if row["level"] == level], errors)


def rates_of(rows: Sequence[Figures], errors: str = WRONG) -> dict[str, float]:
    """For each algorithm, its errors in these rows per word."""
    words = sum(row["words"] for row in rows)
    return {name: sum(row["algorithms"][name][errors] for row in rows) / words for name in rows[0]["algorithms"]}


def best_peer(rates: Mapping[str, float]) -> float:
    return min(rates[name] for name in PEERS)


def _by_condition(block: Figures, errors: str) -> list[tuple[str, ...]]:
    names = list(block["rows"][0]["algorithms"])
    rows = [("disturbance", "level", *names, "ours / best peer", "out of reach")]
    for row in block["rows"]:
        rates = rates_of([row], errors)
        beyond = _percent(row["out_of_reach"] / row["words"])
        rows.append((row["kind"], row["level"], *(_percent(rates[name]) for name in names), _ratio(rates), beyond))
    return rows


def _ratio(rates: Mapping[str, float]) -> str:
    best = best_peer(rates)
    return f"{rates[OURS] / best:.2f}" if best else "-"


def _seconds(blocks: Sequence[Figures]) -> list[tuple[str, ...]]:
    names = list(blocks[0]["rows"][0]["algorithms"])
    rows = [("disturbance", "level", *names)]
    for same in zip(*(block["rows"] for block in blocks), strict=True):
        seconds = (f"{sum(row['algorithms'][name]['cpu_s'] for row in same):.2f}" for name in names)
        rows.append((same[0]["kind"], same[0]["level"], *seconds))
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


# ---- Robustness and speed


def _robustness(figures: Figures) -> Iterator[str]:
    names = list(figures["rows"][0]["raised"])
    rows = [("what is wrong with it", "inputs", *names)]
    rows += [
        (row["kind"], str(row["inputs"]), *(_percent(1 - sum(row["raised"][n].values()) / row["inputs"]) for n in names))
        for row in figures["rows"]
    ]
    rows.append(("all", str(figures["inputs"]), *(_percent(answered(figures, name)) for name in names)))
    yield f"ANSWERED without an error, in %, of {figures['inputs']} random inputs\n" + aligned(rows)
    errors: dict[str, Counter[str]] = {
        name: sum((Counter(row["raised"][name]) for row in figures["rows"]), Counter()) for name in names
    }
    told = (f"{name}: {', '.join(f'{error} {n}' for error, n in errors[name].most_common()) or 'none'}" for name in names)
    yield "Errors\n" + "\n".join(told)


def answered(figures: Figures, name: str) -> float:
    """Share of the inputs for which the algorithm does not raise."""
    return 1 - sum(sum(row["raised"][name].values()) for row in figures["rows"]) / int(figures["inputs"])


def _speed(rows: Sequence[Figures]) -> Iterator[str]:
    kinds: dict[str, Callable[[Any], str]] = {
        **dict.fromkeys(("turns", "words"), str),
        **dict.fromkeys(("wall_s", "cpu_s"), "{:.2f}".format),
        "peak_mb": "{:.0f}".format,
    }
    heading = ("turns", "words", "wall s", "CPU s", "peak MB")
    yield "SPEED of ours: best of 5; peak: tracemalloc while merging\n" + aligned(
        [heading, *(tuple(show(row[kind]) for kind, show in kinds.items()) for row in rows)]
    )


# ---- Promises


def checks(figures: Figures) -> list[Check]:
    """What must be reached, of the parts that were measured."""
    found: list[Check] = []
    for block in figures.get("attribution", {"blocks": ()})["blocks"]:
        found += _attribution_checks(block)
    if "robustness" in figures:
        share = answered(figures["robustness"], OURS)
        found.append(Check("random inputs", "answered by ours, soundly", f"{100 * share:.2f} %", "100.00 %", share == 1))
    return found


def _attribution_checks(block: Figures) -> Iterator[Check]:
    marks = "punctuated" if block["punctuated"] else "no punctuation"
    for level in LEVELS:
        yield _against_best(f"{marks}, {level}", "WDER, all disturbances", level_rates(block, level), level)
        (together,) = (row for row in block["rows"] if (row["kind"], row["level"]) == (EVERYTHING, level))
        yield _against_best(f"{marks}, {level}", f"WDER, {EVERYTHING}", rates_of([together]), level)
    rates = [rates_of([row]) for row in block["rows"]]
    worse = sum(one[OURS] > best_peer(one) for one in rates)
    yield Check(marks, f"disturbances of {len(rates)} in which a peer is better", str(worse), "0", worse == 0)


def _against_best(subject: str, measure: str, rates: Mapping[str, float], level: str) -> Check:
    limit = best_peer(rates) * (0.5 if level == HALF_AT else 1.0)
    named = f"{measure} (best peer{' / 2' if level == HALF_AT else ''})"
    return Check(subject, named, f"{_percent(rates[OURS])} %", f"<= {_percent(limit)} %", rates[OURS] <= limit)
