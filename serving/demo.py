"""`python -m serving demo [FILE]`: the whole job on one recording, shown so that a newcomer sees what comes back."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from roundtable.errors import RoundtableError
from roundtable.formats import render
from serving.engines import load_handler
from serving.files import check_readable, make_folder, read_recording, shown, write_text
from serving.progress import progress_of

HELP = "Show the whole job on one recording: transcript by speaker, summary, speaking shares, timings."

_SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "meeting.flac"
_UNWRAPPED = 100_000
"""A pipe has no width: whoever reads it wants one line a turn."""

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", type=Path, default=_SAMPLE, metavar="FILE", help="a recording (default: a sample)")
    parser.add_argument("--speakers", type=int, metavar="N", help="exactly this many people speak (default: find out)")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where JSON and SRT go (default: out)")


def run(options: argparse.Namespace) -> int:
    check_readable([options.file])
    make_folder(options.out)
    handler = load_handler()
    try:
        with progress_of(shown(options.file)) as on_progress:
            recording = read_recording(options.file, handler.settings.max_audio_bytes)
            request = {"inputs": recording, "parameters": {"num_speakers": options.speakers}}
            conversation = handler.converse(request, on_progress=on_progress)
    except RoundtableError as error:
        print(f"error: {shown(options.file)}: {error.message} ({error.code})", file=sys.stderr)
        return 1
    reply: dict[str, Any] = render(conversation, "json", structured_summary=True)
    show(reply, Console(width=None if sys.stdout.isatty() else _UNWRAPPED))
    json_file, srt_file = (options.out / f"{options.file.stem}.{ending}" for ending in ("json", "srt"))
    write_text(json_file, json.dumps(reply, ensure_ascii=False, indent=2) + "\n")
    write_text(srt_file, str(render(conversation, "srt")["text"]))
    print(f"\nJSON  {json_file}\nSRT   {srt_file}")
    return 0 if reply["outcome"] == "ok" else 4


def show(reply: dict[str, Any], console: Console) -> None:
    """Print a reply for people to read: a colour per speaker, plain text where there is no terminal."""
    speakers = [stats["speaker"] for stats in reply["speaker_stats"]]
    style = {speaker: _COLOURS[number % len(_COLOURS)] for number, speaker in enumerate(speakers)}

    _heading(console, "Transcript")
    if not reply["text"]:
        console.print("(no speech was found)")
    passages = reply["speakers"] or reply["chunks"]
    table = Table.grid(padding=(0, 2))  # so that long turns hang below their own first word
    for turn in passages:
        speaker = turn.get("speaker") or "-"
        cells = (_clock(turn["timestamp"][0]), speaker, turn["text"].strip())
        if console.is_terminal:
            colour = style.get(speaker, "")
            table.add_row(
                *(Text(cell, style=look) for cell, look in zip(cells, ("dim", f"bold {colour}", colour), strict=True))
            )
        else:
            console.print(Text("  ".join(cells)))
    if table.row_count:
        console.print(table)

    summary = reply["summary"]
    if summary is not None:
        _heading(console, "Summary")
        console.print(Text(reply["summarize"][0]["summary_text"]))
        for title, key in (("Key points", "key_points"), ("Decisions", "decisions"), ("Action items", "action_items")):
            if summary[key]:
                _heading(console, title)
                for point in summary[key]:
                    console.print(_point(point, passages))

    if speakers:
        _heading(console, "Speaking time")
        for stats in reply["speaker_stats"]:
            bar = "█" * round(30 * stats["share"])
            row = f"{stats['speaker']}  {stats['seconds']:6.1f} s  {stats['share']:4.0%}  {stats['words']:4d} words  "
            console.print(Text(row + bar, style=style[stats["speaker"]]))

    _heading(console, "Timings (asr and diarize run side by side)")
    console.print(Text("  ".join(f"{name.removesuffix('_s')} {seconds:.2f} s" for name, seconds in reply["timings"].items())))
    console.print(Text(f"{reply['duration']:.1f} s of audio; {', '.join(f'{k}: {v}' for k, v in reply['models'].items())}"))
    for warning in reply["warnings"]:
        console.print(Text(f"warning: {warning['stage']}: {warning['message']}", style="yellow"))


def _heading(console: Console, title: str) -> None:
    console.print(Text(f"\n{title}", style="bold underline"))


def _point(point: dict[str, Any], passages: list[dict[str, Any]]) -> Text:
    """`- what (owner, due)  [when it was said]`."""
    said = point.get("text") or point["task"]
    who_and_when = ", ".join(value for value in (point.get("owner"), point.get("due")) if value)
    times = ", ".join(_clock(passages[number]["timestamp"][0]).strip() for number in point["evidence"])
    return Text(f"- {said}{f' ({who_and_when})' if who_and_when else ''}  [{times}]")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes:3d}:{seconds:02d}"
