"""What the trainings of an experiment say about their architectures, over all seeds."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from nmt_keras.data.parallel_text import Corpus
from nmt_keras.experiment import TrainedModel
from nmt_keras.metrics.bootstrap import Interval, SentenceCounts, mean_bleu, sentence_counts
from nmt_keras.metrics.by_length import length_buckets, quantile_edges
from nmt_keras.metrics.significance import PairedComparison, compare_systems
from nmt_keras.report.summary import Row
from nmt_keras.training.settings import TrainingCost


def by_architecture(models: Mapping[str, TrainedModel]) -> dict[str, list[TrainedModel]]:
    """The trainings of each architecture, in the order of the seeds."""
    grouped: dict[str, list[TrainedModel]] = {}
    for model in sorted(models.values(), key=lambda model: model.settings.seed):
        grouped.setdefault(model.settings.architecture, []).append(model)
    return grouped


def rows(models: Mapping[str, TrainedModel]) -> list[Row]:
    """A line for each architecture."""
    return [_row(architecture, trained) for architecture, trained in by_architecture(models).items()]


def training_cost(trained: Sequence[TrainedModel]) -> TrainingCost:
    """The mean over the trainings of an architecture.

    With all processors where that was measured afterwards, else as they were trained.
    """
    alone = [model.measurements.training_cost for model in trained if model.measurements.training_cost]
    costs = alone or [model.summary.cost for model in trained]
    joules = [cost.joules_per_token for cost in costs if cost.joules_per_token is not None]
    return TrainingCost(
        statistics.fmean(cost.tokens_per_second for cost in costs),
        statistics.fmean(joules) if joules else None,
        costs[0].processors,
    )


def compare_architectures(models: Mapping[str, TrainedModel], corpus: Corpus, split: str) -> list[PairedComparison]:
    """Tests each two architectures on a split, with the translations of all seeds.

    Only seeds with which every architecture was trained count, so that each is measured on as many sentences.
    """
    grouped = by_architecture(models)
    seeds = set.intersection(*({model.settings.seed for model in trained} for trained in grouped.values()))
    if not seeds:
        return []
    trainings = {
        architecture: [model.evaluations[split].hypotheses for model in trained if model.settings.seed in seeds]
        for architecture, trained in grouped.items()
    }
    return compare_systems(trainings, corpus.split(split).targets, corpus.target_language)


def counts_by_architecture(
    models: Mapping[str, TrainedModel], corpus: Corpus, splits: Sequence[str]
) -> dict[str, list[SentenceCounts]]:
    """The n-gram counts of each architecture's trainings on these splits, one split after the other."""
    references = list(chain.from_iterable(corpus.split(split).targets for split in splits))
    return {
        architecture: [
            sentence_counts(
                list(chain.from_iterable(model.evaluations[split].hypotheses for split in splits)),
                references,
                corpus.target_language,
            )
            for model in trained
        ]
        for architecture, trained in by_architecture(models).items()
    }


class LengthBucket(NamedTuple):
    """BLEU of all architectures on sentences of similar source length.

    Args:
        words: least and greatest length, such as "6-10".
        mean_words: mean length.
        sentences: their number.
        bleu: by architecture, mean over its seeds.
        resampled: by architecture, what the interval was made of (`mean_bleu`).
    """

    words: str
    mean_words: float
    sentences: int
    bleu: Mapping[str, Interval]
    resampled: Mapping[str, np.ndarray]


def bleu_by_length(sources: Sequence[str], counts: Mapping[str, Sequence[SentenceCounts]]) -> list[LengthBucket]:
    """BLEU by source length, in buckets of at least 100 sentences, shortest first.

    Args:
        sources: N of them.
        counts: by architecture, of each training, of translations of these sources.
    """
    lengths = np.array([len(source.split()) for source in sources])
    buckets = []
    for first, last, members in length_buckets(sources, quantile_edges(sources)):
        means = {
            architecture: mean_bleu([of_training.counts[members] for of_training in trained])
            for architecture, trained in counts.items()
        }
        buckets.append(
            LengthBucket(
                f"{first}-{last or lengths.max()}",
                float(lengths[members].mean()),
                len(members),
                {architecture: found for architecture, (found, _) in means.items()},
                {architecture: resampled for architecture, (_, resampled) in means.items()},
            )
        )
    return buckets


def _row(architecture: str, trained: Sequence[TrainedModel]) -> Row:
    first = trained[0]
    lengths = [
        f"{bucket['from']}-{bucket['to'] or ''} ({bucket['sentences']})"
        for bucket in first.evaluations["test"].by_length
    ]
    distances = first.agreement.by_distance if first.agreement else {}
    return Row(
        architecture,
        {split: [model.evaluations[split].bleu.score for model in trained] for split in first.evaluations},
        [model.evaluations["test"].chrf.score for model in trained],
        {
            name: [model.evaluations["test"].by_length[place]["bleu"] for model in trained]
            for place, name in enumerate(lengths)
        },
        {
            f"{shortest}-{longest} ({of_distance.pairs})": [
                model.agreement.by_distance[shortest, longest].accuracy for model in trained if model.agreement
            ]
            for (shortest, longest), of_distance in distances.items()
        },
        first.summary.parameters,
        first.summary.parameters_outside_embeddings,
        training_cost(trained),
        max(model.summary.peak_memory for model in trained),
        [model.evaluations["test"].sentences_per_second for model in trained],
    )
