"""`benchmarks.summaries`: its scores, its judges, the promises that it prints, and that every figure is one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("meeteval", reason="the benchmarks need what the evaluation needs")

from benchmarks import (  # after the skip above
    outcome,
    summaries,
    summaries_budget,
    summaries_hosts,
    summaries_inventions,
    summaries_quality,
    summaries_speed,
    summaries_tables,
)
from evaluation.rouge import rouge
from roundtable.transcript import ActionItem, Point, SpeakerTurn, Summary
from tests.fakes import Inventor

FIGURES = Path(summaries.__file__).with_name("results") / "summaries.json"


# ---- ROUGE


@pytest.mark.parametrize(
    ("summary", "reference", "one", "two", "longest"),
    [
        ("The cat sat.", "The cat sat.", 1.0, 1.0, 1.0),
        ("", "The cat sat.", 0.0, 0.0, 0.0),
        ("", "", 0.0, 0.0, 0.0),
        ("police kill the gunman", "police killed the gunman", 0.75, 1 / 3, 0.75),  # Lin's own example
        ("the gunman kill police", "police killed the gunman", 0.75, 1 / 3, 0.5),
        ("the the the", "the cat", 0.4, 0.0, 0.4),
        ("A b. C d.", "c D, a b", 1.0, 2 / 3, 1.0),
    ],
)
def test_rouge(summary: str, reference: str, one: float, two: float, longest: float) -> None:
    found = rouge(summary, reference)
    assert (found.one, found.two, found.longest) == pytest.approx((one, two, longest))


def test_rouge_l_joins_what_several_sentences_have_of_one() -> None:
    # Lin, 2004, section 3.2: of w1 … w5 the two sentences have w1 w2 and w1 w3 w5, together four words of five.
    found = rouge("w1 w2 w6 w7 w8. w1 w3 w8 w9 w5.", "w1 w2 w3 w4 w5.")
    assert found.longest == pytest.approx(2 * 4 / (10 + 5))


@pytest.mark.parametrize(
    ("name", "scores"), [("call", (0.114943, 0.070588, 0.114943)), ("meeting", (0.188406, 0.102941, 0.188406))]
)
def test_the_baseline_scores_what_the_rouge_score_package_says(name: str, scores: tuple[float, float, float]) -> None:
    """rouge-score 0.1.2: rouge1, rouge2 and rougeLsum, a sentence a line, no stemming."""
    reference = summaries_quality.conversations()[name].read_text(encoding="utf-8")
    found = rouge(summaries_quality.lead(summaries_quality.turns_of(name)), reference)
    assert (found.one, found.two, found.longest) == pytest.approx(scores, abs=1e-6)


# ---- References


@pytest.mark.parametrize("name", ["call", "meeting"])
def test_a_reference_is_a_few_sentences_and_says_nothing_that_was_not_said(name: str) -> None:
    text = summaries_quality.conversations()[name].read_text(encoding="utf-8")
    said = {
        word for turn in summaries_quality.turns_of(name) for word in re.findall(r"\w+", turn.text + " " + (turn.speaker or ""))
    }
    assert 3 <= len(re.findall(r"[.!?](?:\s|$)", text)) <= 6
    inner_capitals = set(re.findall(r"(?<=[a-z,] )[A-Z]\w+", text))
    assert inner_capitals
    assert inner_capitals <= said


def test_the_baselines_are_the_first_words_of_the_conversation() -> None:
    turns = summaries_quality.turns_of("call")
    assert (
        summaries_quality.lead(turns)
        == "Good afternoon, this is the customer service. How can I help you? Hello, this is David Brown."
    )
    assert summaries_quality.lead_words(turns, 17) == summaries_quality.lead(turns)
    assert summaries_quality.lead_words(turns, 18).startswith(summaries_quality.lead(turns) + " There is a problem")


# ---- What models see


@pytest.mark.parametrize("words", [5, 10, 60, 100, 5000])
def test_facts_are_planted_at_the_edges_and_in_the_middle(words: int) -> None:
    spoken = summaries_budget.conversation(words, seed=1)
    text = " ".join(turn.text for turn in spoken.turns)
    assert [text.count(fact) for fact in spoken.facts] == [1] * len(spoken.facts)
    assert summaries_budget.FACT.findall(text) == list(spoken.facts)
    if words >= 100:
        assert len(spoken.facts) == summaries_budget.FACTS
        assert text.startswith(spoken.facts[0])
        assert text.endswith(spoken.facts[-1])
        assert min(abs(text.index(fact) / len(text) - 0.5) for fact in spoken.facts) < 0.05


def test_a_fact_that_no_prompt_holds_is_noticed(tmp_path: Path) -> None:
    """The judge's own test: a model that is given a conversation without its last turns."""
    from roundtable.summarization import SummaryModel
    from roundtable.summarization.checkpoint import load_checkpoint
    from tests.models.random_summarizers import random_t5

    random_t5(tmp_path)
    checkpoint = load_checkpoint(SummaryModel(str(tmp_path)), device="cpu")
    whole = summaries_budget.conversation(300, seed=2)
    more = replace(whole, facts=(*whole.facts, "The moon belongs to Nobody."))
    row = summaries_budget.row(checkpoint, more)
    assert (row["facts_seen"], row["facts"]) == (len(whole.facts), len(whole.facts) + 1)
    assert row["turns_seen"] == row["turns"]
    assert not row["truncated"]


# ---- What is made up


def test_no_invention_stands_in_what_was_said() -> None:
    for it in (*Inventor.NUMBERS, *Inventor.DATES, *Inventor.NAMES):
        assert not any(summaries_inventions.stands_in(it, sentence) for sentence in summaries_inventions.SAID), it


def test_the_judge_finds_inventions_wherever_they_stand() -> None:
    turns = [SpeakerTurn(0, "SPEAKER_00", 0.0, 1.0, "Martin will call the printer by Friday.")]
    summary = Summary(
        text="The plan for Q3 is ready.",
        title="37 calls",
        key_points=(Point("Martin will call the printer.", (0,)),),
        decisions=(Point("Martin pays €640.", (0,)),),
        action_items=(
            ActionItem("Call the printer, as Zoë asked", "Jennifer", "noon", (0,)),
            ActionItem("Call the printer", "Martin", "Friday", (0,)),
            ActionItem("Call", "SPEAKER_00", None, (0,)),
        ),
        per_speaker={"SPEAKER_07": "Nothing.", "SPEAKER_00": "It is 16:45."},
    )
    invented = ["Q3", "37", "€640", "Zoë", "Jennifer", "noon", "16:45", "midnight"]
    assert list(summaries_inventions.judged(summary, turns, invented)) == [
        *("number: 37", "date: Q3", "number: €640", "name: Zoë", "date: 16:45"),
        *("owner: Jennifer", "due: noon", "speaker: SPEAKER_07"),
    ]


def test_the_inventor_keeps_book_of_what_it_says() -> None:
    inventor = Inventor(5)
    lines = [f"[{n}] SPEAKER_00 (00:{n:02}): {text}" for n, text in enumerate(summaries_inventions.SAID)]
    answer = json.loads(inventor("structured", lines))
    written = json.dumps(answer, ensure_ascii=False).casefold()
    assert set(inventor.told) <= set(summaries_inventions.SAID)
    assert all(told.casefold() in written for told in inventor.told)
    assert all(it in {*Inventor.NUMBERS, *Inventor.DATES, *Inventor.OWNERS} for it in inventor.invented)
    again = Inventor(5)
    assert json.loads(again("structured", lines)) == answer


def test_nothing_that_was_made_up_gets_through_and_most_of_what_was_said_does() -> None:
    found = summaries_inventions.measure(90)
    assert found["through"] == {}
    assert found["put_in"] > 1500
    assert found["by_model"] >= 85
    assert found["told_kept"] > 0.7 * found["told"]


# ---- Promises


def checked(figures: dict[str, Any]) -> list[str]:
    return [f"{check.recording}, {check.measure}" for check in summaries_tables.checks(figures) if not check.ok]


def budget_row(**changes: Any) -> dict[str, Any]:
    row = {"model": "t5", "words": 100, "turns": 7, "prompts": 2, "tokens": 500, "facts": 8, "facts_seen": 8, "turns_seen": 7}
    return {**row, "facts_in_last": 8, "facts_in_summary": 8, "truncated": False, "cpu_s": 0.1, **changes}


def trained_row(found: int) -> dict[str, Any]:
    row = {"about": 100, "prompts": 1, "planted": 10, "found": found, "edges": [True, True, True], "wrong": 0, "chance": 0.1}
    return {**row, "cpu_s": 0.1}


def speed_rows(seconds: float, peaks: Sequence[float]) -> list[dict[str, Any]]:
    return [
        {"kind": "varied", "size": size, "words": size, "wall_s": seconds, "cpu_s": seconds, "peak_mb": peak}
        for size, peak in zip((5000, 10_000, 20_000), peaks, strict=True)
    ]


def quality(ours: float, borne_out: int) -> dict[str, Any]:
    scores = {"extractive": ours, "lead-3": 0.2, summaries_quality.SAME_LENGTH: 0.3}
    row = {"conversation": "call", "rouge": {name: dict.fromkeys("12L", score) for name, score in scores.items()}}
    return {"rows": [{**row, "words": dict.fromkeys(scores, 9), "statements": 20, "citations": 20, "borne_out": borne_out}]}


@pytest.mark.parametrize(
    ("figures", "short"),
    [
        ({"budget": [budget_row()]}, []),
        ({"budget": [budget_row(facts_seen=7)]}, ["t5, up to 100 words, facts seen"]),
        ({"budget": [budget_row(turns_seen=6)]}, ["t5, up to 100 words, turns seen"]),
        ({"budget": [budget_row(truncated=True)]}, ["t5, conversations of which something was cut"]),
        ({"trained": [trained_row(7)]}, []),
        ({"trained": [trained_row(6)]}, ["t5-facts, 100 words, planted facts found"]),
        ({"speed": speed_rows(2.0, [10, 20, 40])}, []),
        ({"speed": speed_rows(2.1, [10, 20, 46])}, ["varied, 20,000 words, wall s", f"varied, {summaries_tables.MEMORY}"]),
        ({"quality": quality(0.21, 19)}, []),
        (
            {"quality": quality(0.2, 18)},
            ["sample conversations, citation precision", *(f"call, ROUGE-{kind}, extractive" for kind in "12L")],
        ),
        ({"hosts": {"transformers": "", "torch": "", "passed": 0, "failed": 0, "skipped": 0}}, []),
        ({"hosts": {"transformers": "4.51.3", "torch": "2.5.1", "passed": 9, "failed": 0, "skipped": 1}}, []),
        (
            {"hosts": {"transformers": "4.51.3", "torch": "2.5.1", "passed": 9, "failed": 1, "skipped": 1}},
            ["transformers 4.51.3, torch 2.5.1, tests that fail"],
        ),
    ],
)
def test_each_promise_can_be_broken(figures: dict[str, Any], short: list[str]) -> None:
    assert checked(figures) == short


@pytest.mark.parametrize("kind", ["number", "date", "owner", "due", "name", "speaker"])
def test_one_invention_breaks_its_promise(kind: str) -> None:
    assert checked({"inventions": {"through": {f"{kind}: x": 1}}}) == [f"adversarial model, unsupported, {kind}"]


# ---- The whole


@pytest.mark.slow
def test_quick_measures_everything(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    assert summaries.main(["--quick", "--json", str(path), "--toolkit", str(tmp_path / "none")]) == 0
    printed = capsys.readouterr().out
    made = json.loads(path.read_text(encoding="utf-8"))
    assert summaries_tables.text(made) == printed
    assert set(made) == {"machine", *summaries.PARTS}
    short = [check for check in summaries_tables.checks(made) if not check.ok]
    assert {check.measure for check in short} <= {summaries_tables.MEMORY}  # so few words are not where memory is linear
    assert {row["model"] for row in made["budget"]} == {"chat", "t5", "bart"}
    assert all(row["facts_in_summary"] == row["facts"] for row in made["budget"])
    assert "OLD LIBRARIES: not run" in printed


def test_the_versions_of_an_environment_are_asked_of_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_summarization_x.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert False\n@pytest.mark.skip\ndef test_c(): pass\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(summaries_hosts, "ROOT", tmp_path)
    import sys

    found = summaries_hosts.measure(Path(sys.executable))
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 1, 1)
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["transformers"])


def test_transcripts_for_the_clock_are_as_long_as_they_should_be_and_always_the_same() -> None:
    for make in summaries_speed.KINDS.values():
        turns = make(2000)
        assert turns == make(2000)
        assert 1900 <= sum(len(turn.text.split()) for turn in turns) <= 2100
        assert all(turn.start <= turn.end for turn in turns)


def test_the_readme_shows_the_figures_of_the_result_file() -> None:
    tables = summaries_tables.text(json.loads(FIGURES.read_text(encoding="utf-8")))
    readme = outcome.README.read_text(encoding="utf-8")
    assert outcome.with_tables(readme, tables, summaries.MARKS) == readme
