"""Every reply format: its exact keys, and that any serialiser takes it whatever the engines produced."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import ResponseFormat
from roundtable.formats import render
from roundtable.languages import ENGLISH_NAMES, english_name
from roundtable.plain import LATEST_S, figure, milliseconds, one_line, plain_text, probability, seconds
from roundtable.transcript import (
    ActionItem,
    Conversation,
    Diarization,
    Language,
    Point,
    Segment,
    SpeakerStats,
    SpeakerTurn,
    Summary,
    Transcript,
    Turn,
    Warning_,
    Word,
)

FORMATS: tuple[str, ...] = get_args(ResponseFormat)

SLOW = Warning_("asr", "slow", "It took long.")
UNSURE = Warning_("diarize", "unsure", "Two or three people.")

HELLO = (
    Word(" Hello", 0.5, 0.9004, 0.91, "SPEAKER_00", 1.0),
    Word(" there.", 0.9, 1.4, 0.87654321, "SPEAKER_00", 0.5, overlap=True),
)
GOODBYE = (Word(" Bye.", 7.0, 7.25, None, None, None, outside_speech=True),)
MEETING = Conversation(
    transcript=Transcript(
        (
            Segment(0.5, 1.4, " Hello there.", HELLO, -0.25, 0.01, 1.2, 0.0),
            Segment(7.0, 7.25, " Bye.", GOODBYE),
        ),
        Language("en", 0.98),
        (SLOW,),
    ),
    duration_s=8.47,
    diarization=Diarization(
        (Turn(0.4, 1.5, "SPEAKER_00"), Turn(5.0, 5.0, "SPEAKER_01")), (Turn(0.9, 1.2, "SPEAKER_01"),), (UNSURE,)
    ),
    turns=(
        SpeakerTurn(0, "SPEAKER_00", 0.5, 1.4, " Hello there.", HELLO),
        SpeakerTurn(1, None, 7.0, 7.25, " Bye.", GOODBYE, approximate=True),
    ),
    speaker_stats=(SpeakerStats("SPEAKER_00", 1.1, 2, 0.78571),),
    summary=Summary(
        "They greet.",
        "A greeting",
        (Point("Hello there.", (0,)),),
        (Point("To leave.", (1,)),),
        (ActionItem("Leave", "SPEAKER_00", None, (0, 1)),),
        {"SPEAKER_00": "Greets."},
    ),
    warnings=(SLOW,),
    models={"asr": "embedded (PocketSphinx)"},
    timings_s={"total_s": 1.23456},
    request_id="r-1",
)
ABOUT = {
    "summary_info": {"method": "extractive", "passes": 0, "input_tokens": 0, "truncated": False, "stop_reason": None},
    "outcome": "ok",
    "warnings": [
        {"stage": "asr", "code": "slow", "message": "It took long."},
        {"stage": "diarize", "code": "unsure", "message": "Two or three people."},
    ],
    "models": {"asr": "embedded (PocketSphinx)"},
    "timings": {"total_s": 1.235},
    "request_id": "r-1",
}
SUMMARIZE = [{"summary_text": "They greet."}]
HELLO_WORDS = [
    {"word": "Hello", "start": 0.5, "end": 0.9, "confidence": 0.91, "speaker_confidence": 1.0, "overlap": False},
    {"word": "there.", "start": 0.9, "end": 1.4, "confidence": 0.8765, "speaker_confidence": 0.5, "overlap": True},
]
BYE_WORD = {
    "word": "Bye.",
    "start": 7.0,
    "end": 7.25,
    "confidence": None,
    "speaker_confidence": None,
    "overlap": False,
    "outside_speech": True,
}
SILENCE = Conversation(Transcript(), 3.0)


def text_of(conversation: Conversation, response_format: str) -> object:
    return render(conversation, response_format)["text"]


def test_json_is_the_reply_of_the_design_key_for_key() -> None:
    assert render(MEETING, "json", structured_summary=True) == {
        "text": "Hello there. Bye.",
        "chunks": [{"timestamp": [0.5, 1.4], "text": "Hello there."}, {"timestamp": [7.0, 7.25], "text": "Bye."}],
        "speakers": [
            {"id": 0, "speaker": "SPEAKER_00", "timestamp": [0.5, 1.4], "text": "Hello there.", "words": HELLO_WORDS},
            {"id": 1, "speaker": None, "timestamp": [7.0, 7.25], "text": "Bye.", "words": [BYE_WORD], "approximate": True},
        ],
        "summarize": SUMMARIZE,
        "language": {"code": "en", "probability": 0.98},
        "duration": 8.47,
        "summary": {
            "title": "A greeting",
            "summary": "They greet.",
            "key_points": [{"text": "Hello there.", "evidence": [0]}],
            "decisions": [{"text": "To leave.", "evidence": [1]}],
            "action_items": [{"task": "Leave", "owner": "SPEAKER_00", "due": None, "evidence": [0, 1]}],
            "per_speaker": {"SPEAKER_00": "Greets."},
            "method": "extractive",
            "evidence_in": "speakers",
        },
        "speaker_stats": [{"speaker": "SPEAKER_00", "seconds": 1.1, "words": 2, "share": 0.7857}],
        **ABOUT,
    }


def test_every_format_says_how_the_summary_was_made() -> None:
    made = Summary("s", method="chat", passes=3, input_tokens=900, truncated=True, stop_reason="length")
    for name in ("json", "verbose_json", "diarized_json", "srt", "vtt", "tsv", "txt", "rttm"):
        assert render(replace(MEETING, summary=made), name)["summary_info"] == {
            **{"method": "chat", "passes": 3, "input_tokens": 900, "truncated": True, "stop_reason": "length"}
        }


def test_the_structured_summary_is_there_only_when_asked_for() -> None:
    assert "summary" not in render(MEETING, "json")
    assert render(SILENCE, "json", structured_summary=True)["summary"] is None


def test_without_word_timestamps_words_is_empty() -> None:
    speakers = render(MEETING, "json", word_timestamps=False)["speakers"]
    assert isinstance(speakers, list)
    assert [entry["words"] for entry in speakers] == [[], []]
    assert render(MEETING, "verbose_json", word_timestamps=False)["words"] == []


def test_a_recording_without_speech() -> None:
    assert render(SILENCE, "json") == {
        "text": "",
        "chunks": [],
        "speakers": [],
        "summarize": [],
        "language": None,
        "duration": 3.0,
        "speaker_stats": [],
        "summary_info": None,
        "outcome": "ok",
        "warnings": [],
        "models": {},
        "timings": {},
        "request_id": "",
    }
    files = {name: text_of(SILENCE, name) for name in ("srt", "vtt", "tsv", "txt", "rttm")}
    assert files == {"srt": "", "vtt": "WEBVTT\n\n", "tsv": "start\tend\ttext\tspeaker\n", "txt": "", "rttm": ""}


def test_verbose_json_has_openais_keys_and_invents_no_figure() -> None:
    assert render(MEETING, "verbose_json") == {
        "task": "transcribe",
        "language": "english",
        "duration": 8.47,
        "text": "Hello there. Bye.",
        "words": [
            {"word": "Hello", "start": 0.5, "end": 0.9},
            {"word": "there.", "start": 0.9, "end": 1.4},
            {"word": "Bye.", "start": 7.0, "end": 7.25},
        ],
        "segments": [
            {
                "id": 0,
                "seek": None,
                "start": 0.5,
                "end": 1.4,
                "text": " Hello there.",
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": -0.25,
                "compression_ratio": 1.2,
                "no_speech_prob": 0.01,
            },
            {
                "id": 1,
                "seek": None,
                "start": 7.0,
                "end": 7.25,
                "text": " Bye.",
                "tokens": [],
                "temperature": None,
                "avg_logprob": None,
                "compression_ratio": None,
                "no_speech_prob": None,
            },
        ],
        "usage": {"type": "duration", "seconds": 9},
        "summarize": SUMMARIZE,
        **ABOUT,
    }


def test_diarized_json_has_openais_keys() -> None:
    assert render(MEETING, "diarized_json") == {
        "task": "transcribe",
        "duration": 8.47,
        "text": "Hello there. Bye.",
        "segments": [
            {
                "type": "transcript.text.segment",
                "id": "seg_001",
                "start": 0.5,
                "end": 1.4,
                "text": "Hello there.",
                "speaker": "SPEAKER_00",
            },
            {"type": "transcript.text.segment", "id": "seg_002", "start": 7.0, "end": 7.25, "text": "Bye.", "speaker": None},
        ],
        "usage": {"type": "duration", "seconds": 9},
        "summarize": SUMMARIZE,
        **ABOUT,
    }


def test_a_file_comes_in_text_with_what_every_reply_says() -> None:
    assert render(MEETING, "txt") == {
        "text": "SPEAKER_00: Hello there.\nUNKNOWN: Bye.\n",
        "summarize": SUMMARIZE,
        "language": {"code": "en", "probability": 0.98},
        "duration": 8.47,
        **ABOUT,
    }


def test_txt_is_the_plain_text_when_nobody_was_told_apart() -> None:
    assert text_of(Conversation(MEETING.transcript, 8.47), "txt") == "Hello there. Bye.\n"


def test_tsv_is_openai_whispers_with_a_speaker_column() -> None:
    assert text_of(MEETING, "tsv") == ("start\tend\ttext\tspeaker\n500\t1400\tHello there.\tSPEAKER_00\n7000\t7250\tBye.\t\n")
    messy = Conversation(Transcript((Segment(0, 1, " a\tb\r\nc "),)), 1.0)
    assert text_of(messy, "tsv") == "start\tend\ttext\tspeaker\n0\t1000\ta b c\t\n"


def test_rttm_has_turns_and_overlaps_by_start_and_leaves_out_empty_ones() -> None:
    assert text_of(MEETING, "rttm") == (
        "SPEAKER r-1 1 0.400 1.100 <NA> <NA> SPEAKER_00 <NA> <NA>\nSPEAKER r-1 1 0.900 0.300 <NA> <NA> SPEAKER_01 <NA> <NA>\n"
    )
    nameless = Conversation(Transcript(), 2.0, Diarization((Turn(0.0, 1.0, "Zoë  X\n"),)))
    assert text_of(nameless, "rttm") == "SPEAKER recording 1 0.000 1.000 <NA> <NA> Zoë_X_ <NA> <NA>\n"


def test_subtitles_come_from_the_same_turns() -> None:
    assert text_of(MEETING, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,700\nSPEAKER_00: Hello there.\n\n2\n00:00:07,000 --> 00:00:08,000\nUNKNOWN: Bye.\n\n"
    )
    assert text_of(MEETING, "vtt") == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\n<v SPEAKER_00>Hello there.\n\n00:00:07.000 --> 00:00:08.000\nBye.\n\n"
    )


NAME = "Zoë <O'Neil> & Sons -->"


@pytest.fixture
def by_name() -> Conversation:
    words = (Word(" Hello.", 0.5, 1.0, None, NAME, 1.0),)
    return Conversation(
        Transcript((Segment(0.5, 1.0, " Hello.", words),)),
        2.0,
        Diarization((Turn(0.5, 1.0, NAME),), embeddings={NAME: (0.12345678, -1e-9)}),
        (SpeakerTurn(0, NAME, 0.5, 1.0, " Hello.", words),),
        (SpeakerStats(NAME, 0.5, 1, 1.0),),
    )


def test_a_name_with_spaces_and_marks_keeps_every_file_readable(by_name: Conversation) -> None:
    assert text_of(by_name, "txt") == "Zoë <O'Neil> & Sons -->: Hello.\n"
    assert text_of(by_name, "tsv") == "start\tend\ttext\tspeaker\n500\t1000\tHello.\tZoë <O'Neil> & Sons -->\n"
    assert text_of(by_name, "rttm") == ("SPEAKER recording 1 0.500 0.500 <NA> <NA> Zoë_<O'Neil>_&_Sons_--> <NA> <NA>\n")
    assert text_of(by_name, "srt") == "1\n00:00:00,500 --> 00:00:02,000\nZoë <O'Neil> & Sons →: Hello.\n\n"
    assert text_of(by_name, "vtt") == (
        "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\n<v Zoë &lt;O'Neil&gt; &amp; Sons --&gt;>Hello.\n\n"
    )
    speakers, segments = render(by_name, "json")["speakers"], render(by_name, "diarized_json")["segments"]
    assert isinstance(speakers, list)
    assert isinstance(segments, list)
    assert (speakers[0]["speaker"], segments[0]["speaker"]) == (NAME, NAME)


@pytest.mark.parametrize("response_format", FORMATS)
def test_voices_are_there_in_every_format_when_asked_for(response_format: str, by_name: Conversation) -> None:
    plain = render(by_name, response_format)
    assert "speaker_embeddings" not in plain
    assert render(by_name, response_format, speaker_embeddings=True) == {
        **plain,
        "speaker_embeddings": {NAME: [0.123457, -1e-9]},
    }


def test_a_voice_that_is_not_known_or_no_number_is_null() -> None:
    turns = tuple(Turn(float(place), place + 1.0, f"SPEAKER_{place:02d}") for place in range(4))
    voices: Any = {"SPEAKER_00": (0.5, math.nan), "SPEAKER_01": None, "SPEAKER_02": (np.float32(0.5), 1)}
    conversation = Conversation(Transcript(), 4.0, Diarization(turns, embeddings=voices))
    assert render(conversation, "json", speaker_embeddings=True)["speaker_embeddings"] == {
        "SPEAKER_00": None,
        "SPEAKER_01": None,
        "SPEAKER_02": [0.5, 1.0],
        "SPEAKER_03": None,
    }
    assert render(SILENCE, "json", speaker_embeddings=True)["speaker_embeddings"] == {}


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="no such response format"):
        render(MEETING, "docx")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.23456, 1.235), (-0.001, 0.0), (-0.0, 0.0), (math.nan, 0.0), (math.inf, 0.0), (-math.inf, 0.0), (1e300, LATEST_S)],
)
def test_seconds(value: float, expected: float) -> None:
    assert str(seconds(value)) == str(expected)
    assert milliseconds(value) == round(expected * 1000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.98765, 0.9877), (-0.1, 0.0), (1.0001, 1.0), (None, None), (math.nan, None), (math.inf, None)],
)
def test_probability(value: float | None, expected: float | None) -> None:
    assert probability(value) == expected


def test_figure() -> None:
    assert [figure(value) for value in (-0.254321, None, math.nan, -math.inf)] == [-0.2543, None, None, None]


def test_plain_text() -> None:
    assert plain_text("a\x00b\x1b[31m\tc\nd\r\ud83d\x85é😀") == "ab[31m\tc\nd\ufffdé😀"
    assert one_line("  a\t\nb\u2028c ") == "a b c"


def test_languages_have_their_english_names() -> None:
    assert [english_name(code) for code in ("en", "EN-gb", "ht", "yue", "qq")] == [
        "english",
        "english",
        "haitian creole",
        "cantonese",
        "qq",
    ]
    assert len(ENGLISH_NAMES) == 100  # as many as Whisper large-v3 knows


# --- Whatever the engines produce --------------------------------------------------------------------------------------

number = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1e308, np.float64(0.5), np.float64(math.nan)])
perhaps = st.none() | number
text = st.text(max_size=20) | st.text(st.sampled_from("a\ud800\udfff\x00\t\n\x9f ")) | st.just("huge " * 5_000)
label = st.none() | text
warning = st.builds(Warning_, stage=st.sampled_from(["asr", "format"]), code=text, message=text)
warnings = st.lists(warning, max_size=2).map(tuple)
word = st.builds(Word, text, number, number, perhaps, label, perhaps, st.booleans(), st.booleans())
words = st.lists(word, max_size=4).map(tuple)
segment = st.builds(Segment, number, number, text, words, perhaps, perhaps, perhaps, perhaps)
language = st.none() | st.builds(Language, text, perhaps)
transcript = st.builds(Transcript, st.lists(segment, max_size=3).map(tuple), language, warnings)
turns = st.lists(st.builds(Turn, number, number, text), max_size=3).map(tuple)
voices = st.dictionaries(text, st.none() | st.lists(number, max_size=3).map(tuple), max_size=2)
evidence = st.lists(st.integers(0, 9), max_size=3).map(tuple)
points = st.lists(st.builds(Point, text, evidence), max_size=2).map(tuple)
summary = st.builds(
    Summary,
    text=text,
    title=text,
    key_points=points,
    decisions=points,
    action_items=st.lists(st.builds(ActionItem, text, label, label, evidence), max_size=2).map(tuple),
    per_speaker=st.dictionaries(text, text, max_size=2),
    method=text,
    warnings=warnings,
)
conversations = st.builds(
    Conversation,
    transcript=transcript,
    duration_s=number,
    diarization=st.none() | st.builds(Diarization, turns, turns, warnings, voices),
    turns=st.lists(
        st.builds(SpeakerTurn, st.integers(0, 9), label, number, number, text, words, st.booleans()), max_size=3
    ).map(tuple),
    speaker_stats=st.lists(st.builds(SpeakerStats, text, number, st.integers(0, 9), number), max_size=2).map(tuple),
    summary=st.none() | summary,
    warnings=warnings,
    models=st.dictionaries(text, text, max_size=2),
    timings_s=st.dictionaries(text, number, max_size=2),
    request_id=text,
)


def plain_types_only(value: object) -> bool:
    if type(value) is dict:
        return all(type(key) is str and plain_types_only(item) for key, item in value.items())
    if type(value) is list:
        return all(plain_types_only(item) for item in value)
    return value is None or type(value) in (str, int, float, bool)


@settings(max_examples=120, deadline=None)
@given(conversations, st.sampled_from(FORMATS), st.booleans(), st.booleans(), st.booleans())
def test_every_reply_is_plain_json_whatever_the_engines_produced(
    conversation: Conversation, response_format: str, word_timestamps: bool, structured: bool, voices: bool
) -> None:
    reply = render(
        conversation,
        response_format,
        word_timestamps=word_timestamps,
        structured_summary=structured,
        speaker_embeddings=voices,
    )
    assert plain_types_only(reply)
    body = json.dumps(reply, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert json.loads(body) == reply


@settings(max_examples=60, deadline=None)
@given(conversations, st.sampled_from(FORMATS))
def test_orjson_takes_every_reply(conversation: Conversation, response_format: str) -> None:
    orjson = pytest.importorskip("orjson", reason="not a dependency: the serialiser of Hugging Face's toolkit, where it runs")
    reply = render(conversation, response_format, structured_summary=True)
    assert orjson.loads(orjson.dumps(reply)) == reply
