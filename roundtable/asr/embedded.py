"""The ASR engine that needs no download: PocketSphinx 5.1 with the American English model in its wheel.

A recogniser of its time: clear English at a desk comes out mostly right, a telephone mostly wrong. It writes lower case without
punctuation, digits as words, and nothing here pretends otherwise. It knows the 134,000 words of its dictionary and no other.

Each window of speech is decoded for itself, from the same state, at the same level. Of all that lies outside it, only how noisy
the recording is has a say in its words.

PocketSphinx keeps Python's global lock while it works, about 0.2 s for a second of speech, so one decoder serves all threads
as fast as several would, and windows are kept short for the sake of everybody who waits.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roundtable.asr import TranscribeOptions
from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.errors import EngineUnavailable, Unsupported
from roundtable.transcript import Language, Segment, Transcript, Warning_, Word
from roundtable.voice_activity import signal_to_noise_db, speech_regions
from roundtable.windows import Window, pack_windows

WINDOW_S = 12.0
"""The most that is decoded at once, and so about the longest that other threads wait: 2.5 s."""

PAUSE_S = 0.5
"""A pause this long ends a segment, and a window."""

_MIN_SILENCE_S, _PAD_S = 0.3, 0.15
"""Shorter pauses stay inside a region. The decoder wants some silence to start and end in."""

_FRAME_S = 0.01
"""PocketSphinx counts time in frames of 10 ms."""

_RMS = 0.1
"""Windows are brought to -20 dBFS: 16 bits are too coarse for a whisper."""

_PEAK = 0.99

_NOISY_DB = 30.0
"""Below this signal-to-noise ratio PocketSphinx's noise removal does more good than harm: WER 0.22 against 0.33 at 20 dB,
0.14 against 0.10 on a clean recording, 0.86 against 0.74 on a clean telephone line."""

_FILLER = re.compile(r"[<\[+]")
_PRONUNCIATION = re.compile(r"\(\d+\)$")
_INSTALL = "pip install 'pocketsphinx>=5.1,<6'"


class EmbeddedTranscriber:
    """Takes 90 MB and a third of a second to load. Raises `EngineUnavailable` when PocketSphinx or its model is not there."""

    name = "embedded (pocketsphinx 5.1 en-us)"

    def __init__(self) -> None:
        self._decoder = _load_decoder()
        self._lock = threading.Lock()

    def transcribe(self, audio: Audio, options: TranscribeOptions, control: Control) -> Transcript:
        """English only, no translation: anything else is `Unsupported`. What is merely not heeded is a warning."""
        if options.task != "transcribe":
            raise Unsupported("The embedded ASR engine cannot translate.")
        if options.language not in (None, "en"):
            raise Unsupported("The embedded ASR engine hears English only: language must be 'en', or not given.")
        regions = speech_regions(audio, min_silence_s=_MIN_SILENCE_S, pad_s=_PAD_S, control=control)
        windows = pack_windows(audio, regions, min(WINDOW_S, options.chunk_length_s), max_gap_s=PAUSE_S, keep_gap_s=PAUSE_S)
        noisy = signal_to_noise_db(audio, control) < _NOISY_DB
        segments: list[Segment] = []
        for done, window in enumerate(windows, start=1):
            control.check()
            words = self._decode(window, noisy)
            segments.extend(_segment(words, options.word_timestamps) for words in _phrases(words))
            control.report("asr", done / len(windows))
        return Transcript(tuple(segments), Language("en"), _warnings(options))

    def _decode(self, window: Window, remove_noise: bool) -> tuple[Word, ...]:
        """The words of one window, in file time."""
        pcm = _pcm16(window.samples())
        with self._lock:
            # Forgets the noise and the cepstral mean of the window before, which may be another request's. Takes 25 µs.
            self._decoder.config["remove_noise"] = remove_noise
            self._decoder.reinit_feat()
            self._decoder.start_utt()
            try:
                self._decoder.process_raw(pcm, full_utt=True)
            finally:
                self._decoder.end_utt()
            if self._decoder.hyp() is None:
                return ()
            heard = [(part.word, part.start_frame, part.end_frame + 1, part.prob) for part in self._decoder.seg()]
        return tuple(
            Word(
                text=" " + _PRONUNCIATION.sub("", text),
                start=window.to_file_time(start * _FRAME_S, "start"),
                end=window.to_file_time(end * _FRAME_S, "end"),
                confidence=min(max(float(probability), 0.0), 1.0),
            )
            for text, start, end, probability in heard
            if not _FILLER.match(text)
        )


def _load_decoder() -> Any:  # published without types
    try:
        from pocketsphinx import Decoder
    except ImportError as error:
        raise EngineUnavailable(f"The embedded ASR engine needs PocketSphinx. Run: {_INSTALL}") from error
    model = _model_folder()
    try:
        return Decoder(
            hmm=str(model / "en-us"),
            lm=str(model / "en-us.lm.bin"),
            dict=str(model / "cmudict-en-us.dict"),
            loglevel="FATAL",
        )
    except RuntimeError as error:
        raise EngineUnavailable(f"PocketSphinx's English model cannot be read. Run: {_INSTALL} --force-reinstall") from error


def _model_folder() -> Path:
    """Where the wheel keeps its model. PocketSphinx's own search would let POCKETSPHINX_PATH choose another one."""
    import pocketsphinx

    return Path(pocketsphinx.__file__).parent / "model" / "en-us"


def _pcm16(samples: NDArray[np.float32]) -> bytes:
    """The window at its standard level, as the 16-bit samples that the decoder takes."""
    peak = float(np.abs(samples).max())
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    gain = min(_RMS / rms, _PEAK / peak) if peak > 0 else 1.0
    return np.round(samples * (gain * 32767)).astype(np.int16).tobytes()


def _phrases(words: tuple[Word, ...]) -> Iterator[tuple[Word, ...]]:
    """The words, cut at pauses."""
    first = 0
    for at in range(1, len(words) + 1):
        if at == len(words) or words[at].start - words[at - 1].end >= PAUSE_S:
            yield words[first:at]
            first = at


def _segment(words: tuple[Word, ...], word_timestamps: bool) -> Segment:
    text = "".join(word.text for word in words)
    return Segment(words[0].start, words[-1].end, text, words if word_timestamps else ())


def _warnings(options: TranscribeOptions) -> tuple[Warning_, ...]:
    unheeded = {
        "prompt": options.prompt is not None,
        "hotwords": bool(options.hotwords),
        "temperature": options.temperature != 0.0,
    }
    return tuple(
        Warning_("asr", f"{name}_ignored", f"The embedded ASR engine takes no {name}.")
        for name, given in unheeded.items()
        if given
    )
