"""The command line as it is started: what it offers, and that the README says the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.command_line import parser
from deploy.manifest import ROOT
from tests.deploy.harness import ENDPOINT_YAML


def verbs() -> set[str]:
    return set(re.findall(r"^    (\w+) +[A-Z]", parser().format_help(), re.MULTILINE))


def test_help_lists_the_verbs_and_the_exit_codes() -> None:
    done = subprocess.run([sys.executable, "-m", "deploy", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == parser().format_help()
    assert "exit codes:" in done.stdout
    assert verbs() == {
        *("init", "check", "plan", "publish", "apply", "rollback", "smoke"),
        *("status", "logs", "pause", "resume", "delete", "history"),
    }


def test_the_readme_names_every_verb() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Deploying\n")[1].split("\n## ")[0]
    assert {verb for verb in verbs() if f"deploy {verb}" in section or f"`{verb}`" in section} == verbs()


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_no_verb_takes_a_secret_as_an_argument(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args([verb, "--help"])
    assert caught.value.code == 0
    options = set(re.findall(r"(--[\w-]+) ", capsys.readouterr().out))
    assert {name for name in options if "secret" in name or "token" in name} <= {"--token", "--resend-secrets"}
    with pytest.raises(SystemExit):
        parser().parse_args([verb, "--token", "hf_abcdefghijklmnopqrstuvwx"])
    assert "hf_abc" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HF_HUB_OFFLINE", "1", "error: HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set"),
        ("SSL_CERT_FILE", "/nowhere/at-all.pem", "error: no connection can be set up: FileNotFoundError\n"),
        ("ALL_PROXY", "socks5://someone:password@127.0.0.1:1", "error: no connection can be set up: ImportError\n"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "abc", "error: a variable that huggingface_hub reads (HF_…) has no number in it"),
    ],
)
def test_an_odd_environment_was_called_a_file_without_room_or_ended_in_a_traceback(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    file = tmp_path / "endpoint.yaml"
    file.write_text(ENDPOINT_YAML, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "status", "--file", str(file)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HF_TOKEN": f"hf_{'a' * 34}", variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert "password" not in done.stderr
    assert "/nowhere" not in done.stderr
