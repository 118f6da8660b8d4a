"""What the trainings of an experiment say about their architectures, over all seeds."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from nmt_keras.data.parallel_text import Corpus
from nmt_keras.experiments.run import TrainedModel, shared_seeds
from nmt_keras.metrics.bootstrap import Interval, SentenceCounts, bleu_of_sums, mean_bleu, sentence_counts
from nmt_keras.metrics.by_length import length_buckets, quantile_edges
from nmt_keras.metrics.significance import PairedComparison, compare_systems
from nmt_keras.metrics.tokenization import length_unit, sentence_lengths
from nmt_keras.report.summary import Row


def by_architecture(models: Mapping[str, TrainedModel]) -> dict[str, list[TrainedModel]]:
    """The trainings of each architecture, in the order of the seeds."""
    grouped: dict[str, list[TrainedModel]] = {}
    for model in sorted(models.values(), key=lambda model: model.settings.seed):
        grouped.setdefault(model.settings.architecture, []).append(model)
    return grouped


def rows(models: Mapping[str, TrainedModel]) -> list[Row]:
    """A line for each architecture."""
    return [_row(architecture, trained) for architecture, trained in by_architecture(models).items()]


def of_shared_seeds(models: Mapping[str, TrainedModel]) -> dict[str, TrainedModel]:
    """The trainings with seeds that every architecture was trained with, lest means be of different seeds; all, where
    there is no such seed."""
    seeds = shared_seeds(model.settings for model in models.values())
    return {name: model for name, model in models.items() if model.settings.seed in seeds}


def compare_architectures(models: Mapping[str, TrainedModel], corpus: Corpus, split: str) -> list[PairedComparison]:
    """Tests each two architectures on a split, with the translations of all seeds.

    Nothing is tested where the architectures were trained with different seeds (see `of_shared_seeds`).
    """
    grouped = by_architecture(models)
    if len({tuple(model.settings.seed for model in trained) for trained in grouped.values()}) > 1:
        return []
    trainings = {
        architecture: [model.evaluations[split].hypotheses for model in trained]
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
        lengths: least and greatest, such as "6-10 words".
        mean_length: in the same unit.
        sentences: their number.
        bleu: by architecture, mean over its seeds.
        resampled: by architecture, what the interval was made of (`mean_bleu`).
        of_seeds: by architecture, BLEU of each seed.
    """

    lengths: str
    mean_length: float
    sentences: int
    bleu: Mapping[str, Interval]
    resampled: Mapping[str, np.ndarray]
    of_seeds: Mapping[str, np.ndarray]


def bleu_by_length(
    sources: Sequence[str], counts: Mapping[str, Sequence[SentenceCounts]], language: str = ""
) -> list[LengthBucket]:
    """BLEU by source length, in buckets of at least 100 sentences, shortest first.

    Args:
        sources: N of them.
        counts: by architecture, of each training, of translations of these sources.
        language: code of the sources'.
    """
    lengths = np.array(sentence_lengths(sources, language))
    buckets = []
    for first, last, members in length_buckets(sources, quantile_edges(sources, language), language):
        means = {
            architecture: mean_bleu([of_training.counts[members] for of_training in trained])
            for architecture, trained in counts.items()
        }
        buckets.append(
            LengthBucket(
                f"{first}-{last or lengths.max()} {length_unit(language)}",
                float(lengths[members].mean()),
                len(members),
                {architecture: found for architecture, (found, _) in means.items()},
                {architecture: resampled for architecture, (_, resampled) in means.items()},
                {
                    architecture: np.array([bleu_of_sums(of.counts[members].sum(axis=0)) for of in trained])
                    for architecture, trained in counts.items()
                },
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
        [model.summary.cost.tokens_per_second for model in trained],
        first.summary.cost.processors,
        max(model.summary.peak_memory_bytes for model in trained),
        [model.evaluations["test"].sentences_per_second for model in trained],
    )
