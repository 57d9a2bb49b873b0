"""Words join to the text whatever the tokens are, and no word begins within a character, a number or an address."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from roundtable.asr.word_splitting import split_words, timed_words

untimed = settings(deadline=None)

TEXTS = [
    " Hello, world! Don't worry: it's 10,000 or 3.5, at $5.00, not 09:30. Write to a@b.com.",
    " L'homme dit: « Bonjour ! » Qu'est-ce que c'est – rien… Très bien, n'est-ce pas ?",
    " Well-known (so he says) \"quotes\" and 'more' [of them] – and so on... ¿Qué? ¡Sí! „Ja“, sagte er.",
    "我们去吃饭。好吗？2024年，我有25%。「はい」とカタカナー。これはテストです",
    " สวัสดีครับ ผมชื่อสมชาย เบอร์ 10,000",
    " مَرْحَبًا بِكُم، كيف حالُكم؟ नमस्ते दुनिया। मैं ठीक हूँ॥ Привет, мир!",
    " 👩‍👩‍👧 ok 👍🏽! e\u0301te\u0301 한국어 문장입니다. ខ្ញុំ ရန်ကုန် བོད་སྐད། ",
]


@cache
def tokenizer(merges: int) -> Tokenizer:
    """Byte-level, as Whisper's. With no merges every byte is a token; trained on the texts, most words are one."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + merges, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator(TEXTS, trainer)
    return bpe


def words_of(text: str, merges: int) -> list[str]:
    bpe = tokenizer(merges)
    return [word for word, _, _ in split_words(bpe.encode(text).ids, lambda ids: bpe.decode(list(ids)))]


def check(ids: Sequence[int], text: str, words: Sequence[tuple[str, int, int]]) -> None:
    """The words join to the text and share the tokens out."""
    assert "".join(word for word, _, _ in words) == text
    if text:
        assert [first for _, first, _ in words] == [0, *(after for _, _, after in words[:-1])]
        assert words[-1][2] == len(ids)
        assert all(first < after and word for word, first, after in words)
    else:
        assert words == []


@untimed
@given(st.lists(st.integers(0, 556), max_size=40), st.sampled_from([0, 60, 300]))
def test_any_tokens_join_to_their_text(ids: list[int], merges: int) -> None:
    bpe = tokenizer(merges)
    ids = [token % bpe.get_vocab_size() for token in ids]
    check(ids, bpe.decode(ids), split_words(ids, lambda ids: bpe.decode(list(ids))))


@untimed
@given(st.lists(st.sampled_from([*b"a. \xe2\x82\xac\xf0\x9f\x91\x8d\xef\xbf\xbd\xc3\xa9\xff"]), max_size=14))
def test_halves_of_characters_join_to_their_text(ids: list[int]) -> None:
    def decode(ids: Sequence[int]) -> str:
        return bytes(ids).decode("utf-8", errors="replace")

    check(ids, decode(ids), split_words(ids, decode))


@untimed
@given(st.text(max_size=30), st.sampled_from([0, 60, 300]))
def test_any_text_joins_and_each_word_is_text_by_itself(text: str, merges: int) -> None:
    bpe = tokenizer(merges)
    ids = bpe.encode(text).ids
    words = split_words(ids, lambda ids: bpe.decode(list(ids)))
    check(ids, text, words)
    for (left, *_), (right, *_) in pairwise(words):
        assert left.encode("utf-8", "replace")
        assert right[:1].isspace() or not (left[-1].isalnum() and right[0].isalnum() and (left[-1] + right[0]).isascii())


@pytest.mark.parametrize("merges", [0, 60, 300])
@pytest.mark.parametrize("text", TEXTS)
def test_joining_gives_the_text(text: str, merges: int) -> None:
    assert "".join(words_of(text, merges)) == text


@pytest.mark.parametrize("merges", [0, 60, 300])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" It's 10,000, or 3.5!", [" It's", " 10,000,", " or", " 3.5!"]),
        (" $5.00 at 09:30: a@b.com", [" $5.00", " at", " 09:30:", " a@b.com"]),
        (" don't l'homme well-known", [" don't", " l'homme", " well-known"]),
        (' He said: "Go (now)..." [then]', [" He", " said:", ' "Go', ' (now)..."', " [then]"]),
        (" « Bonjour ! » dit-il – oui ?", [" « Bonjour ! »", " dit-il –", " oui ?"]),
        (" Yes. - No. - Yes.", [" Yes.", " - No.", " - Yes."]),
        (" ¿ Qué ? ¡Sí !", [" ¿ Qué ?", " ¡Sí !"]),
        (" 5 + 3 & 20 % = x", [" 5", " +", " 3", " &", " 20", " %", " =", " x"]),
        ("No leading space ", ["No", " leading", " space "]),
        (" مَرْحَبًا، كيف؟", [" مَرْحَبًا،", " كيف؟"]),
        (" नमस्ते दुनिया।", [" नमस्ते", " दुनिया।"]),
        (" 👩‍👩‍👧 ok👍🏽!", [" 👩‍👩‍👧", " ok👍🏽!"]),
        (" 한국어 문장.", [" 한국어", " 문장."]),
        (" ...", [" ..."]),
        ("  ", ["  "]),
    ],
)
def test_words_as_a_reader_has_them(text: str, words: list[str], merges: int) -> None:
    assert words_of(text, merges) == words


def test_a_script_without_spaces_is_cut_at_its_characters_where_tokens_allow() -> None:
    assert words_of("我们去吃饭。好吗？2024年", 0) == ["我", "们", "去", "吃", "饭。", "好", "吗？", "2024", "年"]
    assert words_of("好。「OK」，abc，１０，０００：x", 0) == ["好。", "「OK」，", "abc，", "１０，０００：", "x"]
    assert words_of("「はい」とカタカナー", 0) == ["「は", "い」", "と", "カ", "タ", "カ", "ナー"]
    assert words_of(" เบอร์ 10", 0) == [" เบ", "อ", "ร์", " 10"]


def test_characters_that_share_a_token_stay_together() -> None:
    pieces = ["我们", "去", "吃饭", "。", "3", "4", "年"]
    words = split_words(range(7), lambda ids: "".join(pieces[token] for token in ids))
    assert words == [("我们", 0, 1), ("去", 1, 2), ("吃饭。", 2, 4), ("34", 4, 6), ("年", 6, 7)]


def test_tokens_without_text_belong_to_a_word() -> None:
    pieces = ["", " a", "", " b", ""]
    words = split_words(range(5), lambda ids: "".join(pieces[token] for token in ids))
    assert "".join(word for word, _, _ in words) == " a b"
    assert [first for _, first, _ in words] == [0, words[0][2]]
    assert words[-1][2] == 5


PIECES = [' "', "Well", ",", " ten", " thou", "sand", ".", '"', " -", " Yes", "…"]
LOGPROBS = [-0.5, -0.1, -0.3, -0.2, -0.1, -0.3, -0.05, -1.0, -2.0, 0.0, -0.1]
TIMES = np.array([[at / 10, (at + 1) / 10] for at in range(len(PIECES))])


def pieces(ids: Sequence[int]) -> str:
    return "".join(PIECES[token] for token in ids)


def test_a_word_lasts_as_long_as_what_is_said_of_it() -> None:
    words = timed_words(range(11), LOGPROBS, TIMES, pieces)
    assert [(word.text, round(word.start, 6), round(word.end, 6)) for word in words] == [
        (' "Well,', 0.1, 0.2),
        (" ten", 0.3, 0.4),
        (' thousand."', 0.4, 0.6),
        (" - Yes…", 0.9, 1.0),
    ]


def test_confidence_is_the_geometric_mean_of_the_tokens() -> None:
    words = timed_words(range(11), LOGPROBS, TIMES, pieces)
    means = [-0.9 / 3, -0.2, -1.45 / 4, -2.1 / 3]
    assert [word.confidence for word in words] == pytest.approx([math.exp(mean) for mean in means])


def test_a_word_of_marks_alone_has_their_time() -> None:
    (word,) = timed_words([0, 0], [-1.0, -1.0], np.array([[0.2, 0.3], [0.3, 0.5]]), lambda ids: " …" * len(ids))
    assert (word.text, word.start, word.end) == (" … …", 0.2, 0.5)


def test_no_words_in_no_text_and_in_blank_text() -> None:
    assert timed_words([], [], np.zeros((0, 2)), pieces) == ()
    assert timed_words([0], [-1.0], np.zeros((1, 2)), lambda ids: " " * len(ids)) == ()


@untimed
@given(st.lists(st.integers(0, 556), max_size=30))
def test_timed_words_ascend_and_spell_the_text(ids: list[int]) -> None:
    bpe = tokenizer(300)
    ids = [token % bpe.get_vocab_size() for token in ids]
    times = np.array([[at / 4, (at + 1) / 4] for at in range(len(ids))]).reshape(-1, 2)
    words = timed_words(ids, [-0.25] * len(ids), times, lambda ids: bpe.decode(list(ids)))
    text = bpe.decode(ids)
    assert "".join(word.text for word in words) == (text if text.strip() else "")
    assert all(word.start < word.end and 0.0 < (word.confidence or 0.0) <= 1.0 for word in words)
    assert all(left.end <= right.start for left, right in pairwise(words))
