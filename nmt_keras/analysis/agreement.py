"""Whether a model prefers the right form to a wrong one, by the distance between a subject and its verb."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nmt_keras.data.parallel_text import AgreementPair, ParallelText

if TYPE_CHECKING:
    from nmt_keras.decoding.translator import Scorer

BUCKETS = ((1, 5), (6, 10), (11, 20), (21, 30), (31, 40))
"""The first and last distance of each row, in words."""


@dataclass(frozen=True)
class Accuracy:
    """How many pairs a model gets right.

    Args:
        pairs: their number, at least 1.
        correct: those of which the right target has the higher probability.
        accuracy: correct / pairs, from 0 to 1.
        low: lower end of the 95% confidence interval of the accuracy (Wilson 1927).
        high: its upper end.
    """

    pairs: int
    correct: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """The accuracy over all pairs, and in each bucket of `BUCKETS` that holds one."""

    total: Accuracy
    by_distance: dict[tuple[int, int], Accuracy]

    def as_json(self) -> dict[str, Any]:
        """What `nmt-keras agreement --json` prints of it."""
        rows = [{"from": first, "to": last} | asdict(row) for (first, last), row in self.by_distance.items()]
        return asdict(self.total) | {"by_distance": rows}

    @classmethod
    def from_json(cls, figures: Mapping[str, Any]) -> "Agreement":
        """The agreement that `as_json` turned into `figures`."""
        rows = {(row["from"], row["to"]): _without(row, "from", "to") for row in figures["by_distance"]}
        total = Accuracy(**_without(figures, "by_distance"))
        return cls(total, {bucket: Accuracy(**row) for bucket, row in rows.items()})


def agreement_accuracy(scorer: "Scorer", pairs: Sequence[AgreementPair]) -> Agreement:
    """Scores the right and the wrong target of each pair by forced decoding (contrastive pairs).

        a pair is correct when log p(target | source) > log p(wrong_target | source)

    The two are whole sentences, EOS included, and differ in one word. Where the two forms of the word are cut into
    different numbers of tokens, the sums have different numbers of terms; they compare all the same, for by the chain
    rule each is the log-probability of its sentence (as the tokenizer cuts it). A mean over the tokens would not:
    a near-certain token more, such as a second half of a word, would raise it. Equal probabilities are not correct.

    Args:
        scorer: of the model.
        pairs: at least one.

    Reference:
        Linzen et al. 2016, "Assessing the Ability of LSTMs to Learn Syntax-Sensitive Dependencies"; Sennrich 2017,
        "How Grammatical is Character-level Neural Machine Translation?".
    """
    sources = [pair.source for pair in pairs]
    targets = [pair.target for pair in pairs] + [pair.wrong_target for pair in pairs]
    log_probs, _ = scorer.score(ParallelText(sources * 2, targets))
    right, wrong = np.split(log_probs, 2)
    correct = right > wrong
    distances = np.array([pair.distance for pair in pairs])
    rows = {(first, last): correct[(first <= distances) & (distances <= last)] for first, last in BUCKETS}
    return Agreement(_accuracy(correct), {bucket: _accuracy(row) for bucket, row in rows.items() if row.size})


def _without(figures: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name not in names}


def _accuracy(correct: np.ndarray) -> Accuracy:
    from scipy.stats import binomtest

    count = int(correct.sum())
    interval = binomtest(count, correct.size).proportion_ci(0.95, method="wilson")
    return Accuracy(correct.size, count, count / correct.size, float(interval.low), float(interval.high))
