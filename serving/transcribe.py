"""`python -m serving transcribe FILE...`: recordings to transcripts, subtitles or JSON; one model load for all of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, get_args

from config import ResponseFormat
from handler import EndpointHandler
from roundtable.errors import RoundtableError
from serving.engines import load_handler
from serving.progress import progress_of

HELP = "Transcribe recordings: any audio or video file that FFmpeg reads."

_JSON_FORMATS = ("json", "verbose_json", "diarized_json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a recording")
    parser.add_argument(
        "--format", default="txt", choices=get_args(ResponseFormat), help="what to write (default: txt, a line per turn)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write DIR/NAME.FORMAT instead of printing; made if missing")
    parser.add_argument("--speakers", type=int, metavar="N", help="exactly this many people speak (default: find out)")
    parser.add_argument("--language", metavar="CODE", help="the language spoken, such as en (default: the engine's choice)")
    parser.add_argument("--task", default="transcribe", choices=("transcribe", "translate"), help="translate writes English")
    parser.add_argument("--no-diarize", action="store_true", help="do not tell speakers apart")
    parser.add_argument("--no-summary", action="store_true", help="do not summarize")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="give up on a recording after this long")


def run(options: argparse.Namespace) -> int:
    """Transcribe each file. A file that fails is reported on stderr and does not stop the others."""
    if unreadable := [file for file in options.files if not file.is_file()]:
        for file in unreadable:
            print(f"error: {file.name}: no such file", file=sys.stderr)
        return 2
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    parameters = {
        "response_format": options.format,
        "num_speakers": options.speakers,
        "language": options.language,
        "task": options.task,
        "diarize": not options.no_diarize,
        "summarize": not options.no_summary,
        "summary_format": "structured",
        "timeout_s": options.timeout,
    }
    handler = load_handler()
    failed = degraded = False
    for file, name in zip(options.files, _output_names(options.files, options.format), strict=True):
        reply = _transcribe(handler, file, parameters)
        if reply is None:
            failed = True
            continue
        for warning in reply["warnings"]:
            print(f"{file.name}: {warning['stage']}: {warning['message']}", file=sys.stderr)
        degraded = degraded or reply["outcome"] != "ok"
        _write(reply, options, file, name)
    return 1 if failed else 4 if degraded else 0


def _transcribe(handler: EndpointHandler, file: Path, parameters: dict[str, Any]) -> dict[str, Any] | None:
    try:
        with progress_of(file.name) as on_progress:
            return handler({"inputs": file.read_bytes(), "parameters": parameters}, on_progress=on_progress)
    except RoundtableError as error:
        print(f"error: {file.name}: {error.message} ({error.code})", file=sys.stderr)
        return None


def _write(reply: dict[str, Any], options: argparse.Namespace, file: Path, name: str) -> None:
    is_json = options.format in _JSON_FORMATS
    if options.out is not None:
        text = json.dumps(reply, ensure_ascii=False, indent=2) + "\n" if is_json else reply["text"]
        target = options.out / name
        partial = target.with_name(target.name + ".part")  # a run that is killed leaves no half-written transcript
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
        print(f"{file.name}: done, {reply['duration']:.1f} s of audio -> {target}", file=sys.stderr)
    elif is_json:
        print(json.dumps(reply, ensure_ascii=False))  # one document a line, so that several files can be told apart
    else:
        if len(options.files) > 1:
            print(f"==> {file.name} <==")
        print(reply["text"].rstrip("\n"))


def _output_names(files: list[Path], response_format: str) -> list[str]:
    """A name per file. Two recordings that differ only in their folder or ending must not overwrite each other."""
    extension = "json" if response_format in _JSON_FORMATS else response_format
    stems = Counter(file.stem for file in files)
    names: list[str] = []
    for file in files:
        stem = file.stem if stems[file.stem] == 1 else file.name
        name, number = f"{stem}.{extension}", 2
        while name in names:
            name, number = f"{stem}-{number}.{extension}", number + 1
        names.append(name)
    return names
