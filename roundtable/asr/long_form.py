"""A whole recording through an engine that hears 30 seconds: windows, batches, one language, second attempts, segments.

    speech regions -> windows -> [encode -> language, no-speech -> write -> gates, retries -> word times] in batches
                   -> speech without words, heard again -> segments

Windows go in batches of about equal length, longest first; what comes out depends on none of that. The language is decided
once for the recording, by all of its windows together: a batch is written in the language heard so far, and the few that turn
out to have been written in another one are done again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from roundtable.asr import TranscribeOptions
from roundtable.asr.gates import TEMPERATURES, Attempt, choose, confirmed_silence, failures, without_tail_loop
from roundtable.asr.holes import fills, holes
from roundtable.asr.prompting import leaks, loses, previous_tokens
from roundtable.asr.segmentation import cut_segments
from roundtable.asr.soundless import without_soundless
from roundtable.asr.window_engine import Decoded, EncodedBatch, Prompt, WindowEngine
from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.errors import EngineFailed, OutOfMemory, Unsupported
from roundtable.transcript import Language, Segment, Transcript, Warning_, Word
from roundtable.voice_activity import speech_probabilities, speech_regions
from roundtable.windows import Window, pack_windows

_MIN_SILENCE_S, _PAD_S = 0.3, 0.2
"""Shorter pauses stay in; longer ones are cut down to twice the padding, which leaves a breath to tell sentences by."""

_MIN_SPEECH_S = 0.1
"""A word as short as "Up." counts: with 0.25 s, 19 of 630 clean utterances were missed, with this none."""


def transcribe(
    engine: WindowEngine, turn: threading.Lock, audio: Audio, options: TranscribeOptions, control: Control
) -> Transcript:
    """Raises `Unsupported` for a language or task that the engine does not know, `OutOfMemory` when not even one window fits.

    Prompt and hotwords are given to every window. `turn` is the engine's: it is held for one batch at a time, so that the
    batches of several requests alternate and memory holds one.
    """
    language = _known_language(engine, options)
    regions = speech_regions(audio, min_speech_s=_MIN_SPEECH_S, min_silence_s=_MIN_SILENCE_S, pad_s=_PAD_S, control=control)
    windows = pack_windows(audio, regions, options.chunk_length_s)
    if not windows:
        return Transcript((), None if language is None else Language(language))
    job = _Job(engine, turn, windows, options, control)
    spoken, heard = job.run(language)
    segments: list[Segment] = []
    for stretch in job.without_holes(heard, spoken):
        segments += cut_segments(stretch.words, regions, spoken.code, stretch.attempt.quality)
    if not options.word_timestamps:
        segments = [replace(segment, words=()) for segment in segments]
    return Transcript(tuple(segments), spoken, job.warnings())


_ALIASES = {"nb": "no", "jv": "jw", "iw": "he", "in": "id", "fil": "tl"}
"""Codes of ISO 639, today's and yesterday's, of languages that Whisper knows under another one."""


def _known_language(engine: WindowEngine, options: TranscribeOptions) -> str | None:
    """The code to use, if it is not to be detected. A model that knows only `pt` takes `pt-br` for it."""
    if options.task == "translate" and not engine.can_translate:
        raise Unsupported("This ASR model cannot translate.")
    asked = _ALIASES.get(options.language or "", options.language)
    if not engine.languages:
        if asked is not None and asked.split("-")[0] != "en":
            raise Unsupported("This ASR model is English-only: language must be 'en', or not given.")
        return "en"
    if asked is None or asked in engine.languages:
        return asked
    if (base := asked.split("-")[0]) in engine.languages:
        return base
    raise Unsupported("This ASR model does not know the language that was asked for.")


_Try = tuple[Attempt, Decoded]
"""What the gates look at, and what it was made from."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one window, or a stretch of it, came to. `words` are in file time."""

    language: str
    attempt: Attempt
    words: tuple[Word, ...]


class _PooledLanguage:
    """The language of a recording, by the vote of its windows: the mean of their log-probabilities, weighed with their speech.

    The mean, not the sum: an hour of "perhaps" is still perhaps.
    """

    def __init__(self, codes: Sequence[str]) -> None:
        self._codes = codes
        self._votes: dict[int, tuple[float, Sequence[float]]] = {}

    def vote(self, window: int, weight: float, logprobs: Sequence[float]) -> None:
        self._votes[window] = (weight, logprobs)

    def verdict(self) -> Language:
        votes = [self._votes[window] for window in sorted(self._votes)]  # in one order, so that the sum is one sum
        total = math.fsum(weight for weight, _ in votes)
        means = [math.fsum(weight * logprobs[at] for weight, logprobs in votes) / total for at in range(len(self._codes))]
        best = max(range(len(means)), key=means.__getitem__)
        return Language(self._codes[best], 1.0 / math.fsum(math.exp(mean - means[best]) for mean in means))


@dataclass(slots=True)
class _Job:
    """One recording on its way through the engine. `again`: its windows are holes, heard once more and at one temperature."""

    engine: WindowEngine
    turn: threading.Lock
    windows: Sequence[Window]
    options: TranscribeOptions
    control: Control
    again: bool = False
    _previous: tuple[int, ...] = field(init=False)
    _heard: dict[int, _Heard] = field(init=False, default_factory=dict)
    _batch_size: int = field(init=False)
    _smaller_batches: bool = field(init=False, default=False)
    _leaked: set[int] = field(init=False, default_factory=set)
    _overflowed: set[int] = field(init=False, default_factory=set)
    _soundless: set[int] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._previous = tuple(previous_tokens(self.engine.encode_text, self.options.prompt, self.options.hotwords))
        self._batch_size = min(self.options.batch_size, self.engine.largest_batch)

    def run(self, language: str | None) -> tuple[Language, list[_Heard]]:
        """Every window, in order, and the language; None: detect it."""
        longest_first = sorted(range(len(self.windows)), key=lambda at: (-self.windows[at].duration_s, at))
        if language is not None:
            self._hear(longest_first, Language(language))
            return Language(language), [self._heard[at] for at in range(len(self.windows))]
        pooled = _PooledLanguage(self.engine.languages)
        self._hear(longest_first, pooled)
        verdict = pooled.verdict()
        self._hear([at for at in longest_first if self._heard[at].language != verdict.code], verdict)
        return verdict, [self._heard[at] for at in range(len(self.windows))]

    def without_holes(self, heard: Sequence[_Heard], language: Language) -> list[_Heard]:
        """What was heard, in order, with what is heard on a second hearing where a window's words leave speech out."""
        probabilities = speech_probabilities(self.windows[0].audio, self.control)
        missing = [
            (at, hole)
            for at, (window, of_window) in enumerate(zip(self.windows, heard, strict=True))
            for hole in holes(window, of_window.words, probabilities)
        ]
        if not missing:
            return list(heard)
        options = replace(self.options, prompt=None, hotwords=())
        again = _Job(self.engine, self.turn, [hole for _, hole in missing], options, self.control, again=True)
        _, found = again.run(language.code)
        self._smaller_batches |= again._smaller_batches
        of_window: dict[int, list[tuple[Window, _Heard]]] = {}
        for (at, hole), inside in zip(missing, found, strict=True):
            of_window.setdefault(at, []).append((hole, inside))
        filled: list[_Heard] = []
        for at, whole in enumerate(heard):
            rest = whole
            for hole, inside in of_window.get(at, ()):
                before = tuple(word for word in rest.words if word.end <= hole.start)
                after = rest.words[len(before) :]
                if fills(inside.attempt, inside.words, before, after):
                    filled += [replace(rest, words=before), inside]
                    rest = replace(rest, words=after)
            filled.append(rest)
        return filled

    def warnings(self) -> tuple[Warning_, ...]:
        found = []
        if self._smaller_batches:
            message = f"Memory ran out: windows were decoded {self._batch_size} at a time, with the same result."
            found.append(Warning_("asr", "batch_size_reduced", message))
        if self._leaked:
            message = f"In {len(self._leaked)} window(s) the model repeated the prompt; they were decoded without it."
            found.append(Warning_("asr", "prompt_leaked", message))
        if self._overflowed:
            message = (
                f"In {len(self._overflowed)} window(s) the model's numbers overflowed; what was said there may be missing."
            )
            found.append(Warning_("asr", "numbers_overflowed", message))
        if self._soundless:
            message = (
                f"In {len(self._soundless)} window(s) the model wrote words that no sound was left for; they were dropped."
            )
            found.append(Warning_("asr", "words_without_sound", message))
        return tuple(found)

    def _hear(self, waiting: Sequence[int], language: Language | _PooledLanguage) -> None:
        """Fill in `_heard` for these windows, in batches that halve when memory runs out."""
        at = 0
        while at < len(waiting):
            batch = waiting[at : at + self._batch_size]
            with self.control.alone(self.turn):
                try:
                    self._hear_batch(batch, language)
                    at += len(batch)
                    continue
                except Exception as error:
                    if not self.engine.ran_out_of_memory(error):
                        raise
                    # Out of the handler before the next attempt: the traceback holds what has to be freed.
            if len(batch) == 1:
                raise OutOfMemory("There was not enough memory to decode a single window.")
            self._batch_size = max(1, len(batch) // 2)
            self._smaller_batches = True

    def _hear_batch(self, batch: Sequence[int], language: Language | _PooledLanguage) -> None:
        windows = [self.windows[at] for at in batch]
        encoded = self.engine.encode(windows, self.control)
        no_speech = encoded.no_speech_probs()
        if isinstance(language, _PooledLanguage):
            for at, window, silent, logprobs in zip(batch, windows, no_speech, encoded.language_logprobs(), strict=True):
                # A window that may be no speech at all has little to say about its language.
                language.vote(at, window.duration_s * max(1.0 - silent, 1e-3), logprobs)
            language = language.verdict()
        prompt = Prompt(language.code, self.options.task, self._previous)
        self._leaked -= set(batch)
        self._overflowed -= set(batch)
        self._soundless -= set(batch)
        tries = self._settle(encoded, batch, no_speech, prompt)
        aligned = encoded.align([decoded for _, decoded in tries], replace(prompt, previous=()))
        self.control.check()
        self._overflowed |= {
            at for at, (attempt, _) in zip(batch, tries, strict=True) if not math.isfinite(attempt.avg_logprob)
        }
        if len(self._overflowed) == len(self.windows):
            raise EngineFailed("The ASR model computes no numbers: its weights are damaged, or ASR_DTYPE is too narrow for it.")
        for at, window, (attempt, _), words in zip(batch, windows, tries, aligned, strict=True):
            said = () if confirmed_silence(attempt) else words
            if self.options.task == "transcribe":  # a translation is not in the order of the sound
                said, written = without_soundless(said), said
                if len(said) < len(written):
                    self._soundless.add(at)
            self._heard[at] = _Heard(language.code, attempt, tuple(_in_file_time(window, said)))
            if not self.again:
                self.control.report("asr", len(self._heard) / len(self.windows))

    def _settle(self, encoded: EncodedBatch, batch: Sequence[int], no_speech: Sequence[float], prompt: Prompt) -> list[_Try]:
        """The best of as many attempts as each row needs: most need one."""
        rows = range(len(batch))

        def write(rows: Sequence[int], prompt: Prompt, temperature: float) -> list[_Try]:
            if not rows:
                return []
            self.control.check()
            written = encoded.write(rows, prompt, temperature)
            return [
                self._judge(decoded, self.windows[batch[row]], no_speech[row], temperature)
                for row, decoded in zip(rows, written, strict=True)
            ]

        first = self.options.temperature
        tries = [[attempt] for attempt in write(rows, prompt, first)]
        plain = replace(prompt, previous=())
        if prompt.previous:
            # A prompt may make the model skip a sentence without a sign of doubt, so every window is heard without it as well.
            for row, heard in zip(rows, write(rows, plain, first), strict=True):
                if self._repeats_prompt(tries[row][0], heard):
                    self._leaked.add(batch[row])
                    tries[row] = [heard]
                elif _leads_astray(tries[row][0][0], heard[0]):
                    tries[row] = [heard]
                else:
                    tries[row].append(heard)
        for temperature in () if self.again else TEMPERATURES:
            if temperature > first:
                failing = [row for row in rows if all(failures(attempt) for attempt, _ in tries[row])]
                for row, heard in zip(failing, write(failing, plain, temperature), strict=True):
                    tries[row].append(heard)
        return [self._best(tries[row]) for row in rows]

    def _judge(self, decoded: Decoded, window: Window, no_speech: float, temperature: float) -> _Try:
        attempt = Attempt(
            text=self.engine.decode_text(decoded.tokens),
            tokens=decoded.tokens,
            avg_logprob=decoded.avg_logprob,
            no_speech_prob=no_speech,
            temperature=temperature,
            finished=decoded.finished,
            speech_s=window.duration_s,
        )
        return attempt, decoded

    def _repeats_prompt(self, prompted: _Try, plain: _Try) -> bool:
        return leaks(prompted[0].text, self.options.prompt, self.options.hotwords, plain[0].text)

    def _best(self, tries: Sequence[_Try]) -> _Try:
        best = choose([attempt for attempt, _ in tries])
        decoded = next(decoded for attempt, decoded in tries if attempt is best)
        if best.finished and "loop" not in failures(best):
            return best, decoded
        kept = without_tail_loop(best.tokens)
        if len(kept) == len(best.tokens):
            return best, decoded
        text = self.engine.decode_text(kept)
        return replace(best, text=text, tokens=tuple(kept), finished=False), Decoded(
            tuple(kept), decoded.logprobs[: len(kept)], False
        )


def _leads_astray(prompted: Attempt, plain: Attempt) -> bool:
    """Whether the prompt cost words, or added some: it is there to say how words are spelled, not which or whether."""
    if confirmed_silence(plain) or failures(plain):
        return False
    return confirmed_silence(prompted) or loses(prompted.text, plain.text) or loses(plain.text, prompted.text)


def _in_file_time(window: Window, words: Iterable[Word]) -> Iterator[Word]:
    for word in words:
        start, end = window.stretch_in_file(word.start, word.end)
        yield replace(word, start=start, end=end)
