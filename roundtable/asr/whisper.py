"""Whisper on transformers and torch: one encoder pass for each window, and everything else from what that heard.

`long_form` says what happens to a recording; here is what happens to a batch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from roundtable.asr import TranscribeOptions, long_form
from roundtable.asr.alignment import speech_in, token_times
from roundtable.asr.checkpoint import Checkpoint
from roundtable.asr.decoder import Memory, TextDecoder, in_front
from roundtable.asr.decoding import FirstStep, Rules, decode, first_step
from roundtable.asr.mel import LogMel
from roundtable.asr.speculative import decode_assisted
from roundtable.asr.window_engine import Decoded, Prompt, token_limit
from roundtable.asr.word_splitting import timed_words
from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.heap import return_large_blocks, reusing_large_blocks
from roundtable.torch_memory import new_lasting, ran_out_of_memory
from roundtable.transcript import Transcript, Word
from roundtable.windows import Window

_CPU_BATCH, _CPU_BYTES = 12, 1 << 30
"""More windows at once make a CPU no faster, only larger: a window of base takes 37 MB while it is decoded."""

_ALIGN_BYTES_CPU, _ALIGN_BYTES = 16 << 20, 1 << 30
"""Attention that is read off at once. Of checkpoints that name no alignment heads, half the decoder's are read."""


class WhisperTranscriber:
    """A loaded checkpoint. `assistant`: a smaller one with the same vocabulary, for speculative decoding of a single window."""

    def __init__(self, checkpoint: Checkpoint, assistant: Checkpoint | None = None) -> None:
        self.name: Final = checkpoint.name
        self._engine: Final = _Engine(checkpoint, None if assistant is None else _Assistant(assistant, checkpoint))
        self._turn: Final = threading.Lock()

    def transcribe(self, audio: Audio, options: TranscribeOptions, control: Control) -> Transcript:
        """See `long_form.transcribe`."""
        with torch.inference_mode():
            return long_form.transcribe(self._engine, self._turn, audio, options, control)


class _Engine:
    """The `WindowEngine` of one checkpoint."""

    def __init__(self, checkpoint: Checkpoint, assistant: _Assistant | None) -> None:
        if checkpoint.device.type == "cpu":
            return_large_blocks()
        self.checkpoint: Final = checkpoint
        self.assistant: Final = assistant
        self.languages: Final = tuple(checkpoint.tokens.languages)
        self.can_translate: Final = bool(self.languages) and checkpoint.tokens.translate is not None
        self.encode_text: Final = checkpoint.encode_text
        self.decode_text: Final = checkpoint.decode_text
        self.decoder: Final = TextDecoder(checkpoint.model)
        self.largest_batch: Final = _largest_batch(checkpoint, self.decoder)
        self.rules: Final = Rules(checkpoint.tokens, checkpoint.model.config.vocab_size, checkpoint.device)
        self.hear: Final = _Encoder(checkpoint)

    def encode(self, windows: Sequence[Window], control: Control) -> _Batch:
        return _Batch(self, windows, self.hear(windows, control))

    def ran_out_of_memory(self, error: Exception) -> bool:
        return ran_out_of_memory(error)


class _Encoder:
    """Windows to encoder states (windows, frames, model size). A checkpoint's encoder runs here and nowhere else."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._encoder = checkpoint.model.model.encoder
        self._mel = LogMel(checkpoint.mel_bins, checkpoint.device)
        self._dtype = checkpoint.dtype
        self._shape = (checkpoint.model.config.max_source_positions, checkpoint.model.config.d_model)
        # One by one is as fast on a CPU, takes less memory, and gives the same states to the last bit in every batch.
        self._one_by_one = checkpoint.device.type == "cpu"

    def __call__(self, windows: Sequence[Window], control: Control) -> Tensor:
        if not self._one_by_one:
            return self._hear(windows, control)
        states = new_lasting(torch.empty(0, dtype=self._dtype), (len(windows), *self._shape))
        with reusing_large_blocks():
            for row, window in enumerate(windows):
                states[row] = self._hear([window], control)[0]
        return states

    def _hear(self, windows: Sequence[Window], control: Control) -> Tensor:
        control.check()
        mels = torch.stack([self._mel(window.samples()) for window in windows])
        return self._encoder(mels.to(self._dtype)).last_hidden_state  # type: ignore[no-any-return]  # as transformers' are


class _Batch:
    """The `EncodedBatch` of some windows: what the encoder heard, as the decoder reads it."""

    def __init__(self, engine: _Engine, windows: Sequence[Window], states: Tensor) -> None:
        self._engine = engine
        self._windows = windows
        self._memory = engine.decoder.remember(states)
        self._drafting: Memory | None = None
        if engine.assistant is not None and len(windows) == 1:
            self._drafting = engine.assistant.remember(states, windows)
        self._first: FirstStep = first_step(engine.decoder, self._memory, engine.checkpoint.tokens)

    def language_logprobs(self) -> Sequence[Sequence[float]]:
        return self._first.language_logprobs

    def no_speech_probs(self) -> Sequence[float]:
        return self._first.no_speech_probs

    def write(self, rows: Sequence[int], prompt: Prompt, temperature: float) -> Sequence[Decoded]:
        engine, eot = self._engine, self._engine.checkpoint.tokens.eot
        before = _prompt_tokens(engine.checkpoint, prompt)
        room = engine.checkpoint.max_text_positions - len(before)
        order = in_front(rows)
        limits = [token_limit(self._windows[row], room) for row in order]
        if engine.assistant is not None and self._drafting is not None and temperature == 0.0:
            writer, drafter = (engine.decoder, self._memory), (engine.assistant.decoder, self._drafting)
            return [decode_assisted(writer, drafter, before, limits[0], rules=engine.rules, eot=eot)]
        prompts = [before] * len(order)
        with self._memory.front(order) as memory:
            written = decode(engine.decoder, memory, prompts, limits, rules=engine.rules, eot=eot, temperature=temperature)
        found = dict(zip(order, written, strict=True))
        return [found[row] for row in rows]

    def align(self, decoded: Sequence[Decoded], prompt: Prompt) -> Sequence[tuple[Word, ...]]:
        checkpoint = self._engine.checkpoint
        before = _prompt_tokens(checkpoint, prompt)
        heads = checkpoint.alignment_heads
        positions = checkpoint.model.config.max_source_positions
        longest = len(before) + max(len(row.tokens) for row in decoded)
        # The heads that are kept, and those of one layer, three times over while they are worked out.
        per_row = 4 * longest * positions * (len(heads) + 3 * checkpoint.model.config.decoder_attention_heads)
        at_once = max(1, (_ALIGN_BYTES_CPU if checkpoint.device.type == "cpu" else _ALIGN_BYTES) // per_row)
        words: list[tuple[Word, ...]] = []
        for first in range(0, len(decoded), at_once):
            part = decoded[first : first + at_once]
            width = max(len(row.tokens) for row in part)
            ids = [[*before, *row.tokens, *[checkpoint.tokens.eot] * (width - len(row.tokens))] for row in part]
            memory = self._memory.part(first, first + len(part))
            looks = self._engine.decoder.attention(torch.tensor(ids, device=checkpoint.device), memory, heads)
            windows = self._windows[first : first + len(part)]
            speech = [speech_in(window) for window in windows]
            # While the last token of the prompt is read, the decoder looks at where the first word is said.
            times = token_times(
                looks[:, :, len(before) - 1 :],
                [len(row.tokens) for row in part],
                [len(probabilities) for probabilities in speech],
                speech,
            )
            for row, boundaries in zip(part, times, strict=True):
                logprobs = row.logprobs[: len(row.tokens)]
                words.append(timed_words(row.tokens, logprobs, boundaries, checkpoint.decode_text))
        return words


class _Assistant:
    """The small model that drafts. A distilled one shares the large one's encoder, and then its states as well."""

    def __init__(self, checkpoint: Checkpoint, main: Checkpoint) -> None:
        self.decoder: Final = TextDecoder(checkpoint.model)
        self._hear = None if _same_weights(checkpoint.model.model.encoder, main.model.model.encoder) else _Encoder(checkpoint)

    def remember(self, states: Tensor, windows: Sequence[Window]) -> Memory:
        return self.decoder.remember(states if self._hear is None else self._hear(windows, Control()))


def _largest_batch(checkpoint: Checkpoint, decoder: TextDecoder) -> int:
    if checkpoint.device.type != "cpu":
        return 256
    fitting = _CPU_BYTES // decoder.bytes_per_row(checkpoint.model.config.max_source_positions)
    return min(max(fitting, 1), _CPU_BATCH)


def _same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def _prompt_tokens(checkpoint: Checkpoint, prompt: Prompt) -> list[int]:
    tokens = checkpoint.tokens
    before = [tokens.sot_prev, *prompt.previous] if prompt.previous else []
    if not tokens.languages:
        return [*before, tokens.sot, tokens.no_timestamps]
    task = tokens.translate if prompt.task == "translate" else tokens.transcribe
    named = [] if task is None else [task]
    return [*before, tokens.sot, tokens.languages[prompt.language], *named, tokens.no_timestamps]
