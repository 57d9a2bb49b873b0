"""The scorer, on cases worked out by hand, and `evaluation.run` on a real handler with fake engines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import meeteval
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import ModelSettings
from evaluation import run
from evaluation.__main__ import main
from evaluation.cases import Case, data_cases, folder_cases, phone_call_cases, sample_cases
from evaluation.checks import Check, check_table, edge_checks, score_checks
from evaluation.engines import ENVIRONMENT, STANDARD, EngineSet
from evaluation.listen import Edge, Heard, run_edge
from evaluation.measures import run_case
from evaluation.normalize import normalize
from evaluation.readers import ReadError, Recording, Utterance, read, read_reply, read_rttm, read_stm
from evaluation.report import as_json, table
from evaluation.results import MARKS
from evaluation.score import Rate, Score, Spoken, _seglst, _words, diarization_errors, orc_errors_of_many, pooled, score
from handler import EndpointHandler
from roundtable.control import Control
from roundtable.formats import render
from roundtable.transcript import Conversation, Diarization, Segment, SpeakerTurn, Transcript, Turn, Word
from tests.fakes import PHRASE, FakeDiarizer, FakeSummarizer, FakeTranscriber, fake_engines, raises, tone_wav

ROOT = Path(__file__).resolve().parent.parent


def heard(*utterances: tuple[str | None, float, float, str], turns: tuple[Turn, ...] | None = None) -> Recording:
    return Recording("talk", tuple(Utterance(*utterance) for utterance in utterances), turns)


def values(hypothesis: Recording, reference: Recording) -> dict[str, float | None]:
    """The word measures, by name."""
    measured = score(hypothesis, reference)
    rates = {name: getattr(measured, name) for name in ("wer", "cp_wer", "tcp_wer", "orc_wer", "wder")}
    return {name: None if rate is None else rate.value for name, rate in rates.items()}


TALK = heard(("A", 0, 5, "alpha bravo charlie delta echo"), ("B", 5, 8, "foxtrot golf hotel"), ("B", 8, 10, "india juliet"))
ALL_RIGHT = {"wer": 0.0, "cp_wer": 0.0, "tcp_wer": 0.0, "orc_wer": 0.0, "wder": 0.0}


# --- Words and speakers ------------------------------------------------------------------------------------------------


def test_the_same_talk_has_no_errors() -> None:
    assert values(TALK, TALK) == ALL_RIGHT


def test_the_names_of_the_speakers_do_not_matter() -> None:
    swapped = heard(
        ("B", 0, 5, "alpha bravo charlie delta echo"), ("A", 5, 8, "foxtrot golf hotel"), ("A", 8, 10, "india juliet")
    )
    assert values(swapped, TALK) == ALL_RIGHT


def test_two_of_ten_words_credited_to_the_wrong_speaker() -> None:
    wrong = heard(
        ("X", 0, 5, "alpha bravo charlie delta echo"), ("Y", 5, 8, "foxtrot golf hotel"), ("X", 8, 10, "india juliet")
    )
    assert values(wrong, TALK) == {"wer": 0.0, "cp_wer": 0.4, "tcp_wer": 0.4, "orc_wer": 0.0, "wder": 0.2}


def test_speakers_are_mapped_as_suits_best_and_misheard_words_count() -> None:
    reference = heard(("A", 0, 1, "alpha"), ("B", 1, 4, "bravo charlie delta"), ("A", 4, 7, "echo foxtrot golf"))
    hypothesis = heard(("Y", 0, 4, "alpha bravo zulu delta"), ("X", 4, 7, "yankee foxtrot golf"))
    assert score(hypothesis, reference).wder == Rate({"wrong_speaker": 1}, 7)


def test_word_errors_come_in_their_kinds() -> None:
    measured = score(
        heard(("A", 0, 5, "alpha zulu delta echo echo yankee")), heard(("A", 0, 5, "alpha bravo charlie delta echo"))
    )
    assert measured.wer == Rate({"substitutions": 1, "deletions": 1, "insertions": 2}, 5)


@pytest.mark.parametrize(("late_s", "expected"), [(4.0, 0.0), (6.0, 2.0)])
def test_a_right_word_counts_for_tcpwer_only_within_five_seconds(late_s: float, expected: float) -> None:
    reference = heard(("A", 10.0, 10.4, "yes"))
    hypothesis = heard(("A", 10.0 + late_s, 10.4 + late_s, "yes"))
    assert values(hypothesis, reference) == {**ALL_RIGHT, "tcp_wer": expected}


def test_words_credited_to_nobody_are_a_stream_of_their_own() -> None:
    reference = heard(("A", 0, 2, "alpha bravo"))
    half = heard(("A", 0, 1, "alpha"), (None, 1, 2, "bravo"))
    assert values(half, reference) == {"wer": 0.0, "cp_wer": 1.0, "tcp_wer": 1.0, "orc_wer": 1.0, "wder": 0.5}
    assert half.num_speakers == 1


def test_words_against_an_empty_reference_are_insertions_and_no_share() -> None:
    measured = score(heard(("A", 0, 2, "thank you"), ("B", 2, 3, "bye")), heard())
    inserted = Rate({"substitutions": 0, "deletions": 0, "insertions": 3}, 0)
    assert (measured.wer, measured.cp_wer, measured.tcp_wer, measured.orc_wer) == (inserted,) * 4
    assert inserted.value is None
    assert measured.wder is None
    assert "+3" in table([measured])


def test_an_empty_hypothesis_misses_every_word() -> None:
    assert values(heard(), TALK) == {"wer": 1.0, "cp_wer": 1.0, "tcp_wer": 1.0, "orc_wer": 1.0, "wder": None}
    assert table([score(heard(), TALK)]).splitlines()[1].split()[7] == "-"


def test_silence_against_silence_has_no_errors() -> None:
    silence = Recording("silence", (), (), 5.0)
    measured = score(silence, silence)
    assert values(silence, silence) == {**ALL_RIGHT, "wder": None}
    assert measured.der is not None
    assert measured.der.value == 0.0


def test_the_total_pools_errors_and_does_not_average_rates() -> None:
    short = score(heard(("A", 0, 1, "no")), heard(("A", 0, 1, "yes")))
    long = score(TALK, replace(TALK, name="long"))
    total = pooled([short, long])
    assert total.wer == Rate({"substitutions": 1, "deletions": 0, "insertions": 0}, 11)
    assert total.der is None


def test_speakers_are_counted_by_the_turns() -> None:
    hypothesis = replace(TALK, turns=(Turn(0, 1, "X"), Turn(1, 2, "Y"), Turn(2, 3, "Z")))
    measured = score(hypothesis, TALK)
    assert measured.speaker_count == Rate({"extra": 1, "missing": 0}, 2)
    assert score(heard(("A", 0, 1, "yes")), TALK).speaker_count == Rate({"extra": 0, "missing": 1}, 2)


# --- Turns -------------------------------------------------------------------------------------------------------------

REFERENCE_TURNS = (Turn(0, 10, "A"), Turn(10, 20, "B"))


def test_diarization_errors_worked_out_by_hand() -> None:
    found = (Turn(0, 8, "X"), Turn(8, 18, "Y"), Turn(25, 27, "Y"))
    measured = diarization_errors(found, REFERENCE_TURNS, 30.0)
    assert measured == Rate({"missed": 2.0, "false_alarm": 2.0, "confusion": 2.0}, 20.0)
    assert measured.value == pytest.approx(0.3)


def test_what_lies_beyond_the_recording_is_not_scored() -> None:
    found = (*REFERENCE_TURNS, Turn(25, 27, "A"))
    assert diarization_errors(found, REFERENCE_TURNS, 25.0).value == 0.0


def test_a_recording_that_was_cut_short_misses_the_rest_of_the_speech() -> None:
    cut = Recording("talk", turns=(Turn(0, 10, "A"),), duration_s=10.0)
    assert score(cut, Recording("talk", turns=REFERENCE_TURNS)).der == Rate(
        {"missed": 10.0, "false_alarm": 0.0, "confusion": 0.0}, 20.0
    )


def test_overlapping_turns_of_one_speaker_are_no_overlapped_speech() -> None:
    twice = (Turn(0, 6, "A"), Turn(4, 10, "A"), Turn(10, 20, "B"))
    assert diarization_errors(REFERENCE_TURNS, twice, 20.0) == Rate({"missed": 0.0, "false_alarm": 0.0, "confusion": 0.0}, 20.0)
    assert diarization_errors(twice, REFERENCE_TURNS, 20.0).errors == 0.0


def test_overlapped_speech_is_scored() -> None:
    overlapped = (*REFERENCE_TURNS, Turn(8, 10, "B"))
    assert diarization_errors(REFERENCE_TURNS, overlapped, 20.0) == Rate(
        {"missed": 2.0, "false_alarm": 0, "confusion": 0}, 22.0
    )


def test_the_collar_is_the_total_width_half_of_md_evals() -> None:
    """md-eval's 0.25 s leaves out 0.25 s to either side of a border: 0.5 s in all."""
    late = (Turn(0, 10.25, "A"), Turn(10.25, 20, "B"))
    as_md_eval = diarization_errors(late, REFERENCE_TURNS, 20.0, collar_s=0.5)
    assert as_md_eval.errors == pytest.approx(0.0)
    assert as_md_eval.length == pytest.approx(20 - 0.25 - 0.5 - 0.25)
    assert diarization_errors(late, REFERENCE_TURNS, 20.0, collar_s=0.25).errors == pytest.approx(0.125)


# --- Normalisation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Okay, um, it's FINE — isn't it?", "okay it is fine is not it"),
        ("OK it is fine is not it", "okay it is fine is not it"),
        ("We’ll see: they won't, can't, and cannot.", "we will see they will not can not and can not"),
        ("It's been good; he'd better go, I'd say", "it has been good he had better go i would say"),
        ("Sheila's e-mail [laughter] (noise) <unk> naïve café", "sheilas e mail naive cafe"),
        ("Mr. Brown paid $1,250.50 (50%)", "mister brown paid 1250.50 dollars"),
        ("$5 million, £3.5 million and five million dollars", "5000000 dollars 3.5 million pounds and 5000000 dollars"),
        ("The U.S., US; 3 p.m. at a.b.com", "the us us 3 pm at a b com"),
        ("50% off, 3.5 litres", "50 percent off 3.5 litres"),
        ("three point five liters and zero point zero five", "3.5 liters and 0.05"),
        ("twenty-five people, a hundred and one ideas", "25 people 101 ideas"),
        ("nineteen eighty-four, twenty twenty six, nineteen oh five, nineteen hundred", "1984 2026 1905 1900"),
        ("two thousand and six, 5 thousand, one million two hundred thousand and three", "2006 5000 1200003"),
        ("the first, twenty-third and one hundredth of the twelfth", "the 1st 23rd and 100th of the 12th"),
        ("twenty tenth, one hundred tenth, one hundred twenty first, five second", "20 10th 110th 121st 5 2nd"),
        ("one two three, ten fifteen, one or two", "1 2 3 10 15 1 or 2"),
        ("1,2 and 1,234,567", "1 2 and 1234567"),
        ("hundreds of thousands and a point of order", "hundreds of thousands and a point of order"),
        ("", ""),
    ],
)
def test_normalize(text: str, expected: str) -> None:
    assert " ".join(normalize(text)) == expected


ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen"""
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


def spelled(number: int, *, british: bool) -> str:
    """A number in words, written from the other end than the code under test reads it."""
    if number < 20:
        return ONES.split()[number]
    if number < 100:
        return TENS.split()[number // 10 - 2] + ("" if number % 10 == 0 else f"-{ONES.split()[number % 10]}")
    unit, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = number % unit
    glue = " and " if british and rest < 100 else " "
    return f"{spelled(number // unit, british=british)} {name}" + (f"{glue}{spelled(rest, british=british)}" if rest else "")


def test_every_number_to_9999_is_the_same_spelled_and_in_digits() -> None:
    for number in range(10_000):
        for british in (False, True):
            assert normalize(spelled(number, british=british)) == normalize(f"{number:,}") == [str(number)]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(st.sampled_from("one hundred and fifty's, 12.%$-"), max_size=60))
def test_normalize_takes_any_text_and_leaves_plain_words(text: str) -> None:
    for word in normalize(text):
        assert word
        assert word == word.lower() or not word.isascii()
        assert not set(word) & set(" ,'\"?!-")


# --- Reading -----------------------------------------------------------------------------------------------------------


def test_stm_with_comments_labels_and_gaps() -> None:
    text = """;; a comment
talk 1 B 3.5 4.0 <o,f0,female> Good  morning.
talk 1 A 0.5 1.25 No label here

talk 1 inter_segment_gap 1.25 3.5
talk 1 A 5 6 ignore_time_segment_in_scoring
talk 1 A 6 7 IGNORE_TIME_SEGMENT_IN_SCORING
talk 1 A 7 8
"""
    assert read_stm(text, "talk.stm") == Recording(
        "talk",
        utterances=(
            Utterance("A", 0.5, 1.25, "No label here"),
            Utterance("B", 3.5, 4.0, "Good  morning."),
            Utterance("A", 7.0, 8.0, ""),
        ),
    )


def test_rttm_reads_speaker_lines() -> None:
    text = "SPKR-INFO talk 1 <NA> <NA> <NA> unknown A <NA>\nSPEAKER talk 1 2.5 0.5 <NA> <NA> A <NA> <NA>\n"
    assert read_rttm(text, "talk.rttm") == Recording("talk", turns=(Turn(2.5, 3.0, "A"),))


def test_a_byte_order_mark_costs_no_line(tmp_path: Path) -> None:
    (tmp_path / "a.rttm").write_bytes(b"\xef\xbb\xbf" + RTTM.encode())
    (tmp_path / "a.stm").write_bytes(b"\xef\xbb\xbf;; a comment\n" + STM.encode())
    said = read(tmp_path / "a.stm", tmp_path / "a.rttm")
    assert said == Recording("a", (Utterance("A", 0.0, 5.0, "Twenty-five words."),), (Turn(0.0, 5.0, "A"),))


def test_an_rttm_without_any_speaker_line_is_an_error() -> None:
    assert read_rttm("", "talk.rttm").turns == ()
    with pytest.raises(ReadError, match=r"^talk\.rttm: has no SPEAKER line\.$"):
        read_rttm("start,end,speaker\n0,1,A\n", "talk.rttm")


def test_a_reply_is_read_in_pieces_parted_by_pauses() -> None:
    words = (Word(" Hello", 0.0, 0.4), Word(" there.", 0.5, 0.9), Word(" Bye.", 1.5, 1.6))
    conversation = Conversation(
        Transcript((Segment(0.0, 1.6, " Hello there. Bye.", words),)),
        2.0,
        Diarization((Turn(0.0, 1.7, "SPEAKER_00"),)),
        (SpeakerTurn(0, "SPEAKER_00", 0.0, 1.6, " Hello there. Bye.", words),),
        timings_s={"total_s": 0.5},
    )
    pieces = (Utterance("SPEAKER_00", 0.0, 0.9, "Hello there."), Utterance("SPEAKER_00", 1.5, 1.6, "Bye."))
    spans = (Turn(0.0, 1.6, "SPEAKER_00"),)
    reply = render(conversation, "json")
    assert read_reply(reply, "talk.json") == Recording("talk", pieces, spans, 2.0, 0.5)
    rttm = str(render(conversation, "rttm")["text"])
    assert read_reply(reply, "talk.json", rttm).turns == (Turn(0.0, 1.7, "SPEAKER_00"),)
    without_times = render(conversation, "json", word_timestamps=False)
    assert read_reply(without_times, "talk.json").utterances == (Utterance("SPEAKER_00", 0.0, 1.6, "Hello there. Bye."),)
    plain = render(replace(conversation, turns=()), "json")
    undiarized = Recording("talk", (Utterance(None, 0.0, 1.6, "Hello there. Bye."),), None, 2.0, 0.5)
    assert read_reply(plain, "talk.json") == undiarized
    assert score(undiarized, heard(("A", 0, 2, "hello"), turns=spans)).speaker_count is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("talk 1 A 0.5\n", "talk.stm, line 1: an STM line has at least five fields."),
        ("\ntalk 1 A zero 1.0 hi\n", "talk.stm, line 2: a time is not a number."),
        ("talk 1 A 0 nan hi\n", "talk.stm, line 1: a time is not a number."),
        ("talk 1 A 2 1 hi\n", "talk.stm, line 1: ends before it starts."),
        ("a 1 A 0 1 hi\nb 1 A 0 1 hi\n", "talk.stm: holds 2 recordings; give each one a file of its own."),
    ],
)
def test_an_stm_that_cannot_be_scored(text: str, complaint: str) -> None:
    with pytest.raises(ReadError) as caught:
        read_stm(text, "talk.stm")
    assert str(caught.value) == complaint


# --- The command -------------------------------------------------------------------------------------------------------

NOT_A_REPLY = "error: hyp.json: is not a reply in the json format.\n"
STM = "talk 1 A 0 5 Twenty-five words.\n"
RTTM = "SPEAKER talk 1 0 5 <NA> <NA> A <NA> <NA>\n"
REPLY = {
    "text": "25 worlds",
    "chunks": [],
    "speakers": [{"speaker": "SPEAKER_00", "timestamp": [0, 4], "text": "25 worlds", "words": []}],
    "duration": 5.0,
    "timings": {"total_s": 2.5},
}


def written(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, {"hyp.json": json.dumps(REPLY), "talk.stm": STM, "talk.rttm": RTTM})
    files = [str(tmp_path / name) for name in ("hyp.json", "talk.stm", "talk.rttm")]
    assert main([files[0], files[1], "--rttm", files[2]]) == 0
    assert capsys.readouterr().out == (
        "recording  words    WER  sub/del/ins  cpWER  tcpWER  ORC-WER   WDER    DER  miss/fa/conf s  speakers    RTF\n"
        "talk           2  0.500        1/0/0  0.500   0.500    0.500  0.000  0.200     1.0/0.0/0.0         1  0.500\n"
        "(normaliser roundtable-english-2; total = all errors over all words or seconds)\n"
    )


def test_two_folders_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hyp = written(tmp_path / "hyp", {"b.json": json.dumps(REPLY), "b.rttm": RTTM, "a.stm": STM, "extra.json": "{}"})
    stm, rttm = STM.replace("talk", "b"), RTTM.replace("talk", "b")
    ref = written(tmp_path / "ref", {"a.stm": STM.replace("talk", "a"), "b.stm": stm, "b.rttm": rttm, "._a.stm": "\0"})
    assert main([str(hyp), str(ref), "--json", "-"]) == 0
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert output.err == "not scored, for want of a reference: extra\n"
    assert [entry["name"] for entry in report["recordings"]] == ["a", "b"]
    assert [entry["der"] and entry["der"]["value"] for entry in report["recordings"]] == [None, 0.0]
    expected = {"value": 0.25, "errors": 1, "length": 4, "substitutions": 1, "deletions": 0, "insertions": 0}
    assert report["total"]["wer"] == expected
    assert report["normalizer"] == "roundtable-english-2"
    assert main([str(hyp), str(ref), "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == report
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:4]] == ["recording", "a", "b", "total"]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"hyp.json": "{"}, "error: hyp.json: is not JSON.\n"),
        ({"hyp.json": '{"text": ""}'}, NOT_A_REPLY),
        ({"hyp.json": '{"speakers": [], "chunks": [{"timestamp": [0, NaN], "text": ""}]}'}, NOT_A_REPLY),
        ({"hyp.json": "[]"}, NOT_A_REPLY),
        ({"hyp.json": json.dumps(REPLY).replace('"25 worlds"', "null")}, NOT_A_REPLY),
        ({"hyp.json": json.dumps(REPLY).replace('"SPEAKER_00"', "5")}, NOT_A_REPLY),
        ({"hyp.json": json.dumps({**REPLY, "duration": -5})}, NOT_A_REPLY),
        ({"hyp.json": "[" * 100_000}, "error: hyp.json: is not JSON.\n"),
        ({}, "error: hyp.json: no such file or folder.\n"),
        ({"hyp.json": json.dumps({**REPLY, "duration": 10**400})}, NOT_A_REPLY),
        ({"hyp.json": json.dumps(REPLY).replace("[0, 4]", f"[0, {10**400}]")}, NOT_A_REPLY),
        ({"hyp.json": json.dumps(REPLY).replace("[0, 4]", f"[0, {'9' * 5000}]")}, "error: hyp.json: is not JSON.\n"),
        ({"hyp.json": json.dumps(REPLY).replace("[0, 4]", "[4, 0]")}, "error: hyp.json: a turn ends before it starts.\n"),
    ],
)
def test_input_that_cannot_be_read(
    files: dict[str, str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, {**files, "talk.stm": STM})
    assert main([str(tmp_path / "hyp.json"), str(tmp_path / "talk.stm")]) == 2
    assert capsys.readouterr().err == complaint


def test_more_speakers_than_can_be_scored_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, {"b.stm": TWENTY_ONE})
    assert main([str(tmp_path / "b.stm"), str(tmp_path / "b.stm")]) == 2
    assert capsys.readouterr().err == "error: b: there are 21 speakers, and cpWER takes 20 at most.\n"


def test_pairs_that_do_not_match(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ref = written(tmp_path / "ref", {"a.stm": STM, "notes.txt": ""})
    empty = written(tmp_path / "empty", {})
    assert main([str(empty), str(ref)]) == 2
    assert main([str(ref), str(empty)]) == 2
    assert main([str(ref), str(ref / "a.stm")]) == 2
    assert main([str(ref / "notes.txt"), str(ref / "a.stm")]) == 2
    assert main([str(ref), str(ref), "--rttm", "x.rttm"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: HYP has no hypothesis for a.",
        "error: REF holds no .stm and no .rttm file.",
        "error: HYP and REF must be two files or two folders.",
        "error: notes.txt: is none of .json, .stm and .rttm.",
        "error: --rttm and --hyp-rttm are for single files; in a folder, turns are read from NAME.rttm.",
    ]


def test_an_argument_that_is_no_path_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stm = written(tmp_path, {"talk.stm": STM}) / "talk.stm"
    long = "x" * 5000
    assert main([long, str(stm)]) == 2
    assert main([str(stm), str(tmp_path / "nope.stm")]) == 2
    assert main([str(stm), str(stm), "--rttm", str(tmp_path / "nope.rttm")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: {long}: no such file or folder.",
        "error: nope.stm: no such file or folder.",
        "error: nope.rttm: no such file.",
    ]


def test_word_times_beside_a_reference_are_no_hypothesis(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(ROOT / "samples"), str(ROOT / "samples")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("module", ["evaluation", "evaluation.run", "evaluation.gate"])
def test_where_the_tools_are_not_installed_one_sentence_says_how_to_get_them(module: str) -> None:
    without_jiwer = f"import sys; sys.modules['jiwer'] = None; import runpy; runpy.run_module({module!r}, run_name='__main__')"
    process = subprocess.run([sys.executable, "-c", without_jiwer], cwd=ROOT, capture_output=True, text=True, check=False)
    sentence = "error: jiwer is not installed; make evaluate-tools installs it into .venv.\n"
    assert (process.returncode, process.stdout, process.stderr) == (2, "", sentence)
    assert "\nevaluate-tools: $(VENV)/.dev " in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize(("variables", "arguments"), [((), "--write"), (("DATA=my folder",), "--write --data my folder")])
def test_make_evaluate_with_data_measures_that_folder_alone(variables: tuple[str, ...], arguments: str, tmp_path: Path) -> None:
    told = written(tmp_path, {".dev": ""}) / "python"
    told.write_text('#!/bin/sh\necho "$*"\n', encoding="utf-8")
    told.chmod(0o755)
    command = ["make", "-s", "-o", f"{tmp_path}/.dev", "evaluate", f"VENV={tmp_path}", f"PY={told}", *variables]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.stdout == f"-m evaluation.run {arguments}\n"


def crowd(size: int) -> str:
    return "".join(f"b 1 s{n} {n} {n + 1} word number {n}\n" for n in range(size))


@pytest.mark.parametrize("size", [10, 11, 20])
def test_up_to_twenty_speakers_are_scored(size: int) -> None:
    said = read_stm(crowd(size), "b.stm")
    assert values(said, said) == ALL_RIGHT
    swapped = read_stm(crowd(size).replace(" s0 ", " s1 "), "b.stm")
    assert score(swapped, said).orc_wer == Rate({"substitutions": 0, "deletions": 0, "insertions": 0}, 3 * size)
    alone = read_stm("b 1 A 0 1 word number five\n", "b.stm")
    assert score(said, alone).orc_wer == Rate({"substitutions": 0, "deletions": 0, "insertions": 3 * size - 3}, 3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=20))
def test_the_search_among_many_speakers_never_beats_what_is_possible(lines: list[tuple[int, int, int]]) -> None:
    """It is an assignment like any other: between the word errors of the best one and those of cpWER's mapping."""
    said = [Spoken(f"a{a}", n, n + 1, (f"w{n % 3}", "and")) for n, (a, _, _) in enumerate(lines)]
    heard = [Spoken(f"b{b}", n, n + 1, (f"w{w}", "and")) for n, (_, b, w) in enumerate(lines)]
    errors = orc_errors_of_many(heard, said).errors
    by_speaker = meeteval.wer.cpwer(_seglst(said), _seglst(heard))["it"].errors
    assert abs(len(_words(heard)) - len(_words(said))) <= errors <= by_speaker


def test_one_bad_recording_does_not_end_the_run_over_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"a.stm": STM.replace("talk", "a"), "b.stm": TWENTY_ONE, "c.stm": "c 1 A 5 3 no\n", "d.stm": crowd(1)}
    folder = written(tmp_path, files)
    assert main([str(folder), str(folder), "--json", str(tmp_path / "out")]) == 0
    reasons = {
        "b": "b: there are 21 speakers, and cpWER takes 20 at most.",
        "c": "c.stm, line 1: ends before it starts.",
    }
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "(normaliser roundtable-english-2; total = all errors over all words or seconds)",
        *(f"not scored: {reason}" for reason in reasons.values()),
        "warning: d: d.stm is about a recording called b.",
    ]
    report = json.loads((tmp_path / "out").read_text(encoding="utf-8"))
    assert report["not_scored"] == reasons
    assert [(row["name"], row["warnings"]) for row in report["recordings"]] == [
        ("a", []),
        ("d", ["d.stm is about a recording called b."]),
    ]


def test_what_nobody_foresaw_does_not_end_the_run_over_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails_for_b(hypothesis: Recording, reference: Recording, **options: float) -> Score:
        if reference.name == "b":
            raise ZeroDivisionError
        return score(hypothesis, reference)

    monkeypatch.setattr("evaluation.__main__.score", fails_for_b)
    folder = written(tmp_path, {f"{name}.stm": STM.replace("talk", name) for name in "ab"})
    assert main([str(folder), str(folder)]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[-1] == "not scored: b: could not be measured: ZeroDivisionError"
    assert "Traceback" in output.err
    assert main([str(folder / "b.stm"), str(folder / "b.stm")]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: b: could not be measured: ZeroDivisionError"


def test_a_reference_beyond_the_end_of_the_reply_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, {"hyp.json": json.dumps(REPLY), "talk.stm": STM.replace(" 0 5 ", " 20 25 ")})
    assert main([str(tmp_path / "hyp.json"), str(tmp_path / "talk.stm")]) == 0
    told = "warning: talk: the reference ends at 25.0 s and the recording at 5.0 s."
    output = capsys.readouterr()
    assert (output.err, output.out.splitlines()[-1]) == (f"{told}\n", told)


def test_usage_is_exit_code_2() -> None:
    process = subprocess.run([sys.executable, "-m", "evaluation"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert "usage: python -m evaluation" in process.stderr


# --- evaluation.run ----------------------------------------------------------------------------------------------------

# What the fake engines hear in two seconds of anything: five words 0.4 s apart, and a change of speakers after a second.
FAKE_STM = "tone 1 A 0.0 1.1 Purple elephants audit\ntone 1 B 1.2 1.9 the lighthouse\n"
FAKE_RTTM = "SPEAKER tone 1 0 1 <NA> <NA> A <NA> <NA>\nSPEAKER tone 1 1 1 <NA> <NA> B <NA> <NA>\n"
SETTINGS = ModelSettings(asr_model="fake")


def handler_that_hears(text: str, *, failing: bool = False) -> EndpointHandler:
    before = raises(RuntimeError()) if failing else lambda control: None
    return EndpointHandler(settings=SETTINGS, engines=fake_engines(FakeTranscriber(text, before)))


def sample_folder(folder: Path, stm: str = FAKE_STM, rttm: str = FAKE_RTTM) -> Path:
    written(folder, {"tone.stm": stm, "tone.rttm": rttm})
    (folder / "tone.flac").write_bytes(tone_wav(2.0))
    (folder / "without-reference.flac").write_bytes(tone_wav(2.0))
    return folder


def test_a_recording_that_reaches_everything(tmp_path: Path) -> None:
    (case,) = sample_cases(sample_folder(tmp_path))
    measured = run_case(handler_that_hears(PHRASE).converse, case)
    checks = score_checks(case, measured)
    assert [(check.measure, check.measured, check.must_reach) for check in checks[:4]] == [
        ("WER", "0.000", "<= 0.20"),
        ("DER", "0.000", "<= 0.15"),
        ("cpWER", "0.000", "<= 0.35"),
        ("speakers wrong", "0", "0"),
    ]
    assert [check.ok for check in checks] == [True] * 5
    assert check_table(checks).endswith("5 of 5 reached")


def test_a_recording_that_falls_short_says_so(tmp_path: Path) -> None:
    stm = FAKE_STM.replace("lighthouse", "harbour today please")
    rttm = FAKE_RTTM + "SPEAKER tone 1 0 2 <NA> <NA> C <NA> <NA>\n"
    (case,) = sample_cases(sample_folder(tmp_path, stm, rttm))
    checks = score_checks(case, run_case(handler_that_hears(PHRASE).converse, case))
    assert [(check.measure, check.measured, check.ok) for check in checks[:4]] == [
        ("WER", "0.429", False),
        ("DER", "0.500", False),
        ("cpWER", "0.429", False),
        ("speakers wrong", "1", False),
    ]
    assert check_table(checks).endswith("1 of 5 reached, 4 SHORT")


def test_an_edge_clip_with_invented_words_falls_short(tmp_path: Path) -> None:
    clip = tmp_path / "silence.flac"
    clip.write_bytes(tone_wav(2.0))
    edge = run_edge(handler_that_hears("thank you").converse, clip)
    assert replace(edge, rtf=None) == Edge("silence", "thank you", ("SPEAKER_00",), "thank you", "", None, invented=2)
    assert [(check.measure, check.measured, check.ok) for check in edge_checks(edge)] == [
        ("error", "none", True),
        ("outcome", "ok", True),
        ("invented words", "2", False),
        ("invented speakers", "1", False),
        ("summary", "does not", False),
    ]


def test_an_edge_clip_that_fails_is_reported_by_its_code(tmp_path: Path) -> None:
    clip = tmp_path / "silence.flac"
    clip.write_bytes(tone_wav(2.0))
    edge = run_edge(handler_that_hears("", failing=True).converse, clip)
    assert edge == Edge("silence", "", (), "", "engine_failed", None, outcome="failed")
    assert edge_checks(edge) == [Check("silence", "error", "engine_failed", "none", False)]


def test_the_phone_call_comes_from_the_installed_package() -> None:
    told, untold = phone_call_cases()
    assert (told.parameters, untold.parameters) == ({"num_speakers": 2}, {})
    assert told.audio.stat().st_size == 960_104
    assert [len(told.reference.utterances or ()), len(told.reference.turns or ()), told.reference.num_speakers] == [13, 10, 2]


def test_a_clip_with_a_reference_tells_invented_words_from_those_said(tmp_path: Path) -> None:
    clip = tmp_path / "one_word.flac"
    clip.write_bytes(tone_wav(2.0))
    assert run_edge(handler_that_hears(PHRASE).converse, clip).invented is None
    written(tmp_path, {"one_word.rttm": "SPEAKER one_word 1 0 0.3 <NA> <NA> A <NA> <NA>\n"})
    assert run_edge(handler_that_hears(PHRASE).converse, clip).invented == 3  # the first is said, the second within 0.25 s


def fake_set(folder: Path, name: str = "embedded") -> EngineSet:
    return EngineSet(name, "Fakes", lambda scratch: {"asr_model": "fake"}, lambda: sample_cases(folder), quick_to_load=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one recording and one edge clip, whose engines hear PHRASE in both."""
    sample_folder(tmp_path / "samples")
    (tmp_path / "silence.flac").write_bytes(tone_wav(2.0))
    written(tmp_path, {"README.md": "Before.\n{}\n\n{}\nAfter.\n".format(*MARKS)})
    monkeypatch.setattr(run, "STANDARD", (fake_set(tmp_path / "samples"),))
    monkeypatch.setattr(run, "edge_clips", lambda: [tmp_path / "silence.flac"])
    for name, path in {"RESULTS": "results", "OWN": "own", "README": "README.md"}.items():
        monkeypatch.setattr(run, name, tmp_path / path)
    monkeypatch.setattr("handler.EndpointHandler", lambda settings: handler_that_hears(PHRASE))
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_whole_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([]) == 0
    assert not (project / "results").exists()
    assert run.main(["--strict"]) == 1  # words in silence
    assert "SHORT" in capsys.readouterr().out
    assert run.main(["--write"]) == 0
    report = json.loads((project / "results" / "embedded.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in report["recordings"]] == ["tone"]
    row = report["recordings"][0]
    assert (row["wer"]["value"], row["der"]["value"], row["attribution"], row["invented"]["errors"]) == (0.0, 0.0, 0.0, 0)
    assert (row["outcome"], row["warnings"], report["total"]["outcome"]) == ("ok", [], "ok")
    assert list(row["rtf"]) == ["decode", "asr", "diarize", "merge", "summarize"]
    assert report["command"] == "python -m evaluation.run --write"
    assert [(check["measure"], check["ok"]) for check in report["checks"] if check["recording"] == "silence"] == [
        ("error", True),
        ("outcome", True),
        ("invented words", False),
        ("invented speakers", False),
        ("summary", False),
    ]
    page = (project / "README.md").read_text(encoding="utf-8")
    assert page.startswith("Before.\n" + MARKS[0] + "\n\n```text\nFAKES\nprocessor: ")
    assert page.endswith("```\n\n" + MARKS[1] + "\nAfter.\n")


def own_report(project: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((project / "own" / "embedded-data-samples.json").read_text(encoding="utf-8"))
    return report


def test_a_recording_that_fails_does_not_cost_the_others(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "samples" / "broken.flac").write_bytes(b"no audio at all")
    written(project / "samples", {"broken.stm": STM})
    assert run.main(["--data", str(project / "samples"), "--write", "--strict"]) == 1
    report = own_report(project)
    assert [row["name"] for row in report["recordings"]] == ["tone"]
    assert report["not_in_total"] == {"broken": "not_audio"}
    broken = {"recording": "broken", "measure": "error", "measured": "not_audio", "must_reach": "none", "ok": False}
    assert report["checks"][0] == broken
    assert "not in the total: broken: not_audio" in capsys.readouterr().out
    assert run.main(["--data", str(project / "samples")]) == 0  # one was heard
    (project / "samples" / "tone.flac").unlink()
    assert run.main(["--data", str(project / "samples")]) == 1  # none was


TWENTY_ONE = "".join(f"b 1 s{n} {n} {n + 1} word\n" for n in range(21))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"b.stm": b"\xff"}, "b.stm: cannot be read as a text file."),
        ({"b.stm": TWENTY_ONE.encode()}, "there are 21 speakers, and cpWER takes 20 at most."),
        ({"b.stm": b"b 1 A 5 3 no\n"}, "b.stm, line 1: ends before it starts."),
        ({"b.stm": b"b 1 A 0 1e18 no\n"}, "b.stm, line 1: a time is not a number."),
        ({"b.rttm": b"SPEAKER b 1 0 -3 <NA> <NA> A <NA> <NA>\n"}, "b.rttm, line 1: ends before it starts."),
        ({"b.stm": b"", "b.words.json": b"[" * 100_000}, "b.words.json: is not a list of words with their times."),
        (
            {"b.stm": b"", "b.words.json": b'[{"word": "x", "start": 1, "end": 1%s, "speaker": "A"}]' % (b"0" * 400)},
            "b.words.json: is not a list of words with their times.",
        ),
        (
            {"b.stm": b"", "b.words.json": b'[{"word": "x", "start": 5, "end": 1, "speaker": "A"}]'},
            "b.words.json: is not a list of words with their times.",
        ),
    ],
)
def test_one_bad_reference_does_not_cost_the_others(files: dict[str, bytes], reason: str, project: Path) -> None:
    samples = project / "samples"
    (samples / "b.wav").write_bytes(tone_wav(2.0))
    for name, content in files.items():
        (samples / name).write_bytes(content)
    assert run.main(["--data", str(samples), "--write"]) == 0
    report = own_report(project)
    assert [row["name"] for row in report["recordings"]] == ["tone"]
    assert report["not_in_total"] == {"b": reason}
    assert (report["checks"][0]["recording"], report["checks"][0]["measured"], report["checks"][0]["ok"]) == (
        "b",
        reason,
        False,
    )


@pytest.mark.parametrize(
    ("files", "warnings"),
    [
        ({"tone.stm": FAKE_STM, "tone.rttm": FAKE_RTTM}, []),
        ({"tone.stm": FAKE_STM.replace(" 1.9 ", " 2.9 ")}, []),
        ({"tone.stm": FAKE_STM, "tone.rttm": FAKE_RTTM.replace(" 0 1 ", " 0 2 ").replace(" 1 1 1 ", " 1 0 2 ")}, []),  # at once
        ({"tone.stm": FAKE_STM.replace(" 1.9 ", " 9.9 ")}, ["the reference ends at 9.9 s and the recording at 2.0 s."]),
        ({"tone.rttm": FAKE_RTTM.replace("1 1 1 ", "1 1 9 ")}, ["the reference ends at 10.0 s and the recording at 2.0 s."]),
        ({"tone.stm": ";; nothing\n"}, ["tone.stm holds no utterance, so that every word heard is an insertion."]),
        ({"tone.stm": FAKE_STM.replace("tone", "zone")}, ["tone.stm is about a recording called zone."]),
        ({"tone.rttm": FAKE_RTTM.replace("tone", "zone")}, ["tone.rttm is about a recording called zone."]),
        (
            {"tone.stm": FAKE_STM, "tone.rttm": FAKE_RTTM.replace(" A ", " C ").replace(" B ", " D ")},
            ["no speaker of the words has the name of a speaker of the turns."],
        ),
        (
            {"tone.stm": FAKE_STM, "tone.rttm": FAKE_RTTM.replace(" A ", " C ").replace(" B ", " A ").replace(" C ", " B ")},
            ["most of what A says lies in the turns of B.", "most of what B says lies in the turns of A."],
        ),
    ],
)
def test_a_reference_that_looks_wrong_is_told_and_scored(
    files: dict[str, str], warnings: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tone.stm", "tone.rttm"):
        (project / "samples" / name).unlink()
    written(project / "samples", files)
    assert run.main(["--data", str(project / "samples"), "--write"]) == 0
    output = capsys.readouterr()
    lines = [f"warning: tone: {warning}" for warning in warnings]
    assert [line for line in output.out.splitlines() if line.startswith("warning")] == lines
    assert [line for line in output.err.splitlines() if line.startswith("warning")] == lines
    (row,) = own_report(project)["recordings"]
    assert (row["outcome"], row["warnings"]) == ("ok", warnings)


def test_a_folder_with_the_name_of_a_recording_does_not_cost_the_others(project: Path) -> None:
    (project / "samples" / "b.wav").mkdir()
    written(project / "samples", {"b.stm": STM, "._tone.stm": "\0", "._tone.flac": "\0"})
    assert run.main(["--data", str(project / "samples"), "--write"]) == 0
    assert own_report(project)["not_in_total"] == {"b": "b.wav: cannot be read as a file."}


def test_what_nobody_foresaw_costs_one_recording_and_is_shown(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(converse: object, audio: Path, parameters: object) -> Heard:
        raise ZeroDivisionError(audio.stem)

    monkeypatch.setattr("evaluation.evaluate.listen", fails)
    assert run.main(["--data", str(project / "samples"), "--write"]) == 1
    assert own_report(project)["not_in_total"] == {"tone": "could not be measured: ZeroDivisionError"}
    assert "ZeroDivisionError: tone" in capsys.readouterr().err


def test_two_recordings_with_one_reference_are_refused_by_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "samples" / "tone.mp3").write_bytes(tone_wav(2.0))
    assert run.main(["--data", str(project / "samples")]) == 2
    complaint = "error: tone.flac and tone.mp3 share one reference; only one can be the recording.\n"
    assert capsys.readouterr().err == complaint


def fails_the_second_time() -> Callable[[Control], object]:
    calls = count(1)

    def before(control: Control) -> object:
        if next(calls) == 2:
            raise RuntimeError
        return None

    return before


@pytest.mark.parametrize("stage", ["diarize", "summarize"])
def test_a_degraded_recording_does_not_improve_the_totals_unseen(
    stage: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, before = project / "samples", fails_the_second_time()
    for name in ("tone", "zone"):
        stm, rttm = FAKE_STM.replace("tone", name), FAKE_RTTM.replace("tone", name)
        written(samples, {f"{name}.stm": stm, f"{name}.rttm": rttm, f"{name}.summary.txt": "Ann pays 5."})
    (samples / "zone.flac").write_bytes(tone_wav(2.0))
    engines = fake_engines(
        None,
        FakeDiarizer(before) if stage == "diarize" else None,
        FakeSummarizer(before) if stage == "summarize" else None,
    )
    monkeypatch.setattr("handler.EndpointHandler", lambda settings: EndpointHandler(settings=SETTINGS, engines=engines))
    assert run.main(["--data", str(samples), "--write", "--strict"]) == 1
    assert "1 of 2 degraded" in capsys.readouterr().out
    report = own_report(project)
    good, bad = report["recordings"]
    assert (good["outcome"], bad["outcome"], bad["warnings"]) == ("ok", "degraded", [f"{stage}: engine_failed"])
    assert [(one["recording"], one["measured"], one["ok"]) for one in report["checks"] if one["measure"] == "outcome"] == [
        ("tone", "ok", True),
        ("zone", f"degraded ({stage}: engine_failed)", False),
    ]
    assert (report["total"]["facts"]["errors"], report["total"]["facts"]["length"]) == (2, 2)
    missed = (2.0, 2) if stage == "diarize" else (0.0, 0)
    assert (report["total"]["der"]["missed"], report["total"]["speaker_count"]["missing"]) == missed
    assert (report["total"]["der"]["length"], report["total"]["speaker_count"]["length"]) == (4.0, 4)


def test_a_degraded_edge_clip_falls_short() -> None:
    edge = Edge("silence", "", (), "No speech.", "", 0.1, 0, "degraded", ("diarize: engine_failed",))
    short = [check for check in edge_checks(edge) if not check.ok]
    assert short == [Check("silence", "outcome", "degraded (diarize: engine_failed)", "ok", False)]


def test_a_recording_heard_twice_counts_once_in_the_total(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = sample_cases(project / "samples")
    told = replace(case, name="tone, told 2", parameters={"num_speakers": 2})
    monkeypatch.setattr(run, "STANDARD", (replace(fake_set(project / "samples"), cases=lambda: [told, case]),))
    assert run.main(["--write"]) == 0
    report = json.loads((project / "results" / "embedded.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in report["recordings"]] == ["tone, told 2", "tone"]
    assert report["total"]["wer"]["length"] == 5
    assert report["not_in_total"] == {"tone, told 2": "the same recording, heard with other parameters"}


def test_engines_that_were_chosen_hear_ones_own_recordings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "STANDARD", tuple(fake_set(project / "samples", name) for name in ("embedded", "others")))
    assert run.main(["--data", str(project / "samples"), "--engines", "others", "--write"]) == 0
    assert [path.name for path in (project / "own").iterdir()] == ["others-data-samples.json"]


@pytest.mark.parametrize(
    ("option", "value"), [("--first", "0"), ("--first", "-1"), ("--first", "x"), ("--collar", "nan"), ("--collar", "-1")]
)
def test_options_that_would_mislead_are_refused(option: str, value: str, project: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        run.main(["--data", str(project / "samples"), f"{option}={value}"])
    assert caught.value.code == 2


def test_recordings_of_ones_own_have_results_of_their_own(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--data", str(project / "samples"), "--write"]) == 0
    output = capsys.readouterr()
    without = "not scored, for want of a reference: without-reference"
    assert output.err.splitlines()[0] == without
    assert without in output.out.splitlines()
    report = own_report(project)
    assert report["missing"] == without
    assert [row["name"] for row in report["recordings"]] == ["tone"]
    assert report["edge"] == []
    assert not (project / "results").exists()
    assert MARKS[0] + "\n\n" + MARKS[1] in (project / "README.md").read_text(encoding="utf-8")


def test_models_that_the_environment_names_hear_ones_own_recordings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_MODEL", "a/model")
    assert run.main(["--data", str(project / "samples"), "--write"]) == 0
    assert [path.name for path in (project / "own").iterdir()] == ["environment-data-samples.json"]


def test_what_cannot_be_evaluated_is_exit_code_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = written(project / "empty", {})
    assert run.main(["--data", str(empty)]) == 2
    assert run.main(["--corpus", "ted", str(empty)]) == 2
    assert run.main(["--corpus", "ami", str(empty)]) == 2
    assert run.main(["--data", str(project / "nowhere")]) == 2
    assert run.main(["--corpus", "ami", str(project / "nowhere")]) == 2
    assert run.main(["--data", str(project / "README.md")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: The folder holds no recording with an .stm or .rttm beside it.",
        "error: There is no corpus called that; there are ami, voxconverse, librispeech.",
        "error: ami: found none of what this split should hold: "
        "test meetings as *.Mix-Headset.wav with *.words.xml or only_words/rttms/test/*.rttm.",
        f"error: {project / 'nowhere'}: no such folder.",
        f"error: {project / 'nowhere'}: no such folder.",
        f"error: {project / 'README.md'}: not a folder.",
    ]


@pytest.mark.parametrize("engines", [one for one in STANDARD if not one.needs], ids=lambda engines: engines.name)
def test_the_environment_does_not_reach_into_the_standard_engines(
    engines: EngineSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ModelSettings.load(**engines.settings(tmp_path))
    for name in ModelSettings.model_fields:
        if name.endswith(("_model", "_revision")):
            monkeypatch.setenv(name.upper(), "another")
        if name.endswith("_dtype"):
            monkeypatch.setenv(name.upper(), "float32")
    assert ModelSettings.load(**engines.settings(tmp_path)) == before


def test_engines_that_are_not_installed_are_left_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(fake_set(project / "samples"), needs=("no_such_package.inside",))
    monkeypatch.setattr(run, "STANDARD", (absent,))
    assert absent.missing() == "no_such_package.inside"
    assert run.main(["--write"]) == 0
    assert not (project / "results").exists()
    assert run.main(["--data", str(project / "samples")]) == 1


def test_a_folder_of_recordings_may_say_more_or_less_about_each(tmp_path: Path) -> None:
    words = [
        {"speaker": "A", "word": "two", "start": 1.0, "end": 1.2},
        {"speaker": "B", "word": "one", "start": 0.5, "end": 0.7},
    ]
    files = {
        "a.stm": STM.replace("talk", "a"),
        "a.words.json": json.dumps(words),
        "a.summary.txt": "Short.",
        "b.rttm": RTTM.replace("talk", "b"),
        "c.txt": "",
    }
    written(tmp_path, files)
    for name in ("a.wav", "b.mp3", "c.flac"):
        (tmp_path / name).write_bytes(b"")
    a, b = folder_cases(tmp_path)
    assert [(word.text, word.start, word.speaker) for word in a.words or ()] == [("one", 0.5, "B"), ("two", 1.0, "A")]
    assert (a.name, a.summary, a.reference.turns) == ("a", "Short.", None)
    assert b == Case("b", tmp_path / "b.mp3", Recording("b", turns=(Turn(0, 5, "A"),)))
    assert sample_cases(tmp_path) == []
    assert data_cases(tmp_path) == ([a, b], "not scored, for want of a reference: c")
    written(tmp_path, {"a.words.json": '[{"word": "two"}]'})
    assert [case.problem for case in folder_cases(tmp_path)] == ["a.words.json: is not a list of words with their times.", None]
    with pytest.raises(ReadError, match=r"^a\.words\.json: is not a list of words with their times\.$"):
        sample_cases(tmp_path)


def test_a_report_is_json() -> None:
    assert json.loads(json.dumps(as_json([score(TALK, TALK)]), allow_nan=False))["total"]["wer"]["length"] == 10


def test_turns_against_words_alone_is_an_error_that_names_the_missing_option(capsys: pytest.CaptureFixture[str]) -> None:
    samples = ROOT / "samples"
    assert main([str(samples / "call.rttm"), str(samples / "call.stm")]) == 2
    assert capsys.readouterr().err == "error: call: one side has only words and the other only turns; --rttm adds turns.\n"
