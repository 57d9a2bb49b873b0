import pytest

from roundtable.summarization.text import alike, content_words, count_tokens, cut_to_tokens, is_english, terms, words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("  \n ", 0),
        ("It's half past nine, isn't it?", 6),
        ("今日は。", 3),
        ("Python は楽しい", 5),
        ("สวัสดี", 4),
        ("नमस्ते दुनिया", 2),
        ("yes — no", 3),
    ],
)
def test_a_token_is_a_word_or_a_character_of_an_unspaced_script(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


@pytest.mark.parametrize(
    ("tokens", "cut"), [(0, ""), (1, "We"), (2, "We meet,"), (3, "We meet, 今"), (4, "We meet, 今日"), (99, "We meet, 今日")]
)
def test_a_text_is_cut_between_tokens(tokens: int, cut: str) -> None:
    assert cut_to_tokens("We meet, 今日", tokens) == cut


def test_words_are_folded_and_freed_of_punctuation() -> None:
    assert list(words("“Don’t STOP!” — (Straße) हिन्दी 予算は3万")) == ["don't", "stop", "strasse", "हिन्दी", "予算は", "3", "万"]


def test_terms_leave_out_stop_words_and_pair_characters() -> None:
    assert terms("The budget report", frozenset({"the"})) == ["budget", "report"]
    assert terms("予算書 は", frozenset()) == ["予算", "算書", "は"]


@pytest.mark.parametrize(
    ("text", "language", "english"),
    [
        ("we will send the report to them", None, True),
        ("wir werden den Bericht an die Bank senden", None, False),
        ("tenemos que hablar del presupuesto con la agencia", None, False),
        ("we moeten het over de begroting hebben", None, False),
        ("wir werden den Bericht senden", "en", True),
        ("we will send the report to them", "en-us", True),
        ("we will send the report to them", "de", False),
        ("今日は", None, False),
        ("", None, False),
    ],
)
def test_english_is_told_by_its_function_words_unless_the_language_is_known(
    text: str, language: str | None, english: bool
) -> None:
    assert is_english([text], language) is english


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("send the budget report", "I'll send the report about the budget on Friday", True),
        ("send the budget report", "send the holiday pictures", False),
        ("book it", "book the room", False),
        ("book it", "book", True),
    ],
)
def test_texts_are_alike_when_most_content_words_of_the_shorter_are_in_the_longer(one: str, other: str, same: bool) -> None:
    assert alike(content_words(one), content_words(other)) is same
