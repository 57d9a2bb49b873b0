import json
import subprocess
import sys
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
from serving.files import output_names
from tests.fakes import PHRASE, FakeDiarizer, FakeTranscriber, fake_engines, raises, tone_wav

ROOT = Path(__file__).parent.parent
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


def test_what_cannot_be_written_or_read_does_not_stop_the_others(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (recordings / "texts" / "a.txt").mkdir(parents=True)
    (recordings / "b.wav").write_bytes(tone_wav(1.0))
    (recordings / "gone.wav").write_bytes(b"")
    monkeypatch.setattr(transcribe, "make_folder", lambda folder: (recordings / "gone.wav").unlink())
    assert main(["transcribe", "a.wav", "gone.wav", "b.wav", "--out", "texts"]) == 1
    err = capsys.readouterr().err
    assert "error: a.txt: cannot be written: Is a directory" in err
    assert "error: gone.wav: cannot be read: No such file or directory" in err
    assert sorted(path.name for path in Path("texts").iterdir()) == ["a.txt", "b.txt"]


def test_a_folder_is_not_called_missing(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("transcribe", "demo"):
        assert main([verb, "other"]) == 2
        assert capsys.readouterr().err == "error: other: is a folder; name the recordings in it\n"


def test_a_file_larger_than_the_limit_is_not_read(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, EndpointHandler(settings=SETTINGS.model_copy(update={"max_audio_bytes": 1024}), engines=fake_engines()))
    assert main(["transcribe", "a.wav"]) == 1
    assert "error: a.wav: is larger than MAX_AUDIO_BYTES=1024" in capsys.readouterr().err


def test_a_name_that_would_act_on_the_terminal_is_made_harmless(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "no\x1b[31m.wav"]) == 2
    assert capsys.readouterr().err == "error: no?[31m.wav: no such file\n"


def test_silence_is_said_on_stderr(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, EndpointHandler(settings=SETTINGS, engines=fake_engines(FakeTranscriber(""))))
    assert main(["transcribe", "a.wav"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "a.wav: started\na.wav: no speech was found\n")


def test_rttm_names_the_recording_by_its_file(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "a.wav", "--format", "rttm"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "SPEAKER a 1 0.000 1.000 <NA> <NA> SPEAKER_00 <NA> <NA>"


def test_five_thousand_recordings_of_one_name_get_names_of_their_own() -> None:
    names = output_names([Path(f"{n}/audio.wav") for n in range(5000)], "srt")
    assert (len(set(names)), names[0], names[1], names[-1]) == (
        *(5000, "audio.wav.srt", "audio.wav-2.srt", "audio.wav-5000.srt"),
    )


def test_a_reader_that_has_read_enough_ends_the_command_quietly() -> None:
    command = f"{sys.executable} -m serving --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert done.stderr == b""


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
    assert main(["transcribe", "a.wav", "--speakers", "0", "--timeout", "-3"]) == 2
    assert capsys.readouterr().err == (
        "error: --speakers: Input should be greater than or equal to 1; --timeout: Input should be greater than 0\n"
    )


def test_only_the_name_of_a_wrong_option_is_rewritten(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "a.wav", "--language", "english!"]) == 2
    assert capsys.readouterr().err == "error: --language: must be a language code such as 'en', or 'auto'\n"


def test_an_out_folder_that_is_a_file_is_exit_code_2(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", "a.wav", "--out", "notes.txt"]) == 2
    assert capsys.readouterr().err.startswith("error: notes.txt: ")


def test_rttm_without_diarization_says_so_and_not_that_nobody_spoke(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", "a.wav", "--format", "rttm", "--no-diarize"]) == 0
    heard = capsys.readouterr()
    assert heard.out == ""
    assert "a.wav: no turns to write: diarization is off\n" in heard.err
    assert "no speech" not in heard.err


def test_engines_that_do_not_load_are_exit_code_3(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribe, "load_handler", serving_engines.load_handler)
    monkeypatch.setenv("ASR_MODEL", "no such engine")
    assert main(["transcribe", "a.wav"]) == 3
    assert capsys.readouterr().err.startswith("error: ASR_MODEL is neither a folder")


def test_without_asr_model_the_embedded_engines_are_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.delenv("ASR_MODEL", raising=False)
    monkeypatch.delenv("SUMMARIZE_MODEL", raising=False)
    monkeypatch.setenv("DIARIZATION_MODEL", "some/model")
    monkeypatch.setattr(serving_engines, "EndpointHandler", lambda settings: asked.update(settings.model_dump()))
    serving_engines.load_handler()
    named = [asked[name] for name in ("asr_model", "diarization_model", "summarize_model")]
    assert named == ["embedded", "some/model", "embedded"]
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "for a trial" in line
    assert "ASR_MODEL=openai/whisper-base" in line


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
        "- purple elephants audit  [0:00]",
        "JSON  out/a.json",
        "SRT   out/a.srt",
    ):
        assert line in out.splitlines()
    assert "SPEAKER_00     1.0 s   50%     3 words  " in out
    assert json.loads(Path("out/a.json").read_text())["text"] == PHRASE
    assert len(list(srt.parse(Path("out/a.srt").read_text()))) == 2
