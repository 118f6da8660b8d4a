"""What the report says of the architectures follows from the figures, whichever way they point."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nmt_keras.analysis.agreement import Accuracy, Agreement
from nmt_keras.analysis.throughput import StepTime
from nmt_keras.experiments.claims import accuracy_lost, claims, gradient_ratio, step_time_ratio, top_layer_norms
from nmt_keras.experiments.comparison import bleu_by_length
from nmt_keras.layers.state_key import StateKey
from nmt_keras.metrics.bootstrap import sentence_counts

REFERENCES = [f"the cat number {n} sat on the mat and saw a dog with {n % 7} cats" for n in range(240)]
SOURCES = ["a b c"] * 120 + ["a b c d e f g h"] * 120


def training(
    near: float = 0.9, far: float = 0.9, times: tuple[float, float] | None = (10.0, 10.0), norms: Any = None
) -> Any:
    """A model with agreement accuracies, times of steps with short and long sentences, and gradient norms."""
    rows = {
        bucket: Accuracy(200, round(200 * share), share, 0, 1)
        for bucket, share in {(1, 5): near, (31, 40): far}.items()
    }
    steps = [StepTime(8, 16, times[0], 1.0), StepTime(64, 2, times[1], 1.0)] if times else []
    return SimpleNamespace(
        agreement=Agreement(rows[1, 5], rows), measurements=SimpleNamespace(step_times=steps, gradient_norms=norms)
    )


def wrong(short: int, long: int) -> Any:
    """Counts of translations of which so many short and so many long ones are wrong."""
    bad = {*range(short), *range(120, 120 + long)}
    return [sentence_counts(["nothing of the kind" if n in bad else r for n, r in enumerate(REFERENCES)], REFERENCES)]


def test_figures_that_bear_the_story_out() -> None:
    grouped = {
        "rnn": [training(far=0.6, times=(10.0, 50.0))],
        "lstm": [training(far=0.7, times=(12.0, 60.0))],
        "rnn-attention": [training(times=(20.0, 80.0))],
        "transformer": [training(times=(10.0, 13.0))],
    }
    counts = {"rnn": wrong(10, 90), "lstm": wrong(10, 50), "rnn-attention": wrong(10, 15), "transformer": wrong(5, 5)}
    counts["rnn"] = [*counts["rnn"], *wrong(10, 80)]  # of another seed
    buckets = bleu_by_length(SOURCES, counts)
    assert [(bucket.lengths, bucket.sentences) for bucket in buckets] == [("1-3 words", 120), ("4-8 words", 120)]
    found = claims(grouped, buckets)
    assert [claim.supported for claim in found] == [True] * 5
    assert found[4].evidence[0].startswith("rnn: a step with sentences of 64 tokens takes 5.00 times as long as with 8")
    assert any("on 4-8 words lstm has" in line for line in found[2].evidence)


def test_figures_that_do_not() -> None:
    grouped = {
        "rnn": [training(near=0.8, far=0.85, times=(10.0, 11.0))],
        "lstm": [training(times=(10.0, 11.0))],
        "rnn-attention": [training()],
        "transformer": [training(times=(10.0, 13.0))],
    }
    counts = {name: wrong(20, 20 + place) for place, name in enumerate(grouped)}  # a difference of chance
    assert [claim.supported for claim in claims(grouped, bleu_by_length(SOURCES, counts))] == [False] * 5


ALL = {
    "rnn": {"far": 0.6, "times": (10.0, 50.0)},
    "lstm": {"far": 0.7, "times": (12.0, 60.0)},
    "gru": {"far": 0.7, "times": (12.0, 60.0)},
    "rnn-attention": {"times": (20.0, 80.0)},
    "transformer": {"times": (10.0, 13.0)},
}
WRONG = {name: wrong(10, long) for name, long in zip(ALL, (90, 50, 50, 15, 5), strict=True)}


@pytest.mark.parametrize(
    ("claim", "figures", "counts"),
    [
        (0, {"gru": {"far": 0.9}}, {}),  # one that keeps its accuracy
        (1, {}, {"rnn": [*wrong(10, 90), *wrong(10, 12)]}),  # one seed that keeps as much as attention does
        (2, {}, {"gru": wrong(10, 90)}),
        (2, {}, {"lstm": [*wrong(10, 30), *wrong(10, 95)]}),
        (3, {}, {"rnn-attention": wrong(10, 88)}),
        (4, {"transformer": {"times": (10.0, 38.0)}}, {}),  # 3.8 times, and 4.0 times: that may be chance
    ],
)
def test_one_exception_is_enough_against_a_claim(claim: int, figures: dict, counts: dict) -> None:
    def found(figures: dict, counts: dict) -> list[bool | None]:
        grouped = {name: [training(**of)] for name, of in (ALL | figures).items()}
        return [claim.supported for claim in claims(grouped, bleu_by_length(SOURCES, WRONG | counts))]

    assert found({}, {}) == [True] * 5
    assert found(figures, counts)[claim] is False


@pytest.mark.parametrize(("seeds", "told"), [(wrong(10, 95), False), ([*wrong(10, 30), *wrong(10, 95)], True)])
def test_seeds_that_overlap_are_told_of_where_the_sentences_alone_would_do(seeds: Any, told: bool) -> None:
    grouped = {name: [training(**of)] for name, of in ALL.items()}
    claim = claims(grouped, bleu_by_length(SOURCES, WRONG | {"lstm": seeds}))[2]
    assert claim.supported is False
    assert any("the seeds overlap" in line for line in claim.evidence) == told


def test_without_attention_on_the_same_cell_the_bottleneck_is_not_judged() -> None:
    grouped = {name: [training()] for name in ("rnn", "transformer")}
    counts = {"rnn": wrong(10, 90), "transformer": wrong(5, 5)}
    assert claims(grouped, bleu_by_length(SOURCES, counts))[1].supported is None


def test_without_figures_nothing_is_claimed() -> None:
    lone = training(times=None)
    lone.agreement = None
    found = claims(
        {"rnn": [lone]}, bleu_by_length(SOURCES[:50], {"rnn": [wrong(5, 5)[0]._replace(counts=np.ones((50, 10), int))]})
    )
    assert [(claim.supported, bool(claim.lacking)) for claim in found] == [(None, True)] * 5
    assert [claim.supported for claim in claims({"rnn": [lone]}, [])] == [None] * 5


def test_the_loss_of_accuracy_has_the_interval_of_two_shares() -> None:
    """Newcombe 1998, "Interval estimation for the difference between independent proportions", table II, method 10."""
    for (a, m), (b, n), low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ):
        near, far = (Accuracy(pairs, correct, correct / pairs, 0, 1) for correct, pairs in ((a, m), (b, n)))
        model: Any = SimpleNamespace(agreement=Agreement(near, {(1, 5): near, (31, 40): far}))
        loss = accuracy_lost([model])
        assert loss == pytest.approx((100 * (a / m - b / n), 100 * low, 100 * high), abs=0.006)
    of_seeds = accuracy_lost([training(near=0.9, far=0.7), training(near=0.8, far=0.5)])
    assert of_seeds == accuracy_lost([training(near=0.85, far=0.6)])


def test_ratios_of_step_times_and_gradients_are_those_of_the_ends() -> None:
    norms = {
        "before training": [(StateKey(0), [1.0, 5.0]), (StateKey(1), [4.0, 2.0, 1.0])],
        "after training": [(StateKey(0), [2.0, 6.0])],
    }
    model = training(times=(4.0, 6.0), norms=norms)
    assert step_time_ratio(model) == 1.5
    assert gradient_ratio(model) == {"before training": 0.25, "after training": 3.0}


@pytest.mark.parametrize(
    ("states", "chosen"),
    [
        ([(0, "forward", "h"), (0, "forward", "C"), (0, "backward", "h"), (0, "backward", "C")], 0),
        ([(0, "forward", "h"), (0, "backward", "h"), (1, "forward", "h"), (1, "backward", "h")], 2),
        ([(0, "backward", "h"), (0, "backward", "C")], 0),
        ([(0, "", ""), (1, "", "")], 1),
    ],
)
def test_gradients_are_those_at_the_top_layer_s_hidden_states(states: list[tuple[int, str, str]], chosen: int) -> None:
    assert top_layer_norms((StateKey(*state), [float(place)]) for place, state in enumerate(states)) == [chosen]
