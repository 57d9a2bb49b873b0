"""Pipelines are put together from folders and from the Hub; what cannot be loaded is one plain sentence.

The pipeline is that of `tests/models/tones.py`, and the Hub's client is the real one, on the loopback.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from roundtable.diarization import DiarizationModel
from roundtable.diarization.pyannote_loading import load_pipeline
from roundtable.errors import EngineError, EngineUnavailable, InvalidSettings
from tests.hub_server import COMMIT, HubServer
from tests.models.tones import AGGLOMERATIVE, config, tone_pipeline, write_config

ROOT = Path(__file__).parent.parent
SECRET_FOLDER = "secret-folder"  # noqa: S105 - must not be seen, but opens nothing
TOKEN = "key-that-MustNeverBeSeen"  # noqa: S105 - nor does this; pyannote would drop it, since it does not begin with hf_
COMMUNITY = "pyannote/speaker-diarization-community-1"
INSTALL = "pip install 'pyannote.audio>=4.0.7,<5'"


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone_pipeline(tmp_path_factory.mktemp("pipelines") / "tones")


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The folder, to be bent."""
    return Path(shutil.copytree(whole, tmp_path / SECRET_FOLDER / "tones"))


@pytest.fixture(autouse=True)
def _nothing_is_printed_or_logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


def load(folder: Path, **settings: Any) -> Any:
    return load_pipeline(DiarizationModel(str(folder), **settings)).pipeline


def refusal(folder: Path, kind: type[EngineError] = EngineUnavailable, **settings: Any) -> str:
    """The sentence that `folder` is refused with. Nothing that was chained, printed or logged tells more."""
    with pytest.raises(kind) as caught:
        load(folder, token=TOKEN, **settings)
    error = caught.value
    assert type(error) is kind
    assert (error.__cause__, error.__context__) == (None, None)
    assert not any(secret in str(error) + repr(error) for secret in (SECRET_FOLDER, TOKEN))
    return error.message


# ---- what is read


def test_a_whole_pipeline(whole: Path) -> None:
    loaded = load_pipeline(DiarizationModel(str(whole)))
    assert (loaded.name, loaded.device.type) == ("tones", "cuda" if torch.cuda.is_available() else "cpu")
    assert loaded.pipeline.instantiated
    assert loaded.pipeline.parameters(instantiated=True)["clustering"] == {"threshold": 0.6, "Fa": 0.5, "Fb": 0.8}
    assert not loaded.pipeline._segmentation.model.training
    assert not loaded.pipeline._embedding.model_.training


def test_a_pipeline_without_parameters_has_pyannotes_own(copy: Path) -> None:
    write_config(copy, config(params={}))
    assert load(copy).parameters(instantiated=True)["clustering"] == {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8}


@pytest.mark.parametrize("place", ["beside", "{here}/embedding/pytorch_model.bin", "{here}/embedding", "{cwd}"])
def test_models_that_lie_elsewhere_on_this_machine(copy: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """By a path as seen from the pipeline or from where the process runs, a file or a folder."""
    monkeypatch.chdir(copy / "plda")
    shutil.copy(copy / "embedding" / "pytorch_model.bin", copy / "beside")
    elsewhere = place.format(here=copy, cwd="../embedding")
    write_config(copy, config(embedding=elsewhere, segmentation={"checkpoint": ".", "subfolder": "segmentation"}))
    assert type(load(copy)._embedding.model_).__name__ == "ToneEmbedding"


def test_agglomerative_clustering_needs_no_plda(copy: Path) -> None:
    shutil.rmtree(copy / "plda")
    for plda in (None, "$model/plda", COMMUNITY):
        write_config(copy, config(params=AGGLOMERATIVE, clustering="AgglomerativeClustering", plda=plda))
        assert load(copy).klustering == "AgglomerativeClustering"


def test_a_device_that_the_config_names_is_not_taken(copy: Path) -> None:
    write_config(copy, {**config(), "device": "cuda:17"})  # of which pyannote would print that it is not there
    assert load(copy).device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_old_checkpoints_are_read_without_a_word(tmp_path: Path) -> None:
    """Lightning's own logger would tell how to upgrade the file, with its path."""
    lightning = logging.getLogger("lightning.pytorch")
    lightning.addHandler(handler := logging.StreamHandler())
    try:
        assert load(tone_pipeline(tmp_path / "old", lightning_version="1.5.4")).instantiated
    finally:
        lightning.removeHandler(handler)


# ---- what is missing or damaged


def _edit(**pipeline: Any) -> Callable[[Path], None]:
    return lambda folder: write_config(folder, config(**pipeline))


def _write(name: str, content: str | bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _depend(name: str, version: str) -> Callable[[Path], None]:
    return lambda folder: write_config(folder, {**config(), "dependencies": {name: version}})


def _swap(source: str, target: str) -> Callable[[Path], Any]:
    return lambda folder: shutil.copy(folder / source / "pytorch_model.bin", folder / target / "pytorch_model.bin")


def _change_checkpoint(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def bend(folder: Path) -> None:
        path = folder / "segmentation" / "pytorch_model.bin"
        checkpoint = torch.load(path, weights_only=False)
        change(checkpoint)
        torch.save(checkpoint, path)

    return bend


DAMAGED = "DIARIZATION_MODEL cannot be loaded: its models are damaged, or of another kind than its config.yaml says"
INCOMPLETE = "DIARIZATION_MODEL cannot be loaded: "


@pytest.mark.parametrize(
    ("bend", "sentence"),
    [
        (_remove("config.yaml"), INCOMPLETE + "it has no config.yaml, so it is no pyannote pipeline."),
        (_write("config.yaml", "a: [b"), INCOMPLETE + "its config.yaml is damaged."),
        (_write("config.yaml", "[1, 2]"), INCOMPLETE + "its config.yaml is damaged."),
        (_write("config.yaml", b"\xff\xfe\x00"), INCOMPLETE + "its config.yaml is damaged."),
        (_write("config.yaml", "a: 1"), INCOMPLETE + "its config.yaml is not that of a pipeline (KeyError)."),
        (_write("config.yaml", "pipeline: 5"), INCOMPLETE + "its config.yaml is not that of a pipeline (TypeError)."),
        (_edit(embedding=5), INCOMPLETE + "its config.yaml is not that of a pipeline (TypeError)."),
        (_edit(no_such_parameter=5), f"{DAMAGED} (TypeError)."),
        (_edit(params={"clustering": {"no_such_parameter": 99}}), f"{DAMAGED} (ValueError)."),
        (_remove("segmentation/pytorch_model.bin"), INCOMPLETE + "it has no pytorch_model.bin for its segmentation."),
        (_remove("plda/plda.npz"), INCOMPLETE + "it has no plda.npz for its plda."),
        (
            _write("embedding/pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
            INCOMPLETE + "in place of its embedding it holds Git LFS's pointers (run git lfs pull).",
        ),
        (_write("segmentation/pytorch_model.bin", b""), f"{DAMAGED} (EOFError)."),
        (_write("segmentation/pytorch_model.bin", b"PK\x03\x04" + bytes(200)), f"{DAMAGED} (RuntimeError)."),
        (_write("segmentation/pytorch_model.bin", pickle.dumps({"a": 1})), f"{DAMAGED} (RuntimeError)."),
        (_write("plda/plda.npz", b"no numbers"), f"{DAMAGED} (ValueError)."),
        (_swap("embedding", "segmentation"), f"{DAMAGED} (ValueError)."),
        (_swap("segmentation", "embedding"), f"{DAMAGED} (ValueError)."),
        (_change_checkpoint(lambda checkpoint: checkpoint.pop("pyannote.audio")), f"{DAMAGED} (KeyError)."),
        (_change_checkpoint(lambda checkpoint: checkpoint["state_dict"].clear()), f"{DAMAGED} (RuntimeError)."),
        (
            _change_checkpoint(lambda checkpoint: checkpoint["pyannote.audio"]["architecture"].update(module="no.such")),
            f"{DAMAGED} (ModuleNotFoundError).",
        ),
        (
            _change_checkpoint(lambda checkpoint: checkpoint["pyannote.audio"]["versions"].update({"pyannote.audio": "9.1"})),
            f"DIARIZATION_MODEL is made for 'pyannote.audio' 9, and {metadata.version('pyannote.audio')} is installed here.",
        ),
        (
            _depend("pyannote.audio", "5.0.0"),
            f"DIARIZATION_MODEL is made for 'pyannote.audio' 5, and {metadata.version('pyannote.audio')} is installed here.",
        ),
        (_depend("no-such\npackage", "1.2"), "DIARIZATION_MODEL needs 'no-such?package' 1.2, which is not installed here."),
        (
            _edit(plda=f"/{SECRET_FOLDER}/plda"),
            "The plda of DIARIZATION_MODEL is neither a folder that exists here nor a Hub id such as " + COMMUNITY + ".",
        ),
        (
            _edit(embedding="x" * 5000),
            "The embedding of DIARIZATION_MODEL is neither a folder that exists here nor a Hub id such as " + COMMUNITY + ".",
        ),
    ],
)
def test_what_is_incomplete_or_damaged(copy: Path, bend: Callable[[Path], Any], sentence: str) -> None:
    bend(copy)
    assert refusal(copy) == sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"model": {"_target_": "pyannote.audio.models.segmentation.PyanNet"}},
            f"DIARIZATION_MODEL is a single model of pyannote's; name a pipeline, such as {COMMUNITY}.",
        ),
        (
            {"pipeline": {"name": "pyannote.audio.pipelines.VoiceActivityDetection"}},
            "DIARIZATION_MODEL is a pipeline of class 'VoiceActivityDetection': the pyannote engine takes SpeakerDiarization.",
        ),
        (  # which would send every recording away
            {"pipeline": {"name": "pyannote.audio.pipelines.pyannoteai.sdk.SDK"}},
            "DIARIZATION_MODEL is a pipeline of class 'SDK': the pyannote engine takes SpeakerDiarization.",
        ),
        (
            {"pipeline": {"name": "somewhere.else.SpeakerDiarization"}},
            "DIARIZATION_MODEL is a pipeline of class 'SpeakerDiarization': the pyannote engine takes SpeakerDiarization.",
        ),
        (
            config(clustering="KMeansClustering"),
            "DIARIZATION_MODEL clusters by 'KMeansClustering': the pyannote engine takes VBxClustering and "
            "AgglomerativeClustering, which find the number of speakers themselves.",
        ),
    ],
)
def test_what_is_no_pipeline_for_this_engine(copy: Path, content: dict[str, Any], sentence: str) -> None:
    write_config(copy, content)
    assert refusal(copy, InvalidSettings) == sentence


def test_a_whisper_is_no_pipeline() -> None:
    whisper = Path(__file__).parent / "models" / "whisper-tiny"
    assert refusal(whisper) == INCOMPLETE + "it has no config.yaml, so it is no pyannote pipeline."


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    sentence = "DIARIZATION_MODEL is neither a folder that exists here nor a Hub id such as " + COMMUNITY + "."
    assert refusal(tmp_path / SECRET_FOLDER / "nowhere") == sentence


def test_a_revision_is_for_the_hub(copy: Path) -> None:
    sentence = "DIARIZATION_REVISION is for models on the Hub: DIARIZATION_MODEL is a folder, leave it unset."
    assert refusal(copy, InvalidSettings, revision="main") == sentence
    write_config(copy, config(embedding={"checkpoint": "embedding", "revision": "main"}))
    sentence = "Its revision is for models on the Hub: The embedding of DIARIZATION_MODEL is a folder, leave it unset."
    assert refusal(copy, InvalidSettings) == sentence


# ---- the package itself


def test_pyannote_is_not_installed(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])  # where the packages' metadata is looked for
    assert refusal(whole) == f"DIARIZATION_MODEL needs pyannote.audio, which is not installed: {INSTALL}."


@pytest.mark.parametrize("version", ["3.4.0", "5.0.0"])
def test_another_major_version_is_installed(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    (tmp_path / f"pyannote_audio-{version}.dist-info").mkdir()
    (tmp_path / f"pyannote_audio-{version}.dist-info" / "METADATA").write_text(f"Name: pyannote.audio\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert refusal(whole) == f"DIARIZATION_MODEL needs pyannote.audio 4, and {version} is installed: {INSTALL}."


def test_pyannote_is_broken(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyannote.audio", None)
    assert refusal(whole) == (
        f"pyannote.audio {metadata.version('pyannote.audio')} is installed but cannot be imported (ModuleNotFoundError): "
        f"its versions of torch and torchaudio do not fit each other, or a package is missing; {INSTALL}."
    )


# ---- from the Hub

# The client reads its environment when it is imported, so this is a process. Whatever any library logs goes to stderr.
CHILD = """
import json, logging, sys
logging.basicConfig(level=logging.DEBUG)
logging.raiseExceptions = False
for imported in ("asyncio", "fsspec", "torio"):  # which tell, on level DEBUG, what they find
    logging.getLogger(imported).setLevel(logging.INFO)
from roundtable.diarization import DiarizationModel
from roundtable.diarization.pyannote_loading import load_pipeline
for model, revision, token in json.load(sys.stdin):
    try:
        result = [load_pipeline(DiarizationModel(model, revision, token)).name]
    except Exception as error:
        assert error.__cause__ is error.__context__ is None
        result = [type(error).__name__, error.message]
    print(json.dumps(result), flush=True)
logging.disable(logging.CRITICAL)  # what the client says when the interpreter closes its connections
"""


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def config_of(folder: Path, content: dict[str, Any]) -> dict[str, bytes]:
    write_config(folder, content)
    return {"config.yaml": (folder / "config.yaml").read_bytes(), "README.md": b""}


@pytest.mark.slow
def test_every_repository_that_a_pipeline_is_made_of_is_fetched_and_refused_by_name(copy: Path, tmp_path: Path) -> None:
    segmentation, embedding = (f"{part}/pytorch_model.bin" for part in ("segmentation", "embedding"))
    whole = files_of(copy)
    parts: dict[str, Any] = {
        "segmentation": "pyannote/segmentation-3.0",
        "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM",
    }
    v31 = config_of(copy, config(params=AGGLOMERATIVE, clustering="AgglomerativeClustering", plda=None, **parts))
    pinned = {"checkpoint": "pyannote/segmentation-3.0", "revision": "v9"}
    repositories = {
        "someone/whole": {**whole, "README.md": b"", "segmentation/other.bin": b""},
        COMMUNITY: whole,
        "pyannote/speaker-diarization-3.1": v31,
        "someone/vbx": config_of(copy, config(**parts, plda=None)),
        "someone/pinned": config_of(copy, config(**(parts | {"segmentation": pinned}))),
        "someone/onnx": config_of(copy, config(**(parts | {"embedding": "hbredin/wespeaker-voxceleb-resnet34-LM"}))),
        "pyannote/segmentation-3.0": {"pytorch_model.bin": whole[segmentation]},
        "pyannote/wespeaker-voxceleb-resnet34-LM": {"pytorch_model.bin": whole[embedding]},
    }
    model, gate = "pyannote/segmentation-3.0 (the segmentation of DIARIZATION_MODEL)", "accept its conditions on the Hub"
    conditions = f"{gate}, and set HF_TOKEN to a read token of that account."
    unknown = (
        "is gated, and HF_TOKEN is unset or not known to the Hub: accept its conditions there, and set HF_TOKEN to a read "
    )
    unavailable = "EngineUnavailable"
    cases: list[tuple[tuple[str, str | None, str | None], list[str]]] = [
        (("pyannote/speaker-diarization-3.1", None, "hf_other"), [unavailable, f"{model} is gated: {conditions}"]),
        (("pyannote/speaker-diarization-3.1", None, None), [unavailable, f"{model} {unknown}token of that account."]),
        (("pyannote/speaker-diarization-3.1", None, TOKEN), [f"pyannote/speaker-diarization-3.1@{COMMIT[:12]}"]),
        (("someone/whole", COMMIT, TOKEN), [f"someone/whole@{COMMIT[:12]}"]),
        (
            ("someone/vbx", None, TOKEN),
            [unavailable, f"{COMMUNITY} (the plda of DIARIZATION_MODEL) is gated: {conditions}"],
        ),
        ((COMMUNITY, None, TOKEN), [unavailable, f"DIARIZATION_MODEL is gated: {conditions}"]),
        (
            ("someone/pinned", None, TOKEN),
            ["InvalidSettings", f"Its revision is no branch, tag or commit of {model}."],
        ),
        (
            ("someone/onnx", None, TOKEN),
            [
                unavailable,
                "hbredin/wespeaker-voxceleb-resnet34-LM (the embedding of DIARIZATION_MODEL) cannot be loaded: "
                "it has no pytorch_model.bin for its embedding.",
            ],
        ),
        (
            ("someone/whole", "v9", TOKEN),
            ["InvalidSettings", "DIARIZATION_REVISION is no branch, tag or commit of DIARIZATION_MODEL."],
        ),
        (
            ("someone/no-pipeline", None, TOKEN),
            [unavailable, INCOMPLETE + "it has no config.yaml, so it is no pyannote pipeline."],
        ),
        (
            ("someone/forbidden", None, TOKEN),
            [
                unavailable,
                "The Hub refused access to DIARIZATION_MODEL: HF_TOKEN must be a token that may read it; a fine-grained one "
                "needs the permission to read public gated repositories.",
            ],
        ),
        (
            ("someone/wrong-token", None, TOKEN),
            [unavailable, "The Hub refused HF_TOKEN while loading DIARIZATION_MODEL: the token is wrong or has expired."],
        ),
    ]
    gated = ("pyannote/segmentation-3.0", COMMUNITY)
    with HubServer({}, repositories, gated={gated[0]: {TOKEN}, gated[1]: set()}) as hub:
        child = subprocess.run(
            [sys.executable, "-c", CHILD],
            input=json.dumps([case for case, _ in cases]),
            capture_output=True,
            text=True,
            timeout=300,
            cwd=ROOT,
            env={
                **{"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url},
                **{"OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1", "MPLCONFIGDIR": __file__},  # no folder for its fonts
            },
        )
    assert (child.stderr, [json.loads(line) for line in child.stdout.splitlines()]) == ("", [result for _, result in cases])
    assert set(hub.fetched) == {"config.yaml", "pytorch_model.bin", *whole}
    assert f"Bearer {TOKEN}" in hub.tokens
    # 3.1 itself has no use for the gated repository whose PLDA pyannote would load for it.
    assert (
        hub.asked.index(COMMUNITY)
        > hub.asked.index("someone/whole")
        > hub.asked.index("pyannote/wespeaker-voxceleb-resnet34-LM")
    )
