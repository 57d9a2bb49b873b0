"""A small language in which a summary can be right or wrong: conversations of chatter, with a fact here and there.

A fact says one thing of one noun ("The budget is in Paris.", "The server belongs to Anna."). Chatter talks of the same nouns,
people, days and places ("I was in Paris last week.", "What about the budget?"), and some of it begins with "The" too. So no
word gives a fact away; its form does. The right summary is the facts, each once, in their order.

In one conversation a noun has one fact, and no two facts end alike: no three tokens come twice, which no summarizing model
here may write. One fact in eight, by the hash of its text, is held out of all training.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from roundtable.transcript import SpeakerTurn

NOUNS = (
    *("budget", "server", "report", "printer", "camera", "website", "contract", "invoice", "office", "garden", "kitchen"),
    *("project", "meeting", "workshop", "exam", "course", "concert", "festival", "party", "trip", "train", "flight", "ticket"),
    *("hotel", "car", "truck", "bridge", "tower", "museum", "library", "school", "factory", "market", "bakery", "hospital"),
    *("laptop", "phone", "screen", "cable", "battery", "engine", "robot", "sensor", "table", "chair", "door", "window"),
    *("carpet", "lamp", "piano", "guitar", "book", "letter", "parcel", "passport", "recipe", "poster", "statue", "boat"),
)
_VALUES = {
    "is in {}": (
        *("Paris", "Berlin", "London", "Madrid", "Rome", "Oslo", "Vienna", "Prague", "Dublin", "Lisbon", "Athens", "Warsaw"),
        *("Cairo", "Tokyo", "Delhi", "Boston", "Denver", "Lima", "Quito", "Sydney"),
    ),
    "starts on {}": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "costs {}": (
        *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty", "thirty"),
        *("forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
    ),
    "belongs to {}": (
        *("Anna", "Martin", "Peter", "Laura", "David", "Susan", "Robert", "Helen", "George", "Emma", "Oliver", "Julia"),
        *("Simon", "Clara", "Victor", "Nina", "Henry", "Alice"),
    ),
    "is {}": ("red", "green", "blue", "yellow", "black", "white", "brown", "grey", "orange", "purple", "pink", "silver"),
}
_SLOTS = {"place": "is in {}", "day": "starts on {}", "number": "costs {}", "name": "belongs to {}", "colour": "is {}"}
CHATTER = (
    *("Good morning everybody.", "How are you today?", "I am fine, thank you.", "Can you hear me now?", "Yes, of course."),
    *("No, not really.", "I do not know.", "Okay.", "Let me think about it.", "That sounds good to me.", "I see."),
    *("What about the {noun}?", "Where is the {noun}?", "We talk about the {noun} later.", "I forgot the {noun} again."),
    *(
        "Did anybody see {name}?",
        "{name} said so.",
        "Nobody told {name}.",
        "I was in {place} last week.",
        "It rained in {place}.",
    ),
    *("I like {colour} very much.", "See you on {day}.", "Who has {number} minutes?", "It is not in {place}, I think."),
    *("The same here.", "The what?", "The coffee was good.", "The others are late.", "The weather is nice in {place}."),
    *(
        "Is the {noun} {colour}?",
        "Maybe the {noun} is with {name}.",
        "Sorry, I was late.",
        "{name} was here on {day}.",
        "We had {number} of them.",
    ),
)
NOTHING = "Nothing new."
"""The summary of a conversation without facts."""

SPEAKERS = 4
FACTS = tuple(f"The {noun} {form.format(value)}." for noun in NOUNS for form, values in _VALUES.items() for value in values)
MOST_FACTS = len(NOUNS)


@dataclass(frozen=True, slots=True)
class Talk:
    """What was said, and the facts in it, in order."""

    turns: tuple[SpeakerTurn, ...]
    facts: tuple[str, ...]


def is_held_out(fact: str) -> bool:
    return zlib.crc32(fact.encode()) % 8 == 0


def vocabulary() -> list[str]:
    """Every word and sign of the language, as it stands in a text."""
    texts = [*CHATTER, NOTHING, *(f"The {noun}." for noun in NOUNS), *(f"{form}." for form in _VALUES)]
    texts += [value for values in _VALUES.values() for value in values]
    spaced = " ".join(texts)
    for sign in ".,?":
        spaced = spaced.replace(sign, f" {sign} ")
    return sorted({word for word in spaced.split() if "{" not in word})


def draw_facts(rng: random.Random, count: int, *, held_out: bool) -> list[str]:
    """So many facts that may stand in one conversation, at most `MOST_FACTS`; of those held out at most 40, there are fewer."""
    values = [(form, value) for form, some in _VALUES.items() for value in some]
    rng.shuffle(values)
    first = rng.sample(NOUNS, count)
    found: list[str] = []
    for noun in (*first, *(noun for noun in NOUNS if noun not in first)):
        if len(found) == count:
            break
        fitting = (at for at, (form, value) in enumerate(values) if is_held_out(_fact(noun, form, value)) == held_out)
        at = next(fitting, None)
        if at is not None:  # else its last values are taken by other nouns
            found.append(_fact(noun, *values.pop(at)))
    if len(found) < count:
        raise ValueError(f"no {count} facts that share nothing")
    return found


def chatter(rng: random.Random) -> str:
    """A sentence that is no fact."""
    chosen = {slot: rng.choice(_VALUES[form]) for slot, form in _SLOTS.items()}
    return rng.choice(CHATTER).format(noun=rng.choice(NOUNS), **chosen)


def talk(rng: random.Random, sentences: int, facts: Sequence[str], *, at_edges: bool = False, start_s: float = 0.0) -> Talk:
    """So many sentences in turns of one to four, the facts among them at random places.

    `at_edges`: the first is the very first sentence, the last the very last, and one is the middle one.
    """
    places = sorted(rng.sample(range(sentences), len(facts)))
    if at_edges:
        inner = sorted(rng.sample(range(1, sentences - 1), len(facts) - 2))
        inner[min(range(len(inner)), key=lambda n: abs(inner[n] - sentences // 2))] = sentences // 2
        places = sorted({0, *inner, sentences - 1})
        facts = facts[: len(places)]
    planted = dict(zip(places, facts, strict=True))
    said = [planted.get(n) or chatter(rng) for n in range(sentences)]
    return Talk(tuple(_turns(rng, said, start_s)), tuple(facts))


def words(talk: Talk) -> int:
    return sum(len(turn.text.split()) for turn in talk.turns)


def _turns(rng: random.Random, said: Sequence[str], clock: float) -> Iterator[SpeakerTurn]:
    at, number = 0, 0
    while at < len(said):
        size = rng.randint(1, 4)
        text = " ".join(said[at : at + size])
        seconds = 0.4 * len(text.split())
        yield SpeakerTurn(number, f"SPEAKER_{rng.randrange(SPEAKERS):02}", clock, clock + seconds, text)
        clock, at, number = clock + seconds + 0.3, at + size, number + 1


def _fact(noun: str, form: str, value: str) -> str:
    return f"The {noun} {form.format(value)}."
