"""`python -m deploy`: the command line. What a verb does is in the file named after it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the verb, return its exit code."""
    try:
        import os
        import time

        from deploy.calling import ClientCaller
        from deploy.commands import run  # in here: loading takes a second, and may be interrupted too

        return run(arguments, environment=os.environ, caller=ClientCaller(), sleep=time.sleep, clock=time.monotonic)
    except KeyboardInterrupt:
        print("interrupted; the next apply goes on from here", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
