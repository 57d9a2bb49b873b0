"""The figures of `benchmarks.whole_job` as text, and which promises they keep: nothing here but what the JSON file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from benchmarks.whole_job_systems import COMPUTE_TYPES, DEFAULT_BEAMS, OURS, OURS_INT8, TUTORIAL, batched
from evaluation.checks import Check, check_table
from evaluation.report import aligned

Figures = Mapping[str, Any]

BYTES_PER_S = 64_000
"""A waveform: float32 at 16 kHz."""

TUTORIAL_RATIO, ASR_RATIO, GROWTH = 4.0, 1.0, 1.1
SHORT_S, LONG_S = 600.0, 3600.0
ERRORS = {"wer": "WER", "der": "DER", "cp_wer": "cpWER"}
BEAMS = {DEFAULT_BEAMS: "default beams", 1: "greedy"}
DIGITS = 3
"""Of an error rate: what differs by less than that is no worse."""


def text(figures: Figures) -> str:
    """Every table that the figures allow, each below the machine it was measured on, then the promises."""
    parts = []
    machine = None
    for title, table in (("job", _job), ("asr", _asr), ("lengths", _lengths), ("shapes", _shapes)):
        if title in figures:
            if figures[title]["machine"] != machine:
                machine = figures[title]["machine"]
                parts.append("\n".join(f"{name}: {value}" for name, value in machine.items()))
            parts += table(figures[title])
    return "\n\n".join([*parts, check_table(checks(figures))]) + "\n"


def ratio(rows: Mapping[str, Figures], peer: str, own: str, clock: str = "wall_s") -> float:
    """How many times as long a peer takes as ours: the median of the rounds."""
    return float(median(theirs / ours for theirs, ours in zip(rows[peer][clock], rows[own][clock], strict=True)))


# --- Tables ----------------------------------------------------------------------------------------------------------


def _job(figures: Figures) -> Iterator[str]:
    yield (
        f"THE WHOLE JOB, file to reply: {figures['seconds'] / 60:.1f} minutes of held-out dialogue, {figures['voices']} voices,"
        f" {figures['words']} words;\ntests/models/whisper-tiny and pyannote-tiny in every system, language given, no summary;"
        f" {_rounds(figures)}.\n"
        "asr, diarize, merge: wall seconds; in ours the first two run at the same time. ratios: system / ours.\n"
        "whisperX has no word times, since its alignment needs a wav2vec2 model, which cannot be had here:\n"
        "each of its chunks of up to 30 s is one speaker's."
    )
    heading = (
        "system",
        "wall s",
        "CPU s",
        "peak MB",
        "asr",
        "diarize",
        "merge",
        "WER",
        "DER",
        "cpWER",
        "speakers",
        "wall",
        "CPU",
    )
    rows = [
        (
            *_cost(name, one),
            *(_number(one["stages_s"].get(stage), 2) for stage in ("asr", "diarize", "merge")),
            *(_number(one[measure], DIGITS) for measure in ERRORS),
            str(one["speakers"]),
            *_ratios(figures["rows"], name, OURS),
        )
        for name, one in _there(figures["rows"]).items()
    ]
    yield aligned([heading, *rows, *_missing(figures["rows"], len(heading))])


def _asr(figures: Figures) -> Iterator[str]:
    rows = figures["rows"]
    own = best_of_ours(rows)
    yield (
        f"ASR ALONE, samples to text, the same dialogue and weights, {_rounds(figures)}.\n"
        "Ours and faster-whisper give word times, the others do not. faster-whisper's and whisperX's default is 5 beams.\n"
        f"ratios: system / our best engine here, which is: {own}"
    )
    heading = ("system", "wall s", "CPU s", "peak MB", "WER", "sub/del/ins", "wall", "CPU")
    table = [
        (
            *_cost(name, one),
            _number(one["wer"], 4),
            "/".join(_number(one[kind], 0) for kind in ("substitutions", "deletions", "insertions")),
            *_ratios(rows, name, own),
        )
        for name, one in _there(rows).items()
    ]
    yield aligned([heading, *table, *_missing(rows, len(heading))])


def _lengths(figures: Figures) -> Iterator[str]:
    yield (
        f"HOW IT GROWS: the whole job, each system and length in a fresh process, {figures['threads']} threads; a first 10 s"
        " are not counted.\nPeaks hold everything: libraries, models, the file and the waveform (64 kB a second)."
        " Several peaks:\nof so many processes; their medians are compared."
    )
    rows = []
    for name, by_length in figures["rows"].items():
        for seconds in figures["seconds"]:
            one = by_length.get(f"{seconds:g}", {"left_out": "not asked for"})
            label = f"{name}, {_length(seconds)}"
            if "left_out" in one:
                rows.append((label, f"left out: {one['left_out']}", *[""] * 3))
                continue
            speed = f"{seconds / one['wall_s']:.0f}"
            peaks = " ".join(_number(peak, 0) for peak in sorted(one["peaks_mb"]))
            rows.append((label, _number(one["wall_s"], 2), _number(one["cpu_s"], 2), speed, peaks))
    yield aligned([("system, audio", "wall s", "CPU s", "x real time", "peak MB"), *rows])


def _shapes(figures: Figures) -> Iterator[str]:
    yield (
        f"SPEED ALONE of ASR: random weights of real shapes, {figures['tokens']} tokens for each of the peer's windows, as many"
        f" in all for ours;\n{_rounds(figures)}. What is written is nonsense, so there is no accuracy.\n"
        "Of each kind, the compute type that is faster here. ratios: system / our best engine here."
    )
    heading = ("shape, system", "audio s", "windows", "tokens", "wall s", "CPU s", "peak MB", "wall", "CPU")
    rows: list[tuple[str, ...]] = []
    for shape, one in figures["shapes"].items():
        own = best_of_ours(one["rows"])
        for name, row in _there(one["rows"]).items():
            label, *cost = _cost(f"{shape}  {name}", row)
            counts = (f"{one['seconds']:.0f}", _number(row["windows"], 0), _number(row["tokens"], 0))
            rows.append((label, *counts, *cost, *_ratios(one["rows"], name, own)))
        rows += _missing(one["rows"], len(heading))
    yield aligned([heading, *rows])


def _cost(name: str, row: Figures) -> tuple[str, ...]:
    return (name, _number(median(row["wall_s"]), 2), _number(median(row["cpu_s"]), 2), _number(row["peak_mb"], 0))


def _ratios(rows: Mapping[str, Figures], name: str, own: str) -> tuple[str, ...]:
    if own not in _there(rows):
        return "-", "-"
    return tuple(f"{ratio(rows, name, own, clock):.2f}" for clock in ("wall_s", "cpu_s"))


def _rounds(figures: Figures) -> str:
    count = figures["rounds"]
    return f"{figures['threads']} threads each, {count} round{'s' if count > 1 else ''} in turn, medians"


def _length(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"


def _there(rows: Mapping[str, Figures]) -> dict[str, Figures]:
    return {name: one for name, one in rows.items() if "missing" not in one}


def _missing(rows: Mapping[str, Figures], width: int) -> list[tuple[str, ...]]:
    return [(f"{name}: {one['missing']}", *[""] * (width - 1)) for name, one in rows.items() if "missing" in one]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


# --- Promises --------------------------------------------------------------------------------------------------------


def checks(figures: Figures) -> list[Check]:
    """What must be reached, of the parts and systems that were measured."""
    found: list[Check] = []
    if "job" in figures:
        found += _job_checks(_there(figures["job"]["rows"]))
    if "asr" in figures:
        found += _asr_checks("ASR alone", _there(figures["asr"]["rows"]))
    if "shapes" in figures:
        for shape, one in figures["shapes"]["shapes"].items():
            found += _asr_checks(f"ASR alone, shape of {shape}", _there(one["rows"]))
    if "lengths" in figures:
        found += [
            check for name in (OURS, OURS_INT8) for check in _memory_checks(name, figures["lengths"]["rows"].get(name, {}))
        ]
    return found


def _job_checks(rows: Mapping[str, Figures]) -> Iterator[Check]:
    must = f">= {TUTORIAL_RATIO:.2f}"
    if not {OURS, TUTORIAL} <= set(rows):
        yield Check("whole job", f"{TUTORIAL} / ours, wall", "not measured", must, False)
        return
    reached = ratio(rows, TUTORIAL, OURS)
    yield Check("whole job", f"{TUTORIAL} / ours, wall", f"{reached:.2f}", must, reached >= TUTORIAL_RATIO)
    for measure, title in ERRORS.items():
        yield _no_worse("whole job", f"{title}, the tutorial handler's", rows[OURS][measure], rows[TUTORIAL][measure])


def _asr_checks(subject: str, rows: Mapping[str, Figures]) -> Iterator[Check]:
    for beams, told in BEAMS.items():
        peers = [name for compute_type in COMPUTE_TYPES if (name := batched(compute_type, beams)) in rows]
        if not peers or not any(_is_ours(name) for name in rows):
            continue
        peer = min(peers, key=lambda name: median(rows[name]["wall_s"]))
        own = best_of_ours(rows, rows[peer].get("wer"))
        reached = ratio(rows, peer, own)
        measure = f"faster-whisper, batched, {told} / {own}, wall"
        yield Check(subject, measure, f"{reached:.2f}", f">= {ASR_RATIO:.2f}", reached >= ASR_RATIO)
        if "wer" in rows[own]:
            yield _no_worse(subject, f"WER of {own}, faster-whisper's", rows[own]["wer"], rows[peer]["wer"], digits=4)


def _memory_checks(name: str, by_length: Mapping[str, Figures]) -> Iterator[Check]:
    """The audio itself is there twice: the file, which the caller holds, and the waveform."""
    short, long = (by_length.get(f"{seconds:g}", {}) for seconds in (SHORT_S, LONG_S))
    if "peaks_mb" not in short or "peaks_mb" not in long:
        return
    audio_mb = (LONG_S - SHORT_S) * BYTES_PER_S / 1e6 + long["file_mb"] - short["file_mb"]
    grown = median(long["peaks_mb"]) - median(short["peaks_mb"])
    measure = f"peak grows from 10 to 60 min by, MB; file and waveform: {audio_mb:.0f}"
    yield Check(name, measure, f"{grown:.0f}", f"<= {GROWTH * audio_mb:.0f}", grown <= GROWTH * audio_mb)


def _no_worse(subject: str, measure: str, own: float, peer: float, digits: int = DIGITS) -> Check:
    ok = round(own, digits) <= round(peer, digits)
    return Check(subject, measure, f"{own:.{digits}f}", f"<= {peer:.{digits}f}", ok)


def best_of_ours(rows: Mapping[str, Figures], most_wer: float | None = None) -> str:
    """Our fastest engine of those that make no more errors than `most_wer`; if none does, or none is asked for, of them all."""
    own = [name for name in _there(rows) if _is_ours(name)] or [OURS]
    good = [name for name in own if most_wer is not None and rows[name]["wer"] <= most_wer]
    return min(good or own, key=lambda name: median(rows[name]["wall_s"]) if name in rows else 0.0)


def _is_ours(name: str) -> bool:
    return name.startswith(OURS)
