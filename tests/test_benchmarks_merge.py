"""`benchmarks.merge`: the conversations, what is done to them, the peers' known mistakes, the scores and the promises."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks import merge, merge_robustness, merge_tables, outcome
from benchmarks.merge_disturbances import DISTURBANCES, EVERYTHING, LEVELS, UNDISTURBED, disturbed
from benchmarks.merge_peers import Speakers, hugging_face, sentence_majority, whisperx
from benchmarks.merge_score import ALGORITHMS, OURS, cp_errors, ours, out_of_reach, wrong_speakers
from benchmarks.merge_talks import Talk, conversation
from benchmarks.merge_tuning import SEEDS
from roundtable.transcript import Segment, Turn, Word

FIGURES = Path(merge.__file__).with_name("results") / "merge.json"


def chunks(*spoken: tuple[str, float, float]) -> list[Segment]:
    return [Segment(start, end, f" {text}") for text, start, end in spoken]


def words(*spoken: tuple[str, float, float]) -> list[Word]:
    return [Word(f" {text}", start, end) for text, start, end in spoken]


def turns(*spoken: tuple[float, float, str]) -> list[Turn]:
    return [Turn(start, end, speaker) for start, end, speaker in spoken]


# ---- Conversations and what is done to them


@pytest.mark.parametrize("punctuated", [True, False])
def test_a_conversation_has_everything_that_makes_attribution_hard(punctuated: bool) -> None:
    talks = [conversation(random.Random(seed), punctuated=punctuated) for seed in range(20)]  # noqa: S311
    assert talks[0] == conversation(random.Random(0), punctuated=punctuated)  # noqa: S311
    assert {len(set(talk.said_by)) for talk in talks} == {2, 3, 4, 5, 6}
    for talk in talks:
        starts = [word.start for word in talk.words]
        assert starts == sorted(starts)
        assert all(any(t.speaker == by and t.start <= w.start and w.end <= t.end for t in talk.turns) for w, by in said(talk))
        assert any(word.text[-1] in ".?!" for word in talk.words) == punctuated
    every = [turn for talk in talks for turn in talk.turns]
    assert max(turn.end - turn.start for turn in every) > 30  # a monologue
    pairs = [pair for talk in talks for pair in pairwise(talk.turns)]
    assert sum(after.end < before.end for before, after in pairs) > 50  # interjections
    assert sum(before.start < after.start < before.end < after.end for before, after in pairs) > 50  # overlaps
    assert sum(after.start - before.end > 2 for before, after in pairs) > 10  # silences


def said(talk: Talk) -> list[tuple[Word, str]]:
    return list(zip(talk.words, talk.said_by, strict=True))


@pytest.mark.parametrize("kind", DISTURBANCES)
def test_a_disturbance_grows_with_its_level_and_leaves_words_and_speakers_alone(kind: str) -> None:
    clean = disturbed(UNDISTURBED, "", 3, punctuated=True)
    changed = []
    for level in LEVELS:
        talk = disturbed(kind, level, 3, punctuated=True)
        assert talk == disturbed(kind, level, 3, punctuated=True)
        assert [word.text for word in talk.words] == [word.text for word in clean.words]
        assert talk.said_by == clean.said_by
        assert talk.turns == sorted(talk.turns, key=lambda turn: turn.start)
        changed.append(_distance(talk, clean))
    assert 0 < changed[0] < changed[1] < changed[2]


def _distance(talk: Talk, other: Talk) -> float:
    """How much was moved: seconds, and one for each word end or turn that is not there."""
    times = [(a.start - b.start, a.end - b.end) for a, b in zip(talk.words, other.words, strict=True)]
    moved = sum(1.0 if math.isnan(time) else abs(time) for pair in times for time in pair)
    edges = [sorted(time for t in one.turns for time in (t.start, t.end)) for one in (talk, other)]
    near = [min(abs(time - there) for there in edges[1]) for time in edges[0]]
    return moved + sum(near) + abs(len(talk.turns) - len(other.turns))


def test_word_times_are_off_by_no_more_than_the_level_says() -> None:
    clean = disturbed(UNDISTURBED, "", 1, punctuated=False)
    for name, level in LEVELS.items():
        talk = disturbed("word times off", name, 1, punctuated=False)
        off = [abs(a.start - b.start) for a, b in zip(talk.words, clean.words, strict=True)]
        assert 0.95 * level.times_s < max(off) <= level.times_s + 1e-9


# ---- The peers' known mistakes


@pytest.mark.parametrize(
    ("spoken", "spans", "given"),
    [
        pytest.param(
            [("hello.", 0.0, 1.0), ("well.", 1.0, 2.0), ("bye.", 2.0, 4.0)],
            [(0.0, 1.0, "A"), (1.0, 2.0, "B")],
            ["A", "B", None],
            id="1 text after the last turn is dropped",
        ),
        pytest.param(
            [("one.", 0.0, 2.0), ("three.", 2.5, 5.0)],
            [(0.0, 2.0, "A"), (2.1, 2.5, "B"), (2.5, 5.0, "A")],
            ["A", "B"],
            id="3 an interjection takes the next chunk",
        ),
        pytest.param(
            [("a long one.", 0.2, 5.2), ("another.", 5.2, 8.0), ("last.", 8.0, 9.0)],
            [(0.0, 0.1, "B"), (0.2, 5.2, "A"), (5.2, 9.0, "B")],
            ["B", "A", "B"],
            id="5 a turn of 0.1 s steals a chunk, and the rest moves up",
        ),
        pytest.param(
            [("noise", 0.0, 2.0), ("good morning.", 10.0, 11.0)],
            [(10.0, 11.0, "A")],
            ["A", "A"],
            id="7 words long before the first turn are its speaker's",
        ),
        pytest.param(
            [("first.", 10.0, 12.0), ("me.", 30.0, 32.0)],
            [(10.0, 12.0, "A"), (30.0, 32.0, "B")],
            ["A", "A"],
            id="8 a turn lasts until the next begins, and takes all",
        ),
    ],
)
def test_the_blogs_rule(spoken: list[tuple[str, float, float]], spans: list[tuple[float, float, str]], given: Any) -> None:
    assert hugging_face(chunks(*spoken), turns(*spans)) == given


def test_the_blogs_rule_raises_without_turns_and_without_chunks() -> None:
    with pytest.raises(IndexError):
        hugging_face(chunks(("hello", 0.0, 1.0)), [])
    with pytest.raises(ValueError, match="empty sequence"):
        hugging_face([], turns((0.0, 1.0, "A")))


def test_whisperx_leaves_gaps_and_prefers_the_nearest_middle() -> None:
    spoken = words(("end", 99.0, 100.0), ("quote.", 100.3, 100.5), ("point", 50.0, 50.0), ("open", 101.5, math.nan))
    spans = turns((0.0, 100.0, "A"), (101.0, 102.0, "B"))
    assert whisperx(spoken, spans) == ["A", None, None, None]
    assert whisperx(spoken[:3], spans, fill_nearest=True) == ["A", "B", "A"]
    with pytest.raises(TypeError):
        whisperx([replace(spoken[0], end=None)], spans)  # type: ignore[arg-type]


def test_whisperx_gives_an_interjection_to_the_first_of_two_who_cover_it() -> None:
    assert whisperx(words(("sure.", 1.0, 1.4)), turns((0.0, 3.0, "A"), (1.0, 1.4, "B"))) == ["A"]


def test_a_sentence_goes_to_its_majority_however_short_the_reply() -> None:
    spoken = words(("how", 0.0, 0.3), ("are", 0.3, 0.6), ("you", 0.6, 0.9), ("fine", 1.0, 1.2), ("thanks.", 1.2, 1.5))
    spans = turns((0.0, 0.9, "A"), (1.0, 1.5, "B"))
    assert sentence_majority(spoken, spans) == ["A"] * 5
    marked = [*spoken[:2], replace(spoken[2], text=" you?"), *spoken[3:]]
    assert sentence_majority(marked, spans) == ["A", "A", "A", "B", "B"]


def test_the_pointer_of_the_sentence_rule_never_goes_back() -> None:
    spoken = words(("one.", 0.0, 0.4), ("in.", 1.0, 1.3), ("gap.", 3.2, 3.4), ("far.", 9.0, 9.5))
    assert sentence_majority(spoken, turns((0.0, 3.0, "A"), (1.0, 1.3, "B"), (3.5, 5.0, "C"))) == ["A", "A", "C", "C"]
    with pytest.raises(IndexError):
        sentence_majority(spoken, [])
    with pytest.raises(IndexError):
        sentence_majority([replace(spoken[0], text=" ")], turns((0.0, 1.0, "A")))


# ---- Scores

SHORT = Talk(
    words(*((str(n), n, n + 0.5) for n in range(10))), ["A"] * 5 + ["B"] * 5, turns((0.0, 5.0, "A"), (5.0, 10.0, "B")), False
)


def test_the_last_two_of_ten_words_credited_wrongly() -> None:
    answers: Speakers = [*["A"] * 5, *["B"] * 3, *["A"] * 2]
    assert (wrong_speakers(SHORT, answers), cp_errors(SHORT, answers)) == (2, 4)


def test_a_dropped_word_is_one_error_in_both_scores() -> None:
    answers: Speakers = [None, *["A"] * 4, *["B"] * 5]
    assert (wrong_speakers(SHORT, answers), cp_errors(SHORT, answers)) == (1, 1)
    assert cp_errors(SHORT, [None] * 10) == 10


def test_words_whose_speaker_has_no_turn_near_are_out_of_reach() -> None:
    assert out_of_reach(SHORT) == 0
    assert out_of_reach(replace(SHORT, turns=turns((0.0, 5.0, "A"), (8.6, 9.0, "B")))) == 3


# ---- Ours


@pytest.mark.parametrize("lag_s", [-0.6, -0.2, 0.2, 0.6])
def test_a_clock_that_is_off_costs_next_to_nothing(lag_s: float) -> None:
    for seed in range(3000, 3004):
        talk = disturbed(UNDISTURBED, "", seed, punctuated=True)
        late = replace(talk, words=[replace(w, start=w.start + lag_s + 1, end=w.end + lag_s + 1) for w in talk.words])
        shifted = replace(late, turns=[replace(turn, start=turn.start + 1, end=turn.end + 1) for turn in talk.turns])
        changed = sum(a != b for a, b in zip(ours(shifted), ours(talk), strict=True))
        assert changed <= 0.005 * len(talk.words)


def test_answers_to_random_input_are_held_to_the_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_robustness, "merge", lambda *_: ())
    figures = merge_robustness.measure(11)
    assert {row["kind"]: row["raised"]["ours"] for row in figures["rows"] if row["raised"]["ours"]} == {
        kind: {"UnsoundError": 1} for kind in merge_robustness.DEFECTS if kind not in {"no words", "neither"}
    }


# ---- Figures


def row(kind: str, level: str, ours: int, peer: int) -> dict[str, Any]:
    wrong = {name: ours if name == OURS else peer for name in ALGORITHMS}
    algorithms = {name: {"wrong": count, "cp_errors": 2 * count, "cpu_s": 1.0} for name, count in wrong.items()}
    return {"kind": kind, "level": level, "words": 1000, "out_of_reach": 0, "algorithms": algorithms}


def figures(ours: int, peer: int, raised: int = 0) -> dict[str, Any]:
    rows = [row(UNDISTURBED, "", 1, 2), *(row(EVERYTHING, level, ours, peer) for level in LEVELS)]
    robust = {"kind": "none", "inputs": 100, "raised": {OURS: {"UnsoundError": raised} if raised else {}}}
    return {
        "attribution": {"note": "", "blocks": [{"punctuated": True, "rows": rows}]},
        "robustness": {"inputs": 100, "rows": [robust]},
    }


@pytest.mark.parametrize(
    ("made", "short"),
    [
        (figures(20, 40), []),
        (figures(21, 40), ["punctuated, middle"] * 2),
        (figures(40, 40), ["punctuated, middle"] * 2),
        (figures(41, 40), [f"punctuated, {level}" for level in LEVELS for _ in range(2)] + ["punctuated"]),
        (figures(20, 40, raised=1), ["random inputs"]),
    ],
)
def test_each_promise_can_be_broken(made: dict[str, Any], short: list[str]) -> None:
    assert [check.recording for check in merge_tables.checks(made) if not check.ok] == short


def test_the_costs_are_reported_on_other_seeds_than_they_were_chosen_on() -> None:
    assert not {*merge.FULL.seeds, *merge.QUICK.seeds} & {*SEEDS}


@pytest.mark.slow
def test_quick_measures_everything(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert merge.main(["--quick", "--json", str(tmp_path / "figures.json")]) == 0
    printed = capsys.readouterr().out
    made = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert merge_tables.text(made) == printed
    assert [len(block["rows"]) for block in made["attribution"]["blocks"]] == [1 + 3 * len(DISTURBANCES)] * 2
    assert merge_tables.answered(made["robustness"], OURS) == 1
    assert all(name in printed for name in (*ALGORITHMS, *DISTURBANCES, *merge_robustness.DEFECTS))


def test_the_readme_shows_the_figures_of_the_result_file() -> None:
    tables = merge_tables.text(json.loads(FIGURES.read_text(encoding="utf-8")))
    readme = outcome.README.read_text(encoding="utf-8")
    assert outcome.with_tables(readme, tables, merge.MARKS) == readme
