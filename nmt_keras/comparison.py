"""What the trainings of an experiment say about their architectures, over all seeds."""

from collections.abc import Mapping, Sequence

from nmt_keras.data.parallel_text import Corpus
from nmt_keras.experiment import TrainedModel
from nmt_keras.metrics.significance import PairedComparison, compare_systems
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


def compare_architectures(models: Mapping[str, TrainedModel], corpus: Corpus, split: str) -> list[PairedComparison]:
    """Tests each two architectures on a split, with the translations of all seeds.

    Only seeds with which every architecture was trained count, so that each is measured on as many sentences.
    """
    grouped = by_architecture(models)
    seeds = set.intersection(*({model.settings.seed for model in trained} for trained in grouped.values()))
    hypotheses = {
        architecture: [
            sentence
            for model in trained
            if model.settings.seed in seeds
            for sentence in model.evaluations[split].hypotheses
        ]
        for architecture, trained in grouped.items()
    }
    return compare_systems(hypotheses, list(corpus.split(split).targets) * len(seeds))


def _row(architecture: str, trained: Sequence[TrainedModel]) -> Row:
    first = trained[0]
    lengths = [f"{bucket['from']}-{bucket['to'] or ''}" for bucket in first.evaluations["test"].by_length]
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
            f"{shortest}-{longest}": [
                model.agreement.by_distance[shortest, longest].accuracy for model in trained if model.agreement
            ]
            for shortest, longest in distances
        },
        first.summary.parameters,
        first.summary.parameters_outside_embeddings,
        [model.summary.tokens_per_second for model in trained],
        [model.evaluations["test"].sentences_per_second for model in trained],
    )
