import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from nmt_keras.errors import UserError
from nmt_keras.metrics.bootstrap import Interval, bleu_of_sums, interval, mean_bleu, sentence_counts

WORDS = ["le", "la", "un", "chien", "chat", "mange", "dort", "dans", "sur", "jardin", ",", "."]


def corpus(seed: int, wrong: float, size: int = 150) -> tuple[list[str], list[str]]:
    """Hypotheses and references: the share `wrong` of the words is replaced."""
    random = np.random.default_rng(seed)
    references = [list(random.choice(WORDS, random.integers(3, 14))) for _ in range(size)]
    hypotheses = [[str(random.choice(WORDS)) if random.random() < wrong else word for word in r] for r in references]
    return [" ".join(h) for h in hypotheses], [" ".join(r) for r in references]


def test_sums_of_counts_give_sacrebleus_corpus_score() -> None:
    hypotheses, references = corpus(1, 0.3)
    counts = sentence_counts(hypotheses, references)
    for part in (slice(0, 150), slice(20, 90), slice(7, 8)):
        expected = BLEU().corpus_score(hypotheses[part], [references[part]]).score
        assert bleu_of_sums(counts.counts[part].sum(axis=0)) == pytest.approx(expected)
    expected = BLEU(effective_order=True).sentence_score(hypotheses[3], [references[3]]).score
    assert counts.scores[3] == pytest.approx(expected)


def test_no_match_of_an_order_is_smoothed_as_sacrebleu_does() -> None:
    hypotheses, references = ["un chat mange le chien", "dort"], ["un chat dort sur le lit", "le chien"]
    expected = BLEU().corpus_score(hypotheses, [references]).score
    assert 0 < expected < 20
    assert bleu_of_sums(sentence_counts(hypotheses, references).counts.sum(axis=0)) == pytest.approx(expected)


def test_the_interval_is_sacrebleus_bootstrap_interval() -> None:
    hypotheses, references = corpus(2, 0.3)
    found, resampled = mean_bleu([sentence_counts(hypotheses, references).counts])
    theirs = BLEU().corpus_score(hypotheses, [references], n_bootstrap=1000)
    assert found.value == pytest.approx(theirs.score)
    assert found.low == pytest.approx(theirs._mean - theirs._ci, abs=0.6)
    assert found.high == pytest.approx(theirs._mean + theirs._ci, abs=0.6)
    assert found.high - found.low > 3
    assert resampled.shape == (1000,)


def test_seeds_are_resampled_together() -> None:
    """Three equal trainings know no more of the test set than one."""
    hypotheses, references = corpus(3, 0.4)
    counts = sentence_counts(hypotheses, references).counts
    assert mean_bleu([counts] * 3)[0] == pytest.approx(mean_bleu([counts])[0])
    other = sentence_counts(corpus(3, 0.1)[0], references).counts
    both = mean_bleu([counts, other])[0]
    assert both.value == pytest.approx((mean_bleu([counts])[0].value + mean_bleu([other])[0].value) / 2)


def test_a_difference_is_surer_than_its_parts() -> None:
    """Resamples are paired: of a system and a slightly better one, the difference varies less than either."""
    hypotheses, references = corpus(4, 0.4)
    better = [" ".join([r.split()[0], *h.split()[1:]]) for h, r in zip(hypotheses, references, strict=True)]
    one, other = (mean_bleu([sentence_counts(h, references).counts])[1] for h in (hypotheses, better))
    assert (other - one).std() < 0.7 * one.std()
    assert (other > one).mean() > 0.99


def test_excludes_zero() -> None:
    assert [Interval(*ends).excludes_zero for ends in [(1, 0.5, 2), (-1, -2, -0.5), (1, -0.5, 2)]] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(("hypotheses", "references"), [([], []), (["a"], ["a", "b"])])
def test_as_many_references_as_hypotheses(hypotheses: list[str], references: list[str]) -> None:
    with pytest.raises(UserError, match=f"{len(hypotheses)} hypotheses, {len(references)} references"):
        sentence_counts(hypotheses, references)


def test_the_interval_holds_95_of_100_resamples() -> None:
    assert interval(7.0, np.arange(1001.0)) == (7.0, 25.0, 975.0)
