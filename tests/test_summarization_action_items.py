import pytest

from roundtable.summarization.action_items import find_action_items
from roundtable.summarization.sentences import split_turns
from roundtable.transcript import ActionItem, SpeakerTurn, Word

SMALL_TALK = ("B", "The weather is nice and warm.")


def items(*said: tuple[str | None, str]) -> tuple[ActionItem, ...]:
    turns = [SpeakerTurn(place, who, place, place + 1, text) for place, (who, text) in enumerate(said)]
    return find_action_items(split_turns(turns))[0]


@pytest.mark.parametrize(
    ("text", "task", "owner", "due"),
    [
        # COMMITMENT
        ("I will send the budget to finance by Friday.", "send the budget to finance", "A", "by Friday"),
        ("I'll write the minutes tomorrow.", "write the minutes", "A", "tomorrow"),
        ("I’ll also update the slides and send them to Anna.", "update the slides and send them to Anna", "A", None),
        ("okay i'll call the customer at five", "call the customer", "A", "at five"),
        ("ill send the minutes tomorrow", "send the minutes", "A", "tomorrow"),
        ("I'm going to book the venue next week.", "book the venue", "A", "next week"),
        ("im going to call the bank before noon", "call the bank", "A", "before noon"),
        ("I promise to finish the draft within two weeks.", "finish the draft", "A", "within two weeks"),
        ("By Friday I will send the report to the bank.", "send the report to the bank", "A", "By Friday"),
        ("I'll fix the login bug, okay?", "fix the login bug", "A", None),
        ("We are late, so I'll call the customer on the third of May.", "call the customer", "A", "on the third of May"),
        (
            "I'll call the printer tomorrow and ask about the price.",
            "call the printer tomorrow and ask about the price",
            "A",
            "tomorrow",
        ),
        ("I will fix the crash because it hurts us.", "fix the crash", "A", None),
        # OTHERS_COMMITMENT
        (
            "Tom will prepare the contract before the end of the month.",
            "prepare the contract",
            "Tom",
            "before the end of the month",
        ),
        ("And Anna Lee is going to review the draft.", "review the draft", "Anna Lee", None),
        # PLEASE, NECESSITY, MARKER
        ("Please send me the slides by noon.", "send me the slides", None, "by noon"),
        ("Tom, please send me the slides.", "send me the slides", "Tom", None),
        ("We need to order new laptops next month.", "order new laptops", None, "next month"),
        ("someone should call the caterer tomorrow", "call the caterer", None, "tomorrow"),
        ("Action item: Tom to book the room by Friday.", "book the room", "Tom", "by Friday"),
        ("action item update the website", "update the website", None, None),
        ("TODO: renew the licence.", "renew the licence", None, None),
        ("The next step is to test the backup.", "test the backup", None, None),
    ],
)
def test_an_action_item_is_found(text: str, task: str, owner: str | None, due: str | None) -> None:
    assert items(("A", text), SMALL_TALK) == (ActionItem(task, owner, due, (0,)),)


@pytest.mark.parametrize(
    "text",
    [
        "I will not send the report.",
        "I won't send the report.",
        "I'll never send the report again.",
        "I don't think I will send the report.",
        "Will I send the report?",
        "will we send the report",
        "Do we need to order laptops?",
        "We don't need to order laptops.",
        "If I will send the report, he reads it.",
        "I wish I will send the report.",
        "I would send the report by mail.",
        "I said I will send the report.",
        "He said that I will send the report.",
        "Maybe I'll send the report.",
        "I will say that the report is good.",
        "I'll be honest, the report is bad.",
        "I'll tell you about the report.",
        "I'll see you on Monday.",
        "I'll promise nothing.",
        "I'll do it.",
        "I'm going to Berlin on Monday.",
        "im going to the dentist on monday",
        "Next, I will talk about the report.",
        "What I will do is nothing special.",
        "Shipping will take two weeks.",
        "This will send a signal.",
        "Everyone will send the report.",
        "Then the team will send the report.",
        "So, Tom will send the report?",
        "Is that an action item: Tom to book the room?",
        "She will send the report.",
        "Prices in Germany will rise.",
        "tom will send the report",
        "If Tom will send the report, we wait.",
        "We need to talk about the report.",
        "Yes, please.",
        "please wait a moment",
        "How can you send the report?",
        "Could I ask you something about the report?",
        "Can you send the report?",
        "Could you please send the report?",
        "I will send the report " + "x" * 2000,
    ],
)
def test_what_is_no_commitment_is_no_action_item(text: str) -> None:
    assert items(("A", text), SMALL_TALK) == ()


@pytest.mark.parametrize(
    ("request_", "answer", "found"),
    [
        ("Can you book the room?", "Sure.", ActionItem("book the room", "B", None, (0, 1))),
        ("can you book the room", "um yes sure", ActionItem("book the room", "B", None, (0, 1))),
        ("Can you book the room?", "share no problem", ActionItem("book the room", "B", None, (0, 1))),
        ("Can you book the room?", "Yes. I'll do it by Friday.", ActionItem("book the room", "B", "by Friday", (0, 1))),
        (
            "Tom, could you please book the room?",
            "Sure, I'll book it at noon.",
            ActionItem("book the room", "Tom", "at noon", (0, 1)),
        ),
        ("Could you update the slides, Anna?", "Happy to.", ActionItem("update the slides", "Anna", None, (0, 1))),
        ("okay tom can you book the room by noon", "will do", ActionItem("book the room", "B", "by noon", (0, 1))),
        ("mark can you send the offer", "yes", ActionItem("send the offer", "B", None, (0, 1))),
        ("Tom, can you book the room for Monday?", "Okay.", ActionItem("book the room for Monday", "Tom", None, (0, 1))),
        ("We need to call the caterer.", "I'll do that tomorrow.", ActionItem("call the caterer", "B", "tomorrow", (0, 1))),
        ("We need to call the caterer.", "Yes.", ActionItem("call the caterer", None, None, (0,))),
        ("Can you book the room?", "No, I can't.", None),
        ("Can you book the room?", "Yes, but not today.", None),
        ("Can you book the room?", "Sure?", None),
        ("Can you book the room?", "What room?", None),
        ("Can you hear me?", "Yes.", None),
        ("What can you book?", "Yes.", None),
        ("report can you book the room", "the report is done", None),
    ],
)
def test_a_request_is_an_action_item_once_somebody_assents(request_: str, answer: str, found: ActionItem | None) -> None:
    assert items(("A", request_), ("B", answer)) == (() if found is None else (found,))


def test_the_one_who_asked_cannot_assent() -> None:
    assert items(("A", "Can you book the room?"), ("A", "Yes."), SMALL_TALK) == ()


def test_a_lower_case_name_owns_only_if_it_is_used_as_a_name_elsewhere() -> None:
    asked = ("A", "okay tom can you book the room")
    assert items(asked, ("B", "yes"))[0].owner == "B"
    assert items(asked, ("B", "yes"), ("A", "thanks tom"))[0].owner == "tom"
    said = ("A", "maria will send the offer")
    assert items(said, ("B", "thanks maria that helps")) == (ActionItem("send the offer", "maria", None, (0,)),)
    assert items(said, ("B", "that helps a lot")) == ()
    asked = ("A", "we have three weeks left sarah can you book the room")
    assert items(asked, ("B", "yes"), ("A", "thanks sarah"))[0].owner == "sarah"
    assert items(asked, ("B", "yes"))[0].owner == "B"


def test_a_word_that_follows_the_is_nobody() -> None:
    said = ("A", "Budget, can you send the offer?")
    assert items(said, ("B", "Yes, the budget is fine."))[0].owner == "B"


def test_a_single_speaker_owns_nothing_since_diarization_may_have_collapsed() -> None:
    assert items(("A", "I will send the report. Tom will book the room.")) == (
        ActionItem("send the report", None, None, (0,)),
        ActionItem("book the room", "Tom", None, (0,)),
    )


def test_nobody_owns_what_the_diarization_is_not_sure_of() -> None:
    def said(confidence: float) -> str | None:
        words = (Word("I", 0, 1, speaker_confidence=confidence), Word(" will", 1, 2))
        turn = SpeakerTurn(0, "A", 0, 1, "I will send the report.", words)
        return find_action_items(split_turns([turn, SpeakerTurn(1, "B", 1, 2, "Nice.")]))[0][0].owner

    assert said(0.49) is None
    assert said(0.51) == "A"


def test_an_unnamed_speaker_owns_nothing() -> None:
    assert items((None, "I will send the report."), ("A", "Yes."), ("B", "Yes."))[0].owner is None


def test_two_promises_in_one_sentence_are_two_items() -> None:
    assert [item.task for item in items(("A", "I will send the report and I will book the room."), SMALL_TALK)] == [
        "send the report",
        "book the room",
    ]


def test_a_repetition_adds_its_evidence_and_what_was_missing() -> None:
    said = (("A", "We need to book the big venue."), SMALL_TALK, ("A", "So I'll book the big venue by Friday."))
    assert items(*said) == (ActionItem("book the big venue", "A", "by Friday", (0, 2)),)


def test_the_same_task_of_two_people_stays_two() -> None:
    said = (("A", "I will write the monthly report."), ("B", "And I will write the monthly report."))
    assert [item.owner for item in items(*said)] == ["A", "B"]
