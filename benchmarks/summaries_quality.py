"""The extractive engine on the sample conversations: do its citations hold, and is it nearer to what a person wrote than the
first three sentences are?

The references (`samples/*.summary.txt`) were written from the transcripts alone, before any engine's summary was read. Two
conversations are few: the figures tell whether the engine is on the right side, not by how much.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.machine import ROOT
from evaluation.measures import without_labels
from evaluation.readers import read
from evaluation.rouge import Rouge, rouge
from roundtable.control import Control
from roundtable.summarization import SummarizeOptions
from roundtable.summarization.extractive import ExtractiveSummarizer
from roundtable.summarization.text import word_set
from roundtable.transcript import SpeakerTurn

OURS, BASELINE = "extractive", "lead-3"
SAME_LENGTH = "lead, as long as ours"
"""No promise, but a fairer comparison: a longer summary has it easier with recall."""

_LITTLE_WORDS = word_set(
    "the and that this then than with from into for you your our their they them she her his him its are was were been have "
    "has had will would can could should not but all any some very just about there here what when where who how why one"
)
_SENTENCE = re.compile(r"[^.!?]+[.!?]+")


def conversations() -> dict[str, Path]:
    """The references at hand, by name."""
    return {path.name.partition(".")[0]: path for path in sorted((ROOT / "samples").glob("*.summary.txt"))}


def turns_of(name: str) -> list[SpeakerTurn]:
    said = read(ROOT / "samples" / f"{name}.stm").utterances or ()
    return [SpeakerTurn(n, one.speaker, one.start, one.end, one.text) for n, one in enumerate(said)]


def lead(turns: Sequence[SpeakerTurn], sentences: int = 3) -> str:
    """The first sentences, as they were said."""
    return " ".join(sentence.strip() for sentence in _sentences(turns)[:sentences])


def lead_words(turns: Sequence[SpeakerTurn], words: int) -> str:
    """The first sentences, until they have so many words."""
    taken: list[str] = []
    for sentence in _sentences(turns):
        if len(" ".join(taken).split()) >= words:
            break
        taken.append(sentence.strip())
    return " ".join(taken)


def _sentences(turns: Sequence[SpeakerTurn]) -> list[str]:
    return _SENTENCE.findall(" ".join(turn.text for turn in turns))


def measure() -> dict[str, Any]:
    """For each conversation: ROUGE of ours and of the baseline, and how many of our statements their evidence bears out."""
    rows = []
    for name, path in conversations().items():
        turns, reference = turns_of(name), path.read_text(encoding="utf-8")
        summary = ExtractiveSummarizer().summarize(turns, SummarizeOptions(language="en"), Control())
        points = [(point.text, point.evidence) for point in (*summary.key_points, *summary.decisions)]
        points += [(item.task, item.evidence) for item in summary.action_items]
        cited = [(text, turns[id_].text) for text, evidence in points for id_ in evidence]
        ours = without_labels(summary.text)
        texts = {OURS: ours, BASELINE: lead(turns), SAME_LENGTH: lead_words(turns, len(ours.split()))}
        rows.append(
            {
                "conversation": name,
                "rouge": {kind: _figures(rouge(text, reference)) for kind, text in texts.items()},
                "words": {kind: len(text.split()) for kind, text in texts.items()},
                "statements": len(points),
                "citations": len(cited),
                "borne_out": sum(bool(content(text) & content(said)) for text, said in cited),
            }
        )
    return {"rows": rows}


def content(text: str) -> set[str]:
    """Words of three letters or more that are not little ones."""
    return {word for word in re.findall(r"[a-z0-9]{3,}", text.casefold()) if word not in _LITTLE_WORDS}


def _figures(found: Rouge) -> dict[str, float]:
    return {"1": round(found.one, 4), "2": round(found.two, 4), "L": round(found.longest, 4)}
