import base64
import io
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import av
import pytest

from config import ModelSettings
from handler import EndpointHandler
from roundtable import errors
from roundtable.control import Control
from roundtable.engines import Engines
from roundtable.summarization.extractive import ExtractiveSummarizer
from roundtable.transcript import Diarization, Summary, Turn
from tests.fakes import (
    PHRASE,
    FakeDiarizer,
    FakeSummarizer,
    FakeTranscriber,
    fake_engines,
    raises,
    tone_wav,
    waits_until_stopped,
)

WAV = tone_wav(2.0)
SETTINGS = ModelSettings(asr_model="fake", max_audio_bytes=100_000, max_audio_seconds=3.0)
REPLY_KEYS = [
    *("text", "chunks", "speakers", "summarize", "language", "duration", "speaker_stats"),
    *("summary_info", "outcome", "warnings", "models", "timings", "request_id"),
]


def handler_with(engines: Engines | None = None) -> EndpointHandler:
    return EndpointHandler(settings=SETTINGS, engines=engines or fake_engines())


def ask(handler: EndpointHandler | None = None, inputs: Any = WAV, **parameters: Any) -> dict[str, Any]:
    return (handler or handler_with())({"inputs": inputs, "parameters": parameters})


def test_the_reply_is_the_users_four_keys_and_ours() -> None:
    reply = ask(request_id="call-7")
    assert sorted(reply) == sorted(REPLY_KEYS)
    assert reply["text"] == PHRASE
    assert reply["chunks"] == [{"timestamp": [0.0, 1.9], "text": PHRASE}]
    assert [(turn["speaker"], turn["timestamp"], turn["text"]) for turn in reply["speakers"]] == [
        ("SPEAKER_00", [0.0, 1.1], "purple elephants audit"),
        ("SPEAKER_01", [1.2, 1.9], "the lighthouse"),
    ]
    assert reply["speakers"][0]["words"][0] == {
        **{"word": "purple", "start": 0.0, "end": 0.3, "confidence": 0.8, "speaker_confidence": 1.0, "overlap": False}
    }
    assert reply["summarize"] == [{"summary_text": "purple elephants audit; the lighthouse"}]
    assert reply["language"] == {"code": "en", "probability": 0.9}
    assert reply["duration"] == 2.0
    assert [(stats["speaker"], stats["seconds"], stats["words"]) for stats in reply["speaker_stats"]] == [
        ("SPEAKER_00", 1.0, 3),
        ("SPEAKER_01", 1.0, 2),
    ]
    assert (reply["outcome"], reply["warnings"], reply["request_id"]) == ("ok", [], "call-7")
    assert reply["models"] == {
        "asr": "fake/whisper@1",
        "diarization": "fake/diarization@1",
        "summarization": "fake/summarizer@1",
    }
    assert sorted(reply["timings"]) == ["asr_s", "decode_s", "diarize_s", "merge_s", "summarize_s", "total_s"]


def test_a_structured_summary_cites_the_speakers_list() -> None:
    summary = ask(summary_format="structured")["summary"]
    assert summary["key_points"] == [{"text": "purple elephants audit", "evidence": [0]}]
    assert (summary["method"], summary["evidence_in"]) == ("fake", "speakers")


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(WAV, id="bytes"),
        pytest.param(bytearray(WAV), id="bytearray"),
        pytest.param(memoryview(WAV), id="memoryview"),
        pytest.param(base64.b64encode(WAV).decode(), id="base64"),
        pytest.param("data:audio/wav;base64," + base64.b64encode(WAV).decode(), id="data-uri"),
    ],
)
def test_inputs_may_be_raw_bytes_base64_or_a_data_uri(inputs: Any) -> None:
    assert ask(inputs=inputs)["duration"] == 2.0


def test_diarization_switched_off_gives_no_speakers_and_a_summary_of_the_plain_text() -> None:
    summarizer = FakeSummarizer()
    reply = ask(handler_with(fake_engines(summarizer=summarizer)), diarize=False, summary_format="structured")
    assert (reply["speakers"], reply["speaker_stats"]) == ([], [])
    assert reply["summarize"] == [{"summary_text": PHRASE}]
    assert [turn.speaker for turn in summarizer.turns] == [None]
    assert reply["summary"]["evidence_in"] == "chunks"
    assert reply["outcome"] == "ok"


def test_summary_switched_off_gives_an_empty_list() -> None:
    assert ask(summarize=False)["summarize"] == []


def test_stages_that_no_engine_serves_are_off() -> None:
    reply = ask(handler_with(Engines(FakeTranscriber())))
    assert (reply["text"], reply["speakers"], reply["summarize"]) == (PHRASE, [], [])
    assert reply["models"] == {"asr": "fake/whisper@1"}


def test_silence_is_an_empty_reply_not_an_error() -> None:
    reply = ask(handler_with(fake_engines(FakeTranscriber(""))))
    assert (reply["text"], reply["chunks"], reply["speakers"], reply["outcome"]) == ("", [], [], "ok")


def test_parameters_reach_the_engines() -> None:
    transcriber, diarizer, summarizer = FakeTranscriber(), FakeDiarizer(), FakeSummarizer()
    ask(
        handler_with(fake_engines(transcriber, diarizer, summarizer)),
        **{"batch_size": "3", "chunk_length_s": "20", "language": "EN", "hotwords": "Anna, Ben", "prompt": "before"},
        **{"min_speakers": "2", "max_speakers": "4", "summary_max_tokens": "99", "summary_min_tokens": 9},
    )
    assert transcriber.options is not None
    assert (transcriber.options.batch_size, transcriber.options.chunk_length_s, transcriber.options.language) == (3, 20, "en")
    assert (transcriber.options.hotwords, transcriber.options.prompt) == (("Anna", "Ben"), "before")
    assert diarizer.options is not None
    assert (diarizer.options.num_speakers, diarizer.options.min_speakers, diarizer.options.max_speakers) == (None, 2, 4)
    assert summarizer.options is not None
    assert (summarizer.options.max_tokens, summarizer.options.min_tokens, summarizer.options.language) == (99, 9, "en")


def test_the_request_is_left_as_it_was() -> None:
    request = {"inputs": WAV, "parameters": {"num_speakers": 2}}
    handler_with()(request)
    assert request == {"inputs": WAV, "parameters": {"num_speakers": 2}}


@pytest.mark.parametrize("parameters", [None, {}])
def test_parameters_may_be_missing_or_null(parameters: Any) -> None:
    assert handler_with()({"inputs": WAV, "parameters": parameters})["text"] == PHRASE
    assert handler_with()({"inputs": WAV})["text"] == PHRASE


def test_word_timestamps_off_leaves_the_speakers_as_they_are() -> None:
    turns = ask(word_timestamps=False)["speakers"]
    assert [(turn["speaker"], turn["text"], turn["words"]) for turn in turns] == [
        ("SPEAKER_00", "purple elephants audit", []),
        ("SPEAKER_01", "the lighthouse", []),
    ]


def reference(name: str, seconds: float = 2.0, hertz: float = 220.0) -> dict[str, str]:
    return {"name": name, "audio": base64.b64encode(tone_wav(seconds, hertz)).decode()}


def test_known_voices_reach_the_diarizer_as_sound_and_come_back_as_names() -> None:
    diarizer = FakeDiarizer()
    references = [reference("Zoë Lee", 3.0), reference("Ben", 10.0)]
    reply = ask(handler_with(fake_engines(diarizer=diarizer)), speaker_references=references, summary_format="structured")
    assert diarizer.options is not None
    assert [(known.name, known.audio.duration_s) for known in diarizer.options.references] == [("Zoë Lee", 3.0), ("Ben", 10.0)]
    assert [turn["speaker"] for turn in reply["speakers"]] == ["SPEAKER_00", "Zoë Lee"]
    assert [stats["speaker"] for stats in reply["speaker_stats"]] == ["SPEAKER_00", "Zoë Lee"]
    assert (reply["outcome"], reply["warnings"]) == ("ok", [])


def test_whoever_promises_something_is_named_in_the_summary() -> None:
    engines = replace(fake_engines(FakeTranscriber("Thanks a lot. I'll send the report.")), summarizer=ExtractiveSummarizer())
    name = "Zoë O'Neil (2)"
    parameters = {"speaker_references": [reference(name)], "summary_format": "structured"}
    summary = ask(handler_with(engines), tone_wav(3.0), **parameters)["summary"]
    assert [(item["task"], item["owner"]) for item in summary["action_items"]] == [("send the report", name)]
    assert summary["per_speaker"] == {"SPEAKER_00": "Thanks a lot.", name: "I'll send the report."}


def test_known_voices_may_come_as_the_json_text_that_a_query_string_has() -> None:
    reply = ask(speaker_references=json.dumps([reference("Zoë Lee")]))
    assert [turn["speaker"] for turn in reply["speakers"]] == ["SPEAKER_00", "Zoë Lee"]


def test_voices_come_back_as_numbers_when_asked_for() -> None:
    assert "speaker_embeddings" not in ask()
    assert ask(speaker_embeddings=True)["speaker_embeddings"] == {"SPEAKER_00": [0.6, 0.8], "SPEAKER_01": None}
    known = ask(speaker_embeddings="true", speaker_references=[reference("Ben")], response_format="rttm")
    assert known["speaker_embeddings"] == {"Ben": None, "SPEAKER_00": [0.6, 0.8]}


@pytest.mark.parametrize(
    ("engines", "parameters"),
    [(fake_engines(), {"diarize": False}), (Engines(FakeTranscriber()), {})],
    ids=["switched-off", "no-engine"],
)
def test_where_nobody_is_told_apart_what_was_asked_about_voices_is_a_warning(
    engines: Engines, parameters: dict[str, Any]
) -> None:
    assert ask(handler_with(engines), **parameters, num_speakers=2)["warnings"] == []
    reply = ask(handler_with(engines), **parameters, speaker_embeddings=True, speaker_references=[reference("Ben")])
    assert [(warning["stage"], warning["code"], warning["message"]) for warning in reply["warnings"]] == [
        ("diarize", "diarization_off", "speaker_references had no effect: nobody is told apart."),
        ("diarize", "diarization_off", "speaker_embeddings had no effect: nobody is told apart."),
    ]
    assert (reply["speaker_embeddings"], reply["speakers"], reply["outcome"]) == ({}, [], "ok")


BAD_REFERENCES: list[tuple[dict[str, Any], str]] = [
    ({"audio": "%%%"}, "[1].audio: The audio is not base64"),
    ({"audio": "data:audio/wav,abc"}, "[1].audio: The data URI is not base64"),
    ({"audio": "data:audio/wav;base64,"}, "[1].audio: The recording is empty"),
    ({"audio": base64.b64encode(b"no recording at all" * 20).decode()}, "[1].audio: The file is not a recording"),
    ({"audio": base64.b64encode(bytes(4 * 1024 * 1024 + 1)).decode()}, "[1].audio: The recording is larger than the limit of"),
    (reference("Ben", 1.9), "[1].audio: is shorter than 2 seconds."),
    (reference("Ben", 10.1), "[1].audio: is longer than 10 seconds."),
    (reference("anna lee"), ": [1].name is the name of [0] as well"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_REFERENCES, ids=[f"{n}" for n in range(len(BAD_REFERENCES))])
def test_a_bad_reference_is_told_by_its_place_before_the_recording_is_looked_at(bad: dict[str, str], reason: str) -> None:
    diarizer = FakeDiarizer()
    with pytest.raises(errors.InvalidParameters) as caught:
        ask(
            handler_with(fake_engines(diarizer=diarizer)),
            inputs=b"no recording either" * 20,
            speaker_references=[reference("Anna Lee"), {"name": "Ben", **bad}],
        )
    assert caught.value.message.startswith(f"speaker_references{reason}")
    assert "Ben" not in str(caught.value)


def test_eleven_known_voices_are_one_too_many() -> None:
    with pytest.raises(errors.InvalidParameters, match=r"speaker_references: .* at most 10 "):
        ask(speaker_references=[reference(f"No {n}") for n in range(11)])


@pytest.mark.parametrize("seconds", [2.0, 10.0])
@pytest.mark.parametrize("ending", ["mp3", "adts", "ogg", "flac"])
def test_what_a_codec_adds_to_a_references_length_does_not_make_it_too_long(seconds: float, ending: str) -> None:
    codec = {"mp3": "libmp3lame", "adts": "aac", "ogg": "libopus", "flac": "flac"}[ending]
    file = io.BytesIO()
    with av.open(file, "w", format=ending) as writer, av.open(io.BytesIO(tone_wav(seconds)), "r") as tone:
        stream: Any = writer.add_stream(codec, rate=48_000)
        resampler = av.AudioResampler(stream.format, "mono", 48_000)
        for frame in [*tone.decode(tone.streams.audio[0]), None]:
            for piece in resampler.resample(frame):
                writer.mux(stream.encode(piece))
        writer.mux(stream.encode(None))
    known = {"name": "Ben", "audio": base64.b64encode(file.getvalue()).decode()}
    assert [turn["speaker"] for turn in ask(speaker_references=[known])["speakers"]] == ["SPEAKER_00", "Ben"]


FAILURES = [
    pytest.param(errors.OutOfMemory("No memory left."), "out_of_memory", id="capacity"),
    pytest.param(errors.EngineFailed("Broke."), "engine_failed", id="engine"),
    pytest.param(ValueError(PHRASE), "engine_failed", id="unforeseen"),
    pytest.param(MemoryError(), "out_of_memory", id="memory"),
]


@pytest.mark.parametrize(("failure", "code"), FAILURES)
def test_a_failed_diarization_keeps_the_transcript(failure: Exception, code: str) -> None:
    reply = ask(handler_with(fake_engines(diarizer=FakeDiarizer(raises(failure)))))
    assert (reply["text"], reply["speakers"], reply["outcome"]) == (PHRASE, [], "degraded")
    assert [(warning["stage"], warning["code"]) for warning in reply["warnings"]] == [("diarize", code)]
    assert reply["summarize"] == [{"summary_text": PHRASE}]
    assert PHRASE not in json.dumps(reply["warnings"])


@pytest.mark.parametrize(("failure", "code"), FAILURES)
def test_a_failed_summary_keeps_the_transcript_and_the_speakers(failure: Exception, code: str) -> None:
    reply = ask(handler_with(fake_engines(summarizer=FakeSummarizer(raises(failure)))))
    assert (reply["text"], len(reply["speakers"]), reply["summarize"]) == (PHRASE, 2, [])
    assert (reply["outcome"], [warning["code"] for warning in reply["warnings"]]) == ("degraded", [code])


@pytest.mark.parametrize(("failure", "code"), FAILURES)
def test_a_failed_transcription_is_an_error(failure: Exception, code: str) -> None:
    with pytest.raises(errors.RoundtableError) as caught:
        ask(handler_with(fake_engines(FakeTranscriber(before=raises(failure)))), request_id="r1")
    assert (caught.value.code, caught.value.request_id) == (code, "r1")


@pytest.mark.parametrize(
    "failure", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseExceptionGroup("x", [SystemExit()])]
)
def test_what_would_end_a_process_in_the_diarizers_thread_keeps_the_transcript(failure: BaseException) -> None:
    reply = ask(handler_with(fake_engines(diarizer=FakeDiarizer(raises(failure)))))
    assert (reply["text"], reply["outcome"], reply["warnings"][0]["code"]) == (PHRASE, "degraded", "engine_failed")


class Garbled(FakeDiarizer):
    """Breaks its contract: returns `answer`, whatever that is."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def diarize(self, *_: Any) -> Any:
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Diarization((Turn(0, 1, None),)),  # type: ignore[arg-type]  # what a broken engine returns
        Diarization((Turn(0, 1, 3),)),  # type: ignore[arg-type]
        Diarization(None),  # type: ignore[arg-type]
        Diarization(((0, 1, "A"),)),  # type: ignore[arg-type]
    ],
)
def test_a_diarizer_that_breaks_its_contract_keeps_the_transcript(answer: Any) -> None:
    reply = ask(handler_with(fake_engines(diarizer=Garbled(answer))))
    assert (reply["text"], reply["speakers"], reply["outcome"]) == (PHRASE, [], "degraded")
    assert reply["summarize"] == [{"summary_text": PHRASE}]


@pytest.mark.parametrize(
    "answer",
    [None, Summary(None), Summary("s", title=None), Summary("s", key_points=None), Summary("s", per_speaker=None)],  # type: ignore[arg-type]
)
def test_a_summarizer_that_breaks_its_contract_keeps_the_transcript(answer: Any) -> None:
    summarizer = FakeSummarizer()
    summarizer.summarize = lambda *_: answer  # type: ignore[method-assign]
    reply = ask(handler_with(fake_engines(summarizer=summarizer)), summary_format="structured")
    assert (reply["text"], reply["outcome"]) == (PHRASE, "degraded")


@pytest.mark.parametrize("broken", ["clean_diarization", "merge", "speaker_stats"])
def test_a_merge_that_fails_keeps_the_transcript(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"handler.{broken}", lambda *_: [][0])
    reply = ask()
    assert (reply["text"], reply["speakers"], reply["outcome"]) == (PHRASE, [], "degraded")
    assert [(warning["stage"], warning["code"]) for warning in reply["warnings"]] == [("merge", "engine_failed")]
    assert reply["summarize"] == [{"summary_text": PHRASE}]


@pytest.mark.parametrize("parameters", [{"request_id": 10**5000}, {"language": 10**5000}, {"batch_size": 10**5000}])
def test_an_integer_too_long_for_text_is_the_callers_error(parameters: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidParameters):
        ask(**parameters)


def test_what_the_caller_asked_wrongly_of_the_diarizer_is_an_error_not_a_degraded_reply() -> None:
    diarizer = FakeDiarizer(raises(errors.Unsupported("This engine cannot do that.")))
    with pytest.raises(errors.Unsupported):
        ask(handler_with(fake_engines(diarizer=diarizer)))


def test_a_failed_transcription_stops_the_diarization() -> None:
    stopped = threading.Event()

    def until_cancelled(control: Control) -> None:
        try:
            waits_until_stopped(control)
        except errors.Cancelled:
            stopped.set()
            raise

    transcriber = FakeTranscriber(before=raises(errors.EngineFailed("Broke.")))
    with pytest.raises(errors.EngineFailed):
        ask(handler_with(fake_engines(transcriber, FakeDiarizer(until_cancelled))))
    assert stopped.wait(5)


def test_transcription_past_the_deadline_is_an_error() -> None:
    with pytest.raises(errors.DeadlineExceeded) as caught:
        ask(handler_with(fake_engines(FakeTranscriber(before=waits_until_stopped))), timeout_s=0.05)
    assert caught.value.retryable


def test_diarization_past_the_deadline_keeps_the_transcript() -> None:
    reply = ask(handler_with(fake_engines(diarizer=FakeDiarizer(waits_until_stopped))), timeout_s=0.3)
    assert (reply["text"], reply["outcome"]) == (PHRASE, "degraded")
    # The summary comes after the deadline too, so it is not even begun.
    assert [(warning["stage"], warning["code"]) for warning in reply["warnings"]] == [
        ("diarize", "deadline_exceeded"),
        ("summarize", "deadline_exceeded"),
    ]


def test_a_diarizer_that_does_not_look_at_the_clock_does_not_hold_up_the_reply() -> None:
    answered = threading.Event()
    reply = ask(handler_with(fake_engines(diarizer=FakeDiarizer(lambda control: answered.wait(10)))), timeout_s=0.2)
    answered.set()
    assert (reply["text"], reply["warnings"][0]["code"]) == (PHRASE, "deadline_exceeded")


REFUSED: list[tuple[Any, str]] = [
    ("not a dict", "invalid_parameters"),
    ([], "invalid_parameters"),
    ({}, "missing_inputs"),
    ({"inputs": None}, "missing_inputs"),
    ({"inputs": 3}, "invalid_parameters"),
    ({"inputs": {"url": "x"}}, "invalid_parameters"),
    ({"inputs": WAV, "parameters": []}, "invalid_parameters"),
    ({"inputs": WAV, "num_speakers": 2}, "invalid_parameters"),
    ({"inputs": WAV, "parameters": {"num_speaker": 2}}, "invalid_parameters"),
    ({"inputs": WAV, "parameters": {"num_speakers": 0}}, "invalid_parameters"),
    ({"inputs": "%%%"}, "invalid_base64"),
    ({"inputs": ""}, "empty_audio"),
    ({"inputs": b""}, "empty_audio"),
    ({"inputs": b"plain words, no recording at all" * 20}, "not_audio"),
    ({"inputs": tone_wav(3.1)}, "audio_too_long"),
    ({"inputs": b"\0" * 100_001}, "audio_too_large"),
    ({"inputs": base64.b64encode(b"\0" * 100_001).decode()}, "audio_too_large"),
]


@pytest.mark.parametrize(("request_", "code"), REFUSED, ids=[f"{n}-{code}" for n, (_, code) in enumerate(REFUSED)])
def test_bad_requests_are_refused_by_a_typed_error(request_: Any, code: str) -> None:
    with pytest.raises(errors.RequestError) as caught:
        handler_with()(request_)
    envelope = json.loads(str(caught.value))
    assert (envelope["code"], envelope["retryable"]) == (code, False)
    assert envelope["request_id"]


def test_an_error_names_the_request_even_when_its_parameters_are_wrong() -> None:
    with pytest.raises(errors.InvalidParameters) as caught:
        ask(request_id="r-9", nonsense=1)
    assert json.loads(str(caught.value))["request_id"] == "r-9"


def test_a_recording_as_long_as_the_limit_is_taken() -> None:
    assert ask(inputs=tone_wav(3.0))["duration"] == 3.0


@pytest.mark.parametrize(
    "engines",
    [
        pytest.param(lambda: fake_engines(), id="ok"),
        pytest.param(lambda: fake_engines(FakeTranscriber(before=raises(RuntimeError(PHRASE)))), id="asr-fails"),
        pytest.param(lambda: fake_engines(diarizer=FakeDiarizer(raises(KeyError(PHRASE)))), id="diarization-fails"),
        pytest.param(lambda: fake_engines(summarizer=FakeSummarizer(raises(ValueError(PHRASE)))), id="summary-fails"),
    ],
)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {PHRASE: PHRASE},
        {"language": PHRASE},
        {"request_id": PHRASE},
        {"speaker_references": [reference(PHRASE)]},
        {"speaker_references": [reference(PHRASE), reference(PHRASE)]},
        {"speaker_references": [{"name": PHRASE, "audio": PHRASE}]},
        {"speaker_references": [{PHRASE: PHRASE}]},
        {"speaker_references": [reference(PHRASE, 1.9)], "diarize": False},
    ],
)
def test_nothing_that_was_said_or_sent_is_logged_or_shown_in_an_error(
    engines: Any, parameters: dict[str, Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[errors.RoundtableError] = []
    try:
        handler_with(engines())({"inputs": WAV, "parameters": parameters})
    except errors.RoundtableError as error:
        shown.append(error)
    assert not any(PHRASE in f"{error!s} {error!r}" for error in shown)
    assert not any(error.__cause__ or error.__context__ for error in shown)  # hosts log the whole chain
    assert caplog.records
    assert PHRASE not in caplog.text
    assert PHRASE not in "".join(capfd.readouterr())
    assert "UklGR" not in f"{caplog.text}{shown}"  # how a WAV file begins in base64


def test_every_request_leaves_one_line_with_its_id_and_outcome(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "roundtable")
    ask(request_id="a")
    with pytest.raises(errors.InvalidBase64):
        ask(inputs="%", request_id="b")
    lines = [json.loads(record.message) for record in caplog.records]
    assert [(line["event"], line["request_id"], line["outcome"]) for line in lines] == [
        ("request", "a", "ok"),
        ("request", "b", "invalid_base64"),
    ]
    assert lines[0]["audio_s"] == 2.0
    assert all(record.levelno == logging.INFO for record in caplog.records)


def test_an_unforeseen_failure_is_logged_with_its_place_but_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(errors.EngineFailed):
        ask(handler_with(fake_engines(FakeTranscriber(before=raises(KeyError(PHRASE))))))
    (line,) = [json.loads(record.message) for record in caplog.records if record.levelno == logging.ERROR]
    assert (line["event"], line["stage"], line["error"]) == ("stage_failed", "asr", "KeyError")
    assert line["frames"][-1].startswith("fakes.py:")


def test_requests_at_the_same_time_get_their_own_replies() -> None:
    handler = handler_with()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: ask(handler, request_id=f"r{n}"), range(24)))
    assert [reply["request_id"] for reply in replies] == [f"r{n}" for n in range(24)]
    same = [{key: value for key, value in reply.items() if key not in {"timings", "request_id"}} for reply in replies]
    assert all(reply == same[0] for reply in same)


def test_progress_is_told_stage_by_stage() -> None:
    told: list[tuple[str, float]] = []
    handler_with()({"inputs": WAV}, on_progress=lambda stage, fraction: told.append((stage, fraction)))
    assert told == [("asr", 1.0)]


def test_converse_gives_the_same_conversation_before_rendering() -> None:
    conversation = handler_with().converse({"inputs": WAV, "parameters": {"request_id": "x"}})
    assert (conversation.transcript.text, conversation.request_id, len(conversation.turns)) == (PHRASE, "x", 2)


@pytest.mark.parametrize("response_format", ["srt", "vtt", "tsv", "txt", "rttm", "verbose_json", "diarized_json"])
def test_every_format_comes_back(response_format: str) -> None:
    reply = ask(response_format=response_format)
    assert reply["outcome"] == "ok"
    expected = "SPEAKER_01" if response_format in {"txt", "rttm", "vtt", "srt", "tsv"} else PHRASE
    assert expected in reply["text"]


def test_a_process_without_asr_model_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASR_MODEL", raising=False)
    with pytest.raises(errors.InvalidSettings, match="ASR_MODEL: is not set"):
        EndpointHandler()


def test_an_engine_that_fails_its_warm_up_stops_the_process() -> None:
    broken = replace(fake_engines(), summarizer=FakeSummarizer(raises(KeyError("x"))))
    with pytest.raises(errors.EngineFailed, match="summarize stage failed while warming up"):
        broken.warm_up()


def test_the_constructor_knows_its_folder() -> None:
    assert EndpointHandler("/repository", settings=SETTINGS, engines=fake_engines()).path == "/repository"
