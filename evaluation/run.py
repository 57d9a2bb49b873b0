"""`python -m evaluation.run`: the real handler on every recording at hand, measured, beside what it must reach.

Recordings: `samples/*.flac` with their references, the clips of `samples/edge/` in which nobody speaks (or hardly), the real
phone call that the installed pyannote.audio package carries, once with the number of speakers given and once without, and the
dialogues of `tests/models/held_out/`. Engines: engines.py. Instead of these, a folder of your own (`--data`) or a corpus where
it lies (`--corpus`), heard by the engines that the environment names, or by the embedded ones. docs/evaluation.md says what
is measured and how.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.cases import Case, data_cases
from evaluation.checks import checks_of
from evaluation.corpora import CORPORA
from evaluation.engines import STANDARD, EngineSet, edge_clips, environments_own
from evaluation.evaluate import evaluate
from evaluation.machine import command, describe_machine, load_before
from evaluation.options import add_collar, how_many
from evaluation.readers import ReadError, refuse_unless_folder
from evaluation.results import OWN, README, RESULTS, write, write_readme
from evaluation.tables import tables


@dataclass(frozen=True, slots=True)
class Plan:
    """One set of engines, what it is to hear, and where its figures are kept."""

    engines: EngineSet
    cases: Sequence[Case]
    clips: Sequence[Path]
    path: Path
    missing: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 2 bad input.

    1: a set of engines measured no recording, none could run on DIR, or, with --strict, anything fell short.
    """
    options = _parser().parse_args(arguments)
    try:
        plans = _plans(options)
    except ReadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    about = {**describe_machine(), "command": command("evaluation.run", arguments), "load before": load_before()}
    kept, heard = True, bool(plans) or (options.data is None and options.corpus is None)
    for plan in plans:
        figures = evaluate(plan.engines, plan.cases, plan.clips, about=about, der_collar_s=options.collar, missing=plan.missing)
        print(tables(figures), flush=True)
        kept = kept and all(check.ok for check in checks_of(figures["checks"]))
        heard = heard and bool(figures["recordings"])
        if options.write:
            write(figures, plan.path)
    if options.write and any(plan.path.parent == RESULTS for plan in plans):
        write_readme(README, RESULTS)
    return 1 if not heard or (options.strict and not kept) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.run", description="Quality and speed of the handler on every recording at hand."
    )
    standard = [engines.name for engines in STANDARD]
    parser.add_argument("--engines", nargs="+", choices=standard, metavar="NAME", help=f"only some of: {', '.join(standard)}")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--data", type=Path, metavar="DIR", help="recordings of your own: audio with NAME.stm and NAME.rttm beside"
    )
    where.add_argument("--corpus", nargs=2, metavar=("NAME", "DIR"), help=f"a corpus where it lies: {', '.join(CORPORA)}")
    parser.add_argument("--split", metavar="NAME", help="of the corpus (default: the one that papers report)")
    parser.add_argument("--first", type=how_many, metavar="N", help="only the first so many recordings of DIR")
    add_collar(parser)
    parser.add_argument(
        "--write", action="store_true", help="keep the figures: evaluation/results and README.md; of DIR in out/"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a figure falls short")
    return parser


def _plans(options: argparse.Namespace) -> list[Plan]:
    own = environments_own()
    chosen = [one for one in STANDARD if options.engines is None or one.name in options.engines]
    if options.data is None and options.corpus is None:
        runnable = [engines for engines in chosen if _can_run(engines)]
        plans = [Plan(engines, engines.cases(), edge_clips(), RESULTS / f"{engines.name}.json") for engines in runnable]
        if own is not None and options.engines is None:
            plans.append(Plan(own, own.cases(), edge_clips(), OWN / "environment.json"))
        return plans
    if options.engines is None:
        chosen = [own or STANDARD[0]]
    if options.data is not None:
        cases, missing = data_cases(options.data)
        path = f"data-{options.data.resolve().name}.json"
        return _own_plans(chosen, cases[: options.first], missing, path)
    name, folder = options.corpus
    if name not in CORPORA:
        raise ReadError(f"There is no corpus called that; there are {', '.join(CORPORA)}.")
    split = options.split or CORPORA[name].split
    refuse_unless_folder(Path(folder))
    found = CORPORA[name].read(Path(folder), split)
    return _own_plans(chosen, found.cases[: options.first], found.missing_text, f"{name}-{split}.json")


def _own_plans(chosen: Sequence[EngineSet], cases: Sequence[Case], missing: str, path: str) -> list[Plan]:
    if missing:
        print(missing, file=sys.stderr)
    return [Plan(one, cases, (), OWN / f"{one.name}-{path}", missing) for one in chosen if _can_run(one)]


def _can_run(engines: EngineSet) -> bool:
    missing = engines.missing()
    if missing is not None:
        print(f"{engines.name}: left out, {missing} is not installed.", file=sys.stderr)
    return missing is None


if __name__ == "__main__":
    sys.exit(main())
