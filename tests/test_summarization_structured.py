"""Answers of models, read as far as they can be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtable.summarization.lenient_json import parse_object
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
