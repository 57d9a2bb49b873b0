import numpy as np
import pytest

from roundtable.control import Control
from roundtable.errors import Cancelled
from roundtable.summarization.textrank import COMMON_TERM, NEIGHBOURS, rank

HUB = [["launch", "date", "app"], ["launch", "party"], ["date", "moves"], ["app", "crashes"], ["weather", "sunny"]]


def test_the_sentence_that_others_link_to_is_first_and_the_lone_one_last() -> None:
    ranking = rank(HUB, ["A"] * 5, [1.0] * 5, Control())
    assert ranking.scores[0] == 1.0
    assert int(np.argmin(ranking.scores)) == 4
    assert list(np.round(ranking.scores[1:4], 6)) == [round(float(ranking.scores[1]), 6)] * 3


def test_a_link_between_speakers_counts_more() -> None:
    sentences = [["launch", "one"], ["launch", "two"], ["budget", "three"], ["budget", "four"], ["launch", "budget"]]
    scores = rank(sentences, ["A", "B", "A", "A", "A"], [1.0] * 5, Control()).scores
    assert scores[1] > scores[3]
    assert rank(sentences, ["A"] * 5, [1.0] * 5, Control()).scores[1] == pytest.approx(
        rank(sentences, ["A"] * 5, [1.0] * 5, Control()).scores[3]
    )


def test_the_prior_decides_between_equals() -> None:
    scores = rank([["a", "b"], ["a", "b"]], ["A", "A"], [1.0, 2.0], Control()).scores
    assert scores[1] == 1.0
    assert scores[0] < 0.5


def test_sentences_without_terms_are_ranked_by_the_prior() -> None:
    assert rank([[], []], [None, None], [1.0, 4.0], Control()).scores.tolist() == [0.25, 1.0]
    assert rank([], [], [], Control()).scores.tolist() == []


def test_what_is_picked_says_nothing_twice_and_fits() -> None:
    sentences = [["launch", "date"], ["launch", "date"], ["budget", "report"], ["rain"]]
    ranking = rank(sentences, ["A"] * 4, [4.0, 3.0, 2.0, 1.0], Control())
    assert list(ranking.diverse([0, 1, 2, 3])) == [0, 2, 3]
    assert list(ranking.diverse([1, 2, 3])) == [1, 2, 3]
    assert list(ranking.diverse([0, 1, 2, 3], [5, 1, 6, 4], 10)) == [0, 3]
    assert list(ranking.diverse([0, 1], [11, 12], 10)) == []


def test_ranking_is_the_same_every_time() -> None:
    one, two = (rank(HUB, ["A", "B", None, "A", "B"], [1.0] * 5, Control()) for _ in range(2))
    assert one.scores.tobytes() == two.scores.tobytes()


def test_a_term_of_very_many_sentences_makes_no_dense_matrix() -> None:
    count = 3 * COMMON_TERM
    sentences = [["everywhere", f"pair{place // 2}"] for place in range(count)]
    ranking = rank(sentences, ["A"] * count, [1.0] * count, Control())
    assert ranking.scores == pytest.approx(np.ones(count))
    assert count > NEIGHBOURS


def test_a_cancelled_request_stops() -> None:
    control = Control()
    control.cancel()
    with pytest.raises(Cancelled):
        rank(HUB, ["A"] * 5, [1.0] * 5, control)
