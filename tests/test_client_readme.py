"""What README says about calling an endpoint is run here, and so is the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from client import Client
from client.__main__ import main
from tests.scripted_server import Received, Says, ScriptedServer

ROOT = Path(__file__).resolve().parent.parent
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Calling it\n")[1].split("\n## ")[0]
TOKEN = "hf_made-up"  # noqa: S105

TURN = {"id": 0, "speaker": "SPEAKER_00", "timestamp": [0.5, 1.25], "text": "Good morning.", "words": []}
REPLY = {"text": "Good morning.", "speakers": [TURN], "summarize": [{"summary_text": "A greeting."}]}
SAYS = Says(200, json.dumps(REPLY).encode())


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def sent_by_the_client(**how: object) -> Received:
    with ScriptedServer(SAYS) as server, Client(server.url) as endpoint:
        endpoint.transcribe("samples/call.flac", {"num_speakers": 2}, **how)  # type: ignore[arg-type]  # one of two ways
    return server.requests[0]


def test_the_python_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    with ScriptedServer(SAYS) as server:
        monkeypatch.setenv("ENDPOINT_URL", server.url)
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102  # our own README
    assert capsys.readouterr().out == "0.5 SPEAKER_00 Good morning.\nA greeting.\n"
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_sends_what_the_client_sends() -> None:
    (console,) = re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL)
    commands = [command.removeprefix("$ ") for command in re.split(r"\n(?=\$ )", console)]
    with ScriptedServer(SAYS, SAYS) as server:
        for command in commands:
            environment = {"PATH": os.environ["PATH"], "ENDPOINT_URL": server.url, "HF_TOKEN": TOKEN}
            done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, timeout=60, check=True)
            assert json.loads(done.stdout) == REPLY
    base64, raw = server.requests
    ours = sent_by_the_client()
    assert json.loads(base64.body) == json.loads(ours.body)
    ours_raw = sent_by_the_client(send_as="raw")
    assert (raw.body, raw.path) == (ours_raw.body, ours_raw.path)
    for theirs, mine in ((base64, ours), (raw, ours_raw)):
        assert [theirs.headers[name] for name in ("content-type", "authorization")] == [
            mine.headers[name] for name in ("content-type", "authorization")
        ]


def test_the_command_prints_what_was_said_and_goes_on_after_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(SAYS) as server:
        code = main([server.url, "no/such.wav", "samples/call.flac", "-p", "num_speakers=2"])
    written = capsys.readouterr()
    assert (code, written.out) == (1, "Good morning.\n")
    assert written.err == "recording 1: The recording cannot be read: No such file or directory.\n"
    assert json.loads(server.requests[0].body)["parameters"] == {"num_speakers": "2", "response_format": "txt"}


@pytest.mark.parametrize(
    ("options", "sent", "printed"),
    [
        (["-p", "response_format=verbose_json"], "verbose_json", json.dumps(REPLY, indent=1)),
        (["-p", "response_format=json", "--format", "txt"], "txt", "Good morning."),
    ],
)
def test_a_format_given_as_a_parameter_used_to_be_replaced_by_txt(
    options: list[str], sent: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedServer(SAYS) as server:
        assert main([server.url, "samples/call.flac", *options]) == 0
    assert capsys.readouterr().out == printed + "\n"
    assert json.loads(server.requests[0].body)["parameters"] == {"response_format": sent}


def test_the_command_prints_json_whole_and_says_that_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(Says(503), SAYS) as server:
        code = main([server.url, "samples/call.flac", "--format", "json", "--raw"])
    written = capsys.readouterr()
    assert (code, json.loads(written.out)) == (0, REPLY)
    assert re.fullmatch(r"waking up: \d+ s, next in [01] s\n", written.err)
    assert server.requests[0].headers["content-type"] == "audio/flac"


@pytest.mark.parametrize(
    "arguments", [["no URL", "a.wav"], ["http://endpoint.test", "a.wav"], ["https://e.test", "a.wav", "-p", "x"]]
)
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert TOKEN not in capsys.readouterr().err


def test_the_command_line_named_arguments_that_it_did_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["http://endpoint.test", "samples/call.flac"])
    message = capsys.readouterr().err
    assert "token=False (--no-token) or allow_plain_http=True (--allow-plain-http)" in message
    nobody = ["http://endpoint.invalid", "no/such.wav"]
    for flag in ("--no-token", "--allow-plain-http"):
        assert main([*nobody, flag]) == 1
        assert capsys.readouterr().err == "recording 1: The recording cannot be read: No such file or directory.\n"


def test_no_token_sends_none() -> None:
    with ScriptedServer(SAYS, SAYS) as server:
        assert main([server.url, "samples/call.flac", "--no-token"]) == 0
        assert main([server.url, "samples/call.flac"]) == 0
    assert [request.headers.get("authorization") for request in server.requests] == [None, f"Bearer {TOKEN}"]
