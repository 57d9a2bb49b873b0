"""A model's answer, as plain data: thinking stripped, its JSON read tolerantly, and nothing believed yet.

What comes out is a `Draft`: of the right types, and unchecked. `checks.py` decides what of it may stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from roundtable.plain import one_line, plain_text
from roundtable.summarization.lenient_json import parse_object
from roundtable.transcript import ActionItem, Point

_THINKING = "think|thinking|thought|reasoning|reflection|scratchpad"
_THOUGHT = re.compile(rf"<({_THINKING})\b[^>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT_BEFORE = re.compile(rf"\A.*</(?:{_THINKING})\s*>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^\s*```[\w-]*[ \t]*\n?|\n?```\s*$")
_LEAD_IN = re.compile(
    r"\A(?:(?:sure|certainly|of course|okay|ok)[!,.:]\s*)?(?:here(?:'s| is| are)[^\n:]{0,80}:|\**(?:summary|title)\**:\**)\s*",
    re.IGNORECASE,
)
_MOST_POINTS, _MOST_EVIDENCE = 60, 20
_NOBODY = {"", "null", "none", "n/a", "na", "unknown", "unassigned", "nobody", "-", "tbd", "not specified", "unspecified"}
_TEXT_KEYS = ("text", "point", "decision", "summary", "description", "content", "task", "item")
_TASK_KEYS = ("task", "text", "action", "description", "item", "what")
_NUMBERS = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a model wrote, before it is checked: evidence may be empty or wrong, owners may be anybody."""

    title: str = ""
    summary: str = ""
    key_points: tuple[Point, ...] = ()
    decisions: tuple[Point, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    per_speaker: Mapping[str, str] = field(default_factory=dict)

    def has_points(self) -> bool:
        return bool(self.key_points or self.decisions or self.action_items)


def without_thinking(text: str) -> str:
    """The answer behind what a model thinks aloud first. Thinking that never ends leaves nothing, or what stood before it.

    Some chat templates open the thinking themselves, so that only its end stands in the answer.
    """
    return _THOUGHT_BEFORE.sub("", _THOUGHT.sub("", text)).strip()


def prose(text: str) -> str:
    """A summary that was asked for as text: no fence around it, no "Here is the summary:" before it."""
    return plain_text(_LEAD_IN.sub("", _FENCE.sub("", text.strip()))).strip()


def looks_like_json(text: str) -> bool:
    return _FENCE.sub("", text.strip()).startswith(("{", "["))


def read_draft(text: str) -> Draft | None:
    """The JSON object in an answer as a draft; None when there is none, or none of its keys is one that was asked for."""
    found = parse_object(text)
    if found is None:
        return None
    keys: dict[str, Any] = {
        str(key).strip().casefold().replace(" ", "_").replace("-", "_"): value for key, value in found.items()
    }
    draft = Draft(
        title=_text(keys.get("title")),
        summary=_text(keys.get("summary", keys.get("summary_text"))),
        key_points=tuple(_points(keys.get("key_points", keys.get("points", keys.get("facts"))))),
        decisions=tuple(_points(keys.get("decisions"))),
        action_items=tuple(_action_items(keys.get("action_items", keys.get("actions", keys.get("tasks"))))),
        per_speaker=_per_speaker(keys.get("per_speaker", keys.get("speakers"))),
    )
    known = {"title", "summary", "summary_text", "key_points", "points", "facts", "decisions", "action_items", "actions"}
    return draft if keys.keys() & (known | {"tasks", "per_speaker"}) else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return one_line(" ".join(value))
    return ""


def _entries(value: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each entry of a list as its keys and, where it is a bare text, that."""
    entries = value if isinstance(value, list) else [value]
    for entry in entries[:_MOST_POINTS]:
        if isinstance(entry, dict):
            yield {str(key).strip().casefold(): item for key, item in entry.items()}, ""
        elif isinstance(entry, str):
            yield {}, one_line(entry)


def _first(keys: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := _text(keys.get(name)))), "")


def _points(value: Any) -> Iterator[Point]:
    for keys, bare in _entries(value):
        text = bare or _first(keys, _TEXT_KEYS)
        if text:
            yield Point(text, _evidence(keys))


def _action_items(value: Any) -> Iterator[ActionItem]:
    for keys, bare in _entries(value):
        task = bare or _first(keys, _TASK_KEYS)
        if task:
            owner = _first(keys, ("owner", "assignee", "who", "speaker", "responsible"))
            due = _first(keys, ("due", "due_date", "deadline", "when", "by"))
            yield ActionItem(task, _named(owner), _named(due), _evidence(keys))


def _named(text: str) -> str | None:
    return None if text.casefold().strip(" .") in _NOBODY else text


def _evidence(keys: Mapping[str, Any]) -> tuple[int, ...]:
    """Numbers, numbers in texts ("[3]", "3, 4"), or one of either."""
    value: Any = next((keys[name] for name in ("evidence", "ids", "id", "segments", "sources", "source") if name in keys), [])
    found: list[int] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            found += [int(number) for number in _NUMBERS.findall(item)]
        elif isinstance(item, (int, float)) and not isinstance(item, bool) and abs(item) < 10**9:
            found.append(int(item))
    return tuple(dict.fromkeys(found))[:_MOST_EVIDENCE]


def _per_speaker(value: Any) -> dict[str, str]:
    """An object by speaker, or a list of objects that name theirs."""
    if isinstance(value, dict):
        texts = {one_line(str(speaker)): _text(text) or _first(_as_keys(text), _TEXT_KEYS) for speaker, text in value.items()}
    else:
        texts = {_first(keys, ("speaker", "name")): _first(keys, _TEXT_KEYS) for keys, _ in _entries(value)}
    return {speaker: text for speaker, text in list(texts.items())[:_MOST_POINTS] if speaker and text}


def _as_keys(value: Any) -> Mapping[str, Any]:
    return {str(key).casefold(): item for key, item in value.items()} if isinstance(value, dict) else {}
