"""The shipped recordings and their references tell the same story, and the script that spoke them still tells it."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
CONVERSATIONS = {"meeting": (90.0, 3), "call": (60.0, 2)}  # seconds, speakers
REFERENCED = ("meeting", "call", "edge/one_word")
MILLISECOND = 0.001


@dataclass(frozen=True)
class Span:
    """Somebody speaking from start to end, in seconds; `text` is empty for an RTTM region."""

    speaker: str
    start: float
    end: float
    text: str = ""

    def shared_s(self, other: Span) -> float:
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))


def samples_of(path: Path) -> NDArray[np.float64]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.sample_rate, stream.layout.name, stream.format.name) == (16_000, "mono", "s16")
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(stream)]) / 32768


def stm_of(path: Path) -> list[Span]:
    rows = [line.split(maxsplit=6) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {(row[0], row[1], row[5]) for row in rows} == {(path.stem, "1", "<o>")}
    return [Span(row[2], float(row[3]), float(row[4]), row[6]) for row in rows]


def rttm_of(path: Path) -> list[Span]:
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    assert {(row[0], row[1], row[2]) for row in rows} == {("SPEAKER", path.stem, "1")}
    return [Span(row[7], float(row[3]), float(row[3]) + float(row[4])) for row in rows]


def words_of(path: Path) -> list[Span]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Span(row["speaker"], row["start"], row["end"], row["word"]) for row in rows]


def level_db(samples: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(samples**2)))


def split_by_speech(samples: NDArray[np.float64], spans: list[Span]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What lies inside the spans and what lies outside all of them."""
    inside = np.zeros(len(samples), bool)
    for span in spans:
        inside[round(span.start * 16_000) : round(span.end * 16_000)] = True
    return samples[inside], samples[~inside]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_lengths_and_speakers_are_those_promised(name: str) -> None:
    seconds, speakers = CONVERSATIONS[name]
    assert len(samples_of(SAMPLES / f"{name}.flac")) / 16_000 == pytest.approx(seconds, abs=3.0)
    assert len({span.speaker for span in stm_of(SAMPLES / f"{name}.stm")}) == speakers


def test_all_recordings_together_stay_under_three_megabytes() -> None:
    files = list(SAMPLES.rglob("*.flac"))
    assert len(files) == 7
    assert sum(file.stat().st_size for file in files) < 3_000_000


@pytest.mark.parametrize("name", REFERENCED)
def test_speech_lies_where_the_references_say_and_only_the_quiet_room_elsewhere(name: str) -> None:
    samples = samples_of(SAMPLES / f"{name}.flac")
    for path, read in ((f"{name}.stm", stm_of), (f"{name}.rttm", rttm_of)):
        spans = read(SAMPLES / path)
        speech, room = split_by_speech(samples, spans)
        assert 33 < level_db(speech) - level_db(room) < 42
        for span in spans:
            alone = samples[round(span.start * 16_000) : round(span.end * 16_000)]
            assert level_db(alone) - level_db(room) > 25


@pytest.mark.parametrize("name", REFERENCED)
def test_every_rttm_region_lies_in_an_utterance_of_its_speaker_and_every_utterance_begins_and_ends_one(name: str) -> None:
    utterances = stm_of(SAMPLES / f"{name}.stm")
    regions = rttm_of(SAMPLES / f"{name}.rttm")
    owners = []
    for region in regions:
        owner = [
            u
            for u in utterances
            if u.speaker == region.speaker and u.start <= region.start + MILLISECOND and region.end <= u.end + MILLISECOND
        ]
        assert len(owner) == 1
        owners += owner
    for utterance in utterances:
        own = [region for region, owner in zip(regions, owners, strict=True) if owner is utterance]
        assert own[0].start == utterance.start
        assert own[-1].end == pytest.approx(utterance.end, abs=MILLISECOND)
        assert all(b.start - a.end >= 0.3 - 2 * MILLISECOND for a, b in pairwise(own))


@pytest.mark.parametrize("name", REFERENCED)
def test_words_are_the_transcript_in_order_and_inside_their_utterance(name: str) -> None:
    words = words_of(SAMPLES / f"{name}.words.json")
    for utterance in stm_of(SAMPLES / f"{name}.stm"):
        count = len(utterance.text.split())
        own, words = words[:count], words[count:]
        assert " ".join(word.text for word in own) == utterance.text
        assert {word.speaker for word in own} == {utterance.speaker}
        assert utterance.start <= own[0].start
        assert own[-1].end <= utterance.end
        assert all(word.start < word.end for word in own)
        assert all(a.end <= b.start for a, b in pairwise(own))
    assert words == []


@pytest.mark.parametrize(("name", "overlaps"), [("meeting", 0), ("call", 1)])
def test_people_overlap_exactly_where_the_script_says_and_never_themselves(name: str, overlaps: int) -> None:
    for spans in (stm_of(SAMPLES / f"{name}.stm"), rttm_of(SAMPLES / f"{name}.rttm")):
        shared = [(a, b) for a, b in combinations(spans, 2) if a.shared_s(b) > MILLISECOND]
        assert len(shared) == overlaps
        for a, b in shared:
            assert a.speaker != b.speaker
            assert 0.5 <= a.shared_s(b) <= 1.5


def test_edge_clips_hold_what_their_names_say() -> None:
    silence, noise, tone, short, one_word = (
        samples_of(SAMPLES / "edge" / f"{name}.flac") for name in ("silence", "noise", "tone", "short", "one_word")
    )
    assert [len(clip) for clip in (silence, noise, tone, short, one_word)] == [80_000, 80_000, 80_000, 1_600, 48_000]
    assert not silence.any()
    assert level_db(noise) == pytest.approx(-30, abs=0.1)
    assert level_db(tone) > -30
    assert level_db(short) > -35
    spectrum = np.abs(np.fft.rfft(tone)) ** 2
    near_notes = np.zeros(len(spectrum), bool)
    for hertz in (262, 330, 392, 220, 175, 196, 247, 294):
        near_notes[(hertz - 3) * 5 : (hertz + 3) * 5] = True  # 5 bins to the hertz
    assert spectrum[near_notes].sum() / spectrum.sum() > 0.8
    assert [span.text for span in stm_of(SAMPLES / "edge" / "one_word.stm")] == ["Hello."]


@pytest.fixture
def synthesisers() -> None:
    missing = [library for library in ("flite", "espeak-ng") if ctypes.util.find_library(library) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian packages flite and espeak-ng)")


@pytest.mark.usefixtures("synthesisers")
def test_a_voice_sounds_the_same_where_another_library_has_a_function_of_the_same_name(tmp_path: Path) -> None:
    """As librom1394 has, which comes with FFmpeg's libraries: importing pyannote.audio once changed what `kal16` said."""
    (tmp_path / "other.c").write_text("int get_unit_size(void) { return 1; }\n", encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "other.so", tmp_path / "other.c"], check=True)
    speak = "from samples import make_samples as m; print(m.speak_flite('Good morning.', 'kal16', 1.0, 0.0)[0].tobytes().hex())"
    alone, among = (
        subprocess.run(
            [sys.executable, "-c", speak], env={**os.environ, **more}, cwd=SAMPLES.parent, check=True, capture_output=True
        )
        for more in ({}, {"LD_PRELOAD": str(tmp_path / "other.so")})
    )
    assert len(alone.stdout) > 8 * 8_000  # half a second
    assert among.stdout == alone.stdout


@pytest.mark.usefixtures("synthesisers")
@pytest.mark.parametrize("name", ["meeting", "call"])
def test_the_script_speaks_the_shipped_recording_again(name: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, SAMPLES / "make_samples.py", "--only", name, "--out", tmp_path], check=True)
    for ending in ("stm", "rttm", "words.json"):
        assert (tmp_path / f"{name}.{ending}").read_bytes() == (SAMPLES / f"{name}.{ending}").read_bytes()
    again, shipped = samples_of(tmp_path / f"{name}.flac"), samples_of(SAMPLES / f"{name}.flac")
    np.testing.assert_allclose(again, shipped, rtol=0, atol=0.001)
