"""The data that flows between the stages: words, segments, turns, and what was made of them.

All times are seconds from the start of the recording, as float. Everything here is frozen and plain: no numpy value, no
third-party object, so that any stage can be tested with three lines of literal data. Converting to JSON is `formats.py`'s work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Stage = Literal["decode", "asr", "diarize", "merge", "summarize", "format"]


@dataclass(frozen=True, slots=True)
class Warning_:
    """Something the caller should know although the request succeeded. `message` holds no user content."""

    stage: Stage
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Word:
    """One word as the ASR engine wrote it, and, after the merge, who said it.

    `text` carries its own leading space where the language has one, so that joining the texts of all words gives the
    transcript, in every language. `confidence` and `speaker_confidence` are in [0, 1]; None means "not known", never "bad".
    `speaker_confidence` is the share of the word's time that lies in the speaker's turns. `overlap`: somebody else speaks
    during this word too. `outside_speech`: nobody was found speaking within a second of it, so `speaker` is None.
    """

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None
    speaker_confidence: float | None = None
    overlap: bool = False
    outside_speech: bool = False


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence-like stretch of the transcript. `words` is empty when the engine gives only segment times.

    The four quality figures are Whisper's; an engine that has no such figure leaves it None.
    """

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Language:
    """An ISO 639-1 code (Whisper's codes beyond it), with the engine's probability if it detected the language."""

    code: str
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a `Transcriber` returns: segments in time order. No speech is an empty transcript, not an error."""

    segments: tuple[Segment, ...] = ()
    language: Language | None = None
    warnings: tuple[Warning_, ...] = ()

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()

    def words(self) -> Iterator[Word]:
        """Every word, in order."""
        for segment in self.segments:
            yield from segment.words


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker talking from `start` to `end`."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Diarization:
    """What a `Diarizer` returns.

    `turns` are exclusive: sorted, and at most one speaker at any instant. `overlaps` is the speech of *further* speakers that
    the exclusive turns leave out; turns and overlaps together are the complete diarization. Labels are `SPEAKER_00`,
    `SPEAKER_01`, … by first appearance; a speaker whose voice the caller knows carries that name instead.

    `embeddings`, only where they were asked for: each speaker's voice as numbers, of one length within a recording, all finite;
    None for a speaker with too little speech to tell.
    """

    turns: tuple[Turn, ...] = ()
    overlaps: tuple[Turn, ...] = ()
    warnings: tuple[Warning_, ...] = ()
    embeddings: Mapping[str, tuple[float, ...] | None] = field(default_factory=dict)

    @property
    def speakers(self) -> tuple[str, ...]:
        return tuple(sorted({turn.speaker for turn in (*self.turns, *self.overlaps)}))


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """A run of words by one speaker (None: nobody could be named). `id` is its place in the reply, from 0.

    `approximate`: the engine gave no word times, so the words' times were interpolated within their segment.
    """

    id: int
    speaker: str | None
    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    approximate: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One statement of a summary. `evidence`: the ids of the `SpeakerTurn`s that carry it, never empty."""

    text: str
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Something somebody said they would do. `owner` and `due` are None unless the transcript names them."""

    task: str
    owner: str | None
    due: str | None
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SpeakerStats:
    """Computed, never generated. `seconds` is time in turns, `share` its share of all speakers' time, in [0, 1]."""

    speaker: str
    seconds: float
    words: int
    share: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a `Summarizer` returns. `method` names how it was made: `extractive`, or the model's kind.

    Of a model: `passes` is how many prompts it answered, one where everything fitted; `input_tokens` how many tokens those had
    in all; `stop_reason` how its last answer ended, by itself ("eos") or at the limit ("length"). `truncated`: something that
    was said, or noted on the way, may have been left out for want of room. An extractive summary has read everything, in no
    pass.
    """

    text: str
    title: str = ""
    key_points: tuple[Point, ...] = ()
    decisions: tuple[Point, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    per_speaker: Mapping[str, str] = field(default_factory=dict)
    method: str = "extractive"
    warnings: tuple[Warning_, ...] = ()
    passes: int = 0
    input_tokens: int = 0
    truncated: bool = False
    stop_reason: Literal["eos", "length"] | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything one request produced; what `formats.py` turns into a reply.

    `evidence_in` says what the ids in the summary point into: the `speakers` of the reply, or its `chunks` when diarization
    was off. `outcome` is "degraded" when a stage after transcription failed and its part is missing.
    """

    transcript: Transcript
    duration_s: float
    diarization: Diarization | None = None
    turns: tuple[SpeakerTurn, ...] = ()
    speaker_stats: tuple[SpeakerStats, ...] = ()
    summary: Summary | None = None
    evidence_in: Literal["speakers", "chunks"] = "speakers"
    outcome: Literal["ok", "degraded"] = "ok"
    warnings: tuple[Warning_, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    request_id: str = ""
    task: Literal["transcribe", "translate"] = "transcribe"
