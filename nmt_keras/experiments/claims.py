"""What is said of recurrent networks and Transformers, and whether an experiment's own figures bear it out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from nmt_keras.analysis.agreement import Accuracy
from nmt_keras.experiments.comparison import LengthBucket
from nmt_keras.experiments.run import TrainedModel
from nmt_keras.layers.state_key import StateKey
from nmt_keras.metrics.bootstrap import Interval, interval
from nmt_keras.report.page import Claim

_CELLS = ("rnn", "lstm", "gru")
_ONE_SEED = "timed once, with the first seed, without XLA"
_CLEARLY = 1.1  # times as long; less may be chance


def claims(grouped: Mapping[str, Sequence[TrainedModel]], buckets: Sequence[LengthBucket]) -> list[Claim]:
    """Each claim with what the models of this experiment show of it.

    Args:
        grouped: the trainings of each architecture.
        buckets: BLEU by source length, of sentences as long as those of the training.
    """
    return [
        _long_dependencies(grouped),
        _bottleneck(grouped, buckets),
        _longest_bucket(
            "Gates keep what a plain recurrence loses: LSTM and GRU translate long sentences better than a tanh RNN.",
            [(gated, "rnn") for gated in ("lstm", "gru")],
            grouped,
            buckets,
        ),
        _longest_bucket(
            "Attention opens the bottleneck: with it, the same cells translate long sentences better.",
            [(f"{cell}-attention", cell) for cell in _CELLS],
            grouped,
            buckets,
        ),
        _parallel(grouped),
    ]


def accuracy_lost(trained: Sequence[TrainedModel]) -> Interval | None:
    """Agreement accuracy at the shortest distance minus that at the longest, mean over seeds, percentage points.

    The interval is that of a difference of two independent shares p and q, with their own (Wilson's) from p- to p+ and
    from q- to q+: p - q - sqrt((p - p-)^2 + (q+ - q)^2) to p - q + sqrt((p+ - p)^2 + (q - q-)^2). All seeds see the
    same pairs, which therefore count once.

    Reference: Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10.
    """
    measured = [model.agreement.by_distance for model in trained if model.agreement]
    if not measured or len(measured[0]) < 2:
        return None
    nearest, farthest = min(measured[0]), max(measured[0])
    p, q = (_share([of[bucket] for of in measured]) for bucket in (nearest, farthest))
    low = math.hypot(p.value - p.low, q.high - q.value)
    high = math.hypot(p.high - p.value, q.value - q.low)
    return Interval(p.value - q.value, p.value - q.value - low, p.value - q.value + high)


def _share(seeds: Sequence[Accuracy]) -> Interval:
    """The mean accuracy of the seeds on the same pairs, percent."""
    pairs = seeds[0].pairs
    correct = round(sum(of_seed.correct for of_seed in seeds) / len(seeds))
    low, high = binomtest(correct, pairs).proportion_ci(0.95, method="wilson")
    return Interval(100 * correct / pairs, 100 * low, 100 * high)


def step_time_ratio(model: TrainedModel) -> float | None:
    """Time of a training step of the longest sentences over that of the shortest, with equally many tokens."""
    times = model.measurements.step_times
    return times[-1].training_ms / times[0].training_ms if len(times) > 1 else None


def gradient_ratio(model: TrainedModel) -> dict[str, float]:
    """Gradient norm at the farthest of `top_layer_norms` over that at the nearest, "before training" and after."""
    norms = {when: top_layer_norms(of) for when, of in (model.measurements.gradient_norms or {}).items()}
    return {when: of[-1] / of[0] for when, of in norms.items() if of[0] > 0}


def top_layer_norms(norms: Iterable[tuple[StateKey, Sequence[float]]]) -> Sequence[float]:
    """Of the norms by encoder state, those of the top layer: of a recurrence's h, reading forward if it does."""
    by_state = dict(norms)
    hidden = [state for state in by_state if state.part != "C"]
    forward = [state for state in hidden if state.direction != "backward"]
    return by_state[max(forward or hidden, key=lambda state: state.layer)]


def _long_dependencies(grouped: Mapping[str, Sequence[TrainedModel]]) -> Claim:
    statement = "Recurrent networks lose long dependencies: the further its subject, the less often a predicate agrees."
    lost = {name: accuracy_lost(grouped[name]) for name in _CELLS if name in grouped}
    findings = {name: loss for name, loss in lost.items() if loss is not None}
    evidence = [
        f"{name}: from the nearest to the farthest, accuracy loses {_points(loss)}" for name, loss in findings.items()
    ]
    others = {name: accuracy_lost(trained) for name, trained in grouped.items() if name not in _CELLS}
    evidence += [f"for comparison, {name} loses {_points(loss)}" for name, loss in others.items() if loss is not None]
    for name, (first, *_) in grouped.items():
        if name in _CELLS and (ratio := gradient_ratio(first).get("after training")) is not None:
            evidence.append(
                f"{name}: the gradient at the farthest encoder state is {ratio:.2g} times that at the nearest"
            )
    return Claim(statement, _verdict(loss.low > 0 for loss in findings.values()), evidence, "no agreement was measured")


def _bottleneck(grouped: Mapping[str, Sequence[TrainedModel]], buckets: Sequence[LengthBucket]) -> Claim:
    statement = (
        "A fixed context is a bottleneck: from short to long sentences it loses a larger share of its BLEU than the "
        "same cell with attention does."
    )
    findings, evidence = [], []
    for cell in _CELLS if len(buckets) > 1 else ():
        other = f"{cell}-attention"
        if cell not in grouped or other not in grouped:
            continue
        short, long = buckets[0], buckets[-1]
        kept = {name: _share_kept(short.bleu[name].value, long.bleu[name].value) for name in (cell, other)}
        resampled = {name: _share_kept(short.resampled[name], long.resampled[name]) for name in (cell, other)}
        of_seeds = {name: _share_kept(short.of_seeds[name], long.of_seeds[name]) for name in (cell, other)}
        more = interval(float(kept[other] - kept[cell]), resampled[other] - resampled[cell])
        speaks, remark = _judged(more, of_seeds[other], of_seeds[cell])
        findings.append(speaks)
        evidence.append(
            f"from {short.lengths} to {long.lengths} {cell} keeps {kept[cell]:.0f}% of its BLEU, {other} "
            f"{kept[other]:.0f}%; the difference is {_points(more)}{remark}"
        )
    lacking = "it takes a cell with and without attention, and two buckets of sentence length"
    return Claim(statement, _verdict(findings), evidence, lacking)


def _share_kept(short: Any, long: Any) -> Any:
    """BLEU on long sentences as a share of that on short ones, percent; numbers or arrays."""
    return 100 * long / np.maximum(short, 1e-9)


def _judged(gain: Interval, higher: np.ndarray, lower: np.ndarray) -> tuple[bool, str]:
    """Whether the interval of a gain and the figures of each seed speak for it, and what to add to the evidence.

    Intervals tell of the sentences alone: no seed of the one may lie below a seed of the other.
    """
    overlap = bool(gain.low > 0 and higher.min() <= lower.max())
    return gain.low > 0 and not overlap, ", but the seeds overlap" * overlap


def _longest_bucket(
    statement: str,
    pairs: Iterable[tuple[str, str]],
    grouped: Mapping[str, Sequence[TrainedModel]],
    buckets: Sequence[LengthBucket],
) -> Claim:
    findings, evidence = [], []
    for better, worse in pairs if len(buckets) > 1 else ():
        if better not in grouped or worse not in grouped:
            continue
        longest = buckets[-1]
        value = longest.bleu[better].value - longest.bleu[worse].value
        gain = interval(value, longest.resampled[better] - longest.resampled[worse])
        speaks, remark = _judged(gain, longest.of_seeds[better], longest.of_seeds[worse])
        findings.append(speaks)
        evidence.append(f"on {longest.lengths} {better} has {_bleu(gain)} more than {worse}{remark}")
    lacking = "it takes these architectures, and two buckets of sentence length"
    return Claim(statement, _verdict(findings), evidence, lacking)


def _parallel(grouped: Mapping[str, Sequence[TrainedModel]]) -> Claim:
    statement = (
        "The Transformer computes all positions in parallel: with equally many tokens, its training step depends "
        "less on the length of the sentences than a recurrent network's."
    )
    growths = {name: ratio for name, (first, *_) in grouped.items() if (ratio := step_time_ratio(first)) is not None}
    evidence = [
        f"{name}: a step with sentences of {times[-1].length} tokens takes {growths[name]:.2f} times as long as "
        f"with {times[0].length} ({times[-1].training_ms:.0f} and {times[0].training_ms:.0f} ms, {_ONE_SEED})"
        for name in growths
        for times in [grouped[name][0].measurements.step_times]
    ]
    transformer = growths.pop("transformer", None)
    verdict = (
        _verdict(_CLEARLY * transformer < other for other in growths.values()) if transformer is not None else None
    )
    return Claim(statement, verdict, evidence, "it takes step times of a Transformer and of a recurrent network")


def _verdict(findings: Iterable[bool]) -> bool | None:
    """Whether all findings speak for a claim; None where there is none."""
    found = list(findings)
    return all(found) if found else None


def _points(found: Interval) -> str:
    return f"{found.value:.1f} percentage points (95% interval {found.low:.1f} to {found.high:.1f})"


def _bleu(found: Interval) -> str:
    return f"{found.value:.1f} BLEU (95% interval {found.low:.1f} to {found.high:.1f})"
