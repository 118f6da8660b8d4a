"""BLEU of parts and resamples of a test set, from the n-gram counts of its sentences."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nmt_keras.errors import UserError
from nmt_keras.metrics.tokenization import tokenization

_ORDER = 4


class Interval(NamedTuple):
    """A figure with its 95% confidence interval.

    Args:
        value: the figure.
        low: lower end.
        high: upper end.
    """

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


class SentenceCounts(NamedTuple):
    """What BLEU is computed from, by sentence; any corpus BLEU is a function of sums over the sentences.

    Args:
        counts: (N, 10) int64: n-grams that match for n = 1..4, n-grams for n = 1..4, length and reference length.
        scores: (N,) float64, sentence BLEU, percent (smoothed; orders that a short sentence lacks do not count).
    """

    counts: np.ndarray
    scores: np.ndarray


def sentence_counts(hypotheses: Sequence[str], references: Sequence[str], language: str = "") -> SentenceCounts:
    """Counts the n-grams of each sentence as sacreBLEU does; arguments as `bleu`.

    Raises:
        UserError: nothing to count, or the two differ in length.
    """
    from sacrebleu.metrics import BLEU

    if len(hypotheses) != len(references) or not hypotheses:
        raise UserError(
            "BLEU needs one reference for each hypothesis, and at least one of them. "
            f"Received: {len(hypotheses)} hypotheses, {len(references)} references."
        )
    metric = BLEU(tokenize=tokenization(language), effective_order=True)
    scores = [metric.sentence_score(h, [r]) for h, r in zip(hypotheses, references, strict=True)]
    return SentenceCounts(
        np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores], "int64"),
        np.array([score.score for score in scores]),
    )


def bleu_of_sums(sums: np.ndarray) -> float:
    """Corpus BLEU, percent, of counts (10,) summed over sentences."""
    from sacrebleu.metrics import BLEU

    matches, totals, lengths = np.split(sums.astype("int64"), [_ORDER, 2 * _ORDER])
    sys_len, ref_len = map(int, lengths)
    # Smoothed as sacreBLEU does by default, which matters where no n-gram of an order matches.
    score = BLEU.compute_bleu(matches.tolist(), totals.tolist(), sys_len, ref_len, smooth_method="exp")
    return float(score.score)


def mean_bleu(trainings: Sequence[np.ndarray], samples: int = 1000) -> tuple[Interval, np.ndarray]:
    """The mean BLEU of several trainings of one system on one test set, with a bootstrap interval.

    All trainings of a resample translate the same sentences, and the same call draws the same resamples for every
    system: the difference of two systems' `resampled` is that of paired resampling.

    Args:
        trainings: the counts (N, 10) of each, at least one.
        samples: resamples of N sentences, drawn with replacement.

    Returns:
        Mean and percentile interval, percent; and the mean of each resample, (samples,) float64.

    Reference: Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation".
    """
    sentences = len(trainings[0])
    drawn = np.random.default_rng(12345).multinomial(sentences, np.full(sentences, 1 / sentences), samples)
    resampled = np.mean([[bleu_of_sums(sums) for sums in drawn @ counts] for counts in trainings], axis=0)
    value = float(np.mean([bleu_of_sums(counts.sum(axis=0)) for counts in trainings]))
    return interval(value, resampled), resampled


def interval(value: float, resampled: np.ndarray) -> Interval:
    """The figure with the 2.5th and the 97.5th percentile of its resamples."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Interval(value, float(low), float(high))
