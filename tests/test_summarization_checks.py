"""What a conversation does not support does not stand in a summary of it."""

from __future__ import annotations

import pytest

from roundtable.summarization.checks import Checks
from roundtable.summarization.source import Source
from roundtable.summarization.structured import Draft
from roundtable.transcript import ActionItem, Point, SpeakerTurn

TALK = (
    ("SPEAKER_00", "We need twenty five percent more budget for the new server, Anna says."),
    ("SPEAKER_01", "I will send the report to Tom by Friday, the third of May."),
    ("SPEAKER_00", "Good. The A P I costs one point five million dollars."),
    ("SPEAKER_01", "Let us meet at half past ten in Berlin."),
)


def source(talk: tuple[tuple[str, str], ...] = TALK, language: str | None = "en") -> Source:
    return Source([SpeakerTurn(n, who, 60.0 * n, 60.0 * n + 5, said) for n, (who, said) in enumerate(talk)], language)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Anna wants 25 % more budget.", []),
        ("Anna wants 30 % more budget.", ["number"]),
        ("The API costs $1.5 million.", []),
        ("The API costs $2.5 million.", ["number"]),
        ("SPEAKER_01 sends the report by Friday.", []),
        ("SPEAKER_02 sends the report.", ["name"]),
        ("The report is due on Monday.", ["date", "name"]),
        ("They meet at 10:30 in Berlin.", []),
        ("They meet at 11:30 in Berlin.", ["date"]),
        ("At 03:00 they agreed to meet.", []),  # the time of a turn
        ("They meet on May 3.", []),
        ("They meet on June 3.", ["date", "name"]),
        ("Mark will send the report.", ["name"]),
        ("They talked about the server with Microsoft.", ["name"]),
        ("Discussed Berlin. Agreed on the budget. Next steps: the report.", []),
        ("Anna's report goes to Tom.", []),
    ],
)
def test_numbers_dates_and_names_must_have_been_said(text: str, kinds: list[str]) -> None:
    assert source().unsupported(text) == kinds


def test_in_german_nouns_are_no_names() -> None:
    german = source((("A", "Wir brauchen fünfundzwanzig Prozent mehr Budget für den Server."), ("B", "Gut.")), "de")
    assert german.unsupported("Das Team braucht 25 % mehr Geld für die Anlage.") == []
    assert german.unsupported("Angela Merkel braucht 30 % mehr.") == ["number", "name"]
    assert german.unsupported("Herr Schmidt braucht mehr.") == ["name"]


@pytest.mark.parametrize(
    ("owner", "stands"),
    [
        ("SPEAKER_01", "SPEAKER_01"),
        ("speaker_01", "SPEAKER_01"),
        ("Anna", "Anna"),
        ("tom", "tom"),
        *(
            (name, None)
            for name in ("SPEAKER_07", "Bob", "we", "the team", "Everyone", "Friday", "budget", "25", "Anna Smith", "")
        ),
    ],
)
def test_an_owner_is_a_speaker_or_was_named(owner: str, stands: str | None) -> None:
    assert source().owner(owner) == stands


def test_with_one_speaker_a_label_owns_nothing() -> None:
    assert source((("SPEAKER_00", "I will send the report to Anna."),)).owner("SPEAKER_00") is None


@pytest.mark.parametrize(
    ("due", "stands"),
    [
        ("by Friday", True),
        ("May 3", True),
        ("the third of May", True),
        ("Monday", False),
        ("next week", False),
        ("2024-05-03", False),
    ],
)
def test_a_due_time_was_said(due: str, stands: bool) -> None:
    assert source().due(due) == (due if stands else None)


@pytest.mark.parametrize(
    ("said", "text", "kinds"),
    [
        ("we meet on Tuesday at nine thirty", "They meet on Tuesday at 9:30 AM.", []),
        ("ten thousand dollars", "It costs 10,000 USD.", []),
        ("it costs $10,000", "It costs 10,000 USD.", []),
        ("ten thousand euros", "It costs 10,000 USD.", ["name"]),
        ("covid nineteen and g p t four", "They spoke of COVID-19 and GPT-4.", []),
        ("covid nineteen and g p t four", "They spoke of COVID-18 and GPT-5.", ["number", "number"]),
        ("four", "They spoke of GPT-4.", ["name"]),
        ("guest seven", "They asked GUEST_07.", ["name"]),
        ("in the third quarter", "They grow in Q3.", []),
        ("in the third quarter", "They grow in Q4.", ["number"]),
    ],
)
def test_halves_of_the_day_currencies_and_numbered_names_are_no_invented_names(said: str, text: str, kinds: list[str]) -> None:
    assert source((("A", said), ("B", "Good."))).unsupported(text) == kinds


@pytest.mark.parametrize(
    ("said", "due", "stands"),
    [
        ("on Tuesday at nine", "Tuesday at 9 AM", True),
        ("on Tuesday at nine thirty", "Tuesday at 9:30 a.m.", True),
        ("on Tuesday at nine", "Tuesday at 10 AM", False),
        ("june first", "June 1st", True),
        ("june first", "June 3rd", False),
    ],
)
def test_a_due_time_in_digits_stands_with_its_am_and_its_ending(said: str, due: str, stands: bool) -> None:
    assert source((("A", said), ("B", "Good."))).due(due) == (due if stands else None)


def test_evidence_exists_and_shares_words_or_is_looked_for() -> None:
    talk = source()
    assert talk.evidence("The report goes to Tom.", (1, 99)) == (1,)
    assert talk.evidence("The report goes to Tom.", (0,)) == (1,)
    assert talk.evidence("SPEAKER_01 sends the report to Tom.", ()) == (1,)
    assert talk.evidence("Elephants audit the lighthouse.", (1,)) == ()


def test_unspaced_scripts_are_compared_by_pairs_of_characters() -> None:
    talk = source((("A", "私たちは来週の金曜日に報告書を送ります。"), ("B", "分かりました。")), "ja")
    assert talk.evidence("報告書を送る", ()) == (0,)


def test_a_draft_keeps_what_was_said_and_one_warning_counts_each_kind() -> None:
    checks = Checks(source())
    draft = Draft(
        title="The 99 servers",
        summary="Anna wants 25 % more. It costs 77 dollars. The report goes to Tom.",
        key_points=(
            Point("More budget for the server", (0,)),
            Point("More budget for the server", (0,)),
            Point("The server needs 44 people", (0,)),
            Point("Elephants audit", (0,)),
            Point("The report goes to Tom", (3,)),
        ),
        decisions=(Point("Meet in Berlin on Tuesday", (3,)), Point("Meet in Berlin", (3,))),
        action_items=(
            ActionItem("send the report", "SPEAKER_01", "by Friday", (1,)),
            ActionItem("send the report to Tom", "Bob", "Monday", (1,)),
            ActionItem("pay 88 dollars", "Anna", None, (2,)),
        ),
        per_speaker={"speaker_00": "Wants more budget.", "SPEAKER_01": "Pays 66 dollars.", "SPEAKER_09": "Nothing."},
    )
    assert checks.draft(draft) == Draft(
        title="",
        summary="Anna wants 25 % more. The report goes to Tom.",
        key_points=(Point("More budget for the server", (0,)), Point("The report goes to Tom", (1,))),
        decisions=(Point("Meet in Berlin", (3,)),),
        action_items=(
            ActionItem("send the report", "SPEAKER_01", "by Friday", (1,)),
            ActionItem("send the report to Tom", None, None, (1,)),
        ),
        per_speaker={"SPEAKER_00": "Wants more budget."},
    )
    assert [(warning.code, warning.message[:2]) for warning in checks.warnings()] == [
        ("unsupported_number", "5 "),
        ("unsupported_date", "1 "),
        ("unsupported_owner", "1 "),
        ("unsupported_due", "1 "),
        ("no_evidence", "1 "),
        ("evidence_replaced", "1 "),
        ("unknown_speaker", "1 "),
    ]


def test_a_summary_as_text_is_left_alone_and_its_sentences_counted() -> None:
    checks = Checks(source())
    checks.text("Anna wants 25 % more. It costs 77 dollars. Mark agreed.")
    checks.language("Wir haben uns darauf geeinigt, dass die Einführung auf das Ende des Monats verschoben wird.")
    assert [warning.message for warning in checks.warnings()] == [
        "2 sentence(s) of the summary state a number, date or name that was not said.",
        "The summary is in another language than the conversation.",
    ]


def test_the_recordings_own_clock_is_nothing_that_was_said() -> None:
    talk = source((("A", "We talk about the launch."), ("B", "Yes, the launch.")))
    assert talk.unsupported("The launch is at 0:04 pm.") == ["date"]
    timed = Source([SpeakerTurn(0, "A", 225.0, 230.0, "We talk about the launch.")], "en")
    assert timed.unsupported("The launch is at 3:45 pm.") == ["date"]
    assert timed.unsupported("The launch was talked about (03:45).") == []
    assert timed.unsupported("The launch was talked about (03:46).") == ["date"]


def test_somebody_called_june_is_no_month_that_was_said() -> None:
    talk = source((("June", "We plan the launch for five people."), ("Tom", "I will print it.")))
    assert "date" in talk.unsupported("The launch is in June.")
    assert talk.unsupported("June will plan the launch.") == []


@pytest.mark.parametrize("owner", ["Printer", "printer", "Camera", "Martin Peter", "problems"])
def test_a_word_that_was_merely_said_owns_nothing(owner: str) -> None:
    talk = (
        ("SPEAKER_00", "The printer has problems. Peter, can you look? Martin and I need a camera."),
        ("SPEAKER_01", "Yes."),
    )
    assert source(talk).owner(owner) is None
    assert source(talk).owner("Peter") == "Peter"


def test_without_capitals_an_owner_was_addressed_or_thanked() -> None:
    talk = (("SPEAKER_00", "anna can you call the printer"), ("SPEAKER_01", "the printer is near martin"))
    assert [source(talk).owner(name) for name in ("Anna", "Printer", "Martin")] == ["Anna", None, None]


@pytest.mark.parametrize("text", ["Elena presented the budget.", "The budget (Elena) is gone.", "It is gone; Elena left."])
def test_a_name_that_was_not_said_is_seen_at_a_beginning_too(text: str) -> None:
    talk = source((("A", "The budget is gone."), ("B", "It left us.")))
    assert "name" in talk.unsupported(text)
