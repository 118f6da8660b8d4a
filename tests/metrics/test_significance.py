from itertools import product

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from nmt_keras.errors import UserError
from nmt_keras.metrics.significance import compare_systems, holm

REFERENCES = [
    "le chat noir dort sur le lit de ma sœur",
    "nous avons mangé une pomme rouge ce matin",
    "elle ne veut pas venir à la maison demain",
    "les enfants jouent dans le jardin avec un chien",
    "il faut que tu prennes le train de midi",
    "mon frère lit un livre près de la fenêtre",
    "la porte de la cuisine est restée ouverte hier",
    "ils ont vendu leur vieille voiture à un voisin",
]
GOOD = [
    "le chat noir dort sur le lit de sa sœur",
    "nous avons mangé la pomme rouge ce matin",
    "elle ne veut pas venir à la maison",
    "les enfants jouent dans un jardin avec un chien",
    "il faut que tu prennes un train de midi",
    "mon frère lit le livre près de la fenêtre",
    "une porte de la cuisine est restée ouverte hier",
    "ils ont vendu la vieille voiture à un voisin",
]
FAIR = [
    "le chat noir dort sur un lit de ma mère",
    "nous avons mangé une pomme rouge ce matin",
    "elle veut venir à la maison demain",
    "les enfants jouent dans le jardin avec le chat",
    "il faut que tu prennes le train de midi",
    "mon frère lit des livres près de la porte",
    "la porte de la cuisine est restée fermée",
    "ils ont vendu leur voiture à un ami",
]


def corpus_bleu(hypotheses: list[str]) -> float:
    return BLEU().corpus_score(hypotheses, [REFERENCES]).score


def test_equal_systems_do_not_differ() -> None:
    for same in (FAIR, ["nothing of the kind"] * len(FAIR)):  # the second with BLEU 0
        (comparison,) = compare_systems({"one": [same], "other": [same]}, REFERENCES)
        assert (comparison.difference, comparison.bootstrap_p, comparison.randomization_p) == ((0, 0, 0), 1, 1)
        assert not comparison.significant


@pytest.mark.parametrize(
    ("good", "fair"),
    [([GOOD], [FAIR]), ([GOOD, [sentence.split()[0] for sentence in GOOD]], [FAIR, FAIR])],  # one that collapsed
)
def test_randomization_agrees_with_all_exchanges(good: list[list[str]], fair: list[list[str]]) -> None:
    """With eight sentences, all 256 ways of exchanging the systems' translations can be counted."""

    def mean(trainings: list[list[str]]) -> float:
        return float(np.mean([corpus_bleu(sentences) for sentences in trainings]))

    def exchanged(swaps: tuple[bool, ...], ones: list[list[str]], others: list[list[str]]) -> float:
        return mean(
            [
                [other if swap else one for swap, one, other in zip(swaps, *trainings, strict=True)]
                for trainings in zip(ones, others, strict=True)
            ]
        )

    observed = mean(good) - mean(fair)
    as_large = [
        abs(exchanged(swaps, good, fair) - exchanged(swaps, fair, good)) >= abs(observed) - 1e-9
        for swaps in product((False, True), repeat=len(REFERENCES))
    ]
    assert 0.02 < np.mean(as_large) < 0.98
    (comparison,) = compare_systems({"good": good, "fair": fair}, REFERENCES)
    assert (comparison.system, comparison.other) == ("good", "fair")
    assert comparison.difference.value == pytest.approx(observed)
    assert comparison.difference.low < observed < comparison.difference.high
    assert comparison.randomization_p == pytest.approx(np.mean(as_large), abs=0.025)  # five deviations of 10,000 draws


def test_differences_and_none() -> None:
    random = np.random.default_rng(3)
    references = [" ".join(random.permutation(sentence.split())) for sentence in REFERENCES * 12]

    def spoilt(share: float) -> list[str]:
        return [
            " ".join("euh" if random.random() < share else word for word in sentence.split()) for sentence in references
        ]

    systems = {"best": [spoilt(0.05)], "twin": [spoilt(0.05)], "worst": [spoilt(0.5)]}
    found = {(pair.system, pair.other): pair for pair in compare_systems(systems, references)}
    assert {names: pair.significant for names, pair in found.items()} == {
        ("best", "twin"): False,
        ("best", "worst"): True,
        ("twin", "worst"): True,
    }
    assert found["best", "worst"].difference.low > 20
    assert not found["best", "twin"].difference.excludes_zero
    assert found["best", "worst"].bootstrap_p < 0.01


def test_trainings_are_no_further_sentences() -> None:
    """The same translations four times over make nothing more certain; other trainings count by their mean."""
    once, often = (compare_systems({"good": [GOOD] * times, "fair": [FAIR] * times}, REFERENCES)[0] for times in (1, 4))
    assert often == once
    assert 0.02 < once.randomization_p < 0.98
    (mixed,) = compare_systems({"good": [GOOD, FAIR], "fair": [FAIR, FAIR]}, REFERENCES)
    assert mixed.difference.value == pytest.approx((corpus_bleu(GOOD) - corpus_bleu(FAIR)) / 2)


@pytest.mark.parametrize(("differing", "p"), [(1, 1.0), (3, 0.25), (5, 0.0625)])
def test_a_few_sentences_do_not_make_a_difference(differing: int, p: float) -> None:
    """Of the 2^n exchanges of n sentences that all speak for one system, two differ as much as what was found."""
    worse = ["rien" if n < differing else sentence for n, sentence in enumerate(REFERENCES)]
    (comparison,) = compare_systems({"good": [REFERENCES], "worse": [worse]}, REFERENCES)
    assert comparison.randomization_p == pytest.approx(p, abs=0.025)


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, and no value below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_systems_must_have_as_many_translations() -> None:
    with pytest.raises(UserError, match=r"Received: 8 references, translations \{'a': \[8\], 'b': \[7, 8\]\}"):
        compare_systems({"a": [GOOD], "b": [GOOD[:7], GOOD]}, REFERENCES)
