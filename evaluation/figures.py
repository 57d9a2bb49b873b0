"""Measured things as JSON, and the rates in it back again: the files in evaluation/results/ are all that tables are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.measures import Measured
from evaluation.normalize import NAME as NORMALIZER
from evaluation.report import rate_json, score_json
from evaluation.score import TCP_COLLAR_S, Rate

Figures = dict[str, Any]

_NOT_PARTS = frozenset(("value", "errors", "length"))


def method(der_collar_s: float) -> Figures:
    """What figures are comparable only with."""
    return {"normalizer": NORMALIZER, "tcp_wer_collar_s": TCP_COLLAR_S, "der_collar_total_s": der_collar_s}


def figures_of(measured: Measured) -> Figures:
    """One recording's row. Shares and ROUGE have four decimals, seconds three or four; None where a measure is not known."""
    duration_s, attribution = measured.duration_s, measured.attribution
    return {
        **score_json(measured.score),
        "outcome": measured.outcome,
        "warnings": list(measured.warnings),
        "duration_s": round(duration_s, 3),
        "attribution": None if attribution is None else round(attribution, 4),
        "invented": rate_json(measured.invented),
        "word_times": _word_times(measured.starts_off_s),
        "rouge": None
        if measured.rouge is None
        else {
            "1": round(measured.rouge.one, 4),
            "2": round(measured.rouge.two, 4),
            "L": round(measured.rouge.longest, 4),
        },
        "facts": rate_json(measured.facts),
        "rtf": {stage: round(seconds / duration_s, 4) for stage, seconds in measured.stages_s.items() if duration_s},
        "encoder_passes": measured.encoder_passes,
    }


def rate_of(figures: Mapping[str, Any] | None) -> Rate | None:
    """A rate as `figures_of` wrote it down."""
    if figures is None:
        return None
    return Rate({kind: value for kind, value in figures.items() if kind not in _NOT_PARTS}, figures["length"])


def _word_times(starts_off_s: Sequence[float] | None) -> Figures | None:
    if not starts_off_s:
        return None
    median_s, p95_s = np.percentile(starts_off_s, [50, 95])
    return {"words": len(starts_off_s), "median_s": round(float(median_s), 4), "p95_s": round(float(p95_s), 4)}
