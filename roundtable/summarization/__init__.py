"""What it means: the protocol every summarizer keeps, and the one place that chooses an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from roundtable.control import Control
from roundtable.transcript import SpeakerTurn, Summary

SummaryDtype = Literal["auto", "float16", "bfloat16", "float32"]


@dataclass(frozen=True, slots=True)
class SummarizeOptions:
    """`max_tokens` and `min_tokens` bound the text; for an extractive engine a token is a word. A structured answer of a model
    may take `max_tokens` again for its lists.

    `language`: of the conversation, as a code; None: not known. `fallback` False: a model that fails is an error, and not
    replaced by the extractive engine; for start-up.
    """

    format: Literal["text", "structured"] = "text"
    max_tokens: int = 530
    min_tokens: int = 30
    language: str | None = None
    fallback: bool = True


class Summarizer(Protocol):
    """Loaded and warm once constructed. `summarize` may be called from several threads at once, and is deterministic.

    Turns without a speaker are plain text. Every id in the summary's evidence is the id of one of the turns.
    """

    @property
    def name(self) -> str:
        """`repository@revision`, or `embedded (what it is)`: what the reply's `models` says."""

    def summarize(self, turns: Sequence[SpeakerTurn], options: SummarizeOptions, control: Control) -> Summary: ...


@dataclass(frozen=True, slots=True)
class SummaryModel:
    """What to load. `model`: `embedded`, a Hub id or a local folder, holding a chat model or a sequence-to-sequence one.

    `dtype` auto is bfloat16 on CUDA (float16 where it lacks that), float32 on a CPU. `context_tokens`: most that the model is
    given at once. `token` opens gated repositories.
    """

    model: str
    revision: str | None = None
    token: str | None = field(default=None, repr=False)
    dtype: SummaryDtype = "auto"
    context_tokens: int | None = None


def load_summarizer(wanted: SummaryModel | str) -> Summarizer:
    """Load the engine for a model. Raises `EngineUnavailable` or `InvalidSettings`; never returns a half-loaded engine.

    A model's own config says which kind it is: with an encoder and a decoder it was trained to turn a text into a shorter one;
    otherwise it takes instructions, and has a chat template.
    """
    wanted = SummaryModel(wanted) if isinstance(wanted, str) else wanted
    from roundtable.summarization.extractive import ExtractiveSummarizer

    extractive = ExtractiveSummarizer()
    if wanted.model == "embedded":
        return extractive
    from roundtable.summarization.chat import ChatWriter
    from roundtable.summarization.checkpoint import load_checkpoint
    from roundtable.summarization.fallback import WithFallback
    from roundtable.summarization.model import ModelSummarizer
    from roundtable.summarization.seq2seq import Seq2SeqWriter

    checkpoint = load_checkpoint(wanted)
    writer = Seq2SeqWriter(checkpoint) if checkpoint.is_encoder_decoder else ChatWriter(checkpoint)
    return WithFallback(ModelSummarizer(writer, extractive), extractive)
