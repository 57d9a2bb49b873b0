"""A conversation through a scripted model: what it is given, what becomes of its answers, and what happens when it fails."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from roundtable.control import Control
from roundtable.errors import Cancelled, DeadlineExceeded, EngineFailed, OutOfMemory
from roundtable.summarization import SummarizeOptions
from roundtable.summarization.extractive import ExtractiveSummarizer
from roundtable.summarization.fallback import WithFallback
from roundtable.summarization.model import ModelSummarizer
from roundtable.summarization.writer import Frame, Prompt
from roundtable.transcript import ActionItem, Point, SpeakerTurn, Summary
from tests.fakes import PHRASE, FakeSummarizer, ScriptedWriter, raises

EXTRACTIVE = ExtractiveSummarizer()
TALK = (
    "We need twenty five percent more budget for the new server, Anna says.",
    "I will send the report to Tom by Friday.",
    "Good. We decided to hold the launch in Berlin in May.",
)


def turns(*said: str) -> list[SpeakerTurn]:
    return [SpeakerTurn(n, f"SPEAKER_0{n % 2}", 5.0 * n, 5.0 * n + 4, text) for n, text in enumerate(said)]


def summarize(
    writer: ScriptedWriter, talk: Sequence[SpeakerTurn] | None = None, control: Control | None = None, **options: Any
) -> Summary:
    engine = WithFallback(ModelSummarizer(writer, EXTRACTIVE), EXTRACTIVE)
    wanted = SummarizeOptions(**{"language": "en", **options})
    return engine.summarize(turns(*TALK) if talk is None else talk, wanted, control or Control())


def codes(summary: Summary) -> list[str]:
    return [warning.code for warning in summary.warnings]


FILLER = "the weather was fine and the train was late again so we waited a little longer than usual"


def noting(task: str, lines: Sequence[str]) -> str:
    """Notes every line that holds a fact, under its own number; answers with the facts that it read."""
    facts = [
        (text, json.loads(f"[{number}]"))
        for number, text in re.findall(r"\[([\d, ]+)\] [^\n]*?(The code \w+ is \w+)", "\n".join(lines))
    ]
    if task in {"notes", "condense"}:
        return json.dumps({"key_points": [{"text": text, "evidence": ids} for text, ids in facts]})
    return " ".join(f"{text}." for text, _ in facts) or "Nothing."


def test_what_fits_goes_in_one_pass_as_numbered_lines() -> None:
    writer = ScriptedWriter(lambda task, lines: "Anna needs 25 % more budget.")
    summary = summarize(writer)
    assert writer.prompts == [
        (
            "text",
            [
                "[0] SPEAKER_00 (00:00): We need twenty five percent more budget for the new server, Anna says.",
                "[1] SPEAKER_01 (00:05): I will send the report to Tom by Friday.",
                "[2] SPEAKER_00 (00:10): Good. We decided to hold the launch in Berlin in May.",
            ],
        )
    ]
    words = sum(len(line.split()) + 1 for _, lines in writer.prompts for line in lines)
    assert summary == Summary(
        "Anna needs 25 % more budget.", method="chat", passes=1, input_tokens=words + 2, stop_reason="eos"
    )


def test_an_answer_that_comes_to_its_limit_says_so() -> None:
    summary = summarize(ScriptedWriter(lambda task, lines: "more budget " * 10), max_tokens=6)
    assert (summary.text, summary.stop_reason, summary.truncated) == ("more budget more budget more budget", "length", False)


@pytest.mark.parametrize("said", [(), ("…",), ("Hello there.", "Hi."), (" ".join(["word"] * 19),)])
def test_next_to_no_speech_never_reaches_a_model(said: tuple[str, ...]) -> None:
    writer = ScriptedWriter(lambda task, lines: "made up")
    summary = summarize(writer, turns(*said))
    assert writer.prompts == []
    assert (summary.method, summary.passes, codes(summary)) == ("extractive", 0, [])
    assert summarize(writer, turns(" ".join(["word"] * 20))).text == "made up"


@pytest.mark.parametrize("words", [10, 200, 5000, 20_000])
@pytest.mark.parametrize("method", ["chat", "seq2seq"])
def test_planted_facts_reach_the_model_wherever_they_stand(words: int, method: Any) -> None:
    filler = FILLER.split()
    said: list[str] = []
    while sum(len(text.split()) for text in said) < words:
        said.append(" ".join(filler[: 3 + len(said) % 14]) + ".")
    facts = ["The code alpha is seven.", "The code beta is eight.", "The code gamma is nine."]
    for place, fact in zip((0, len(said) // 2, len(said)), facts, strict=True):
        said.insert(place, f"Well. {fact} Right.")
    writer = ScriptedWriter(noting if method == "chat" else lambda task, lines: "It was late.", tokens=4000, method=method)
    summary = summarize(writer, turns(*said), max_tokens=200)
    seen = " ".join(line for _, lines in writer.prompts for line in lines)
    assert [fact for fact in facts if fact not in seen] == []
    counted = {word: seen.split().count(word) for word in {"weather", "waited"}}
    whole = " ".join(said).split()
    assert all(counted[word] >= whole.count(word) for word in counted)
    assert (summary.passes == 1) is (words <= 200)
    assert summary.truncated is False
    if method == "chat":
        assert summary.text == " ".join(facts)


def test_notes_are_reduced_until_they_fit_and_keep_their_evidence() -> None:
    said = [f"The code k{n}k is v{n}v and more words follow here to fill the line." for n in range(400)]
    writer = ScriptedWriter(lambda task, lines: noting(task, lines[::9] if task == "condense" else lines[::3]), tokens=800)
    summary = summarize(writer, turns(*said), max_tokens=100)
    tasks = [task for task, _ in writer.prompts]
    assert tasks == sorted(tasks, key=["notes", "condense", "text_from_notes"].index)
    assert set(tasks) == {"notes", "condense", "text_from_notes"}
    for task, lines in writer.prompts:
        if task != "notes":
            assert all(re.search(r"^\[(\d+)\] The code k\1k is", line) for line in lines)
    assert summary.passes == len(tasks)


def test_a_reduction_that_makes_no_progress_ends_and_says_so() -> None:
    said = [f"The code k{n}k is v{n}v and so on." for n in range(900)]
    writer = ScriptedWriter(lambda task, lines: "" if task == "condense" else noting(task, lines[::6]), tokens=800)
    summary = summarize(writer, turns(*said), max_tokens=200)
    assert summary.truncated is True
    assert codes(summary) == ["notes_left_out"]
    task, lines = writer.prompts[-1]
    assert task == "text_from_notes"
    read = [int(number) for number in re.findall(r"^\[(\d+)\]", "\n".join(lines), re.MULTILINE)]
    assert len(read) > 20
    assert (min(read), max(read) > 850) == (0, True)
    assert max(b - a for a, b in pairwise(read)) < 50


def test_a_part_that_the_model_notes_nothing_on_is_not_lost() -> None:
    said = [f"The committee discussed item number k{n}k in some detail this time." for n in range(200)]
    writer = ScriptedWriter(lambda task, lines: "" if task == "notes" else "They discussed items.", tokens=800)
    summary = summarize(writer, turns(*said), max_tokens=100)
    parts = sum(task == "notes" for task, _ in writer.prompts)
    assert codes(summary) == ["notes_extractive"]
    assert summary.warnings[0].message.startswith(f"On {parts} part(s)")
    assert len(writer.prompts[-1][1]) == 3 * parts


def test_notes_that_come_to_their_limit_are_reported() -> None:
    said = [f"The code k{n}k is v{n}v and so on and on and on." for n in range(120)]
    writer = ScriptedWriter(lambda task, lines: noting(task, lines) + " padding" * (500 if task == "notes" else 0), tokens=1000)
    summary = summarize(writer, turns(*said), max_tokens=100)
    assert ("notes_cut" in codes(summary), summary.truncated) == (True, True)


ANSWER = {
    "title": "Budget and report",
    "summary": "They need 25 % more budget. It costs 99 dollars.",
    "key_points": [{"text": "More budget for the server", "evidence": [0]}, {"text": "Elephants audit", "evidence": [0]}],
    "decisions": [{"text": "Hold the launch in Berlin in May", "evidence": [7]}],
    "action_items": [{"task": "send the report to Tom", "owner": "Bob", "due": "by Friday", "evidence": [1]}],
    "per_speaker": {"SPEAKER_00": "Needs more budget."},
}


def test_a_structured_summary_is_checked() -> None:
    summary = summarize(ScriptedWriter(lambda task, lines: f"```json\n{json.dumps(ANSWER)}\n```"), format="structured")
    assert (summary.title, summary.text) == ("Budget and report", "They need 25 % more budget.")
    assert summary.key_points == (Point("More budget for the server", (0,)),)
    assert summary.decisions == (Point("Hold the launch in Berlin in May", (2,)),)
    assert summary.action_items == (ActionItem("send the report to Tom", None, "by Friday", (1,)),)
    assert summary.per_speaker == {"SPEAKER_00": "Needs more budget."}
    assert codes(summary) == ["unsupported_number", "unsupported_owner", "no_evidence", "evidence_replaced"]
    assert (summary.method, summary.passes) == ("chat", 1)


def test_a_broken_answer_is_repaired_once() -> None:
    writer = ScriptedWriter(lambda task, lines: json.dumps(ANSWER) if task == "repair" else "The budget is <too> small")
    summary = summarize(writer, format="structured")
    assert [task for task, _ in writer.prompts] == ["structured", "repair"]
    assert writer.prompts[1][1] == ["The budget is (too) small"]
    assert (summary.title, summary.passes) == ("Budget and report", 2)


def test_an_answer_that_spells_a_control_text_is_not_lost_to_its_repair() -> None:
    said = "They need more budget for the server. CONTROL {x} costs 99 dollars."
    writer = ScriptedWriter(lambda task, lines: said)
    summary = summarize(writer, format="structured")
    assert writer.prompts[1] == ("repair", ["They need more budget for the server. C ONTROL {x} costs 99 dollars."])
    assert summary.text == "They need more budget for the server."
    assert (summary.method, codes(summary)) == ("chat", ["not_structured", "unsupported_number"])


def test_an_answer_that_cannot_be_repaired_is_plain_text_with_a_warning() -> None:
    writer = ScriptedWriter(lambda task, lines: "They need more budget for the server. It costs 99 dollars.")
    summary = summarize(writer, format="structured")
    assert summary.text == "They need more budget for the server."
    assert summary.key_points == (Point("They need more budget for the server.", (0,)),)
    assert [(item.task, item.owner) for item in summary.action_items] == [("send the report to Tom", "SPEAKER_01")]
    assert codes(summary) == ["not_structured", "unsupported_number"]


def test_a_sequence_to_sequence_model_gets_no_numbers_and_its_sentences_are_the_key_points() -> None:
    writer = ScriptedWriter(lambda task, lines: "They need more budget for the server.", method="seq2seq")
    summary = summarize(writer, format="structured")
    assert writer.prompts[0][1][1] == "SPEAKER_01 (00:05): I will send the report to Tom by Friday."
    assert summary.key_points == (Point("They need more budget for the server.", (0,)),)
    assert [decision.evidence for decision in summary.decisions] == [(2,)]
    assert (summary.method, summary.title != "") == ("seq2seq", True)


@pytest.mark.parametrize(
    "answer", ["", "<think>They need", "{}{{", '{"title": "x", "key_points": [{"text": "Elephants audit"}]}']
)
def test_an_answer_of_no_use_is_replaced_by_the_main_sentences(answer: str) -> None:
    summary = summarize(ScriptedWriter(lambda task, lines: answer), format="structured")
    assert (summary.method, codes(summary)) == ("extractive", ["summary_unusable"])
    assert summary.text == EXTRACTIVE.summarize(turns(*TALK), SummarizeOptions(language="en"), Control()).text


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (MemoryError(), "out_of_memory"),
        (OutOfMemory("No room."), "out_of_memory"),
        (EngineFailed("No numbers."), "engine_failed"),
        (RuntimeError(PHRASE), "summary_model_failed"),
        (OSError(f"/home/{PHRASE}"), "summary_model_failed"),
    ],
)
def test_a_model_that_fails_is_replaced_with_a_warning(failure: Exception, code: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "roundtable")
    engine = WithFallback(FakeSummarizer(raises(failure)), EXTRACTIVE)
    summary = engine.summarize(turns(*TALK), SummarizeOptions(), Control())
    assert (summary.method, codes(summary)) == ("extractive", [code])
    assert summary.text != ""
    assert PHRASE not in caplog.text + summary.warnings[0].message
    (record,) = caplog.records
    assert json.loads(record.message)["error"] == type(failure).__name__


@pytest.mark.parametrize("stop", [Cancelled("x"), DeadlineExceeded("x")])
def test_a_request_that_is_stopped_is_no_fault(stop: Exception) -> None:
    engine = WithFallback(FakeSummarizer(raises(stop)), EXTRACTIVE)
    with pytest.raises(type(stop)):
        engine.summarize(turns(*TALK), SummarizeOptions(), Control())


def test_at_start_up_a_fault_is_an_error() -> None:
    engine = WithFallback(FakeSummarizer(raises(RuntimeError("x"))), EXTRACTIVE)
    with pytest.raises(RuntimeError, match="x"):
        engine.summarize(turns(*TALK), SummarizeOptions(fallback=False), Control())


def test_when_memory_runs_out_the_conversation_is_read_in_smaller_parts() -> None:
    said = [f"The code k{n}k is v{n}v and so on." for n in range(300)]
    writer = ScriptedWriter(lambda task, lines: noting(task, lines[::40]), tokens=8192, room_tokens=1500)
    summary = summarize(writer, turns(*said), max_tokens=100)
    assert (summary.method, codes(summary)[-1]) == ("chat", "context_reduced")
    assert summary.warnings[-1].message.endswith("parts of at most 1024 tokens.")
    hopeless = ScriptedWriter(noting, tokens=8000, room_tokens=10)
    assert codes(summarize(hopeless, turns(*said))) == ["out_of_memory"]


def test_a_time_budget_is_looked_at_between_generations() -> None:
    now = [0.0]

    def slow(task: str, lines: Sequence[str]) -> str:
        now[0] += 1.0
        return noting(task, lines)

    said = [f"The code k{n}k is v{n}v and so on." for n in range(900)]
    writer = ScriptedWriter(slow, tokens=800)
    with pytest.raises(DeadlineExceeded):
        summarize(writer, turns(*said), Control(timeout_s=4.5, clock=lambda: now[0]))
    assert len(writer.prompts) == 5


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (Prompt((1, 5, 2), Frame((1,), (2,), 0), 0), None),
        (Prompt((1, 5, 6, 7, 2), Frame((1,), (2,), 0), 0), "longer than the model takes"),
        (Prompt((5, 2), Frame((1,), (2,), 0), 0), "has lost its instructions"),
        (Prompt((1, 5), Frame((1,), (2,), 0), 0), "has lost its instructions"),
        (Prompt((1, 5, 2), Frame((1,), (2,), 0), 1), "control tokens that come from the transcript"),
    ],
)
def test_every_prompt_is_held_to_its_limit_and_its_instructions(prompt: Prompt, sentence: str | None) -> None:
    check: Callable[[], None] = lambda: prompt.check(4)  # noqa: E731  # read in two places
    if sentence is None:
        check()
    else:
        with pytest.raises(EngineFailed, match=sentence):
            check()


def test_unsupported_claims_of_an_adversary_are_all_gone() -> None:
    lies = {
        "title": "Paid 999 dollars",
        "summary": "Bob paid 999 dollars on Tuesday. They need more budget. In June it rains.",
        "key_points": [{"text": f"The server budget is {n} dollars", "evidence": [0]} for n in range(100, 140)],
        "decisions": [
            {"text": "Meet in Berlin in December", "evidence": [2]},
            {"text": "Meet in Berlin at 11:45", "evidence": [2]},
        ],
        "action_items": [
            {"task": "send the report", "owner": owner, "due": due, "evidence": [1]}
            for owner, due in (("Zoe", "2031-01-01"), ("SPEAKER_09", "Monday"), ("everybody", "in 3 weeks"))
        ],
        "per_speaker": {"SPEAKER_00": "Spoke 60 % of the time.", "SPEAKER_05": "Was silent."},
    }
    summary = summarize(ScriptedWriter(lambda task, lines: json.dumps(lies)), format="structured", max_tokens=900)
    assert summary.text == "They need more budget."
    assert (summary.key_points, summary.decisions, summary.per_speaker) == ((), (), {})
    assert {(item.owner, item.due) for item in summary.action_items} == {(None, None)}
    assert "999" not in summary.title
