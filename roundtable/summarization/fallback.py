"""A summary in any case: where a model fails at a request, the extractive engine answers, and a warning says why.

A request that was cancelled or is out of time is no fault, and stops. At start-up (`options.fallback` False) a fault is one: a
process that gets past its warm-up has a model that works.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from roundtable.control import Control
from roundtable.errors import Cancelled, DeadlineExceeded, OutOfMemory, RoundtableError
from roundtable.run import frames
from roundtable.summarization import SummarizeOptions, Summarizer
from roundtable.transcript import SpeakerTurn, Summary, Warning_

logger = logging.getLogger("roundtable")

_INSTEAD = "The main sentences stand in for the summary, as they were said."


class NothingUsable(Exception):  # noqa: N818  # as the errors of `errors.py`, it says what is the case
    """A model works, but nothing that it wrote may stand. The text is a sentence without user content."""


class WithFallback:
    """`summarizer`, and `extractive` in its place where it fails. Safe in any number of threads if both are."""

    def __init__(self, summarizer: Summarizer, extractive: Summarizer) -> None:
        self._summarizer: Final = summarizer
        self._extractive: Final = extractive
        self.name: Final = summarizer.name

    def summarize(self, turns: Sequence[SpeakerTurn], options: SummarizeOptions, control: Control) -> Summary:
        try:
            return self._summarizer.summarize(turns, options, control)
        except (Cancelled, DeadlineExceeded):
            raise
        except NothingUsable as error:
            code, message = "summary_unusable", str(error)
        except Exception as error:
            if not options.fallback:
                raise
            code, message = _why(error)
            fields = {"event": "summary_fell_back", "error": type(error).__name__, "frames": frames(error)}
            logger.error(json.dumps(fields))
        # Out here: the traceback of what failed may hold the memory that is needed now.
        summary = self._extractive.summarize(turns, options, control)
        return replace(summary, warnings=(*summary.warnings, Warning_("summarize", code, f"{message} {_INSTEAD}")))


def _why(error: Exception) -> tuple[str, str]:
    if isinstance(error, RoundtableError):
        return error.code, error.message
    if isinstance(error, MemoryError):
        return OutOfMemory.code, "There was not enough memory for the summary model."
    return "summary_model_failed", "The summary model failed."
