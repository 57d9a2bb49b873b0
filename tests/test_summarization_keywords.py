from roundtable.summarization.keywords import title
from roundtable.summarization.sentences import split_turns
from roundtable.summarization.text import ENGLISH_STOP_WORDS
from roundtable.transcript import SpeakerTurn


def of(*sentences: str, stop_words: frozenset[str] = ENGLISH_STOP_WORDS) -> str:
    units = split_turns([SpeakerTurn(0, None, 0.0, 1.0, sentence) for sentence in sentences])
    return title(units, [1.0] * len(units), stop_words)


def test_a_phrase_beats_the_words_in_it() -> None:
    assert of("The launch date is near.", "We move the launch date.", "Ship the API.", "The API is new.") == "Launch date, API"


def test_a_short_word_alone_is_no_subject() -> None:
    assert of("The new car.", "The new train.", "A car and a train.") == "Train"


def test_what_matters_more_comes_first() -> None:
    units = split_turns([SpeakerTurn(0, None, 0.0, 1.0, text) for text in ("alpha", "alpha", "omega", "omega")])
    assert title(units, [0.1, 0.1, 0.9, 0.9], frozenset({"the"})) == "Omega, alpha"


def test_nothing_said_twice_gives_the_beginning_of_the_best_unit() -> None:
    assert of("Nine birds sing above the river in the cold rain tonight.") == "Nine birds sing above the river in the"


def test_japanese_phrases_have_no_particles() -> None:
    said = ("新しいウェブサイトの予算について話します。", "予算は一万ドルです。", "ウェブサイトは来月できます。")
    assert of(*said, stop_words=frozenset()) == "ウェブサイト, 予算"


def test_without_a_list_of_stop_words_frequent_words_are_none() -> None:
    said = [f"de wereld heeft de {thing}" for thing in ("fiets", "fiets", "boot", "trein", "auto", "bus")]
    assert of(*said, stop_words=frozenset()) == "Fiets"
