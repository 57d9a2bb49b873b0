"""One set of engines over its recordings: the real handler, constructed, asked and measured."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from evaluation.cases import Case, heard_again
from evaluation.checks import constructor_check, edge_checks, failure_check, outcome_check, score_checks
from evaluation.doubts import beyond_the_end, doubt_lines
from evaluation.encoder_passes import counted_encoder_passes
from evaluation.engines import EngineSet
from evaluation.figures import Figures, figures_of, method
from evaluation.listen import Converse, listen, run_edge
from evaluation.measures import Measured, all_together, measure
from evaluation.readers import ReadError
from evaluation.report import announced
from roundtable.errors import RoundtableError


def evaluate(
    engines: EngineSet,
    cases: Sequence[Case],
    clips: Sequence[Path] = (),
    *,
    about: Mapping[str, str],
    der_collar_s: float = 0.0,
    missing: str = "",
) -> Figures:
    """Everything that a results file holds. Takes about the length of the recordings.

    `about`: machine and command. `missing`: a line about recordings that should be there and are not. A recording that the
    handler answers with an error, or that cannot be measured, has no row and a check that says why; it costs no other.
    """
    from config import ModelSettings
    from handler import EndpointHandler  # late: a process that only wants --help loads no engine

    with TemporaryDirectory() as scratch:
        settings = ModelSettings.load(**engines.settings(Path(scratch)))
        begun_s = perf_counter()
        handler = EndpointHandler(settings=settings)
        constructor_s = perf_counter() - begun_s
        measured, checks, not_in_total = [], [], {}
        again = heard_again(cases)
        for case in announced(cases, lambda case: f"{engines.name}: {case.name}"):
            try:
                one = _measured(handler.converse, case, der_collar_s, count=engines.counts_encoder_passes)
            except Exception as error:  # a bad file must not cost the hours that the others took
                reason = reason_of(error)
                checks.append(failure_check(case, reason))
                not_in_total[case.name] = reason
            else:
                doubted = (*case.doubts, *beyond_the_end(case.reference, one.duration_s))
                for line in doubt_lines({case.name: doubted}):
                    print(line, file=sys.stderr, flush=True)
                measured.append(replace(one, warnings=(*one.warnings, *doubted)))
                checks += [outcome_check(case.name, one.outcome, one.warnings), *score_checks(case, one.score)]
                if case.name in again:
                    not_in_total[case.name] = "the same recording, heard with other parameters"
        edges = [run_edge(handler.converse, clip) for clip in announced(clips, lambda clip: f"{engines.name}: {clip.stem}")]
    checks += [check for edge in edges for check in edge_checks(edge)]
    checks += [constructor_check(constructor_s)] if engines.quick_to_load else []
    return {
        "engines": engines.name,
        "title": engines.title,
        **about,
        "models": handler.engines.names(),
        **method(der_collar_s),
        "constructor_s": round(constructor_s, 2),
        "recordings": [figures_of(one) for one in measured],
        "total": figures_of(all_together([one for one in measured if one.score.name not in not_in_total])),
        "not_in_total": not_in_total,
        "missing": missing,
        "edge": [asdict(edge) for edge in edges],
        "checks": [asdict(check) for check in checks],
    }


def reason_of(error: Exception) -> str:
    """In a few words, for the table. What nobody foresaw is shown in full on stderr."""
    if isinstance(error, RoundtableError):
        return error.code
    if isinstance(error, ReadError):
        return str(error)
    traceback.print_exception(error)
    return f"could not be measured: {type(error).__name__}"


def _measured(converse: Converse, case: Case, der_collar_s: float, *, count: bool) -> Measured:
    if case.problem is not None:
        raise ReadError(case.problem)
    if not count:
        return measure(listen(converse, case.audio, case.parameters), case, der_collar_s=der_collar_s)
    with counted_encoder_passes() as passes:
        heard = listen(converse, case.audio, case.parameters)
    return replace(measure(heard, case, der_collar_s=der_collar_s), encoder_passes=passes.windows)
