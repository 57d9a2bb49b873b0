"""What the evaluation measures beside the scores: invented words, word times, facts, attribution, encoder passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.cases import Case
from evaluation.encoder_passes import counted_encoder_passes
from evaluation.facts import fact_coverage, facts
from evaluation.figures import figures_of, rate_of
from evaluation.invented import invented_words
from evaluation.listen import Heard
from evaluation.measures import Measured, all_together, measure, without_labels
from evaluation.readers import Recording, Utterance
from evaluation.score import Rate, Score
from evaluation.word_times import starts_off_s
from roundtable.transcript import Turn, Word

WHISPER = Path(__file__).parent / "models" / "whisper-tiny"


# --- Words where nobody speaks ---------------------------------------------------------------------------------------

SPEECH = Recording("talk", turns=(Turn(10, 20, "A"), Turn(15, 22, "B"), Turn(40, 50, "A")))


@pytest.mark.parametrize(
    ("start", "end", "invented"),
    [(12, 13, 0), (5, 10, 0), (5, 9.75, 1), (5, 9.76, 0), (22.24, 23, 0), (22.25, 23, 1), (30, 31, 1), (5, 60, 0)],
)
def test_a_word_is_invented_if_all_of_it_is_far_from_speech(start: float, end: float, invented: int) -> None:
    assert invented_words([Word("yes", start, end)], SPEECH, 60.0).errors == invented


def test_invented_words_are_counted_per_minute_without_speech() -> None:
    heard = [Word("Thank", 1, 2), Word("you.", 2, 3), Word("twenty-five", 3, 4), Word("um", 4, 5), Word("yes", 12, 13)]
    rate = invented_words(heard, SPEECH, 60.0)
    assert rate.errors_by_kind == {"invented": 3}  # a filler is no word
    assert rate.length == pytest.approx((60 - 12 - 10) / 60)


def test_without_turns_the_utterances_say_where_speech_is() -> None:
    said = Recording("talk", utterances=(Utterance("A", 10, 20, "yes"),))
    assert invented_words([Word("yes", 12, 13), Word("no", 30, 31)], said, 60.0).errors == 1


def test_where_nothing_is_said_every_word_is_invented() -> None:
    assert invented_words([Word("you", 1, 2)], Recording("silence", turns=()), 30.0) == Rate({"invented": 1}, 0.5)


# --- Word times ------------------------------------------------------------------------------------------------------


def test_only_words_that_were_heard_right_have_a_time_error() -> None:
    said = [("One", 0.0), ("small", 1.0), ("step", 2.0), ("forward.", 3.0)]
    heard = [("1", 0.25), ("smell", 1.5), ("step", 1.9), ("for", 3.0), ("forward", 3.5)]
    assert starts_off_s(heard, said) == pytest.approx([0.25, 0.1, 0.5])
    assert starts_off_s([], said) == starts_off_s(heard, []) == []


# --- Facts -----------------------------------------------------------------------------------------------------------

REFERENCE = "Anna pays ten thousand dollars by Friday. She may call Peter Brown tomorrow, on the first of May. Laura agrees."


def test_the_facts_of_a_summary_are_its_numbers_dates_and_names() -> None:
    assert facts(REFERENCE, ["Anna", "Laura"]) == {
        "10000": "number",
        "1st": "number",
        "friday": "date",
        "tomorrow": "date",
        "may": "date",
        "anna": "name",
        "peter": "name",
        "brown": "name",
        "laura": "name",
    }


def test_the_first_word_of_a_sentence_is_no_name_unless_somebody_is_called_so() -> None:
    assert facts("Monday was fine. Everybody left, and I stayed.") == {"monday": "date"}
    assert facts("Everybody left.", ["Everybody"]) == {"everybody": "name"}


def test_pronouns_are_no_names_and_possessives_are_those_of_their_owners() -> None:
    assert facts("I think I'm late and I'll call. Then We'll go. It was Tom's plan for the U.S. deal.") == {
        "tom": "name",
        "us": "name",
    }
    for text in ("It was Tom's plan, and Jane-Ann's at McDonald's in the U.S. on Monday.", "So I'm sure O'Neil knows K.L.M."):
        assert fact_coverage(text, text).errors == 0
    assert fact_coverage("Tom agrees.", "We heard Tom's plan.") == Rate({"number": 0, "date": 0, "name": 0}, 1)


def test_facts_are_found_wherever_they_stand_and_however_they_are_written() -> None:
    summary = "BROWN, Peter: 10,000 on Friday; may be Laura's"
    assert fact_coverage(summary, REFERENCE, ["Anna", "Laura"]) == Rate({"number": 1, "date": 1, "name": 1}, 9)
    assert fact_coverage(REFERENCE, REFERENCE, ["Anna", "Laura"]).errors == 0
    assert fact_coverage("Anything.", "nothing at all") == Rate({"number": 0, "date": 0, "name": 0}, 0)


def test_labels_of_speakers_are_no_words_of_a_summary() -> None:
    assert without_labels("SPEAKER_00: We met.\nAnna: At 10: fine.") == "We met.\nAt 10: fine."


# --- All of it -------------------------------------------------------------------------------------------------------

CASE = Case(
    "talk",
    Path("talk.flac"),
    Recording(
        "talk", (Utterance("A", 0, 2, "Anna leaves"), Utterance("B", 2, 4, "on Friday")), (Turn(0, 2, "A"), Turn(2, 4, "B"))
    ),
    words=(Word("Anna", 0, 1), Word("leaves", 1, 2), Word("on", 2, 3), Word("Friday", 3, 4)),
    summary="Then Anna leaves on Friday.",
)


def heard_as(*speakers: str, summary: str = "A: Anna leaves.") -> Heard:
    """The four words of the case, 0.1 s late, by these speakers; 8 s of audio in 2 s."""
    words = tuple(Word(word.text, word.start + 0.1, word.end) for word in CASE.words or ())
    pieces = zip(words, speakers, strict=True)
    said = tuple(Utterance(speaker, word.start, word.end, word.text) for word, speaker in pieces)
    turns = tuple(Turn(one.start, one.end, str(one.speaker)) for one in said)
    return Heard(Recording("talk", said, turns, 8.0, 2.0), words, summary, {"asr": 1.6, "diarize": 0.8}, {})


def test_one_recording_has_every_measure() -> None:
    row = figures_of(measure(heard_as("A", "A", "A", "A"), CASE))
    assert {name: row[name] for name in ("name", "duration_s", "attribution", "word_times", "rtf", "encoder_passes")} == {
        "name": "talk",
        "duration_s": 8.0,
        "attribution": 1.0,  # two words too many here, two too few there, of four
        "word_times": {"words": 4, "median_s": 0.1, "p95_s": 0.1},
        "rtf": {"asr": 0.2, "diarize": 0.1},
        "encoder_passes": None,
    }
    assert rate_of(row["cp_wer"]) == Rate({"substitutions": 0, "deletions": 2, "insertions": 2}, 4)
    assert rate_of(row["facts"]) == Rate({"number": 0, "date": 1, "name": 0}, 2)
    assert row["rouge"] == {"1": 0.5714, "2": 0.4, "L": 0.5714}
    assert (row["wer"]["value"], row["wder"]["value"], row["invented"]["errors"]) == (0.0, 0.5, 0)


def test_what_the_reference_does_not_say_is_not_measured() -> None:
    turns_only = Case("talk", CASE.audio, Recording("talk", turns=CASE.reference.turns))
    row = figures_of(measure(heard_as("A", "A", "B", "B"), turns_only))
    unknown = [name for name, value in row.items() if value is None]
    assert unknown == [
        *("wer", "cp_wer", "tcp_wer", "orc_wer", "wder"),
        *("attribution", "word_times", "rouge", "facts", "encoder_passes"),
    ]


def test_all_together_adds_up() -> None:
    one = measure(heard_as("A", "A", "B", "B"), CASE)
    other = measure(heard_as("A", "A", "A", "A", summary="Anna leaves on Friday."), CASE)
    total = all_together([one, other])
    assert total.score.cp_wer == Rate({"substitutions": 0, "deletions": 2, "insertions": 2}, 8)
    assert total.attribution == 0.5
    assert (total.duration_s, total.stages_s) == (16.0, {"asr": 3.2, "diarize": 1.6})
    assert total.facts == Rate({"number": 0, "date": 1, "name": 0}, 4)
    assert total.starts_off_s == pytest.approx([0.1] * 8)
    assert one.rouge is not None
    assert other.rouge is not None
    assert total.rouge is not None
    assert total.rouge.one == pytest.approx((one.rouge.one + other.rouge.one) / 2)


def test_encoder_passes_add_up_only_where_all_are_counted() -> None:
    counted = [Measured(Score("a"), 1.0, encoder_passes=2), Measured(Score("b"), 1.0, encoder_passes=3)]
    assert all_together(counted).encoder_passes == 5
    assert all_together([*counted, Measured(Score("c"), 1.0)]).encoder_passes is None


def test_encoder_passes_are_counted_by_window() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    encoder = transformers.WhisperModel.from_pretrained(WHISPER).encoder.float()
    mels = torch.zeros(3, encoder.config.num_mel_bins, 2 * encoder.config.max_source_positions)
    with torch.inference_mode(), counted_encoder_passes() as passes:
        encoder(mels)
        encoder(mels[:1])
    encoder(mels[:1])
    assert passes.windows == 4
