"""What it means: the protocol every summarizer keeps, and the one place that chooses an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from roundtable.control import Control
from roundtable.errors import InvalidSettings
from roundtable.transcript import SpeakerTurn, Summary


@dataclass(frozen=True, slots=True)
class SummarizeOptions:
    """`max_tokens` and `min_tokens` bound the text; for an extractive engine a token is a word."""

    format: Literal["text", "structured"] = "text"
    max_tokens: int = 530
    min_tokens: int = 30
    language: str | None = None


class Summarizer(Protocol):
    """Loaded and warm once constructed. `summarize` may be called from several threads at once, and is deterministic.

    Turns without a speaker are plain text. Every id in the summary's evidence is the id of one of the turns.
    """

    @property
    def name(self) -> str:
        """`repository@revision`, or `embedded (what it is)`: what the reply's `models` says."""

    def summarize(self, turns: Sequence[SpeakerTurn], options: SummarizeOptions, control: Control) -> Summary: ...


def load_summarizer(model: str) -> Summarizer:
    """Load the engine for `model`. Raises `EngineUnavailable` or `InvalidSettings`; never returns a half-loaded engine."""
    if model == "embedded":
        from roundtable.summarization.extractive import ExtractiveSummarizer

        return ExtractiveSummarizer()
    raise InvalidSettings("SUMMARIZE_MODEL must be 'embedded' or unset: this release has no other summarization engine.")
