"""Every measure of one recording, and of several pooled. What each means is in docs/evaluation.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from evaluation.cases import Case
from evaluation.facts import fact_coverage
from evaluation.invented import invented_words
from evaluation.listen import Converse, Heard, listen
from evaluation.rouge import Rouge, rouge
from evaluation.score import Rate, Score, pooled, score
from evaluation.word_times import starts_off_s


@dataclass(frozen=True, slots=True)
class Measured:
    """One recording's figures. None: the reference does not say, or the reply has no such part.

    `starts_off_s` has a value for each word heard right, in seconds; `stages_s` the seconds of each stage, and stages overlap.
    """

    score: Score
    duration_s: float
    invented: Rate | None = None
    starts_off_s: tuple[float, ...] | None = None
    rouge: Rouge | None = None
    facts: Rate | None = None
    stages_s: Mapping[str, float] = field(default_factory=dict)
    encoder_passes: int | None = None
    """Windows that Whisper's encoder heard, where that is counted."""
    outcome: str = "ok"
    warnings: tuple[str, ...] = ()
    """The reply's, each as `stage: code`, and after them what in the reference looks like a mistake."""

    @property
    def attribution(self) -> float | None:
        """cpWER - ORC-WER: what the wrong speakers cost, in errors per word. None where one of them is not known."""
        cp_wer, orc_wer = self.score.cp_wer, self.score.orc_wer
        if cp_wer is None or orc_wer is None or not cp_wer.length:
            return None
        return (cp_wer.errors - orc_wer.errors) / cp_wer.length


def measure(heard: Heard, case: Case, *, der_collar_s: float = 0.0) -> Measured:
    """Compare one account with what is known. `der_collar_s` is the TOTAL width left out around each border."""
    reference, duration_s = case.reference, heard.recording.duration_s or 0.0
    speakers = {one.speaker for one in reference.utterances or () if one.speaker is not None}
    summary = without_labels(heard.summary)
    return Measured(
        replace(score(heard.recording, reference, der_collar_s=der_collar_s), name=case.name),
        duration_s,
        invented=invented_words(heard.words, reference, duration_s),
        starts_off_s=None
        if case.words is None
        else tuple(starts_off_s([(w.text, w.start) for w in heard.words], [(w.text, w.start) for w in case.words])),
        rouge=None if case.summary is None else rouge(summary, case.summary),
        facts=None if case.summary is None else fact_coverage(summary, case.summary, speakers),
        stages_s=heard.stages_s,
        outcome=heard.outcome,
        warnings=heard.warnings,
    )


def run_case(converse: Converse, case: Case) -> Score:
    """The whole job on one recording, its words and turns scored. An error of the handler is the caller's to see."""
    return measure(listen(converse, case.audio, case.parameters), case).score


def all_together(measured: Sequence[Measured]) -> Measured:
    """All recordings as one: errors, lengths and seconds are added up. ROUGE is the mean of those that have it.

    The outcome is how many were degraded, if any were.
    """
    degraded = sum(one.outcome != "ok" for one in measured)
    rouges = [one.rouge for one in measured if one.rouge is not None]
    passes = [one.encoder_passes for one in measured]
    stages = dict.fromkeys(stage for one in measured for stage in one.stages_s)
    return Measured(
        pooled([one.score for one in measured]),
        sum(one.duration_s for one in measured),
        invented=_added([one.invented for one in measured]),
        starts_off_s=_joined([one.starts_off_s for one in measured]),
        rouge=_mean(rouges) if rouges else None,
        facts=_added([one.facts for one in measured]),
        stages_s={stage: sum(one.stages_s.get(stage, 0.0) for one in measured) for stage in stages},
        encoder_passes=None if None in passes or not passes else sum(count for count in passes if count is not None),
        outcome=f"{degraded} of {len(measured)} degraded" if degraded else "ok",
        warnings=tuple(dict.fromkeys(warning for one in measured for warning in one.warnings)),
    )


def without_labels(text: str) -> str:
    """Without the labels of the speakers at the head of a line, which are no words of a summary."""
    return re.sub(r"(?m)^\w+: ", "", text)


def _added(rates: Sequence[Rate | None]) -> Rate | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known, start=Rate()) if known else None


def _joined(times: Sequence[tuple[float, ...] | None]) -> tuple[float, ...] | None:
    known = [some for some in times if some is not None]
    return tuple(off for some in known for off in some) if known else None


def _mean(rouges: Sequence[Rouge]) -> Rouge:
    count = len(rouges)
    return Rouge(
        sum(one.one for one in rouges) / count,
        sum(one.two for one in rouges) / count,
        sum(one.longest for one in rouges) / count,
    )
