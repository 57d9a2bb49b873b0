"""Whisper on CTranslate2, without torch: int8 on a CPU, where weights take a quarter of the memory, and float16 on a GPU.

Loaded by faster-whisper, an optional dependency, and fed with the windows of `long_form`. Of faster-whisper only the model and
its spectrogram serve: `BatchedInferencePipeline` decodes every window once, whatever comes out, takes the language from the
first 30 seconds, gives one prompt to all without asking whether it leaks, never samples although it takes a temperature, and
holds the spectrograms of the whole recording. What lies under it (CTranslate2's encode, generate and align) does all we need.

CTranslate2 draws random numbers from a state that nobody can set back (OpenNMT/CTranslate2#1757), so a sampled transcript could
not be had twice. Nothing is sampled here: a window that fails the gates is decoded again by beam search.
"""

from __future__ import annotations

import gc
import json
import math
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from roundtable.asr import Dtype, TranscribeOptions, long_form
from roundtable.asr.vocabulary import Vocabulary
from roundtable.asr.window_engine import ENGLISH_ONLY_VOCABULARY, Decoded, Prompt, token_limit
from roundtable.asr.word_splitting import timed_words
from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.errors import EngineError, EngineUnavailable, InvalidSettings
from roundtable.hub import ModelSource
from roundtable.transcript import Transcript, Warning_, Word
from roundtable.windows import Window

_CPU_BATCH = 8
"""More windows at once make a CPU hardly faster, only larger: a window of small takes 110 MB while it is decoded."""

_BEAMS = 5
"""OpenAI's own width."""

_TEMPERATURE_STEP = 0.2
"""From one attempt to the next, in `long_form`: here it is the next best result of the beam search."""

_MEL_FRAMES, _HOP = 3000, 160
"""What the encoder takes, always: 30 s in frames of 10 ms."""

_SHORTEST = 400
"""The spectrogram needs this many samples."""

_FRAME_S = 0.02
"""One position of the encoder."""

_MAX_POSITIONS = 448
_ANY_TEXT = 0
"""Some token of text."""

_IMPOSSIBLE = -1e30
"""What a beam search scores below has only been found for want of anything else."""

_LEAST = 1e-10
"""A probability that float16 takes for 0."""

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_FILES = ("model.bin", "config.json", "vocabulary.*", "tokenizer.json")
_INSTALL = "pip install 'faster-whisper>=1.1,<2' 'ctranslate2>=4.6,<5'"

_COMPUTE_TYPES: Final = {
    ("cpu", "auto"): ("int8", "float32"),
    ("cuda", "auto"): ("float16", "float32"),
    ("cpu", "int8"): ("int8",),
    ("cuda", "int8"): ("int8_float16", "int8_float32"),
}
"""By device and ASR_DTYPE, the first that the processor can do; any other ASR_DTYPE is the compute type itself."""


def is_ctranslate2_model(model: str, revision: str | None = None, token: str | None = None) -> bool:
    """Whether this folder or Hub repository holds a Whisper in CTranslate2's format. Of a repository, fetches one small file.

    Told by config.json: CTranslate2's names no model type, only what it needs of the generation config. A repository that
    holds both formats is one for transformers. Raises what `ModelSource` raises when there is nothing to look at.
    """
    config = _config(ModelSource(model, setting="ASR_MODEL", revision=revision, token=token).files("config.json"))
    return "model_type" not in config and not {"suppress_ids", "alignment_heads"}.isdisjoint(config)


class CTranslate2Transcriber:
    """A loaded Whisper in CTranslate2's format: a folder or Hub repository such as Systran/faster-whisper-small.

    `dtype` auto is int8 on a CPU and float16 on CUDA, int8 on CUDA keeps the activations in float16. `device` None is CUDA if
    there is any. A CPU works with all of its cores, or as OMP_NUM_THREADS says. Raises `EngineUnavailable` for what is missing
    or out of reach, `InvalidSettings` for what this engine or this processor cannot do.
    """

    def __init__(
        self,
        model: str,
        revision: str | None = None,
        token: str | None = None,
        dtype: Dtype = "auto",
        device: str | None = None,
    ) -> None:
        source = ModelSource(model, setting="ASR_MODEL", revision=revision, token=token)
        self._engine: Final = _load(source, dtype, device)
        self.name: Final = source.name
        self._turn: Final = threading.Lock()

    def transcribe(self, audio: Audio, options: TranscribeOptions, control: Control) -> Transcript:
        """See `long_form.transcribe`. A temperature is not heeded, with a warning."""
        unsampled = replace(options, temperature=0.0)
        transcript = long_form.transcribe(self._engine, self._turn, audio, unsampled, control)
        # Second attempts go by rising temperatures there; here they are other beams.
        segments = tuple(replace(segment, temperature=0.0) for segment in transcript.segments)
        warnings = transcript.warnings
        if options.temperature != 0.0:
            warnings += (Warning_("asr", "temperature_ignored", "CTranslate2 models are always decoded at temperature 0."),)
        return replace(transcript, segments=segments, warnings=warnings)


# ---- Loading


def _load(source: ModelSource, dtype: Dtype, device: str | None) -> _Engine:
    try:
        import ctranslate2
        from faster_whisper import WhisperModel
    except ImportError:
        ctranslate2 = None
    if ctranslate2 is None:
        raise EngineUnavailable(f"ASR_MODEL is in CTranslate2's format, which needs faster-whisper. Run: {_INSTALL}")
    kind, _, index = (device or ("cuda" if ctranslate2.get_cuda_device_count() else "cpu")).partition(":")
    compute_type = _compute_type(dtype, kind, ctranslate2.get_supported_compute_types(kind))
    folder = source.files(*_FILES)
    # Without it faster-whisper would download another model's.
    if not (folder / "tokenizer.json").is_file():
        raise EngineUnavailable("ASR_MODEL has no tokenizer.json: convert it again with --copy_files tokenizer.json.")
    refusal: EngineError
    try:
        loaded = WhisperModel(
            str(folder), device=kind, device_index=int(index or 0), compute_type=compute_type, cpu_threads=_cpu_threads()
        )
        return _Engine(loaded, Vocabulary(folder), _vocabulary_size(folder))
    except MemoryError:
        refusal = EngineUnavailable("ASR_MODEL does not fit into memory.")
    except Exception as error:  # CTranslate2 raises RuntimeError and ValueError, tokenizers plain Exceptions
        reason = (
            "it does not fit into the memory of the GPU" if _is_out_of_memory(error) else "its files are damaged or missing"
        )
        refusal = EngineUnavailable(f"ASR_MODEL cannot be loaded by CTranslate2: {reason} ({type(error).__name__}).")
    raise refusal  # out here: the cause would show paths


def _compute_type(dtype: Dtype, device: str, supported: set[str]) -> str:
    for wanted in _COMPUTE_TYPES.get((device, dtype), (dtype,)):
        if wanted in supported:
            return wanted
    choice = ", ".join(["auto", *sorted({"float32", "float16", "bfloat16", "int8"} & supported)])
    raise InvalidSettings(f"ASR_DTYPE: CTranslate2 cannot compute in {dtype} on this {device.upper()}. It takes: {choice}.")


def _cpu_threads() -> int:
    """0 leaves it to CTranslate2, which heeds OMP_NUM_THREADS, but takes no more than 4 cores when that is unset."""
    if os.environ.get("OMP_NUM_THREADS"):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0


def _vocabulary_size(folder: Path) -> int:
    if (folder / "vocabulary.json").is_file():
        return len(json.loads((folder / "vocabulary.json").read_text(encoding="utf-8")))
    return len((folder / "vocabulary.txt").read_bytes().rstrip(b"\n").split(b"\n"))


def _config(folder: Path) -> dict[str, Any]:
    """A folder's config.json; empty when it has none that can be read, which is for the loader to complain about."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


# ---- The engine


class _Engine:
    """The `WindowEngine` of one loaded model."""

    def __init__(self, loaded: Any, vocabulary: Vocabulary, size: int) -> None:  # faster-whisper's WhisperModel, untyped
        from faster_whisper.feature_extractor import FeatureExtractor

        self.loaded: Final = loaded
        self.whisper: Final = loaded.model
        # The converted folder may lack preprocessor_config.json, which says how many; the model itself knows.
        self._spectrogram: Final = FeatureExtractor(feature_size=self.whisper.n_mels)
        self.control: Final = vocabulary.control_tokens
        self.encode_text: Final = vocabulary.encode
        self.decode_text: Final = vocabulary.decode
        spoken = {match[1]: id_ for text, id_ in self.control.items() if (match := _LANGUAGE.fullmatch(text))}
        self.language_ids: Final = {} if size == ENGLISH_ONLY_VOCABULARY else spoken
        self.languages: Final = tuple(sorted(self.language_ids, key=self.language_ids.__getitem__))
        self.can_translate: Final = bool(self.languages) and "<|translate|>" in self.control
        self.on_cpu: Final = self.whisper.device == "cpu"
        self.largest_batch: Final = _CPU_BATCH if self.on_cpu else 256
        never = {*self.control.values(), *range(vocabulary.timestamp_begin, size)} - {self.control["<|endoftext|>"]}
        self.never: Final = [-1, *sorted(never)]
        """No tag and no timestamp is ever written; -1 stands for what the model's own config.json forbids."""

    def encode(self, windows: Sequence[Window], control: Control) -> _Batch:
        # One by one is as fast on a CPU, takes less memory, and gives the same states to the last bit in every batch.
        size = 1 if self.on_cpu else len(windows)
        states = []
        for first in range(0, len(windows), size):
            control.check()
            states.append(self.loaded.encode(np.stack([self._mel(window) for window in windows[first : first + size]])))
        return _Batch(self, windows, states)

    def _mel(self, window: Window) -> NDArray[np.float32]:
        """(bins, 3000): each begun 10 ms is a frame, the frames after them are 0.0."""
        samples = window.samples()
        frames = min(-(-len(samples) // _HOP), _MEL_FRAMES)
        heard: NDArray[np.float32] = self._spectrogram(np.pad(samples, (0, max(0, _SHORTEST - len(samples)))))
        mel = np.zeros((len(heard), _MEL_FRAMES), dtype=np.float32)
        mel[:, :frames] = heard[:, :frames]
        return mel

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        before = [self.control["<|startofprev|>"], *prompt.previous] if prompt.previous else []
        tags = ["<|startoftranscript|>", "<|notimestamps|>"]
        if self.languages:
            tags[1:1] = [f"<|{prompt.language}|>", f"<|{prompt.task}|>"]
        return before + [self.control[tag] for tag in tags if tag in self.control]

    def ran_out_of_memory(self, error: Exception) -> bool:
        if not _is_out_of_memory(error):
            return False
        error.__traceback__ = None
        gc.collect()
        return True


def _is_out_of_memory(error: Exception) -> bool:
    # CUDA, cuBLAS, MKL and C++ say so in words only.
    told = ("out of memory", "alloc_failed", "failed to allocate memory", "bad_alloc")
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in told)


_Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """A text read over the sound: the log-probability of each token, and when it begins and ends, in window time."""

    logprobs: tuple[float, ...]
    times: NDArray[np.float64]


class _Batch:
    """The `EncodedBatch` of some windows."""

    def __init__(self, engine: _Engine, windows: Sequence[Window], states: Sequence[Any]) -> None:
        self._engine = engine
        self._windows = windows
        self._states = states  # CTranslate2's tensors, on its device
        self._array: NDArray[Any] | None = None
        self._readings: dict[tuple[int, _Tokens, Prompt], _Reading] = {}
        self._beams: dict[tuple[int, Prompt], list[tuple[_Tokens, float]]] = {}
        self._no_speech_probs, self._language_logprobs = self._first_step()

    def language_logprobs(self) -> Sequence[Sequence[float]]:
        return self._language_logprobs

    def no_speech_probs(self) -> Sequence[float]:
        return self._no_speech_probs

    def write(self, rows: Sequence[int], prompt: Prompt, temperature: float) -> Sequence[Decoded]:
        """Temperature 0 is greedy; .2, .4 … are the best, the second best … of a beam search, which is done once."""
        if temperature == 0.0:
            written = [found[0] for found in self._generate(rows, prompt, beams=1)]
        else:
            rank = max(round(temperature / _TEMPERATURE_STEP) - 1, 0)
            written = []
            for row in rows:
                if (row, prompt) not in self._beams:
                    self._beams[row, prompt] = self._generate([row], prompt, beams=_BEAMS)[0]
                found = self._beams[row, prompt]
                written.append(found[min(rank, len(found) - 1)])
        limits = self._limits(rows, prompt)
        texts = [(row, tokens[:limit]) for row, (tokens, _), limit in zip(rows, written, limits, strict=True)]
        decoded = []
        for (_, total), (_, tokens), limit, reading in zip(written, texts, limits, self._read(texts, prompt), strict=True):
            logprobs = reading.logprobs
            if finished := len(tokens) < limit:
                # The sum over the text and <|endoftext|> is known; what the text leaves of it is the latter's.
                logprobs += (min(total - math.fsum(logprobs), 0.0),)
            decoded.append(Decoded(tokens, logprobs, finished))
        return decoded

    def align(self, decoded: Sequence[Decoded], prompt: Prompt) -> Sequence[tuple[Word, ...]]:
        readings = self._read([(row, one.tokens) for row, one in enumerate(decoded)], prompt)
        return [
            timed_words(one.tokens, reading.logprobs, reading.times, self._engine.decode_text)
            for one, reading in zip(decoded, readings, strict=True)
        ]

    def _first_step(self) -> tuple[list[float], list[list[float]]]:
        """Per row the no-speech probability and the languages' log-probabilities: what would follow <|startoftranscript|>.

        CTranslate2's `detect_language` refuses models with another vocabulary than OpenAI's, and tells nothing of silence. Here
        any text is written instead, and the scores of its first step are looked at.
        """
        engine = self._engine
        results = engine.whisper.generate(
            self._rows(range(len(self._windows))),
            [[engine.control["<|startoftranscript|>"], _ANY_TEXT]] * len(self._windows),
            beam_size=1,
            max_length=2,
            suppress_blank=False,
            suppress_tokens=[],
            return_no_speech_prob=True,
            return_logits_vocab=True,
        )
        knows_silence = not {"<|nospeech|>", "<|nocaptions|>"}.isdisjoint(engine.control)
        no_speech = [min(max(float(result.no_speech_prob), 0.0), 1.0) if knows_silence else 0.0 for result in results]
        ids = [engine.language_ids[code] for code in engine.languages]
        scores = [_to_numpy(result.logits[0][0]).reshape(-1)[ids].astype(np.float64) for result in results]
        return no_speech, [(row - np.logaddexp.reduce(row)).tolist() for row in scores]

    def _generate(self, rows: Sequence[int], prompt: Prompt, *, beams: int) -> list[list[tuple[_Tokens, float]]]:
        """For each row what was found, best first: tokens, and the log-probability of them and of their end."""
        if not rows:
            return []
        before = self._engine.prompt_tokens(prompt)
        # CTranslate2 writes half of `max_length` at most, and no more than the prompt without its last token leaves of it.
        limit = max(self._limits(rows, prompt))
        results = self._engine.whisper.generate(
            self._rows(rows),
            [before] * len(rows),
            beam_size=beams,
            num_hypotheses=beams,
            length_penalty=0 if beams == 1 else 1,
            max_length=limit + max(limit, len(before) - 1),
            suppress_tokens=self._engine.never,
            return_scores=True,
        )
        if beams == 1:
            return [[(tuple(result.sequences_ids[0]), result.scores[0])] for result in results]
        # These scores are by token. A text of none has no such score, and is not what a second attempt is for.
        found = [zip(map(tuple, result.sequences_ids), result.scores, strict=True) for result in results]
        return [
            [(ids, score * len(ids)) for ids, score in texts if ids and score > _IMPOSSIBLE] or [((), math.log(_LEAST))]
            for texts in found
        ]

    def _read(self, texts: Sequence[tuple[int, _Tokens]], prompt: Prompt) -> list[_Reading]:
        """The texts, each over the window of its row. What was read before is not read again."""
        unread = [(row, text) for row, text in dict.fromkeys(texts) if (row, text, prompt) not in self._readings]
        spoken = [(row, text) for row, text in unread if text]
        for row, text in unread:
            self._readings[row, text, prompt] = _Reading((), np.zeros((0, 2)))
        if spoken:
            frames = [min(2 * math.ceil(self._windows[row].duration_s / _FRAME_S), _MEL_FRAMES) for row, _ in spoken]
            results = self._engine.whisper.align(
                self._rows([row for row, _ in spoken]),
                self._engine.prompt_tokens(prompt)[:-1],  # CTranslate2 adds <|notimestamps|>
                [list(text) for _, text in spoken],
                frames,
            )
            for (row, text), result in zip(spoken, results, strict=True):
                logprobs = tuple(math.log(max(float(probability), _LEAST)) for probability in result.text_token_probs)
                self._readings[row, text, prompt] = _Reading(logprobs, _token_times(result.alignments, len(text)))
        return [self._readings[row, text, prompt] for row, text in texts]

    def _limits(self, rows: Sequence[int], prompt: Prompt) -> list[int]:
        """How many tokens may be written for each row, <|endoftext|> aside."""
        room = _MAX_POSITIONS - len(self._engine.prompt_tokens(prompt)) - 1
        return [token_limit(self._windows[row], room) for row in rows]

    def _rows(self, rows: Sequence[int]) -> Any:
        """The encoder states of these rows, as CTranslate2 takes them."""
        if len(self._states) == 1 and list(rows) == list(range(len(self._windows))):
            return self._states[0]
        if self._array is None:
            self._array = np.concatenate([_to_numpy(part) for part in self._states])
        from ctranslate2 import StorageView

        return StorageView.from_array(self._array[list(rows)])


def _to_numpy(tensor: Any) -> NDArray[Any]:
    from ctranslate2 import DataType, Device

    if tensor.dtype == DataType.bfloat16:  # numpy has no such type
        tensor = tensor.to(DataType.float32)
    return np.asarray(tensor if tensor.device == "cpu" else tensor.to_device(Device.cpu))


def _token_times(path: Sequence[tuple[int, int]], tokens: int) -> NDArray[np.float64]:
    """(tokens, 2): a token lasts from where the path of (token, frame) enters it to where it enters the next."""
    text, frames = np.array(path).T
    entered = np.diff(text, prepend=-1) > 0
    starts = np.maximum(frames[entered], 0) * _FRAME_S
    return np.stack([starts[:tokens], starts[1 : tokens + 1]], axis=1)
