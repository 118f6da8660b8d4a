from typing import Any

import numpy as np
import pytest

from nmt_keras.errors import UserError
from nmt_keras.metrics.alignment_error import alignment_error_rate, word_links

# Two sentence pairs: predicted, sure and possible links. By hand: |A| = 5, |S| = 4, |A∩S| = 2, |A∩P| = 4.
PREDICTED = [{(0, 0), (1, 2), (2, 2)}, {(0, 1), (1, 1)}]
SURE = [{(0, 0), (1, 1)}, {(0, 1), (1, 0)}]
POSSIBLE = [{(0, 0), (1, 1), (1, 2)}, {(0, 1), (1, 0), (1, 1)}]


def test_sure_and_possible_links() -> None:
    score = alignment_error_rate(PREDICTED, SURE, POSSIBLE)
    assert score.error_rate == pytest.approx(1 - (2 + 4) / (5 + 4))
    assert score.precision == pytest.approx(4 / 5)
    assert score.recall == pytest.approx(2 / 4)


def test_without_possible_links_all_gold_links_are_sure() -> None:
    score = alignment_error_rate(PREDICTED, SURE)
    assert score.error_rate == pytest.approx(1 - (2 + 2) / (5 + 4))
    assert (score.precision, score.recall) == (pytest.approx(2 / 5), pytest.approx(2 / 4))
    harmonic_mean = 2 * score.precision * score.recall / (score.precision + score.recall)
    assert score.error_rate == pytest.approx(1 - harmonic_mean)  # what AER is when S = P


def test_the_corpus_is_counted_as_one() -> None:
    alone = [alignment_error_rate([a], [s], [p]).error_rate for a, s, p in zip(PREDICTED, SURE, POSSIBLE, strict=True)]
    assert alone == [pytest.approx(1 - 3 / 5), pytest.approx(1 - 3 / 4)]
    assert alignment_error_rate(PREDICTED, SURE, POSSIBLE).error_rate != pytest.approx(sum(alone) / 2)


def test_sure_links_are_possible_whether_listed_or_not() -> None:
    only_possible = [p - s for p, s in zip(POSSIBLE, SURE, strict=True)]
    assert alignment_error_rate(PREDICTED, SURE, only_possible) == alignment_error_rate(PREDICTED, SURE, POSSIBLE)


def test_a_link_given_twice_counts_once() -> None:
    assert alignment_error_rate([[*links, *links] for links in PREDICTED], SURE) == alignment_error_rate(
        PREDICTED, SURE
    )


@pytest.mark.parametrize(("predicted", "figures"), [(SURE, (0, 1, 1)), ([set(), set()], (1, 0, 0))])
def test_all_and_nothing(predicted: Any, figures: tuple[int, int, int]) -> None:
    score = alignment_error_rate(predicted, SURE, POSSIBLE)
    assert (score.error_rate, score.precision, score.recall) == figures


@pytest.mark.parametrize(
    ("predicted", "sure", "possible", "received"),
    [
        (PREDICTED, SURE[:1], None, "2 pairs with predicted, 1 with sure and 1 with possible links; 2 sure links"),
        (PREDICTED, SURE, POSSIBLE[:1], "2 pairs with predicted, 2 with sure and 1 with possible links; 4 sure links"),
        (PREDICTED, [set(), set()], POSSIBLE, "2 with possible links; 0 sure links"),
        ([], [], None, "0 pairs with predicted"),
    ],
)
def test_faults(predicted: Any, sure: Any, possible: Any, received: str) -> None:
    with pytest.raises(UserError, match=f"at least one sure link. Received: .*{received}"):
        alignment_error_rate(predicted, sure, possible)


def test_weights_are_summed_over_the_tokens_of_a_source_word() -> None:
    # Source words: 0 in two tokens, 1 in one, EOS. The single largest weight is word 1's, and EOS has most of all.
    weights = np.array([[0.2, 0.15, 0.25, 0.4]])
    assert word_links(weights, np.array([0, 0, 1, -1]), np.array([0])) == {(0, 0)}
    assert word_links(weights, np.array([0, 1, 2, -1]), np.array([0])) == {(2, 0)}


def test_weights_are_averaged_over_the_tokens_of_a_target_word() -> None:
    # Most tokens of target word 0 prefer source word 1, but their mean prefers 0. EOS's row and padding do not count.
    weights = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.3, 0.7], [0.0, 9.0], [0.0, 9.0]])
    assert word_links(weights, np.array([0, 1]), np.array([0, 0, 0, 1, -1, -1])) == {(0, 0), (1, 1)}


def test_each_target_word_has_one_link() -> None:
    assert word_links(np.full((2, 3), 0.25), np.array([0, 1, 2]), np.array([0, 1])) == {(0, 0), (0, 1)}  # equal
    assert word_links(np.zeros((2, 2)), np.array([-1, 3]), np.array([4, -1])) == {(3, 4)}  # the only words


@pytest.mark.parametrize(("source", "target"), [([-1], [0]), ([0], [-1]), ([-1], [-1])])
def test_without_words_there_are_no_links(source: list[int], target: list[int]) -> None:
    assert word_links(np.ones((1, 1)), np.array(source), np.array(target)) == set()


def test_links_of_real_tokens(tokenizer: Any) -> None:
    """Attention that prefers the right word, spread unevenly over its tokens, gives the known alignment back."""
    random = np.random.default_rng(4)
    vocabulary = ["one", "quatre", "walking", "À-CÔTÉ", "Ёж", "👍", "L’été,", "isn't"]
    for _ in range(10):
        words = random.permutation(vocabulary)[: random.integers(2, 8)].tolist()
        last = len(words) - 1
        ids = tokenizer.encode_all(["  ".join(words), " ".join(reversed(words))])
        source_words, target_words = map(tokenizer.word_indices, ids)
        assert len(source_words) > len(words) + 3  # some words are several tokens
        weights = random.dirichlet(np.full(len(source_words), 0.5), len(target_words))
        for row, word in zip(weights, target_words, strict=True):
            right = source_words == (last - word if word >= 0 else -1)
            row[right] += 1.5 * random.dirichlet(np.ones(right.sum()))
        assert word_links(weights, source_words, target_words) == {(last - word, word) for word in range(len(words))}
