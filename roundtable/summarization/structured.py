"""A model's answer, as plain data: thinking stripped, its JSON read tolerantly, and nothing believed yet.

What comes out is a `Draft`: of the right types, and unchecked. `checks.py` decides what of it may stand.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from roundtable.plain import one_line, plain_text
from roundtable.summarization.lenient_json import parse_object, quoted
from roundtable.transcript import ActionItem, Point

_THINKING = "think|thinking|thought|reasoning|reflection|scratchpad"
_OPENING = re.compile(rf"<({_THINKING})\b[^<>]*>", re.IGNORECASE)
_CLOSING = re.compile(rf"</({_THINKING})\s*>", re.IGNORECASE)
_OBJECT_BEHIND = re.compile(r"\s*+(?:```[\w-]*+\s*+)?+\{")
_FENCE = re.compile(r"^\s*```[\w-]*[ \t]*\n?|\n?```\s*$")
_JSON_BEGINS = re.compile(r"""\{|\[\s*+(?:[\[\]{"'“\d-]|\Z)""")
_LEAD_IN = re.compile(
    r"\A(?:(?:sure|certainly|of course|okay|ok)[!,.:]\s*)?(?:here(?:'s| is| are)[^\n:]{0,80}:|\**(?:summary|title)\**:\**)\s*",
    re.IGNORECASE,
)
_MOST_POINTS, _MOST_EVIDENCE = 60, 20
_NOBODY = {"", "null", "none", "n/a", "na", "unknown", "unassigned", "nobody", "-", "tbd", "not specified", "unspecified"}
_TEXT_KEYS = ("text", "point", "decision", "summary", "description", "content", "task", "item")
_TASK_KEYS = ("task", "text", "action", "description", "item", "what")
_CITED = re.compile(
    r"(?<![\d.:])(?P<first>\d{1,9})\]?\s*+(?:[-–—]|\.\.+)\s*+\[?(?P<last>\d{1,9})(?![\d]|[.:]\d)"
    r"|(?P<sign>(?<!\w)[-−])?(?P<number>\d++)(?P<more>(?:[.:]\d++)*+)"
)
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    r"|(?<!\u200b)\u200b++(?=\s|\Z)"
)
"""What turns the direction of the text around it, or is not seen at all and hides a sentence end. The joiners stay, which some
scripts need, and so does a zero-width space that parts words."""
_TOP_KEYS = {
    *("title", "summary", "summary_text", "key_points", "points", "facts", "decisions"),
    *("action_items", "actions", "tasks", "per_speaker"),
}


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

    Some chat templates open the thinking themselves, so that only its end stands in the answer. What stands in a string of a
    JSON object is no mark of thinking but a word of the answer, unless another object begins right behind it.
    Linear in the length of the text.
    """
    text = _without_thoughts(text)
    strings = quoted(text) if _CLOSING.search(text) else []
    ends = [
        mark.end()
        for mark in _CLOSING.finditer(text)
        if not _within(strings, mark.start()) or _OBJECT_BEHIND.match(text, mark.end())
    ]
    return text[ends[-1] if ends else 0 :].strip()


def _without_thoughts(text: str) -> str:
    """Without all that stands between an opening mark and the closing one of its name."""
    kept: list[str] = []
    at = 0
    strings: Sequence[tuple[int, int]] | None = None
    closings: dict[str, list[re.Match[str]]] = {}
    for mark in _CLOSING.finditer(text):
        closings.setdefault(mark[1].casefold(), []).append(mark)
    for mark in _OPENING.finditer(text):
        if mark.start() < at:
            continue
        if strings is None and text.find("{", at, mark.start()) >= 0:
            # What is thought before the answer may hold quotes that nothing closes: strings are looked for behind it.
            strings = [(start + at, end + at) for start, end in quoted(text[at:])]
        if strings is not None and _within(strings, mark.start()):
            continue
        kept.append(text[at : mark.start()])
        ends = closings.get(mark[1].casefold(), [])
        place = bisect_right(ends, mark.start(), key=re.Match.start)
        at = ends[place].end() if place < len(ends) else len(text)
    return "".join([*kept, text[at:]])


def _within(spans: Sequence[tuple[int, int]], place: int) -> bool:
    index = bisect_right(spans, place, key=lambda span: span[0]) - 1
    return index >= 0 and place < spans[index][1]


def prose(text: str) -> str:
    """A summary that was asked for as text: no fence around it, no "Here is the summary:" before it."""
    return plain_text(_LEAD_IN.sub("", _FENCE.sub("", _INVISIBLE.sub("", text).strip()))).strip()


def looks_like_json(text: str) -> bool:
    return _JSON_BEGINS.match(_FENCE.sub("", text.strip())) is not None


def read_draft(text: str) -> Draft | None:
    """The JSON object in an answer as a draft; None when there is none, or none of its keys is one that was asked for.

    An object that stands in it, one level down ({"result": {…}}), is taken where the outer one says nothing.
    """
    found = parse_object(text)
    if found is None:
        return None
    inner = (value for value in found.values() if isinstance(value, dict))
    drafts = [draft for keys in (found, *inner) if (draft := _draft(keys)) is not None]
    return next((draft for draft in drafts if draft != Draft()), drafts[0] if drafts else None)


def _draft(found: Mapping[str, Any]) -> Draft | None:
    keys: dict[str, Any] = {
        str(key).strip().casefold().replace(" ", "_").replace("-", "_"): value for key, value in found.items()
    }
    if not keys.keys() & _TOP_KEYS:
        return None
    return Draft(
        title=_text(keys.get("title")),
        summary=_text(keys.get("summary", keys.get("summary_text"))),
        key_points=tuple(_points(keys.get("key_points", keys.get("points", keys.get("facts"))))),
        decisions=tuple(_points(keys.get("decisions"))),
        action_items=tuple(_action_items(keys.get("action_items", keys.get("actions", keys.get("tasks"))))),
        per_speaker=_per_speaker(keys.get("per_speaker", keys.get("speakers"))),
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _line(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return _line(" ".join(value))
    return ""


def _line(text: str) -> str:
    return one_line(_INVISIBLE.sub("", text))


def _entries(value: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each entry of a list as its keys and, where it is a bare text, that."""
    entries = value if isinstance(value, list) else [value]
    for entry in entries[:_MOST_POINTS]:
        if isinstance(entry, dict):
            yield {str(key).strip().casefold(): item for key, item in entry.items()}, ""
        elif isinstance(entry, str):
            yield {}, _line(entry)


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
    """Numbers, numbers in texts ("[3]", "3, 4", "3-5"), or one of either. What is no whole number from 0 on cites nothing."""
    value: Any = next((keys[name] for name in ("evidence", "ids", "id", "segments", "sources", "source") if name in keys), [])
    found: list[int] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            found += _numbers(item)
        elif isinstance(item, (int, float)) and not isinstance(item, bool) and 0 <= item < 10**9 and item == int(item):
            found.append(int(item))
    return tuple(dict.fromkeys(found))[:_MOST_EVIDENCE]


def _numbers(text: str) -> Iterator[int]:
    for match in _CITED.finditer(text):
        if match["first"]:
            first, last = int(match["first"]), int(match["last"])
            yield from range(first, min(last + 1, first + _MOST_EVIDENCE)) if first <= last else (first, last)
        elif not match["sign"] and not match["more"] and len(match["number"]) < 10:
            yield int(match["number"])


def _per_speaker(value: Any) -> dict[str, str]:
    """An object by speaker, or a list of objects that name theirs."""
    if isinstance(value, dict):
        texts = {_line(str(speaker)): _text(text) or _first(_as_keys(text), _TEXT_KEYS) for speaker, text in value.items()}
    else:
        texts = {_first(keys, ("speaker", "name")): _first(keys, _TEXT_KEYS) for keys, _ in _entries(value)}
    return {speaker: text for speaker, text in list(texts.items())[:_MOST_POINTS] if speaker and text}


def _as_keys(value: Any) -> Mapping[str, Any]:
    return {str(key).casefold(): item for key, item in value.items()} if isinstance(value, dict) else {}
