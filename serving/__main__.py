"""`python -m serving`: the command line. What a command does is in the file named after it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from serving import demo, transcribe
from serving.engines import EnginesNotLoaded

_EXIT_CODES = """\
exit codes:
  0    every recording is done
  1    at least one recording failed; the others are done
  2    the command line is wrong, or a file cannot be read or written
  3    the engines could not be loaded
  4    every recording is transcribed, but a diarization or summary is missing
  130  interrupted

The engines are named by the environment: ASR_MODEL, DIARIZATION_MODEL, SUMMARIZE_MODEL.
Without ASR_MODEL the embedded engines are used: English, modest, no download.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the command, return its exit code."""
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
    except EnginesNotLoaded as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str) else "a file"
        print(f"error: {name}: {error.strerror or 'cannot be read or written'}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
