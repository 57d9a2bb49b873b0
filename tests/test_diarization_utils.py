from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.merge import table
from benchmarks.merge_score import ALGORITHMS
from diarization_utils import MAX_WORD_S, Smoothing, clean_diarization, clean_transcript, merge, plain_turns, speaker_stats
from roundtable.transcript import Diarization, Segment, SpeakerStats, SpeakerTurn, Transcript, Turn, Word

NAN, INF = math.nan, math.inf
SMOOTHINGS: tuple[Smoothing, ...] = ("none", "sentence", "viterbi")


def words(*timed: tuple[str, float, float]) -> Segment:
    """One segment of these words; a space is put before each."""
    made = tuple(Word(f" {text}", start, end) for text, start, end in timed)
    return Segment(timed[0][1], timed[-1][2], "".join(word.text for word in made), made)


def steady(text: str, start: float, step: float = 0.3) -> Segment:
    """One segment of words of `step` seconds each, without silence between them."""
    return words(*((word, start + n * step, start + (n + 1) * step) for n, word in enumerate(text.split())))


def turns(*spoken: tuple[float, float, str]) -> Diarization:
    return Diarization(tuple(Turn(start, end, speaker) for start, end, speaker in spoken))


def said(merged: Sequence[SpeakerTurn]) -> list[tuple[str | None, str]]:
    return [(turn.speaker, turn.text) for turn in merged]


# ---- What others get wrong


LONG = "one two three four five six seven eight nine ten"


@pytest.mark.parametrize(
    ("segments", "diarization", "right"),
    [
        pytest.param(
            [steady("hello there.", 0.0), steady("and goodbye.", 2.4)],
            turns((0.0, 0.6, "A"), (1.0, 2.4, "B")),
            [("A", "hello there."), ("B", "and goodbye.")],
            id="1 text after the last turn is kept",
        ),
        pytest.param(
            [steady("how are you? fine thanks.", 0.0)],
            turns((0.0, 0.9, "A"), (0.9, 1.5, "B")),
            [("A", "how are you?"), ("B", "fine thanks.")],
            id="2 a segment with two speakers is split",
        ),
        pytest.param(
            [steady("so I went home", 0.0), steady("yeah.", 1.3, 0.3), steady("and had some tea", 1.7)],
            turns((0.0, 1.2, "A"), (1.25, 1.65, "B"), (1.7, 2.9, "A")),
            [("A", "so I went home"), ("B", "yeah."), ("A", "and had some tea")],
            id="3 an interjection of 0.4 s takes its own word and no other",
        ),
        pytest.param(
            [steady("one two three", 0.0), steady("right.", 1.0), steady("four five six seven", 1.4)],
            turns((0.0, 3.0, "A"), (1.0, 1.3, "B")),
            [("A", "one two three"), ("B", "right."), ("A", "four five six seven")],
            id="4 a turn inside a long turn does not end the long one",
        ),
        pytest.param(
            [steady(LONG, 0.2, 0.5), steady("what do you think?", 6.0)],
            turns((0.0, 0.1, "B"), (0.2, 5.2, "A"), (6.0, 7.2, "B")),
            [("A", LONG), ("B", "what do you think?")],
            id="5 a turn of 0.1 s without words takes none",
        ),
        pytest.param(
            [words(("well", 0.0, 0.3), ("then", 0.3, NAN)), words(("no.", 1.0, 1.3))],
            turns((0.0, 0.8, "A"), (1.0, 1.4, "B")),
            [("A", "well then"), ("B", "no.")],
            id="6 a word without an end ends somewhere",
        ),
        pytest.param(
            [steady("Thanks for watching!", 0.0), steady("good morning.", 10.0)],
            turns((10.0, 10.7, "A")),
            [(None, "Thanks for watching!"), ("A", "good morning.")],
            id="7 words long before the first turn are nobody's",
        ),
        pytest.param(
            [steady("first things first.", 10.2), steady("and now me.", 30.2)],
            turns((10.0, 12.0, "A"), (30.0, 32.0, "B")),
            [("A", "first things first."), ("B", "and now me.")],
            id="8 a long silence between two turns belongs to neither",
        ),
        pytest.param(
            [steady("before it.", 0.0), steady("noise noise", 30.0), steady("after it.", 60.2)],
            turns((0.0, 0.7, "A"), (60.0, 61.0, "A")),
            [("A", "before it."), (None, "noise noise"), ("A", "after it.")],
            id="9 a minute of silence inside one speaker takes no noise words",
        ),
        pytest.param([steady("hello there", 0.0)], turns(), [(None, "hello there")], id="10 no turns"),
        pytest.param([], turns((0.0, 1.0, "A")), [], id="11 no words"),
        pytest.param(
            [Segment(0.0, 10.0, " Shall we begin? Yes, please do.")],
            turns((0.0, 5.2, "A"), (5.2, 10.0, "B")),
            [("A", "Shall we begin?"), ("B", "Yes, please do.")],
            id="12 a segment without words is split where a sentence ends",
        ),
        pytest.param(
            [words(("hello", 0.0, 0.5), ("there", 0.7, 0.9), ("you", 1.2, 1.5))],
            turns((0.0, 0.6, "A"), (1.1, 1.6, "A")),
            [("A", "hello there you")],
            id="whisperX: a word in a gap has a speaker",
        ),
        pytest.param(
            [words(("hello", 0.0, 0.5), ("there.", 0.5, 0.5), ("hi", 0.8, 0.8))],
            turns((0.0, 0.6, "A"), (0.7, 1.6, "B")),
            [("A", "hello there."), ("B", "hi")],
            id="whisperX: a word of no length has a speaker",
        ),
        pytest.param(
            [words(("we", 0.0, 0.3), ("could.", 0.3, 1.0), ("sure.", 1.0, 1.4), ("then", 1.4, 1.8), ("let's", 1.8, 2.1))],
            turns((0.0, 3.0, "A"), (1.0, 1.4, "B")),
            [("A", "we could."), ("B", "sure."), ("A", "then let's")],
            id="whisperX: two speakers cover an interjection equally, and it is not the longer turn's",
        ),
        pytest.param(
            [words(("end", 99.0, 100.0), ("quote.", 100.3, 100.5))],
            turns((0.0, 100.0, "A"), (101.0, 102.0, "B")),
            [("A", "end quote.")],
            id="whisperX: the nearest edge counts, not the nearest middle",
        ),
        pytest.param(
            [steady("is it done? it is. good.", 0.0)],
            turns((0.0, 0.9, "A"), (0.9, 1.5, "B"), (1.5, 1.8, "A")),
            [("A", "is it done?"), ("B", "it is."), ("A", "good.")],
            id="whisperX: a segment is split by speaker",
        ),
    ],
)
def test_cases_that_others_get_wrong(
    segments: list[Segment], diarization: Diarization, right: list[tuple[str | None, str]]
) -> None:
    assert said(merge(Transcript(tuple(segments)), diarization, 120.0)) == right


# ---- Smoothing


@pytest.mark.parametrize("mark", [".", ""])
@pytest.mark.parametrize(
    ("smoothing", "right"),
    [
        ("none", [("A", "I think we should"), ("B", "do"), ("A", "it all")]),
        ("sentence", [("A", "I think we should do it all")]),
        ("viterbi", [("A", "I think we should do it all")]),
    ],
)
def test_flicker_in_the_middle_of_a_clause_is_removed(
    smoothing: Smoothing, right: list[tuple[str | None, str]], mark: str
) -> None:
    # B's turn cuts through two words and covers neither.
    diarization = turns((0.0, 1.3, "A"), (1.3, 1.6, "B"), (1.6, 2.1, "A"))
    transcript = Transcript((steady(f"I think we should do it all{mark}", 0.0),))
    right = [*right[:-1], (right[-1][0], right[-1][1] + mark)]
    assert said(merge(transcript, diarization, 3.0, smoothing=smoothing)) == right


@pytest.mark.parametrize("mark", [".", ""])
def test_a_backchannel_in_a_turn_of_its_own_is_kept(mark: str) -> None:
    diarization = turns((0.0, 1.2, "A"), (1.2, 1.5, "B"), (1.5, 2.4, "A"))
    transcript = Transcript((steady(f"I think we should yeah do it now{mark}", 0.0),))
    merged = merge(transcript, diarization, 3.0)
    assert said(merged) == [("A", "I think we should"), ("B", "yeah"), ("A", f"do it now{mark}")]


@pytest.mark.parametrize("reply", ["fine", "fine."])
def test_a_reply_of_one_word_is_kept(reply: str) -> None:
    # A vote over the sentence would give it to A.
    diarization = turns((0.0, 0.9, "A"), (0.9, 1.2, "B"), (1.25, 2.2, "A"))
    transcript = Transcript((steady(f"how are you {reply}", 0.0), steady("good to hear.", 1.25)))
    assert said(merge(transcript, diarization, 3.0)) == [("A", "how are you"), ("B", reply), ("A", "good to hear.")]


@pytest.mark.parametrize("mark", [".", ""])
@pytest.mark.parametrize(
    ("silence_s", "right"),
    [
        (0.29, [("A", "that is all well"), ("B", "I see that")]),
        (0.3, [("A", "that is all"), ("B", "well I see that")]),
    ],
)
def test_a_word_at_the_border_goes_with_its_side_of_the_pause(
    silence_s: float, right: list[tuple[str, str]], mark: str
) -> None:
    # A's turn reaches over 55 % of the first word of B.
    begin = 0.9 + silence_s
    spoken = (*steady("that is all", 0.0).words, *steady(f"well I see that{mark}", begin).words)
    transcript = Transcript((Segment(0.0, 3.0, "".join(word.text for word in spoken), spoken),))
    diarization = turns((0.0, begin + 0.165, "A"), (begin + 0.165, 3.0, "B"))
    right = [right[0], (right[1][0], right[1][1] + mark)]
    assert said(merge(transcript, diarization, 3.0)) == right


def test_a_word_that_the_diarizer_gave_away_is_taken_back_at_the_full_stop() -> None:
    # B's turn begins 0.3 s early and has the last word of A's sentence.
    diarization = turns((0.0, 1.2, "A"), (1.2, 3.0, "B"))
    transcript = Transcript((steady("would you like that now? yes I really would.", 0.0),))
    assert said(merge(transcript, diarization, 3.0)) == [
        ("A", "would you like that now?"),
        ("B", "yes I really would."),
    ]


@pytest.mark.parametrize("mark", [".", ""])
def test_a_gap_word_stays_with_its_segment_though_the_next_turn_is_nearer(mark: str) -> None:
    first = words(("so", 0.0, 0.4), ("long", 0.4, 0.8), ("then", 1.0, 1.2))
    transcript = Transcript((first, steady(f"hello again{mark}", 1.4)))
    diarization = turns((0.0, 0.6, "A"), (1.4, 2.0, "B"))
    assert said(merge(transcript, diarization, 3.0)) == [("A", "so long then"), ("B", f"hello again{mark}")]


# ---- What stands in the result


def test_every_field_of_the_result() -> None:
    segment = Segment(0.0, 4.9, " yes no", (Word(" yes", 0.0, 0.5, 0.9), Word(" no", 4.5, 4.9, 0.7)))
    diarization = Diarization((Turn(0.1, 1.0, "SPEAKER_00"), Turn(4.0, 5.0, "SPEAKER_00")), (Turn(4.8, 5.0, "SPEAKER_01"),))
    assert merge(Transcript((segment,)), diarization, 5.0) == (
        SpeakerTurn(0, "SPEAKER_00", 0.0, 0.5, "yes", (Word(" yes", 0.0, 0.5, 0.9, "SPEAKER_00", 0.8, False, False),)),
        SpeakerTurn(1, "SPEAKER_00", 4.5, 4.9, "no", (Word(" no", 4.5, 4.9, 0.7, "SPEAKER_00", 1.0, True, False),)),
    )


@pytest.mark.parametrize(("distance_s", "speaker"), [(1.0, "A"), (1.001, None)])
def test_the_nearest_turn_may_be_a_second_away(distance_s: float, speaker: str | None) -> None:
    (turn,) = merge(Transcript((words(("hm", 1.0 + distance_s, 2.5)),)), turns((0.0, 1.0, "A")), 5.0)
    (word,) = turn.words
    assert (turn.speaker, word.speaker, word.outside_speech) == (speaker, speaker, speaker is None)
    assert word.speaker_confidence == (None if speaker is None else 0.0)


@pytest.mark.parametrize(("silence_s", "count"), [(1.99, 1), (2.0, 2)])
def test_a_silence_of_two_seconds_begins_a_new_turn(silence_s: float, count: int) -> None:
    transcript = Transcript((words(("one", 0.0, 1.0), ("two", 1.0 + silence_s, 4.0)),))
    assert len(merge(transcript, turns((0.0, 5.0, "A")), 5.0)) == count


def test_a_word_that_swallowed_a_silence_is_capped_and_keeps_its_start() -> None:
    (turn,) = merge(Transcript((words(("um", 0.5, 4.3)),)), turns((0.0, 0.4, "B"), (0.4, 1.1, "A"), (2.0, 5.0, "B")), 5.0)
    assert (turn.speaker, turn.start, turn.end) == ("A", 0.5, 2.0)


def test_one_wild_time_does_not_drag_its_neighbours_along() -> None:
    segment = words(("a", 1.0, 1.2), ("b", 500.0, 500.2), ("c", 1.6, 1.8), ("d", 2.0, 2.2))
    (turn,) = merge(Transcript((segment,)), turns((0.0, 3.0, "A")), 600.0)
    assert [(word.start, word.end) for word in turn.words] == [(1.0, 1.2), (1.6, 1.6), (1.6, 1.8), (2.0, 2.2)]


def test_words_without_times_follow_the_word_before_them() -> None:
    segment = words(("ab", 1.0, 1.5), ("cd", NAN, NAN), ("ef", None, INF), ("gh", 1.9, 1.7), ("ij", 9.0, 9.5))  # type: ignore[arg-type]
    (turn,) = merge(Transcript((segment,)), turns((0.0, 3.0, "A")), 3.0)
    got = [time for word in turn.words for time in (word.start, word.end)]
    assert got == pytest.approx([1.0, 1.5, 1.5, 1.68, 1.68, 1.86, 1.9, 2.08, 3.0, 3.0])


@pytest.mark.parametrize(
    ("word_texts", "text", "right"),
    [
        (["Hello", "world."], " Hello world.", [" Hello", " world."]),
        ([" Hello", " world."], "Hello world. ", ["Hello", " world. "]),
        (["你", "好"], "你好", ["你", "好"]),
        (["a", "b"], " ", ["a", "b"]),
        (["other", "words"], " Hello, world.", [" Hello,", " world."]),
    ],
    ids=["stripped words", "stripped segment", "no spaces", "blank text", "another text wins"],
)
def test_the_text_is_the_segments(word_texts: list[str], text: str, right: list[str]) -> None:
    made = tuple(Word(word, n, n + 0.5) for n, word in enumerate(word_texts))
    merged = merge(Transcript((Segment(0.0, 2.0, text, made),)), turns((0.0, 2.0, "A")), 2.0)
    assert [word.text for turn in merged for word in turn.words] == right
    assert [turn.approximate for turn in merged] == [word_texts == ["other", "words"]]


# ---- Segments without word times


def test_words_are_placed_in_the_turns_by_their_characters() -> None:
    merged = merge(Transcript((Segment(0.0, 10.0, " aaa bbb ccc ddd"),)), turns((1.0, 3.0, "A"), (5.0, 7.0, "B")), 10.0)
    assert [(turn.speaker, turn.text, turn.approximate) for turn in merged] == [
        ("A", "aaa bbb", True),
        ("B", "ccc ddd", True),
    ]
    times = [time for turn in merged for word in turn.words for time in (word.start, word.end)]
    assert times == pytest.approx([1.0, 2.0, 2.0, 3.0, 5.0, 6.0, 6.0, 7.0])


@pytest.mark.parametrize(
    ("second_turn", "right"),
    [
        ((8.01, 10.0), [("A", "one two three four five six seven eight.")]),
        ((8.0, 10.0), [("A", "one two three four five six seven"), ("B", "eight.")]),
    ],
    ids=["19.9 % of the segment", "20 %"],
)
def test_a_piece_needs_a_fifth_of_the_segment(second_turn: tuple[float, float], right: list[tuple[str, str]]) -> None:
    transcript = Transcript((Segment(0.0, 10.0, " one two three four five six seven eight."),))
    assert said(merge(transcript, turns((0.0, 8.0, "A"), (*second_turn, "B")), 10.0)) == right


@pytest.mark.parametrize(("border", "right"), [(1.0, [("A", "one two"), ("B", "six ten")]), (1.01, [("A", "one two six ten")])])
def test_a_piece_needs_a_second(border: float, right: list[tuple[str, str]]) -> None:
    transcript = Transcript((Segment(0.0, 2.0, " one two six ten"),))
    assert said(merge(transcript, turns((0.0, border, "A"), (border, 2.0, "B")), 2.0)) == right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("你好吗？我很好，谢谢。", [("A", "你好吗？"), ("B", "我很好，谢谢。")]),
        ("สวัสดีครับสบายดีไหม", [("A", "สวัสดีค"), ("B", "รับสบายดีไหม")]),
        ("我们用Python写代码", [("A", "我们用"), ("B", "Python写代码")]),
    ],
    ids=["Chinese", "Thai", "Chinese and Latin"],
)
def test_languages_without_spaces_are_split_too(text: str, right: list[tuple[str, str]]) -> None:
    merged = merge(Transcript((Segment(0.0, 10.0, text),)), turns((0.0, 4.0, "A"), (4.0, 10.0, "B")), 10.0)
    assert said(merged) == right


# ---- The diarization, put straight


def test_overlapping_turns_are_made_exclusive_and_nothing_is_lost() -> None:
    cleaned = clean_diarization(turns((0.0, 10.0, "A"), (4.0, 5.0, "B"), (9.0, 30.0, "C"), (3.0, 6.0, "A")), 20.0)
    assert cleaned.turns == (
        *(Turn(0.0, 4.0, "A"), Turn(4.0, 5.0, "B"), Turn(5.0, 10.0, "A")),
        Turn(10.0, 20.0, "C"),
    )
    assert cleaned.overlaps == (Turn(4.0, 5.0, "A"), Turn(9.0, 10.0, "C"))


def test_labels_are_numbered_by_first_appearance_and_names_are_kept() -> None:
    diarization = Diarization(
        (Turn(5.0, 6.0, "SPEAKER_07"), Turn(0.0, 1.0, "SPEAKER_02"), Turn(2.0, 3.0, "Ann")), (Turn(5.5, 6.0, "SPEAKER_02"),)
    )
    assert clean_diarization(diarization, 10.0) == Diarization(
        (Turn(0.0, 1.0, "SPEAKER_00"), Turn(2.0, 3.0, "Ann"), Turn(5.0, 6.0, "SPEAKER_01")), (Turn(5.5, 6.0, "SPEAKER_00"),)
    )


def test_voices_follow_their_speakers_new_labels() -> None:
    spoken = turns(
        (0.0, 1.0, "SPEAKER_07"), (1.0, 2.0, "Ann"), (2.0, 3.0, "SPEAKER_01"), (3.0, 3.0, "SPEAKER_02"), (9.0, 9.5, "B")
    )
    voices = {"SPEAKER_01": (1.0, 0.0), "SPEAKER_07": None, "SPEAKER_02": (0.5, 0.5), "B": (0.0, 1.0), "gone": (0.1, 0.2)}
    expected = {"SPEAKER_00": None, "Ann": None, "SPEAKER_01": (1.0, 0.0)}
    assert clean_diarization(replace(spoken, embeddings=voices), 5.0).embeddings == expected
    assert clean_diarization(spoken, 5.0).embeddings == {}


def test_turns_without_length_or_number_are_dropped_and_the_rest_clipped() -> None:
    diarization = turns((-1.0, 1.0, "A"), (1.0, 1.0, "B"), (3.0, 2.0, "B"), (NAN, 4.0, "B"), (4.0, INF, "C"), (9.0, 9.5, "D"))
    assert clean_diarization(diarization, 8.0).turns == (Turn(0.0, 1.0, "A"), Turn(4.0, 8.0, "C"))


def test_speaker_stats() -> None:
    diarization = Diarization((Turn(0.0, 6.0, "SPEAKER_00"), Turn(6.0, 8.0, "SPEAKER_01")), (Turn(4.0, 6.0, "SPEAKER_01"),))
    merged = merge(Transcript((steady("one two three", 0.0), steady("four", 7.0))), diarization, 8.0)
    assert speaker_stats(merged, diarization) == (
        SpeakerStats("SPEAKER_00", 6.0, 3, 0.6),
        SpeakerStats("SPEAKER_01", 4.0, 1, 0.4),
    )
    assert speaker_stats((), Diarization()) == ()


def test_plain_turns() -> None:
    transcript = Transcript((steady("one two", 0.0), Segment(1.0, 2.0, " three ")))
    assert plain_turns(transcript) == (
        SpeakerTurn(0, None, 0.0, 0.6, "one two", transcript.segments[0].words),
        SpeakerTurn(1, None, 1.0, 2.0, "three"),
    )


# ---- For every input

ANY_TIME = st.one_of(
    st.floats(0, 20),
    st.integers(0, 40).map(lambda n: n / 4),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([NAN, INF, -INF, -1.0, -0.0, 0.0, 5e-324, 1e-9, 9.999999999, 1e9, 1e308, -1e308]),
)
LABEL = st.sampled_from(["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "SPEAKER_100", "Ann", ""])
TEXT = st.one_of(st.sampled_from([" a", " b.", " c,", "", " ", " 你好。", "สวัสดี", "\u2003x", "e\u0301"]), st.text(max_size=6))
WORD = st.builds(Word, TEXT, ANY_TIME, ANY_TIME)


def _segment(spoken: list[Word], start: float, end: float, text: str | None) -> Segment:
    return Segment(start, end, "".join(word.text for word in spoken) if text is None else text, tuple(spoken))


SEGMENT = st.builds(_segment, st.lists(WORD, max_size=6), ANY_TIME, ANY_TIME, st.one_of(st.none(), TEXT))
TRANSCRIPT = st.lists(SEGMENT, max_size=5).map(lambda segments: Transcript(tuple(segments)))
TURN = st.builds(Turn, ANY_TIME, ANY_TIME, LABEL)
DIARIZATION = st.builds(
    Diarization,
    st.lists(TURN, max_size=8).map(tuple),
    st.lists(TURN, max_size=3).map(tuple),
    embeddings=st.dictionaries(LABEL, st.none() | st.just((0.6, 0.8)), max_size=3),
)
DURATION = st.one_of(st.just(20.0), st.just(10.0), ANY_TIME)
SMOOTHING = st.sampled_from(SMOOTHINGS)


def as_transcript(merged: Sequence[SpeakerTurn]) -> Transcript:
    return Transcript(
        tuple(Segment(turn.start, turn.end, "".join(word.text for word in turn.words), turn.words) for turn in merged)
    )


def attribution(merged: Sequence[SpeakerTurn]) -> list[tuple[str, str | None]]:
    return [(word.text, word.speaker) for turn in merged for word in turn.words]


@settings(max_examples=400, deadline=None)
@given(TRANSCRIPT, DURATION)
def test_a_cleaned_transcript_keeps_its_text_and_has_sound_times(transcript: Transcript, duration_s: float) -> None:
    cleaned = clean_transcript(transcript, duration_s)
    assert cleaned.text == transcript.text
    assert [word.text for word in cleaned.words()] == [word.text for word in transcript.words()]
    for timed in (cleaned.segments, tuple(cleaned.words())):
        times = [time for item in timed for time in (item.start, item.end)]
        assert times == sorted(times)
        assert all(0 <= time < INF for time in times)
        assert duration_s < 0 or not math.isfinite(duration_s) or all(time <= duration_s for time in times)
    assert clean_transcript(cleaned, duration_s) == cleaned


def test_a_sound_transcript_comes_back_as_it_is() -> None:
    transcript = Transcript((words(("so", 0.0, 0.3), ("then", 0.4, 0.9)), words(("yes", 2.0, 2.2))))
    assert clean_transcript(transcript, 2.2) is transcript


@given(TRANSCRIPT, DIARIZATION, DURATION, SMOOTHING)
def test_no_word_is_lost_and_every_field_is_sound(
    transcript: Transcript, diarization: Diarization, duration_s: float, smoothing: Smoothing
) -> None:
    merged = merge(transcript, diarization, duration_s, smoothing=smoothing)
    out = [word for turn in merged for word in turn.words]
    cleaned = clean_diarization(diarization, duration_s if 0 <= duration_s < INF else INF)

    assert [turn.id for turn in merged] == list(range(len(merged)))
    assert all(turn.words for turn in merged)
    assert all({word.speaker for word in turn.words} == {turn.speaker} for turn in merged)
    assert all(turn.text == "".join(word.text for word in turn.words).strip() for turn in merged)

    counted = [segment for segment in transcript.segments if segment.text.strip()]
    expected = "".join(segment.text for segment in counted).strip()
    if all(segment.text.strip() or not segment.words for segment in transcript.segments):
        assert "".join(word.text for word in out).strip() == expected
    if all("".join(word.text for word in segment.words) == segment.text for segment in transcript.segments):
        assert [word.text for word in out] == [word.text for word in transcript.words()]

    times = [time for word in out for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(0 <= time < INF for time in times)
    if duration_s >= 0:
        assert all(time <= duration_s for time in times)
    assert all(word.end - word.start <= MAX_WORD_S + 1e-6 for word in out)
    assert all((turn.start, turn.end) == (turn.words[0].start, turn.words[-1].end) for turn in merged)

    assert {word.speaker for word in out} <= {*cleaned.speakers, None}
    assert all((word.speaker is None) == word.outside_speech == (word.speaker_confidence is None) for word in out)
    assert all(word.speaker_confidence is None or 0 <= word.speaker_confidence <= 1 for word in out)


@settings(max_examples=300, deadline=None)
@given(TRANSCRIPT, DIARIZATION, DURATION, SMOOTHING)
def test_merging_the_result_again_changes_no_speaker(
    transcript: Transcript, diarization: Diarization, duration_s: float, smoothing: Smoothing
) -> None:
    once = merge(transcript, diarization, duration_s, smoothing=smoothing)
    assert attribution(merge(as_transcript(once), diarization, duration_s, smoothing=smoothing)) == attribution(once)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Transcript, Diarization]:
    """Ordered words over exclusive turns that fit them badly: what smoothing has to decide about."""
    clock, segments = 0.0, []
    for _ in range(draw(st.integers(1, 4))):
        spoken = []
        for _ in range(draw(st.integers(1, 6))):
            clock += draw(st.sampled_from([0.0, 0.0, 0.1, 0.3, 2.5]))
            length = draw(st.sampled_from([0.0, 0.1, 0.25, 0.4, 1.0]))
            spoken.append(Word(draw(st.sampled_from([" a", " b,", " c."])), clock, clock + length))
            clock += length
        timed = draw(st.booleans())
        text = "".join(word.text for word in spoken)
        segments.append(Segment(spoken[0].start, clock, text, tuple(spoken) if timed else ()))
    edges = sorted(draw(st.lists(st.integers(0, int(clock * 20) + 20), max_size=16, unique=True)))
    found = [Turn(a / 20, b / 20, draw(st.sampled_from("ABC"))) for a, b in pairwise(edges) if draw(st.booleans())]
    return Transcript(tuple(segments)), Diarization(tuple(found))


@settings(max_examples=400, deadline=None)
@given(conversations(), SMOOTHING)
def test_merging_a_conversation_again_changes_no_speaker(pair: tuple[Transcript, Diarization], smoothing: Smoothing) -> None:
    transcript, diarization = pair
    once = merge(transcript, diarization, 60.0, smoothing=smoothing)
    assert attribution(merge(as_transcript(once), diarization, 60.0, smoothing=smoothing)) == attribution(once)


@settings(max_examples=100, deadline=None)
@given(TRANSCRIPT, DIARIZATION, DURATION, st.randoms(use_true_random=False))
def test_the_order_of_the_turns_does_not_matter(
    transcript: Transcript, diarization: Diarization, duration_s: float, random: Random
) -> None:
    shuffled = list(diarization.turns)
    random.shuffle(shuffled)
    other = replace(diarization, turns=tuple(shuffled), overlaps=diarization.overlaps[::-1])
    assert merge(transcript, other, duration_s) == merge(transcript, diarization, duration_s)


@settings(max_examples=300, deadline=None)
@given(DIARIZATION, DURATION)
@example(turns((0.0, 1.0, "SPEAKER_99"), (0.0, 1.0, "SPEAKER_100")), 5.0)
def test_a_clean_diarization_keeps_the_contract(diarization: Diarization, duration_s: float) -> None:
    limit_s = duration_s if duration_s >= 0 else 20.0
    cleaned = clean_diarization(diarization, limit_s)
    assert clean_diarization(cleaned, limit_s) == cleaned
    assert all(0 <= turn.start < turn.end <= limit_s for turn in (*cleaned.turns, *cleaned.overlaps))
    assert all(before.end <= after.start for before, after in pairwise(cleaned.turns))
    appearing = sorted((*cleaned.turns, *cleaned.overlaps), key=lambda turn: turn.start)
    numbered = [label for label in dict.fromkeys(turn.speaker for turn in appearing) if re.match("SPEAKER_", label)]
    assert numbered == [f"SPEAKER_{n:02d}" for n in range(len(numbered))]
    assert set(cleaned.embeddings) == (set(cleaned.speakers) if diarization.embeddings else set())


@settings(max_examples=200, deadline=None)
@given(TRANSCRIPT, DIARIZATION)
def test_shares_sum_to_one_and_words_are_counted_once(transcript: Transcript, diarization: Diarization) -> None:
    merged = merge(transcript, diarization, INF)
    stats = speaker_stats(merged, diarization)
    named = sum(1 for turn in merged for word in turn.words if word.speaker is not None)
    assert sum(speaker.words for speaker in stats) == named
    assert not stats or sum(speaker.share for speaker in stats) == pytest.approx(1.0)
    assert all(0 < speaker.seconds < INF for speaker in stats)


# ---- Against the peers


@pytest.mark.parametrize("punctuated", [True, False])
def test_fewer_words_with_the_wrong_speaker_than_the_peers(punctuated: bool) -> None:
    rows = table(range(2000, 2010), punctuated=punctuated)
    peers = set(ALGORITHMS) - {"ours", "ours, unsmoothed"}
    assert {kind: min(row[name] for name in peers) - row["ours"] > 0 for kind, row in rows.items()} == dict.fromkeys(rows, True)
