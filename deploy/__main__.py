"""`python -m deploy`: the command line. What a verb does is in the file named after it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

_BROKEN_PIPE = 141
_INTERRUPTED = 130
_WRONG = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the verb, return its exit code."""
    for end in (signal.SIGTERM, signal.SIGHUP):  # a canary is to be deleted then too
        signal.signal(end, _end)
    try:
        try:
            from deploy.calling import ClientCaller
            from deploy.commands import run  # in here: loading takes a second, and may be interrupted too
        except ValueError:  # huggingface_hub reads numbers from variables when it is imported
            print("error: a variable that huggingface_hub reads (HF_…) has no number in it", file=sys.stderr)
            return _WRONG

        code = run(arguments, environment=os.environ, caller=ClientCaller(), sleep=time.sleep, clock=time.monotonic)
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError:  # a full disk, most likely, found only when the last of it was written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("error: what was to be printed could not be written", file=sys.stderr)
        return _WRONG
    except KeyboardInterrupt:
        return _interrupted("--json" in (sys.argv[1:] if arguments is None else arguments))


def _end(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _interrupted(as_json: bool) -> int:
    reason, next_step = "interrupted", "`status` shows what is there; the same command again goes on"
    with suppress(OSError, ValueError):
        print(f"{reason}; {next_step}", file=sys.stderr)
        if as_json:
            print(json.dumps({"error": {"code": "interrupted", "reason": reason, "next_step": next_step}}, indent=2))
    return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
