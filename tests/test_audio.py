"""The decoder, on files of every kind that PyAV can write here, whole, cut, damaged, lying and hostile."""

from __future__ import annotations

import base64
import ctypes
import io
import json
import os
import socket
import struct
import sys
import threading
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roundtable import audio
from roundtable.audio import Audio, _Waveform, decode_audio, decode_base64
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

Sound = NDArray[np.float32]


def decode(data: bytes, *, max_bytes: int = 50_000_000, max_seconds: float = 3600) -> Audio:
    return decode_audio(data, max_bytes=max_bytes, max_seconds=max_seconds)


# -- making files ------------------------------------------------------------------------------------------------------


def tone(seconds: float, rate: int = 44_100, hz: float = 440.0, amplitude: float = 0.5) -> Sound:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def two_tones(rate: int = 48_000) -> Sound:
    """440 Hz for 8 s, then 880 Hz for 2 s, in a little noise so that all of it takes about as many bytes."""
    noise = np.random.default_rng(7).normal(0, 0.02, 10 * rate)
    return (np.concatenate([tone(8, rate), tone(2, rate, 880)]) + noise).astype(np.float32)


class Pipe(io.RawIOBase):
    """A file that cannot seek, so that a muxer cannot go back to write the sizes into its header."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)


def encode(
    sound: Sound,
    rate: int = 44_100,
    container: str = "wav",
    codec: str = "pcm_s16le",
    layout: str = "mono",
    *,
    to_pipe: bool = False,
    options: dict[str, str] | None = None,
    keep: Callable[[int], bool] = lambda _: True,
    delay_s: Callable[[int], float] = lambda _: 0.0,
) -> bytes:
    """Encode (n,) or (channels, n); of the packets, write those with `keep(index)`, each later by `delay_s(index)`."""
    file: Any = Pipe() if to_pipe else io.BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as output:
        stream: Any = output.add_stream(codec, rate=rate, layout=layout)
        if codec in ("wavpack", "tta"):
            stream.format = "s16p" if codec == "wavpack" else "s16"  # the first they offer has 8 bits
        if codec == "wmav2":
            stream.bit_rate = 64_000
        if codec == "vorbis":
            stream.options = {"strict": "experimental"}
        frame = av.AudioFrame.from_ndarray(np.atleast_2d(sound).T.reshape(1, -1).copy(), "flt", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        packets = [*stream.encode(frame), *stream.encode(None)]
        for index, packet in enumerate(packets):
            late = round(delay_s(index) / packet.time_base)
            packet.pts, packet.dts = packet.pts + late, packet.dts + late
            if keep(index):
                output.mux(packet)
    return bytes(file.data) if to_pipe else file.getvalue()


def encode_tracks(container: str, *tracks: tuple[str, float], default: int | None = None) -> bytes:
    """A file of 2 s with one track per (codec, pitch in Hz); a pitch of 0 stands for pictures."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        streams: list[Any] = []
        for codec, hz in tracks:
            stream: Any = output.add_stream(codec, rate=48_000 if hz else 10)
            if hz:
                stream.layout = "mono"
            else:
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            streams.append(stream)
        if default is not None:
            streams[default].disposition = 1  # AV_DISPOSITION_DEFAULT
        for stream, (_, hz) in zip(streams, tracks, strict=True):
            if hz:
                frame = av.AudioFrame.from_ndarray(tone(2, 48_000, hz)[np.newaxis], "fltp", "mono")
                frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
                output.mux([*stream.encode(frame), *stream.encode(None)])
            else:
                pictures = [av.VideoFrame.from_ndarray(np.full((48, 64, 3), 9 * i, np.uint8), "rgb24") for i in range(20)]
                output.mux([packet for picture in pictures for packet in stream.encode(picture)])
                output.mux(stream.encode(None))
    return file.getvalue()


def png() -> bytes:
    codec: Any = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 64, 48, "rgb24", Fraction(1, 25)
    picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
    return b"".join(bytes(packet) for packet in [*codec.encode(picture), *codec.encode(None)])


_MP4_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl"}


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def edit_mp4(data: bytes, edit: Callable[[bytes, bytes], bytes]) -> bytes:
    """Rebuild an MP4 with `edit(kind, body)` applied to every box, innermost first."""
    result, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + size]
        result += box(kind, edit(kind, edit_mp4(body, edit) if kind in _MP4_PARENTS else body))
        at += size
    return result


def index_first(data: bytes) -> bytes:
    """The same MP4 with its index before its sound."""
    at = data.index(b"moov") - 4

    def shift(kind: bytes, body: bytes) -> bytes:
        offsets = struct.iter_unpack(">I", body[8:]) if kind == b"stco" else ()
        return body[:8] + b"".join(struct.pack(">I", offset + len(data) - at) for (offset,) in offsets) if offsets else body

    start = 8 + data.index(b"ftyp") - 4 + struct.unpack_from(">I", data, data.index(b"ftyp") - 4)[0] - 8
    return data[:start] + edit_mp4(data[at:], shift) + data[start:at]


# -- measuring what comes out ------------------------------------------------------------------------------------------


def pitch(samples: Sound) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 16))
    return float(np.argmax(spectrum)) * 16_000 / (1 << 16)


def pitch_at(decoded: Audio, seconds: float) -> float:
    at = round(seconds * 16_000)
    return pitch(decoded.samples[at - 800 : at + 800])


def error_against(decoded: Audio, expected: NDArray[Any]) -> float:
    """The largest difference, leaving out 10 ms at each end, where a resampling filter sees the edge."""
    return float(np.abs(decoded.samples - expected)[160:-160].max())


# -- every kind of file ------------------------------------------------------------------------------------------------

LOSSLESS = [
    ("wav", "pcm_s16le", 44_100),
    ("wav", "pcm_s16le", 16_000),
    ("wav", "pcm_s16le", 48_000),
    ("wav", "pcm_s16le", 11_025),
    ("wav", "pcm_s24le", 44_100),
    ("wav", "pcm_s32le", 44_100),
    ("wav", "pcm_f32le", 96_000),
    ("wav", "pcm_f64le", 192_000),
    ("wav", "pcm_f32le", 16_000),
    ("flac", "flac", 44_100),
    ("ogg", "flac", 44_100),
    ("aiff", "pcm_s16be", 44_100),
    ("au", "pcm_s16be", 44_100),
    ("caf", "pcm_s16be", 44_100),
    ("w64", "pcm_s16le", 44_100),
    ("wv", "wavpack", 44_100),
    ("tta", "tta", 44_100),
    ("ipod", "alac", 44_100),
    ("mov", "pcm_s16le", 44_100),
    ("matroska", "flac", 44_100),
]


@pytest.mark.parametrize(("container", "codec", "rate"), LOSSLESS)
def test_lossless_files_come_out_sample_for_sample(container: str, codec: str, rate: int) -> None:
    """Right length, level and position in time: compared with the same tone made at 16 kHz."""
    decoded = decode(encode(tone(2, rate), rate, container, codec))
    assert decoded.samples.shape == (32_000,)
    assert decoded.samples.dtype == np.float32
    assert decoded.holes == 0
    assert error_against(decoded, tone(2, 16_000)) < 0.001


# Container, codec, rate, milliseconds that the codec adds (or drops) at the start and adds at the end, where the container does
# not tell of it.
LOSSY = [
    ("wav", "pcm_mulaw", 8_000, 0, 0),
    ("wav", "pcm_alaw", 8_000, 0, 0),
    ("wav", "pcm_u8", 22_050, 0, 0),
    ("mp3", "libmp3lame", 44_100, 0, 0),
    ("ogg", "libopus", 48_000, 0, 0),
    ("webm", "libopus", 48_000, 0, 0),
    ("ogg", "vorbis", 44_100, 0, 0),
    ("ipod", "aac", 44_100, 0, 24),
    ("mp4", "aac", 16_000, 0, 64),
    ("amr", "libopencore_amrnb", 8_000, 24, 0),
    ("adts", "aac", 44_100, 24, 48),
    ("asf", "wmav2", 44_100, -47, 47),
    ("mpegts", "mp2", 44_100, 15, 48),
    ("avi", "libmp3lame", 44_100, 30, 60),
]


@pytest.mark.parametrize(("container", "codec", "rate", "early_ms", "late_ms"), LOSSY)
def test_lossy_files_come_out_at_the_right_length_and_place(
    container: str, codec: str, rate: int, early_ms: int, late_ms: int
) -> None:
    """A second of silence, then a second of tone."""
    if codec not in av.codecs_available:
        pytest.skip(f"this build of PyAV cannot write {codec}")
    sound = np.concatenate([np.zeros(rate, np.float32), tone(1, rate)])
    layout = "stereo" if codec == "vorbis" else "mono"  # FFmpeg's own Vorbis encoder writes stereo only
    decoded = decode(encode(np.stack([sound, sound]) if layout == "stereo" else sound, rate, container, codec, layout))
    onset_ms = float(np.argmax(np.abs(decoded.samples) > 0.25)) / 16
    assert decoded.holes == 0
    assert min(0, early_ms) - 5 <= onset_ms - 1000 <= max(0, early_ms) + 5, onset_ms
    assert min(0, early_ms) - 5 <= decoded.duration_s * 1000 - 2000 <= early_ms + late_ms + 5, decoded.duration_s
    assert pitch_at(decoded, 1.5) == pytest.approx(440, abs=1)


def test_an_amr_file_written_by_hand() -> None:
    """Ten frames of AMR-NB at 12.2 kbit/s (type 7, 31 bytes, 20 ms each): no encoder is needed to know their length."""
    assert len(decode(b"#!AMR\n" + (b"\x3c" + bytes(31)) * 10).samples) == 3200


def test_the_index_of_an_m4a_may_stand_at_the_end_or_the_start() -> None:
    at_end = encode(tone(2), container="ipod", codec="aac")
    at_start = index_first(at_end)
    assert at_end.index(b"mdat") < at_end.index(b"moov")
    assert at_start.index(b"moov") < at_start.index(b"mdat")
    assert np.array_equal(decode(at_end).samples, decode(at_start).samples)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "avi", "mov"])
def test_the_sound_of_a_video(container: str) -> None:
    decoded = decode(encode_tracks(container, ("mpeg4", 0), ("mp2", 440)))
    assert decoded.duration_s == pytest.approx(2, abs=0.03)
    assert pitch_at(decoded, 1) == pytest.approx(440, abs=1)


def test_pictures_are_not_decoded_to_look_at_a_video() -> None:
    video = encode_tracks("matroska", ("mpeg4", 0), ("mp2", 440))

    def pixel_format(options: dict[str, str]) -> str | None:
        with av.open(io.BytesIO(video), container_options=options) as container:
            return container.streams.video[0].codec_context.pix_fmt

    assert pixel_format({}) == "yuv420p"
    assert pixel_format(audio._open_options()) is None


def test_of_several_tracks_the_default_one_is_taken() -> None:
    for default, hz in [(0, 440), (1, 880)]:
        decoded = decode(encode_tracks("matroska", ("flac", 440), ("flac", 880), default=default))
        assert pitch_at(decoded, 1) == pytest.approx(hz, abs=1)


def test_a_cover_picture_does_not_disturb() -> None:
    picture = png()
    mp3 = encode(tone(2), container="mp3", codec="libmp3lame", options={"id3v2_version": "0", "write_id3v1": "0"})
    apic = b"\0image/png\0\x03\0" + picture
    frame = b"APIC" + struct.pack(">IH", len(apic), 0) + apic
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    assert np.array_equal(decode(b"ID3\x03\0\0" + size + frame + mp3).samples, decode(mp3).samples)

    m4a = encode(tone(2), container="ipod", codec="aac")
    cover = box(b"covr", box(b"data", struct.pack(">II", 14, 0) + picture))
    hdlr = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    udta = box(b"udta", box(b"meta", bytes(4) + hdlr + box(b"ilst", cover)))
    with_cover = edit_mp4(m4a, lambda kind, body: body + udta if kind == b"moov" else body)
    with av.open(io.BytesIO(with_cover)) as container:
        assert len(container.streams.video) == 1
    assert np.array_equal(decode(with_cover).samples, decode(m4a).samples)


def test_the_samples_cannot_be_written_to() -> None:
    assert not decode(encode(tone(1, 16_000), 16_000)).samples.flags.writeable


def test_many_threads_get_the_same_samples() -> None:
    data = encode(two_tones(), 48_000, "ogg", "libopus")
    alone = decode(data).samples
    with ThreadPoolExecutor(8) as pool:
        for decoded in pool.map(decode, [data] * 16):
            assert np.array_equal(decoded.samples, alone)


# -- channels, rates, samples ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "channels", "container", "codec"),
    [
        ("stereo", 2, "wav", "pcm_s16le"),
        ("5.1", 6, "wav", "pcm_s24le"),
        ("5.1", 6, "flac", "flac"),
        ("7.1", 8, "wav", "pcm_f32le"),
        ("hexadecagonal", 16, "wav", "pcm_s16le"),
    ],
)
def test_every_channel_counts_the_same(layout: str, channels: int, container: str, codec: str) -> None:
    """Also the low-frequency one, which FFmpeg's own downmix drops."""
    for index in range(channels):
        sound = np.zeros((channels, 8_000), np.float32)
        sound[index] = tone(0.5, 16_000)
        decoded = decode(encode(sound, 16_000, container, codec, layout))
        assert error_against(decoded, tone(0.5, 16_000) / channels) < 0.0001


@pytest.mark.parametrize(("container", "codec"), [("ipod", "aac"), ("ogg", "libopus")])
def test_eight_planar_channels_are_read_safely(container: str, codec: str) -> None:
    sound = np.tile(tone(1, 48_000), (8, 1))
    decoded = decode(encode(sound, 48_000, container, codec, "7.1"))
    assert pitch_at(decoded, 0.5) == pytest.approx(440, abs=1)
    assert decoded.duration_s == pytest.approx(1, abs=0.03)


def test_loud_channels_neither_clip_nor_wrap() -> None:
    sound = np.tile(tone(0.5, 16_000, amplitude=1.5), (6, 1))
    assert error_against(decode(encode(sound, 16_000, codec="pcm_f32le", layout="5.1")), sound[0]) < 1e-6


@pytest.mark.parametrize("offset", [-0.6, -0.1, 0.1, 0.5])
def test_a_constant_offset_does_not_drown_what_is_said(offset: float) -> None:
    """From 0.05 beside speech of 0.013 on, Whisper lost words, and soon all of them."""
    sound = tone(2, 16_000, amplitude=0.2) + np.float32(offset)
    assert error_against(decode(encode(sound, 16_000, codec="pcm_f32le")), tone(2, 16_000, amplitude=0.2)) < 1e-6


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_what_is_off_the_middle_by_chance_stays_as_it_is(seconds: float) -> None:
    """A sum of less than a tenth of the loudness; or less than a second, whatever its sum."""
    sound = tone(seconds, 16_000, amplitude=0.2) + np.float32(0.013 if seconds > 1 else 0.1)
    assert error_against(decode(encode(sound, 16_000, codec="pcm_f32le")), sound) < 1e-6


@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("adts", "aac")])
def test_the_rate_may_change_in_the_middle(container: str, codec: str) -> None:
    bare = {"write_xing": "0", "id3v2_version": "0"} if container == "mp3" else {}
    slow = encode(tone(2, 22_050, 440), 22_050, container, codec, options=bare)
    fast = encode(tone(2, 44_100, 880), 44_100, container, codec, options=bare)
    decoded = decode(slow + fast)
    assert decoded.duration_s == pytest.approx(4, abs=0.25)
    assert pitch_at(decoded, 1) == pytest.approx(440, abs=1)
    assert pitch_at(decoded, 3) == pytest.approx(880, abs=1)


@pytest.mark.parametrize("rate", [1_000, 44_101, 767_999, 768_000])
def test_odd_rates_are_resampled(rate: int) -> None:
    sound = tone(1, rate, 100)
    assert error_against(decode(encode(sound, rate)), tone(1, 16_000, 100)) < 0.01


@pytest.mark.parametrize("rate", [1, 999, 768_001, 2_000_000_000])
def test_a_rate_that_cannot_be_is_refused(rate: int) -> None:
    data = bytearray(encode(tone(0.1, 16_000), 16_000))
    data[24:28] = struct.pack("<I", rate)
    with pytest.raises(NotAudio, match="sample rate"):
        decode(bytes(data))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("position", [0, 5_000, -1])
def test_samples_that_are_no_numbers(value: float, rate: int, position: int) -> None:
    sound = tone(1, rate)
    sound[position] = value
    with pytest.raises(InvalidSamples):
        decode(encode(sound, rate, codec="pcm_f32le"))


# -- limits ------------------------------------------------------------------------------------------------------------


def test_the_limit_on_bytes() -> None:
    data = encode(tone(0.1))
    assert decode(data, max_bytes=len(data)).duration_s == 0.1
    with pytest.raises(AudioTooLarge, match=f"{len(data) - 1} bytes"):
        decode(data, max_bytes=len(data) - 1)


@pytest.mark.parametrize(("container", "codec", "rate"), [("wav", "pcm_s16le", 16_000), ("flac", "flac", 44_100)])
def test_the_limit_on_seconds(container: str, codec: str, rate: int) -> None:
    exact, longer = (encode(np.zeros(rate * 3 + more, np.float32), rate, container, codec) for more in (0, 1))
    assert decode(exact, max_seconds=3).duration_s == 3
    with pytest.raises(AudioTooLong, match="limit of 3 seconds"):
        decode(longer, max_seconds=3)


def state_flac_length(data: bytes, samples: int) -> bytes:
    """Write another number of samples into a FLAC header (36 bits, from the middle of byte 21)."""
    return data[:21] + bytes([data[21] & 0xF0 | samples >> 32]) + struct.pack(">I", samples & 0xFFFFFFFF) + data[26:]


@pytest.mark.parametrize("stated_s", [3600, 1])
def test_hours_in_a_small_file_are_left_early_whatever_the_header_says(stated_s: int) -> None:
    hour = state_flac_length(encode(np.zeros(3_600_000, np.float32), 1_000, "flac", "flac"), stated_s * 1_000)
    assert len(hour) < 300_000
    tracemalloc.start()
    try:
        with pytest.raises(AudioTooLong):
            decode(hour, max_seconds=60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000  # an hour at 16 kHz is 230 MB, a minute and one block 6 MB


def test_a_wav_whose_titles_claim_gigabytes_takes_none() -> None:
    """FFmpeg clears the memory that a title asks for before it finds that it is not there (measured: 1.2 GB for 15 kB)."""
    wav = encode(tone(1, 16_000), 16_000)
    titles = b"LIST" + struct.pack("<I", 0x70000000) + b"INFOISFT" + struct.pack("<I", 0x60000000)
    with pytest.raises(TruncatedAudio, match="larger than the whole"):
        decode(wav[: wav.index(b"data")] + titles + wav[wav.index(b"data") :])
    titles = b"LIST" + struct.pack("<I", 14) + b"INFOISFT" + struct.pack("<I", 2) + b"ab"
    assert decode(wav[: wav.index(b"data")] + titles + wav[wav.index(b"data") :]).duration_s == 1


def test_peak_memory_is_the_waveform_and_an_eighth() -> None:
    data = encode(np.zeros(48_000 * 120, np.float32), 48_000, "flac", "flac")
    tracemalloc.start()
    try:
        waveform = decode(data).samples.nbytes
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 9 / 8 * waveform + 3_000_000


# -- what is not a recording -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", EmptyAudio, id="no bytes"),
        pytest.param(b"\0", NotAudio, id="one byte"),
        pytest.param(bytes(10_000), NotAudio, id="zeros"),
        pytest.param(b"What was said in the meeting.\n" * 50, NotAudio, id="text"),
        pytest.param(json.dumps({"inputs": "x" * 500}).encode(), NotAudio, id="json"),
        pytest.param(b"<!doctype html><title>404</title>" * 20, NotAudio, id="html"),
        pytest.param(b"1\n00:00:00,000 --> 00:00:01,000\nHello\n\n" * 9, NotAudio, id="subtitles"),
        pytest.param(b"%PDF-1.7\n" + bytes(range(256)) * 20, NotAudio, id="pdf"),
        pytest.param(b"PK\x03\x04" + bytes(range(256)) * 20, NotAudio, id="zip"),
        pytest.param(b"\x7fELF" + bytes(range(256)) * 20, NotAudio, id="program"),
        pytest.param(np.random.default_rng(1).bytes(50_000), NotAudio, id="noise"),
    ],
)
def test_bytes_that_are_no_recording(data: bytes, error: type[RequestError]) -> None:
    with pytest.raises(error):
        decode(data)


def test_pictures_and_silent_films_have_no_audio_track() -> None:
    for data in (png(), encode_tracks("mp4", ("mpeg4", 0)), encode_tracks("matroska", ("mpeg4", 0))):
        with pytest.raises(NoAudioTrack):
            decode(data)


def test_no_samples() -> None:
    """Good headers with nothing behind them."""
    wav = encode(tone(1, 16_000), 16_000)
    wav = wav[: wav.index(b"data") + 4] + bytes(4)
    wav = wav[:4] + struct.pack("<I", len(wav) - 8) + wav[8:]
    flac = state_flac_length(encode(tone(1, 16_000), 16_000, "flac", "flac"), 0)
    flac = flac[: flac.index(b"\xff\xf8")]
    for data in (wav, flac):
        with pytest.raises(EmptyAudio, match="no samples"):
            decode(data)


def test_a_track_of_which_nothing_decodes() -> None:
    m4a = encode(tone(2), container="ipod", codec="aac")
    with pytest.raises(NotAudio):
        decode(edit_mp4(m4a, lambda kind, body: b"\xff" * len(body) if kind == b"mdat" else body))


# -- files that end too early ------------------------------------------------------------------------------------------

DETECTED = [
    ("wav", "pcm_s16le", "as written"),
    ("wav", "pcm_s16le", "rf64"),
    ("aiff", "pcm_s16be", "as written"),
    ("au", "pcm_s16be", "as written"),
    ("flac", "flac", "as written"),
    ("tta", "tta", "as written"),
    ("wv", "wavpack", "as written"),
    ("ipod", "aac", "as written"),
    ("ipod", "aac", "index first"),
    ("mov", "pcm_s16le", "as written"),
    ("matroska", "flac", "as written"),
    ("webm", "libopus", "as written"),
]


@pytest.mark.parametrize(("container", "codec", "form"), DETECTED)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_cut_file_is_refused_where_its_header_tells(container: str, codec: str, form: str, share: float) -> None:
    data = encode(two_tones(), 48_000, container, codec, options={"rf64": "always"} if form == "rf64" else {})
    data = index_first(data) if form == "index first" else data
    assert decode(data).duration_s == pytest.approx(10, abs=0.03)
    with pytest.raises(TruncatedAudio):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("mp3", "libmp3lame"),
        ("adts", "aac"),
        ("ogg", "libopus"),
        ("mpegts", "mp2"),
        ("asf", "wmav2"),
        ("avi", "libmp3lame"),
        ("caf", "pcm_s16be"),
        ("w64", "pcm_s16le"),
    ],
)
def test_of_a_cut_file_that_looks_whole_everything_there_is_decoded(container: str, codec: str) -> None:
    data = encode(two_tones(), 48_000, container, codec)
    assert decode(data[: len(data) // 2]).duration_s == pytest.approx(5, abs=1.1)


@pytest.mark.parametrize("missing", [0.05, 0.15])
def test_a_wav_may_lack_a_tenth_of_a_second(missing: float) -> None:
    data = encode(tone(2, 16_000), 16_000)
    data = data[: len(data) - round(missing * 32_000)]
    if missing < 0.1:
        assert decode(data).duration_s == pytest.approx(2 - missing, abs=0.001)
    else:
        with pytest.raises(TruncatedAudio):
            decode(data)


@pytest.mark.parametrize("size", [0, 0x7F000024, 0x7FFFF024, 0x7FFFFFFF, 0x80000024, 0xFFFFFFFF])
def test_sizes_that_streaming_programs_write_into_a_wav_are_no_promise(size: int) -> None:
    data = bytearray(encode(tone(2, 16_000), 16_000))
    at = data.index(b"data") + 4
    data[4:8] = struct.pack("<I", size)
    data[at : at + 4] = struct.pack("<I", max(0, size - 36))
    assert decode(bytes(data)).samples.shape == (32_000,)


@pytest.mark.parametrize(
    ("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("webm", "libopus"), ("au", "pcm_s16be")]
)
def test_files_that_were_written_to_a_pipe(container: str, codec: str) -> None:
    assert decode(encode(tone(2, 48_000), 48_000, container, codec, to_pipe=True)).duration_s == 2


def test_a_recording_that_states_more_than_it_has() -> None:
    flac = encode(tone(2, 16_000), 16_000, "flac", "flac")
    with pytest.raises(TruncatedAudio):
        decode(state_flac_length(flac, 16_000 * 36_000))
    assert decode(state_flac_length(flac, 0)).duration_s == 2


# -- damage in the middle ----------------------------------------------------------------------------------------------


def damage(data: bytes) -> bytes:
    """Turn over the bits of 3 % of the file, from the middle of it."""
    start, length = len(data) // 2, len(data) * 3 // 100
    return data[:start] + bytes(b ^ 0xFF for b in data[start : start + length]) + data[start + length :]


@pytest.mark.parametrize(
    ("container", "codec"), [("flac", "flac"), ("ogg", "libopus"), ("ipod", "aac"), ("mpegts", "mp2"), ("tta", "tta")]
)
def test_damage_is_counted_and_later_times_stay_right(container: str, codec: str) -> None:
    decoded = decode(damage(encode(two_tones(), 48_000, container, codec)))
    assert decoded.holes == 1
    assert decoded.duration_s == pytest.approx(10, abs=0.03)
    assert (decoded.samples == 0).sum() > 1600
    assert pitch_at(decoded, 7.9) == pytest.approx(440, abs=1)
    assert pitch_at(decoded, 8.1) == pytest.approx(880, abs=1)


def test_one_damaged_frame_of_a_flac_used_to_close_up_without_a_word() -> None:
    data = encode(two_tones(), 48_000, "flac", "flac")
    header = data.index(b"\xff\xf8", len(data) // 2)  # of a frame of 4608 samples
    decoded = decode(data[:header] + b"\0\0" + data[header + 2 :])
    assert decoded.holes == 1
    assert decoded.samples.shape == (160_000,)
    assert (decoded.samples == 0).sum() == pytest.approx(4608 / 3, abs=20)


def test_a_short_frame_amid_long_ones_used_to_become_seconds_of_silence() -> None:
    """FFmpeg takes a FLAC frame's number times its own length for its time: a short one seems to lie far back."""
    waveform = _Waveform(60, start_s=0.0, has_clock=True, tolerance_s=0.005, clock_may_jump=False)
    sound = tone(13, 16_000)
    for number, length in enumerate((*[1024] * 100, 256, *[1024] * 100)):
        at = round(waveform.seconds * 16_000)
        frame = av.AudioFrame.from_ndarray(sound[np.newaxis, at : at + length], "flt", "mono")
        frame.sample_rate, frame.time_base, frame.pts = 16_000, Fraction(1, 16_000), number * length
        waveform.add(frame)
    heard = waveform.finish()
    assert (len(heard.samples), heard.holes) == (200 * 1024 + 256, 0)
    assert np.abs(heard.samples - sound[: len(heard.samples)]).max() < 0.01


def test_damage_without_a_clock_is_counted() -> None:
    decoded = decode(damage(encode(two_tones(), 48_000, "mp3", "libmp3lame")))
    assert decoded.holes == 1
    assert decoded.duration_s == pytest.approx(9.6, abs=0.2)


def test_damage_at_the_very_end_is_counted() -> None:
    data = encode(two_tones(), 48_000, "adts", "aac")
    assert decode(data).holes == 0
    assert decode(data[:-20]).holes == 1


def test_lost_packets_leave_silence_of_their_length() -> None:
    """Opus packets of 20 ms: 50 of them lost at 2 s, and 3 at 5 s, which are too short a time to fill."""
    lost = {*range(100, 150), *range(250, 253)}
    decoded = decode(encode(two_tones(), 48_000, "matroska", "libopus", keep=lambda index: index not in lost))
    assert decoded.holes == 1
    assert decoded.duration_s == pytest.approx(10 - 0.06, abs=0.03)
    assert not decoded.samples[33_000:47_000].any()


def leap(container: str, leap_s: float) -> bytes:
    """Four seconds of sound whose clock leaps in the middle."""
    return encode(tone(4, 48_000), 48_000, container, "mp2", delay_s=lambda index: leap_s * (index >= 80))


def test_a_leap_of_the_clock_is_a_gap_only_where_clocks_do_not_leap() -> None:
    assert decode(leap("mpegts", 500)).duration_s == pytest.approx(4, abs=0.1)
    assert decode(leap("matroska", 500)).duration_s == pytest.approx(504, abs=0.1)
    leaping = leap("matroska", 500)
    tracemalloc.start()
    try:
        with pytest.raises(AudioTooLong):
            decode(leaping, max_seconds=60)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_a_few_kilobytes_do_not_grow_to_hours_of_silence() -> None:
    assert decode(leap("matroska", 590)).duration_s == pytest.approx(594, abs=0.1)
    closed_up = decode(leap("matroska", 610))
    assert closed_up.duration_s == pytest.approx(4, abs=0.1)
    assert closed_up.holes == 1
    assert decode(leap("matroska", 14_000)).duration_s == pytest.approx(4, abs=0.1)


def test_files_put_one_after_the_other_are_both_heard() -> None:
    """Chained Ogg and joined transport streams: the clock starts anew in the middle."""
    for container, codec in [("ogg", "libopus"), ("mpegts", "mp2")]:
        first, second = (encode(tone(4, 48_000, hz), 48_000, container, codec) for hz in (440, 880))
        decoded = decode(first + second)
        assert decoded.duration_s == pytest.approx(8, abs=0.1)
        assert pitch_at(decoded, 2) == pytest.approx(440, abs=1)
        assert pitch_at(decoded, 6) == pytest.approx(880, abs=1)


# -- files that point elsewhere ----------------------------------------------------------------------------------------


class Listener:
    """Counts the TCP connections that reach a port on loopback; hangs up on each at once."""

    def __init__(self) -> None:
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            peer, _ = self._server.accept()
            with peer:
                if peer.recv(4, socket.MSG_WAITALL) == b"stop":
                    return
                self.connections += 1

    def stop(self) -> int:
        """How many came, apart from this one; connections are accepted in order, so none is missed."""
        with socket.create_connection(("127.0.0.1", self.port)) as peer:
            peer.sendall(b"stop")
        self._thread.join()
        self._server.close()
        return self.connections


@contextmanager
def watching(path: Path) -> Iterator[Callable[[], bool]]:
    """Whether anybody opened the file, from the kernel (inotify), since FFmpeg's C code passes Python's audit hooks by."""
    libc = ctypes.CDLL(None, use_errno=True)
    in_open = 0x20
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(descriptor, os.fsencode(path), in_open) >= 0

    def opened() -> bool:
        try:
            return bool(os.read(descriptor, 4096))
        except BlockingIOError:
            return False

    try:
        yield opened
    finally:
        os.close(descriptor)


def reference_movie(target: Path) -> bytes:
    """A QuickTime movie whose samples lie in another file, named by a Macintosh alias record."""
    path = b"V" + os.fsencode(target).replace(b"/", b":")
    alias = bytes(10) + b"\x01" + b"V".ljust(27, b"\0") + bytes(12) + b"\x05" + b"x.wav".ljust(63, b"\0") + bytes(16)
    alias += struct.pack(">hh", 0, 0) + bytes(16)
    alias += struct.pack(">hh", 2, len(path)) + path + b"\0" * (len(path) % 2) + struct.pack(">hh", -1, 0)
    dref = struct.pack(">II", 0, 1) + box(b"alis", bytes(4) + alias)
    movie = encode(tone(1), container="mov", codec="pcm_s16le")
    return edit_mp4(movie, lambda kind, body: dref if kind == b"dref" else body)


def playlist(uri: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:9,\n{uri}\n#EXT-X-ENDLIST\n".encode()


# Each takes a file and a port. The name is what a careless caller might have passed on to FFmpeg; ours passes none.
POINTERS: dict[str, tuple[str, Callable[[Path, int], bytes]]] = {
    "HLS, address": ("x.m3u8", lambda _, port: playlist(f"http://127.0.0.1:{port}/a.ts")),
    "HLS, file": ("x.m3u8", lambda path, _: playlist(f"file:{path}")),
    "ffconcat, address": ("x", lambda _, port: f"ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/a.wav'\n".encode()),
    "ffconcat, file": ("x", lambda path, _: f"ffconcat version 1.0\nfile '{path}'\n".encode()),
    "ffconcat, subfile": ("x", lambda path, _: f"ffconcat version 1.0\nfile 'subfile,,start,0,end,0,,:{path}'\n".encode()),
    "reference movie": ("x.mov", lambda path, _: reference_movie(path)),
}
# What makes FFmpeg follow them as willingly as it can; the barriers must hold even then.
CARELESS = {"safe": "0", "enable_drefs": "1", "use_absolute_path": "1"}


def follows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, without: tuple[str, ...]) -> bool:
    """Decode a file that points elsewhere, without some of our options, and tell whether it was followed."""
    if sys.platform != "linux":
        pytest.skip("inotify is Linux's")
    name, body = POINTERS[kind]
    target = tmp_path / "target.ts"
    target.write_bytes(encode(tone(1), container="mpegts", codec="mp2"))
    options = {key: value for key, value in audio._open_options().items() if key not in without} | CARELESS
    monkeypatch.setattr(audio, "_open_options", lambda: options)
    monkeypatch.setattr(audio._Bytes, "name", name, raising=False)
    listener = Listener()
    try:
        with watching(target) as opened:
            try:
                decode(body(target, listener.port))
            except RequestError:
                pass
            else:
                assert without, "decoded"
            return opened() or listener.stop() > 0
    finally:
        if listener._thread.is_alive():
            listener.stop()


BARRIERS = ("format_whitelist", "protocol_whitelist")


@pytest.mark.parametrize("kind", POINTERS)
@pytest.mark.parametrize("without", [(), ("format_whitelist",), ("protocol_whitelist",)], ids=["both", "protocols", "formats"])
def test_nothing_outside_the_file_is_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, without: tuple[str, ...]
) -> None:
    if kind == "reference movie" and without == ("protocol_whitelist",):
        return  # MOV is a format we read; there the protocols stand guard, and FFmpeg's default, which has its own test below
    assert not follows(monkeypatch, tmp_path, kind, without)


@pytest.mark.parametrize("kind", POINTERS)
def test_without_the_barriers_it_would_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    """The control: the listener and the watch do see what the barriers hold back."""
    assert follows(monkeypatch, tmp_path, kind, BARRIERS)


def test_references_in_a_movie_are_not_followed_by_default(tmp_path: Path) -> None:
    target = tmp_path / "target.wav"
    target.write_bytes(encode(tone(1)))
    with watching(target) as opened:
        with pytest.raises(RequestError):
            decode(reference_movie(target))
        assert not opened()


@pytest.mark.parametrize("barrier", BARRIERS)
@pytest.mark.parametrize(
    "body",
    [
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n",
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S">'
        b"<Period>"
        b'<AdaptationSet contentType="audio"><Representation id="1" bandwidth="9" mimeType="audio/mp4"><BaseURL>http://127.0.0.1:'
        b"%d/a.m4a</BaseURL></Representation></AdaptationSet></Period></MPD>",
        b"[Reference]\r\nRef1=http://127.0.0.1:%d/a.asf\r\n",
        b'<smil><body><audio src="http://127.0.0.1:%d/a.wav"/></body></smil>',
        b"RTSPtext rtsp://127.0.0.1:%d/a\r\n",
    ],
    ids=["SDP", "DASH", "ASX", "SMIL", "RTSP"],
)
def test_other_scripts_connect_to_nobody(monkeypatch: pytest.MonkeyPatch, body: bytes, barrier: str) -> None:
    options = {barrier: audio._open_options()[barrier]}
    monkeypatch.setattr(audio, "_open_options", lambda: options)
    listener = Listener()
    with pytest.raises(RequestError):
        decode(body % listener.port)
    assert listener.stop() == 0


# -- base64 ------------------------------------------------------------------------------------------------------------


@given(
    st.binary(min_size=1),
    st.sampled_from(["", "data:audio/wav;base64,", "DATA:;Base64,", "data:audio/ogg;codecs=opus;base64,"]),
)
def test_base64_gives_back_what_went_in(data: bytes, prefix: str) -> None:
    assert decode_base64(prefix + base64.b64encode(data).decode(), max_bytes=len(data)) == data
    assert decode_base64(prefix + base64.encodebytes(data).decode(), max_bytes=len(data)) == data  # wrapped at 76


@pytest.mark.parametrize(
    "text",
    [
        "QUJ",  # padding missing
        "QUI",
        "QQ=",
        "QQ===",  # too much of it
        "QQ==QQ==",  # two texts
        "=QUJ",
        "Q",
        "QUJD*",
        "QUJD,",
        "QUJD\0QUJD",
        "QUJDé",
        "ＱＵＪＤ",  # full-width letters
        "QUJD\u2028QUJD",  # a line separator outside ASCII
        "data:audio/wav,QUJD",
        "data:audio/wav;base64",
        "data:audio/wav;base64;QUJD",
        "data:,data:;base64,QUJD",
        "data:;base64,data:;base64,QUJD",
        "QUJD%3D",
        "hello, world",
    ],
)
def test_text_that_is_not_base64(text: str) -> None:
    with pytest.raises(InvalidBase64):
        decode_base64(text, max_bytes=1000)


@pytest.mark.parametrize("text", ["-_-_", "QUJ-", "data:audio/wav;base64,QUJ_"])
def test_the_url_safe_alphabet_is_named(text: str) -> None:
    with pytest.raises(InvalidBase64, match="URL-safe"):
        decode_base64(text, max_bytes=1000)


@pytest.mark.parametrize("text", ["", " \r\n\t", "data:audio/wav;base64,", "data:;base64, \n"])
def test_empty_base64(text: str) -> None:
    with pytest.raises(EmptyAudio):
        decode_base64(text, max_bytes=1000)


@pytest.mark.parametrize("size", range(1, 8))
def test_the_limit_on_base64_is_exact_and_comes_before_the_decoding(size: int) -> None:
    text = base64.b64encode(bytes(size)).decode()
    assert decode_base64(text, max_bytes=size) == bytes(size)
    with pytest.raises(AudioTooLarge, match=f"{size - 1} bytes"):
        decode_base64(text, max_bytes=size - 1)
    with pytest.raises(AudioTooLarge):
        decode_base64("*" * 5000, max_bytes=1000)


@given(st.text() | st.text("ABab09+/= \n-_,:;data"))
def test_any_text_is_decoded_or_refused(text: str) -> None:
    with suppress(RequestError):
        assert decode_base64(text, max_bytes=1000)


# -- whatever comes ----------------------------------------------------------------------------------------------------


def test_no_error_repeats_what_was_sent() -> None:
    phrase = b"the heron flies at midnight "
    wav = encode(tone(1, 16_000), 16_000)
    bodies: list[Callable[[], object]] = [
        lambda: decode(phrase * 100),
        lambda: decode(phrase * 100, max_bytes=10),
        lambda: decode(wav[:12] + phrase * 100),
        lambda: decode(wav[:400] + phrase * 100),
        lambda: decode(b"\0\0\0\x20ftypM4A " + phrase * 100),
        lambda: decode(b"ffconcat version 1.0\nfile '" + phrase + b"'\n"),
        lambda: decode(b"fLaC" + phrase * 100),
        lambda: decode_base64(phrase.decode(), max_bytes=1000),
        lambda: decode_base64(phrase.decode() + "é", max_bytes=1000),
        lambda: decode_base64("data:" + phrase.decode(), max_bytes=1000),
    ]
    for body in bodies:
        with pytest.raises(RequestError) as caught:
            body()
        told = "".join(traceback.format_exception(caught.value))
        assert "heron" not in told


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3\x04", b"\xff\xfb\x90", b"#!AMR\n", b"\x1aE\xdf\xa3"]),
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_decoded_or_refused(data: bytes, magic: bytes) -> None:
    decoded_or_refused(magic + data)


MUTATED = {
    "wav": ("wav", "pcm_s16le"),
    "float wav": ("wav", "pcm_f32le"),
    "flac": ("flac", "flac"),
    "opus": ("ogg", "libopus"),
    "m4a": ("ipod", "aac"),
    "mp3": ("mp3", "libmp3lame"),
    "webm": ("webm", "libopus"),
}


@cache
def good_file(kind: str) -> bytes:
    container, codec = MUTATED[kind]
    return encode(tone(0.2, 48_000), 48_000, container, codec)


@pytest.mark.parametrize("kind", MUTATED)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_mutation_of_a_good_file_is_decoded_or_refused(kind: str, data: st.DataObject) -> None:
    mutated = bytearray(good_file(kind))
    # Half of the changes strike the first 200 bytes, where the headers are.
    places = st.integers(0, min(200, len(mutated) - 1)) | st.integers(0, len(mutated) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=20)):
        mutated[place] = value
    start, stop = sorted((data.draw(st.integers(0, len(mutated))), data.draw(st.integers(0, len(mutated)))))
    if data.draw(st.booleans()):
        del mutated[start:stop]
    decoded_or_refused(bytes(mutated))


def decoded_or_refused(data: bytes) -> None:
    try:
        decoded = decode(data, max_seconds=20)
    except RequestError:
        return
    assert 0 < len(decoded.samples) <= 20 * 16_000 + 16
    assert np.isfinite(decoded.samples).all()
