"""What each recording must reach, beside what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.cases import WORDLESS, Case
from evaluation.listen import Edge
from evaluation.report import aligned
from evaluation.score import Rate, Score

CONSTRUCTOR_S = 5.0

_MEASURES = {"wer": "WER", "der": "DER", "cp_wer": "cpWER", "speaker_count": "speakers wrong", "real_time": "real-time factor"}


@dataclass(frozen=True, slots=True)
class Check:
    """One promise and what was measured."""

    recording: str
    measure: str
    measured: str
    must_reach: str
    ok: bool


def score_checks(case: Case, measured: Score) -> list[Check]:
    """What this recording must reach, beside what it did."""
    checks = []
    for measure, limit in case.at_most.items():
        rate: Rate | None = getattr(measured, measure)
        value = None if rate is None else rate.errors if measure == "speaker_count" else rate.value
        text = "-" if value is None else f"{value:.3f}" if measure != "speaker_count" else f"{value:.0f}"
        wanted = f"<= {limit:.2f}" if measure != "speaker_count" else f"{limit:.0f}"
        checks.append(Check(case.name, _MEASURES[measure], text, wanted, value is not None and value <= limit))
    return checks


def failure_check(case: Case, reason: str) -> Check:
    """A recording that was answered with an error, or that could not be measured."""
    return Check(case.name, "error", reason, "none", False)


def outcome_check(recording: str, outcome: str, warnings: Sequence[str] = ()) -> Check:
    """A reply of which a part is missing is short, however good the rest of it is."""
    measured = outcome if outcome == "ok" or not warnings else f"{outcome} ({', '.join(warnings)})"
    return Check(recording, "outcome", measured, "ok", outcome == "ok")


def edge_checks(edge: Edge) -> list[Check]:
    """Where nobody speaks: no error, no word, no speaker, and a summary that says so."""
    checks = [Check(edge.name, "error", edge.error or "none", "none", not edge.error)]
    checks += [] if edge.error else [outcome_check(edge.name, edge.outcome, edge.warnings)]
    says_so = "no speech" in edge.summary.lower()
    if edge.name in WORDLESS and not edge.error:
        checks += [
            Check(edge.name, "invented words", str(len(edge.text.split())), "0", not edge.text),
            Check(edge.name, "invented speakers", str(len(edge.speakers)), "0", not edge.speakers),
            Check(edge.name, "summary", "says so" if says_so else "does not", "says so", says_so),
        ]
    return checks


def constructor_check(seconds: float) -> Check:
    """The time that the handler takes to load and to warm up its engines."""
    return Check("-", "constructor, s", f"{seconds:.1f}", f"<= {CONSTRUCTOR_S:.1f}", seconds <= CONSTRUCTOR_S)


def check_table(checks: Sequence[Check]) -> str:
    """A line per promise, and how many are kept."""
    rows = [(one.recording, one.measure, one.measured, one.must_reach, "ok" if one.ok else "SHORT") for one in checks]
    short = sum(not check.ok for check in checks)
    verdict = f"{len(checks) - short} of {len(checks)} reached" + (f", {short} SHORT" if short else "")
    return f"{aligned([('recording', 'measure', 'measured', 'must reach', ''), *rows])}\n{verdict}"


def checks_of(figures: Sequence[Mapping[str, str | bool]]) -> list[Check]:
    """Those that a results file holds."""
    return [
        Check(str(one["recording"]), str(one["measure"]), str(one["measured"]), str(one["must_reach"]), bool(one["ok"]))
        for one in figures
    ]
