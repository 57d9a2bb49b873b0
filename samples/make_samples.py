"""Speak the scripted sample recordings, with references that are known and not guessed.

    python samples/make_samples.py [--out DIR]

Writes, into DIR (by default the folder of this file), for each conversation `NAME.flac` (16 kHz mono), `NAME.stm`,
`NAME.rttm` and `NAME.words.json`, and under `edge/` the clips that a pipeline must survive. The voices are those of the
Debian packages flite and espeak-ng, spoken to through their C libraries, because only those tell where each word lies.

The scripts, the voices and the seeds below are the only inputs: on the same package versions a rerun gives the same
references byte for byte. Nothing here judges a recogniser; `python -m evaluation` does that.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

Samples = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
FRAME = SAMPLE_RATE_HZ // 100  # samples in the 10 ms over which loudness is judged
AUDIBLE_DB = -40.0  # a frame whose peak lies lower than this against the utterance's own peak is silence
PAUSE_S = 0.3  # a pause inside an utterance at least this long splits its RTTM region
SPEECH_RMS_DB = -26.0  # loudness of a voice with gain 0, against full scale
MARGIN_S = 0.6  # room before the first and after the last word of a conversation


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is written, punctuation included, with its times in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Voice:
    """How one person sounds.

    `name` is `flite:VOICE` or `espeak:VOICE`. `rate` stretches flite's durations (1.1 is 10 % slower) and is words a
    minute for espeak-ng; `pitch` is flite's mean in hertz (0 leaves the voice its own) and 0 to 99 for espeak-ng.
    """

    name: str
    rate: float
    pitch: float = 0.0
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance of a script. `gap_s` runs from the end of the line before; negative means that the two overlap."""

    speaker: str
    text: str
    gap_s: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """A script with its voices, the level of the room noise under it (against full-scale) and that noise's seed."""

    name: str
    voices: dict[str, Voice]
    lines: tuple[Line, ...]
    noise_db: float
    seed: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """A spoken line, trimmed to what is audible; its words count from the first of its samples."""

    speaker: str
    samples: Samples
    words: tuple[Word, ...]
    start: float = 0.0

    @property
    def end(self) -> float:
        return self.start + len(self.samples) / SAMPLE_RATE_HZ


MEETING = Conversation(
    name="meeting",
    voices={
        "Anna": Voice("flite:slt", 1.05, gain_db=0.0),
        "Martin": Voice("flite:rms", 1.0, gain_db=2.0),
        "Peter": Voice("flite:kal16", 1.0, gain_db=-2.0),
    },
    lines=(
        Line("Anna", "Good morning everyone. Thank you all for coming to this meeting.", 0.0),
        Line("Anna", "Today we have to talk about the new website and the budget of our project.", 0.5),
        Line("Martin", "Good morning. The website is almost finished.", 0.6),
        Line("Martin", "We had some problems with the payment page last week, but they are solved now.", 0.4),
        Line("Peter", "That is good news. When will our customers see the new website?", 0.7),
        Line("Martin", "I think we need two more weeks for the final tests.", 0.5),
        Line("Anna", "The summer sale begins in June, so we cannot wait for a long time.", 0.8),
        Line("Peter", "What if we open the website on the first of June?", 0.4),
        Line("Martin", "Yes, we can do that. It gives us enough time to test everything.", 0.5),
        Line("Anna", "Very good. So we decided to open the new website on the first of June.", 0.7),
        Line("Anna", "Now the budget. Peter, how much money is left?", 0.9),
        Line("Peter", "We have about ten thousand dollars for the rest of the year.", 0.5),
        Line("Peter", "We could spend it on radio advertising or on a better camera.", 0.4),
        Line("Martin", "The pictures on our website are very old. I think a better camera would help us more.", 0.6),
        Line("Anna", "I agree with you. So let us go with the new camera.", 0.5),
        Line("Peter", "All right. I will send the budget report to the director by Friday.", 0.6),
        Line("Anna", "Martin, can you call the printer tomorrow and ask about the price?", 0.5),
        Line("Martin", "Yes, of course. I will call the printer tomorrow morning.", 0.3),
        Line("Anna", "And I will write a letter to our customers before Monday.", 0.6),
        Line("Peter", "Is there anything else we have to discuss today?", 0.7),
        Line("Anna", "That was everything for today. We will meet again on Tuesday at nine.", 0.4),
        Line("Martin", "See you on Tuesday.", 0.5),
    ),
    noise_db=-64.0,
    seed=1,
)

CALL = Conversation(
    name="call",
    voices={
        "Laura": Voice("flite:slt", 1.05, gain_db=0.0),
        "David": Voice("espeak:en-us+klatt2", 150, pitch=50, gain_db=-1.0),
    },
    lines=(
        Line("Laura", "Good afternoon, this is the customer service. How can I help you?", 0.0),
        Line("David", "Hello, this is David Brown. There is a problem with my new printer.", 0.4),
        Line("Laura", "I am sorry about that. What is the problem?", 0.35),
        Line("David", "The machine makes a loud noise and then it stops.", 0.4),
        Line("Laura", "Is there a red light on the front of the machine?", 0.35),
        Line("David", "Yes.", 0.35),
        Line("Laura", "Please open the cover and look inside.", 0.25),
        Line("David", "Of course. One moment. Everything looks good.", 0.35),
        Line("David", "I called the store yesterday and they told me to wait for another week.", 0.4),
        Line("Laura", "Do not worry. I know this problem.", -1.0),
        Line("Laura", "Please turn the printer off and take out the black box on the left.", 0.35),
        Line("David", "Okay.", 0.4),
        Line("Laura", "There should be a yellow paper on the bottom.", 0.35),
        Line("David", "Yes, I see it.", 0.25),
        Line("Laura", "Please remove the yellow paper and put the box back. Then turn on the printer again.", 0.35),
        Line("David", "The red light is gone. Now the printer is working. That is wonderful!", 0.4),
        Line("Laura", "Very good. I will send you a new black box tomorrow, free of charge.", 0.35),
        Line("David", "That is very good news.", 0.35),
        Line("Laura", "Thank you for calling us today. Goodbye.", 0.1),
    ),
    noise_db=-64.0,
    seed=2,
)

ONE_WORD = Line("Anna", "Hello.", 1.2)


# ---------------------------------------------------------------- the two synthesisers


_FLITE = "libflite.so.1"
_NEW_NAMESPACE, _NAMESPACE_OF = -1, 1  # LM_ID_NEWLM and RTLD_DI_LMID


class _FliteVoice(ctypes.Structure):
    """The head of flite's `cst_voice`: all that is needed to set a feature."""

    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class _FliteWave(ctypes.Structure):
    """flite's `cst_wave`."""

    _fields_ = (
        ("type", ctypes.c_char_p),
        ("rate", ctypes.c_int),
        ("n", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


def _breathe_as_at_first(engine: ctypes.CDLL) -> None:
    """Both draw their breath noise from the `rand` of the C library that they see: no line may depend on those before it."""
    engine.srand(1)


@cache
def _apart(name: str) -> ctypes.CDLL:
    """The library among none but flite's own and the C library's.

    Where FFmpeg's libraries were loaded before, those bring flite along, and librom1394 answers its calls of `get_unit_size`:
    voices made of diphones then sound otherwise. See dlmopen(3) and dlinfo(3). Raises OSError where there is no such library.
    """
    process = ctypes.CDLL(None)
    process.dlmopen.restype, process.dlmopen.argtypes = ctypes.c_void_p, (ctypes.c_long, ctypes.c_char_p, ctypes.c_int)
    process.dlerror.restype = ctypes.c_char_p
    if name == _FLITE:
        namespace = ctypes.c_long(_NEW_NAMESPACE)
    else:
        namespace = ctypes.c_long()
        process.dlinfo(ctypes.c_void_p(_apart(_FLITE)._handle), _NAMESPACE_OF, ctypes.byref(namespace))
    handle = process.dlmopen(namespace, name.encode(), os.RTLD_NOW)
    if not handle:
        raise OSError(process.dlerror().decode())
    return ctypes.CDLL(name, handle=handle)


@cache
def _flite() -> ctypes.CDLL:
    library = _apart(_FLITE)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float
    for name, result, arguments in (
        ("flite_synth_text", pointer, (text, pointer)),
        ("feat_set_float", None, (pointer, text, number)),
        ("utt_wave", ctypes.POINTER(_FliteWave), (pointer,)),
        ("utt_relation", pointer, (pointer, text)),
        ("relation_head", pointer, (pointer,)),
        ("item_next", pointer, (pointer,)),
        ("path_to_item", pointer, (pointer, text)),
        ("item_feat_float", number, (pointer, text)),
        ("delete_utterance", None, (pointer,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.flite_init()
    return library


@cache
def _flite_voice(name: str) -> Any:
    register = getattr(_apart(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
    register.restype, register.argtypes = ctypes.POINTER(_FliteVoice), (ctypes.c_void_p,)
    return register(None)


def speak_flite(text: str, voice: str, stretch: float, pitch_hz: float) -> tuple[Samples, list[Word]]:
    """Word times are exact: each phone that flite placed is followed up its own tree to the token it came from."""
    flite, speaker = _flite(), _flite_voice(voice)
    _breathe_as_at_first(flite)
    flite.feat_set_float(speaker.contents.features, b"duration_stretch", stretch)
    if pitch_hz:
        flite.feat_set_float(speaker.contents.features, b"int_f0_target_mean", pitch_hz)
    utterance = flite.flite_synth_text(text.encode(), ctypes.cast(speaker, ctypes.c_void_p))
    wave = flite.utt_wave(utterance).contents
    if (wave.rate, wave.channels) != (SAMPLE_RATE_HZ, 1):
        raise ValueError(f"flite's voice {voice} is not 16 kHz mono")
    samples = np.ctypeslib.as_array(wave.samples, (wave.n,)).astype(np.float32) / np.float32(32768)

    spans: dict[int, tuple[float, float]] = {}  # by the address of the token, in the order of speech
    phone, start = flite.relation_head(flite.utt_relation(utterance, b"Segment")), 0.0
    while phone:
        end = flite.item_feat_float(phone, b"end")
        token = flite.path_to_item(phone, b"R:SylStructure.parent.parent.R:Token.parent")
        if token:  # a pause has none
            spans[token] = (spans.get(token, (start, end))[0], end)
        phone, start = flite.item_next(phone), end
    flite.delete_utterance(utterance)
    return samples, [Word(t, *span) for t, span in zip(text.split(), spans.values(), strict=True)]


class _EspeakEvent(ctypes.Structure):
    """espeak-ng's `espeak_EVENT`."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("message", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # characters, from 1
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_longlong),
    )


_ESPEAK_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_EspeakEvent))
_ESPEAK_LIST_END, _ESPEAK_WORD = 0, 1  # espeak_EVENT_TYPE
_ESPEAK_SYNCHRONOUS, _ESPEAK_RATE, _ESPEAK_PITCH, _ESPEAK_UTF8 = 2, 1, 3, 1


@cache
def _espeak() -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL("libespeak-ng.so.1")
    return library, library.espeak_Initialize(_ESPEAK_SYNCHRONOUS, 0, None, 0)


def speak_espeak(text: str, voice: str, words_per_minute: float, pitch: float) -> tuple[Samples, list[Word]]:
    """Word starts are espeak-ng's own, to the millisecond; a word ends where the sound before the next one ends.

    Raises ValueError for a text whose words espeak-ng joins ("in the"): there is no true time to be had for those.
    """
    espeak, rate = _espeak()
    _breathe_as_at_first(espeak)
    pieces: list[NDArray[np.int16]] = []
    onsets: dict[int, float] = {}

    def collect(samples: Any, count: int, events: Any) -> int:
        if count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != _ESPEAK_LIST_END:
            if events[i].type == _ESPEAK_WORD:
                onsets.setdefault(events[i].text_position - 1, events[i].audio_ms / 1000)
            i += 1
        return 0

    callback = _ESPEAK_CALLBACK(collect)
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueError(f"espeak-ng has no voice {voice}")
    espeak.espeak_SetParameter(_ESPEAK_RATE, int(words_per_minute), 0)
    espeak.espeak_SetParameter(_ESPEAK_PITCH, int(pitch), 0)
    data = text.encode() + b"\0"
    espeak.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, _ESPEAK_UTF8, None, None)

    divisor = np.gcd(SAMPLE_RATE_HZ, rate)
    raw = np.concatenate(pieces).astype(np.float32) / 32768
    samples = resample_poly(raw, SAMPLE_RATE_HZ // divisor, rate // divisor).astype(np.float32)
    tokens = list(re.finditer(r"\S+", text))
    if missing := [token.group() for token in tokens if token.start() not in onsets]:
        raise ValueError(f"espeak-ng gives no time for {missing}")
    starts = [onsets[token.start()] for token in tokens]
    audible = audible_frames(samples)
    words = []
    for token, start, limit in zip(tokens, starts, [*starts[1:], len(samples) / SAMPLE_RATE_HZ], strict=True):
        inside = audible[(audible >= start * 100) & (audible < limit * 100 - 1)]
        words.append(Word(token.group(), start, min(limit, (inside[-1] + 1) / 100)))
    return samples, words


# ---------------------------------------------------------------- from lines to a recording


def audible_frames(samples: Samples) -> NDArray[np.intp]:
    """Numbers of the 10 ms frames whose peak is at most 40 dB under the loudest sample."""
    peaks = np.abs(samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)).max(axis=1)
    return np.flatnonzero(peaks > peaks.max() * 10 ** (AUDIBLE_DB / 20))


def say(line: Line, voice: Voice) -> Utterance:
    """One line in one voice: trimmed to its audible part and set to the voice's loudness."""
    engine, _, name = voice.name.partition(":")
    speak = {"flite": speak_flite, "espeak": speak_espeak}[engine]
    samples, words = speak(line.text, name, voice.rate, voice.pitch)
    audible = audible_frames(samples)
    first, last = int(audible[0]) * FRAME, int(audible[-1] + 1) * FRAME
    samples = samples[first:last]
    length = len(samples) / SAMPLE_RATE_HZ

    def within(time: float) -> float:
        return min(max(time - first / SAMPLE_RATE_HZ, 0.0), length)

    level = 10 ** ((SPEECH_RMS_DB + voice.gain_db) / 20) / float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
    return Utterance(
        line.speaker,
        (samples * level).astype(np.float32),
        tuple(Word(w.text, within(w.start), within(w.end)) for w in words),
    )


def arrange(conversation: Conversation) -> list[Utterance]:
    """All utterances at their places; each gap counts from the end of the line before it."""
    placed: list[Utterance] = []
    clock = MARGIN_S
    for line in conversation.lines:
        start = round((clock + line.gap_s) * 100) / 100  # whole frames, so that every reference is exact
        placed.append(replace(say(line, conversation.voices[line.speaker]), start=start))
        clock = placed[-1].end
    return placed


def mix(utterances: Sequence[Utterance], duration_s: float, noise_db: float, seed: int) -> Samples:
    """Sum of the utterances over a quiet room, whose noise has the given RMS level against full scale."""
    track = room_noise(duration_s, noise_db, seed)
    for utterance in utterances:
        start = round(utterance.start * SAMPLE_RATE_HZ)
        track[start : start + len(utterance.samples)] += utterance.samples
    return track


def room_noise(duration_s: float, level_db: float, seed: int) -> Samples:
    """Gaussian noise whose power falls with frequency (pink), as that of a quiet room does."""
    n = round(duration_s * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ), 50.0))
    noise = np.fft.irfft(spectrum, n)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)) * 10 ** (level_db / 20), dtype=np.float32)


def chords(duration_s: float) -> Samples:
    """Music-like: four chords in turn, each of plucked notes with three overtones, over a 50 Hz mains hum."""
    n = round(duration_s * SAMPLE_RATE_HZ)
    time = np.arange(n) / SAMPLE_RATE_HZ
    track = 0.01 * np.sin(2 * np.pi * 50 * time) + 0.005 * np.sin(2 * np.pi * 100 * time)
    progression = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))  # C, Am, F, G in hertz
    each = n // len(progression)
    for i, notes in enumerate(progression):
        local = time[:each]
        envelope = np.minimum(local / 0.02, 1.0) * np.exp(-1.5 * local)
        for hertz in notes:
            for harmonic in (1, 2, 3):
                partial = np.sin(2 * np.pi * hertz * harmonic * local) / harmonic**2
                track[i * each : (i + 1) * each] += 0.08 * envelope * partial
    return track.astype(np.float32)


# ---------------------------------------------------------------- files


def write_flac(path: Path, samples: Samples) -> None:
    """16-bit mono FLAC at 16 kHz."""
    pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, options={"compression_level": "12"})
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_references(folder: Path, name: str, utterances: Sequence[Utterance]) -> None:
    """`NAME.stm`, `NAME.rttm` and `NAME.words.json`, times in seconds to the millisecond."""
    stm, rttm, words = [], [], []
    for utterance in sorted(utterances, key=lambda u: u.start):
        spoken = [Word(w.text, utterance.start + w.start, utterance.start + w.end) for w in utterance.words]
        text = " ".join(w.text for w in spoken)
        stm.append(f"{name} 1 {utterance.speaker} {utterance.start:.3f} {utterance.end:.3f} <o> {text}")
        for start, end in speech_regions(spoken, utterance.start, utterance.end):
            rttm.append(f"SPEAKER {name} 1 {start:.3f} {end - start:.3f} <NA> <NA> {utterance.speaker} <NA> <NA>")
        words += [
            {"speaker": utterance.speaker, "word": w.text, "start": round(w.start, 3), "end": round(w.end, 3)} for w in spoken
        ]
    (folder / f"{name}.stm").write_text("\n".join(stm) + "\n", encoding="utf-8")
    (folder / f"{name}.rttm").write_text("\n".join(rttm) + "\n", encoding="utf-8")
    lines = ",\n".join(json.dumps(word) for word in words)
    (folder / f"{name}.words.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def speech_regions(words: Sequence[Word], start: float, end: float) -> list[tuple[float, float]]:
    """The utterance from start to end, cut at pauses of at least 0.3 s between its words."""
    cuts = [(a.end, b.start) for a, b in pairwise(words) if b.start - a.end >= PAUSE_S]
    edges = [start, *(time for cut in cuts for time in cut), end]
    return list(zip(edges[::2], edges[1::2], strict=True))


def write_conversation(folder: Path, conversation: Conversation) -> None:
    utterances = arrange(conversation)
    duration_s = max(u.end for u in utterances) + MARGIN_S
    write_flac(folder / f"{conversation.name}.flac", mix(utterances, duration_s, conversation.noise_db, conversation.seed))
    write_references(folder, conversation.name, utterances)


def write_edge_clips(folder: Path) -> None:
    """Recordings with nothing, or almost nothing, to transcribe."""
    folder.mkdir(parents=True, exist_ok=True)
    write_flac(folder / "silence.flac", np.zeros(5 * SAMPLE_RATE_HZ, np.float32))
    write_flac(folder / "noise.flac", room_noise(5.0, -30.0, seed=3))
    write_flac(folder / "tone.flac", chords(5.0))
    word = say(ONE_WORD, MEETING.voices["Anna"])
    middle = len(word.samples) // 2
    write_flac(folder / "short.flac", word.samples[middle - SAMPLE_RATE_HZ // 20 : middle + SAMPLE_RATE_HZ // 20])
    word = replace(word, start=ONE_WORD.gap_s)
    write_flac(folder / "one_word.flac", mix([word], 3.0, -60.0, seed=4))
    write_references(folder, "one_word", [word])


def main() -> None:
    parser = argparse.ArgumentParser(description="Speak the sample recordings and write their references.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write into")
    parser.add_argument("--only", choices=("meeting", "call", "edge"), help="make only this one")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for conversation in (MEETING, CALL):
        if options.only in (None, conversation.name):
            write_conversation(options.out, conversation)
    if options.only in (None, "edge"):
        write_edge_clips(options.out / "edge")


if __name__ == "__main__":
    main()
