"""`python -m serving transcribe FILE...`: recordings to transcripts, subtitles or JSON; one model load for all of them."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

from config import InferenceConfig, ResponseFormat
from handler import EndpointHandler
from roundtable.errors import InvalidParameters, RoundtableError
from roundtable.summarization.extractive import NO_SPEECH
from serving.engines import load_handler
from serving.files import FileProblem, check_readable, make_folder, output_names, read_recording, shown, write_text
from serving.progress import progress_of

HELP = "Transcribe recordings: any audio or video file that FFmpeg reads."

_OPTIONS = {"num_speakers": "--speakers", "timeout_s": "--timeout", "language": "--language"}
"""The parameters that a wrong option is reported by."""

_JSON_FORMATS = ("json", "verbose_json", "diarized_json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a recording")
    parser.add_argument(
        "--format", default="txt", choices=get_args(ResponseFormat), help="what to write (default: txt, a line per turn)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write DIR/NAME.FORMAT instead of printing; replaces it")
    parser.add_argument("--speakers", type=int, metavar="N", help="exactly this many people speak (default: find out)")
    parser.add_argument("--language", metavar="CODE", help="the language spoken, such as en (default: the engine's choice)")
    parser.add_argument("--task", default="transcribe", choices=("transcribe", "translate"), help="translate writes English")
    parser.add_argument("--no-diarize", action="store_true", help="do not tell speakers apart; --speakers means nothing then")
    parser.add_argument("--no-summary", action="store_true", help="do not summarize")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="give up on a recording after this long")


def run(options: argparse.Namespace) -> int:
    """Transcribe each file. A file that fails is reported on stderr and does not stop the others."""
    parameters = _parameters(options)
    if problem := _wrong_parameters(parameters):
        print(f"error: {problem}", file=sys.stderr)
        return 2
    check_readable(options.files)
    if options.out is not None:
        make_folder(options.out)
    handler = load_handler()
    failed = degraded = False
    extension = "json" if options.format in _JSON_FORMATS else options.format
    for file, name in zip(options.files, output_names(options.files, extension), strict=True):
        try:
            reply = _transcribe(handler, file, parameters)
            _tell(reply, file, options.format == "rttm" and not (handler.engines.diarizer and parameters["diarize"]))
            _write(reply, options, file, name)
        except (FileProblem, RoundtableError) as error:
            reason = str(error) if isinstance(error, FileProblem) else f"{shown(file)}: {error.message} ({error.code})"
            print(f"error: {reason}", file=sys.stderr)
            failed = True
        else:
            degraded = degraded or reply["outcome"] != "ok"
    return 1 if failed else 4 if degraded else 0


def _parameters(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "response_format": options.format,
        "num_speakers": options.speakers,
        "language": options.language,
        "task": options.task,
        "diarize": not options.no_diarize,
        "summarize": not options.no_summary,
        "summary_format": "structured",
        "timeout_s": options.timeout,
    }


def _wrong_parameters(parameters: dict[str, Any]) -> str:
    """What is wrong with the options, in their own names; empty if nothing is. Found before a second is spent on loading."""
    try:
        InferenceConfig.parse(parameters)
    except InvalidParameters as error:
        return re.sub(r"(?<![^ ])(\w+):", lambda field: f"{_OPTIONS.get(field[1], field[1])}:", error.message)
    return ""


def _transcribe(handler: EndpointHandler, file: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    # The file's name names the request, and so the recording in RTTM, which scorers match by.
    request_id = re.sub(r"[^A-Za-z0-9._:\-]", "_", file.stem)[:128]
    with progress_of(shown(file)) as on_progress:
        recording = read_recording(file, handler.settings.max_audio_bytes)
        return handler({"inputs": recording, "parameters": {**parameters, "request_id": request_id}}, on_progress=on_progress)


def _tell(reply: dict[str, Any], file: Path, turnless: bool) -> None:
    """`turnless`: what was asked for holds turns only, and nobody is told apart."""
    for warning in reply["warnings"]:
        print(f"{shown(file)}: {warning['stage']}: {warning['message']}", file=sys.stderr)
    if reply["summarize"] == [{"summary_text": NO_SPEECH}] or not reply["text"].strip():
        nothing = "no turns to write: diarization is off" if turnless else "no speech was found"
        print(f"{shown(file)}: {nothing}", file=sys.stderr)


def _write(reply: dict[str, Any], options: argparse.Namespace, file: Path, name: str) -> None:
    is_json = options.format in _JSON_FORMATS
    if options.out is not None:
        text = json.dumps(reply, ensure_ascii=False, indent=2) + "\n" if is_json else reply["text"]
        write_text(options.out / name, text)
        print(f"{shown(file)}: done, {reply['duration']:.1f} s of audio -> {options.out / name}", file=sys.stderr)
    elif is_json:
        print(json.dumps(reply, ensure_ascii=False))  # one document a line, so that several files can be told apart
    else:
        if len(options.files) > 1:
            print(f"==> {shown(file)} <==")
        if text := reply["text"].rstrip("\n"):
            print(text)
