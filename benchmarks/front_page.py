"""The figures of the repository's README.md, from the result files alone: `python -m benchmarks.front_page` (`make figures`).

Nothing there is typed in by hand, and a test fails when the page and the files differ. Each paragraph names the command that
measured it and the commit that it measured. What falls short of what it must reach is listed at the end, whatever it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import (
    asr_tables,
    diarization,
    load_tables,
    merge_tables,
    service_tables,
    summaries_tables,
    whole_job_tables,
)
from benchmarks.whole_job_systems import OURS
from evaluation.checks import Check, checks_of
from evaluation.figures import rate_of
from evaluation.machine import ROOT
from evaluation.report import rate_text, speakers_text

Figures = Mapping[str, Any]

README = ROOT / "README.md"
MARKS = ("<!-- figures of benchmarks.front_page -->", "<!-- end of figures -->")
EVALUATIONS = ("embedded", "tiny-whisper", "tiny-whisper-ctranslate2", "tiny-whisper-pyannote")


def main() -> int:
    """Write the section anew."""
    README.write_text(_between(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def _between(page: str) -> str:
    begin, end = MARKS
    before, rest = page.split(begin)
    return f"{before}{begin}\n\n{section()}\n\n{end}{rest.split(end)[1]}"


def section() -> str:
    """Markdown, from the result files as they lie there."""
    bench = {path.stem: _read(path) for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))}
    evaluated = [_read(ROOT / "evaluation" / "results" / f"{name}.json") for name in EVALUATIONS]
    parts = [
        _machines([*evaluated, *(machine for figures in bench.values() for machine in _machines_of(figures))]),
        *_evaluation(evaluated),
        *_whole_job(bench["whole_job"]),
        *_asr(bench["asr"]),
        *_diarization(bench["diarization"]),
        *_merge(bench["merge"]),
        *_summaries(bench["summaries"]),
        *_service(bench["service"]),
        *_load(bench["load"]),
        *_short(bench, evaluated),
    ]
    return "\n\n".join(parts)


def _machines_of(figures: Figures) -> list[Figures]:
    """A file has one machine, or one for each of its parts."""
    return [part["machine"] for part in (figures, *figures.values()) if isinstance(part, Mapping) and "machine" in part]


def _machines(machines: Sequence[Figures]) -> str:
    names = sorted({f"{machine['processor']}, Python {machine['python']}" for machine in machines})
    return (
        f"Measured on: {'; '.join(names)}. The versions of packages, the load of the machine and the commands are in the files."
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _about(machine: Figures) -> str:
    return f"`{machine['command']}` at commit {machine['commit']}"


# --- Recordings ------------------------------------------------------------------------------------------------------


def _evaluation(runs: Sequence[Figures]) -> Iterator[str]:
    yield "### Recordings"
    yield (
        f"{_about(runs[0])} ([every measure](evaluation/README.md), [what they mean](docs/evaluation.md)). WER"
        " without case and punctuation; DER with a collar of 0, overlap scored; RTF: wall time of the whole job over the"
        " recording's length."
    )
    rows = [(run["engines"], *_recording(row)) for run in runs for row in run["recordings"]]
    yield _table(("engines", "recording", "words", "WER", "cpWER", "DER", "speakers", "words off by, median s", "RTF"), rows)


def _recording(row: Figures) -> tuple[str, ...]:
    rates = (rate_text(rate_of(row[measure])) for measure in ("wer", "cp_wer", "der"))
    times = row["word_times"]
    return (
        row["name"],
        f"{row['wer']['length']:.0f}",
        *rates,
        speakers_text(rate_of(row["speaker_count"])),
        "-" if times is None else f"{times['median_s']:.3f}",
        rate_text(rate_of(row["real_time"])),
    )


# --- Beside the peers ------------------------------------------------------------------------------------------------


def _whole_job(figures: Figures) -> Iterator[str]:
    job = figures["job"]
    yield "### The whole job, beside the peers"
    yield (
        f"{_about(job['machine'])} ([all tables](benchmarks/README.md)): recording to words with times"
        f" and speakers, {job['seconds'] / 60:.1f} minutes of made-up conversation, {job['voices']} voices, {job['threads']}"
        f" threads, the same tiny weights in every system, {job['rounds']} rounds in turn, medians."
    )
    rows = [
        (
            system,
            *(_figure(row, measure) for measure in ("wer", "der", "cp_wer")),
            f"{median(row['wall_s']):.1f}",
            f"{median(row['cpu_s']):.1f}",
            f"{row['peak_mb']:.0f}",
            f"{whole_job_tables.ratio(job['rows'], system, OURS):.2f}",
        )
        for system, row in job["rows"].items()
        if "wall_s" in row
    ]
    yield _table(("system", "WER", "DER", "cpWER", "wall s", "CPU s", "peak MB", "wall / ours"), rows)


def _figure(row: Figures, measure: str) -> str:
    return "-" if row.get(measure) is None else f"{row[measure]:.4f}"


def _asr(figures: Figures) -> Iterator[str]:
    accuracy, shapes = figures["accuracy"], figures["speed"]["shapes"]
    yield "### Whisper"
    yield f"{_about(figures['machine'])}: {accuracy['note']} The same tiny weights in every system."
    rows = [
        (
            system,
            f"{row['total']['wer']:.4f}",
            _starts(row["total"], "start_median_s"),
            _starts(row["total"], "start_p95_s"),
            f"{row['total']['cpu_s']:.1f}",
        )
        for system, row in accuracy["blocks"][0]["systems"].items()
        if "total" in row
    ]
    yield _table(("system", "WER", "words start off by, median s", "95 % under s", "CPU s"), rows)
    yield (
        "Random weights of real shapes, ten minutes, as many tokens in all, the tutorial pipeline's CPU seconds over ours: "
        + "; ".join(f"{shape} {_over_ours(rows)}" for shape, rows in shapes.items())
        + f". {_hour(figures['memory']['rows'])}"
    )


def _starts(total: Figures, measure: str) -> str:
    return f"{total[measure]:.3f}" if total.get(measure) is not None and total["starts"] else "-"


def _over_ours(rows: Figures) -> str:
    ours = median(rows[asr_tables.SAME_TOTAL]["cpu_s"])
    peers = {system: median(row["cpu_s"]) / ours for system, row in rows.items() if system.startswith("pipeline")}
    return ", ".join(f"**{ratio:.1f}** ({system.removeprefix('pipeline, chunked, ')})" for system, ratio in peers.items())


def _hour(rows: Sequence[Figures]) -> str:
    short, long = rows[0], rows[-1]
    grown, waveform = long["peak_mb"] - short["peak_mb"], (long["seconds"] - short["seconds"]) * 64_000 / 1e6
    return (
        f"From {short['seconds'] / 60:.0f} to {long['seconds'] / 60:.0f} minutes the peak grows by {grown:.0f} MB, the waveform"
        f" by {waveform:.0f}."
    )


def _diarization(figures: Figures) -> Iterator[str]:
    speed, memory, talks = figures["speed"], figures["memory"], figures["dialogues"]
    stock, ours = (median(speed["systems"][system]["cpu_s"]) for system in ("stock", "ours"))
    same = "the same" if speed["systems"]["ours"]["same_turns"] else "**not the same**"
    yield "### pyannote"
    yield (
        f"{_about(speed['machine'])}: the real architectures at random weights, {speed['minutes']} minutes,"
        f" {speed['threads']} thread, each at its best batch size: stock {stock:.0f} CPU seconds, ours {ours:.0f}:"
        f" **{stock / ours:.1f} times**; the {speed['turns']} turns of {speed['speakers']} speakers are {same}."
    )
    yield (
        f"{_about(memory['machine'])}: memory, with an embedding network that is {memory['network']}."
        f" {' '.join(_hour_of(memory['rows'], system) for system in ('stock', 'ours'))}"
    )
    total = talks["total"]
    yield (
        f"{_about(talks['machine'])}: with the tiny Whisper, {talks['count']} dialogues of {talks['minutes']} minutes that"
        " nothing was chosen by, the"
        f" number of speakers not given: WER {total['wer']['value']:.3f}, cpWER {talks['cp_wer']:.3f}, DER"
        f" {talks['der']:.3f}, the right number of speakers in {talks['right_count']} of {talks['count']}."
    )


def _hour_of(rows: Sequence[Figures], system: str) -> str:
    timed = [{**row, "seconds": row["minutes"] * 60} for row in rows if row["system"] == system]
    return f"{system.capitalize()}: {_hour(timed)[0].lower()}{_hour(timed)[1:]}"


def _merge(figures: Figures) -> Iterator[str]:
    yield "### Who said what"
    yield (
        f"{_about(figures['machine'])}: {figures['attribution']['note']} Disturbed in three strengths as"
        " engines err; WDER in %, mean of all disturbances, text with / without punctuation."
    )
    with_marks, without = (merge_tables.by_level(block, "wrong") for block in figures["attribution"]["blocks"])
    rows = [
        (a[0], *(f"{x} / {y}" for x, y in zip(a[1:], b[1:], strict=True)))
        for a, b in zip(with_marks[1:], without[1:], strict=True)
    ]
    yield _table(with_marks[0], rows)
    large = figures["speed"][-1]
    raised = {
        name: sum(sum(row["raised"][name].values()) for row in figures["robustness"]["rows"])
        for name in figures["robustness"]["rows"][0]["raised"]
    }
    failed, others = raised.pop("ours"), ", ".join(f"{count:,} ({name})" for name, count in raised.items())
    yield (
        f"{large['turns']:,} turns and {large['words']:,} words take {large['cpu_s']:.1f} CPU seconds and"
        f" {large['peak_mb']:.0f} MB. Of {figures['robustness']['inputs']:,} random inputs with the defects of engines, ours"
        f" fails on {failed}, the others on {others}."
    )


def _summaries(figures: Figures) -> Iterator[str]:
    budget, made_up = figures["budget"], figures["inventions"]
    seen, planted = (sum(row[key] for row in budget if row["prompts"]) for key in ("facts_seen", "facts"))
    invented = sum(made_up["through"].values())
    yield "### Summaries"
    yield (
        f"{_about(figures['machine'])}: of facts planted in conversations of up to"
        f" {max(row['words'] for row in budget):,} words, the models see {seen} of {planted}. Of {made_up['put_in']:,} numbers,"
        f" dates, names and owners that a model made up, {invented} are in the summaries;"
        f" {made_up['told_kept'] / made_up['told']:.0%} of the true statements beside them are kept. Below, summaries"
        " of what was really said, beside a reader's ([those of what was heard](evaluation/README.md))."
    )
    rows = [
        (one["conversation"], system, str(one["words"][system]), *(f"{value:.3f}" for value in rouge.values()))
        for one in figures["quality"]["rows"]
        for system, rouge in one["rouge"].items()
    ]
    yield _table(("conversation", "summary", "words", "ROUGE-1", "ROUGE-2", "ROUGE-L"), rows)


# --- Serving ---------------------------------------------------------------------------------------------------------


def _service(figures: Figures) -> Iterator[str]:
    yield "### As a service"
    about = _about(figures["machine"])
    yield f"{about}: what the handler takes beyond its engines, and how soon a process answers."
    rows = [(check.recording, check.measure, check.measured, check.must_reach) for check in service_tables.checks(figures)]
    yield _table(("what", "measure", "measured", "must reach"), rows)


def _load(figures: Figures) -> Iterator[str]:
    about = _about(figures["machine"])
    yield f"{about}: requests that do not wait for each other, against a host on this machine."
    rows = []
    for run in figures["runs"]:
        rows += [
            (run["server"], check.measure, check.measured, check.must_reach)
            for check in load_tables.checks({**figures, "runs": [run]})
        ]
    yield _table(("host", "measure", "measured", "must reach"), rows)


# --- What falls short ------------------------------------------------------------------------------------------------

_CHECKS: Mapping[str, Callable[[Any], Sequence[Any]]] = {
    "whole_job": whole_job_tables.checks,
    "asr": asr_tables.checks,
    "diarization": diarization.checks,
    "merge": merge_tables.checks,
    "summaries": summaries_tables.checks,
    "service": service_tables.checks,
    "load": load_tables.checks,
}

_VERBS = {"whole_job": "bench"}


_MUSTS = {
    "whole_job": ("job", "asr", "lengths", "shapes"),
    "asr": ("accuracy", "speed", "memory"),
    "diarization": ("speed", "memory", "dialogues"),
    "merge": ("speed", "attribution", "robustness"),
    "summaries": ("speed", "budget", "trained", "inventions", "quality", "hosts"),
    "service": ("start", "overhead"),
    "load": ("runs",),
}
"""The parts of each file of which something is promised: what nobody has measured falls short."""


def _short(bench: Mapping[str, Figures], evaluated: Sequence[Figures]) -> Iterator[str]:
    found = {_VERBS.get(name, f"bench-{name}"): list(check(bench[name])) for name, check in _CHECKS.items()}
    for name, parts in _MUSTS.items():
        found[_VERBS.get(name, f"bench-{name}")] += [
            Check(part, "all of it", "not measured", "measured", False) for part in parts if part not in bench[name]
        ]
    found["evaluate"] = [check for run in evaluated for check in checks_of(run["checks"])]
    rows = [
        (f"`make {verb}`", check.recording, check.measure, check.measured, check.must_reach)
        for verb, checks in found.items()
        for check in checks
        if not check.ok
    ]
    asked = sum(map(len, found.values()))
    yield "### What falls short"
    yield f"{asked - len(rows)} of {asked} figures reach what they must." + ("" if rows else " None falls short.")
    if rows:
        yield _table(("command", "what", "measure", "measured", "must reach"), rows)


if __name__ == "__main__":
    sys.exit(main())
