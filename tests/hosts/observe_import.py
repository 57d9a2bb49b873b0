"""Imports a handler.py the way the strictest host does, and prints as JSON what the import did to this process.

    python -P -B tests/hosts/observe_import.py FOLDER DECOY

The module is not registered and its FOLDER is not on `sys.path`; the folder DECOY is, in front.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from pathlib import Path

WATCHED = ("socket.", "subprocess.", "shutil.", "os.system", "os.fork", "os.exec", "os.posix_spawn")
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod")
TELEMETRY = ("PYANNOTE_METRICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")
SIBLINGS = ("config", "diarization_utils", "roundtable")


def main(folder: str, decoy: str) -> None:
    events: list[str] = []
    threads: list[str] = []

    def note_event(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith((*WATCHED, *CHANGES)):
            events.append(event)
        elif event == "open" and isinstance(flags := arguments[2], int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            events.append(f"open {arguments[0]}")

    def note_thread(self: threading.Thread) -> None:
        threads.append(self.name)
        start(self)

    start = threading.Thread.start
    threading.Thread.start = note_thread  # type: ignore[method-assign]  # the one place where every thread passes
    sys.path.insert(0, decoy)
    spec = importlib.util.spec_from_file_location("handler", Path(folder, "handler.py"))
    if spec is None or spec.loader is None:
        raise ImportError("there is no handler.py")
    module = importlib.util.module_from_spec(spec)
    sys.addaudithook(note_event)
    spec.loader.exec_module(module)

    seen = {
        "class": module.EndpointHandler.__name__,
        "events": events,
        "threads": threads,
        "running": threading.active_count(),
        "modules": sorted(sys.modules),
        "telemetry": {name: os.environ.get(name) for name in TELEMETRY},
        "siblings": {name: sys.modules[name].__file__ for name in SIBLINGS},
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
