"""`python -m evaluation.run`: the real handler on every recording at hand, scored, beside what it must reach.

Recordings: `samples/*.flac` with their STM and RTTM, the clips of `samples/edge/` in which nobody speaks (or hardly), and the
real phone call that the installed pyannote.audio package carries, once with the number of speakers given and once without.
Engines: those the environment names (ASR_MODEL, …), the embedded ones for what it does not name. The dialogues of
`tests/models/held_out/` are for the tiny Whisper beside them, whatever the environment names: it knows no other speech.

Turns are scored as the diarizer reports them (the rttm format), words as the reply has them (json). The time of a recording
is the wall time of the whole job, from bytes to both formats, on this machine as busy as it is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TypeVar, cast

from evaluation.readers import Recording, read, read_reply
from evaluation.report import aligned, as_json, table
from evaluation.score import Rate, Score, score
from roundtable.errors import RoundtableError
from roundtable.formats import render
from roundtable.transcript import Conversation

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED = "embedded"
SETTINGS = ("ASR_MODEL", "DIARIZATION_MODEL", "SUMMARIZE_MODEL")
PACKAGES = (
    "torch",
    "transformers",
    "pocketsphinx",
    "silero-vad",
    "scikit-learn",
    "pyannote.audio",
    "pyannote.metrics",
    "meeteval",
    "jiwer",
)

SPOKEN = {"wer": 0.20, "der": 0.15, "cp_wer": 0.35, "speaker_count": 0.0, "real_time": 1.0}
PHONE_CALL_TOLD = {"der": 0.20, "real_time": 1.0}
PHONE_CALL = {"speaker_count": 0.0, "real_time": 1.0}
"""The most that each measure may be."""

HELD_OUT = {"wer": 0.05, "real_time": 1.0}

WORDLESS = frozenset(("silence", "noise", "tone"))
"""The edge clips in which nothing at all is said."""

CONSTRUCTOR_S = 5.0

Converse = Callable[[dict[str, object]], Conversation]
"""`EndpointHandler.converse`: a request to a conversation."""


@dataclass(frozen=True, slots=True)
class Case:
    """One call: a recording, what is known about it, and the most that each measure may be."""

    name: str
    audio: Path
    reference: Recording
    at_most: Mapping[str, float]
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """What came of a clip without conversation; `error` is a code, and then there is nothing else."""

    name: str
    text: str
    speakers: tuple[str, ...]
    summary: str
    error: str
    rtf: float | None


@dataclass(frozen=True, slots=True)
class Check:
    """One promise and what was measured."""

    recording: str
    measure: str
    measured: str
    must_reach: str
    ok: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 1 with --strict if anything fell short."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.run", description="Quality and speed of the handler on every recording at hand."
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every figure as JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a figure falls short")
    options = parser.parse_args(arguments)

    for name in SETTINGS:
        os.environ.setdefault(name, EMBEDDED)
    from config import ModelSettings
    from handler import EndpointHandler  # late: a process that only wants --help loads no engine

    begun_s = time.perf_counter()
    converse: Converse = EndpointHandler().converse
    constructor_s = time.perf_counter() - begun_s

    machine = describe_machine()
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    cases = [*sample_cases(ROOT / "samples"), *phone_call_cases()]
    scores = [run_case(converse, case) for case in announced(cases, lambda case: case.name)]
    models = ROOT / "tests" / "models"
    if held_out := sample_cases(models / "held_out", HELD_OUT, "tiny Whisper, "):
        settings = ModelSettings.load(asr_model=str(models / "whisper-tiny"), diarization_model=EMBEDDED)
        tiny = EndpointHandler(settings=settings).converse
        scores += [run_case(tiny, case) for case in announced(held_out, lambda case: case.name)]
        cases += held_out
    clips = sorted((ROOT / "samples" / "edge").glob("*.flac"))
    edges = [run_edge(converse, clip) for clip in announced(clips, lambda clip: clip.stem)]
    checks = [
        *(check for case, one in zip(cases, scores, strict=True) for check in score_checks(case, one)),
        *(check for edge in edges for check in edge_checks(edge)),
        Check("-", "constructor, s", f"{constructor_s:.1f}", f"<= {CONSTRUCTOR_S:.1f}", constructor_s <= CONSTRUCTOR_S),
    ]
    print(f"\n{table(scores)}\n{edge_table(edges)}\n\n{check_table(checks)}")
    if options.json is not None:
        figures = {"machine": machine, **as_json(scores), "edge": list(map(asdict, edges)), "checks": list(map(asdict, checks))}
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if options.strict and not all(check.ok for check in checks) else 0


_Item = TypeVar("_Item")


def announced(items: Sequence[_Item], name: Callable[[_Item], str]) -> Iterator[_Item]:
    """The items, each named on stderr as its turn comes: a recording takes up to its own length."""
    for place, item in enumerate(items, 1):
        print(f"{place}/{len(items)} {name(item)}", file=sys.stderr, flush=True)
        yield item


# --- Recordings ------------------------------------------------------------------------------------------------------


def sample_cases(folder: Path, at_most: Mapping[str, float] = SPOKEN, heard_by: str = "") -> list[Case]:
    """Every recording of the folder that has both references."""
    return [
        Case(heard_by + audio.stem, audio, read(audio.with_suffix(".stm"), audio.with_suffix(".rttm")), at_most)
        for audio in sorted(folder.glob("*.flac"))
        if audio.with_suffix(".stm").is_file() and audio.with_suffix(".rttm").is_file()
    ]


def phone_call_cases() -> list[Case]:
    """pyannote.audio's sample, from where that package lies: told that two people speak, and not told."""
    package = importlib.util.find_spec("pyannote.audio")
    if package is None or not package.submodule_search_locations:
        return []
    stem = Path(package.submodule_search_locations[0], "sample", "sample")
    reference = read(stem.with_suffix(".stm"), stem.with_suffix(".rttm"))
    audio = stem.with_suffix(".wav")
    return [
        Case("phone call, told 2", audio, reference, PHONE_CALL_TOLD, {"num_speakers": 2}),
        Case("phone call", audio, reference, PHONE_CALL),
    ]


def run_case(converse: Converse, case: Case) -> Score:
    """The whole job on one recording, scored. An error of the handler is the caller's to see."""
    heard = listen(converse, case.audio, case.parameters)
    return replace(score(heard, case.reference), name=case.name)


def listen(converse: Converse, audio: Path, parameters: Mapping[str, object]) -> Recording:
    """Words from the json format, turns from the rttm format, and the wall time from bytes to both."""
    data = audio.read_bytes()
    begun_s = time.perf_counter()
    conversation = converse({"inputs": data, "parameters": dict(parameters)})
    reply = render(conversation, "json")
    rttm = None if conversation.diarization is None else str(render(conversation, "rttm")["text"])
    wall_s = time.perf_counter() - begun_s
    return replace(read_reply(reply, audio.name, rttm), wall_s=wall_s)


def run_edge(converse: Converse, audio: Path) -> Edge:
    """A clip without conversation: the reply as it is, or the code of the error."""
    begun_s = time.perf_counter()
    try:
        reply = render(converse({"inputs": audio.read_bytes(), "parameters": {}}), "json")
    except RoundtableError as error:
        return Edge(audio.stem, "", (), "", error.code, None)
    wall_s = time.perf_counter() - begun_s
    heard = read_reply(reply, audio.name)
    speakers = tuple(sorted({turn.speaker for turn in heard.turns or ()}))
    summary = " ".join(entry["summary_text"] for entry in cast(list[dict[str, str]], reply["summarize"]))
    return Edge(audio.stem, str(reply["text"]), speakers, summary, "", wall_s / (heard.duration_s or wall_s))


# --- Promises --------------------------------------------------------------------------------------------------------

_MEASURES = {"wer": "WER", "der": "DER", "cp_wer": "cpWER", "speaker_count": "speakers wrong", "real_time": "real-time factor"}


def score_checks(case: Case, measured: Score) -> list[Check]:
    """What this recording must reach, beside what it did."""
    checks = []
    for measure, limit in case.at_most.items():
        rate: Rate | None = getattr(measured, measure)
        value = None if rate is None else rate.errors if measure == "speaker_count" else rate.value
        text = "-" if value is None else f"{value:.3f}" if measure != "speaker_count" else f"{value:.0f}"
        wanted = f"<= {limit:.2f}" if measure != "speaker_count" else f"{limit:.0f}"
        checks.append(Check(case.name, _MEASURES[measure], text, wanted, value is not None and value <= limit))
    return checks


def edge_checks(edge: Edge) -> list[Check]:
    """Where nobody speaks: no error, no word, no speaker, and a summary that says so."""
    checks = [Check(edge.name, "error", edge.error or "none", "none", not edge.error)]
    says_so = "no speech" in edge.summary.lower()
    if edge.name in WORDLESS and not edge.error:
        checks += [
            Check(edge.name, "invented words", str(len(edge.text.split())), "0", not edge.text),
            Check(edge.name, "invented speakers", str(len(edge.speakers)), "0", not edge.speakers),
            Check(edge.name, "summary", "says so" if says_so else "does not", "says so", says_so),
        ]
    return checks


def edge_table(edges: Sequence[Edge]) -> str:
    rows = [
        (
            edge.name,
            str(len(edge.text.split())),
            str(len(edge.speakers)),
            edge.error or "-",
            "-" if edge.rtf is None else f"{edge.rtf:.3f}",
        )
        for edge in edges
    ]
    return aligned([("edge clip", "words", "speakers", "error", "RTF"), *rows])


def check_table(checks: Sequence[Check]) -> str:
    rows = [(one.recording, one.measure, one.measured, one.must_reach, "ok" if one.ok else "SHORT") for one in checks]
    short = sum(not check.ok for check in checks)
    verdict = f"{len(checks) - short} of {len(checks)} reached" + (f", {short} SHORT" if short else "")
    return f"{aligned([('recording', 'measure', 'measured', 'must reach', ''), *rows])}\n{verdict}"


# --- Machine ---------------------------------------------------------------------------------------------------------


def describe_machine() -> dict[str, str]:
    """Where the figures come from: processor, Python, packages, commit."""
    versions = {name: version for name in PACKAGES if (version := _version(name))}
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "commit": _commit(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return "unknown"
    command = [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"  # noqa: S603  fixed words


if __name__ == "__main__":
    sys.exit(main())
