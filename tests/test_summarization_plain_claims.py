"""Times, numbers and speakers without a digit, a month or a capital: found, and held against what was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtable.summarization.plain_claims import foreign_words, plain_claims
from roundtable.summarization.sentences import split_sentences
from roundtable.summarization.source import Source
from roundtable.transcript import SpeakerTurn


@pytest.mark.parametrize(
    ("text", "language", "claims"),
    [
        ("It ships tomorrow at noon.", "en", [("date", "tomorrow"), ("date", "noon")]),
        (
            "Christmas is in mid-December this year",
            "en",
            [("date", "christmas"), ("date", "mid-december"), ("date", "this year")],
        ),
        ("By the end of the quarter", "en", [("date", "end of quarter")]),
        ("Due Wed.", "en", [("date", "weekday wednesday")]),
        ("They sat in the sun", "en", []),
        ("A dozen chairs and scores of people", "en", [("number", "dozen"), ("number", "scores of")]),
        ("Chapter XIV, I think", "en", [("number", "14")]),
        ("XXXIX, XL, CD and I", "en", [("number", "39")]),
        ("⅔ of the m³", "en", [("number", "share 2/3"), ("number", "3")]),
        ("Ⅳ, ③ and ⑴, but 2½", "en", [("number", "4"), ("number", "3"), ("number", "1")]),
        ("Hundreds came twice", "en", [("number", "hundreds"), ("number", "twice")]),
        ("Tausende kamen", "de", [("number", "tausende")]),
        ("Nächste Woche, am Wochenende", "de", [("date", "wochenende"), ("date", "nachste woche")]),
        ("La semaine prochaine, à minuit", "fr", [("date", "minuit"), ("date", "semaine prochaine")]),
        ("El próximo mes, ayer", "es", [("date", "ayer"), ("date", "proximo mes")]),
        ("Domani", "it", [("date", "domani")]),
        ("Amanhã", "pt", [("date", "amanha")]),
        ("Volgende week", "nl", [("date", "volgende week")]),
        ("hier", "de", []),  # "here"; in French it is yesterday
        ("tomorrow ⅔", "pl", [("number", "share 2/3")]),  # no list for Polish
        ("tomorrow", None, [("date", "tomorrow")]),
    ],
)
def test_claims(text: str, language: str | None, claims: list[tuple[str, str]]) -> None:
    assert list(plain_claims(text, language)) == claims


@given(st.text(), st.sampled_from(["en", "de", "fr", "es", "it", "pt", "nl", "ja", None]))
def test_a_text_supports_its_own_claims_and_nothing_raises(text: str, language: str | None) -> None:
    source = Source([SpeakerTurn(0, "SPEAKER_00", 0.0, 1.0, text)], language)
    assert {claim for _, claim in plain_claims(text, language)} <= source._known


SAID = [
    SpeakerTurn(0, "SPEAKER_00", 0.0, 5.0, "We open next month, at noon if we can, with a dozen chairs."),
    SpeakerTurn(1, "SPEAKER_01", 5.0, 9.0, "Fourteen people come on Wednesday."),
]


@pytest.mark.parametrize(
    ("text", "unsupported"),
    [
        ("They open next month at noon.", []),
        ("They open last month at midnight.", ["date", "date"]),
        ("A dozen chairs, XIV people, on Wed.", []),
        ("Chapter XV.", ["number"]),
        ("Speaker 1 comes, speaker_00 opens.", []),
        ("Speaker 2 comes.", ["name"]),
        ("the chairs are for 李明.", ["name"]),
    ],
)
def test_what_was_not_said_is_unsupported(text: str, unsupported: list[str]) -> None:
    assert Source(SAID, "en").unsupported(text) == unsupported


def test_other_scripts_are_no_invention_where_they_were_spoken() -> None:
    turns = [SpeakerTurn(0, None, 0.0, 5.0, "我们 今天 开会 with the team.")]
    assert Source(turns, "en").unsupported("李明 was there.") == []
    assert list(foreign_words("Zoë, O’Neil and Łukasz met Иван")) == ["Иван"]


def test_a_statement_is_never_divided_before_it_is_checked() -> None:
    """A sentence of more words than a spoken unit may have, without a comma: "next | month" was two harmless halves."""
    long = " ".join(["we agreed to go on as before"] * 9) + " next month " + " ".join(["as we always did"] * 20)
    assert split_sentences(f"{long}. It rained!") == [f"{long}.", "It rained!"]
    assert split_sentences(" \n ") == []
