"""A fresh process from its start to its first reply: `python -m benchmarks.service_start FILE`.

Prints, as one line of JSON, when each step was done, on the clock that all processes of the machine share. The engines are
those of the environment. Nothing is imported before the first stamp but what the interpreter itself and these lines need.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

STEPS = ("interpreter", "import", "constructor", "first reply")
"""Until these lines run; until handler.py is imported; until the engines are loaded and warm; until there is a reply."""

ROOT = Path(__file__).resolve().parent.parent


def first_reply(recording: Path, engines: Mapping[str, str]) -> dict[str, float]:
    """Seconds of each step, in a process that is started for it. Raises CalledProcessError if it fails."""
    begun_s = time.monotonic()
    told = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "benchmarks.service_start", str(recording.absolute())],
        cwd=ROOT,
        env={**os.environ, **engines},
        stdout=subprocess.PIPE,
        check=True,
    )
    stamps: list[float] = json.loads(told.stdout.splitlines()[-1])
    return {step: after - before for step, before, after in zip(STEPS, [begun_s, *stamps], stamps, strict=False)}


def main(recording: str) -> None:
    """In the process that is measured."""
    stamps = [time.monotonic()]
    from handler import EndpointHandler

    stamps.append(time.monotonic())
    handler = EndpointHandler()
    stamps.append(time.monotonic())
    reply = handler({"inputs": Path(recording).read_bytes()})
    stamps.append(time.monotonic())
    if reply["outcome"] != "ok":
        raise SystemExit("The first reply is degraded.")
    print(json.dumps(stamps))


if __name__ == "__main__":
    main(*sys.argv[1:])
