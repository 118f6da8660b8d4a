"""Agreement accuracy: counts against tables, scores against the model's own logits, and the command."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmt_keras.analysis.agreement import BUCKETS, agreement_accuracy
from nmt_keras.cli.main import main
from nmt_keras.config import RecurrentConfig, SearchConfig
from nmt_keras.data.parallel_text import AgreementPair, ParallelText
from nmt_keras.data.phrasebook import agreement_pairs
from nmt_keras.data.phrasebook.agreement import LONGEST_DISTANCE
from nmt_keras.decoding.compilation import compile_inference
from nmt_keras.decoding.translator import Scorer
from nmt_keras.models.directory import ModelDescription, save_description, save_weights
from nmt_keras.text.special_tokens import BOS_ID


class Table:
    """A scorer that looks up (log-probability, tokens) by (source, target)."""

    def __init__(self, scores: dict[tuple[str, str], tuple[float, int]]) -> None:
        self.scores = scores

    def score(self, text: ParallelText) -> tuple[np.ndarray, np.ndarray]:
        rows = [self.scores[pair] for pair in zip(text.sources, text.targets, strict=True)]
        log_probs, lengths = zip(*rows, strict=True)
        return np.array(log_probs), np.array(lengths)


def measured(*rows: tuple[int, float, float]) -> Any:
    """The accuracy on pairs given as distance, log p(right) and log p(wrong)."""
    pairs = [
        AgreementPair(f"source {i}", f"right {i}", f"wrong {i}", distance) for i, (distance, *_) in enumerate(rows)
    ]
    scores = {}
    for pair, (_, right, wrong) in zip(pairs, rows, strict=True):
        scores[pair.source, pair.target] = (right, 5)
        scores[pair.source, pair.wrong_target] = (wrong, 5)
    return agreement_accuracy(Table(scores), pairs)  # type: ignore[arg-type]


def test_pairs_are_counted_by_distance() -> None:
    agreement = measured((5, -1, -2), (1, -3, -2), (6, -1, -2), (40, -1, -2), (31, -2, -1), (30, -2, -1), (2, -1, -4))
    counts = {bucket: (row.correct, row.pairs) for bucket, row in agreement.by_distance.items()}
    assert counts == {(1, 5): (2, 3), (6, 10): (1, 1), (21, 30): (0, 1), (31, 40): (1, 2)}
    assert (agreement.total.correct, agreement.total.pairs) == (4, 7)
    assert agreement.total.accuracy == pytest.approx(4 / 7)
    assert agreement.by_distance[1, 5].accuracy == pytest.approx(2 / 3)
    assert agreement.as_json()["by_distance"][0] == {"from": 1, "to": 5} | asdict(agreement.by_distance[1, 5])


def test_every_distance_has_one_bucket() -> None:
    assert [distance for first, last in BUCKETS for distance in range(first, last + 1)] == list(
        range(1, LONGEST_DISTANCE + 1)
    )


def test_equal_probabilities_are_not_correct() -> None:
    assert measured((1, -2, -2)).total.correct == 0


def test_sums_are_compared_not_means() -> None:
    pair = AgreementPair("a", "right", "wrong", 1)
    # The wrong form has more tokens: the lower sum and the higher mean.
    longer = Table({("a", "right"): (-6.0, 2), ("a", "wrong"): (-8.0, 4)})
    assert agreement_accuracy(longer, [pair]).total.correct == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("correct", "pairs", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_those_published(correct: int, pairs: int, low: float, high: float) -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3."""
    total = measured(*[(1, -float(i >= correct), -0.5) for i in range(pairs)]).total
    assert (total.correct, total.pairs) == (correct, pairs)
    assert (total.low, total.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def log_prob(logits_of: Any, source: np.ndarray, target: np.ndarray) -> float:
    logits = logits_of(source[None], np.array([[BOS_ID, *target[:-1]]], "int32"))[0].astype("float64")
    return sum(
        row[token] - row.max() - math.log(np.exp(row - row.max()).sum())
        for row, token in zip(logits, target, strict=True)
    )


SIZES = RecurrentConfig("rnn", 1, embedding_dim=8, hidden_dim=8, dropout_rate=0.0)


def test_right_and_wrong_by_the_model_s_own_logits(build: Any, tokenizer: Any) -> None:
    pairs = agreement_pairs()[:150:6]
    model = build(SIZES, tokenizer.vocabulary_size, seed=5, gain=3.0)
    logits_of = compile_inference(
        model, lambda source_ids, target_in_ids: model({"source_ids": source_ids, "target_in_ids": target_in_ids}), 2
    )
    expected, lengths_differ = {}, 0
    for pair in pairs:
        source, right, wrong = tokenizer.encode_all([pair.source, pair.target, pair.wrong_target])
        difference = log_prob(logits_of, source, right) - log_prob(logits_of, source, wrong)
        assert abs(difference) > 1e-3
        expected[pair] = difference > 0
        lengths_differ += len(right) != len(wrong)
    assert lengths_differ > 5
    agreement = agreement_accuracy(Scorer(model, tokenizer), pairs)
    for (first, last), row in agreement.by_distance.items():
        members = [correct for pair, correct in expected.items() if first <= pair.distance <= last]
        assert (row.pairs, row.correct) == (len(members), sum(members))
    assert 3 < agreement.total.correct < len(pairs) - 3


def saved(directory: Path, build: Any, tokenizer: Any, target_language: str) -> str:
    description = ModelDescription("rnn", SIZES, "en", target_language, tokenizer.sha256, SearchConfig())
    save_description(directory, tokenizer, description)
    save_weights(directory, build(SIZES, tokenizer.vocabulary_size, seed=5, gain=3.0))
    return str(directory)


def test_command(tmp_path: Path, build: Any, tokenizer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    model = saved(tmp_path / "model", build, tokenizer, "fr")
    assert main(["agreement", "--model", model, "--seed", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "synthetic" in err
    figures = json.loads(out)
    scorer = Scorer(build(SIZES, tokenizer.vocabulary_size, seed=5, gain=3.0), tokenizer)
    assert figures == {"seed": 2} | agreement_accuracy(scorer, agreement_pairs(2)).as_json()
    assert figures["pairs"] == sum(row["pairs"] for row in figures["by_distance"]) == 400
    assert main(["agreement", "--model", model]) == 0
    of_seed_1 = agreement_accuracy(scorer, agreement_pairs(1))
    assert of_seed_1.total != agreement_accuracy(scorer, agreement_pairs(2)).total
    names = [*(f"{first}-{last} words" for first, last in BUCKETS), "all"]
    rows = [*of_seed_1.by_distance.values(), of_seed_1.total]
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        f"{name}: {row.correct} of {row.pairs} right, {100 * row.accuracy:.1f}% "
        f"(95% interval {100 * row.low:.1f}% to {100 * row.high:.1f}%)"
        for name, row in zip(names, rows, strict=True)
    ]


def test_a_model_of_other_languages_is_refused(
    tmp_path: Path, build: Any, tokenizer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved(tmp_path / "model", build, tokenizer, "de")
    assert main(["agreement", "--model", model]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"translates en-fr. Received: --model {model}, which translates en-de." in err
