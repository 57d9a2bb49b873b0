"""Who of the speakers is who of the references: the pairing alone, on vectors whose distances can be read off."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from roundtable.diarization.known_speakers import named, unusable
from roundtable.transcript import Diarization, Turn, Warning_

Voice = NDArray[np.float64]
LIMIT = 0.3


def at(degrees: float, length: float = 1.0) -> Voice:
    """A voice of two numbers. The distance of two is 1 - cos(difference): at 45 degrees 0.293, at 46 degrees 0.305."""
    return length * np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def said_by(*labels: str) -> Diarization:
    """One second each, in this order."""
    return Diarization(tuple(Turn(float(place), place + 1.0, label) for place, label in enumerate(labels)))


def speakers_of(diarization: Diarization) -> list[str]:
    return [turn.speaker for turn in diarization.turns]


TWO = said_by("SPEAKER_00", "SPEAKER_01", "SPEAKER_00")


def test_a_speaker_who_sounds_like_a_reference_carries_its_name() -> None:
    voices = {"SPEAKER_00": at(0), "SPEAKER_01": at(90)}
    assert speakers_of(named(TWO, voices, [("Anna", at(80, length=7.0))], LIMIT)) == ["SPEAKER_00", "Anna", "SPEAKER_00"]


def test_strangers_are_numbered_by_first_appearance() -> None:
    diarization = replace(said_by("SPEAKER_00", "SPEAKER_02", "SPEAKER_01"), overlaps=(Turn(0.5, 0.9, "SPEAKER_03"),))
    voices = {"SPEAKER_00": at(0), "SPEAKER_01": at(90), "SPEAKER_02": at(180), "SPEAKER_03": at(270)}
    found = named(diarization, voices, [("Anna", at(0))], LIMIT)
    assert speakers_of(found) == ["Anna", "SPEAKER_01", "SPEAKER_02"]
    assert found.overlaps == (Turn(0.5, 0.9, "SPEAKER_00"),)


def test_overlaps_and_embeddings_carry_the_names_and_warnings_stay() -> None:
    told = Warning_("diarize", "told", "Something.")
    diarization = Diarization(
        (Turn(0, 1, "SPEAKER_00"),),
        (Turn(0.2, 0.4, "SPEAKER_01"),),
        (told,),
        {"SPEAKER_00": (1.0, 0.0), "SPEAKER_01": None},
    )
    assert named(diarization, {"SPEAKER_00": at(1), "SPEAKER_01": at(89)}, [("Ben", at(90))], LIMIT) == Diarization(
        (Turn(0, 1, "SPEAKER_00"),), (Turn(0.2, 0.4, "Ben"),), (told,), {"SPEAKER_00": (1.0, 0.0), "Ben": None}
    )


@pytest.mark.parametrize(("degrees", "speaker"), [(45, "Anna"), (46, "SPEAKER_00")])
def test_the_limit_on_the_distance_is_kept(degrees: float, speaker: str) -> None:
    assert speakers_of(named(said_by("SPEAKER_00"), {"SPEAKER_00": at(0)}, [("Anna", at(degrees))], LIMIT)) == [speaker]


def test_a_name_goes_to_the_nearer_of_two_speakers_only() -> None:
    voices = {"SPEAKER_00": at(20), "SPEAKER_01": at(10)}
    assert speakers_of(named(TWO, voices, [("Anna", at(0))], LIMIT)) == ["SPEAKER_00", "Anna", "SPEAKER_00"]


def test_two_like_voices_share_two_like_references_as_fits_best() -> None:
    """Both are nearest to Anna; together they fit best as Anna and Ben."""
    voices = {"SPEAKER_00": at(0), "SPEAKER_01": at(8)}
    references = [("Anna", at(2)), ("Ben", at(15))]
    assert speakers_of(named(TWO, voices, references, LIMIT)) == ["Anna", "Ben", "Anna"]


def test_a_plain_likeness_is_not_given_up_for_two_doubtful_ones() -> None:
    """Anna and the first speaker are the same; pairing each with its other neighbour would name both, and both wrongly."""
    voices = {"SPEAKER_00": at(0), "SPEAKER_01": at(-44)}
    references = [("Anna", at(0)), ("Ben", at(44))]
    assert speakers_of(named(TWO, voices, references, LIMIT)) == ["Anna", "SPEAKER_00", "Anna"]


@pytest.mark.parametrize("voice", [None, np.zeros(2), np.array([np.nan, 1.0]), np.array([np.inf, 1.0])])
def test_no_voice_is_nobodys(voice: Voice | None) -> None:
    assert speakers_of(named(said_by("SPEAKER_00"), {"SPEAKER_00": voice}, [("Anna", at(0))], 2.0)) == ["SPEAKER_00"]
    assert speakers_of(named(said_by("SPEAKER_00"), {}, [("Anna", at(0))], 2.0)) == ["SPEAKER_00"]
    if voice is not None:
        assert speakers_of(named(said_by("SPEAKER_00"), {"SPEAKER_00": at(0)}, [("Anna", voice)], 2.0)) == ["SPEAKER_00"]


def test_nobody_and_nothing_known() -> None:
    assert named(Diarization(), {"SPEAKER_00": at(0)}, [("Anna", at(0))], LIMIT) == Diarization()
    assert named(TWO, {"SPEAKER_00": at(0)}, [], LIMIT) == TWO


def test_a_reference_is_told_by_its_place() -> None:
    warning = unusable(2, 3)
    assert (warning.stage, warning.code) == ("diarize", "reference_unusable")
    assert warning.message.startswith("Speaker reference 2 of 3 ")


def test_one_voice_under_two_names_is_a_warning() -> None:
    voices = {"SPEAKER_00": at(0)}
    alike = named(said_by("SPEAKER_00"), voices, [("Anna", at(10)), ("Ben", at(11))], LIMIT)
    assert [warning.code for warning in alike.warnings] == ["references_alike"]
    assert "Anna" not in alike.warnings[0].message
    assert named(said_by("SPEAKER_00"), voices, [("Anna", at(10)), ("Ben", at(60))], LIMIT).warnings == ()


# --- Whatever the voices -----------------------------------------------------------------------------------------------

labels = st.sampled_from([f"SPEAKER_{number:02d}" for number in range(6)])
NAMES = ("Anna", "Ben", "Carla", "Dan", "Eve")


@st.composite
def meetings(draw: st.DrawFn) -> tuple[Diarization, dict[str, Voice | None], list[tuple[str, Voice]], float]:
    said = draw(st.lists(labels, max_size=8))
    over = draw(st.lists(labels, max_size=3))
    diarization = replace(
        said_by(*said),
        overlaps=tuple(Turn(place + 0.2, place + 0.4, label) for place, label in enumerate(over)),
        embeddings=dict.fromkeys((*said, *over), (1.0,)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    voices: dict[str, Voice | None] = {f"SPEAKER_{number:02d}": rng.normal(size=3) for number in range(6)}
    for label in draw(st.sets(labels, max_size=3)):
        voices[label] = draw(st.sampled_from([None, np.zeros(3), np.full(3, np.nan)]))
    known = [(name, rng.normal(size=3)) for name in draw(st.permutations(NAMES))[: draw(st.integers(0, 5))]]
    return diarization, voices, known, draw(st.floats(0, 2))


def distance(one: Voice, other: Voice) -> float:
    return float(1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@settings(deadline=None)
@given(meetings())
def test_names_are_given_once_and_never_beyond_the_limit(
    drawn: tuple[Diarization, dict[str, Voice | None], list[tuple[str, Voice]], float],
) -> None:
    diarization, voices, references, limit = drawn
    found = named(diarization, voices, references, limit)
    before, after = (
        [*diarization.turns, *diarization.overlaps],
        [*found.turns, *found.overlaps],
    )
    assert [(turn.start, turn.end) for turn in before] == [(turn.start, turn.end) for turn in after]
    called = {old.speaker: new.speaker for old, new in zip(before, after, strict=True)}
    assert all(called[old.speaker] == new.speaker for old, new in zip(before, after, strict=True))
    assert len(set(called.values())) == len(called)  # two speakers never share a name
    assert set(found.embeddings) == set(called.values())

    known = dict(references)
    for label, name in called.items():
        voice = voices[label]
        if name in known:
            assert voice is not None
            assert distance(voice, known[name]) <= limit + 1e-9
    strangers = {name for name in called.values() if name not in known}
    assert strangers == {f"SPEAKER_{number:02d}" for number in range(len(strangers))}
    in_time = sorted(after, key=lambda turn: turn.start)
    appear = list(dict.fromkeys(turn.speaker for turn in in_time if turn.speaker in strangers))
    assert appear == sorted(appear)

    # Nobody is left out who could have been named without anybody's harm.
    unnamed = {label for label, name in called.items() if name in strangers}
    for label in unnamed:
        voice = voices[label]
        if voice is None or not np.isfinite(voice).all() or not voice.any():
            continue
        for name in known.keys() - set(called.values()):
            assert distance(voice, known[name]) >= limit - 1e-9


@settings(deadline=None)
@given(meetings(), st.data())
def test_the_order_of_the_references_does_not_matter(
    drawn: tuple[Diarization, dict[str, Voice | None], list[tuple[str, Voice]], float], data: st.DataObject
) -> None:
    diarization, voices, references, limit = drawn
    shuffled = data.draw(st.permutations(references))
    assert named(diarization, voices, shuffled, limit) == named(diarization, voices, references, limit)
