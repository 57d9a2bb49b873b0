"""The handler, asked: one recording in, and what came of it as the measures want it.

Turns are as the diarizer reports them (the rttm format), words as the reply has them (json). The time of a recording is the
wall time of the whole job, from bytes to both formats, on this machine as busy as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from evaluation.cases import WORDLESS
from evaluation.invented import invented_words
from evaluation.readers import ReadError, Recording, read, read_reply
from roundtable.errors import RoundtableError
from roundtable.formats import render
from roundtable.transcript import Conversation, Word

Converse = Callable[[dict[str, object]], Conversation]
"""`EndpointHandler.converse`: a request to a conversation."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one call gave. `words` are in the order of their starts; `stages_s`: seconds by stage, which may overlap."""

    recording: Recording
    words: tuple[Word, ...]
    summary: str
    stages_s: Mapping[str, float]
    models: Mapping[str, str]
    outcome: str = "ok"
    warnings: tuple[str, ...] = ()
    """Each as `stage: code`."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What came of a clip without conversation; `error` is a code, and then there is nothing else.

    `outcome` and `warnings` are the reply's; an outcome of `failed` goes with the error.
    `invented`: words where nobody speaks; None where no reference says who does.
    """

    name: str
    text: str
    speakers: tuple[str, ...]
    summary: str
    error: str
    rtf: float | None
    invented: int | None = None
    outcome: str = "ok"
    warnings: tuple[str, ...] = ()


def listen(converse: Converse, audio: Path, parameters: Mapping[str, object]) -> Heard:
    """One call. An error of the handler is the caller's to see, and so is `ReadError`, for a file that is none.

    A diarization that was asked for and failed heard nobody: its turns are none, not unknown, so that all speech is missed.
    """
    try:
        data = audio.read_bytes()
    except OSError as error:
        raise ReadError(f"{audio.name}: cannot be read as a file.") from error
    begun_s = time.perf_counter()
    conversation = converse({"inputs": data, "parameters": dict(parameters)})
    reply = render(conversation, "json")
    rttm = "" if parameters.get("diarize", True) else None
    if conversation.diarization is not None:
        rttm = str(render(conversation, "rttm")["text"])
    wall_s = time.perf_counter() - begun_s
    return Heard(
        replace(read_reply(reply, audio.name, rttm), wall_s=wall_s),
        words_of(conversation),
        summary_of(reply),
        {name.removesuffix("_s"): seconds for name, seconds in conversation.timings_s.items() if name != "total_s"},
        conversation.models,
        conversation.outcome,
        warnings_of(reply),
    )


def words_of(conversation: Conversation) -> tuple[Word, ...]:
    """Those of the speakers' turns, or of the transcript where nobody was told apart."""
    merged = [word for turn in conversation.turns for word in turn.words]
    return tuple(sorted(merged or conversation.transcript.words(), key=lambda word: word.start))


def warnings_of(reply: Mapping[str, object]) -> tuple[str, ...]:
    """Each as `stage: code`, once."""
    warnings = cast(list[dict[str, str]], reply["warnings"])
    return tuple(dict.fromkeys(f"{warning['stage']}: {warning['code']}" for warning in warnings))


def summary_of(reply: Mapping[str, object]) -> str:
    """The text under `summarize`; empty where there is none."""
    return " ".join(entry["summary_text"] for entry in cast(list[dict[str, str]], reply["summarize"]))


def run_edge(converse: Converse, audio: Path) -> Edge:
    """A clip without conversation: the reply as it is, or the code of the error."""
    begun_s = time.perf_counter()
    try:
        conversation = converse({"inputs": audio.read_bytes(), "parameters": {}})
        reply = render(conversation, "json")
    except RoundtableError as error:
        return Edge(audio.stem, "", (), "", error.code, None, outcome="failed")
    wall_s = time.perf_counter() - begun_s
    heard = read_reply(reply, audio.name)
    speakers = tuple(sorted({turn.speaker for turn in heard.turns or ()}))
    rtf = wall_s / (heard.duration_s or wall_s)
    invented, outcome = _invented(audio, conversation), conversation.outcome
    return Edge(audio.stem, str(reply["text"]), speakers, summary_of(reply), "", rtf, invented, outcome, warnings_of(reply))


def _invented(clip: Path, conversation: Conversation) -> int | None:
    rttm = clip.with_suffix(".rttm")
    if not rttm.is_file() and clip.stem not in WORDLESS:
        return None
    reference = read(rttm) if rttm.is_file() else Recording(clip.stem, turns=())
    return round(invented_words(words_of(conversation), reference, conversation.duration_s).errors)
