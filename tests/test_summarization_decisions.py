import pytest

from roundtable.summarization.decisions import find_decisions
from roundtable.summarization.rules import DECISIONS
from roundtable.summarization.sentences import split_turns
from roundtable.transcript import Point, SpeakerTurn


def decisions(*said: tuple[str, str]) -> tuple[Point, ...]:
    turns = [SpeakerTurn(10 + place, who, place, place + 1, text) for place, (who, text) in enumerate(said)]
    return find_decisions(split_turns(turns))[0]


EXAMPLES = [
    ["We decided to ship the beta in June.", "we've all agreed on the blue design", "WE HAVE FINALLY SETTLED ON THE VENUE"],
    ["everyone agrees that the price stays at ten euros"],
    ["Let's go with the smaller agency.", "lets stick with the old logo", "I agree with Tom. Let us go with the new camera."],
    ["It's settled that the team moves to Berlin."],
    ["The final decision is to cancel the fair.", "so our decision is to cancel the fair"],
    ["Decision: the office closes on Fridays."],
    ["We'll go with option two, the cheaper supplier.", "we are going to stick with the old logo"],
    ["we are going with the cheaper supplier"],
    ["So we are going to launch in March.", "okay so we'll launch the app in may"],
]


def test_every_pattern_has_an_example() -> None:
    assert len(EXAMPLES) == len(DECISIONS)


@pytest.mark.parametrize("text", [text for texts in EXAMPLES for text in texts])
def test_a_stated_decision_is_found(text: str) -> None:
    sentence = text.split(". ")[-1]
    assert decisions(("A", text), ("B", "The weather is nice.")) == (Point(sentence, (10,)),)


@pytest.mark.parametrize(
    "text",
    [
        "I'm glad that we agreed to hire Tom.",
        "We don't have time, so we decided to drop the feature.",
        "He asked whether we're late, but we decided to keep the date.",
        "we do not have the time so we decided to drop the feature",
    ],
)
def test_a_negation_or_condition_of_another_clause_does_not_matter(text: str) -> None:
    assert decisions(("A", text)) == (Point(text, (10,)),)


@pytest.mark.parametrize(
    "what", ["find the battery", "start the project in June", "begin the sale", "wait for the release", "meet in Rome"]
)
def test_what_was_decided_in_so_many_words_used_to_be_lost_to_a_list_of_empty_verbs(what: str) -> None:
    text = f"We decided to {what}."
    assert decisions(("A", text)) == (Point(text, (10,)),)
    assert decisions(("A", f"So we are going to {what}.")) == ()


@pytest.mark.parametrize(
    "text",
    [
        "Have we decided to ship the beta?",
        "have we agreed on the budget",
        "Did we agree on the budget?",
        "Should we go with the smaller agency?",
        "I don't think we decided to ship the beta.",
        "We haven't decided on the price.",
        "If we decided to ship, the price would fall.",
        "Unless we agreed on the budget, nothing starts.",
        "When we decided to ship, the market was bad.",
        "I thought we agreed on the budget plan.",
        "Maybe we'll go with the smaller agency.",
        "We almost agreed on the small budget.",
        "So we are going to talk about the launch today.",
        "We agreed to disagree about the colours.",
        "We decided to talk about the launch again.",
        "The decision is not yet made about the venue.",
        "The decision is up to the board members.",
        "We agreed.",
        "Let's go with it.",
        "We decided to ship the beta " + "x" * 2000,
    ],
)
def test_questions_negations_conditions_and_empty_words_decide_nothing(text: str) -> None:
    assert decisions(("A", text), ("B", "The weather is nice.")) == ()


def test_a_proposal_is_decided_when_somebody_else_accepts_it() -> None:
    proposal = ("A", "How about we move the launch to June?")
    assert decisions(proposal, ("B", "Sounds good.")) == (Point("How about we move the launch to June?", (10, 11)),)
    assert decisions(proposal, ("B", "okay let's do that")) == (Point("How about we move the launch to June?", (10, 11)),)
    assert decisions(proposal, ("A", "Sounds good.")) == ()
    assert decisions(proposal, ("B", "That's not agreed.")) == ()
    assert decisions(proposal, ("B", "That is hard to say.")) == ()
    assert decisions(("A", "Let's start with the budget numbers."), ("B", "Sounds good.")) == ()


def test_it_is_settled_decides_the_sentence_before() -> None:
    assert decisions(("A", "We launch on the third of May then. It's settled.")) == (
        Point("We launch on the third of May then.", (10,)),
    )
    assert decisions(("A", "Do we launch on the third of May? It's settled.")) == ()


def test_a_decision_that_is_repeated_is_one_with_both_turns_as_evidence() -> None:
    first, again = "We decided to move the launch to June.", "So we decided to move the launch of the app to June."
    assert decisions(("A", first), ("B", "Fine weather."), ("A", again)) == (Point(first, (10, 12)),)
