"""Subtitles: the limits of a cue, and what parsers from PyPI read back."""

from __future__ import annotations

import html
import re
from itertools import pairwise

import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtable import subtitles
from roundtable.subtitles import Cue, cues
from roundtable.transcript import Conversation, Segment, SpeakerTurn, Transcript, Word


def spoken(text: str, start: float = 0.0, per_word: float = 0.3) -> tuple[Word, ...]:
    """The words of a text at an even pace, with the leading spaces an ASR engine writes."""
    return tuple(
        Word(f" {word}", round(start + i * per_word, 3), round(start + (i + 0.9) * per_word, 3))
        for i, word in enumerate(text.split())
    )


def turn(words: tuple[Word, ...], speaker: str | None = "SPEAKER_00", id_: int = 0) -> SpeakerTurn:
    return SpeakerTurn(id_, speaker, words[0].start, words[-1].end, "".join(word.text for word in words), words)


def conversation(*turns: SpeakerTurn, duration_s: float = 60.0) -> Conversation:
    return Conversation(Transcript(), duration_s, turns=turns)


def lines_of(parts: list[Cue]) -> list[tuple[str, ...]]:
    return [cue.lines for cue in parts]


def test_a_turn_is_cut_at_sentences_into_balanced_lines() -> None:
    text = (
        "Good morning everybody, thank you for coming. Today we must decide which of the three suppliers gets the "
        "contract; and I would like to hear from each of you before we vote. Is that all right?"
    )
    assert lines_of(cues(conversation(turn(spoken(text))), name_speakers=True)) == [
        ("SPEAKER_00: Good morning everybody,", "thank you for coming."),
        ("Today we must decide which of the", "three suppliers gets the contract;"),
        ("and I would like to hear from each of", "you before we vote. Is that all right?"),
    ]


def test_the_speakers_name_counts_towards_its_line() -> None:
    thirty = "a" * 14 + " " + "b" * 15  # with "SPEAKER_00: " before it, exactly one line
    assert lines_of(cues(conversation(turn(spoken(thirty))), name_speakers=True)) == [(f"SPEAKER_00: {thirty}",)]
    assert lines_of(cues(conversation(turn(spoken(thirty + "b"))), name_speakers=True)) == [
        ("SPEAKER_00: " + "a" * 14, "b" * 16)
    ]


def test_no_cue_is_a_name_alone_even_where_the_sentences_would_fit_better() -> None:
    line, closing = "x" * 42, "x" * 41 + "."
    talk = conversation(turn(spoken(" ".join([line, closing, line, closing]))))
    assert lines_of(cues(talk, name_speakers=True)) == [("SPEAKER_00:", line), (closing,), (line, closing)]


def test_a_speaker_change_ends_a_cue_and_names_the_next_speaker() -> None:
    talk = conversation(turn(spoken("Yes.")), turn(spoken("No.", 0.3), "SPEAKER_01"), turn(spoken("Hm.", 0.6), None))
    assert subtitles.srt(talk) == (
        "1\n00:00:00,000 --> 00:00:00,400\nSPEAKER_00: Yes.\n\n"
        "2\n00:00:00,400 --> 00:00:00,800\nSPEAKER_01: No.\n\n"
        "3\n00:00:00,800 --> 00:00:01,800\nUNKNOWN: Hm.\n\n"
    )
    assert subtitles.vtt(talk) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:00.400\n<v SPEAKER_00>Yes.\n\n"
        "00:00:00.400 --> 00:00:00.800\n<v SPEAKER_01>No.\n\n"
        "00:00:00.800 --> 00:00:01.800\nHm.\n\n"
    )


@pytest.mark.parametrize(("pause", "expected"), [(0.999, [("one two",)]), (1.0, [("one",), ("two",)])])
def test_a_pause_of_a_second_ends_a_cue(pause: float, expected: list[tuple[str, ...]]) -> None:
    words = (Word(" one", 0.0, 0.5), Word(" two", 0.5 + pause, 2.0))
    assert lines_of(cues(conversation(turn(words)), name_speakers=False)) == expected


@pytest.mark.parametrize(("last_end", "expected"), [(7.0, [("a b c",)]), (7.001, [("a",), ("b c",)])])
def test_a_cue_lasts_seven_seconds_at_most(last_end: float, expected: list[tuple[str, ...]]) -> None:
    words = (Word(" a", 0.0, 3.0), Word(" b", 3.0, 6.0), Word(" c", 6.0, last_end))
    assert lines_of(cues(conversation(turn(words)), name_speakers=False)) == expected


def test_a_word_that_lasts_a_minute_is_shown_for_seven_seconds() -> None:
    assert cues(conversation(turn((Word(" well", 2.0, 62.0),))), name_speakers=False) == [
        Cue(2_000, 9_000, ("well",), "SPEAKER_00")
    ]


def test_a_short_cue_stays_until_it_can_be_read_or_the_next_is_due() -> None:
    talk = conversation(turn((Word(" Hi.", 1.0, 1.2),)), turn((Word(" Hello.", 1.7, 1.9),), "SPEAKER_01"), duration_s=2.5)
    times = [(cue.start_ms, cue.end_ms) for cue in cues(talk, name_speakers=False)]
    assert times == [(1000, 1700), (1700, 2500)]


def test_words_that_all_have_the_last_instant_are_still_shown_within_the_recording() -> None:
    words = tuple(Word(f" word{i:02d}", 10.0, 10.0) for i in range(40))
    times = [(cue.start_ms, cue.end_ms) for cue in cues(conversation(turn(words), duration_s=10.0), name_speakers=False)]
    assert times == [(8400, 8800), (8800, 9200), (9200, 9600), (9600, 10000)]


def test_a_word_longer_than_a_line_is_broken_and_only_there() -> None:
    words = (Word(" so " + "x" * 100, 0.0, 5.0),)
    talk = conversation(turn(words, None))
    assert lines_of(cues(talk, name_speakers=True)) == [("so", "x" * 42), ("x" * 42, "x" * 16)]


def test_pieces_of_a_written_word_stay_together() -> None:
    filler = "x" * 39
    words = (Word(f" {filler}", 0.0, 1.0), Word(" do", 1.0, 1.1), Word("n't", 1.1, 1.2))
    assert lines_of(cues(conversation(turn(words, None)), name_speakers=False)) == [(filler, "don't")]


def test_a_space_may_stand_at_either_end_of_a_word() -> None:
    words = (Word("one ", 0.0, 0.3), Word("two", 0.3, 0.6), Word(" three", 0.6, 0.9), Word("-fold", 0.9, 1.2))
    assert lines_of(cues(conversation(turn(words)), name_speakers=False)) == [("one two three-fold",)]


def test_chinese_and_japanese_wrap_between_characters_but_not_before_a_closing_mark() -> None:
    text = "今日はとてもいい天気ですね、「散歩」に行きましょうか。それとも家で映画を見ましょうか。どちらでもいいですよ。"
    segment = Segment(0.0, 6.0, text)
    parts = cues(Conversation(Transcript((segment,)), 6.0), name_speakers=True)
    assert lines_of(parts) == [
        ("今日はとてもいい天気ですね、「散歩」に行きましょうか。", "それとも家で映画を見ましょうか。どちらでもいいですよ。")
    ]
    tight = cues(Conversation(Transcript((Segment(0.0, 6.0, "字" * 42 + "。"),)), 6.0), name_speakers=True)
    assert lines_of(tight) == [("字" * 21, "字" * 21 + "。")]
    apart = tuple(Word(char, 0.1 * n, 0.1 * n + 0.1) for n, char in enumerate("字" * 21 + "ー" + "字" * 21))
    assert lines_of(cues(conversation(turn(apart)), name_speakers=False)) == [("字" * 21 + "ー", "字" * 21)]


def test_a_text_without_words_is_spread_over_its_time() -> None:
    text = "One sentence of some length stands here for you. " * 4
    parts = cues(Conversation(Transcript((Segment(10.0, 22.0, text),)), 30.0), name_speakers=True)
    assert [(cue.start_ms, " ".join(cue.lines)) for cue in parts] == [
        (10_000, "One sentence of some length stands here for you."),
        (13_015, "One sentence of some length stands here for you."),
        (16_031, "One sentence of some length stands here for you."),
        (19_046, "One sentence of some length stands here for you."),
    ]


def test_hours_above_99_do_not_break() -> None:
    start = 100 * 3600.0 + 61.5
    talk = conversation(turn((Word(" late", start, start + 2),)), duration_s=start + 2)
    assert "100:01:01,500 --> 100:01:03,500" in subtitles.srt(talk)
    assert "100:01:01.500 --> 100:01:03.500" in subtitles.vtt(talk)
    (cue,) = srt.parse(subtitles.srt(talk))
    assert cue.start.total_seconds() == start


def test_text_that_looks_like_a_timing_line_or_markup_does_not_break_the_file() -> None:
    texts = (" a", "\n\n2\n00:00:07,000", " --> 00:00:08,000", " <b>&")
    words = tuple(Word(text, i / 10, (i + 1) / 10) for i, text in enumerate(texts))
    talk = conversation(turn(words, None))
    assert [cue.content for cue in srt.parse(subtitles.srt(talk))] == ["a 2 00:00:07,000 → 00:00:08,000 <b>&"]
    assert subtitles.vtt(talk) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.900\na 2 00:00:07,000 --&gt; 00:00:08,000 &lt;b&gt;&amp;\n\n"
    )


def test_a_speakers_name_cannot_break_a_voice_tag() -> None:
    assert "<v A &amp;&lt;b&gt; C>hi" in subtitles.vtt(conversation(turn((Word(" hi", 0, 1),), "A &<b>\n\nC")))


def test_nobody_speaks() -> None:
    silence = Conversation(Transcript(), 30.0)
    assert subtitles.srt(silence) == ""
    assert subtitles.vtt(silence) == "WEBVTT\n\n"


# --- Properties ------------------------------------------------------------------------------------------------------

time = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 100) | st.just(50.0)
text = st.text(st.sampled_from("ab.,?今日。「 -><&\n\t\u2028\x00\ud800\"'é"), max_size=60) | st.text(max_size=120)
word = st.builds(Word, text=text, start=time, end=time)
speaker = st.none() | st.sampled_from(["SPEAKER_00", "SPEAKER_01", "Zoë <x>"])
speaker_turn = st.builds(
    SpeakerTurn, id=st.just(0), speaker=speaker, start=time, end=time, text=text, words=st.lists(word, max_size=30).map(tuple)
)
conversations = st.builds(
    Conversation, transcript=st.just(Transcript()), duration_s=time, turns=st.lists(speaker_turn, max_size=6).map(tuple)
)


def characters(talk: Conversation) -> str:
    """Every character that a reader should see, in order."""
    texts = ("".join(w.text for w in t.words) if t.words else t.text for t in talk.turns)
    return visible("".join(texts))


def visible(shown: str) -> str:
    cleaned = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", shown)
    return "".join(re.sub("[\ud800-\udfff]", "\ufffd", cleaned).split())


@settings(max_examples=150, deadline=None)
@given(conversations, st.booleans())
def test_every_cue_keeps_the_limits_whatever_the_conversation(talk: Conversation, name_speakers: bool) -> None:
    clock = 0
    for cue in cues(talk, name_speakers=name_speakers):
        assert clock <= cue.start_ms < cue.end_ms <= cue.start_ms + 7_000
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < len(line) <= 42 and line == line.strip() for line in cue.lines)
        clock = cue.end_ms


@settings(max_examples=150, deadline=None)
@given(conversations)
def test_no_character_is_lost_or_moved_whatever_the_conversation(talk: Conversation) -> None:
    assert "".join("".join(line.split()) for cue in cues(talk, name_speakers=False) for line in cue.lines) == characters(talk)


words_of_prose = st.text(st.sampled_from("abcdeé.,?!'"), min_size=1, max_size=50)


@st.composite
def real_conversations(draw: st.DrawFn) -> Conversation:
    """Ascending times and written words, as the merge hands them over."""
    turns, clock = [], 0.0
    for number in range(draw(st.integers(0, 5))):
        words = []
        for written in draw(st.lists(words_of_prose, min_size=1, max_size=40)):
            clock += draw(st.sampled_from([0.0, 0.02, 0.4, 1.0, 3.0]))
            length = draw(st.sampled_from([0.0, 0.2, 0.5]))
            words.append(Word(f" {written}", clock, clock + length))
            clock += length
        turns.append(turn(tuple(words), f"SPEAKER_0{number % 2}", number))
    return conversation(*turns, duration_s=clock + 1)


@settings(max_examples=100, deadline=None)
@given(real_conversations())
def test_parsers_from_pypi_read_back_every_word_and_every_speaker(talk: Conversation) -> None:
    expected = " ".join(w.text.strip() for t in talk.turns for w in t.words)
    subs = list(srt.parse(subtitles.srt(talk)))
    named = [sub.content for sub in subs if re.match(r"SPEAKER_0\d: |SPEAKER_0\d:\n", sub.content)]
    assert [content[:10] for content in named] == [t.speaker for t in talk.turns]
    shown = " ".join(re.sub(r"^SPEAKER_0\d:\s", "", sub.content) for sub in subs)
    assert "".join(shown.split()) == "".join(expected.split())
    if all(len(w.text.strip()) <= 42 for t in talk.turns for w in t.words):
        assert shown.split() == expected.split()

    captions = webvtt.from_string(subtitles.vtt(talk)).captions
    assert "".join("".join(html.unescape(c.text).split()) for c in captions) == "".join(expected.split())
    voices = [c.voice for c in captions]
    assert [v for i, v in enumerate(voices) if i == 0 or voices[i - 1] != v] == [t.speaker for t in talk.turns]
    for file in (subs, captions):
        assert [cue.start < cue.end for cue in file] == [True] * len(file)
        assert [a.end <= b.start for a, b in pairwise(file)] == [True] * max(0, len(file) - 1)
    if subs:
        assert subs[-1].end.total_seconds() <= talk.duration_s + 0.001
