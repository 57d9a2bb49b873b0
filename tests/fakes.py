"""The only home of fakes: engines that say what a test tells them to, and recordings made of numbers.

Each keeps the real interface and states what it guarantees.
"""

from __future__ import annotations

import io
import math
import struct
import threading
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roundtable.asr import TranscribeOptions
from roundtable.asr.window_engine import Decoded, EncodedBatch, Prompt
from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.diarization import DiarizeOptions
from roundtable.engines import Engines
from roundtable.summarization import SummarizeOptions
from roundtable.transcript import (
    Diarization,
    Language,
    Point,
    Segment,
    SpeakerTurn,
    Summary,
    Transcript,
    Turn,
    Word,
)
from roundtable.windows import Window

# A phrase that no log line, error or metric may ever hold.
PHRASE = "purple elephants audit the lighthouse"


def tone_wav(seconds: float = 2.0, hertz: float = 440.0) -> bytes:
    """A 16-bit mono 16 kHz WAV file of a sine. The same arguments give the same bytes."""
    count = round(seconds * SAMPLE_RATE_HZ)
    samples = (round(8000 * math.sin(2 * math.pi * hertz * n / SAMPLE_RATE_HZ)) for n in range(count))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE_HZ)
        writer.writeframes(struct.pack(f"<{count}h", *samples))
    return file.getvalue()


class FakeTranscriber:
    """Hears `text` in any recording: one word every 0.4 s from 0, in one segment, English with probability 0.9.

    `before` runs first, with the control of the request; what it raises is raised. `options` keeps what was asked last.
    """

    name = "fake/whisper@1"

    def __init__(self, text: str = PHRASE, before: Callable[[Control], object] = lambda control: None) -> None:
        self.text = text
        self.before = before
        self.options: TranscribeOptions | None = None

    def transcribe(self, audio: Audio, options: TranscribeOptions, control: Control) -> Transcript:
        self.options = options
        self.before(control)
        control.report("asr", 1.0)
        words = tuple(
            Word(f" {word}", 0.4 * n, 0.4 * n + 0.3, confidence=0.8) for n, word in enumerate(self.text.split(), start=0)
        )
        if not words:
            return Transcript(language=Language("en", 0.9))
        segment = Segment(0.0, words[-1].end, "".join(word.text for word in words), words)
        return Transcript((segment,), Language("en", 0.9))


class FakeDiarizer:
    """Hears two people: SPEAKER_00 in the first second, SPEAKER_01 from then to the end, who is the first reference if there
    is one. Knows SPEAKER_00's voice only. `before` as above."""

    name = "fake/diarization@1"

    def __init__(self, before: Callable[[Control], object] = lambda control: None) -> None:
        self.before = before
        self.options: DiarizeOptions | None = None

    def diarize(self, audio: Audio, options: DiarizeOptions, control: Control) -> Diarization:
        self.options = options
        self.before(control)
        second = options.references[0].name if options.references else "SPEAKER_01"
        turns = (Turn(0.0, 1.0, "SPEAKER_00"), Turn(1.0, audio.duration_s, second))
        return Diarization(turns, embeddings={"SPEAKER_00": (0.6, 0.8), second: None} if options.embeddings else {})


class FakeSummarizer:
    """Its summary is the text of all turns, with one key point for the first turn. `before` as above."""

    name = "fake/summarizer@1"

    def __init__(self, before: Callable[[Control], object] = lambda control: None) -> None:
        self.before = before
        self.options: SummarizeOptions | None = None
        self.turns: Sequence[SpeakerTurn] = ()

    def summarize(self, turns: Sequence[SpeakerTurn], options: SummarizeOptions, control: Control) -> Summary:
        self.options, self.turns = options, turns
        self.before(control)
        points = tuple(Point(turn.text.strip(), (turn.id,)) for turn in turns[:1])
        return Summary("; ".join(turn.text.strip() for turn in turns), key_points=points, method="fake")


def fake_engines(
    transcriber: FakeTranscriber | None = None,
    diarizer: FakeDiarizer | None = None,
    summarizer: FakeSummarizer | None = None,
) -> Engines:
    """All three stages, fake, not warmed up."""
    return Engines(transcriber or FakeTranscriber(), diarizer or FakeDiarizer(), summarizer or FakeSummarizer())


def raises(error: BaseException) -> Callable[[Control], object]:
    """For `before`: fail with this error."""

    def fail(control: Control) -> object:
        raise error

    return fail


def waits_until_stopped(control: Control) -> object:
    """For `before`: work until the request's control says stop; fails after 10 s, so that no test can hang."""
    for _ in range(10_000):
        control.check()
        threading.Event().wait(0.001)
    raise AssertionError("nobody stopped this stage within 10 s")


@dataclass(frozen=True)
class Utterance:
    """What a `FakeWindowEngine` hears in one window, however often it is asked."""

    text: str
    logprob: float = -0.1
    finished: bool = True


class FakeWindowEngine:
    """Hears in each window what `script(window, prompt, temperature)` says; a token is a character.

    Guarantees: windows, prompts, temperatures and batch sizes are passed on unchanged and recorded; words (at spaces) lie
    evenly over the window, but WORDS IN CAPITALS get 20 ms each, and ~ is time without a word; a batch larger than `room`
    raises MemoryError while it is written. Which language and how much silence it hears is `languages_heard(window)` and
    `no_speech(window)`.
    """

    can_translate = True
    largest_batch = 256

    def __init__(
        self,
        script: Callable[[Window, Prompt, float], Utterance],
        *,
        languages: Sequence[str] = ("en", "de"),
        languages_heard: Callable[[Window], Sequence[float]] = lambda window: (0.9, 0.1),
        no_speech: Callable[[Window], float] = lambda window: 0.0,
        room: int = 256,
    ) -> None:
        self.script = script
        self.languages = languages
        self.languages_heard = languages_heard
        self.no_speech = no_speech
        self.room = room
        self.encoded: list[int] = []
        self.written: list[tuple[tuple[int, ...], Prompt, float]] = []

    def encode(self, windows: Sequence[Window], control: Control) -> EncodedBatch:
        self.encoded.append(len(windows))
        return _FakeBatch(self, windows)

    def encode_text(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def decode_text(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))

    def ran_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError)


class _FakeBatch:
    def __init__(self, engine: FakeWindowEngine, windows: Sequence[Window]) -> None:
        self._engine = engine
        self._windows = windows

    def language_logprobs(self) -> Sequence[Sequence[float]]:
        return [[math.log(share) for share in self._engine.languages_heard(window)] for window in self._windows]

    def no_speech_probs(self) -> Sequence[float]:
        return [self._engine.no_speech(window) for window in self._windows]

    def write(self, rows: Sequence[int], prompt: Prompt, temperature: float) -> Sequence[Decoded]:
        if len(rows) > self._engine.room:
            raise MemoryError
        self._engine.written.append((tuple(rows), prompt, temperature))
        said = [self._engine.script(self._windows[row], prompt, temperature) for row in rows]
        return [
            Decoded(
                tuple(map(ord, utterance.text)),
                (utterance.logprob,) * (len(utterance.text) + utterance.finished),
                utterance.finished,
            )
            for utterance in said
        ]

    def align(self, decoded: Sequence[Decoded], prompt: Prompt) -> Sequence[tuple[Word, ...]]:
        return [
            _evenly(self._engine.decode_text(row.tokens), window.duration_s)
            for row, window in zip(decoded, self._windows, strict=True)
        ]


def _evenly(text: str, seconds: float) -> tuple[Word, ...]:
    words = text.split()
    soundless = sum(map(str.isupper, words))
    step = (seconds - 0.02 * soundless) / max(len(words) - soundless, 1)
    placed, at = [], 0.0
    for word in words:
        placed.append(Word(" " + word, at, at := at + (0.02 if word.isupper() else step), 0.5))
    return tuple(word for word in placed if word.text != " ~")
