"""The commands of the command line, what they share, and their exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from serving import demo, transcribe
from serving.engines import EnginesNotLoaded
from serving.files import FileProblem

_EXIT_CODES = """\
exit codes:
  0    every recording is done
  1    at least one recording failed; the others are done
  2    the command line is wrong, or a file cannot be found or a folder cannot be written
  3    the engines could not be loaded
  4    every recording is transcribed, but a diarization or summary is missing
  130  interrupted

The engines are named by the environment: ASR_MODEL, DIARIZATION_MODEL, SUMMARIZE_MODEL.
Without ASR_MODEL, what is not named is embedded: English, modest, no download.
"""


def run(arguments: Sequence[str] | None) -> int:
    """Parse and run. Returns the exit code; argparse itself exits with 2, or with 0 after `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Turn recordings into who said what, when, and what it means.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXIT_CODES,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (transcribe, demo):
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=_EXIT_CODES,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
        return code
    except FileProblem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except EnginesNotLoaded as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
