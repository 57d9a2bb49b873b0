"""`python -m evaluation HYP REF`: score files, or the files of two folders matched by name."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluation.options import add_collar
from evaluation.readers import ReadError, Recording, read
from evaluation.report import as_json, table
from evaluation.score import Score, score


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 scored, 2 usage or input that cannot be read."""
    options = _parser().parse_args(arguments)
    try:
        scores = [_scored(hypothesis, reference, options.collar) for hypothesis, reference in _pairs(options)]
    except ReadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for one in scores:
        if one.wer is None and one.der is None:
            print(f"error: {one.name}: one side has only words and the other only turns; --rttm adds turns.", file=sys.stderr)
            return 2
    report = json.dumps(as_json(scores, der_collar_s=options.collar), indent=2) + "\n"
    if options.json == "-":
        sys.stdout.write(report)
        return 0
    sys.stdout.write(table(scores))
    if options.json is not None:
        try:
            Path(options.json).write_text(report, encoding="utf-8")
        except OSError:
            print("error: the file that --json names cannot be written.", file=sys.stderr)
            return 2
    return 0


def _scored(hypothesis: Recording, reference: Recording, der_collar_s: float) -> Score:
    try:
        return score(hypothesis, reference, der_collar_s=der_collar_s)
    except ReadError as error:
        raise ReadError(f"{reference.name}: {error}") from error


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


def _pairs(options: argparse.Namespace) -> list[tuple[Recording, Recording]]:
    if options.hypothesis.is_dir() != options.reference.is_dir():
        raise ReadError("HYP and REF must be two files or two folders.")
    if not options.reference.is_dir():
        return [(read(options.hypothesis, options.hyp_rttm), read(options.reference, options.rttm))]
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
    return [(read(*hypotheses[name]), read(*references[name])) for name in sorted(references)]


def _recordings(folder: Path, with_words: tuple[str, ...]) -> dict[str, tuple[Path, Path | None]]:
    """By name: the file with words and the RTTM beside it; or the RTTM alone."""
    found: dict[str, tuple[Path, Path | None]] = {path.stem: (path, None) for path in folder.glob("*.rttm")}
    for suffix in reversed(with_words):
        for path in folder.glob(f"*{suffix}"):
            turns = path.with_suffix(".rttm")
            found[path.stem] = (path, turns if turns.is_file() else None)
    return {name: files for name, files in found.items() if not name.startswith("._")}  # macOS' own, beside each file


if __name__ == "__main__":
    sys.exit(main())
