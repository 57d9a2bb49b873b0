"""Bytes to samples: `decode_audio` turns any recording into one mono waveform at 16 kHz.

The container format is read from the bytes, never from a name. FFmpeg (through PyAV) decodes from memory, once, as a stream:
no temporary file, no second copy of the upload, and no more work on a file that has passed a limit. A file can ask for
nothing outside itself: see `_open_options`.

Not here: fetching addresses, telling speech from other sound, keeping channels apart.

**Which truncations are found.** WAV (also RF64), AIFF, AU, FLAC, TTA, WavPack, Monkey's Audio, MP4/M4A/MOV, and Matroska/WebM
with one track state their length; one that ends earlier than it says is refused as `TruncatedAudio`, and so is an MP4 without
its index or a file that breaks off inside a structure its demuxer needs whole. Lengths that a program writes when it cannot
know better (0, or about 2 GiB or 4 GiB: streaming WAV) count as not stated. MP3, AAC, Ogg, AMR, MPEG-TS, ASF, AVI, CAF, W64,
and Matroska with several tracks or without a duration look the same cut or whole: what is there is decoded.

**Damage in the middle.** What decodes is kept. Where packets are missing or do not decode and the format has a clock (see
`_HAS_CLOCK`), silence takes their place, so that later times stay right, up to ten minutes or as much as there is sound;
beyond that, and without a clock, the sound closes up. `Audio.holes` counts the places, and a file of which most packets fail
is `NotAudio`. Damage that still decodes cannot be seen: all of it in PCM and WavPack, some in other formats.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from roundtable.errors import (
    AudioTooLarge,
    AudioTooLong,
    EmptyAudio,
    InvalidBase64,
    InvalidSamples,
    NoAudioTrack,
    NotAudio,
    RequestError,
    TruncatedAudio,
)

SAMPLE_RATE_HZ = 16_000

# Rates outside are headers that lie; a resampling filter for 2 GHz would take gigabytes. 768 kHz is the fastest PCM sold.
_RATES_HZ = range(1_000, 768_001)

# A hole in the file's clock that is worth filling, and a shortfall that is worth refusing. Encoder delay, timestamps in
# whole milliseconds and network jitter stay well below.
_TOLERANCE_S = 0.1
# Where every frame says with which sample it begins: one frame that is lost, some 70 ms, is a hole.
_EXACT_TOLERANCE_S = 0.005
_EXACT_CLOCK = frozenset({"flac", "tta"})

# In formats whose clock may start anew in the middle (spliced broadcasts, chained Ogg), a longer jump is that, not a loss.
_MAX_DISCONTINUITY_S = 60.0
_AVFMT_TS_DISCONT = 0x0200  # FFmpeg's flag on such formats
# Silence put in for what is missing never exceeds this or the sound that there is: a file of a few kB with a wild clock would
# become hours of it.
_MAX_SILENCE_S = 600.0
# A clock that steps back by more than this has started anew, in any format.
_RESTART_S = 1.0

# Decoded frames (a thousand samples or so) are mixed and resampled in blocks, in half the time.
_BLOCK_SAMPLES = 32_768

# Of a recording's loudness (RMS), the least mean that is taken for its device's offset; speech has a fortieth at most.
# Whisper loses words from three tenths on, and at the triple hears nothing.
_OFFSET = 0.1

# The least that a waveform is given room for: large enough that it is not part of a heap.
_FIRST_SAMPLES = 30 * SAMPLE_RATE_HZ

# Containers that hold all their data themselves. Playlists, scripts, manifests, session descriptions, devices, numbered
# picture files and everything else that may name another file or address stay out, and so do raw formats without a header.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dss,dts,dtshd,dv,eac3,flac,flv,gxf,iff,ilbc,ircam,loas,matroska,mlp,mov,mp3,mpc,"
    "mpc8,mpeg,mpegts,mxf,nistsphere,nut,ogg,oma,qcp,rm,sox,tak,truehd,tta,voc,w64,wav,wv"
)
# Opened only to say "a picture, without sound": reading one byte stream, they know no file names.
_PICTURES = "apng,bmp_pipe,gif,gif_pipe,jpeg_pipe,png_pipe,tiff_pipe,webp,webp_pipe"

# Formats whose header states the track's length exactly, or not at all.
_STATES_LENGTH = frozenset(
    {"aiff", "ape", "au", "flac", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "tta", "wav", "wv"},
)
# Formats whose timestamps tell of a loss. In bare streams (MP3, AAC, AC-3, AMR) and AVI they only count the bytes or packets
# that are there, and may run at another pace than the sound.
_HAS_CLOCK = frozenset(
    {"asf", "flac", "flv", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "mpeg", "mpegts", "mxf", "nut", "ogg", "tta", "wv"},
)
# From here on a size in a header is a placeholder: sox writes 0x7F000000 or 0x7FFFF000, arecord 2^31, FFmpeg 2^32 - 1.
_PLACEHOLDER_BYTES = 0x7EFF0000  # a little less, since headers are not counted

# The list of titles and authors in a WAV or AVI. FFmpeg believes its size and clears as much memory, up to 2 GiB.
_RIFF_INFO = re.compile(rb"LIST(.{4})INFO", re.DOTALL)

# Everything that PyAV is known to raise, apart from running out of memory in Python itself.
_DECODER_ERRORS = (av.FFmpegError, ValueError, RuntimeError, ArithmeticError, LookupError)

# Titles and the like may be in any encoding. From 19 on PyAV takes them as they are; before, it has to be told.
_LENIENT_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}

_ASCII_WHITESPACE = b" \t\n\r\f\v"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Audio:
    """Mono float32 samples at 16 kHz, shape (n,), n >= 1, read-only. Compared and hashed by identity.

    `holes` counts the places where the file had no sound that decodes: damage, or a pause that was never recorded.
    """

    samples: NDArray[np.float32]
    holes: int = 0

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


def decode_audio(data: bytes, *, max_bytes: int, max_seconds: float) -> Audio:
    """Decode any container that FFmpeg reads into mono at 16 kHz: the plain mean of all channels, nothing clipped. Only a
    constant offset, as poor sound cards add, is taken out.

    Of several tracks FFmpeg's best is taken: the one marked as default, then the one with the higher bit rate. The recording
    starts with that track's first sample. Safe to call from several threads.

    Cost: peak memory is the waveform (64 kB per second) and an eighth, whatever the container: resident memory grows by 243 to
    246 MB for an hour of FLAC, AAC or Opus, 230 of them the waveform.

    Raises:
        EmptyAudio, AudioTooLarge: before anything is decoded.
        AudioTooLong: as soon as more than `max_seconds` are decoded, whatever the header says.
        NotAudio, NoAudioTrack, TruncatedAudio, InvalidSamples: see the module's text and `roundtable.errors`.
    """
    if not data:
        raise EmptyAudio("The recording is empty: it has no bytes.")
    if len(data) > max_bytes:
        raise AudioTooLarge(f"The recording is larger than the limit of {max_bytes} bytes.")
    with _open(data) as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, AudioStream):
            raise NoAudioTrack("The file has no audio track.")
        # None where FFmpeg knows the codec's name but has no decoder for it; PyAV's types do not say so.
        if getattr(stream, "codec_context", None) is None:
            raise NotAudio("The file's audio track uses a codec that cannot be decoded here.")
        return _decode(container, stream, data, max_seconds)


def decode_base64(text: str, *, max_bytes: int) -> bytes:
    """Decode base64, plain or as a `data:...;base64,` URI, strictly and once.

    ASCII whitespace is allowed anywhere in the data, since most encoders wrap lines. Nothing else is: the alphabet is the
    standard one and the padding is required.

    Raises:
        AudioTooLarge: if more than `max_bytes` would come out; found before anything is decoded.
        InvalidBase64: for everything that is not base64.
        EmptyAudio: if there is nothing to decode.
    """
    if not text.isascii():
        raise InvalidBase64("The audio is not base64: it holds characters outside ASCII.")
    if text[:5].lower() == "data:":
        header, comma, text = text.partition(",")
        if not comma or not header.lower().endswith(";base64"):
            raise InvalidBase64("The data URI is not base64: it must begin with data:<type>;base64, and a comma.")
    encoded = text.encode("ascii").translate(None, _ASCII_WHITESPACE)
    if not encoded:
        raise EmptyAudio("The recording is empty: there is no base64 text.")
    if len(encoded) // 4 * 3 - encoded[-2:].count(b"=") > max_bytes:
        raise AudioTooLarge(f"The recording is larger than the limit of {max_bytes} bytes.")
    if b"-" in encoded or b"_" in encoded:
        raise InvalidBase64("The audio is in the URL-safe base64 alphabet (- and _): send the standard one (+ and /).")
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error as exc:
        raise InvalidBase64(
            "The audio is not base64: a character or the padding (=) is wrong. Send the recording itself: "
            "paths and URLs are not taken."
        ) from exc


class _Bytes(io.BytesIO):
    """The upload as a file (shared, not copied) that answers a seek to an impossible place as C does.

    A Python exception inside FFmpeg's callback would surface later, elsewhere, or be printed.
    """

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return -1


@cache
def _open_options() -> dict[str, str]:
    """What keeps a hostile file from reaching outside itself, or more code than it needs.

    Two barriers, each enough alone: only self-contained formats are opened, and no protocol, not even `file`, may be used to
    open anything else. Beyond that, only audio decoders run: the pictures of a video are not decoded to look at its streams.
    """
    names = sorted(av.codecs_available)
    return {
        "format_whitelist": f"{_CONTAINERS},{_PICTURES}",
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(name for name in names if _is_audio_decoder(name)),
    }


def _is_audio_decoder(name: str) -> bool:
    try:
        return av.Codec(name, "r").type == "audio"
    except av.codec.codec.UnknownCodecError:  # an encoder
        return False


@contextmanager
def _failing_as(error: RequestError) -> Iterator[None]:
    """Let whatever FFmpeg or PyAV raise inside become `error`."""
    try:
        yield
    except RequestError:  # a ValueError, too
        raise
    except _DECODER_ERRORS as exc:
        raise error from exc


def _open(data: bytes) -> InputContainer:
    if data[:4] in (b"RIFF", b"RF64") and any(
        int.from_bytes(size[1], "little") > len(data) for size in _RIFF_INFO.finditer(data)
    ):
        raise TruncatedAudio("The file is damaged: a part of it claims to be larger than the whole.")
    # An MP4 file begins with one of these boxes; without its index at the end nothing in it can be found.
    if data[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip", b"moov"):
        error: RequestError = TruncatedAudio(
            "The MP4 file is incomplete: its index, which often stands at the end, cannot be read."
        )
    else:
        error = NotAudio("The file is not a recording in a format that can be read.")
    with _failing_as(error):
        container: InputContainer = av.open(_Bytes(data), "r", container_options=_open_options(), **_LENIENT_METADATA)
    return container


def _decode(container: InputContainer, stream: AudioStream, data: bytes, max_seconds: float) -> Audio:
    waveform = _Waveform(
        max_seconds,
        start_s=_in_seconds(stream.start_time, stream.time_base),
        has_clock=container.format.name in _HAS_CLOCK,
        tolerance_s=_EXACT_TOLERANCE_S if container.format.name in _EXACT_CLOCK else _TOLERANCE_S,
        clock_may_jump=bool(container.format.flags & _AVFMT_TS_DISCONT),
    )
    undecodable = NotAudio("The file's audio track cannot be decoded.")
    broken_off = TruncatedAudio(
        "The recording breaks off: a part of the file is missing or damaged, and nothing after it can be read."
    )
    decoded = failed = 0
    packets = container.demux(stream)
    while True:
        with _failing_as(broken_off if decoded else undecodable):
            packet = next(packets, None)
        if packet is None:
            break
        try:
            frames = packet.decode()
        except _DECODER_ERRORS:
            failed += 1
            waveform.note_damage()
            continue
        for frame in frames:
            with _failing_as(undecodable):
                waveform.add(frame)
            decoded += 1
    if failed > decoded:
        raise undecodable
    stated_s = _stated_seconds(container, stream, data)
    if stated_s is not None and waveform.seconds + waveform.closed_up_s < stated_s - _TOLERANCE_S:
        raise TruncatedAudio("The recording is incomplete: it ends before the file says it does.")
    with _failing_as(undecodable):
        return waveform.finish()


def _stated_seconds(container: InputContainer, stream: AudioStream, data: bytes) -> float | None:
    """How long the file itself says the track is; None where it does not, or where its word is worth little."""
    if container.format.name not in _STATES_LENGTH:
        return None
    if container.format.name == "matroska,webm":
        # Its duration is that of the longest track.
        return container.duration / av.time_base if container.duration and len(container.streams) == 1 else None
    stated_s = _in_seconds(stream.duration, stream.time_base)
    if stated_s is None:
        return None
    bytes_per_s = (stream.codec_context.bit_rate or 0) / 8
    if data[:4] == b"RIFF" and bytes_per_s:
        # FFmpeg reports what is there; the RIFF header tells what should be.
        size = 8 + int.from_bytes(data[4:8], "little")
        stated_s += max(0, size - len(data)) / bytes_per_s
    return stated_s if stated_s * bytes_per_s < _PLACEHOLDER_BYTES else None


def _in_seconds(ticks: int | None, time_base: Fraction | None) -> float | None:
    return None if ticks is None or time_base is None else float(ticks * time_base)


class _Waveform:
    """Collects decoded frames into mono at 16 kHz, and keeps to the clock of the file.

    `seconds` is how much there is so far, in the file's own time; `closed_up_s` how much that time claims beyond it.
    """

    def __init__(
        self, max_seconds: float, *, start_s: float | None, has_clock: bool, tolerance_s: float, clock_may_jump: bool
    ) -> None:
        self.seconds = 0.0
        self.closed_up_s = 0.0
        self._max_seconds = max_seconds
        self._start_s = start_s
        self._has_clock = has_clock
        self._tolerance_s = tolerance_s
        self._clock_may_jump = clock_may_jump
        self._holes = 0
        self._silence_s = 0.0
        self._stepped_back_s = 0.0
        self._damaged = False
        self._samples = np.empty(0, np.float32)
        self._count = 0
        self._source: tuple[int, str, str] | None = None

    def note_damage(self) -> None:
        """A packet could not be decoded; the next frame tells how much is missing."""
        self._damaged = True

    def add(self, frame: AudioFrame) -> None:
        """Append one frame, after silence if the clock says that something is missing before it."""
        rate = frame.sample_rate
        if rate not in _RATES_HZ:
            raise NotAudio("The file's sample rate is outside 1 kHz to 768 kHz.")
        if not frame.samples:
            return
        self._keep_to_clock(frame)
        self._advance(frame.samples / rate)
        source = (rate, frame.format.name, frame.layout.name)
        if source != self._source:
            self._drain()
            self._source = source
            # Packed, because PyAV reads beyond the planes of a planar frame with eight channels or more.
            self._to_packed = AudioResampler(format="flt", frame_size=_BLOCK_SAMPLES)
            self._to_16k = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
        self._mix(self._to_packed.resample(frame))

    def finish(self) -> Audio:
        """All of it, as one array."""
        self._drain()
        if not self._count:
            raise EmptyAudio("The recording is empty: it has no samples.")
        samples, self._samples = self._samples, np.empty(0, np.float32)
        samples.resize(self._count, refcheck=False)
        _take_out_offset(samples)
        samples.setflags(write=False)
        return Audio(samples, holes=self._holes + self._damaged)

    def _room(self, count: int) -> NDArray[np.float32]:
        """The next so many samples, to be written before anything else happens here.

        One block that grows: a list of pieces would take as much again when they are put together, and leave a heap in pieces.
        """
        begun, self._count = self._count, self._count + count
        if self._count > len(self._samples):
            # An eighth more each time. The C library gives a large block new pages, and moves no sample.
            self._samples.resize(max(self._count, len(self._samples) * 9 // 8, _FIRST_SAMPLES), refcheck=False)
        return self._samples[begun : self._count]

    def _keep_to_clock(self, frame: AudioFrame) -> None:
        damaged, self._damaged = self._damaged, False
        time_s = frame.time if self._has_clock else None
        if time_s is None:  # what comes next follows at once
            self._holes += damaged
            return
        if self._start_s is None:
            self._start_s = time_s
        gap_s = time_s - self._start_s - self.seconds
        if gap_s < -_RESTART_S or (self._clock_may_jump and gap_s > _MAX_DISCONTINUITY_S):
            self._start_s += gap_s
            self._stepped_back_s = -gap_s
        elif self._stepped_back_s > 0 and abs(gap_s - self._stepped_back_s) < _RESTART_S:
            # It is back where it was, as with a short frame amid long ones, whose number stands for another time.
            self._start_s += gap_s
            self._stepped_back_s = 0.0
        elif gap_s > self._tolerance_s:
            damaged = True
            if self._silence_s + gap_s > max(_MAX_SILENCE_S, self.seconds - self._silence_s):
                self._start_s += gap_s  # the clock claims more than there is sound: close up
                self.closed_up_s += gap_s
            else:
                self._silence_s += gap_s
                self._advance(gap_s)
                self._drain()
                self._room(round(gap_s * SAMPLE_RATE_HZ))[:] = 0.0
        self._holes += damaged

    def _advance(self, seconds: float) -> None:
        self.seconds += seconds
        if self.seconds > self._max_seconds + 1e-6:  # less than a sample; what rounding adds up to
            raise AudioTooLong(f"The recording is longer than the limit of {self._max_seconds:g} seconds.")

    def _drain(self) -> None:
        """Take out what the resamplers still hold. They are spent after that: the next frame starts new ones."""
        if self._source is not None:
            self._mix(self._to_packed.resample(None))
            self._collect(self._to_16k.resample(None))
            self._source = None

    def _mix(self, blocks: list[AudioFrame]) -> None:
        """Average the channels of each block, and resample."""
        for block in blocks:
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
                mono = block.to_ndarray().reshape(block.samples, -1).mean(axis=1, dtype=np.float32)
            frame = AudioFrame.from_ndarray(mono[np.newaxis], "flt", "mono")
            frame.sample_rate = block.sample_rate
            self._collect(self._to_16k.resample(frame))

    def _collect(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            if frame is None:  # what a resampler with nothing to do returns when drained; its types do not say so
                continue
            samples = frame.to_ndarray()[0].astype(np.float32, copy=False)
            if not np.isfinite(samples).all():
                raise InvalidSamples("The recording holds samples that are not numbers (NaN) or infinite.")
            self._room(len(samples))[:] = samples


def _take_out_offset(samples: NDArray[np.float32]) -> None:
    """In place. Less than a second may be off the middle by chance."""
    if len(samples) < SAMPLE_RATE_HZ:
        return
    with np.errstate(over="ignore"):  # then it is no offset that makes it loud
        power = float(np.dot(samples, samples)) / len(samples)
    offset = float(samples.mean(dtype=np.float64))
    if abs(offset) > _OFFSET * power**0.5:
        samples -= np.float32(offset)
