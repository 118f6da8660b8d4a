"""The charts of a comparison: which figures of the trained models are drawn against what."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from nmt_keras.experiments.claims import gradient_ratio, step_time_ratio, top_layer_norms
from nmt_keras.experiments.comparison import LengthBucket
from nmt_keras.experiments.run import TrainedModel
from nmt_keras.metrics.bootstrap import Interval
from nmt_keras.report.chart import Chart, Series

Grouped = Mapping[str, Sequence[TrainedModel]]


def charts(
    grouped: Grouped, ranked: Sequence[str], tests: Mapping[str, Interval], buckets: Sequence[LengthBucket]
) -> Iterator[Chart]:
    """All charts for which there are figures.

    Args:
        grouped: the trainings of each architecture.
        ranked: the architectures, the best first.
        tests: BLEU on test by architecture.
        buckets: BLEU by source length.
    """
    colours = {name: place for place, name in enumerate(grouped)}
    yield Chart(
        "ranking",
        "BLEU on test with 95% intervals",
        "",
        "BLEU on test",
        [
            Series(name, [name], [tests[name].value], [tests[name].low], [tests[name].high], colour=colours[name])
            for name in ranked
        ],
        points=True,
    )
    yield from _curves(grouped, colours)
    yield Chart(
        "length",
        "BLEU by source length with 95% intervals",
        "Length of the source sentence (mean of the bucket)",
        "BLEU",
        [
            Series(
                name,
                [bucket.mean_length for bucket in buckets],
                [bucket.bleu[name].value for bucket in buckets],
                [bucket.bleu[name].low for bucket in buckets],
                [bucket.bleu[name].high for bucket in buckets],
                [f"{bucket.lengths}, {bucket.sentences} sentences" for bucket in buckets],
                colours[name],
            )
            for name in grouped
        ],
    )
    agreement = [_agreement_series(name, trained, colours[name]) for name, trained in grouped.items()]
    if series := [found for found in agreement if found]:
        yield Chart(
            "agreement",
            "Agreement accuracy by distance",
            "Words between the subject and its verb",
            "Right form more probable (%)",
            series,
        )
    firsts = {name: trained[0].measurements for name, trained in grouped.items()}
    timed = {name: of.step_times for name, of in firsts.items() if of.step_times}
    for kind, label in (("training", "Time of a training step (ms)"), ("encoding", "Time to encode a batch (ms)")):
        series = [
            Series(
                name,
                [time.length for time in times],
                [getattr(time, f"{kind}_ms") for time in times],
                notes=[f"{time.rows} sentences of {time.length} tokens" for time in times],
                colour=colours[name],
            )
            for name, times in timed.items()
        ]
        if series:
            tokens = next(iter(timed.values()))[0]
            x_label = f"Tokens of a sentence, at {tokens.rows * tokens.length:,} tokens a batch"
            name = {"training": "step-time", "encoding": "encoding-time"}[kind]
            yield Chart(name, label, x_label, label, series, log_x=True)
    flows = [
        Series(
            name,
            list(range(len(norms))),
            norms,
            colour=colours[name],
            variant=when,
            dashed=when == "before training",
        )
        for name, of in firsts.items()
        for when, by_state in sorted((of.gradient_norms or {}).items())  # after, before: the legend shows the first
        for norms in [top_layer_norms(by_state)]
    ]
    if flows:
        distance = "Distance to the last position read (tokens)"
        yield Chart(
            "gradients", "Gradient norm by distance", distance, "Norm of the loss's gradient", flows, log_y=True
        )


def _curves(grouped: Grouped, colours: Mapping[str, int]) -> Iterator[Chart]:
    models = [(name, model) for name, trained in grouped.items() for model in trained]
    seeds = len({model.settings.seed for _, model in models})
    measures = (
        ("valid_bleu", "Validation BLEU", "history"),
        ("valid_loss", "Validation loss (nats per token)", "history"),
        ("train_loss", "Training loss (nats per token)", "losses"),
    )
    for against, x_label, unit in (("step", "Updates", 1), ("training_seconds", "Training time (minutes)", 60)):
        for key, y_label, rows in measures:
            series = [
                Series(
                    name,
                    [row[against] / unit for row in kept],
                    [row[key] for row in kept],
                    colour=colours[name],
                    variant=f"seed {model.settings.seed}" if seeds > 1 else "",
                )
                for name, model in models
                for kept in [getattr(model.summary, rows)[:: _stride(model, rows)]]
                if kept
            ]
            if series:
                yield Chart(f"curves-{key}-{against}".replace("_", "-"), y_label, x_label, y_label, series)


def _stride(model: TrainedModel, rows: str, most: int = 300) -> int:
    """Every how many rows are drawn, so that a long training does not make a long page."""
    return -(-len(getattr(model.summary, rows)) // most) or 1


def _agreement_series(name: str, trained: Sequence[TrainedModel], colour: int) -> Series | None:
    measured = [model.agreement.by_distance for model in trained if model.agreement]
    if not measured:
        return None
    buckets = sorted(measured[0])

    def mean(end: str) -> list[float]:
        return [100 * statistics.fmean(getattr(of[bucket], end) for of in measured) for bucket in buckets]

    notes = [f"{first}-{last} words, {measured[0][first, last].pairs} pairs" for first, last in buckets]
    middles = [(first + last) / 2 for first, last in buckets]
    return Series(name, middles, mean("accuracy"), mean("low"), mean("high"), notes, colour)


def chart_notes(grouped: Grouped, splits: Sequence[str], buckets: Sequence[LengthBucket]) -> dict[str, str]:
    """What is to say below the charts, by their names; `splits` are those that `buckets` were made of."""
    firsts = {name: trained[0] for name, trained in grouped.items()}
    growths = [f"{name} {ratio:.2f}" for name, first in firsts.items() if (ratio := step_time_ratio(first)) is not None]
    flows = [
        f"{name}: " + ", ".join(f"{when} {_verb(ratio)} ({ratio:.2g})" for when, ratio in ratios.items())
        for name, first in firsts.items()
        if (ratios := gradient_ratio(first))
    ]
    return {
        "length": f"On {', '.join(splits)} together, in {len(buckets)} "
        f"{'buckets' if len(buckets) > 1 else 'bucket'} of {min(bucket.sentences for bucket in buckets)} and more "
        "sentences; mean over the seeds, with intervals of bootstrap resampling.",
        "agreement": "How often the right gender or number is more probable than a wrong one (chance: 50%), with "
        "Wilson's 95% intervals, mean over the seeds.",
        "step-time": "A plain gradient step without XLA. The longest sentences' takes so many times the shortest's: "
        f"{'; '.join(growths)}.",
        "gradients": "From the nearest encoder state to the farthest, the gradient: " + "; ".join(flows) + ".",
    }


def _verb(ratio: float) -> str:
    """What a gradient does over the distance, by the ratio of its ends."""
    return "vanishes" if ratio < 0.1 else "explodes" if ratio > 10 else "holds"
