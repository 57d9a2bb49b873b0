"""Names for voices that the caller knows: speakers of a diarization matched with references by how alike they sound.

Engines bring the voices as embeddings and say up to which distance two are one voice; this file only decides who is whom. It
does not listen: what a reference sounds like, and whether it holds enough speech, is for the engine to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from roundtable.transcript import Diarization, Turn, Warning_

Voice = NDArray[np.floating]
"""An embedding: its direction tells the voice, its length nothing."""


def named(
    diarization: Diarization, voices: Mapping[str, Voice | None], references: Sequence[tuple[str, Voice]], most_distance: float
) -> Diarization:
    """The same diarization, with the references' names for the speakers that sound like them.

    `voices`: embeddings by the diarization's labels. A voice that is missing, None, zero or not finite is nobody's, and so is
    such a reference. `references`: names, each once and none of the form SPEAKER_nn, with their embeddings.

    A speaker gets at most one name and a name goes to at most one speaker. Only pairs closer than `most_distance` (cosine
    distance, 0 to 2) are made; of all ways to make them, the one that undercuts it by most in sum is taken. So a plain
    likeness is never given up for the sake of two doubtful ones. Strangers are SPEAKER_00, SPEAKER_01, … by first appearance.
    Times and order stay; two references that are one voice are a warning more. The order of the references matters only where
    two ways are exactly as good.
    """
    labels = _by_first_appearance(diarization)
    speakers = {label: unit for label in labels if (unit := _unit(voices.get(label))) is not None}
    known = {name: unit for name, voice in references if (unit := _unit(voice)) is not None}
    names = _paired(speakers, known, most_distance)
    strangers = (label for label in labels if label not in names)
    names |= {label: f"SPEAKER_{number:02d}" for number, label in enumerate(strangers)}
    return replace(
        diarization,
        turns=tuple(replace(turn, speaker=names[turn.speaker]) for turn in diarization.turns),
        overlaps=tuple(replace(turn, speaker=names[turn.speaker]) for turn in diarization.overlaps),
        embeddings={names[label]: voice for label, voice in diarization.embeddings.items() if label in names},
        warnings=(*diarization.warnings, *_one_voice(list(known.values()), most_distance)),
    )


def unusable(position: int, count: int) -> Warning_:
    """For an engine that cannot know a voice by the reference at `position` of `count`, from 1. Its name stays private."""
    return Warning_(
        "diarize",
        "reference_unusable",
        f"Speaker reference {position} of {count} holds too little speech to know a voice by; nobody is named after it.",
    )


_ONE_VOICE = 0.25
"""References closer than this share of the distance that is allowed hardly belong to two people."""


def _one_voice(known: Sequence[NDArray[np.float64]], most_distance: float) -> tuple[Warning_, ...]:
    if all(1.0 - float(one @ other) >= _ONE_VOICE * most_distance for one, other in combinations(known, 2)):
        return ()
    message = "Two speaker references sound like one voice: which of the two names a speaker gets is a matter of chance."
    return (Warning_("diarize", "references_alike", message),)


def _by_first_appearance(diarization: Diarization) -> list[str]:
    turns: list[Turn] = sorted((*diarization.turns, *diarization.overlaps), key=attrgetter("start"))
    return list(dict.fromkeys(turn.speaker for turn in turns))


def _unit(voice: Voice | None) -> NDArray[np.float64] | None:
    if voice is None:
        return None
    vector = np.asarray(voice, np.float64)
    length = float(np.linalg.norm(vector))
    return vector / length if 0 < length < np.inf else None  # NaN fails both comparisons


def _paired(
    speakers: Mapping[str, NDArray[np.float64]], known: Mapping[str, NDArray[np.float64]], most_distance: float
) -> dict[str, str]:
    """Names by label, for those that get one."""
    # One by one: in a matrix product, the last bits of a distance depend on where in the matrix it stands.
    gains = np.array([[most_distance - (1.0 - float(a @ b)) for b in known.values()] for a in speakers.values()])
    if gains.size == 0:
        return {}
    labels, names = list(speakers), list(known)
    pairs = zip(*linear_sum_assignment(np.maximum(gains, 0.0), maximize=True), strict=True)
    return {labels[row]: names[column] for row, column in pairs if gains[row, column] > 0.0}
