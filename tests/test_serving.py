import json
from pathlib import Path
from typing import Any

import pytest
import srt

from config import ModelSettings
from handler import EndpointHandler
from roundtable.errors import EngineFailed
from serving import demo, transcribe
from serving import engines as serving_engines
from serving.__main__ import main
from tests.fakes import PHRASE, FakeDiarizer, FakeTranscriber, fake_engines, raises, tone_wav

SETTINGS = ModelSettings(asr_model="fake", max_audio_seconds=60)


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two recordings and a file that is none; the current directory; engines that are fake."""
    use(monkeypatch, EndpointHandler(settings=SETTINGS, engines=fake_engines()))
    (tmp_path / "other").mkdir()
    (tmp_path / "a.wav").write_bytes(tone_wav(2.0))
    (tmp_path / "other" / "a.wav").write_bytes(tone_wav(3.0))
    (tmp_path / "notes.txt").write_text("no recording at all " * 40)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def use(monkeypatch: pytest.MonkeyPatch, handler: EndpointHandler) -> None:
    loads: list[int] = []

    def load_once() -> EndpointHandler:
        loads.append(1)
        assert loads == [1], "the engines were loaded twice"
        return handler

    monkeypatch.setattr(transcribe, "load_handler", load_once)
    monkeypatch.setattr(demo, "load_handler", load_once)


def test_text_goes_to_stdout_and_progress_to_stderr(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "a.wav"]) == 0
    out, err = capsys.readouterr()
    assert out == "SPEAKER_00: purple elephants audit\nSPEAKER_01: the lighthouse\n"
    assert err == "a.wav: started\n"


def test_several_files_share_one_load_and_never_overwrite_each_other(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", "a.wav", "other/a.wav", "--format", "srt", "--out", "texts"]) == 0
    assert sorted(path.name for path in Path("texts").iterdir()) == ["a.wav-2.srt", "a.wav.srt"]
    cues = list(srt.parse(Path("texts/a.wav.srt").read_text()))
    assert " ".join(cue.content for cue in cues) == "SPEAKER_00: purple elephants audit SPEAKER_01: the lighthouse"


def test_json_on_stdout_is_one_document_a_line(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "a.wav", "other/a.wav", "--format", "json"]) == 0
    replies = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(reply["duration"], reply["text"]) for reply in replies] == [(2.0, PHRASE), (3.0, PHRASE)]


def test_a_file_that_fails_does_not_stop_the_others(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "notes.txt", "a.wav"]) == 1
    out, err = capsys.readouterr()
    assert "SPEAKER_01: the lighthouse" in out
    assert "error: notes.txt: " in err
    assert "(not_audio)" in err


def test_a_missing_file_is_found_before_the_engines_are_loaded(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribe, "load_handler", lambda: pytest.fail("loaded for nothing"))
    assert main(["transcribe", "a.wav", "absent.wav"]) == 2
    assert capsys.readouterr().err == "error: absent.wav: no such file\n"


def test_options_become_parameters(recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcriber, diarizer = FakeTranscriber(), FakeDiarizer()
    use(monkeypatch, EndpointHandler(settings=SETTINGS, engines=fake_engines(transcriber, diarizer)))
    assert main(["transcribe", "a.wav", "--speakers", "3", "--language", "en", "--task", "translate"]) == 0
    assert diarizer.options is not None
    assert transcriber.options is not None
    assert (diarizer.options.num_speakers, transcriber.options.language, transcriber.options.task) == (3, "en", "translate")


def test_a_missing_diarization_is_told_by_the_exit_code(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = fake_engines(diarizer=FakeDiarizer(raises(EngineFailed("Broke."))))
    use(monkeypatch, EndpointHandler(settings=SETTINGS, engines=broken))
    assert main(["transcribe", "a.wav"]) == 4
    out, err = capsys.readouterr()
    assert out == PHRASE + "\n"
    assert "a.wav: diarize: The speakers could not be told apart; the transcript is complete. Broke." in err


@pytest.mark.parametrize("arguments", [[], ["transcribe"], ["transcribe", "a.wav", "--format", "docx"], ["dance"]])
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str], recordings: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_parameters_out_of_range_fail_in_words(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "a.wav", "--speakers", "0"]) == 1
    assert "num_speakers: Input should be greater than or equal to 1" in capsys.readouterr().err


def test_an_out_folder_that_is_a_file_is_exit_code_2(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "a.wav", "--out", "notes.txt"]) == 2
    assert capsys.readouterr().err.startswith("error: notes.txt: ")


def test_engines_that_do_not_load_are_exit_code_3(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribe, "load_handler", serving_engines.load_handler)
    monkeypatch.setenv("ASR_MODEL", "no such engine")
    assert main(["transcribe", "a.wav"]) == 3
    assert capsys.readouterr().err.startswith("error: ASR_MODEL must be 'embedded'")


def test_without_asr_model_the_embedded_engines_are_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.delenv("ASR_MODEL", raising=False)
    monkeypatch.setattr(serving_engines, "EndpointHandler", lambda settings: asked.update(settings.model_dump()))
    serving_engines.load_handler()
    assert [asked[name] for name in ("asr_model", "diarization_model", "summarize_model")] == ["embedded"] * 3
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "ASR_MODEL" in line


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["transcribe", "--help"])
    assert caught.value.code == 0
    assert "exit codes:" in capsys.readouterr().out


def test_the_demo_shows_the_whole_job_and_leaves_json_and_srt(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "a.wav"]) == 0
    out = capsys.readouterr().out
    for line in (
        "  0:00  SPEAKER_00  purple elephants audit",
        "  0:01  SPEAKER_01  the lighthouse",
        "purple elephants audit; the lighthouse",
        "- purple elephants audit  [0]",
        "JSON  out/a.json",
        "SRT   out/a.srt",
    ):
        assert line in out.splitlines()
    assert "SPEAKER_00     1.0 s   50%     3 words  " in out
    assert json.loads(Path("out/a.json").read_text())["text"] == PHRASE
    assert len(list(srt.parse(Path("out/a.srt").read_text()))) == 2
