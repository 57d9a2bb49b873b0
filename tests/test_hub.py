"""Model files through the Hub's real client, from a Hub on the loopback: each refusal is a sentence that gives nothing away."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roundtable.errors import EngineUnavailable, InvalidSettings
from roundtable.hub import ModelSource
from roundtable.quiet import quiet
from tests.hub_server import COMMIT, HubServer

ROOT = Path(__file__).parent.parent
TOKEN = "hf_MustNeverBeSeen"  # noqa: S105 - opens nothing

# The client reads its environment when it is imported, so each environment is a process.
CHILD = """
import json, logging, sys
logging.basicConfig(level=logging.DEBUG)
logging.raiseExceptions = False
from roundtable.hub import ModelSource
for model, revision, token in json.load(sys.stdin):
    source = ModelSource(model, setting="ASR_MODEL", revision=revision, token=token)
    try:
        folder = source.files("config.json", "model-*-of-*.safetensors")
        result = {"name": source.name, "files": sorted(path.name for path in folder.iterdir())}
    except Exception as error:
        result = {"kind": type(error).__name__, "message": error.message, "repr": repr(error),
                  "chained": [str(error.__cause__), str(error.__context__)]}
    print(json.dumps(result), flush=True)
logging.disable(logging.CRITICAL)  # what the client says when the interpreter closes its connections
"""

Case = tuple[str, str | None, str | None]


def ask(cases: list[Case], **environment: str) -> list[dict[str, Any]]:
    """One result per case. Whatever the child writes elsewhere than to stdout is an error."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HF_HUB_DISABLE_XET": "1", **environment},
    )
    assert child.stderr == ""
    assert TOKEN not in child.stdout
    return [json.loads(line) for line in child.stdout.splitlines()]


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    files = {"config.json": b"{}", "model-00001-of-00001.safetensors": b"1", "model.safetensors": b"2", "a/config.json": b"3"}
    with HubServer(files) as server:
        yield server


def refused(kind: str, message: str) -> dict[str, Any]:
    return {"kind": kind, "message": message, "repr": f"{kind}({message!r})", "chained": ["None", "None"]}


NOT_FOUND = (
    "ASR_MODEL is neither a folder here nor a repository on the Hub, or it is private: "
    "then HF_TOKEN must be a token that may read it."
)


def test_every_refusal_of_the_hub_is_one_sentence(hub: HubServer, tmp_path: Path) -> None:
    sentences = {
        "missing": NOT_FOUND,
        "private": NOT_FOUND,
        "wrong-token": "The Hub refused HF_TOKEN while loading ASR_MODEL: the token is wrong or has expired.",
        "forbidden": (
            "The Hub refused access to ASR_MODEL: HF_TOKEN must be a token that may read it; a fine-grained one needs the "
            "permission to read public gated repositories."
        ),
        "disabled": "The Hub has disabled the repository in ASR_MODEL.",
        "busy": "The Hub answered 503 instead of the files of ASR_MODEL; try again later.",
        "gated": "ASR_MODEL is gated: accept its conditions on the Hub, and set HF_TOKEN to a read token of that account.",
    }
    results = ask(
        [*((f"someone/{name}", None, TOKEN) for name in sentences), ("someone/any", "v9", TOKEN)],
        HF_ENDPOINT=hub.url,
        HF_HOME=str(tmp_path),
    )
    assert results[:-1] == [refused("EngineUnavailable", sentence) for sentence in sentences.values()]
    assert results[-1] == refused("InvalidSettings", "ASR_REVISION is no branch, tag or commit of ASR_MODEL.")


def test_a_gate_without_a_token_says_that_there_is_none(hub: HubServer, tmp_path: Path) -> None:
    results = ask([("someone/gated", None, None)], HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path))
    sentence = (
        "ASR_MODEL is gated, and HF_TOKEN is unset or not known to the Hub: accept its conditions there, and set "
        "HF_TOKEN to a read token of that account."
    )
    assert results == [refused("EngineUnavailable", sentence)]


def test_only_what_was_asked_for_is_downloaded_and_the_cache_serves_without_a_network(hub: HubServer, tmp_path: Path) -> None:
    hub.fetched.clear()
    got = {"name": f"someone/any@{COMMIT[:12]}", "files": ["config.json", "model-00001-of-00001.safetensors"]}
    home = {"HF_HOME": str(tmp_path)}
    assert ask([("someone/any", None, TOKEN), ("someone/any", COMMIT, TOKEN)], HF_ENDPOINT=hub.url, **home) == [got, got]
    assert sorted(hub.fetched) == got["files"]
    assert f"Bearer {TOKEN}" in hub.tokens

    closed = {"HF_ENDPOINT": "http://127.0.0.1:9", **home}
    unknown: Case = ("someone/other", None, TOKEN)
    served, unreachable = ask([("someone/any", None, TOKEN), unknown], **closed)
    assert served == got
    assert unreachable["kind"] == "EngineUnavailable"
    assert unreachable["message"].startswith("The Hub cannot be reached for ASR_MODEL, which is not in the cache (Connect")
    assert unreachable["message"].endswith("Error): check the network and HF_ENDPOINT, or name a folder.")
    assert unreachable["chained"] == ["None", "None"]

    sentence = "ASR_MODEL is not in the cache, and HF_HUB_OFFLINE forbids to download it."
    offline = ask([("someone/any", COMMIT, None), unknown], HF_HUB_OFFLINE="1", **home)
    assert offline == [got, refused("EngineUnavailable", sentence)]


def test_a_cache_that_cannot_be_written_is_said(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    results = ask([("someone/any", None, None)], HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "file"))
    sentence = "The files of ASR_MODEL cannot be stored: HF_HOME must be a folder that can be written."
    assert results == [refused("EngineUnavailable", sentence)]


@pytest.mark.parametrize("model", ["/secret/folder", "../weights", "three/part/name", "a b", "x" * 5000, ""])
def test_neither_a_folder_nor_a_hub_id(model: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        ModelSource(model, setting="ASR_ASSISTANT_MODEL")
    assert caught.value.message == (
        "ASR_ASSISTANT_MODEL is neither a folder that exists here nor a Hub id such as openai/whisper-large-v3-turbo."
    )
    assert caught.value.__context__ is None


def test_a_repository_that_a_model_names_is_spoken_of_as_the_engine_says(tmp_path: Path) -> None:
    name = "pyannote/segmentation-3.0 (the segmentation of DIARIZATION_MODEL)"
    with pytest.raises(InvalidSettings) as caught:
        ModelSource(str(tmp_path), setting=name, revision="main", revision_setting="Its revision")
    assert caught.value.message == f"Its revision is for models on the Hub: {name} is a folder, leave it unset."
    with pytest.raises(EngineUnavailable) as unknown:
        ModelSource("no id", setting="The plda", example="pyannote/speaker-diarization-community-1")
    assert unknown.value.message == (
        "The plda is neither a folder that exists here nor a Hub id such as pyannote/speaker-diarization-community-1."
    )


def test_a_folder_is_named_by_its_last_part_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my-whisper"
    folder.mkdir()
    source = ModelSource(str(folder), setting="ASR_MODEL")
    assert (source.name, source.is_folder) == ("my-whisper", True)
    assert not ModelSource("openai/whisper-tiny", setting="ASR_MODEL").is_folder
    monkeypatch.chdir(folder)
    here = ModelSource(".", setting="ASR_MODEL")
    assert here.name == "my-whisper"
    assert here.files("config.json").resolve() == folder.resolve()


def test_a_revision_of_a_folder_is_refused_by_the_name_of_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"^.*ASR_ASSISTANT_REVISION is for models on the Hub: ASR_ASSISTANT_MODEL is a"):
        ModelSource(str(tmp_path), setting="ASR_ASSISTANT_MODEL", revision="main")


def test_quiet_leaves_everything_as_it_was_also_when_two_threads_overlap() -> None:
    from huggingface_hub import utils

    hub: Any = utils
    logger = logging.getLogger("huggingface_hub")
    before = (logger.level, hub.are_progress_bars_disabled())
    other_is_in, first_is_out = threading.Event(), threading.Event()
    seen: list[tuple[int, bool]] = []

    def other() -> None:
        with quiet():
            other_is_in.set()
            assert first_is_out.wait(10)
            seen.append((logger.level, hub.are_progress_bars_disabled()))

    thread = threading.Thread(target=other)
    with contextlib.suppress(KeyError), quiet():
        thread.start()
        assert other_is_in.wait(10)
        raise KeyError
    first_is_out.set()
    thread.join()
    assert seen == [(logging.CRITICAL + 1, True)]
    assert (logger.level, hub.are_progress_bars_disabled()) == before


@pytest.mark.parametrize("hidden", [True, False])
def test_quiet_restores_progress_bars_either_way(hidden: bool) -> None:
    from huggingface_hub import utils

    hub: Any = utils
    was_hidden = hub.are_progress_bars_disabled()
    try:
        (hub.disable_progress_bars if hidden else hub.enable_progress_bars)()
        with quiet():
            assert hub.are_progress_bars_disabled()
        assert hub.are_progress_bars_disabled() is hidden
    finally:
        (hub.disable_progress_bars if was_hidden else hub.enable_progress_bars)()
