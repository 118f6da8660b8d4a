"""Whether one system's BLEU is higher than another's by more than chance, by sacreBLEU's paired tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from nmt_keras.errors import UserError
from nmt_keras.metrics.bleu import bleu


@dataclass(frozen=True)
class PairedComparison:
    """Two systems on the same sentences.

    Args:
        system: name of one.
        other: name of the other.
        difference: BLEU of `system` minus BLEU of `other`, percent.
        bootstrap_p: p-value of paired bootstrap resampling (Koehn 2004), corrected.
        randomization_p: p-value of approximate randomization (Riezler and Maxwell 2005), corrected.
    """

    system: str
    other: str
    difference: float
    bootstrap_p: float
    randomization_p: float

    @property
    def significant(self) -> bool:
        """Whether both tests put the chance of such a difference between equal systems below 5%."""
        return max(self.bootstrap_p, self.randomization_p) < 0.05


def compare_systems(hypotheses: Mapping[str, Sequence[str]], references: Sequence[str]) -> list[PairedComparison]:
    """Tests each two systems, with Holm's correction for the number of pairs.

    Args:
        hypotheses: for each system its translations. Several trainings of one architecture are tested together when
            their translations, one training after the other, are one system's.
        references: what each should read, as many.

    Returns:
        A comparison for each pair, in the order of the systems.

    Raises:
        UserError: nothing to compare, or systems that differ in their number of sentences.
    """
    lengths = {name: len(sentences) for name, sentences in hypotheses.items()}
    if not references or set(lengths.values()) - {len(references)}:
        raise UserError(
            f"A comparison needs one translation of each system for each reference, and at least one of them. "
            f"Received: {len(references)} references, translations {lengths}."
        )
    pairs = list(combinations(hypotheses, 2))
    raw = {test: _p_values(hypotheses, references, test) for test in ("bs", "ar")}
    corrected = {
        test: dict(zip(pairs, holm([values[pair] for pair in pairs]), strict=True)) for test, values in raw.items()
    }
    scores = {name: bleu(sentences, references).score for name, sentences in hypotheses.items()}
    return [
        PairedComparison(a, b, scores[a] - scores[b], corrected["bs"][a, b], corrected["ar"][a, b]) for a, b in pairs
    ]


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
    hypotheses: Mapping[str, Sequence[str]], references: Sequence[str], test_type: str
) -> dict[tuple[str, str], float]:
    from sacrebleu.metrics import BLEU
    from sacrebleu.significance import PairedTest

    systems = list(hypotheses.items())
    values = {}
    for place, (name, _) in enumerate(systems[:-1]):
        metric = {"BLEU": BLEU(references=[references])}
        results: Any = PairedTest(systems[place:], metric, None, test_type)()[1]["BLEU"]
        for (other, _), result in zip(systems[place + 1 :], results[1:], strict=True):
            values[name, other] = float(result.p_value)
    return values
