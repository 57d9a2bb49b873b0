import pytest

from roundtable.summarization.due import find_due, leading_due, without_trailing_due


@pytest.mark.parametrize(
    "due",
    """
    by Friday|on Monday morning|before next Tuesday|next Wednesday|Thursday
    tomorrow|by tomorrow evening|tonight|today
    next week|this afternoon|by the end of next week|before the end of the month|end of day|by close of business|by end of May
    at five|by noon|before lunch|until 5 p.m.|at 17:30|by two thirty|by half past three|at nine o'clock
    on the third of May|by the 3rd|on May 3rd|before june the twenty first|by March 15|in May
    in two weeks|within an hour|in the next few days|as soon as possible|before the next meeting
    tomorrow at five|by 5pm tomorrow|on Friday at noon|by Monday, at ten
    """.replace("\n", "|")
    .strip(" |")
    .split("|"),
)
def test_due_times_are_found_word_for_word(due: str) -> None:
    due = due.strip()
    assert find_due(f"send it {due}.") == due
    assert find_due(f"SEND IT {due.upper()} PLEASE") == due.upper()


@pytest.mark.parametrize(
    "text",
    [
        "raise it by ten percent",
        "at five thousand euros",
        "signed by ten people",
        "by the way",
        "on the first day",
        "on the second of the two slides",
        "that may be",
        "book the room for Monday",
        "the Monday numbers",
        "every Monday",
        "the agenda for tomorrow",
        "read today's paper",
        "next weekend's plan",
        "in general",
        "at one point",
    ],
)
def test_what_only_looks_like_a_due_time_is_none(text: str) -> None:
    assert find_due(text) is None


def test_a_due_time_at_the_end_is_taken_off() -> None:
    assert without_trailing_due("send the report by Friday, please") == "send the report"
    assert without_trailing_due("send the report, by Friday at noon") == "send the report"
    assert without_trailing_due("call Tom tomorrow about the price") == "call Tom tomorrow about the price"


def test_a_due_time_in_front_must_stand_alone() -> None:
    assert leading_due("So by Friday, ") == "by Friday"
    assert leading_due("We launch on Monday, so ") is None
