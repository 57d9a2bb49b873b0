"""`python -m deploy`: the command line. What a verb does is in the file named after it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

_BROKEN_PIPE = 141
_INTERRUPTED = 130
_WRONG = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the verb, return its exit code."""
    try:
        from deploy.calling import ClientCaller
        from deploy.commands import run  # in here: loading takes a second, and may be interrupted too

        code = run(arguments, environment=os.environ, caller=ClientCaller(), sleep=time.sleep, clock=time.monotonic)
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
        print("interrupted; the next apply goes on from here", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
