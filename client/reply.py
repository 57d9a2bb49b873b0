"""A reply, typed, beside the dictionary that it came as. Times are seconds from the recording's start.

Keys that are missing are empty here: each `response_format` has its own, and an older endpoint has fewer. A key of the wrong
type is an error, so that nobody works with half a reply. What a reply holds is what people said: its `repr` shows none of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from client.errors import UnusableReplyError
from client.fields import Fields


@dataclass(frozen=True)
class Word:
    """One word. `confidence` and `speaker_confidence` are 0 to 1, None where the endpoint's engine has none."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None
    speaker_confidence: float | None
    overlap: bool
    """Somebody else spoke at the same time."""


@dataclass(frozen=True)
class Segment:
    """A passage of the transcript, whoever speaks."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class SpeakerTurn:
    """One person, until the next one speaks. `speaker` is None for words outside all speech; `id` is what evidence cites."""

    id: int
    speaker: str | None
    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True)
class SpeakerStats:
    """How much one person spoke; `share` is of all speech, 0 to 1."""

    speaker: str
    seconds: float
    words: int
    share: float | None


@dataclass(frozen=True)
class Notice:
    """A warning of the endpoint's: the reply is there, and something about it is not as asked for."""

    stage: str
    code: str
    message: str


@dataclass(frozen=True)
class Point:
    """One point of a structured summary. `evidence`: ids of turns, or places of segments where nobody was told apart."""

    text: str
    evidence: tuple[int, ...]


@dataclass(frozen=True)
class ActionItem:
    """Something that somebody is to do."""

    task: str
    owner: str | None
    due: str | None
    evidence: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """`text` is all there is unless `summary_format="structured"` was asked for."""

    text: str
    title: str = ""
    key_points: tuple[Point, ...] = ()
    decisions: tuple[Point, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    per_speaker: Mapping[str, str] = field(default_factory=dict)
    method: str = ""


@dataclass(frozen=True, repr=False)
class Reply:
    """Who said what, when, and what it means."""

    raw: dict[str, Any]
    """The reply as it came, for whatever is not below."""

    text: str
    """The transcript; with a `response_format` that is a file (srt, vtt, tsv, txt, rttm), the file."""
    segments: tuple[Segment, ...]
    turns: tuple[SpeakerTurn, ...]
    words: tuple[Word, ...]
    """All words in order: of the turns, or of verbose_json."""
    summary: Summary | None
    speaker_stats: tuple[SpeakerStats, ...]
    language: str | None
    """Its code; verbose_json has its English name instead."""
    language_probability: float | None
    duration_s: float | None
    outcome: str
    """`ok`, or `degraded`: the diarization or the summary is missing, and `warnings` says so."""
    warnings: tuple[Notice, ...]
    models: Mapping[str, str]
    """Stage to model and revision."""
    timings_s: Mapping[str, float]
    request_id: str
    attempts: int = 1
    """Requests that this took; more than 1 if the endpoint had to wake up."""

    def __repr__(self) -> str:
        return f"Reply(request_id={self.request_id!r}, outcome={self.outcome!r}, turns={len(self.turns)})"

    @classmethod
    def parse(cls, body: bytes, attempts: int = 1) -> Reply:
        """Raises `UnusableReplyError` for anything but a reply of a Roundtable endpoint; its message quotes nothing."""
        raw = _loaded(body)
        top = Fields(raw, "reply")
        turns = tuple(_turn(entry, place) for place, entry in enumerate(top.entries("speakers") or _spoken(top)))
        words = [word for turn in turns for word in turn.words] or [_word(entry) for entry in top.entries("words")]
        language = raw.get("language")
        spoken = top.below("language") if isinstance(language, dict) else None
        return cls(
            raw=raw,
            text=top.required_text("text"),
            segments=tuple(_segment(entry) for entry in top.entries("chunks") or top.entries("segments")),
            turns=turns,
            words=tuple(words),
            summary=_summary(top),
            speaker_stats=tuple(_stats(entry) for entry in top.entries("speaker_stats")),
            language=spoken.text("code") if spoken else top.optional_text("language"),
            language_probability=spoken.number("probability") if spoken else None,
            duration_s=top.number("duration"),
            outcome=top.text("outcome") or "ok",
            warnings=tuple(Notice(w.text("stage"), w.text("code"), w.text("message")) for w in top.entries("warnings")),
            models=top.below("models").texts(),
            timings_s=top.below("timings").numbers(),
            request_id=top.text("request_id"),
            attempts=attempts,
        )


def _loaded(body: bytes) -> dict[str, Any]:
    reason = "is JSON, but no reply of a Roundtable endpoint"
    try:
        value = json.loads(body, parse_constant=_refused)
        if isinstance(value, dict):
            return value
    except (ValueError, RecursionError):
        page = body.lstrip()[:1] == b"<"
        reason = "is a page, not JSON; the URL may not be that of an endpoint" if page else "is cut short, or no JSON at all"
    raise UnusableReplyError(f"The answer {reason}.")  # out here: the cause holds the body


def _refused(constant: str) -> None:
    raise ValueError  # NaN and Infinity, which are no JSON


def _spoken(top: Fields) -> list[Fields]:
    """diarized_json's segments, which are turns."""
    return [entry for entry in top.entries("segments") if entry.has("speaker")]


def _turn(entry: Fields, place: int) -> SpeakerTurn:
    start_s, end_s = entry.span()
    number = entry.integer("id")
    return SpeakerTurn(
        id=place if number is None else number,
        speaker=entry.optional_text("speaker"),
        start_s=start_s,
        end_s=end_s,
        text=entry.text("text"),
        words=tuple(_word(word) for word in entry.entries("words")),
    )


def _word(entry: Fields) -> Word:
    start_s, end_s = entry.span()
    return Word(
        text=entry.text("word"),
        start_s=start_s,
        end_s=end_s,
        confidence=entry.number("confidence"),
        speaker_confidence=entry.number("speaker_confidence"),
        overlap=entry.flag("overlap"),
    )


def _segment(entry: Fields) -> Segment:
    start_s, end_s = entry.span()
    return Segment(start_s, end_s, entry.text("text"))


def _stats(entry: Fields) -> SpeakerStats:
    return SpeakerStats(
        entry.text("speaker"), entry.number("seconds") or 0.0, entry.integer("words") or 0, entry.number("share")
    )


def _summary(top: Fields) -> Summary | None:
    if top.has("summary"):
        part = top.below("summary")
        return Summary(
            text=part.text("summary"),
            title=part.text("title"),
            key_points=tuple(Point(p.text("text"), p.integers("evidence")) for p in part.entries("key_points")),
            decisions=tuple(Point(p.text("text"), p.integers("evidence")) for p in part.entries("decisions")),
            action_items=tuple(
                ActionItem(a.text("task"), a.optional_text("owner"), a.optional_text("due"), a.integers("evidence"))
                for a in part.entries("action_items")
            ),
            per_speaker=part.below("per_speaker").texts(),
            method=part.text("method"),
        )
    texts = top.entries("summarize")
    return Summary(texts[0].text("summary_text")) if texts else None
