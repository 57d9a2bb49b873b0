"""What the handler costs beyond the engines that it calls: both in one process, in turn, on the same engine objects.

Bare is the work that nobody can do without, as briefly as it can be written: the recording's bytes are decoded, transcribed
and at the same time diarized (in a thread of a pool that is there already), merged and summarized, with the same options as a
request without parameters. So the overhead of the handler is the rest: parameters and their checks, base64 where it is sent,
a pool per request, the clocks, the warnings, the log line, and the reply as plain JSON types. What a host does before and
after (HTTP, JSON text) is in neither.

Engines take seconds and vary by more than the handler takes. So the same is also measured with engines that give back at once
what they answered before: there the difference is next to all that is left, and every millisecond of it shows.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from config import ModelSettings
from diarization_utils import clean_diarization, clean_transcript, merge, speaker_stats
from handler import EndpointHandler
from roundtable.asr import TranscribeOptions
from roundtable.audio import Audio, decode_audio
from roundtable.control import Control
from roundtable.diarization import DiarizeOptions
from roundtable.engines import Engines
from roundtable.summarization import SummarizeOptions
from roundtable.transcript import Diarization, SpeakerTurn, Summary, Transcript

BARE, BASE64, RAW = "bare engines", "handler, base64 in JSON", "handler, raw bytes"


@dataclass(frozen=True, slots=True)
class Heard:
    """What bare engines make of a recording."""

    transcript: Transcript
    diarization: Diarization
    turns: tuple[SpeakerTurn, ...]
    summary: Summary


def bare(engines: Engines, recording: bytes, pool: ThreadPoolExecutor) -> Heard:
    """One recording through all three engines, which must be there. The limits are the handler's defaults."""
    assert engines.diarizer is not None and engines.summarizer is not None  # noqa: S101, PT018  # main's own engines
    audio = decode_audio(recording, max_bytes=1 << 30, max_seconds=86400.0)
    control = Control()
    diarizing = pool.submit(engines.diarizer.diarize, audio, DiarizeOptions(), control)
    transcript = engines.transcriber.transcribe(audio, TranscribeOptions(), control)
    diarization = clean_diarization(diarizing.result(), audio.duration_s)
    turns = merge(transcript, diarization, audio.duration_s)
    speaker_stats(turns, diarization)
    transcript = clean_transcript(transcript, audio.duration_s)
    language = transcript.language.code if transcript.language else None
    summary = engines.summarizer.summarize(turns, SummarizeOptions(language=language), control)
    return Heard(transcript, diarization, turns, summary)


def measure(engines: Engines, recording: bytes, rounds: int) -> dict[str, Any]:
    """Wall and CPU seconds of each way, round by round. Raises ValueError if the ways do not come to the same."""
    handler = EndpointHandler(settings=ModelSettings.load(asr_model=engines.names()["asr"]), engines=engines)
    text = base64.b64encode(recording).decode()
    with ThreadPoolExecutor(1) as pool:
        ways: dict[str, Callable[[], Any]] = {
            BARE: lambda: bare(engines, recording, pool),
            BASE64: lambda: handler({"inputs": text, "parameters": {}}),
            RAW: lambda: handler({"inputs": recording}),
        }
        agree(*(way() for way in ways.values()))  # which also warms up
        return {"rounds": in_turn(ways, rounds)}


def agree(heard: Heard, *replies: dict[str, Any]) -> None:
    """Raises ValueError unless every reply says what the bare engines do."""
    for reply in replies:
        said = (reply["text"], [turn["text"] for turn in reply["speakers"]], reply["summarize"][0]["summary_text"])
        if said != (heard.transcript.text.strip(), [turn.text.strip() for turn in heard.turns], heard.summary.text):
            raise ValueError("The handler and the bare engines do not come to the same.")


def in_turn(ways: dict[str, Callable[[], Any]], rounds: int) -> list[dict[str, dict[str, float]]]:
    """Each way once per round; the first to go is another one each time, so that none has the better place."""
    names, measured = list(ways), []
    for number in range(rounds):
        first = number % len(names)
        row = {}
        for name in names[first:] + names[:first]:
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            ways[name]()
            row[name] = {"wall_s": time.perf_counter() - wall_s, "cpu_s": time.process_time() - cpu_s}
        measured.append(row)
    return measured


def overhead_s(rounds: Sequence[dict[str, dict[str, float]]], way: str, clock: str) -> tuple[float, float]:
    """Medians over the rounds: of the seconds that this way takes longer than bare engines, and of the bare engines' own."""
    beyond = [row[way][clock] - row[BARE][clock] for row in rounds]
    return median(beyond), median(row[BARE][clock] for row in rounds)


# --- Engines that answer at once -------------------------------------------------------------------------------------


def recorded(engines: Engines, recording: bytes) -> Engines:
    """Engines that give these engines' answers to this recording, whatever they are asked, and take no time for it."""
    with ThreadPoolExecutor(1) as pool:
        heard = bare(engines, recording, pool)
    names = engines.names()
    return Engines(
        _Transcriber(names["asr"], heard.transcript),
        _Diarizer(names["diarization"], heard.diarization),
        _Summarizer(names["summarization"], heard.summary),
    )


@dataclass(frozen=True, slots=True)
class _Transcriber:
    name: str
    answer: Transcript = field(repr=False)

    def transcribe(self, audio: Audio, options: TranscribeOptions, control: Control) -> Transcript:
        return self.answer


@dataclass(frozen=True, slots=True)
class _Diarizer:
    name: str
    answer: Diarization = field(repr=False)

    def diarize(self, audio: Audio, options: DiarizeOptions, control: Control) -> Diarization:
        return self.answer


@dataclass(frozen=True, slots=True)
class _Summarizer:
    name: str
    answer: Summary = field(repr=False)

    def summarize(self, turns: Sequence[SpeakerTurn], options: SummarizeOptions, control: Control) -> Summary:
        return self.answer
