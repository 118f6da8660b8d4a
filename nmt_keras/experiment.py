"""The story of a run, told once: prepare, train, evaluate, choose, register, export, serve."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nmt_keras.data.parallel_text import Corpus
from nmt_keras.evaluation import Evaluation, evaluate
from nmt_keras.models.directory import LoadedModel, load_model
from nmt_keras.report.figures import bleu_by_length, training_curves
from nmt_keras.report.summary import Row
from nmt_keras.serving import standalone
from nmt_keras.serving.savedmodel import export_savedmodel
from nmt_keras.tracking.promotion import promote_candidate
from nmt_keras.tracking.registry import register
from nmt_keras.tracking.runs import LoggedModel, Run, start_run
from nmt_keras.training.settings import TrainingSettings, TrainingSummary
from nmt_keras.training.trainer import train

_CONTEXTS = {"train": "training", "valid": "validation"}
_TEST_SPLITS = ("test", "test_long")


@dataclass(frozen=True)
class TrainedModel:
    """One architecture's part of an experiment."""

    summary: TrainingSummary
    evaluations: Mapping[str, Evaluation]  # by split
    saved_model: Path
    logged: LoggedModel
    loaded: LoadedModel


@dataclass(frozen=True)
class Outcome:
    """What an experiment found.

    Args:
        models: by architecture.
        best: the architecture with the highest validation BLEU.
        registered_name: of the best model in the registry.
        version: of it.
        aliases: that it was given.
    """

    models: Mapping[str, TrainedModel]
    best: str
    registered_name: str
    version: int
    aliases: Sequence[str]

    def rows(self) -> list[Row]:
        """The table of the architectures."""
        return [
            Row(
                name,
                model.evaluations["test"].bleu.score,
                model.evaluations["test"].chrf.score,
                model.evaluations["test_long"].bleu.score if "test_long" in model.evaluations else None,
                model.summary.parameters,
                model.summary.tokens_per_second,
                model.evaluations["test"].sentences_per_second,
            )
            for name, model in self.models.items()
        ]


def tracked_training(
    corpus: Corpus, settings: TrainingSettings, directory: Path, parent: Run | None = None
) -> TrainingSummary:
    """Trains one model under an MLflow run of its own."""
    with _run(corpus, settings.architecture, parent) as run:
        return _train(corpus, settings, directory, run)


def run_experiment(corpus: Corpus, trainings: Sequence[TrainingSettings], directory: Path) -> Outcome:
    """Trains each architecture, evaluates all, and registers the one that validates best.

    Args:
        corpus: with "train", "valid", "test", and "test_long" where there is one.
        trainings: one for each architecture.
        directory: for the models, the exports and the figures.
    """
    with _run(corpus, "experiment", None) as parent:
        for split in corpus.splits:
            _log_dataset(parent, corpus, split)
        models = {}
        for settings in trainings:
            with _run(corpus, settings.architecture, parent) as run:
                models[settings.architecture] = _train_and_evaluate(
                    corpus, settings, directory / settings.architecture, run
                )
        _draw(models, directory / "figures", parent)
        best = max(models, key=lambda name: models[name].summary.valid_bleu)
        registered_name = f"nmt-{corpus.source_language}-{corpus.target_language}"
        version = register(
            models[best].logged.model_uri, registered_name, {"architecture": best, "corpus": corpus.name}
        )
        aliases = promote_candidate(registered_name, version)
    return Outcome(models, best, registered_name, version, aliases)


def translate_standalone(saved_model: Path, sentences: Sequence[str]) -> list[str]:
    """Translations by a new process that loads the SavedModel and knows nothing of this package."""
    program = subprocess.run(
        [sys.executable, str(Path(standalone.__file__)), str(saved_model)],
        input="\n".join(sentences),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return program.stdout.removesuffix("\n").split("\n")


def _run(corpus: Corpus, name: str, parent: Run | None) -> AbstractContextManager[Run]:
    experiment = f"nmt-{corpus.source_language}-{corpus.target_language}"
    return start_run(name, experiment, parent, {"corpus": corpus.name})


def _train(
    corpus: Corpus, settings: TrainingSettings, directory: Path, run: Run, began: float | None = None
) -> TrainingSummary:
    run.log_parameters(asdict(settings) | {"corpus": corpus.name, "output": str(directory)})
    for split in ("train", "valid"):
        _log_dataset(run, corpus, split)
    summary = train(corpus, settings, directory, run.log_metrics, began)
    run.log_metrics(
        {"training_tokens_per_second": summary.tokens_per_second, "parameters": summary.parameters}
        | {f"dropped_{reason}": count for reason, count in summary.dropped.items()},
        summary.steps,
    )
    return summary


def _log_dataset(run: Run, corpus: Corpus, split: str) -> Any:
    text = corpus.split(split)
    return run.log_dataset(
        corpus.name,
        split,
        sha256=text.sha256,
        pairs=len(text),
        origin=text.origin,
        context=_CONTEXTS.get(split, "evaluation"),
    )


def _train_and_evaluate(corpus: Corpus, settings: TrainingSettings, directory: Path, run: Run) -> TrainedModel:
    summary = _train(corpus, settings, directory / "model", run, began=time.time())
    loaded = load_model(directory / "model")
    evaluations, datasets = {}, {}
    for split in _TEST_SPLITS:
        if split in corpus.splits:
            datasets[split] = _log_dataset(run, corpus, split)
            evaluations[split] = evaluate(loaded, corpus.split(split), settings.search)
            run.log_table(
                {
                    "source": corpus.split(split).sources,
                    "reference": corpus.split(split).targets,
                    "hypothesis": evaluations[split].hypotheses,
                    "score": [translation.score for translation in evaluations[split].translations],
                },
                f"hypotheses_{split}",
            )
    metrics = {"valid_bleu": summary.valid_bleu, "valid_loss": summary.valid_loss}
    for split, evaluation in evaluations.items():
        metrics |= {f"{split}_bleu": evaluation.bleu.score, f"{split}_chrf": evaluation.chrf.score}
    metrics["test_sentences_per_second"] = evaluations["test"].sentences_per_second
    saved_model = export_savedmodel(loaded, directory / "export")
    logged = run.log_translation_model(
        saved_model,
        directory / "model",
        metrics=metrics,
        step=summary.steps,
        dataset=datasets["test"],
        parameters={"architecture": settings.architecture, "sizes": asdict(settings.sizes)},
        tags={
            "bleu_signature": evaluations["test"].bleu.signature,
            "chrf_signature": evaluations["test"].chrf.signature,
            "lineage": " < ".join(loaded.description.lineage),
        },
    )
    return TrainedModel(summary, evaluations, saved_model, logged, loaded)


def _draw(models: Mapping[str, TrainedModel], directory: Path, run: Run) -> None:
    histories = {name: model.summary.history for name, model in models.items()}
    run.log_figure(training_curves(histories, directory / "training.png"))
    for split in next(iter(models.values())).evaluations:
        rows = {name: model.evaluations[split].by_length for name, model in models.items()}
        run.log_figure(bleu_by_length(rows, directory / f"bleu_by_length_{split}.png"))
