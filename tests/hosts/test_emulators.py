"""The emulators, held against the contract table row by row. The rows of hf-serve run against the real server as well."""

from __future__ import annotations

import base64
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.harness import (
    HERE,
    HF_SERVE,
    HF_SERVE_REAL,
    REAL_HF_SERVE,
    REAL_HOSTS_REQUIRED,
    TOOLKIT_2025,
    TOOLKIT_2025_ASR,
    TOOLKIT_2026,
    TOOLKIT_2026_ASR,
    Answer,
    Host,
    HostError,
    Request,
    Running,
    host_params,
    running,
)

Start = Callable[[Host], Running]
REFUSED = object()

TOOLKITS = pytest.mark.parametrize("host", host_params(TOOLKIT_2025, TOOLKIT_2026))
HF_SERVES = pytest.mark.parametrize("host", host_params(HF_SERVE, HF_SERVE_REAL))
ALL = pytest.mark.parametrize("host", host_params(TOOLKIT_2025, TOOLKIT_2026, HF_SERVE, HF_SERVE_REAL))

AUDIO = b"fLaC\xff\x00"
AUDIO_BASE64 = base64.b64encode(AUDIO).decode()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a host on the probe, each but once, and ends all of them."""
    probe = tmp_path_factory.mktemp("probe")
    shutil.copy2(HERE / "probe_handler.py", probe / "handler.py")
    started: dict[str, Running] = {}
    with ExitStack() as stack:

        def start_once(host: Host) -> Running:
            if host.name not in started:
                started[host.name] = stack.enter_context(running(host, probe, tmp_path_factory.mktemp("host") / "cwd", {}))
            return started[host.name]

        yield start_once


def ask(host: Running, inputs: Any, **fields: Any) -> Answer:
    (answer,) = host.send([Request({"inputs": inputs, **fields})])
    return answer


def send(host: Running, payload: Any, **how: Any) -> Answer:
    (answer,) = host.send([Request(payload, **how)])
    return answer


def test_the_real_hf_serve_is_built() -> None:
    if not REAL_HF_SERVE.exists() and not REAL_HOSTS_REQUIRED:
        pytest.skip("the real hf-serve is left out: `make test-hosts` builds it (Python 3.12, 5.5 GB)")
    assert REAL_HF_SERVE.exists()


# Loading


@TOOLKITS
def test_the_toolkit_loads_with_the_folder_on_the_path_and_calls_in_a_worker_thread(start: Start, host: Host) -> None:
    told = ask(start(host), "where").json()
    assert told.pop("path").endswith("probe0")
    assert told == {
        "name": "handler.EndpointHandler",
        "in_sys_modules": True,
        "on_sys_path": True,
        "on_event_loop": False,
        "main_thread": False,
    }


@HF_SERVES
def test_hf_serve_loads_a_module_that_nobody_can_import_and_calls_on_the_event_loop(start: Start, host: Host) -> None:
    told = ask(start(host), "where").json()
    assert told.pop("path").endswith("probe0")
    assert told == {
        "name": "handler",
        "in_sys_modules": False,
        "on_sys_path": False,
        "on_event_loop": True,
        "main_thread": True,
    }


SIBLING = """from config import NAME
class EndpointHandler:
    def __init__(self, path): pass
    def __call__(self, data): return NAME
"""
DATACLASS = """from __future__ import annotations
import dataclasses
@dataclasses.dataclass
class EndpointHandler:
    path: str
    def __call__(self, data): return "made"
"""
RELATIVE = SIBLING.replace("from config", "from .config")
BROKEN = """class EndpointHandler:
    def __init__(self, path): raise RuntimeError("no weights")
"""


def start_with(host: Host, source: str, tmp_path: Path) -> Answer:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "handler.py").write_text(source)
    (repository / "config.py").write_text("NAME = 'sibling'")
    with running(host, repository, tmp_path / "cwd", {}) as started:
        return ask(started, "x")


@TOOLKITS
@pytest.mark.parametrize(("source", "reply"), [(SIBLING, "sibling"), (DATACLASS, "made")], ids=["sibling", "dataclass"])
def test_the_toolkit_takes_siblings_and_dataclasses(host: Host, source: str, reply: str, tmp_path: Path) -> None:
    assert start_with(host, source, tmp_path).json() == reply


@HF_SERVES
@pytest.mark.parametrize(
    ("source", "error"),
    [(SIBLING, "No module named 'config'"), (DATACLASS, "'NoneType' object has no attribute '__dict__'")],
    ids=["sibling", "dataclass"],
)
def test_hf_serve_takes_neither(host: Host, source: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(HostError, match=error):
        start_with(host, source, tmp_path)


@ALL
@pytest.mark.parametrize(
    ("source", "error"),
    [(RELATIVE, "attempted relative import with no known parent"), (BROKEN, "no weights")],
    ids=["relative", "broken"],
)
def test_a_handler_that_cannot_be_made_keeps_every_host_from_starting(
    host: Host, source: str, error: str, tmp_path: Path
) -> None:
    with pytest.raises(HostError, match=error):
        start_with(host, source, tmp_path)


# What goes in


def content_types(status: int, *names: str) -> list[Any]:
    return [pytest.param(name, status, id=name) for name in names]


WAV_MPEG = ("audio/wav", "audio/x-wav", "audio/wave", "audio/mpeg", "audio/x-mpeg-3")
OTHERS = ("audio/flac", "audio/x-flac", "audio/ogg", "audio/webm", "audio/amr", "audio/m4a", "audio/x-m4a")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        *content_types(200, *WAV_MPEG, *OTHERS, "audio/webm;codecs=opus"),
        *content_types(400, "audio/mp3", "audio/mp4", "audio/aac", "audio/opus", "audio/vnd.wave", "video/mp4", "video/webm"),
        *content_types(400, "application/octet-stream", "multipart/form-data", "audio/wav; rate=16000"),
        *content_types(400, "audio/webm; codecs=opus", "audio/WAV", "text/plain", ""),
    ],
)
def test_raw_bodies_that_the_toolkit_of_2025_takes(start: Start, content_type: str, status: int) -> None:
    answer = send(start(TOOLKIT_2025), AUDIO, content_type=content_type)
    assert answer.status == status
    if status == 200:
        assert answer.json() == {"data": {"inputs": repr(AUDIO)}}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        *content_types(200, "audio/wav; rate=16000", "audio/webm; codecs=opus", "audio/WAV"),
        *content_types(400, "audio/mp3", "audio/mp4", "audio/aac", "audio/opus", "video/mp4", "application/octet-stream", ""),
    ],
)
def test_raw_bodies_that_the_toolkit_of_2026_takes(start: Start, content_type: str, status: int) -> None:
    assert send(start(TOOLKIT_2026), AUDIO, content_type=content_type).status == status


def test_the_toolkit_of_2026_takes_nameless_bytes_for_a_speech_task(start: Start) -> None:
    answer = send(start(TOOLKIT_2026_ASR), AUDIO, content_type="application/octet-stream")
    assert answer.json() == {"data": {"inputs": repr(AUDIO)}}


@pytest.mark.parametrize(
    ("host", "content_type", "status"),
    [
        (TOOLKIT_2025, "application/json; charset=UTF-8", 200),
        (TOOLKIT_2025, "application/json; charset=utf-8", 400),
        (TOOLKIT_2025, "Application/JSON", 400),
        (TOOLKIT_2026, "application/json; charset=utf-8", 200),
        (TOOLKIT_2026, "Application/JSON", 200),
    ],
)
def test_names_of_json(start: Start, host: Host, content_type: str, status: int) -> None:
    assert send(start(host), {"inputs": "tuple"}, content_type=content_type).status == status


@HF_SERVES
@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        *content_types(200, "Application/JSON; charset=utf-8", "application/x+json"),
        *content_types(422, "text/plain", "audio/wav"),
    ],
)
def test_json_that_hf_serve_takes(start: Start, host: Host, content_type: str, status: int) -> None:
    assert send(start(host), {"inputs": "tuple"}, content_type=content_type).status == status


@HF_SERVES
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (AUDIO, "audio/flac", 500),  # its refusal quotes the body, and fails at that
        (b"text", "audio/flac", 422),
        (b"", "application/json", 422),
        (b"{", "application/json", 422),
        (b"[1]", "application/json", 422),
        (b"\xff", "application/json", 400),
    ],
)
def test_hf_serve_refuses_what_is_not_a_json_object(
    start: Start, host: Host, body: bytes, content_type: str, status: int
) -> None:
    answer = send(start(host), body, content_type=content_type)
    assert answer.status == status
    if status == 500:
        assert (answer.media_type, answer.body) == ("text/plain", b"Internal Server Error")


@TOOLKITS
def test_the_toolkit_refuses_a_body_without_inputs_and_repeats_it_to_the_world(start: Start, host: Host) -> None:
    answer = send(start(host), {"audio": "private"})
    assert (answer.status, list(answer.json())) == (400, ["error"])
    assert "private" in answer.json()["error"]
    assert "private" in start(host).log()
    assert send(start(host), {"instances": []}).status == 200


@HF_SERVES
def test_hf_serve_passes_a_body_without_inputs_on_and_logs_every_body(start: Start, host: Host) -> None:
    assert send(start(host), {"audio": "private"}).json() == {"data": {"audio": "private", "inputs": "None"}}
    assert "Received request with: {'audio': 'private'}" in start(host).log()


QUERY = "number=7&float=0.2&negative=-1&yes=true&no=false&True=True&twice=1&twice=2&text=a%20b&nan=nan"
KEPT = {"True": "True", "yes": True, "no": False, "number": 7, "twice": 2, "text": "a b", "nan": "nan"}


@pytest.mark.parametrize(
    ("host", "numbers"), [(TOOLKIT_2025, {"float": "0.2", "negative": "-1"}), (TOOLKIT_2026, {"float": 0.2, "negative": -1})]
)
def test_a_query_becomes_parameters_unless_the_body_has_some(start: Start, host: Host, numbers: dict[str, Any]) -> None:
    sent = send(start(host), {"inputs": "x"}, query=QUERY).json()["data"]
    assert sent["parameters"] == KEPT | numbers
    assert {name: type(value) for name, value in sent["parameters"].items()} == {
        name: type(value) for name, value in (KEPT | numbers).items()
    }
    assert send(start(host), {"inputs": "x", "parameters": {"a": 1}}, query=QUERY).json()["data"]["parameters"] == {"a": 1}
    assert send(start(host), AUDIO, content_type="audio/flac", query="a=1").json()["data"]["parameters"] == {"a": 1}


def test_a_digit_that_is_no_number_is_an_error_in_2025(start: Start) -> None:
    answer = send(start(TOOLKIT_2025), {"inputs": "x"}, query="a=%C2%B2")
    assert answer.status == 400
    assert "invalid literal for int()" in answer.json()["error"]


@HF_SERVES
def test_hf_serve_ignores_a_query(start: Start, host: Host) -> None:
    assert send(start(host), {"inputs": "x"}, query="a=1").json() == {"data": {"inputs": "'x'"}}


@pytest.mark.parametrize("host", host_params(TOOLKIT_2025_ASR, TOOLKIT_2026_ASR))
def test_a_speech_task_hands_over_bytes(start: Start, host: Host) -> None:
    decoded = {"data": {"inputs": repr(AUDIO), "parameters": {}}}
    assert send(start(host), {"inputs": AUDIO_BASE64, "parameters": {}}).json() == decoded
    refused = send(start(host), {"inputs": f"data:audio/flac;base64,{AUDIO_BASE64}", "parameters": {}})
    assert (refused.status, refused.json()) == (400, {"error": "Only base64 data is allowed"})


def test_without_parameters_only_the_toolkit_of_2026_decodes(start: Start) -> None:
    body = {"inputs": AUDIO_BASE64}
    assert send(start(TOOLKIT_2025_ASR), body, query="a=1").json()["data"]["inputs"] == repr(AUDIO_BASE64)
    assert send(start(TOOLKIT_2026_ASR), body, query="a=1").json()["data"]["inputs"] == repr(AUDIO)


def test_a_speech_task_of_2025_refuses_an_object(start: Start) -> None:
    answer = send(start(TOOLKIT_2025_ASR), {"inputs": {"a": 1}, "parameters": {}})
    assert answer.status == 400
    assert "argument should be a bytes-like object" in answer.json()["error"]


# What comes out

SERIALISED: list[tuple[str, Any, Any]] = [
    # value, in the toolkit's reply, in hf-serve's
    ("float32", 1.5, REFUSED),
    ("float64", 1.5, 1.5),
    ("int64", 3, REFUSED),
    ("array", [0, 1, 2], REFUSED),
    ("array with gaps", REFUSED, REFUSED),
    ("array of strings", REFUSED, REFUSED),
    ("numpy string", "a", "a"),
    ("numpy string key", REFUSED, {"a": 1}),
    ("int key", REFUSED, {"1": 2}),
    ("nan", {"a": None, "b": None}, {"a": None, "b": None}),
    ("lone surrogate", REFUSED, REFUSED),
    ("set", REFUSED, [1]),
    ("bytes", REFUSED, "a"),
    ("bytes that are not text", REFUSED, REFUSED),
    ("tuple", [1, 2], [1, 2]),
    ("generator", REFUSED, [0, 1]),
    ("70 bit int", REFUSED, 2**69),
    ("datetime", "2026-01-02T00:00:00", "2026-01-02T00:00:00"),
    ("timedelta", REFUSED, "P1D"),
    ("decimal", REFUSED, "1.5"),
    ("uuid", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    ("object", REFUSED, REFUSED),
    ("response", REFUSED, REFUSED),
]


@TOOLKITS
@pytest.mark.parametrize(("value", "expected"), [(value, toolkit) for value, toolkit, _ in SERIALISED])
def test_what_the_toolkit_serialises(start: Start, host: Host, value: str, expected: Any) -> None:
    answer = ask(start(host), value)
    if expected is REFUSED:
        assert (answer.status, list(answer.json())) == (400, ["error"])
    else:
        assert (answer.status, answer.json()) == (200, expected)


@HF_SERVES
@pytest.mark.parametrize(("value", "expected"), [(value, hf_serve) for value, _, hf_serve in SERIALISED])
def test_what_hf_serve_serialises(start: Start, host: Host, value: str, expected: Any) -> None:
    answer = ask(start(host), value)
    if expected is REFUSED:
        assert (answer.status, answer.body) == (500, b"Internal Server Error")
    else:
        assert (answer.status, answer.json()) == (200, expected)


@TOOLKITS
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("int key", "Dict key must be str"),
        ("response", "Type is not JSON serializable: JSONResponse"),
        ("lone surrogate", "str is not valid UTF-8: surrogates not allowed"),
    ],
)
def test_the_toolkits_words_for_what_it_cannot_serialise(start: Start, host: Host, value: str, error: str) -> None:
    assert ask(start(host), value).json() == {"error": error}


@pytest.mark.parametrize(
    ("host", "status", "body"),
    [
        (TOOLKIT_2025, 200, b"null"),
        (TOOLKIT_2026, 204, b""),
        (HF_SERVE, 200, b"null"),
        pytest.param(HF_SERVE_REAL, 200, b"null", marks=pytest.mark.hosts),
    ],
)
def test_none(start: Start, host: Host, status: int, body: bytes) -> None:
    answer = ask(start(host), "none")
    assert (answer.status, answer.body) == (status, body)


LIST_OF_TYPES = "application/json, text/plain, */*"


@pytest.mark.parametrize(
    ("host", "accept", "status"),
    [
        (TOOLKIT_2025, "*/*", 200),
        (TOOLKIT_2025, LIST_OF_TYPES, 400),
        (TOOLKIT_2025, "audio/wav", 400),
        (TOOLKIT_2026, LIST_OF_TYPES, 200),
        (TOOLKIT_2026, "text/html", 400),
        (TOOLKIT_2026, "audio/wav", 400),
    ],
)
def test_accept_is_looked_at_after_the_work(start: Start, host: Host, accept: str, status: int) -> None:
    assert send(start(host), {"inputs": "tuple"}, accept=accept).status == status
    # Its own fault comes first: the handler has been called by then.
    assert send(start(host), {"inputs": "runtime error"}, accept=accept).json() == {"error": "broken"}


# What goes wrong

FAULTS: list[tuple[str, str, int]] = [
    # fault, text, status at hf-serve; the toolkit's is 400 whatever it is
    ("value error", "wrong value", 400),
    ("runtime error", "broken", 500),
    ("http exception", "413: too long", 500),
    ("caller's fault", '{"code":"mine"}', 400),
]


@TOOLKITS
@pytest.mark.parametrize(("fault", "text", "_"), FAULTS)
def test_every_exception_is_the_callers_fault_to_the_toolkit(start: Start, host: Host, fault: str, text: str, _: int) -> None:
    answer = ask(start(host), fault)
    assert (answer.status, answer.json()) == (400, {"error": text})


@HF_SERVES
@pytest.mark.parametrize(("fault", "text", "status"), FAULTS)
def test_hf_serve_tells_value_errors_from_the_rest(start: Start, host: Host, fault: str, text: str, status: int) -> None:
    answer = ask(start(host), fault)
    assert (answer.status, answer.json()) == (status, {"detail": text})


@TOOLKITS
def test_system_exit_leaves_the_toolkit_running(start: Start, host: Host) -> None:
    answer = ask(start(host), "system exit")
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert ask(start(host), "tuple").status == 200


# One at a time


@ALL
def test_calls_never_overlap(start: Start, host: Host) -> None:
    answers = start(host).send([Request({"inputs": "count"})] * 4)
    assert [answer.json() for answer in answers] == [1, 1, 1, 1]


def health_during_a_call(host: Running, tmp_path: Path) -> int | None:
    """The status of a health check while a call is running; None if it got no answer within a second."""
    until = tmp_path / "until"
    calling = threading.Thread(target=ask, args=(host, "wait"), kwargs={"until": str(until)})
    calling.start()
    try:
        while not until.with_suffix(".started").exists():
            time.sleep(0.02)
        (answer,) = host.send([Request(None, path="/health", method="GET", limit_s=1.0)])
        return answer.status
    except TimeoutError:
        return None
    finally:
        until.touch()
        calling.join()


@TOOLKITS
def test_the_toolkit_answers_health_checks_during_a_call(start: Start, host: Host, tmp_path: Path) -> None:
    assert health_during_a_call(start(host), tmp_path) == 200


@HF_SERVES
def test_hf_serve_does_not(start: Start, host: Host, tmp_path: Path) -> None:
    assert health_during_a_call(start(host), tmp_path) is None
    assert send(start(host), None, path="/health", method="GET").status == 200


@ALL
def test_predict_is_a_second_name_and_the_front_page_differs(start: Start, host: Host) -> None:
    assert send(start(host), {"inputs": "tuple"}, path="/predict").json() == [1, 2]
    front = send(start(host), None, path="/", method="GET")
    assert front.status == (405 if host.error_key == "detail" else 200)
