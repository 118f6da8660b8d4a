"""Whether one system's BLEU is higher than another's by more than chance, by sacreBLEU's paired tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from nmt_keras.errors import UserError
from nmt_keras.metrics.bootstrap import Interval, interval, mean_bleu, sentence_counts
from nmt_keras.metrics.tokenization import tokenization


@dataclass(frozen=True)
class PairedComparison:
    """Two systems on the same sentences.

    Args:
        system: name of one.
        other: name of the other.
        difference: BLEU of `system` minus BLEU of `other`, percent, each the mean over its trainings; with its 95%
            bootstrap interval, which is of this pair alone.
        bootstrap_p: p-value of paired bootstrap resampling (Koehn 2004), one-sided, corrected.
        randomization_p: p-value of approximate randomization (Riezler and Maxwell 2005), two-sided, corrected.
    """

    system: str
    other: str
    difference: Interval
    bootstrap_p: float
    randomization_p: float

    @property
    def significant(self) -> bool:
        """Whether both tests put the chance of such a difference between equal systems below 5%."""
        return max(self.bootstrap_p, self.randomization_p) < 0.05


def compare_systems(
    trainings: Mapping[str, Sequence[Sequence[str]]], references: Sequence[str], language: str = ""
) -> list[PairedComparison]:
    """Tests each two systems, with Holm's correction for the number of pairs.

    The unit that is drawn or exchanged is a sentence, with what all trainings of a system made of it: trainings are no
    further sentences, and do not make a test more certain than its sentences allow.

    Args:
        trainings: for each system the translations of each of its trainings; as many trainings for every system.
        references: what each translation should read.
        language: of theirs, as for `bleu`.

    Returns:
        A comparison for each pair, in the order of the systems.

    Raises:
        UserError: nothing to compare, or systems that differ in their number of sentences.
    """
    lengths = {name: [len(sentences) for sentences in of_system] for name, of_system in trainings.items()}
    if not references or any(set(of_system) != {len(references)} for of_system in lengths.values()):
        raise UserError(
            f"A comparison needs one translation of each system for each reference, and at least one of them. "
            f"Received: {len(references)} references, translations {lengths}."
        )
    pairs = list(combinations(trainings, 2))
    raw = {test: _p_values(trainings, references, language, test) for test in ("bs", "ar")}
    corrected = {
        test: dict(zip(pairs, holm([values[pair] for pair in pairs]), strict=True)) for test, values in raw.items()
    }
    means = {
        name: mean_bleu([sentence_counts(sentences, references, language).counts for sentences in of_system])
        for name, of_system in trainings.items()
    }
    comparisons = []
    for a, b in pairs:
        (one, resampled), (other, others) = means[a], means[b]
        difference = interval(one.value - other.value, resampled - others)
        comparisons.append(PairedComparison(a, b, difference, corrected["bs"][a, b], corrected["ar"][a, b]))
    return comparisons


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values for their number, so that the chance of any false finding is bounded (Holm 1979).

    p_(i) of the sorted m values becomes max_{j <= i} min(1, (m - j + 1) p_(j)).
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def _p_values(
    trainings: Mapping[str, Sequence[Sequence[str]]], references: Sequence[str], language: str, test_type: str
) -> dict[tuple[str, str], float]:
    from sacrebleu.metrics import BLEU
    from sacrebleu.significance import PairedTest

    class MeanBLEU(BLEU):
        """The mean of the BLEUs of several translations of each sentence, of which a sentence has all counts."""

        def _extract_corpus_statistics(self, hypotheses: Any, references: Any) -> Any:
            extract = super()._extract_corpus_statistics
            counts = [extract(of_training, references) for of_training in zip(*hypotheses, strict=True)]
            return np.concatenate(counts, axis=1)

        def _compute_score_from_stats(self, stats: Any) -> Any:
            score = super()._compute_score_from_stats
            trainings = len(stats) // (2 + 2 * self.max_ngram_order)
            mean, *others = (score(counts.tolist()) for counts in np.split(np.asarray(stats), trainings))
            mean.score = float(np.mean([mean.score, *(other.score for other in others)]))
            return mean

    systems: Any = [(name, list(zip(*of_system, strict=True))) for name, of_system in trainings.items()]
    values = {}
    for place, (name, _) in enumerate(systems[:-1]):
        metric: Any = {"BLEU": MeanBLEU(tokenize=tokenization(language), references=[references])}
        results: Any = PairedTest(systems[place:], metric, None, test_type)()[1]["BLEU"]
        for (other, _), result in zip(systems[place + 1 :], results[1:], strict=True):
            # sacreBLEU counts differences above the one found, of which equal scores leave none.
            p = 1.0 if result.score == results[0].score else float(result.p_value)
            values[name, other] = p if test_type == "bs" else max(p, _least_p(trainings[name], trainings[other]))
    return values


def _least_p(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> float:
    """The least p-value that randomization can have, where n sentences differ: of 2^n ways to exchange them, none and
    all leave the difference as it is, which sacreBLEU does not count."""
    differing = sum(a != b for a, b in zip(zip(*one, strict=True), zip(*other, strict=True), strict=True))
    return min(1.0, 2.0 ** (1 - differing))
