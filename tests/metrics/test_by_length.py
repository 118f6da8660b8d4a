import numpy as np
import pytest

from nmt_keras.errors import UserError
from nmt_keras.metrics.by_length import by_length, length_buckets, quantile_edges
from nmt_keras.metrics.corpus_scores import bleu, chrf

REFERENCE = "a man in a red coat walks his dog"
HYPOTHESES = [
    "a man in a red coat walks a dog",
    "a man in a red coat",
    "a man in a red coat walks his dog",
    "the man in the red coat walks his dog",
    "in a red coat a man walks his dog",
    "a woman in a red coat walks his dog",
]


def words(count: int) -> str:
    return "  ".join(["word"] * count)


def test_each_bucket_is_scored_as_a_corpus_of_its_own() -> None:
    sources = [words(count) for count in (5, 41, 6, 1, 10, 300)]
    rows = by_length(sources, HYPOTHESES, [REFERENCE] * 6)

    expected = {(1, 5): [0, 3], (6, 10): [2, 4], (41, None): [1, 5]}
    assert [(row["from"], row["to"]) for row in rows] == list(expected)
    for row, members in zip(rows, expected.values(), strict=True):
        chosen = [HYPOTHESES[index] for index in members]
        assert row["sentences"] == len(members)
        assert row["bleu"] == bleu(chosen, [REFERENCE] * len(members)).score
        assert row["chrf"] == chrf(chosen, [REFERENCE] * len(members)).score
    assert len({row["bleu"] for row in rows}) == 3


def test_edges_are_the_greatest_lengths_of_their_buckets() -> None:
    rows = by_length([words(count) for count in (2, 3, 4, 5)], HYPOTHESES[:4], [REFERENCE] * 4, edges=(2, 4))
    assert [(row["from"], row["to"], row["sentences"]) for row in rows] == [
        (1, 2, 1),
        (3, 4, 2),
        (5, None, 1),
    ]


def test_an_empty_source_is_counted_in_the_first_bucket() -> None:
    rows = by_length(["", words(7)], HYPOTHESES[:2], [REFERENCE] * 2)
    assert [(row["from"], row["sentences"]) for row in rows] == [(1, 1), (6, 1)]


@pytest.mark.parametrize("edges", [(0, 5), (5, 5), (10, 5)])
def test_edges_must_rise(edges) -> None:
    with pytest.raises(UserError, match=r"edges must rise.*Received: edges=\("):
        by_length([words(1)], HYPOTHESES[:1], [REFERENCE], edges=edges)


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(UserError) as caught:
        by_length([], HYPOTHESES[:1], [REFERENCE], edges=(3, 2))
    assert "0 sources, 1 hypotheses, 1 references" in str(caught.value)
    assert "edges=(3, 2)" in str(caught.value)


def test_quantile_buckets_hold_enough_sentences_and_part_no_length() -> None:
    random = np.random.default_rng(3)
    lengths = np.concatenate([random.integers(1, 12, 900), random.integers(30, 70, 150), [7] * 400])
    sources = ["w " * length for length in lengths]
    edges = quantile_edges(sources, at_least=100, at_most=8)
    buckets = length_buckets(sources, edges)
    assert 5 <= len(buckets) <= 8
    assert min(len(members) for _, _, members in buckets) >= 100
    assert max(len(members) for _, _, members in buckets) < 100 + 1450 / 8 + 500  # one length more at most
    assert sum(len(members) for _, _, members in buckets) == 1450


def test_few_sentences_are_one_bucket() -> None:
    assert quantile_edges(["a b", "", "c"], at_least=100) == []
    assert quantile_edges(["a"] * 150 + ["a b"] * 99, at_least=100) == []
    assert quantile_edges(["a"] * 150 + ["a b"] * 100, at_least=100) == [1]


def test_languages_without_spaces_are_counted_by_characters() -> None:
    sources = ["猫坐在垫子上。", "猫。"]
    assert length_buckets(sources, (5,), "zh") == [(1, 5, [1]), (6, None, [0])]
    assert length_buckets(sources, (5,), "en") == [(1, 5, [0, 1])]
    assert quantile_edges(sources * 100, "zh", at_least=100) == [2]
    hypotheses, references = ["猫坐在垫子上。", "猫坐在沙发上。"], ["猫坐在垫子上。", "猫坐在垫子上。"]
    rows = by_length(["a b c", "a"], hypotheses, references, (2,), "en", "zh")
    assert [(row["from"], row["sentences"]) for row in rows] == [(1, 1), (3, 1)]
    assert 20 < rows[0]["bleu"] < rows[1]["bleu"] == pytest.approx(100)
