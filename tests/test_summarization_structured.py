"""Answers of models, read as far as they can be."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtable.summarization import lenient_json, structured
from roundtable.summarization.lenient_json import parse_object, quoted
from roundtable.summarization.structured import Draft, looks_like_json, prose, read_draft, without_thinking
from roundtable.transcript import ActionItem, Point

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(), JSON, min_size=1), st.sampled_from([None, 2]), st.booleans())
def test_valid_json_is_read_as_it_is(value: dict[str, object], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert parse_object(text) == value


@given(st.text(alphabet="{}[]\",:\\ '“”abc019.-\n/*"))
def test_no_text_breaks_the_reader(text: str) -> None:
    found = parse_object(text)
    assert found is None or json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "x y", "b": [1, 2]}',
        '```json\n{"a": "x y", "b": [1, 2]}\n```',
        'Sure! Here it is: {"a": "x y", "b": [1, 2]} I hope this helps {you}.',
        '{"a": "x y", "b": [1, 2,],}',
        "{'a': 'x y', 'b': [1, 2]}",
        '{a: "x y", b: [1, 2]}',
        '{"a": “x y”, "b": [1, 2]}',
        '{"a": x y, "b": [1 2]}',
        '{"a": "x y" "b": [1, 2]}',
        '{"a": "x y", // note\n "b": [1, /* two */ 2]}',
        '{"a": "x y", "b": [1, 2',
        '{"a": "x y", "b": [1, 2], "c',
        '{"a": "x y", "b": [1, 2], "c":',
        '{"a": "x y", "b": [1, 2}',
        '{} {"a": "x y", "b": [1, 2]}',
    ],
)
def test_what_models_do_to_json_is_undone(text: str) -> None:
    found = parse_object(text)
    assert found is not None
    assert (found["a"], found["b"]) == ("x y", [1, 2])


def test_quotes_within_a_string_do_not_end_it() -> None:
    assert parse_object("{'a': 'it's Anna's', 'b': 1}") == {"a": "it's Anna's", "b": 1}
    assert parse_object('{"a": "she said "now" and left", "b": 1}') == {"a": 'she said "now" and left', "b": 1}
    assert parse_object('{"a": "cut in the mid') == {"a": "cut in the mid"}


def test_endless_brackets_end() -> None:
    assert parse_object('{"a": ' + "[" * 100_000) == {"a": parse_object('{"a": ' + "[" * 100_000)["a"]}  # type: ignore[index]
    assert parse_object("no object here") is None


HOSTILE = [
    "word ",
    "a-",
    "{",
    "{ ",
    "{a,",
    "x,",
    '"',
    '"x',
    "'",
    "“",
    "{“",
    '{"',
    "{'",
    "[",
    "a:[",
    "1 ",
    "/",
    "/*",
    "{/*",
    "//",
]
HOSTILE += [
    "\\",
    "\\u",
    " ",
    "\n",
    "{}",
    "null ",
    ": ",
    "<think ",
    "<think>",
    "</think",
    "</think>",
    '"<think>",',
    '"</think>",',
]


def steps_of(read: Callable[[str], object], text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Calls of any function while the text is read, and the characters that the reader's runs and searches pass."""
    steps = 0

    class Counted(lenient_json._Reader):
        def _take(self, run: re.Pattern[str]) -> str:
            nonlocal steps
            taken = super()._take(run)
            steps += len(taken)
            return taken

        def _next(self) -> str:
            nonlocal steps
            before = self.at
            sign = super()._next()
            steps += self.at - before
            return sign

    def called(_frame: FrameType, event: str, _function: Any) -> None:
        nonlocal steps
        steps += event in {"call", "c_call"}

    with monkeypatch.context() as patched:
        patched.setattr(lenient_json, "_Reader", Counted)
        before = sys.getprofile()
        sys.setprofile(called)
        try:
            read(text)
        finally:
            sys.setprofile(before)
    return steps


@pytest.mark.parametrize("opening", ["", "{", '{"a": ', '{"a": [', '{"a": "'])
def test_an_answer_that_repeats_itself_without_end_is_read_in_linear_steps(
    opening: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(text: str) -> None:
        read_draft(without_thinking(text))

    for piece in HOSTILE:
        for pieces in (500, 2000):
            text = opening + piece * pieces
            assert steps_of(read, text, monkeypatch) <= 60 * len(text) + 400, piece


def test_every_run_of_the_reader_gives_nothing_back() -> None:
    runs = [lenient_json._SPACE, lenient_json._BARE, lenient_json._REST, lenient_json._WORDS, lenient_json._NO_KEY]
    for run in (*runs, *lenient_json._WITHIN.values()):
        assert re.fullmatch(r"(?:\(\?:\[[^\]]+\])?(?:\[(?:\\.|[^\]\\])+\]|\\s)\*\+(?:\)\?\+)?", run.pattern), run.pattern
        assert run.match("") is not None


@pytest.mark.parametrize("opening", ["<think ", "<think", "</think ", "</think"])
def test_a_mark_of_thinking_that_does_not_end_is_looked_at_once(opening: str) -> None:
    # What a mark may hold cannot run over the beginning of the next one, so no character belongs to two attempts.
    text = opening * 50
    assert structured._OPENING.search(text) is None
    assert structured._CLOSING.search(text) is None
    assert "[^<>]*>" in structured._OPENING.pattern
    assert without_thinking(text) == text.strip()


def test_the_object_behind_a_brace_that_opens_none_is_found() -> None:
    assert parse_object('{x} {"b {"a": 1}') == {'b {"a': 1}
    assert parse_object('{“hello {"a": 1}') == {"a": 1}
    assert parse_object('{/* {"a": 1}') == {"a": 1}
    assert parse_object("{you} " * 20 + '{"a": 1}') == {"a": 1}


def test_where_strings_stand() -> None:
    text = """x {"a": 'b', c: ["d", "cut"""
    assert [text[start:end] for start, end in quoted(text)] == ['"a"', "'b'", '"d"']
    assert quoted("no object") == []


def test_a_mark_of_thinking_in_a_string_is_a_word_of_it() -> None:
    for mark in ("</think>", "<think>", "<think>x</think>"):
        answer = json.dumps({"summary": f"The plan {mark} is launch", "key_points": []})
        draft = Draft(summary=f"The plan {mark} is launch")
        assert read_draft(without_thinking(answer)) == draft
        assert read_draft(without_thinking(f"<think>it's {{a: 'b</think>Here:\n{answer}")) == draft
        assert read_draft(without_thinking(f'{{"summary": "hm </think>\n```json\n{answer}\n```')) == draft
    assert without_thinking('{"summary": "x"}</think>{"summary": "y"}') == '{"summary": "y"}'
    assert without_thinking('{"summary": "They met."} <think>but') == '{"summary": "They met."}'


def test_an_object_one_level_down_is_found() -> None:
    assert read_draft('{"result": {"summary": "They met."}}') == Draft(summary="They met.")
    assert read_draft('{"summary": {"title": "T", "summary": "They met."}}') == Draft("T", "They met.")
    assert read_draft('{"a": {"b": {"summary": "They met."}}}') is None


@pytest.mark.parametrize(
    ("evidence", "ids"),
    [
        ("-3", ()),
        ("1-3", (1, 2, 3)),
        ("[1] – [3], 7", (1, 2, 3, 7)),
        ("turn-3", (3,)),
        ("3-1", (3, 1)),
        ("5-900000000", tuple(range(5, 25))),
        ("2.9", ()),
        ("1, 2.", (1, 2)),
        ("2, at 00:35", (2,)),
        ("1" * 5000, ()),
        ([2.9, -3, 2.0, float("inf"), float("nan")], (2,)),
    ],
)
def test_evidence_is_whole_numbers_and_ranges_of_them(evidence: object, ids: tuple[int, ...]) -> None:
    assert structured._evidence({"evidence": evidence}) == ids


def test_what_turns_the_direction_of_text_does_not_leave() -> None:
    for sign in "\u202e\u202a\u2066\u2069\u200f\u061c\ufeff\u2060\u200b\U000e0041":
        said = f"They met.{sign} It costs{sign} 5."
        shown = "They met. It costs 5."
        assert prose(said) == shown
        assert read_draft(json.dumps({"summary": said, "title": [said], "decisions": [said], "per_speaker": {"A": said}})) == (
            Draft(title=shown, summary=shown, decisions=(Point(shown, ()),), per_speaker={"A": shown})
        )
    assert prose("می\u200cخواهم ក\u200bខ") == "می\u200cخواهم ក\u200bខ"


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("<think>hm\nwell</think>\n\nThey agreed.", "They agreed."),
        ("<think>\n\n</think>They agreed.", "They agreed."),
        ("<Thinking a='1'>x</Thinking> They agreed. <reasoning>y</reasoning>", "They agreed."),
        ("hm, well</think>They agreed.", "They agreed."),
        ("<think>this never ends", ""),
        ("They agreed. <think>but", "They agreed."),
        ("They think < 5 agreed.", "They think < 5 agreed."),
    ],
)
def test_thinking_is_stripped(answer: str, left: str) -> None:
    assert without_thinking(answer) == left


def test_prose_loses_its_wrapping() -> None:
    assert prose("```\nThey agreed.\n```") == "They agreed."
    assert prose("Here is a summary of the conversation:\nThey agreed.") == "They agreed."
    assert prose("**Summary:** They agreed.") == "They agreed."
    assert (looks_like_json("```json\n{"), looks_like_json("They {agreed}.")) == (True, False)
    assert (looks_like_json('[ {"a"'), looks_like_json("[INST] They agreed.")) == (True, False)


def test_a_draft_of_every_field() -> None:
    answer = """{"title": "Launch", "summary": "They met.\\nTwice.",
      "key_points": [{"text": "One", "evidence": [0, "2", "[3, 4]", 2.0, true, 1e99]}, "Two", {"point": "Three", "evidence": 5}, {}, 7],
      "decisions": {"decision": "Go", "ids": "1"},
      "action_items": [{"task": "send", "owner": "N/A", "due": "unknown"}, {"action": "call", "assignee": "Anna", "deadline": "Friday"}],
      "per_speaker": [{"speaker": "SPEAKER_00", "summary": "Talks."}]}"""  # noqa: E501  # JSON as a model writes it
    assert read_draft(answer) == Draft(
        title="Launch",
        summary="They met. Twice.",
        key_points=(Point("One", (0, 2, 3, 4)), Point("Two", ()), Point("Three", (5,))),
        decisions=(Point("Go", (1,)),),
        action_items=(ActionItem("send", None, None, ()), ActionItem("call", "Anna", "Friday", ())),
        per_speaker={"SPEAKER_00": "Talks."},
    )


def test_an_object_of_something_else_is_no_draft() -> None:
    assert read_draft('{"answer": 42}') is None
    assert read_draft("They agreed.") is None
    assert read_draft('{"per_speaker": {"A": "x", "B": {"summary": "y"}}}') == Draft(per_speaker={"A": "x", "B": "y"})


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from(["title", "summary", "key_points", "decisions", "action_items", "per_speaker"]), JSON))
def test_whatever_the_types_are_a_draft_has_the_right_ones(value: dict[str, object]) -> None:
    draft = read_draft(json.dumps(value))
    if draft is not None:
        assert isinstance(draft.title, str)
        assert all(isinstance(id_, int) for point in (*draft.key_points, *draft.decisions) for id_ in point.evidence)
        assert all(item.task and item.owner != "" for item in draft.action_items)
        assert all(isinstance(text, str) for text in draft.per_speaker.values())
