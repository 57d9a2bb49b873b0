"""A model that makes things up, against the checks of structured summaries: what that was not said gets through?

The conversations are drawn from sentences in which every number, date and name is known; `tests.fakes.Inventor` spoils them
with others. The judge knows both lists and nothing of the checks: an invention is in the summary if it stands there in the
spelling in which it was put in. Owners have to be people of the conversation, and due times have to have been said, word for
word. What the model told as it was said should survive: that is counted too, since an empty summary would hold no invention.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from roundtable.control import Control
from roundtable.summarization import SummarizeOptions
from roundtable.summarization.extractive import ExtractiveSummarizer
from roundtable.summarization.fallback import WithFallback
from roundtable.summarization.model import ModelSummarizer
from roundtable.transcript import SpeakerTurn, Summary
from tests.fakes import Inventor, ScriptedWriter

SAID = (
    "The rent of the office is 4200 euros from May on.",
    "Anna wants to open the shop on the first of June.",
    "We have about twenty thousand dollars for the rest of 2027.",
    "Martin will call the printer by Friday and ask about the price.",
    "I will send the contract to the lawyers before Monday morning.",
    "We decided to take the 15 percent discount that Peter got for us.",
    "Thirteen people have signed up for the workshop in Lisbon.",
    "The server was down for forty minutes last Tuesday night.",
    "Laura Brown is going to write the report about the customer survey.",
    "Our customers wait 2.5 days for an answer, and that is too long.",
    "The meeting with the bank starts at nine thirty on Thursday.",
    "We agreed that the camera is more useful than radio advertising.",
    "The delivery from Hamburg arrives on March 16 if the weather holds.",
    "Can somebody please check the numbers of the second quarter?",
    "Peter, could you order 65 chairs for the new meeting room?",
    "I think the payment page is fine now, and we can test the rest.",
    "The old printer makes a loud noise and stops after 8 pages.",
    "Somebody from the insurance asked for the photos of the damage.",
)
PEOPLE = {"Anna", "Martin", "Peter", "Laura", "Laura Brown", "Brown"}
LABELS = ("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")

_PARTS_TOKENS = 700
"""Every third case is read in parts, so that notes are spoilt too."""


def measure(cases: int) -> dict[str, Any]:
    """All cases together: statements, inventions put in, and those that got through, by kind and spelling."""
    put_in, through, totals = 0, Counter[str](), Counter[str]()
    for seed in range(cases):
        found = case(seed)
        put_in += found["put_in"]
        through.update(found["through"])
        totals.update(found["counts"])
    return {"cases": cases, "put_in": put_in, "through": dict(sorted(through.items())), **totals}


def case(seed: int) -> dict[str, Any]:
    """One conversation, spoilt and judged."""
    rng = random.Random(seed)  # noqa: S311
    turns = conversation(rng)
    inventor = Inventor(seed)
    writer = ScriptedWriter(inventor, tokens=_PARTS_TOKENS if seed % 3 == 2 else 4000)
    extractive = ExtractiveSummarizer()
    options = SummarizeOptions(format="structured", language="en")
    summary = WithFallback(ModelSummarizer(writer, extractive), extractive).summarize(turns, options, Control())
    texts = [text.casefold() for text in stated(summary)]
    told = set(inventor.told)
    return {
        "put_in": len(inventor.invented),
        "through": Counter(judged(summary, turns, inventor.invented)),
        "counts": {
            "by_model": int(summary.method == "chat"),
            "statements": len(texts),
            "told": len(told),
            "told_kept": sum(any(one.casefold() in text for text in texts) for one in told),
        },
    }


def conversation(rng: random.Random) -> list[SpeakerTurn]:
    said = rng.sample(SAID, rng.randint(10, len(SAID)))
    return [SpeakerTurn(n, rng.choice(LABELS), 6.0 * n, 6.0 * n + 5, text) for n, text in enumerate(said)]


def stated(summary: Summary) -> Iterator[str]:
    """Every text of a structured summary but owners and due times."""
    yield from (summary.title, summary.text)
    yield from (point.text for point in (*summary.key_points, *summary.decisions))
    yield from (item.task for item in summary.action_items)
    yield from summary.per_speaker.values()


def judged(summary: Summary, turns: Sequence[SpeakerTurn], invented: Sequence[str]) -> Iterator[str]:
    """What got through, as "kind: spelling"."""
    kinds = {
        **dict.fromkeys(Inventor.NAMES, "name"),
        **dict.fromkeys(Inventor.NUMBERS, "number"),
        **dict.fromkeys(Inventor.DATES, "date"),
    }
    for text in stated(summary):
        yield from (f"{kinds[it]}: {it}" for it in dict.fromkeys(invented) if it in kinds and stands_in(it, text))
    for item in summary.action_items:
        if item.owner is not None and item.owner not in PEOPLE and item.owner not in {turn.speaker for turn in turns}:
            yield f"owner: {item.owner}"
        if item.due is not None and not any(stands_in(item.due, turn.text) for turn in turns):
            yield f"due: {item.due}"
    known = {turn.speaker for turn in turns}
    yield from (f"speaker: {speaker}" for speaker in summary.per_speaker if speaker not in known)


def stands_in(it: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(it.casefold())}(?!\w)", text.casefold()) is not None
