"""The readers of AMI, VoxConverse and LibriSpeech, on tiny copies of their layouts made of our own samples."""

from __future__ import annotations

import io
import json
import shutil
import wave
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest

from evaluation import run
from evaluation.corpora.ami import SPLITS, ami
from evaluation.corpora.librispeech import librispeech
from evaluation.corpora.voxconverse import voxconverse
from evaluation.normalize import normalize
from evaluation.readers import ReadError, Utterance, read, read_words
from evaluation.score import diarization_errors, score
from handler import EndpointHandler
from roundtable.audio import SAMPLE_RATE_HZ, decode_audio
from roundtable.transcript import Turn, Word
from tests.fakes import fake_engines

SAMPLES = Path(__file__).parent.parent / "samples"


def meetings_xml(folder: Path, **participants: str) -> Path:
    """`corpusResources/meetings.xml` of AMI's annotations, with these meetings and the letters of their participants."""
    lines = [
        f'<meeting observation="{name}">' + "".join(f'<speaker nxt_agent="{one}"/>' for one in letters) + "</meeting>"
        for name, letters in participants.items()
    ]
    text = f"<meetings>{''.join(lines)}</meetings>"
    return written(folder / "ami_public_manual_1.6.2" / "corpusResources" / "meetings.xml", text)


def wav(name: str, seconds: float) -> bytes:
    """The beginning of a sample, as 16-bit WAV."""
    audio = decode_audio((SAMPLES / f"{name}.flac").read_bytes(), max_bytes=1 << 24, max_seconds=3600)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE_HZ)
        samples = audio.samples[: round(seconds * SAMPLE_RATE_HZ)]
        writer.writeframes((samples * 32767).astype(np.int16).tobytes())
    return file.getvalue()


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- AMI -------------------------------------------------------------------------------------------------------------


def nxt(name: str, words: Sequence[Word]) -> str:
    """One participant's words as AMI's annotations have them: punctuation is an element of its own, without length."""
    lines = []
    for number, word in enumerate(words):
        bare = word.text.rstrip(".,?!")
        lines.append(f'<w nite:id="{name}.words{number}" starttime="{word.start}" endtime="{word.end}">{escape(bare)}</w>')
        lines += [f'<w starttime="{word.end}" endtime="{word.end}" punc="true">{sign}</w>' for sign in word.text[len(bare) :]]
    inside = "\n   ".join(lines)
    head = '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n'
    return f'{head}<nite:root nite:id="{name}" xmlns:nite="http://nite.sourceforge.net/">\n   {inside}\n</nite:root>\n'


@pytest.fixture(scope="module")
def ami_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`call` as the test meeting ES2004a, its two people as participants A and B; and a meeting of the dev split."""
    folder = tmp_path_factory.mktemp("ami")
    words = read_words(SAMPLES / "call.words.json")
    for channel, speaker in {"A": "Laura", "B": "David"}.items():
        own = [word for word in words if word.speaker == speaker]
        written(folder / "ami_public_manual_1.6.2" / "words" / f"ES2004a.{channel}.words.xml", nxt(f"ES2004a.{channel}", own))
    for meeting in ("ES2004a", "IB4010"):
        written(folder / "amicorpus" / meeting / "audio" / f"{meeting}.Mix-Headset.wav", wav("call", 2.0))
    turns = (SAMPLES / "call.rttm").read_text(encoding="utf-8")
    setup = folder / "AMI-diarization-setup"
    written(setup / "only_words" / "rttms" / "test" / "ES2004a.rttm", turns.replace(" call ", " ES2004a "))
    written(setup / "word_and_vocalsounds" / "rttms" / "test" / "ES2004a.rttm", "")
    return folder


def test_an_ami_meeting_says_what_our_sample_says(ami_folder: Path) -> None:
    meetings = ami(ami_folder, "test")
    (case,) = meetings.cases
    assert meetings.missing_text.startswith("1 of 16 recordings, missing: EN2002a, EN2002b, ")
    assert (case.name, case.audio.name, case.parameters) == ("ES2004a", "ES2004a.Mix-Headset.wav", {"summarize": False})
    ours = read(SAMPLES / "call.stm", SAMPLES / "call.rttm")
    assert case.reference.turns == ours.turns
    found = score(case.reference, ours)
    assert [rate and rate.errors for rate in (found.cp_wer, found.der, found.speaker_count)] == [0, 0, 0]
    times = [(word.start, word.end) for word in case.words or ()]
    assert times == [(word.start, word.end) for word in read_words(SAMPLES / "call.words.json")]


def test_without_rttm_the_turns_are_words_that_touch(ami_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(ami_folder, tmp_path / "ami")
    shutil.rmtree(tmp_path / "ami" / "AMI-diarization-setup")
    (case,) = ami(tmp_path / "ami", "test").cases
    assert case.problem == "incomplete: the words of 2 of 3 participants or more are there."
    meetings_xml(tmp_path / "ami", ES2004a="AB")
    (case,) = ami(tmp_path / "ami", "test").cases
    said = read_words(SAMPLES / "call.words.json")
    spoken = tuple(Turn(word.start, word.end, str(word.speaker)) for word in said)
    assert case.reference.turns is not None
    assert len(case.reference.turns) < len(spoken)
    assert diarization_errors(case.reference.turns, spoken, 62.0).errors == pytest.approx(0.0, abs=1e-6)


def test_noises_and_untimed_words_are_left_out_and_endings_join_their_word(tmp_path: Path) -> None:
    words = """<nite:root xmlns:nite="http://nite.sourceforge.net/">
      <vocalsound starttime="0.1" endtime="0.4" type="laugh"/><disfmarker starttime="0.5" endtime="0.5"/>
      <w starttime="1.0" endtime="1.2">That</w><w starttime="1.2" endtime="1.3">'s</w><w>never</w>
      <w starttime="" endtime="">ever</w><w starttime="3.0" endtime="3.4">'kay</w></nite:root>"""
    written(tmp_path / "words" / "TS3003d.C.words.xml", words)
    written(tmp_path / "TS3003d.Mix-Headset.wav", b"")
    meetings_xml(tmp_path, TS3003d="C")
    (case,) = ami(tmp_path, "test").cases
    assert case.words == (Word("That's", 1.0, 1.3, speaker="C"), Word("'kay", 3.0, 3.4, speaker="C"))
    assert case.reference.utterances == (Utterance("C", 1.0, 1.3, "That's"), Utterance("C", 3.0, 3.4, "'kay"))
    assert case.reference.turns == (Turn(1.0, 1.3, "C"), Turn(3.0, 3.4, "C"))


def test_a_meeting_is_in_one_split_and_needs_a_reference(ami_folder: Path, tmp_path: Path) -> None:
    assert [len(SPLITS["dev"]), len(SPLITS["test"]), len({*SPLITS["dev"], *SPLITS["test"]})] == [18, 16, 34]
    with pytest.raises(ReadError, match="dev meetings"):
        ami(ami_folder, "dev")  # its words are missing
    written(tmp_path / "ES2002a.Mix-Headset.wav", b"")
    written(tmp_path / "words" / "ES2002a.A.words.xml", nxt("ES2002a.A", [Word("Hello", 1.0, 2.0)]))
    meetings_xml(tmp_path, ES2002a="A")
    assert [(case.name, case.problem) for case in ami(tmp_path, "train").cases] == [("ES2002a", None)]
    meetings_xml(tmp_path, ES2002a="ABC")
    assert [case.problem for case in ami(tmp_path, "train").cases] == ["incomplete: the words of B, C are missing."]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("<nite:root>", "ES2002a.A.words.xml: is not NXT's XML."),
        ('<r><w starttime="x" endtime="2">no</w></r>', "ES2002a.A.words.xml: a time is not a number."),
        ('<r><w starttime="nan" endtime="2">no</w></r>', "ES2002a.A.words.xml: a time is not a number."),
    ],
)
def test_one_bad_word_file_does_not_cost_the_other_meetings(words: str, problem: str, tmp_path: Path) -> None:
    meetings_xml(tmp_path, ES2002a="A", ES2002b="A")
    for meeting, text in {"ES2002a": words, "ES2002b": nxt("ES2002b.A", [Word("Hello", 1.0, 2.0)])}.items():
        written(tmp_path / f"{meeting}.Mix-Headset.wav", b"")
        written(tmp_path / "words" / f"{meeting}.A.words.xml", text)
        written(tmp_path / "words" / f"._{meeting}.A.words.xml", b"\0\5")
    assert [case.problem for case in ami(tmp_path, "train").cases] == [problem, None]


def test_acronyms_are_one_word_and_a_late_ending_is_none(tmp_path: Path) -> None:
    said = [Word("T_V_", 1.0, 1.5), Word("café", 20.0, 20.5), Word("'s", 40.0, 40.2)]
    meetings_xml(tmp_path, TS3003d="C")
    written(tmp_path / "TS3003d.Mix-Headset.wav", b"")
    written(tmp_path / "words" / "TS3003d.C.words.xml", nxt("TS3003d.C", said).replace("ISO-8859-1", "UTF-8"))
    (case,) = ami(tmp_path, "test").cases
    assert [(word.text, word.start) for word in case.words or ()] == [("TV", 1.0), ("café", 20.0), ("'s", 40.0)]


def test_words_within_another_word_make_no_overlapping_turns(tmp_path: Path) -> None:
    said = [Word("long", 0.0, 5.0), Word("in", 1.0, 2.0), Word("side", 3.0, 4.0)]
    meetings_xml(tmp_path, TS3003d="C")
    written(tmp_path / "TS3003d.Mix-Headset.wav", b"")
    written(tmp_path / "words" / "TS3003d.C.words.xml", nxt("TS3003d.C", said))
    (case,) = ami(tmp_path, "test").cases
    assert case.reference.turns == (Turn(0.0, 5.0, "C"),)
    assert case.reference.utterances == (Utterance("C", 0.0, 5.0, "long in side"),)


# --- VoxConverse -----------------------------------------------------------------------------------------------------


@pytest.fixture
def voxconverse_folder(tmp_path: Path) -> Path:
    """`meeting` as one recording of each split, under names of theirs, and one whose sound was not fetched."""
    turns = (SAMPLES / "meeting.rttm").read_text(encoding="utf-8")
    for split, name, sound in (("dev", "abjxc", "audio"), ("test", "aepyx", "voxconverse_test_wav"), ("test", "zzsba", None)):
        written(tmp_path / split / f"{name}.rttm", turns.replace(" meeting ", f" {name} "))
        if sound:
            written(tmp_path / sound / f"{name}.wav", wav("meeting", 2.0))
    return tmp_path


@pytest.mark.parametrize(("split", "name"), [("dev", "abjxc"), ("test", "aepyx")])
def test_voxconverse_gives_turns_and_no_words(voxconverse_folder: Path, split: str, name: str) -> None:
    found = voxconverse(voxconverse_folder, split)
    (case,) = found.cases
    assert found.missing_text == ("" if split == "dev" else "1 of 2 recordings, missing: zzsba")
    assert (case.name, case.audio.name, case.reference.utterances) == (name, f"{name}.wav", None)
    assert case.reference.turns == read(SAMPLES / "meeting.rttm").turns


def test_voxconverse_has_no_third_split(voxconverse_folder: Path) -> None:
    with pytest.raises(ReadError, match=r"^voxconverse: found none of what this split should hold: train/\*\.rttm with"):
        voxconverse(voxconverse_folder, "train")


# --- LibriSpeech -----------------------------------------------------------------------------------------------------


@pytest.fixture
def librispeech_folder(tmp_path: Path) -> Path:
    """The first two utterances of `call`, as two sentences that reader 84 reads in chapter 121123."""
    said = read(SAMPLES / "call.stm").utterances or ()
    chapter = tmp_path / "LibriSpeech" / "dev-clean" / "84" / "121123"
    names = [f"84-121123-{number:04}" for number in range(2)]
    texts = [" ".join(normalize(one.text)).upper() for one in said[:2]]
    lines = "".join(f"{name} {text}\n" for name, text in zip(names, texts, strict=True))
    written(chapter / "84-121123.trans.txt", lines)
    for name in names:
        written(chapter / f"{name}.flac", (SAMPLES / "edge" / "one_word.flac").read_bytes())
    return tmp_path


def test_librispeech_gives_a_case_per_sentence(librispeech_folder: Path) -> None:
    first, second = librispeech(librispeech_folder, "dev-clean").cases
    assert [first.name, second.name] == ["84-121123-0000", "84-121123-0001"]
    (said,) = first.reference.utterances or ()
    assert (said.speaker, said.start, said.end) == ("84", 0.0, 3.0)
    assert said.text.startswith("GOOD AFTERNOON THIS IS THE CUSTOMER SERVICE")
    assert first.parameters == {"summarize": False, "diarize": False}
    assert librispeech(librispeech_folder / "LibriSpeech", "dev-clean").cases == [first, second]


def test_a_sentence_without_its_recording_is_told(librispeech_folder: Path) -> None:
    next(librispeech_folder.rglob("*-0001.flac")).unlink()
    found = librispeech(librispeech_folder, "dev-clean")
    assert [case.name for case in found.cases] == ["84-121123-0000"]
    assert found.missing_text == "1 of 2 recordings, missing: 84-121123-0001"


def test_a_broken_recording_costs_no_other(librispeech_folder: Path) -> None:
    broken = next(librispeech_folder.rglob("*-0001.flac"))
    broken.write_bytes(b"fLaC junk")
    written(broken.with_name("._84-121123.trans.txt"), b"\0\5\xff")
    problems = [case.problem for case in librispeech(librispeech_folder, "dev-clean").cases]
    assert problems == [None, "84-121123-0001.flac: cannot be read as a recording."]


# --- The command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("corpus", "split", "names"),
    [
        ("ami", None, ["ES2004a"]),
        ("voxconverse", "dev", ["abjxc"]),
        ("librispeech", "dev-clean", ["84-121123-0000"]),
    ],
)
def test_a_corpus_is_evaluated_where_it_lies(
    corpus: str,
    split: str | None,
    names: list[str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = request.getfixturevalue(f"{corpus}_folder")
    monkeypatch.setenv("ASR_MODEL", "fake")
    monkeypatch.setattr(run, "OWN", tmp_path / "own")
    monkeypatch.setattr("handler.EndpointHandler", lambda settings: EndpointHandler(settings=settings, engines=fake_engines()))
    chosen = [] if split is None else ["--split", split]
    assert run.main(["--corpus", corpus, str(folder), *chosen, "--first", "1", "--collar", "0.5", "--write"]) == 0
    figures = json.loads((tmp_path / "own" / f"environment-{corpus}-{split or 'test'}.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in figures["recordings"]] == names
    assert figures["der_collar_total_s"] == 0.5
    assert figures["missing"].partition(",")[0] == ("1 of 16 recordings" if corpus == "ami" else "")
    (row,) = figures["recordings"]
    assert {name for name in ("wer", "der") if row[name] is not None} == {
        "ami": {"wer", "der"},
        "voxconverse": {"der"},
        "librispeech": {"wer"},
    }[corpus]
