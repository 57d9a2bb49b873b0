"""The process behind the fake endpoint's address."""

from __future__ import annotations

from pathlib import Path

from tests.fake_hub.backends import HandlerBackend

GOOD = b"class EndpointHandler:\n    def __init__(self, path=''): pass\n    def __call__(self, data): return {}\n"


def test_a_boot_after_one_that_failed_found_its_folder_taken(tmp_path: Path) -> None:
    with HandlerBackend(tmp_path) as backend:
        files = {"bad": b"raise RuntimeError('does not start')\n", "good": GOOD}
        backend.files_at = lambda repository, revision: {"handler.py": files[revision]}
        models = {revision: {"repository": "me/x", "revision": revision, "env": {}} for revision in files}
        assert "does not start" in str(backend.boot(models["bad"], {}))
        assert "does not start" in str(backend.boot(models["bad"], {}))
        assert backend.boot(models["good"], {}) is None
        assert [folder.name for folder in sorted(tmp_path.iterdir())] == ["001-bad", "002-bad", "003-good"]
