"""The small language of facts, the tiny T5 that was trained on it, and what its real weights find in long conversations."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from hypothesis import given, settings  # noqa: E402  # after the skips above
from hypothesis import strategies as st  # noqa: E402

from roundtable.control import Control  # noqa: E402
from roundtable.summarization import SummarizeOptions, load_summarizer  # noqa: E402
from roundtable.summarization.model import ModelSummarizer  # noqa: E402
from roundtable.transcript import SpeakerTurn  # noqa: E402
from tests.models import make_summarizers  # noqa: E402
from tests.models.facts import (  # noqa: E402
    CHATTER,
    FACTS,
    NOTHING,
    chatter,
    draw_facts,
    is_held_out,
    talk,
    vocabulary,
)
from tests.models.judge_summarizer import conversation, judge, load  # noqa: E402

TRAINED = Path(__file__).parent / "models" / "t5-facts"
TEXT = SummarizeOptions(min_tokens=0, language="en")


@pytest.fixture(scope="module")
def trained() -> ModelSummarizer:
    return load(TRAINED)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return make_summarizers.tokenizer()


# ---- The language


def test_one_fact_in_eight_is_held_out() -> None:
    assert len(FACTS) == len(set(FACTS))
    assert sum(map(is_held_out, FACTS)) / len(FACTS) == pytest.approx(1 / 8, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), count=st.integers(1, 40), held_out=st.booleans())
def test_facts_of_one_conversation_share_no_noun_no_ending_and_no_three_tokens(seed: int, count: int, held_out: bool) -> None:
    facts = draw_facts(random.Random(seed), count, held_out=held_out)  # noqa: S311
    assert {is_held_out(fact) for fact in facts} == {held_out}
    assert len({fact.split()[1] for fact in facts}) == len({fact.split()[-1] for fact in facts}) == count
    tokens = " ".join(facts).replace(".", " .").split()
    threes = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    assert len(threes) == len(set(threes))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), sentences=st.integers(16, 200), at_edges=st.booleans())
def test_a_conversation_holds_its_facts_in_order_and_no_others(seed: int, sentences: int, at_edges: bool) -> None:
    rng = random.Random(seed)  # noqa: S311
    spoken = talk(rng, sentences, draw_facts(rng, 6, held_out=False), at_edges=at_edges)
    said = re.findall(r"[^.?]+[.?]", " ".join(turn.text for turn in spoken.turns))
    assert len(said) == sentences
    assert [sentence.strip() for sentence in said if sentence.strip() in FACTS] == list(spoken.facts)
    if at_edges:
        assert [said[at].strip() in FACTS for at in (0, sentences // 2, -1)] == [True] * 3


def test_chatter_speaks_of_the_same_things_and_states_none() -> None:
    rng = random.Random(1)  # noqa: S311
    drawn = [chatter(rng) for _ in range(3000)]
    assert not set(drawn) & set(FACTS)
    assert sum(sentence.startswith("The ") for sentence in drawn) > 200
    assert {"Paris", "Anna", "Monday", "red"} <= set(re.findall(r"\w+", " ".join(drawn)))
    assert len(CHATTER) == len(set(CHATTER))


# ---- What it is taught with


def test_a_word_is_a_piece_and_anything_else_is_spelled(tokenizer: Any) -> None:
    for word in vocabulary():
        assert len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1 + (word in ".,?")  # a lone sign has a space
    ids = tokenizer("Kubernetes costs 4,250 $ (or so)!")["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == "Kubernetes costs 4,250 $ (or so)!"


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 10**9), sentences=st.integers(3, 38))
def test_a_lesson_points_at_what_it_writes_and_holds_no_fact_of_the_tests(seed: int, sentences: int) -> None:
    spoken = make_summarizers.tokenizer()
    lesson = make_summarizers.lesson(random.Random(seed), spoken, sentences)  # noqa: S311
    target = spoken.decode(lesson.target, skip_special_tokens=True)
    facts = re.findall(r"[^.]+\.", target)
    if target == NOTHING:
        assert lesson.places == [-100] * (len(lesson.target) - 1) + [len(lesson.source) - 1]
        return
    assert not any(is_held_out(fact.strip()) for fact in facts)
    assert [lesson.source[place] for place in lesson.places] == lesson.target
    looks = [(at, back) for at, back in enumerate(lesson.before) if back != -100]
    assert len(looks) == 2 * len(facts) + 1
    assert [looks[0][1], looks[1][1]] == [0, 0]
    ends = [spoken.convert_ids_to_tokens(lesson.source[back]).removeprefix("▁") for _, back in looks[2:]]
    assert ends == [fact.rstrip(".").split()[-1] for fact in facts for _ in range(2)][:-1]


def test_the_same_seed_and_steps_give_the_same_weights(tmp_path: Path) -> None:
    for name, seed in (("one", 4), ("same", 4), ("other", 5)):
        make_summarizers.train(tmp_path / name, steps=3, seed=seed)
    one, same, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


# ---- The trained weights


def test_the_folder_is_an_ordinary_small_checkpoint() -> None:
    assert sum(path.stat().st_size for path in TRAINED.iterdir()) < 1_000_000
    config = json.loads((TRAINED / "config.json").read_text(encoding="utf-8"))
    assert (config["model_type"], config["architectures"]) == ("t5", ["T5ForConditionalGeneration"])
    assert (TRAINED / "README.md").is_file()
    again = make_summarizers.tokenizer()
    shipped = transformers.AutoTokenizer.from_pretrained(TRAINED)
    assert shipped.get_vocab() == again.get_vocab()
    assert shipped.model_max_length == make_summarizers.LONGEST


def test_plain_transformers_writes_the_same_as_the_engine(trained: ModelSummarizer) -> None:
    spoken = conversation(100, 4, seed=11)
    summary = trained.summarize(spoken.turns, TEXT, Control())
    tokenizer = transformers.AutoTokenizer.from_pretrained(TRAINED)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(TRAINED).float().eval()
    minutes = [f"{int(turn.start) // 60:02}:{int(turn.start) % 60:02}" for turn in spoken.turns]
    lines = [f"{turn.speaker} ({clock}): {turn.text}" for turn, clock in zip(spoken.turns, minutes, strict=True)]
    given_ids = tokenizer("summarize: " + "\n".join(lines), return_tensors="pt")
    with torch.inference_mode():
        written = model.generate(**given_ids, max_new_tokens=100, do_sample=False)
    assert tokenizer.decode(written[0], skip_special_tokens=True) == summary.text
    assert summary.input_tokens == given_ids["input_ids"].shape[1]
    assert summary.passes == 1


def test_a_short_conversation_comes_down_to_its_facts(trained: ModelSummarizer) -> None:
    judged = [judge(trained, conversation(100, 4, seed)) for seed in range(100, 105)]
    assert sum(one.found for one in judged) >= 19  # of 20
    assert all(one.prompts == 1 for one in judged)
    assert sum(one.wrong for one in judged) <= 1


def test_chatter_comes_down_to_nothing(trained: ModelSummarizer) -> None:
    rng = random.Random(9)  # noqa: S311
    assert trained.summarize(talk(rng, 20, []).turns, TEXT, Control()).text == NOTHING


def test_facts_at_the_beginning_in_the_middle_and_at_the_end_come_through_the_map_and_the_reduction(
    trained: ModelSummarizer,
) -> None:
    judged = judge(trained, conversation(4000, 10, seed=7))
    assert judged.words > 3800
    assert judged.prompts > 15
    assert judged.edges == (True, True, True)
    assert judged.found >= 9
    assert judged.chance < 0.02  # of ten facts so many sentences would hold a fifth of one, drawn blindly
    assert judged.wrong <= 2
    assert judged.in_order
    assert not judged.truncated


def test_many_notes_come_down_to_one_summary(trained: ModelSummarizer) -> None:
    """Twenty facts among four hundred sentences: ten prompts, and the last of them reads nothing but notes."""
    rng = random.Random(3)  # noqa: S311
    spoken = talk(rng, 400, draw_facts(rng, 20, held_out=True))
    summary = trained.summarize(spoken.turns, TEXT, Control())
    assert summary.passes == 10
    assert sum(fact in summary.text for fact in spoken.facts) >= 18


def test_the_whole_way_with_citations(trained: ModelSummarizer) -> None:
    """Structured: the sentences of the model are the key points, each with the turn that says it."""
    spoken = conversation(200, 5, seed=20)
    summarizer = load_summarizer(str(TRAINED))
    summary = summarizer.summarize(spoken.turns, SummarizeOptions(format="structured", min_tokens=0, language="en"), Control())
    assert summary.method == "seq2seq"
    by_id = {turn.id: turn.text for turn in spoken.turns}
    cited = {point.text: [by_id[id_] for id_ in point.evidence] for point in summary.key_points}
    assert set(cited) == set(spoken.facts)
    assert all(any(text in said for said in turns) for text, turns in cited.items())


def test_a_text_of_other_words_than_it_knows_is_left_to_the_extractive_engine() -> None:
    turns = [SpeakerTurn(0, None, 0.0, 9.0, "Ze kubernetes clüster «fell» over, 3 times; nobody cared 😀 at all. " * 4)]
    summary = load_summarizer(str(TRAINED)).summarize(turns, TEXT, Control())
    assert summary.method == "extractive"
    assert [warning.code for warning in summary.warnings] == ["summary_unusable"]
