"""The whole job with both trained tiny models, on dialogues that neither heard: who said what, from bytes to the reply.

The handler as it is, `tests/models/whisper-tiny` and `tests/models/pyannote-tiny`, the number of speakers not given. The
dialogues are those that the pipeline's own judge holds back (`judge_pyannote.HELD_OUT`): two, three and four voices in turn,
in quiet and in noisy rooms. Nothing was chosen by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.cases import sample_cases
from evaluation.checks import Check
from evaluation.machine import ROOT
from evaluation.measures import run_case
from evaluation.report import announced, as_json, table
from evaluation.score import Score, pooled

MOST_DER, MOST_CP_WER, RIGHT_COUNT_SHARE = 0.10, 0.15, 0.9
MODELS = ROOT / "tests" / "models"


def dialogues(scratch: Path, count: int, minutes: float) -> dict[str, Any]:
    """The first so many of them, scored each by itself and all together. flite and espeak-ng, which speak them, are needed."""
    from config import ModelSettings
    from handler import EndpointHandler

    folder = scratch / "dialogues"
    folder.mkdir()
    speak(folder, count, minutes)
    tiny = {"asr_model": str(MODELS / "whisper-tiny"), "diarization_model": str(MODELS / "pyannote-tiny")}
    converse = EndpointHandler(settings=ModelSettings.load(**tiny)).converse
    recordings = sample_cases(folder)
    scores = [run_case(converse, recording) for recording in announced(recordings, lambda recording: recording.name)]
    total = pooled(scores)
    return {
        "minutes": minutes,
        "count": count,
        "der": _value(total, "der"),
        "cp_wer": _value(total, "cp_wer"),
        "right_count": sum(_value(score, "speaker_count") == 0.0 for score in scores),
        "table": table(scores),
        **as_json(scores),
    }


def speak(folder: Path, count: int, minutes: float) -> None:
    """Write the recordings with their references, each named by its seed."""
    from samples.make_samples import write_flac, write_references
    from tests.models.held_out import turns
    from tests.models.judge_pyannote import HELD_OUT, cases

    spoken = zip(HELD_OUT, cases("dialogue", HELD_OUT, minutes), strict=True)
    for _ in announced(range(count), lambda number: f"speaking {number + 1}"):
        seed, case = next(spoken)
        write_flac(folder / f"{seed}.flac", case.recording.samples)
        write_references(folder, str(seed), turns(case.recording))


def text(figures: Mapping[str, Any]) -> str:
    return (
        f"DIALOGUES, the whole job with both tiny models: {figures['count']} of {figures['minutes']:g} minutes, held out,"
        f" the number of speakers not given\n{figures['table'].rstrip()}"
    )


def checks(figures: Mapping[str, Any]) -> list[Check]:
    """What must be reached, over all dialogues together."""
    name, der, cp_wer, right = "tiny models, whole job", figures["der"], figures["cp_wer"], figures["right_count"]
    enough = RIGHT_COUNT_SHARE * figures["count"]
    return [
        Check(name, "DER", f"{der:.3f}", f"<= {MOST_DER:.2f}", der <= MOST_DER),
        Check(name, "cpWER", f"{cp_wer:.3f}", f"<= {MOST_CP_WER:.2f}", cp_wer <= MOST_CP_WER),
        Check(name, "right number of speakers", f"{right} of {figures['count']}", f">= {enough:.0f}", right >= enough),
    ]


def _value(score: Score, measure: str) -> float:
    value: float = getattr(score, measure).value
    return value
