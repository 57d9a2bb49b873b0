"""The only home of fakes: engines that say what a test tells them to, and recordings made of numbers.

Each keeps the real interface and states what it guarantees.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import random
import re
import selectors
import struct
import threading
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from benchmarks.service_start import STEPS
from client import Reply
from roundtable.asr import TranscribeOptions
from roundtable.asr.window_engine import Decoded, EncodedBatch, Prompt
from roundtable.audio import SAMPLE_RATE_HZ, Audio
from roundtable.control import Control
from roundtable.diarization import DiarizeOptions
from roundtable.engines import Engines
from roundtable.errors import OutOfMemory
from roundtable.summarization import SummarizeOptions
from roundtable.summarization.budget import Budget
from roundtable.summarization.guard import Guard
from roundtable.summarization.instructions import Task
from roundtable.summarization.writer import Frame, Written, WrittenBatch
from roundtable.summarization.writer import Prompt as SummaryPrompt
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
from tests.hosts.harness import Answer, Request

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


class ScriptedWriter:
    """A summary model that answers what `script(task, lines)` says; a token is a word, and so is a line break with what
    follows.

    Guarantees: `prompts` holds every prompt that it was sent, as (task, lines of the data); the frame around the data is the
    task's name, at both ends. A prompt that is longer than its budget, or has lost its frame, is refused as the real ones are.
    An answer of more words than asked for is cut there and not finished. A prompt of more than
    `room_tokens` raises OutOfMemory.
    """

    guard = Guard(["CONTROL"])
    name = "fake/writer@1"

    def __init__(
        self,
        script: Callable[[str, Sequence[str]], str],
        *,
        tokens: int = 8000,
        method: Literal["chat", "seq2seq"] = "chat",
        room_tokens: int | None = None,
    ) -> None:
        self.script = script
        self.method: Literal["chat", "seq2seq"] = method
        self.budget = Budget(tokens, tokens, shared=method == "chat")
        self.room_tokens = room_tokens
        self.prompts: list[tuple[str, list[str]]] = []
        self._vocabulary: dict[str, int] = {}
        self._spelled: list[str] = []

    def count(self, texts: Sequence[str]) -> Sequence[int]:
        return [len(text.split()) for text in texts]

    def unknown_share(self, words: Sequence[str]) -> float:
        return 0.0

    def prompt(self, task: Task, language: str | None, data: str) -> SummaryPrompt:
        words = [task, *(word for line in data.split("\n") for word in (*line.split(), "\n")), task]
        ids = tuple(self._id(word) for word in words)
        frame = Frame(ids[:1], ids[-1:], 0)
        return SummaryPrompt(ids, frame, sum("CONTROL" in word for word in words))

    def write(self, prompts: Sequence[SummaryPrompt], max_tokens: int, min_tokens: int, control: Control) -> WrittenBatch:
        answers = []
        for prompt in prompts:
            control.check()
            prompt.check(self.budget.prompt(max_tokens))
            if self.room_tokens is not None and len(prompt.ids) > self.room_tokens:
                raise OutOfMemory("There was not enough memory.")
            task, *data, _ = (self._spelled[id_] for id_ in prompt.ids)
            lines = [line.strip() for line in " ".join(data).split("\n") if line.strip()]
            self.prompts.append((task, lines))
            words = self.script(task, lines).split(" ")
            answers.append(Written(" ".join(words[:max_tokens]), len(words) <= max_tokens))
        return WrittenBatch(tuple(answers))

    def _id(self, word: str) -> int:
        if word not in self._vocabulary:
            self._vocabulary[word] = len(self._spelled)
            self._spelled.append(word)
        return self._vocabulary[word]


class ObedientModel:
    """In place of a causal model behind a real tokenizer and chat template: it does whatever its instructions tell it to.

    Guarantees: it reads the tokens that it is given. Messages begin and end at control tokens; what stands between <transcript>
    and </transcript> of a message is data. If "ignore" stands anywhere else, or if any message is not the system's or the
    user's, it obeys: it answers "OBEYED". Otherwise it answers `answer`. `seen` holds the messages of every prompt, as (role,
    text).
    """

    def __init__(self, tokenizer: Any, answer: str) -> None:
        self.seen: list[list[tuple[str, str]]] = []
        self._tokenizer = tokenizer
        self._answer = answer

    def generate(self, *, input_ids: Any, attention_mask: Any, generation_config: Any, **_: Any) -> Any:
        import torch

        rows = []
        for ids, mask in zip(input_ids, attention_mask, strict=True):
            text = self._tokenizer.convert_ids_to_tokens(ids[mask.bool()].tolist())
            messages = self._messages(text)
            self.seen.append(messages)
            told = " ".join(re.sub(r"<transcript>.*?</transcript>", "", said, flags=re.DOTALL) for _, said in messages)
            strange = [role for role, _ in messages if role not in {"system", "user"}]
            answer = "OBEYED" if strange or "ignore" in told.lower() else self._answer
            rows.append([*self._tokenizer.encode(answer, add_special_tokens=False), self._tokenizer.eos_token_id])
        width = max(map(len, rows))
        padded = [[*row, *[self._tokenizer.pad_token_id] * (width - len(row))] for row in rows]
        return torch.cat([input_ids, torch.tensor(padded)], dim=1)

    def _messages(self, tokens: Sequence[str]) -> list[tuple[str, str]]:
        """What stands between the control tokens; the beginning of an answer, which the template writes, left out."""
        found: list[tuple[str, str]] = []
        inside: list[str] | None = None
        for token in tokens:
            if token == "<|im_start|>":  # noqa: S105  # no password
                inside = []
            elif token == "<|im_end|>" and inside is not None:  # noqa: S105
                role, _, said = self._tokenizer.convert_tokens_to_string(inside).partition("\n")
                found.append((role, said))
                inside = None
            elif inside is not None:
                inside.append(token)
        return found


class NoteTaker:
    """In place of a model behind a real tokenizer: it notes the facts that it is given, all of them.

    Guarantees: it reads nothing but the tokens of its prompt, and answers every sentence in them that `fact` matches, once, in
    order: as JSON that cites the line's number where its instructions ask for JSON, else one after the other, and `nothing`
    where there is none. An answer of more tokens than are asked for is cut there. `seen` holds the text of every prompt,
    without its control tokens, in the order in which they came.
    """

    def __init__(self, tokenizer: Any, fact: re.Pattern[str], nothing: str, *, encoder_decoder: bool) -> None:
        self.seen: list[str] = []
        self._tokenizer = tokenizer
        self._fact = fact
        self._nothing = nothing
        self._encoder_decoder = encoder_decoder

    def generate(self, *, input_ids: Any, attention_mask: Any, generation_config: Any, **_: Any) -> Any:
        import torch

        rows = []
        for ids, mask in zip(input_ids, attention_mask, strict=True):
            text = self._tokenizer.decode(
                ids[mask.bool()].tolist(), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            self.seen.append(text)
            answer = self._tokenizer.encode(self._answer(text), add_special_tokens=False)
            rows.append([*answer, self._tokenizer.eos_token_id][: generation_config.max_new_tokens])
        width = max(map(len, rows))
        padded = torch.tensor([[*row, *[self._tokenizer.pad_token_id] * (width - len(row))] for row in rows])
        start = padded.new_full((len(rows), 1), generation_config.decoder_start_token_id or 0)
        return torch.cat([start if self._encoder_decoder else input_ids, padded], dim=1)

    def _answer(self, text: str) -> str:
        data, asked = text, ""
        if "<transcript>\n" in text:
            data, _, asked = text.partition("<transcript>\n")[2].partition("\n</transcript>")
        if '"key_points"' not in asked:
            return " ".join(dict.fromkeys(self._fact.findall(data))) or self._nothing
        points = [
            {"text": fact, "evidence": [int(number) for number in re.findall(r"\d+", line.partition("]")[0])]}
            for line in data.split("\n")
            for fact in self._fact.findall(line)
        ]
        return json.dumps({"key_points": points or [{"text": self._nothing, "evidence": []}]})


class Inventor:
    """For a `ScriptedWriter`: a model that makes things up wherever it can, and tells the truth beside it.

    Guarantees: its answer is valid JSON of the shape that is asked for. Of the lines that it is given it tells some as they are
    (`told`) and spoils others with a number, a date or a name of `NUMBERS`, `DATES` or `NAMES`; owners and due times are
    invented too, and so are ids, speakers and whole statements. `invented` holds what it put in, in its own spelling. The same
    seed does the same to the same lines.
    """

    NUMBERS = (
        *("37", "1,950", "3.7", "81 %", "seventeen", "forty-one", "two hundred and six", "€640", "$9.5k", "a dozen"),
        *("half a million", "５３", "٤٨", "the nineteenth", "23rd", "XIV", "ninety-nine percent", "6:1", "1e6", "⅔", "B52"),
        *("a hundred and one", "sixty-odd", "No. 77", "three-fold", "10^7", "0x1F", "-88", "eleven and a half", "a gross"),
    )
    DATES = (
        *("October", "9 Oct", "October 9th", "2031-10-09", "09.10.2031", "10/9", "Wednesday", "Wed.", "Q3", "half past four"),
        *("16:45", "4 pm", "noon", "midnight", "Christmas", "New Year's Eve", "next month", "the weekend", "tomorrow"),
        *("this spring", "2029", "the eighties", "the end of the quarter", "WEDNESDAY", "october", "mid-August", "'31"),
    )
    NAMES = (
        *("Jennifer", "Mr. Kowalski", "Dr. Adeyemi", "Müller", "JENNIFER", "Team Falcon", "O'Connor", "Jennifer Kowalski"),
        *("李明", "Ng", "SPEAKER_07", "Speaker 9", "Anna Kowalski", "McAllister-Jones", "Zoë"),
    )
    OWNERS = (*NAMES, "jennifer", "the lawyer", "everyone", "nobody", "me", "she", "unknown person", "a colleague", "HR", "42")
    _SPOILT: ClassVar = {
        "number": ("{text} That is {it}.", "{it} people heard that {rest}.", "{rest} ({it}).", "{rest}, {it} in all."),
        "date": ("{rest} by {it}.", "On {it}, {rest}.", "{it}: {text}", "{rest} ({it}, as agreed)"),
        "name": ("{rest}, as {it} asked.", "It was {it} who said that {rest}", "{rest}, together with {it}."),
    }

    def __init__(self, seed: int) -> None:
        self.invented: list[str] = []
        self.told: list[str] = []
        self._rng = random.Random(seed)  # noqa: S311

    def __call__(self, task: str, lines: Sequence[str]) -> str:
        parts = [match for line in lines if (match := re.match(r"\[(\d+)[^]]*\] (?:\S+ \([\d:]+\): )?(.*)", line))]
        said = [(int(part[1]), part[2]) for part in parts]
        return json.dumps(
            {
                "title": self._maybe_spoilt(said)[1],
                "summary": " ".join(self._maybe_spoilt(said)[1] for _ in range(4)),
                "key_points": [self._point(said) for _ in range(5)],
                "decisions": [self._point(said) for _ in range(2)],
                "action_items": [self._action_item(said) for _ in range(4)],
                "per_speaker": {name: self._maybe_spoilt(said)[1] for name in ("SPEAKER_00", "SPEAKER_01", "SPEAKER_07")},
            },
            ensure_ascii=False,
        )

    def _maybe_spoilt(self, said: Sequence[tuple[int, str]]) -> tuple[int, str]:
        number, text = self._rng.choice(said)
        if self._rng.random() < 0.4:
            self.told.append(text)
            return number, text
        kind = self._rng.choice(sorted(self._SPOILT))
        it = self._invent({"number": self.NUMBERS, "date": self.DATES, "name": self.NAMES}[kind])
        rest = text[:1].lower() + text[1:].rstrip(".!?")
        return number, self._rng.choice(self._SPOILT[kind]).format(text=text, rest=rest, it=it)

    def _point(self, said: Sequence[tuple[int, str]]) -> dict[str, Any]:
        number, text = self._maybe_spoilt(said)
        return {"text": text, "evidence": self._rng.choice([[number], [number], [number, 999], [999], [-1], [], "all"])}

    def _action_item(self, said: Sequence[tuple[int, str]]) -> dict[str, Any]:
        point = self._point(said)
        owner = self._rng.choice([None, "SPEAKER_00", self._invent(self.OWNERS)])
        due = self._rng.choice([None, self._invent((*self.DATES, *self.NUMBERS))])
        return {"task": point["text"], "owner": owner, "due": due, "evidence": point["evidence"]}

    def _invent(self, pool: Sequence[str]) -> str:
        self.invented.append(self._rng.choice(pool))
        return self.invented[-1]


# ---- Servers and time, for tests of the load generator


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop on which nobody ever waits: when all are asleep, its clock jumps to the first who wakes up.

    So what happens at which second of its clock is exact, and costs no time. Begins at 0.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    def hold_up(self, seconds: float) -> None:
        """As if the program had been busy for so long: nobody could wake up."""
        self._jumping.now_s += seconds


class _JumpingSelector(selectors.DefaultSelector):
    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += timeout or 0.0
        return super().select(None if timeout is None else 0)


class OneAtATime:
    """An endpoint that works on one recording after the other, first come first served, `work_s(recording)` seconds each.

    Its replies say so in `timings`, and nothing else.
    """

    def __init__(self, work_s: Callable[[bytes], float]) -> None:
        self._work_s = work_s
        self._free = asyncio.Lock()

    async def transcribe(self, recording: bytes) -> Reply:
        async with self._free:
            work_s = self._work_s(recording)
            await asyncio.sleep(work_s)
            return Reply.parse(json.dumps({"text": "", "outcome": "ok", "timings": {"total_s": work_s}}).encode())


class GatheringServer(ThreadingHTTPServer):
    """A server on the loopback that answers nobody before so many requests have come, and then all of them.

    Whoever waits for an answer before sending on waits in vain: after `patience_s` all who came get a 503.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, requests: int, reply: bytes, patience_s: float = 20.0) -> None:
        gathered = threading.Barrier(requests, timeout=patience_s)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    gathered.wait()
                    self.send_response(200)
                except threading.BrokenBarrierError:
                    self.send_response(503)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class PipedHost:
    """A host without HTTP that gives, or raises, this answer to whatever is sent; `payloads` keeps what was."""

    port = 0

    def __init__(self, answer: Answer | Exception) -> None:
        self.payloads: list[object] = []
        self._answer = answer

    def send(self, requests: Sequence[Request]) -> list[Answer]:
        self.payloads += [request.payload for request in requests]
        if isinstance(self._answer, Exception):
            raise self._answer
        return [self._answer for _ in requests]

    def log(self) -> str:
        return ""


class InstantStart:
    """`service_start.first_reply` without a process: half a second for each step. `asked` keeps clips and engines."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, dict[str, str]]] = []

    def __call__(self, recording: Path, engines: Mapping[str, str]) -> dict[str, float]:
        self.asked.append((recording.read_bytes(), dict(engines)))
        return dict.fromkeys(STEPS, 0.5)
