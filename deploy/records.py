"""The journal of an endpoint: one JSON file for each change, written before the change and at each step of it.

So a run that was killed leaves behind what it was doing and what was there before; the next one goes on from that. No secret
is in a record, only the names. Where a variable held one, the record has the mask in its place, and nothing is put back from
it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.errors import CommandError, InProgress
from deploy.secrets import MASKED, Mask
from deploy.state import State, changes

UNFINISHED = "unfinished"
GOOD = ("verified",)
_UNSETTLED = (UNFINISHED, "cut_off", "not_restored", "gone")
"""Of an endpoint that is there, nobody knows that it is good."""

_TOUCHED_NOTHING = ("refused", "canary_failed")

_KINDS = {"verb": str, "begun": str, "outcome": str, "was_paused": bool, "secrets": list}
"""What every record has beside its two states."""

_MAY_HOLD_SECRETS = ("env", "image")
"""Of a state: what people write freely. The rest are commits, names and numbers, and a short secret that happens to be a part
of one is not hidden by hiding it there."""

_OUR_WORDS = ("verb", "begun", "outcome", "step", "canary", "secrets", "was_paused")
"""Of a record: names and words of ours, that are read again. Somebody's secret may be one of them: hidden, the record would be
none, and tell nobody more."""


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

    def whole_before(self, there: State) -> State | None:
        """`before`, to be put back. What the mask hides is taken from what is there. Raises `CommandError` where it is not."""
        return None if self.before is None else self._whole(self.before, there)

    def whole_after(self, there: State) -> State:
        """The same of `after`."""
        return self._whole(self.after, there)

    def way_back(self, there: State) -> State | None:
        """Where `rollback` leads while this is unsettled: an interrupted one where it was going, all else to `before`."""
        going_back = self.values["verb"] == "rollback" and self.outcome != "not_restored"
        return self.whole_after(there) if going_back and self.values.get("step") != "restoring" else self.whole_before(there)

    def _whole(self, state: State, there: State) -> State:
        env = {name: there.env.get(name, value) if MASKED in value else value for name, value in state.env.items()}
        hidden = sorted(name for name, value in env.items() if MASKED in value)
        if MASKED in json.dumps(dict(state.image)):
            hidden.append("image")
        if hidden:
            raise CommandError(
                f"{self.path.name} of the journal hides a secret in {', '.join(hidden)}, so that state cannot be put back",
                f"name secrets under `secrets`; then move {self.path.name} out of the journal, and apply",
            )
        return replace(state, env=env)

    def _masked(self) -> dict[str, Any]:
        masked = {name: value if name in _OUR_WORDS else self._mask.values(value) for name, value in self.values.items()}
        for side in ("before", "after"):
            if self.values[side] is not None:
                masked[side] = self.values[side] | {name: masked[side][name] for name in _MAY_HOLD_SECRETS}
        return masked

    def note(self, say: Callable[[str], None], **values: Any) -> None:
        """`write`, once the endpoint has been changed: a journal without room must not keep it from being verified."""
        try:
            self.write(**values)
        except CommandError as error:
            say(f"{error.reason}; going on without it")

    def write(self, **values: Any) -> None:
        """Raises `CommandError`."""
        self.values |= values
        part = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._masked(), indent=2) + "\n", encoding="utf-8")
            os.replace(part, self.path)
        except OSError as error:
            problem = _unwritable(error)
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
        return [Record(file, _read(file), self._mask) for file in sorted(self._folder.glob("[0-9]" * 5 + ".json"))]

    def last(self) -> Record | None:
        return next(reversed(self.all()), None)

    def begin(self, verb: str, before: State | None, after: State, **values: Any) -> Record:
        """A new record, on the disk when this returns."""
        last = self.last()  # and not their count: one may have been taken away
        number = int(last.path.stem) + 1 if last is not None else 1
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

    def newest_good(self) -> Record | None:
        """The newest whose state was verified."""
        return next((record for record in reversed(self.all()) if record.outcome in GOOD), None)

    def last_good(self, other_than: State) -> Record | None:
        """The newest whose state was verified, and is not `other_than`, to which the API may have added fields."""
        for record in reversed(self.all()):
            if record.outcome in GOOD and changes(other_than, record.after):
                return record
        return None

    def unsettled(self) -> Record | None:
        """The one that left behind what is there, where that was never verified: its `before` is the way back."""
        touched = [record for record in self.all() if record.outcome not in _TOUCHED_NOTHING]
        return touched[-1] if touched and touched[-1].outcome in _UNSETTLED else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else with this journal changes the endpoint meanwhile. Whoever is killed lets go. Raises `InProgress`."""
        problem: CommandError = InProgress(
            "another run is changing this endpoint", "wait until it has ended; `status` shows how far it is"
        )
        file = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / "lock").open("w")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        except OSError as error:
            problem = _unwritable(error)
        else:
            with file:
                yield
            return
        if file is not None:
            file.close()
        raise problem  # out here: the cause quotes a path


def _unwritable(error: OSError) -> CommandError:
    return CommandError(f"the journal cannot be written: {error.strerror}", "make --journal a folder with room")


def _read(file: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        State.stored(values["after"])
        if values["before"] is not None:
            State.stored(values["before"])
        if not all(isinstance(values[name], kind) for name, kind in _KINDS.items()):
            raise ValueError("another kind of record")
        return values
    except (OSError, ValueError, KeyError, TypeError):
        problem = CommandError(f"{file.name} of the journal is no record", "move it away; `status` shows what is there")
    raise problem
