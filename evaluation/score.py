"""Two accounts of one recording, compared: who is right about the words, the speakers, and both at once.

    WER      word errors, whoever spoke                                                     jiwer
    cpWER    word errors per speaker, under the mapping of speakers that suits best         meeteval
    tcpWER   the same; a word counts only within 5 s of its time                            meeteval
    ORC-WER  the same, each reference utterance credited to whoever suits: cpWER less this is attribution alone. Found
             greedily, since the exact search takes a minute for 240 words and four voices: never below the exact figure.
                                                                                            meeteval
    WDER     share of the words heard (right or misheard) that got the wrong speaker        Shafey et al. 2019
    DER      share of speech time missed, invented or credited to the wrong speaker, overlapped speech included, over the
             whole recording, and to the end of the reference if it is longer               pyannote.metrics

Words are normalised (normalize.py) on both sides. A word that the hypothesis credits to nobody is in a stream of its own,
which may be mapped to a speaker like any other.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import count
from typing import Any

import numpy as np

try:
    import jiwer
    import meeteval
    from meeteval.io import SegLST
    from meeteval.wer.matching.greedy_combination_matching import greedy_combination_matching
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate
    from scipy.optimize import linear_sum_assignment
except ModuleNotFoundError as error:  # after `make demo`, which installs what the handler needs and no more
    print(f"error: {error.name} is not installed; make evaluate-tools installs it into .venv.", file=sys.stderr)
    raise SystemExit(2) from error

from evaluation.normalize import normalize
from evaluation.readers import ReadError, Recording
from roundtable.transcript import Turn

TCP_COLLAR_S = 5.0
"""CHiME-7 and NOTSOFAR rank by tcpWER with this collar, to either side."""

MOST_SPEAKERS = 20
"""meeteval's own limit, on either side."""

MOST_ORC_STREAMS = 10
"""meeteval's own limit for ORC-WER, for the sake of its exact search; the greedy matching that we use needs none."""

NOBODY = "(nobody)"


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors by kind, and what they are a share of: words, or seconds. Rates are pooled by adding, never by averaging."""

    errors_by_kind: Mapping[str, float] = field(default_factory=dict)
    length: float = 0.0

    @property
    def errors(self) -> float:
        return sum(self.errors_by_kind.values())

    @property
    def value(self) -> float | None:
        """Errors per length; 0 without errors; None for errors against an empty reference, which are no share of it."""
        if self.errors == 0:
            return 0.0
        return self.errors / self.length if self.length else None

    def __add__(self, other: Rate) -> Rate:
        kinds = dict.fromkeys((*self.errors_by_kind, *other.errors_by_kind))
        errors = {kind: self.errors_by_kind.get(kind, 0) + other.errors_by_kind.get(kind, 0) for kind in kinds}
        return Rate(errors, self.length + other.length)


@dataclass(frozen=True, slots=True)
class Score:
    """One recording's figures, or several pooled. None: one of the two accounts does not say enough."""

    name: str
    wer: Rate | None = None
    cp_wer: Rate | None = None
    tcp_wer: Rate | None = None
    orc_wer: Rate | None = None
    wder: Rate | None = None
    der: Rate | None = None
    speaker_count: Rate | None = None
    """Error: speakers found too many or too few. Length: speakers there are."""
    real_time: Rate | None = None
    """Error: seconds of work. Length: seconds of audio."""


def score(hypothesis: Recording, reference: Recording, *, der_collar_s: float = 0.0) -> Score:
    """Score one recording.

    `der_collar_s` is pyannote's: the TOTAL width left out around each border of the reference. md-eval's 0.25 is 0.5 here.
    Raises `ReadError` for more than `MOST_SPEAKERS` speakers.
    """
    by_words: dict[str, Rate | None] = {}
    if hypothesis.utterances is not None and reference.utterances is not None:
        heard, said = _spoken(hypothesis), _spoken(reference)
        by_words = {
            "wer": word_errors(heard, said),
            "cp_wer": _by_meeteval(heard, said, lambda hyp, ref: meeteval.wer.cpwer(ref, hyp)),
            "tcp_wer": _by_meeteval(heard, said, lambda hyp, ref: meeteval.wer.tcpwer(ref, hyp, collar=TCP_COLLAR_S)),
            "orc_wer": orc_errors(heard, said),
            "wder": speaker_errors(heard, said),
        }
    by_turns: dict[str, Rate] = {}
    if hypothesis.turns is not None and reference.turns is not None:
        # To the end of the reference at least: a recording of which only the beginning was decoded was not heard well.
        known = (hypothesis.duration_s,) if hypothesis.duration_s is not None else (turn.end for turn in hypothesis.turns)
        until_s = max(*known, *(turn.end for turn in reference.turns), 0.0)
        by_turns["der"] = diarization_errors(hypothesis.turns, reference.turns, until_s, der_collar_s)
    found, there = hypothesis.num_speakers, reference.num_speakers
    if found is not None and there is not None:
        by_turns["speaker_count"] = Rate({"extra": max(0, found - there), "missing": max(0, there - found)}, there)
    if hypothesis.wall_s is not None and hypothesis.duration_s:
        by_turns["real_time"] = Rate({"work": hypothesis.wall_s}, hypothesis.duration_s)
    return Score(reference.name, **by_words, **by_turns)


def pooled(scores: Sequence[Score]) -> Score:
    """All recordings as one: the sums of their errors over the sums of their lengths."""
    totals: dict[str, Rate] = {}
    for measure in MEASURES:
        rates = [rate for one in scores if (rate := getattr(one, measure)) is not None]
        if rates:
            totals[measure] = sum(rates, start=Rate())
    return Score("total", **totals)


MEASURES = tuple(item.name for item in fields(Score) if item.name != "name")


# --- Words -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance's words after normalisation; never empty."""

    speaker: str
    start: float
    end: float
    words: tuple[str, ...]


def _spoken(recording: Recording) -> list[Spoken]:
    every = (
        Spoken(
            utterance.speaker or NOBODY, utterance.start, max(utterance.start, utterance.end), tuple(normalize(utterance.text))
        )
        for utterance in recording.utterances or ()
    )
    return [utterance for utterance in every if utterance.words]


def word_errors(heard: Sequence[Spoken], said: Sequence[Spoken]) -> Rate:
    """WER in parts. Utterances count in the order of the account: STM by start, a reply as it is written."""
    hypothesis, reference = _words(heard), _words(said)
    if not hypothesis or not reference:
        return _all_wrong(len(hypothesis), len(reference))
    found = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return _rate(found.substitutions, found.deletions, found.insertions, len(reference))


def speaker_errors(heard: Sequence[Spoken], said: Sequence[Spoken]) -> Rate | None:
    """WDER: of the words that the alignment pairs, those whose speakers are not a pair under the best mapping.

    None where it pairs none: who heard nothing has credited nobody, neither rightly nor wrongly.
    """
    hypothesis, reference = _words(heard), _words(said)
    if not hypothesis or not reference:
        return None
    heard_by, said_by = _speaker_of_words(heard), _speaker_of_words(said)
    places_heard, places_said = ({name: place for place, name in enumerate(dict.fromkeys(who))} for who in (heard_by, said_by))
    together = np.zeros((len(places_said), len(places_heard)), dtype=np.int64)
    for chunk in jiwer.process_words(" ".join(reference), " ".join(hypothesis)).alignments[0]:
        if chunk.type in {"equal", "substitute"}:
            said_span = said_by[chunk.ref_start_idx : chunk.ref_end_idx]
            heard_span = heard_by[chunk.hyp_start_idx : chunk.hyp_end_idx]
            for sayer, hearer in zip(said_span, heard_span, strict=True):
                together[places_said[sayer], places_heard[hearer]] += 1
    paired = int(together.sum())
    if not paired:
        return None
    right = int(together[linear_sum_assignment(together, maximize=True)].sum())
    return Rate({"wrong_speaker": paired - right}, paired)


def orc_errors(heard: Sequence[Spoken], said: Sequence[Spoken]) -> Rate:
    """ORC-WER, greedily: meeteval's function, or its matching where that refuses the number of speakers heard."""
    if not said or len({one.speaker for one in heard}) <= MOST_ORC_STREAMS:
        return _by_meeteval(heard, said, lambda hyp, ref: meeteval.wer.greedy_orcwer(ref, hyp))
    return orc_errors_of_many(heard, said)


def orc_errors_of_many(heard: Sequence[Spoken], said: Sequence[Spoken]) -> Rate:
    """The same search, from where cpWER's mapping leaves it, among any number of streams. Both sides have words."""
    heard, said = (sorted(account, key=lambda one: one.start) for account in (heard, said))
    streams = {name: [one for one in heard if one.speaker == name] for name in dict.fromkeys(one.speaker for one in heard)}
    places = {name: place for place, name in enumerate(streams)}
    mapped: dict[str | None, str] = dict(meeteval.wer.cpwer(_seglst(said), _seglst(heard))["it"].assignment)
    numbers: dict[str, int] = defaultdict(count().__next__)
    _, credited = greedy_combination_matching(
        [[numbers[word] for word in one.words] for one in said],
        [[numbers[word] for word in _words(stream)] for stream in streams.values()],
        [places.get(mapped[one.speaker], 0) for one in said],  # 0: mapped to nobody
    )
    by_stream = [[one for one, place in zip(said, credited, strict=True) if place == at] for at in places.values()]
    return sum(map(word_errors, streams.values(), by_stream), start=Rate())


def _by_meeteval(heard: Sequence[Spoken], said: Sequence[Spoken], measure: Callable[[SegLST, SegLST], Any]) -> Rate:
    if not heard or not said:  # meeteval refuses an empty side
        return _all_wrong(len(_words(heard)), len(_words(said)))
    for account in (heard, said):
        if (speakers := len({one.speaker for one in account})) > MOST_SPEAKERS:
            raise ReadError(f"there are {speakers} speakers, and cpWER takes {MOST_SPEAKERS} at most.")
    found = measure(_seglst(heard), _seglst(said))["it"]
    return _rate(found.substitutions, found.deletions, found.insertions, found.length)


def _seglst(utterances: Iterable[Spoken]) -> SegLST:
    return SegLST(
        [
            {
                "session_id": "it",
                "speaker": one.speaker,
                "start_time": one.start,
                "end_time": one.end,
                "words": " ".join(one.words),
            }
            for one in utterances
        ]
    )


def _words(utterances: Iterable[Spoken]) -> list[str]:
    return [word for utterance in utterances for word in utterance.words]


def _speaker_of_words(utterances: Iterable[Spoken]) -> list[str]:
    return [utterance.speaker for utterance in utterances for _ in utterance.words]


def _all_wrong(heard: int, said: int) -> Rate:
    return _rate(0, said, heard, said)


def _rate(substitutions: int, deletions: int, insertions: int, length: int) -> Rate:
    return Rate({"substitutions": substitutions, "deletions": deletions, "insertions": insertions}, length)


# --- Turns -----------------------------------------------------------------------------------------------------------


def diarization_errors(heard: Sequence[Turn], said: Sequence[Turn], duration_s: float, collar_s: float = 0.0) -> Rate:
    """DER in parts, in seconds, over [0, duration_s]. The collar is the TOTAL width, half of it to either side of a border.

    Nobody speaks twice at once: turns of one speaker that overlap or touch count as one.
    """
    metric = DiarizationErrorRate(collar=collar_s)
    uem = Timeline([Segment(0.0, duration_s)])
    found = metric(_annotation(said), _annotation(heard), uem=uem, detailed=True)
    errors = {"missed": found["missed detection"], "false_alarm": found["false alarm"], "confusion": found["confusion"]}
    return Rate({kind: float(errors[kind]) for kind in errors}, float(found["total"]))


def _annotation(turns: Iterable[Turn]) -> Annotation:
    annotation, tracks = Annotation(), count()
    for turn in turns:
        if turn.end > turn.start:
            annotation[Segment(turn.start, turn.end), next(tracks)] = turn.speaker
    return annotation.support()
