"""Segments are sentences: every word once and in order, none over a silence, none longer than 30 s."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtable.asr.gates import Quality
from roundtable.asr.segmentation import MAX_SEGMENT_S, PAUSE_S, cut_segments
from roundtable.transcript import Segment, Word
from roundtable.voice_activity import Region

untimed = settings(deadline=None)
QUALITY = Quality(avg_logprob=-0.25, no_speech_prob=0.01, compression_ratio=1.5, temperature=0.2)
WORD_S = 0.3


def spoken(text: str, gap_s: float = 0.05) -> list[Word]:
    """The words of a text, 0.3 s each. `_` is a second's silence more, and belongs to no word."""
    words: list[Word] = []
    at = 0.0
    for part in text.split(" "):
        at += gap_s + part.count("_")
        if written := part.strip("_"):
            words.append(Word(" " + written, round(at, 3), round(at + WORD_S, 3)))
            at += WORD_S
    return words


def cut(words: list[Word], regions: tuple[Region, ...] = (), language: str = "en") -> tuple[Segment, ...]:
    return cut_segments(words, regions, language, QUALITY)


def texts(text: str, gap_s: float = 0.05, language: str = "en") -> list[str]:
    return [segment.text.strip() for segment in cut(spoken(text, gap_s), language=language)]


@st.composite
def timed(draw: st.DrawFn) -> tuple[list[Word], tuple[Region, ...]]:
    """Words in order, none longer than a window, some of no length; and regions that may have nothing to do with them."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from([" a", " B", " the", " Mr.", " 3.", " end.", " what?", "。", " e.g.", " ", ' "Yes."', " x,"]),
                st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.5, 1.0, 3.0, 40.0]),
                st.sampled_from([0.0, 0.2, 0.7, 4.0, 30.0]),
            ),
            max_size=40,
        )
    )
    words, at = [], 0.0
    for text, gap_s, length_s in steps:
        words.append(Word(text, at + gap_s, at + gap_s + length_s, 0.5))
        at = words[-1].end
    borders = sorted(draw(st.sets(st.integers(0, 3000), max_size=12)))
    regions = tuple(Region(start / 10, end / 10) for start, end in zip(borders[::2], borders[1::2], strict=False))
    return words, regions


@untimed
@given(timed(), st.sampled_from(["en", "de", "ja"]))
def test_nothing_is_lost_and_no_segment_is_too_long(case: tuple[list[Word], tuple[Region, ...]], language: str) -> None:
    words, regions = case
    segments = cut(words, regions, language)
    assert [word for segment in segments for word in segment.words] == words
    for segment in segments:
        assert segment.words
        assert segment.text == "".join(word.text for word in segment.words)
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)
        assert segment.end - segment.start <= MAX_SEGMENT_S + 1e-6
        quality = (segment.avg_logprob, segment.no_speech_prob, segment.compression_ratio, segment.temperature)
        assert quality == (-0.25, 0.01, 1.5, 0.2)
        has_scrap = any(word.end - word.start <= 0.6 for word in segment.words)
        for left, right in pairwise(segment.words):
            silence_s = right.start - left.end
            assert silence_s < PAUSE_S or (has_scrap and silence_s <= 2.0)


def test_no_words_no_segments() -> None:
    assert cut([]) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Yes. | No? | Never! | Well… | So it is.",
        "He said “yes.” | “No,” she said.",
        "(It works.) | Then it stopped.",
        "Dr. Smith met Mrs. Jones at St. Mary's. | They talked.",
        "It costs 3.5 million, i.e. more than 2.0 of them, vs. Nothing. | At 9.30 we met.",
        "See www.example.com or a@b.com. | Then call.",
        "J. R. R. Tolkien wrote it. | I did not.",
        "So do I. | But he is in the U.S. Army.",
        "At 5 p.m. on Monday we meet. | Room No. 5 is free. | No. | It was room 5. | Good.",
        "1. Buy milk. | 2. Call Tom.",
        "Wait... | What? | and so on... and on.",
        '"Really?" he asked. | "Yes!" | She laughed.',
        "Bring paper, pens, etc. and go. | It is approx. 5.",
    ],
)
def test_english_sentences(text: str) -> None:
    assert texts(text.replace("| ", "")) == [sentence.strip() for sentence in text.split("|")]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Am 3. Mai war z.B. Herr Dr. Müller da. | Und bzw. Oder nicht? | Ja."),
        ("fr", "M. Dupont est là. | Mme. Dupont, non ! | Ah bon ?"),
        ("es", "¿Qué tal? | ¡Muy bien! | ¿Y el Sr. García?"),
        ("ru", "А. С. Пушкин родился в Москве. | Да."),
        ("hi", "नमस्ते दुनिया। | मैं ठीक हूँ। | आप?"),
        ("ar", "كيف حالك؟ | بخير."),
    ],
)
def test_sentences_in_other_languages(language: str, text: str) -> None:
    assert texts(text.replace("| ", ""), language=language) == [sentence.strip() for sentence in text.split("|")]


def test_sentences_without_spaces() -> None:
    words = [
        Word(text, at / 5, (at + 1) / 5) for at, text in enumerate(["我", "去。", "「好", "吗？」", "24", "年", "！", "是"])
    ]
    assert [segment.text for segment in cut(words, language="zh")] == ["我去。", "「好吗？」", "24年！", "是"]


def test_a_doubtful_full_stop_ends_the_sentence_if_a_silence_follows() -> None:
    assert texts("It was 5 p.m. Then we left.", gap_s=0.29) == ["It was 5 p.m. Then we left."]
    assert texts("It was 5 p.m. Then we left.", gap_s=0.3) == ["It was 5 p.m.", "Then we left."]
    assert texts("Wir sind 3. Dann nicht.", gap_s=0.29, language="de") == ["Wir sind 3. Dann nicht."]
    assert texts("Wir sind 3. Dann nicht.", gap_s=0.3, language="de") == ["Wir sind 3.", "Dann nicht."]
    assert texts("Mr. Smith came.", gap_s=0.9) == ["Mr. Smith came."]


def test_a_pause_of_a_second_ends_a_segment() -> None:
    words = [Word(" one two", 0.0, 1.0), Word(" three four", 1.99, 3.0), Word(" five six", 4.0, 5.0)]
    assert [segment.text for segment in cut(words)] == [" one two three four", " five six"]


def test_a_border_between_regions_is_a_pause_though_word_times_reach_into_it() -> None:
    """Times are estimates: here the word before the silence seems to last through most of it."""
    words = [Word(" well", 0.0, 0.4), Word(" then", 0.5, 3.0), Word(" we", 3.6, 4.0), Word(" go", 4.1, 4.5)]
    assert [segment.text for segment in cut(words)] == [" well then we go"]
    apart = (Region(0.0, 2.2), Region(3.5, 4.6))
    assert [segment.text for segment in cut(words, apart)] == [" well then", " we go"]
    near = (Region(0.0, 2.6), Region(3.5, 4.6))
    assert [segment.text for segment in cut(words, near)] == [" well then we go"]


def test_a_scrap_stays_with_the_nearer_part_of_its_sentence() -> None:
    assert texts("I _ think so _ too") == ["I think so too"]
    assert texts("we have _ two __ of them") == ["we have two", "of them"]
    assert texts("we have __ two _ of them") == ["we have", "two of them"]
    assert texts("we have ___ two ___ of them") == ["we have", "two", "of them"]
    assert texts("Yes. _ Two _ of them") == ["Yes.", "Two of them"]
    assert texts("we have _ both of _ them all") == ["we have", "both of", "them all"]


def test_a_sentence_that_is_too_long_is_cut_at_its_longest_breath() -> None:
    words = [Word(f" w{at}", at * 0.5, at * 0.5 + 0.5) for at in range(100)]
    breath = [Word(word.text, word.start + 0.25 * (at >= 42), word.end + 0.25 * (at >= 42)) for at, word in enumerate(words)]
    assert [len(segment.words) for segment in cut(breath)] == [42, 58]
    at_the_edge = [Word(word.text, word.start + 0.9 * (at >= 2), word.end + 0.9 * (at >= 2)) for at, word in enumerate(words)]
    assert [len(segment.words) for segment in cut(at_the_edge)] == [49, 51]


def test_a_sentence_that_is_too_long_and_has_no_breath_is_cut_evenly() -> None:
    words = [Word(f" w{at}", at * 0.5, at * 0.5 + 0.5) for at in range(160)]
    assert [len(segment.words) for segment in cut(words)] == [40, 40, 40, 40]
    assert [len(segment.words) for segment in cut(words[:60])] == [60]
    assert [len(segment.words) for segment in cut(words[:61])] == [30, 31]


def test_a_single_word_may_be_longer_than_a_segment() -> None:
    assert [(segment.start, segment.end) for segment in cut([Word(" aaa", 0.0, 31.0)])] == [(0.0, 31.0)]
