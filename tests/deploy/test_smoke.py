"""Each check of the smoke test fails by itself, for its own reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from deploy.calling import Answer
from deploy.errors import SmokeFailed
from deploy.smoke import SILENCE, demand, smoke, word_error_rate
from deploy.specification import Smoke
from deploy.state import State
from tests.deploy.harness import SAID

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RAW = {"name": "roundtable", "status": {"url": "http://127.0.0.1:1"}, "model": {"revision": COMMIT}}
EXPECTED = State(
    repository="me/roundtable",
    revision=COMMIT,
    access="private",
    vendor="aws",
    region="us-east-1",
    accelerator="gpu",
    instance_type="nvidia-t4",
    instance_size="x1",
    min_replicas=0,
    max_replicas=1,
    scale_to_zero_minutes=15,
    metric=None,
    threshold=None,
    image={"huggingface": {}},
    env={"ASR_MODEL": "a/whisper", "ASR_REVISION": COMMIT, "DIARIZATION_MODEL": "embedded", "SUMMARIZE_MODEL": "embedded"},
)
GOOD: dict[str, Any] = {
    "text": SAID,
    "chunks": [],
    "speakers": [{"speaker": "SPEAKER_00"}, {"speaker": "SPEAKER_01"}, {"speaker": None}],
    "summarize": [{"summary_text": "x"}],
    "models": {"asr": "a/whisper@0123456789ab"},
    "outcome": "ok",
}


class Scripted:
    """Answers at once: `reply` to a good request, our error to the bad one, 401 without a token, but for `answers`."""

    def __init__(self, reply: Mapping[str, Any], answers: Mapping[str, Answer] | None = None) -> None:
        self.reply = reply
        self.answers = answers or {}
        self.sent: list[tuple[bool, bool]] = []

    def send(
        self, url: str, recording: bytes, *, raw: bool, parameters: Mapping[str, Any], token: SecretStr | None, limit_s: float
    ) -> Answer:
        self.sent.append((raw, token is not None))
        if token is None:
            return self.answers.get("no token", Answer(401))
        if parameters.get("num_speakers") == 0:
            return self.answers.get("bad request", Answer(400, "invalid_parameters"))
        if recording == SILENCE.read_bytes():
            return self.answers.get("silence", Answer(200, reply={**self.reply, "text": ""}))
        return self.answers.get("raw" if raw else "base64", Answer(200, reply=self.reply))


def failed(caller: Scripted, expected: State = EXPECTED, raw: dict[str, Any] = RAW, took_s: float = 1.0) -> list[str]:
    ticks = iter(range(100))

    def clock() -> float:
        return next(ticks) * took_s

    checked = smoke(caller, raw, expected=expected, token=SecretStr("t"), bounds=Smoke(), clock=clock)
    return [f"{one.name} ({one.found})" for one in checked if not one.ok]


def test_a_good_endpoint_passes() -> None:
    caller = Scripted(GOOD)
    assert failed(caller) == []
    assert caller.sent == [(False, True), (True, True), (False, True), (False, False), (False, True)]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({**GOOD, "text": "Goodbye."}, "words (WER 1.00, at most 0.35)"),
        ({**GOOD, "speakers": [{"speaker": "SPEAKER_00"}]}, "speakers (1 of 2)"),
        ({**GOOD, "summarize": []}, "summary (0 part(s))"),
        ({**GOOD, "models": {"asr": "a/whisper@ba9876543210"}}, "models (asr is a/whisper@ba9876543210)"),
        ({**GOOD, "models": {"asr": "a/whisper"}}, "models (asr is a/whisper)"),
        ({**GOOD, "models": {"asr": "b/whisper@0123456789ab"}}, "models (asr is b/whisper@0123456789ab)"),
        ({**GOOD, "models": {}}, "models (asr is none)"),
        ({**GOOD, "outcome": "degraded"}, "outcome (degraded)"),
        ({key: value for key, value in GOOD.items() if key != "chunks"}, "keys (missing: chunks)"),
        ({**GOOD, "text": 7}, "keys (of another kind: text)"),
        ({**GOOD, "chunks": {}}, "keys (of another kind: chunks)"),
        ({**GOOD, "speakers": None}, "keys (of another kind: speakers)"),
        ({**GOOD, "speakers": ["A", "B"]}, "keys (of another kind: speakers)"),
        ({**GOOD, "speakers": [{"speaker": {}}]}, "speakers (1 of 2)"),
        ({**GOOD, "summarize": None}, "keys (of another kind: summarize)"),
        ({**GOOD, "models": ["asr"]}, "keys (of another kind: models)"),
    ],
)
def test_a_reply_that_is_wrong_in_one_way(reply: Mapping[str, Any], reason: str) -> None:
    assert failed(Scripted(reply)) == [f"base64 JSON: {reason}", f"raw audio: {reason}"]


@pytest.mark.parametrize(
    ("way", "answer", "reason"),
    [
        ("raw", Answer(400), "raw audio: answered (status 400)"),
        ("base64", Answer(500, "engine_failed"), "base64 JSON: answered (status 500, engine_failed)"),
        ("base64", Answer(200), "base64 JSON: answered (status 200, nothing that the client can read)"),
        ("base64", Answer(None), "base64 JSON: answered (status None)"),
        ("silence", Answer(200, reply={**GOOD, "text": "Thank you for watching."}), "silence: no words (4 word(s))"),
        ("silence", Answer(200, reply={}), "silence: no words (no text in the reply)"),
        ("silence", Answer(400, "invalid_audio"), "silence: no words (status 400, invalid_audio)"),
        ("no token", Answer(200, reply=GOOD), "no token is refused (status 200)"),
        ("bad request", Answer(400), "a bad request gets our error (status 400)"),
        ("bad request", Answer(500, "invalid_parameters"), "a bad request gets our error (status 500, invalid_parameters)"),
    ],
)
def test_an_answer_that_is_wrong(way: str, answer: Answer, reason: str) -> None:
    assert failed(Scripted(GOOD, {way: answer})) == [reason]


def test_a_release_that_is_not_the_one_that_was_published() -> None:
    named = {**GOOD, "models": {**GOOD["models"], "handler": "release-0123456789ab"}}

    def wrong(reply: Mapping[str, Any], release: str) -> list[str]:
        checked = smoke(
            Scripted(reply), RAW, expected=EXPECTED, token=SecretStr("t"), bounds=Smoke(), release=release, clock=lambda: 0.0
        )
        return [f"{one.name} ({one.found})" for one in checked if not one.ok]

    assert wrong(named, "release-0123456789ab") == []
    assert wrong(named, "release-ba9876543210") == [
        f"{way}: release (release-0123456789ab)" for way in ("base64 JSON", "raw audio")
    ]
    assert wrong(GOOD, "release-0123456789ab") == [f"{way}: release (none)" for way in ("base64 JSON", "raw audio")]


def test_the_bounds_of_latency() -> None:
    assert failed(Scripted(GOOD), took_s=60.0) == []
    assert failed(Scripted(GOOD), took_s=61.0) == [
        "base64 JSON: latency (61.0 s, at most 60)",
        "raw audio: latency (61.0 s, at most 60)",
    ]


def test_another_revision_than_the_one_that_is_meant() -> None:
    assert failed(Scripted(GOOD), raw={**RAW, "model": {"revision": "f" * 40}}) == ["revision served (ffffffffffff)"]


def test_hf_serve_is_sent_no_raw_audio() -> None:
    values = {**EXPECTED.as_dict(), "image": {"hfServe": {"url": "x"}}}
    caller = Scripted(GOOD)
    assert failed(caller, State.stored(values)) == []
    assert [raw for raw, _ in caller.sent] == [False, False, False, False]


def test_what_failed_is_named_in_the_error() -> None:
    checked = smoke(Scripted({**GOOD, "outcome": "degraded"}), RAW, expected=EXPECTED, token=SecretStr("t"), bounds=Smoke())
    with pytest.raises(SmokeFailed) as caught:
        demand(checked, "roundtable")
    assert caught.value.reason == (
        "roundtable runs, and is not good: base64 JSON: outcome (degraded); raw audio: outcome (degraded)"
    )


_WORDS = st.lists(st.sampled_from(["red", "light", "door", "paper", "box"]), max_size=8)


@given(_WORDS, _WORDS.filter(bool))
def test_the_word_error_rate_is_jiwers(heard: list[str], said: list[str]) -> None:
    assert word_error_rate(" ".join(heard), " ".join(said)) == pytest.approx(jiwer.wer(" ".join(said), " ".join(heard)))
