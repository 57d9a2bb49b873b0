"""`python -m evaluation HYP REF`: score files, or the files of two folders matched by name."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.doubts import beyond_the_end, doubt_lines, doubts
from evaluation.evaluate import reason_of
from evaluation.options import add_collar
from evaluation.readers import ReadError, Recording, read
from evaluation.report import as_json, table
from evaluation.score import Score, score


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 scored, 2 usage, or nothing that can be scored. A recording that cannot be costs no other of its folder."""
    options = _parser().parse_args(arguments)
    try:
        pairs = _pairs(options)
    except ReadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    scores: list[Score] = []
    doubted: dict[str, tuple[str, ...]] = {}
    not_scored: dict[str, str] = {}
    for name, (hypothesis_files, reference_files) in pairs.items():
        try:
            hypothesis, reference = read(*hypothesis_files), read(*reference_files)
            scores.append(_scored(hypothesis, reference, options.collar))
            doubted[reference.name] = (*doubts(reference), *beyond_the_end(reference, hypothesis.duration_s))
        except ReadError as error:
            not_scored[name] = str(error)
    if not scores:
        print(*(f"error: {reason}" for reason in not_scored.values()), sep="\n", file=sys.stderr)
        return 2
    notes = [*(f"not scored: {reason}" for reason in not_scored.values()), *doubt_lines(doubted)]
    for note in notes:
        print(note, file=sys.stderr)
    figures = as_json(scores, der_collar_s=options.collar, warnings=doubted)
    report = json.dumps({**figures, "not_scored": not_scored}, indent=2) + "\n"
    if options.json == "-":
        sys.stdout.write(report)
        return 0
    sys.stdout.write(table(scores) + "".join(f"{note}\n" for note in notes))
    if options.json is not None:
        try:
            Path(options.json).write_text(report, encoding="utf-8")
        except OSError:
            print("error: the file that --json names cannot be written.", file=sys.stderr)
            return 2
    return 0


def _scored(hypothesis: Recording, reference: Recording, der_collar_s: float) -> Score:
    try:
        scored = score(hypothesis, reference, der_collar_s=der_collar_s)
    except Exception as error:  # what nobody foresaw is shown in full
        raise ReadError(f"{reference.name}: {reason_of(error)}") from error
    if scored.wer is None and scored.der is None:
        raise ReadError(f"{reference.name}: one side has only words and the other only turns; --rttm adds turns.")
    return scored


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation",
        description="Score transcripts with speakers: WER, cpWER, tcpWER, ORC-WER, WDER, DER, speaker count, real-time factor.",
        epilog="In folders, NAME.json (or .stm) holds words and NAME.rttm beside it turns; every reference needs a hypothesis.",
    )
    parser.add_argument("hypothesis", type=Path, metavar="HYP", help="a JSON reply, STM or RTTM, or a folder of them")
    parser.add_argument("reference", type=Path, metavar="REF", help="an STM or RTTM, or a folder of them")
    parser.add_argument("--rttm", type=Path, metavar="FILE", help="the turns of the reference, when REF is one file")
    parser.add_argument("--hyp-rttm", type=Path, metavar="FILE", help="the turns of the hypothesis, when HYP is one file")
    add_collar(parser)
    parser.add_argument("--json", metavar="FILE", help="write every figure as JSON; - writes it instead of the table")
    return parser


Files = tuple[Path, Path | None]
"""The file with words and the RTTM beside it; or the RTTM alone."""


def _pairs(options: argparse.Namespace) -> dict[str, tuple[Files, Files]]:
    """Hypothesis and reference, by name."""
    for path in (options.hypothesis, options.reference):
        if not os.path.exists(path):
            raise ReadError(f"{path.name}: no such file or folder.")
    if os.path.isdir(options.hypothesis) != os.path.isdir(options.reference):
        raise ReadError("HYP and REF must be two files or two folders.")
    if not os.path.isdir(options.reference):
        return {options.reference.stem: ((options.hypothesis, options.hyp_rttm), (options.reference, options.rttm))}
    if options.rttm or options.hyp_rttm:
        raise ReadError("--rttm and --hyp-rttm are for single files; in a folder, turns are read from NAME.rttm.")
    references = _recordings(options.reference, (".stm",))
    hypotheses = _recordings(options.hypothesis, (".json", ".stm"))
    if not references:
        raise ReadError("REF holds no .stm and no .rttm file.")
    missing = sorted(references.keys() - hypotheses.keys())
    if missing:
        raise ReadError(f"HYP has no hypothesis for {', '.join(missing)}.")
    unscored = sorted(hypotheses.keys() - references.keys())
    if unscored:
        print(f"not scored, for want of a reference: {', '.join(unscored)}", file=sys.stderr)
    return {name: (hypotheses[name], references[name]) for name in sorted(references)}


def _recordings(folder: Path, with_words: tuple[str, ...]) -> dict[str, Files]:
    """By name. `NAME.words.json` is part of a reference and no reply."""
    found: dict[str, Files] = {path.stem: (path, None) for path in folder.glob("*.rttm")}
    for suffix in reversed(with_words):
        for path in folder.glob(f"*{suffix}"):
            turns = path.with_suffix(".rttm")
            if not path.name.endswith(".words.json"):
                found[path.stem] = (path, turns if turns.is_file() else None)
    return {name: files for name, files in found.items() if not name.startswith("._")}  # macOS' own, beside each file


if __name__ == "__main__":
    sys.exit(main())
