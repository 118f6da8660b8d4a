"""The figures of a report stand where their headings say, in the unit that these say."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sacrebleu.metrics import BLEU

from nmt_keras.config import RecurrentConfig
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.experiments import report
from nmt_keras.experiments.charts import charts
from nmt_keras.experiments.comparison import compare_architectures, of_shared_seeds
from nmt_keras.experiments.report import _difference, _findings, _longest_trained_on, _scores, _system_pairs
from nmt_keras.metrics.bootstrap import Interval, sentence_counts
from nmt_keras.metrics.corpus_scores import Score
from nmt_keras.metrics.significance import PairedComparison
from nmt_keras.training.settings import TrainingCost

REFERENCES = [f"le chat {n} dort sur le lit de ma sœur {n % 3}" for n in range(40)]
SOURCES = [f"the cat {n} sleeps" for n in range(40)]
WORSE = ["le chien" if n % 2 else reference for n, reference in enumerate(REFERENCES)]
TEST = ParallelText(SOURCES, REFERENCES)
CORPUS = Corpus("cats", "en", "fr", {"train": ParallelText([*SOURCES, "a " * 90], [*REFERENCES, "le"]), "test": TEST})


def trained(architecture: str, hypotheses: Sequence[str], seed: int = 1, scale: float = 1.0) -> Any:
    """A trained model whose figures are all different, and multiples of `scale`."""
    scores = {
        name: Score(value * scale, f"{name}-signature") for name, value in (("bleu", 31), ("chrf", 52), ("ter", 43))
    }
    return SimpleNamespace(
        settings=SimpleNamespace(
            architecture=architecture, seed=seed, model_config=RecurrentConfig("gru"), training=SimpleNamespace()
        ),
        evaluations={"test": SimpleNamespace(bleu=scores["bleu"], chrf=scores["chrf"], hypotheses=list(hypotheses))},
        agreement=SimpleNamespace(by_distance={(1, 5): SimpleNamespace(accuracy=0.75, low=0.5, high=0.875, pairs=8)}),
        measurements=SimpleNamespace(
            ter=scores["ter"], perplexity={"test": 7.5 * scale}, latency_ms=84.0 * scale,
            step_times=[], gradient_norms=None,
        ),
        summary=SimpleNamespace(
            history=[
                {"step": 10 * n, "training_seconds": 100.0 * n, "valid_bleu": bleu, "valid_loss": 2.0}
                for n, bleu in ((1, 10.0), (2, 19.0), (3, 20.0 * scale), (4, 21.0))
            ],
            losses=[{"step": 20, "training_seconds": 60.0, "train_loss": 5.0}],
            cost=TrainingCost(1234.0 * scale, 2), parameters=123_456, peak_memory_bytes=2_000_000_000,
            dropped={"length_ratio": 1, "too_many_tokens": 0},
        ),
    )  # fmt: skip


GROUPED = {"gru": [trained("gru", REFERENCES)], "lstm": [trained("lstm", WORSE, scale=2.0)]}


def test_the_table_of_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "processors", lambda: [0, 1, 2, 3])
    pairs = [PairedComparison("lstm", "gru", Interval(31, 20, 40), 0.01, 0.02)]
    tests = {"gru": Interval(31, 30.5, 32.5), "lstm": Interval(62, 60, 64)}
    table, notes = _scores(CORPUS, GROUPED, ["lstm", "gru"], tests, pairs)
    assert "Each training had 2 CPU while others ran beside it." in notes["scores"]
    best, other = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert (best["architecture"], best["from the best"]) == ("lstm", "best")
    assert other == {
        "architecture": "gru", "BLEU": "31.00", "95% interval": "30.5 to 32.5", "from the best": "−31.00 (p 0.0200)",
        "chrF": "52.00", "TER": "43.00", "perplexity": "7.50", "rare words %": "100.0", "repeated %": "0.0",
        "length ratio": "1.000", "minutes to BLEU 21.0": "6.7", "tokens/s": "1,234",
        "GB": "2.0", "ms a sentence": "84", "parameters": "123,456",
    }  # fmt: skip
    words = sum(len(sentence.split()) for sentence in REFERENCES)
    assert best["length ratio"] == f"{(words / 2 + 2 * 20) / words:.3f}"


@pytest.mark.parametrize(
    ("best", "name", "text"), [("a", "b", "−3.00 (p 0.0200)"), ("b", "a", "+3.00 (p 0.0200)"), ("a", "c", "–")]
)
def test_the_sign_of_a_difference(best: str, name: str, text: str) -> None:
    assert _difference([PairedComparison("a", "b", Interval(3, 2, 4), 0.01, 0.02)], best, name) == text


def test_only_shared_seeds_count() -> None:
    models = {
        "a1": trained("a", WORSE, 1), "a2": trained("a", REFERENCES, 2), "b1": trained("b", REFERENCES, 1),
        "b3": trained("b", WORSE, 3),
    }  # fmt: skip
    assert list(of_shared_seeds(models)) == ["a1", "b1"]
    (pair,) = compare_architectures(of_shared_seeds(models), CORPUS, "test")
    assert pair.difference.value == pytest.approx(BLEU().corpus_score(WORSE, [REFERENCES]).score - 100)
    other = {name: models[name] for name in ("a1", "a2", "b3")}
    assert of_shared_seeds(other) == other
    assert compare_architectures(other, CORPUS, "test") == []
    assert any("not tested" in line for line in _findings(["a", "b"], {"a": Interval(3, 2, 4)}, [], 3))


def test_curves_are_in_minutes_and_agreement_in_percent() -> None:
    tests = {"gru": Interval(31, 30, 32), "lstm": Interval(62, 60, 64)}
    drawn = {chart.name: chart for chart in charts(GROUPED, ["lstm", "gru"], tests, [])}
    curve = drawn["curves-valid-bleu-training-seconds"].series[0]
    assert list(curve.x) == pytest.approx([100 / 60, 200 / 60, 5.0, 400 / 60])
    assert list(curve.y) == [10.0, 19.0, 20.0, 21.0]
    assert list(drawn["curves-train-loss-training-seconds"].series[0].x) == [1.0]
    assert list(drawn["curves-train-loss-step"].series[0].x) == [20]
    (agreement, _) = drawn["agreement"].series
    assert [*agreement.y, *agreement.low, *agreement.high] == [75.0, 50.0, 87.5]


def test_a_win_is_a_sentence_that_the_first_translates_better() -> None:
    hypotheses = {"gru": REFERENCES, "lstm": WORSE}
    counts = {name: [sentence_counts(hypotheses[name], REFERENCES)] for name in GROUPED}
    (pair,) = _system_pairs(CORPUS, GROUPED, counts)
    assert (pair.one, pair.other, pair.worse) == ("gru", "lstm", [])
    assert len(pair.better) == 4
    for win in pair.better:
        assert (win.one, win.other) == (win.reference, "le chien")
        assert win.one_score == pytest.approx(100) != win.other_score
    (pair,) = _system_pairs(CORPUS, dict(reversed(GROUPED.items())), counts)
    assert (len(pair.better), len(pair.worse)) == (0, 4)


def test_sentences_that_no_training_kept_are_none_as_long_as_the_training_s() -> None:
    assert _longest_trained_on(CORPUS, [GROUPED["gru"][0]]) == 4
    long = replace(CORPUS, splits=CORPUS.splits | {"train": ParallelText(["a " * n for n in (3, 9, 90)], ["b"] * 3)})
    assert _longest_trained_on(long, [GROUPED["gru"][0]]) == 9
