"""Third-party telemetry is off: measured by what a process leaves in an empty home folder and sends, not by what we set."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from tests.models.tones import tone_pipeline

ROOT = Path(__file__).parent.parent

USE_EVERY_ENGINE = """
import handler
from config import ModelSettings
handler.EndpointHandler(settings=ModelSettings(asr_model="embedded", diarization_model="embedded", summarize_model="embedded"))
"""


def test_loading_and_warming_up_the_engines_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    subprocess.run([sys.executable, "-c", USE_EVERY_ENGINE], env=environment, cwd=ROOT, timeout=120, check=True)
    assert [path for path in home.rglob("*") if path.is_file()] == []


USE_PYANNOTE = """
import numpy, sys
from roundtable.audio import Audio
from roundtable.control import Control
from roundtable.diarization import DiarizeOptions, load_diarizer
engine = load_diarizer(sys.argv[1])
print(engine.diarize(Audio(numpy.zeros(16_000, numpy.float32)), DiarizeOptions(num_speakers=2), Control()).turns)
from pyannote.audio.telemetry import metrics
metrics.provider.force_flush()
"""


@contextmanager
def watched_way_out() -> Iterator[tuple[str, list[str]]]:
    """A proxy's address, and the servers that it was asked for. It lets nobody through."""
    asked: list[str] = []

    class Refuse(StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline(1000).decode())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def sent_by_pyannote(tmp_path: Path, **environment: str) -> list[str]:
    """The servers that it wanted to reach. It is used without handler.py, next to a torchcodec that cannot be imported."""
    pipeline = tone_pipeline(tmp_path / "tones")
    (tmp_path / "broken").mkdir()
    (home := tmp_path / "home").mkdir()
    (tmp_path / "broken" / "torchcodec.py").write_text("raise OSError('libavutil.so: no such file')")
    with watched_way_out() as (proxy, asked):
        child = subprocess.run(
            [sys.executable, "-c", USE_PYANNOTE, str(pipeline)],
            env={
                **{"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": f"{ROOT}:{tmp_path / 'broken'}"},
                **{"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "OMP_NUM_THREADS": "1", **environment},
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert (child.stdout, child.stderr) == ("()\n", "")
    left = [path for path in home.rglob("*") if path.is_file() and "matplotlib" not in path.parts]  # whose fonts are its own
    assert left == []  # onnxruntime would keep a queue of events there
    return asked


@pytest.mark.slow
def test_pyannote_tells_nobody_of_a_recording(tmp_path: Path) -> None:
    assert sent_by_pyannote(tmp_path) == []


@pytest.mark.slow
def test_pyannote_would_if_it_were_let(tmp_path: Path) -> None:
    """Or the test above could not fail."""
    asked = sent_by_pyannote(tmp_path, PYANNOTE_METRICS_ENABLED="1")
    assert {line.split()[1] for line in asked} == {"otel.pyannote.ai:443"}
