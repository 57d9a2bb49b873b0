"""The client's parts that need no network: waits, addresses, recordings, parameters, and errors in every host's shape."""

from __future__ import annotations

import ast
import base64
import io
import itertools
import json
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import InvalidCallError, Parameters, Retry, Timeouts, errors
from client.address import Address, host_of
from client.masking import Mask
from client.parameters import Outgoing, merged, outgoing
from client.recording import ANY_AUDIO, media_type, read_recording
from client.refusals import CODES, refusal
from client.retry import retry_after_s
from client.rules import Answer, Broken, Done, Outcome, Rules, Send, Wait
from client.wire import broken as broken_by
from client.wire import client_options
from config import InferenceConfig
from roundtable import errors as server_errors
from tests.fakes import tone_wav
from tests.hosts.toolkit import AUDIO_TYPES
from tests.test_errors import ALL as SERVER_ERRORS

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ENDPOINT = Address.parse("https://endpoint.test/")


def test_the_client_needs_httpx2_and_nothing_else() -> None:
    imported = set()
    for path in (ROOT / "client").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).split(".")[0])
    assert imported - sys.stdlib_module_names == {"client", "httpx2"}


# --- Waits -----------------------------------------------------------------------------------------------------------

waits = st.builds(
    lambda first, more, attempts, in_a_row, total: Retry(attempts, in_a_row, total, first, first + more),
    st.floats(0, 100),
    st.floats(0, 100),
    st.integers(1, 30),
    st.integers(1, 30),
    st.floats(0, 1000),
)
chances = st.floats(0, 1, exclude_max=True)


@given(waits, st.integers(1, 10**6), chances)
def test_no_wait_is_longer_than_the_longest_or_shorter_than_half_the_first(retry: Retry, attempt: int, chance: float) -> None:
    assert retry.first_wait_s / 2 <= retry.wait_s(attempt, chance) <= retry.longest_wait_s


@given(waits, st.integers(1, 100), chances)
def test_waits_never_get_shorter(retry: Retry, attempt: int, chance: float) -> None:
    assert retry.wait_s(attempt, chance) <= retry.wait_s(attempt + 1, chance)


def test_waits_double_up_to_the_longest() -> None:
    assert [Retry().wait_s(attempt, 0.0) for attempt in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 7.5, 7.5]
    assert Retry().wait_s(2, 0.5) == 1.5


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("Sat, 21 Nov 2026 12:00:05 -0000", 5.0),
        *[(nonsense, None) for nonsense in (None, "", "-3", "1.5", "nan", "soon", "²", "1e9")],
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@given(st.text())
def test_retry_after_never_raises_and_is_never_negative(value: str) -> None:
    assert (retry_after_s(value, NOW) or 0.0) >= 0.0


broken = st.builds(Broken, st.just(errors.ConnectionFailedError("gone")), st.just(True))
refused = st.builds(Answer, st.sampled_from([503, 429]), st.just(b""), st.none(), st.sampled_from([None, "0", "7", "5000"]))
final = st.builds(Answer, st.sampled_from([200, 400, 401, 403, 413, 422, 500]), st.just(b"{}"))


def played(retry: Retry, outcomes: list[Answer | Broken], chance: float) -> tuple[list[float], int, Exception | None]:
    """Every wait, the number of requests, and how it ended. Each request takes a second; the last outcome repeats."""
    clock = [0.0]
    rules = Rules(ENDPOINT, retry, clock=lambda: clock[0], now=lambda: NOW, chance=lambda: chance)
    steps = rules.steps(Outgoing(b"", "application/json"))
    coming = itertools.chain(outcomes, itertools.repeat(outcomes[-1]))
    outcome: Outcome = None
    waited: list[float] = []
    sent, failed = 0, None
    try:
        while not isinstance(step := steps.send(outcome), Done):
            if isinstance(step, Wait):
                waited.append(step.seconds)
                clock[0] += step.seconds
                outcome = None
            else:
                assert clock[0] <= retry.total_s or sent == 0
                clock[0] += 1.0
                sent += 1
                outcome = next(coming)
    except errors.ClientError as error:
        attempts, failed = error.attempts, error
    else:
        attempts = step.attempts
    assert attempts == sent
    return waited, sent, failed


@given(waits, st.lists(st.one_of(broken, refused, final), min_size=1, max_size=12), chances)
def test_every_call_ends_within_its_caps(retry: Retry, outcomes: list[Answer | Broken], chance: float) -> None:
    waited, sent, error = played(retry, outcomes, chance)
    assert sent <= retry.attempts
    assert sum(waited) <= retry.total_s
    assert len(waited) == sent - 1
    met = [outcomes[min(n, len(outcomes) - 1)] for n in range(sent)]
    for wait, outcome in zip(waited, met, strict=False):
        asked = outcome.retry_after if isinstance(outcome, Answer) else None
        assert wait >= float(asked or 0)
        assert asked is not None or wait <= retry.longest_wait_s
    assert all(isinstance(outcome, Broken) or outcome.status in (503, 429) for outcome in met[:-1])
    assert (error is None) == (isinstance(met[-1], Answer) and met[-1].status == 200)
    in_a_row = [len(list(run)) for failed, run in itertools.groupby(met, lambda o: isinstance(o, Broken)) if failed]
    assert max(in_a_row, default=0) <= retry.connection_attempts


def test_one_attempt_is_one_attempt() -> None:
    waited, sent, error = played(Retry(attempts=1), [Answer(503, b"")], 0.5)
    assert (waited, sent, type(error)) == ([], 1, errors.CapacityError)


# --- Addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "endpoint.test",
            "ftp://endpoint.test",
            "https://",
            "https:///path",
            "https://endpoint.test:port",
            "file:///etc/passwd",
        ),
        *("https://user:password@endpoint.test", "https://endpoint.test/?key=1", "https://endpoint.test/#part"),
        *("https://endpoint.test/a b", "https://endpoint.test\\@other.test", "https://[::1", "https://endpoint.test/\x00", 7),
        *("https://endpoint.tést", "https://endpoint..%41", "https://" + "a" * 5000),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_unseen(url: Any) -> None:
    with pytest.raises(InvalidCallError) as caught:
        Address.parse(url)
    assert str(caught.value).startswith("url: must ")
    assert "password" not in str(caught.value).replace("no user, password", "")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://endpoint.test", True),
        ("http://endpoint.test", False),
        ("http://127.0.0.1:8000/", True),
        ("http://[::1]/", True),
        ("http://localhost/", True),
        ("http://127.0.0.1.endpoint.test", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
    ],
)
def test_what_nobody_else_can_read(url: str, private: bool) -> None:
    assert Address.parse(url).is_private_line is private


@pytest.mark.parametrize(
    ("start", "location", "to"),
    [
        ("https://a.test/x", "/y", "https://a.test/y"),
        ("https://a.test/x", "https://A.test:443/y", "https://A.test:443/y"),
        ("http://a.test/", "https://a.test/", "https://a.test/"),
        ("https://a.test/", "http://a.test/", None),
        ("http://a.test:8000/", "https://a.test/", None),
        ("https://a.test/", "https://b.test/", None),
        ("https://a.test/", "//b.test/", None),
        ("https://a.test/", "https://a.test@b.test/", None),
        ("https://a.test/", "https://u:p@a.test/", None),
        ("https://a.test/", "https://a.test.b.test/", None),
        ("https://a.test/", "https://a.test\\@b.test/", None),
        ("https://a.test/", "https://a.test:8443/", None),
        ("https://a.test/", "ftp://a.test/", None),
        ("https://a.test/", "https://[", None),
    ],
)
def test_where_a_redirect_may_lead(start: str, location: str, to: str | None) -> None:
    there = Address.parse(start).redirected(location)
    assert (there.url if there else None) == to


pieces = st.sampled_from(
    ["https:", "http:", "//", "/", "endpoint.test", "other.test", "@", ":443", ":", "\\", "?", "#", ".", "[", "]", "%2f"]
)
places = st.one_of(st.text(), st.lists(st.one_of(pieces, st.text(max_size=2)), max_size=6).map("".join))


@given(places)
def test_no_redirect_leaves_the_host(location: str) -> None:
    there = ENDPOINT.redirected(location)
    if there is not None:
        assert (there.scheme, there.host, there.port) == ("https", "endpoint.test", 443)
        assert httpx2.URL(there.url).host == "endpoint.test"  # as it is read by what sends
    assert host_of(location).isprintable()


# --- Recordings ------------------------------------------------------------------------------------------------------

CONTENTS = {
    "audio/wav": [b"RIFF\x24\0\0\0WAVEfmt ", b"RF64\xff\xff\xff\xffWAVE"],
    "audio/flac": [b"fLaC\0\0\0\x22"],
    "audio/ogg": [b"OggS\0\x02"],
    "audio/webm": [b"\x1aE\xdf\xa3\x9f"],
    "audio/m4a": [b"\0\0\0\x20ftypM4A ", b"\0\0\0\x18ftypisom"],
    "audio/amr": [b"#!AMR\n", b"#!AMR-WB\n"],
    "audio/mpeg": [b"ID3\x04", b"\xff\xfb\x90\x64", b"\xff\xf3\x40"],
    ANY_AUDIO: [b"", b"\xff", b"\xff\xf1\x50\x80", b"FORM\0\0\0\0AIFF", b"RIFF\0\0\0\0AVI LIST"],
}


@pytest.mark.parametrize(("kind", "start"), [(kind, start) for kind, starts in CONTENTS.items() for start in starts])
def test_the_media_type_is_in_the_bytes_whatever_the_name(kind: str, start: bytes) -> None:
    assert media_type(start) == kind
    assert media_type(start, "recording.flac") == ("audio/flac" if kind == ANY_AUDIO else kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.WAV", "audio/wav"),
        ("b/c.mp3", "audio/mpeg"),
        ("d.opus", "audio/ogg"),
        ("e.mp4", "audio/m4a"),
        ("f.mkv", "audio/webm"),
        ("g.aac", ANY_AUDIO),
        ("mp3", ANY_AUDIO),
        ("", ANY_AUDIO),
    ],
)
def test_the_name_decides_where_the_bytes_say_nothing(name: str, kind: str) -> None:
    assert media_type(b"nothing that is known", name) == kind


def test_every_media_type_is_on_the_list_of_the_strictest_host() -> None:
    assert set(CONTENTS) <= AUDIO_TYPES


def test_a_recording_comes_from_a_path_from_bytes_or_from_an_open_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"12345")
    expected = (b"12345", "audio/mpeg")
    assert [read_recording(path), read_recording(str(path))] == [expected, expected]
    with path.open("rb") as file:
        assert read_recording(file) == expected
    for in_memory in (b"12345", bytearray(b"12345"), memoryview(b"12345"), io.BytesIO(b"12345")):
        assert read_recording(in_memory, 5) == (b"12345", ANY_AUDIO)
        if isinstance(in_memory, io.BytesIO):
            in_memory.seek(0)
        with pytest.raises(errors.OversizedRecordingError, match="max_recording_bytes, 4"):
            read_recording(in_memory, 4)


@pytest.mark.parametrize("recording", [None, 7, ["a.wav"], io.StringIO("text")])
def test_anything_else_is_no_recording(recording: Any) -> None:
    with pytest.raises(InvalidCallError, match=r"^recording: "):
        read_recording(recording)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(errors.UnreadableRecordingError) as caught:
        read_recording("secret\0name")
    assert (str(caught.value), caught.value.__context__) == ("The recording cannot be read: that is no file's name.", None)


# --- Parameters ------------------------------------------------------------------------------------------------------


def test_the_typed_parameters_are_those_of_the_handler() -> None:
    assert list(Parameters.__annotations__) == list(InferenceConfig.model_fields)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(st.binary(max_size=100), st.dictionaries(st.text(), json_values, max_size=5))
def test_a_request_holds_the_recording_and_the_parameters_as_they_were(audio: bytes, parameters: dict[str, Any]) -> None:
    made = outgoing(audio, "audio/wav", parameters, "base64")
    body = json.loads(made.body)
    assert (made.content_type, made.query, list(body)) == ("application/json", "", ["inputs", "parameters"])
    assert base64.b64decode(body["inputs"], validate=True) == audio
    assert body["parameters"] == parameters


@pytest.mark.parametrize(
    "parameters",
    [
        {"num_speakers": 2, "diarize": True, "summarize": False, "temperature": 0.2, "language": "en", "request_id": "a.b-1"},
        {"response_format": "srt", "timeout_s": 12.5, "speaker_embeddings": True},
    ],
)
def test_a_query_string_says_the_same_to_the_handler(parameters: dict[str, Any]) -> None:
    made = outgoing(b"RIFF", "audio/wav", parameters, "raw")
    as_texts = dict(pair.split("=", 1) for pair in made.query.split("&"))
    assert InferenceConfig.parse(as_texts) == InferenceConfig.parse(parameters)
    assert (made.body, made.content_type) == (b"RIFF", "audio/wav")


def test_a_voice_may_be_given_as_bytes() -> None:
    wav = tone_wav(0.1)
    body = json.loads(outgoing(b"", "", {"speaker_references": [{"name": "Ada", "audio": wav}]}, "base64").body)
    assert body["parameters"] == {"speaker_references": [{"name": "Ada", "audio": base64.b64encode(wav).decode()}]}


REFUSED_CALLS: dict[str, Callable[[], object]] = {
    "num_speakers: named in the mapping and as an argument.": lambda: merged({"num_speakers": 2}, {"num_speakers": 3}),
    "parameters: names must be text.": lambda: merged({2: "secret"}, {}),  # type: ignore[dict-item]  # what is refused
    "parameters: must be a mapping of names to values.": lambda: merged([("a", 1)], {}),  # type: ignore[arg-type]
    "send_as: must be 'base64' or 'raw'.": lambda: outgoing(b"", "", {}, "json"),  # type: ignore[arg-type]
    "prompt, hotwords: would end up in access logs; send the recording as base64.": lambda: outgoing(
        b"", "", {"hotwords": ["secret"], "prompt": "secret", "language": "en"}, "raw"
    ),
    "parameters: do not fit into a query string; send the recording as base64.": lambda: outgoing(
        b"", "", {"language": "secret" * 1000}, "raw"
    ),
}


@pytest.mark.parametrize("message", REFUSED_CALLS)
def test_a_call_that_cannot_be_made_is_refused_without_its_values(message: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        REFUSED_CALLS[message]()
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"\xff".decode("latin-1").__iter__()])
@pytest.mark.parametrize("send_as", ["base64", "raw"])
def test_a_value_that_is_no_json_is_refused(value: Any, send_as: Any) -> None:
    with pytest.raises(InvalidCallError, match=r"^parameters: must be text, finite numbers") as caught:
        outgoing(b"", "", {"temperature": value}, send_as)
    assert caught.value.__context__ is None


def test_text_that_no_query_can_carry_is_refused() -> None:
    with pytest.raises(InvalidCallError, match="do not fit into a query string") as caught:
        outgoing(b"", "", {"language": "\ud800"}, "raw")
    assert caught.value.__context__ is None


def test_none_is_the_same_as_left_out() -> None:
    assert merged({"a": None, "b": 0}, {"c": None, "d": False}) == {"b": 0, "d": False}


# --- Errors ----------------------------------------------------------------------------------------------------------


def shapes(error: server_errors.RoundtableError) -> dict[str, str]:
    """One error of the handler, as every host passes it on."""
    return {
        "toolkit": json.dumps({"error": str(error)}),
        "hf-serve": json.dumps({"detail": str(error)}),
        "starlette, detail as an object": json.dumps({"detail": error.as_dict()}),
        "error as an object": json.dumps({"error": error.as_dict()}),
        "bare": str(error),
        "bare, with a status before it": json.dumps({"detail": f"{error.status}: {error}"}),
    }


@pytest.mark.parametrize("kind", SERVER_ERRORS)
def test_every_error_of_the_handler_is_understood_in_every_hosts_shape(kind: type[server_errors.RoundtableError]) -> None:
    error = kind("What is wrong.", request_id="r-1")
    for host, body in shapes(error).items():
        for status in {400, 500, kind.status}:
            met = refusal(status, body.encode())
            facts = (met.message, met.code, met.retryable, met.request_id, met.status)
            assert facts == ("What is wrong.", kind.code, kind.retryable, "r-1", status), host
            assert type(met) is CODES[kind.code]


def test_the_codes_are_the_handlers() -> None:
    every: list[type[server_errors.RoundtableError]] = [server_errors.RoundtableError, *SERVER_ERRORS]
    assert set(CODES) == {kind.code for kind in every}
    groups: dict[type[server_errors.RoundtableError], set[type[errors.RefusedError]]] = {
        server_errors.RequestError: {errors.InvalidRequestError, errors.TooLargeError},
        server_errors.CapacityError: {errors.CapacityError},
        server_errors.EngineError: {errors.ServerError},
    }
    for group, kinds in groups.items():
        assert {CODES[kind.code] for kind in SERVER_ERRORS if issubclass(kind, group)} == kinds


def test_a_code_of_the_future_goes_by_its_status_and_keeps_its_message() -> None:
    body = {"code": "too_quiet", "message": "Too\n quiet. " + "x" * 600, "retryable": False, "request_id": "not an id\n"}
    met = refusal(413, json.dumps(body).encode())
    assert (type(met), met.code, met.request_id) == (errors.TooLargeError, "too_quiet", "")
    assert (met.message[:12], len(met.message)) == ("Too quiet. x", 500)


FOREIGN = {
    # what a host says by itself: status, body, class, message
    "toolkit, type": (
        *(400, '{"error":"Content type \\"audio/mp4\\" not supported."}', errors.InvalidRequestError),
        "The host does not take this kind of recording as it is; send it as base64.",
    ),
    "hf-serve, body quoted": (
        *(422, '{"detail":[{"loc":["body"],"input":"SECRET"}],"body":"SECRET"}', errors.InvalidRequestError),
        "The host does not take a request of this shape; raw audio is not taken everywhere.",
    ),
    "hf-serve, plain": (500, "Internal Server Error SECRET", errors.ServerError, "The endpoint failed."),
    "OpenAI": (
        *(401, '{"error":{"message":"Incorrect key SECRET","code":"bad","param":null}}', errors.AccessError),
        "The endpoint wants a token, or does not accept this one.",
    ),
    "proxy": (502, "<html><h1>Bad Gateway SECRET</h1>", errors.CapacityError, "A proxy got no answer from the endpoint."),
    "paused": (
        *(400, '{"error":"Bad Request: Invalid state"}', errors.PausedError),
        "The endpoint is paused, or failed: it has to be resumed by its owner.",
    ),
    "deep": (500, '{"error":' * 5000, errors.ServerError, "The endpoint failed."),
    "odd envelope": (
        *(400, '{"code":"SECRET CODE","message":"SECRET","retryable":1,"request_id":"r"}', errors.InvalidRequestError),
        "The endpoint does not take this request.",
    ),
    "nothing": (418, "", errors.InvalidRequestError, "The endpoint does not take this request."),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_others_say_is_kept_and_not_shown(case: str) -> None:
    status, body, kind, message = FOREIGN[case]
    met = refusal(status, body.encode())
    assert (type(met), str(met)) == (kind, f"{message} ({status})")
    assert (met.server_text, met.code, "SECRET" in repr(met)) == (body[:2000], "", False)


@given(st.integers(300, 599), st.one_of(st.binary(), json_values.map(lambda value: json.dumps(value).encode())))
def test_any_answer_is_some_error(status: int, body: bytes) -> None:
    met = refusal(status, body)
    assert met.status == status
    assert met.message


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {line.split("── ")[1].split()[0] for line in (errors.__doc__ or "").splitlines() if "── " in line}
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and value is not errors.ClientError}
    assert drawn == {name for name in defined if name.endswith("Error")}


def test_a_send_shows_nothing_of_what_it_sends() -> None:
    send = Send("https://endpoint.test", outgoing(b"SECRET", "audio/wav", {"prompt": "SECRET"}, "base64"))
    assert "SECRET" not in repr(send) + repr(send.outgoing) + repr(Answer(200, b"SECRET"))


def test_time_to_wake_up_is_added_to_the_time_to_answer() -> None:
    timeouts = Timeouts(connect_s=1.0, answer_s=2.0)
    held, not_held = (client_options(None, timeouts, scale_up_timeout_s)["timeout"] for scale_up_timeout_s in (600, None))
    assert held == httpx2.Timeout(connect=1.0, read=602.0, write=60.0, pool=None)
    assert not_held == httpx2.Timeout(connect=1.0, read=2.0, write=60.0, pool=None)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "message", "again"),
    [
        (httpx2.ConnectTimeout("slow"), "No connection within 10 s.", True),
        (httpx2.ReadTimeout("slow"), "The endpoint was silent for too long; it may still be at work on this.", False),
        (
            caused(httpx2.ConnectError("secret.test"), socket.gaierror(-2, "Name or service not known")),
            *("The endpoint cannot be reached: its name is not known here.", True),
        ),
        (httpx2.ConnectError("secret.test"), "The endpoint cannot be reached: no connection.", True),
        (httpx2.WriteError("secret"), "The connection broke before the answer was complete.", True),
        (httpx2.ProxyError("secret"), "The proxy of the environment refused.", False),
        (httpx2.InvalidURL("secret"), "The address cannot be used.", False),
    ],
)
def test_what_a_failure_of_the_network_is_called(error: Any, message: str, again: bool) -> None:
    outcome = broken_by(error, Timeouts())
    assert (str(outcome.error), outcome.again, outcome.error.retryable) == (
        message,
        again,
        again or isinstance(error, httpx2.ReadTimeout),
    )


# --- The token, given back -------------------------------------------------------------------------------------------

_TOKEN = "hf_Client.Token-Client/Token+3"  # noqa: S105  # nobody's


def _enveloped(**values: object) -> bytes:
    whole = {"code": "engine_failed", "message": "It failed.", "retryable": False, "request_id": "r-1", **values}
    return json.dumps({"error": json.dumps(whole)}).encode()


@pytest.mark.parametrize(
    "spelt",
    [
        _TOKEN,
        _TOKEN.lower(),
        _TOKEN.upper(),
        quote(_TOKEN, safe=""),
        quote_plus(_TOKEN).replace("%2F", "%2f"),
        _TOKEN.encode().hex(),
        "".join(f"\\u{ord(letter):04x}" for letter in _TOKEN),
        json.dumps(_TOKEN).strip('"').replace("/", "\\/"),
        base64.b64encode(_TOKEN.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(_TOKEN.encode()).decode().rstrip("="),
    ],
)
def test_the_token_was_shown_in_an_errors_message(spelt: str) -> None:
    error = refusal(500, _enveloped(message=f"bad <{spelt}>"), Mask(_TOKEN))
    assert str(error) == "bad <***> (500, engine_failed, request r-1)"
    assert spelt not in error.server_text


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_the_token_was_shown_in_base64_of_more_than_it(before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + _TOKEN.encode() + after).decode()
    shown = Mask(_TOKEN)(encoded)
    assert "***" in shown
    assert len(shown.replace("***", "")) <= (len(before) + len(after)) * 8 / 6 + 6  # theirs, what is shared, and padding


def test_the_token_was_shown_as_a_request_id_or_a_code() -> None:
    plain = "hf_clienttokenclienttoken0003"
    for spelt in (plain, plain.upper(), base64.b64encode(plain.encode()).decode().rstrip("=")):
        error = refusal(500, _enveloped(request_id=spelt), Mask(plain))
        assert (error.code, error.request_id, str(error)) == ("engine_failed", "", "It failed. (500, engine_failed)")
    error = refusal(500, _enveloped(code=plain), Mask(plain))
    assert (error.code, error.request_id, str(error)) == ("", "", "The endpoint failed. (500)")
    assert plain not in error.server_text


def test_the_mask_shows_itself_nowhere() -> None:
    assert repr(Mask(_TOKEN)) == "Mask(***)"
