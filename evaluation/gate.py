"""`python -m evaluation.gate`: are the engines that come with the project still as good as they were?

Runs the sets of engines.py on the recordings of which something is promised and compares each measure with the figure that is
recorded in `evaluation/golden/`. Outputs are not compared as text: another processor or another version of a library moves a
word here and there. A figure that is worse by more than its tolerance fails, and so does one that is missing; each recording's,
and the total's. So do other models, another normaliser, and a reply of which a part is missing. Time is not compared, since
CI's machines are noisy; how often Whisper's encoder ran is.

`--record` writes the figures of this machine down as the new standard. Do so when a change makes them better, or when a
reviewer has agreed that one may be worse, and commit the files with that change.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.cases import Case
from evaluation.checks import Check, check_table, checks_of
from evaluation.engines import STANDARD, EngineSet, edge_clips
from evaluation.evaluate import evaluate
from evaluation.machine import ROOT, command, describe_machine
from evaluation.results import write

GOLDEN = ROOT / "evaluation" / "golden"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gated:
    """A measure of a recording's row, and by how much it may get worse: in its own unit, absolutely.

    `words`: of a share of the words, how many of them may be lost by chance, if they are more than the tolerance.
    """

    name: str
    read: Callable[[Row], float | None]
    tolerance: float
    larger_is_better: bool = False
    words: int = 0

    def check(self, recording: str, golden: float | None, measured: float | None, said: float | None = None) -> Check | None:
        """None where neither side has it. A side that alone has it is no good: what is not recorded is not guarded.

        `said`: the words of the reference.
        """
        if golden is None and measured is None:
            return None
        if golden is None or measured is None:
            return Check(recording, self.name, _text(measured), "not recorded" if golden is None else _text(golden), False)
        # A tenth of a word more: the recorded shares are rounded.
        tolerance = max(self.tolerance, (self.words + 0.1) / said if self.words and said else 0.0)
        limit = golden - tolerance if self.larger_is_better else golden + tolerance
        ok = measured >= limit - 1e-9 if self.larger_is_better else measured <= limit + 1e-9
        sign = ">=" if self.larger_is_better else "<="
        return Check(recording, self.name, _text(measured), f"{sign} {_text(limit)} (was {_text(golden)})", ok)


def _part(measure: str, part: str) -> Callable[[Row], float | None]:
    return lambda row: None if row[measure] is None else row[measure][part]


GATED = (
    # Two words may be lost or won by chance, or one in 200. One with the wrong speaker is an error of both speakers.
    Gated("WER", _part("wer", "value"), 0.005, words=2),
    Gated("words invented", _part("invented", "errors"), 0),
    Gated("cpWER", _part("cp_wer", "value"), 0.01, words=4),
    Gated("tcpWER", _part("tcp_wer", "value"), 0.01, words=4),
    Gated("ORC-WER", _part("orc_wer", "value"), 0.005, words=2),
    Gated("attribution", lambda row: row["attribution"], 0.01, words=4),
    Gated("WDER", _part("wder", "value"), 0.005, words=2),
    Gated("DER", _part("der", "value"), 0.01),
    Gated("speakers wrong", _part("speaker_count", "errors"), 0),
    # Words are timed in steps of 10 or 20 ms, of which the median moves by less than the tail.
    Gated("word starts, median s", _part("word_times", "median_s"), 0.005),
    Gated("word starts, 95 % s", _part("word_times", "p95_s"), 0.02),
    # One sentence more or less of a summary of five.
    Gated("ROUGE-1", _part("rouge", "1"), 0.10, larger_is_better=True),
    Gated("ROUGE-2", _part("rouge", "2"), 0.10, larger_is_better=True),
    Gated("ROUGE-L", _part("rouge", "L"), 0.10, larger_is_better=True),
    Gated("facts missed", _part("facts", "errors"), 0),
    Gated("encoder passes", lambda row: row["encoder_passes"], 0),
)
EDGE_GATED = (
    Gated("words", lambda row: len(row["text"].split()), 0),
    Gated("words invented", lambda row: row["invented"], 0),
    Gated("speakers", lambda row: len(row["speakers"]), 0),
    Gated("errors", lambda row: int(bool(row["error"])), 0),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 no worse (or recorded), 1 worse, or an engine of the standard cannot run here.

    What is degraded or has failed is never recorded.
    """
    parser = argparse.ArgumentParser(prog="python -m evaluation.gate", description="Compare quality with what is recorded.")
    parser.add_argument("--record", action="store_true", help="write this machine's figures down as the standard")
    options = parser.parse_args(arguments)
    about = {**describe_machine(), "command": command("evaluation.gate", arguments)}
    every: list[Check] = []
    failed = []
    for engines in STANDARD:
        missing = engines.missing()
        if missing is not None:
            print(f"{engines.name}: cannot be measured, {missing} is not installed.", file=sys.stderr)
            failed.append(engines.name)
            continue
        figures = evaluate(engines, gated_cases(engines), edge_clips(), about=about)
        whole = [check for check in checks_of(figures["checks"]) if check.measure in {"outcome", "error"}]
        checks = whole if options.record else [*whole, *compare(_golden(engines), golden_of(figures))]
        every += checks
        if options.record and all(check.ok for check in whole):
            write(golden_of(figures), GOLDEN / f"{engines.name}.json")
            print(f"{engines.name}: recorded")
            continue
        print(f"{engines.title}\n\n{check_table(checks)}\n", flush=True)
        failed += [] if all(check.ok for check in checks) else [engines.name]
    short = sum(not check.ok for check in every)
    print(f"the gate: {len(every)} checks, {short} failed" + (f"; engines that failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def gated_cases(engines: EngineSet) -> list[Case]:
    """Those of which something is promised."""
    return [case for case in engines.cases() if case.at_most]


def golden_of(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What is recorded of a run: where it was made, and each gated measure of each recording, the total and each edge clip."""
    return {
        **{name: figures[name] for name in ("engines", "models", "processor", "packages", "commit", "normalizer")},
        "recordings": {row["name"]: _gated(row) for row in figures["recordings"]},
        "total": {"total": _gated(figures["total"])},
        "edge": {row["name"]: {one.name: one.read(row) for one in EDGE_GATED} for row in figures["edge"]},
    }


def _gated(row: Row) -> dict[str, float | None]:
    """Each measure, after the words that shares of them are shares of."""
    return {"words": _part("wer", "length")(row), **{one.name: one.read(row) for one in GATED}}


def compare(golden: Mapping[str, Any], measured: Mapping[str, Any]) -> list[Check]:
    """A check for each measure that either side has, of every recording that either side has, and the total.

    Under other models or another normaliser figures say nothing about each other, so these must be the same.
    """
    was, now = _method(golden), _method(measured)
    checks = [
        Check("-", name, now.get(name, "-"), was.get(name, "not recorded"), was.get(name) == now.get(name))
        for name in dict.fromkeys((*was, *now))
    ]
    for kind, gated in (("recordings", GATED), ("total", GATED), ("edge", EDGE_GATED)):
        rows_before, rows_after = golden.get(kind, {}), measured.get(kind, {})
        for name in dict.fromkeys((*rows_before, *rows_after)):
            before, after = rows_before.get(name, {}), rows_after.get(name, {})
            said = before.get("words") if gated is GATED else None
            found = [one.check(name, before.get(one.name), after.get(one.name), said) for one in gated]
            checks += [check for check in found if check is not None]
    return checks


def _method(recorded: Mapping[str, Any]) -> dict[str, str]:
    models = {f"{stage} model": str(model) for stage, model in recorded.get("models", {}).items()}
    return {**({"normaliser": str(recorded["normalizer"])} if "normalizer" in recorded else {}), **models}


def _golden(engines: EngineSet) -> dict[str, Any]:
    """Nothing, where nothing is recorded: then every figure fails as not recorded."""
    path = GOLDEN / f"{engines.name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"recordings": {}, "edge": {}}


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    # As recorded, with all four decimals: to round once more would give another figure than the tables of the results.
    return f"{value:.4f}" if isinstance(value, float) and not value.is_integer() else f"{value:.0f}"


if __name__ == "__main__":
    sys.exit(main())
