"""Replies of the real handler, in every format, as the client reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import ActionItem, Notice, Point, Reply, Segment, SpeakerStats, SpeakerTurn, Summary, UnusableReplyError, Word
from config import ModelSettings
from handler import EndpointHandler
from roundtable.engines import Engines
from tests.fakes import PHRASE, FakeDiarizer, FakeTranscriber, fake_engines, raises, tone_wav

HEARD = (
    *(Word("purple", 0.0, 0.3, 0.8, 1.0, False), Word("elephants", 0.4, 0.7, 0.8, 1.0, False)),
    *(Word("audit", 0.8, 1.1, 0.8, 0.6667, False), Word("the", 1.2, 1.5, 0.8, 1.0, False)),
    Word("lighthouse", 1.6, 1.9, 0.8, 1.0, False),
)
TURNS = (
    SpeakerTurn(0, "SPEAKER_00", 0.0, 1.1, "purple elephants audit", HEARD[:3]),
    SpeakerTurn(1, "SPEAKER_01", 1.2, 1.9, "the lighthouse", HEARD[3:]),
)


def answered(engines: Engines | None = None, **parameters: Any) -> dict[str, Any]:
    handler = EndpointHandler(settings=ModelSettings(asr_model="fake"), engines=engines or fake_engines())
    return handler({"inputs": tone_wav(2.0), "parameters": parameters})


def read(reply: dict[str, Any]) -> Reply:
    return Reply.parse(json.dumps(reply).encode())


def test_the_whole_reply() -> None:
    raw = answered(request_id="call-7")
    reply = read(raw)
    assert reply.raw == raw
    assert (reply.text, reply.segments, reply.turns, reply.words) == (PHRASE, (Segment(0.0, 1.9, PHRASE),), TURNS, HEARD)
    assert reply.summary == Summary("purple elephants audit; the lighthouse")
    assert (reply.language, reply.language_probability, reply.duration_s) == ("en", 0.9, 2.0)
    shares = [stats["share"] for stats in raw["speaker_stats"]]
    assert reply.speaker_stats == (SpeakerStats("SPEAKER_00", 1.0, 3, shares[0]), SpeakerStats("SPEAKER_01", 1.0, 2, shares[1]))
    assert (reply.outcome, reply.warnings, reply.request_id, reply.attempts) == ("ok", (), "call-7", 1)
    assert (
        reply.models
        == raw["models"]
        == {
            "asr": "fake/whisper@1",
            "diarization": "fake/diarization@1",
            "summarization": "fake/summarizer@1",
        }
    )
    assert reply.timings_s == raw["timings"]


def test_a_structured_summary() -> None:
    raw = answered(summary_format="structured")
    evidence = (Point("purple elephants audit", (0,)),)
    summary = read(raw).summary
    assert summary == Summary("purple elephants audit; the lighthouse", raw["summary"]["title"], evidence, method="fake")
    raw["summary"]["action_items"] = [{"task": "audit", "owner": None, "due": "Friday", "evidence": [1]}]
    raw["summary"]["per_speaker"] = {"Ada": "the lighthouse"}
    again = read(raw).summary
    assert again is not None
    assert (again.action_items, again.per_speaker) == ((ActionItem("audit", None, "Friday", (1,)),), {"Ada": "the lighthouse"})


def test_a_degraded_reply_has_its_warnings() -> None:
    broken = Engines(FakeTranscriber(), FakeDiarizer(before=raises(RuntimeError("no"))))
    reply = read(answered(broken))
    assert (reply.outcome, reply.turns, reply.words, reply.summary, reply.text) == ("degraded", (), (), None, PHRASE)
    assert [(type(warning), warning.stage) for warning in reply.warnings] == [(Notice, "diarize")]
    assert reply.warnings[0].message == "The speakers could not be told apart; the transcript is complete."


def test_verbose_json() -> None:
    reply = read(answered(response_format="verbose_json"))
    assert reply.words == tuple(Word(word.text, word.start_s, word.end_s, None, None, False) for word in HEARD)
    assert [(segment.start_s, segment.end_s, segment.text.strip()) for segment in reply.segments] == [(0.0, 1.9, PHRASE)]
    assert (reply.turns, reply.language, reply.language_probability, reply.duration_s) == ((), "english", None, 2.0)


def test_diarized_json() -> None:
    reply = read(answered(response_format="diarized_json"))
    assert [(turn.id, turn.speaker, turn.start_s, turn.end_s, turn.text) for turn in reply.turns] == [
        (0, "SPEAKER_00", 0.0, 1.1, "purple elephants audit"),
        (1, "SPEAKER_01", 1.2, 1.9, "the lighthouse"),
    ]
    assert len(reply.segments) == 2


@pytest.mark.parametrize("response_format", ["srt", "vtt", "tsv", "txt", "rttm"])
def test_files_are_text(response_format: str) -> None:
    raw = answered(response_format=response_format)
    reply = read(raw)
    assert (reply.text, reply.segments, reply.turns) == (raw["text"], (), ())
    assert reply.text.count("SPEAKER_0") == 2


WRONG: dict[str, dict[str, Any]] = {
    "in reply, text is missing": {},
    "in reply, speakers is not a list": {"text": "", "speakers": {}},
    "in reply, speakers[1] is not an object": {"text": "", "speakers": [{"timestamp": [0, 1]}, 7]},
    "in reply.speakers[0], timestamp is not two numbers": {"text": "", "speakers": [{"timestamp": [0]}]},
    "in reply.speakers[0], timestamp is not a number": {"text": "", "speakers": [{"timestamp": [0, "SECRET"]}]},
    "in reply.speakers[0].words[0], confidence is not a number": {
        "text": "",
        "speakers": [{"timestamp": [0, 1], "words": [{"start": 0, "end": 1, "confidence": True}]}],
    },
    "in reply, duration is too large a number": {"text": "", "duration": 10**400},
    "in reply, models is not an object": {"text": "", "models": ["SECRET"]},
    "in reply.summary.per_speaker, values are not all text": {"text": "", "summary": {"per_speaker": {"SECRET": 1}}},
}


@pytest.mark.parametrize("message", WRONG)
def test_half_a_reply_is_none(message: str) -> None:
    with pytest.raises(UnusableReplyError) as caught:
        read(WRONG[message])
    assert str(caught.value) == f"The answer is not as a Roundtable endpoint's: {message}."
    assert caught.value.__context__ is None


@pytest.mark.parametrize("body", [b'{"text": "", "duration": NaN}', b"\xff", b"[" * 100_000, b'{"text": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(UnusableReplyError, match="is cut short, or no JSON at all") as caught:
        Reply.parse(body)
    assert caught.value.__context__ is None


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)
RAW = answered(summary_format="structured")


@given(st.sampled_from(sorted(RAW)), json_values)
def test_a_reply_with_anything_in_one_place_is_read_or_refused(key: str, value: Any) -> None:
    body = json.dumps({**RAW, key: value}).encode()
    try:
        reply = Reply.parse(body)
    except UnusableReplyError as error:
        refused = str(error)
    else:
        assert reply.raw[key] == value
        refused = repr(reply)
    assert PHRASE not in refused
