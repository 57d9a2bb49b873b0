"""The journal of an endpoint: one JSON file for each change, written before the change and at each step of it.

So a run that was killed leaves behind what it was doing and what was there before; the next one goes on from that. No secret
is in a record, only the names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.errors import CommandError
from deploy.secrets import Mask
from deploy.state import State

UNFINISHED = "unfinished"
GOOD = ("verified",)


class Record:
    """One change. Every call of `write` leaves a whole file, old or new."""

    def __init__(self, path: Path, values: dict[str, Any], mask: Mask) -> None:
        self.path = path
        self.values = values
        self._mask = mask

    @property
    def outcome(self) -> str:
        return str(self.values["outcome"])

    @property
    def before(self) -> State | None:
        """What was there before: None where there was no endpoint."""
        return None if self.values["before"] is None else State.stored(self.values["before"])

    @property
    def after(self) -> State:
        return State.stored(self.values["after"])

    def write(self, **values: Any) -> None:
        self.values |= values
        part = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._mask.json(self.values), indent=2) + "\n", encoding="utf-8")
            os.replace(part, self.path)
        except OSError as error:
            problem = CommandError(f"the journal cannot be written: {error.strerror}", "make --journal a folder with room")
        else:
            return
        raise problem  # out here: the cause quotes a path


class Records:
    """Those of one endpoint, oldest first. `now` gives the time for their stamps."""

    def __init__(self, folder: Path, namespace: str, name: str, mask: Mask, now: Callable[[], datetime] | None = None) -> None:
        self._folder = folder / namespace / name
        self._mask = mask
        self._now = now or (lambda: datetime.now(UTC))

    def all(self) -> list[Record]:
        return [Record(file, _read(file), self._mask) for file in sorted(self._folder.glob("*.json"))]

    def last(self) -> Record | None:
        return next(reversed(self.all()), None)

    def begin(self, verb: str, before: State | None, after: State, **values: Any) -> Record:
        """A new record, on the disk when this returns."""
        number = len(self.all()) + 1
        path = self._folder / f"{number:05}.json"
        begun: dict[str, Any] = {
            "verb": verb,
            "begun": self._now().isoformat(timespec="seconds"),
            "outcome": UNFINISHED,
            "before": None if before is None else before.as_dict(),
            "after": after.as_dict(),
            **values,
        }
        record = Record(path, begun, self._mask)
        record.write()
        return record

    def last_good(self, other_than: Mapping[str, Any] | None = None) -> State | None:
        """The newest state that was verified, and is not `other_than`."""
        for record in reversed(self.all()):
            if record.outcome in GOOD and record.values["after"] != other_than:
                return record.after
        return None


def _read(file: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        State.stored(values["after"])
        return values
    except (OSError, ValueError, KeyError, TypeError):
        problem = CommandError(f"{file.name} of the journal is no record", "move it away; `status` shows what is there")
    raise problem
