"""The story of an experiment, told once: train, evaluate, export, log, and register the best."""

import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from nmt_keras.analysis.agreement import Agreement, agreement_accuracy
from nmt_keras.analysis.evaluation import Evaluation, InferenceModel, evaluate
from nmt_keras.data.parallel_text import Corpus
from nmt_keras.decoding.translator import Translation
from nmt_keras.errors import ConfigError, TrainingError, user_message
from nmt_keras.experiments.measurements import MeasurementPlan, Measurements, kept_measurements, measure_and_save
from nmt_keras.models.directory import load_model, weights_sha256
from nmt_keras.serving import standalone
from nmt_keras.serving.model_card import ReportedScore
from nmt_keras.serving.savedmodel import compute_in_float32, export_directory, readable_card
from nmt_keras.system.files import locked_directory, read_json, read_object, write_json
from nmt_keras.system.processes import run_in_processes
from nmt_keras.tracking.aliases import promote_candidate
from nmt_keras.tracking.registry import default_model_name, register
from nmt_keras.tracking.runs import Run, UntrackedRun, resume_or_start_run
from nmt_keras.training.settings import TrainingSettings, TrainingSummary
from nmt_keras.training.trainer import finished_training, open_training, train_in

_CONTEXTS = {"train": "training", "valid": "validation"}
_RESULT = "result.json"


@dataclass(frozen=True)
class TrainedModel:
    """One training's part of an experiment.

    Args:
        settings: what was trained.
        summary: what came of it.
        evaluations: by split.
        agreement: where the corpus has pairs to measure it with.
        measurements: what else a comparison wants to know.
        saved_model: the exported model.
        model_uri: of the logged model.
    """

    settings: TrainingSettings
    summary: TrainingSummary
    evaluations: Mapping[str, Evaluation]
    agreement: Agreement | None
    measurements: Measurements
    saved_model: Path
    model_uri: str


@dataclass(frozen=True)
class Outcome:
    """What an experiment found.

    Args:
        models: by name, such as "lstm-seed2".
        failures: what went wrong with the trainings that are not among them, by name.
        best: name of the model with the highest validation BLEU.
        registered_name: of the best model in the registry.
        version: of it; None where nothing is tracked.
        aliases: that it was given.
        run: of the experiment; it is closed, but still takes artifacts.
        directory: of the experiment.
    """

    models: Mapping[str, TrainedModel]
    failures: Mapping[str, str]
    best: str
    registered_name: str
    version: int | None
    aliases: Sequence[str]
    run: Run
    directory: Path


def train_tracked(
    corpus: Corpus, settings: TrainingSettings, directory: Path, name: str | None = None, parent: Run | None = None
) -> TrainingSummary:
    """Trains one model under an MLflow run of its own, or leaves a finished one as it is.

    Args:
        corpus: the splits "train" and "valid" are read.
        settings: what to train, and how.
        directory: of the training; the run is not opened before it is this process's own.
        name: of the run; by default the architecture, corpus, preset and seed.
        parent: run of the experiment that this training is a part of; an `UntrackedRun` keeps MLflow out.
    """
    with open_training(corpus, settings, directory) as opened:
        if (finished := opened.summary()) is not None:
            print(
                f"{directory} holds a finished training and is left as it is. --init-from {directory} and another "
                "--output train its model further.",
                file=sys.stderr,
            )
            return finished
        with _kept_run(corpus, name or _run_name(corpus, settings), directory, parent) as run:
            run.log_parameters(asdict(settings) | {"corpus": corpus.name, "output": str(directory)})
            for split in ("train", "valid"):
                _log_dataset(run, corpus, split)
            summary = train_in(opened, corpus, settings, run.log_metrics)
            run.log_metrics(_training_figures(summary), summary.steps)
            return summary


def _training_figures(summary: TrainingSummary) -> dict[str, float]:
    return {
        "training_tokens_per_second": summary.cost.tokens_per_second,
        "training_peak_memory_bytes": summary.peak_memory_bytes,
        "parameters": summary.parameters,
        **{f"dropped_{reason}": count for reason, count in summary.dropped.items()},
    }


def run_experiment(
    corpus: Corpus,
    trainings: Sequence[TrainingSettings],
    directory: Path,
    test_splits: Sequence[str],
    plan: MeasurementPlan,
    jobs: int = 1,
    parent: Run | None = None,
) -> Outcome:
    """Trains each architecture, evaluates all, and registers the one that validates best.

    The same call goes on after an interruption: what is finished in `directory` is not done again. A training that
    fails is reported, and the others go on.

    Args:
        corpus: with "train", "valid" and "test".
        trainings: one for each architecture and seed.
        directory: for the models, the exports, the results and the figures.
        test_splits: what to evaluate on, "test" first.
        plan: which further measurements to make of the first model of each architecture.
        jobs: trainings at once, at most. Each has a process of its own, on its share of the processors; what is
            measured of the trained models is measured of one at a time.
        parent: an `UntrackedRun` keeps MLflow out, and registers nothing.

    Raises:
        UserError: a mistake in the settings.
        TrainingError: every training failed.
    """
    named = {f"{settings.architecture}-seed{settings.seed}": settings for settings in trainings}
    with locked_directory(directory):
        unfinished = _unfinished(corpus, named, directory)
        with _kept_run(corpus, f"comparison {_last(corpus)}", directory, parent) as run:
            for split in corpus.splits:
                _log_dataset(run, corpus, split)
            calls = {name: (corpus, named[name], directory / name / "model", name, run) for name in unfinished}
            # Not the number of unfinished ones: one that is resumed must have what the others had.
            failures = run_in_processes(train_tracked, calls, min(jobs, len(named)))
            trained = {name: settings for name, settings in named.items() if name not in failures}
            models = _evaluate_all(corpus, trained, directory, run, test_splits, plan, failures)
            if not models:
                whys = (f"{name}: {why}" for name, why in failures.items())
                raise TrainingError("Every training failed:\n" + "\n".join(whys))
            best = max(models, key=lambda name: models[name].summary.valid_bleu)
            tracked = not isinstance(run, UntrackedRun)
            version, aliases = _registered(models[best], corpus, directory) if tracked else (None, [])
    return Outcome(models, failures, best, _default_model_name(corpus), version, aliases, run, directory)


def _unfinished(corpus: Corpus, named: Mapping[str, TrainingSettings], directory: Path) -> list[str]:
    """The names of the trainings that are not finished.

    Raises:
        ConfigError: what is finished had another limit of time.
    """
    unfinished = []
    for name, settings in named.items():
        summary = finished_training(corpus, settings, directory / name / "model")
        if summary is None:
            unfinished.append(name)
        elif summary.max_minutes != settings.max_minutes:
            raise ConfigError(
                f"All trainings of an experiment must have one limit of time. Received: {settings.max_minutes} "
                f"minutes, but {directory / name} was trained with {summary.max_minutes}. Give another --output."
            )
    return unfinished


def _evaluate_all(
    corpus: Corpus,
    trained: Mapping[str, TrainingSettings],
    directory: Path,
    run: Run,
    test_splits: Sequence[str],
    plan: MeasurementPlan,
    failures: dict[str, str],
) -> dict[str, TrainedModel]:
    """What came of finished trainings; the first model of each architecture is looked into closely.

    Args:
        failures: gains those that could not be evaluated, by name; the others go on.
    """
    models: dict[str, TrainedModel] = {}
    looked_into: set[str] = set()
    seeds = shared_seeds(trained.values())
    compute_in_float32()
    for name, settings in trained.items():
        first = settings.seed in seeds and settings.architecture not in looked_into
        closely = plan if first else None
        try:
            models[name] = _trained_model(corpus, settings, directory / name, name, run, test_splits, closely)
            if first:
                looked_into.add(settings.architecture)
        except Exception as error:  # one architecture's failure must not cost the others' hours
            failures[name] = user_message(error) or f"{type(error).__name__}: {error}"
            if user_message(error) is None:
                traceback.print_exc()
        keras.backend.clear_session()
    return models


def shared_seeds(trainings: Iterable[TrainingSettings]) -> set[int]:
    """The seeds that every architecture has; all, where there is no such seed."""
    seeds: dict[str, set[int]] = {}
    for settings in trainings:
        seeds.setdefault(settings.architecture, set()).add(settings.seed)
    return set.intersection(*seeds.values()) or set.union(*seeds.values()) if seeds else set()


def _registered(best: TrainedModel, corpus: Corpus, directory: Path) -> tuple[int, list[str]]:
    """The version that the best model of an experiment is, and the aliases that it was given."""
    kept = directory / "registered.json"
    values = read_object(kept)
    if values.get("model_uri") != best.model_uri:
        name = _default_model_name(corpus)
        tags = {"architecture": best.settings.architecture, "corpus": corpus.name}
        version = register(best.model_uri, name, tags, readable_card(best.saved_model))
        values = {"model_uri": best.model_uri, "version": version, "aliases": promote_candidate(name, version)}
        write_json(kept, values)
    return values["version"], values["aliases"]


def translate_standalone(saved_model: Path, sentences: Sequence[str]) -> list[str]:
    """Translations by a new process that loads the SavedModel and knows nothing of this package."""
    program = subprocess.run(
        [sys.executable, str(Path(standalone.__file__)), str(saved_model)],
        input="".join(sentence + "\n" for sentence in sentences).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return program.stdout.decode().removesuffix("\n").split("\n")  # a translation may hold a carriage return


def _default_model_name(corpus: Corpus) -> str:
    return default_model_name(corpus.source_language, corpus.target_language)


def _run_name(corpus: Corpus, settings: TrainingSettings) -> str:
    return " ".join(filter(None, [settings.architecture, _last(corpus), settings.preset, f"seed{settings.seed}"]))


def _last(corpus: Corpus) -> str:
    """The corpus by the last part of its path."""
    return Path(corpus.name).name


def _kept_run(corpus: Corpus, name: str, directory: Path, parent: Run | None = None) -> AbstractContextManager[Run]:
    return resume_or_start_run(directory, name, _default_model_name(corpus), parent, {"corpus": corpus.name})


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


def _trained_model(
    corpus: Corpus,
    settings: TrainingSettings,
    directory: Path,
    name: str,
    parent: Run,
    test_splits: Sequence[str],
    plan: MeasurementPlan | None,
) -> TrainedModel:
    """What came of a finished training; it is evaluated unless an earlier call did that."""
    summary = finished_training(corpus, settings, directory / "model")
    assert summary is not None
    kept = directory / _RESULT
    wanted = _evaluated_on(corpus, test_splits, directory / "model")
    earlier = read_object(kept)
    unlogged = not earlier.get("model_uri") and not isinstance(parent, UntrackedRun)
    if earlier.get("evaluated_on") != wanted or unlogged:
        with _kept_run(corpus, name, directory / "model", parent) as run:
            _evaluate(corpus, settings, summary, directory, run, test_splits, plan, wanted)
    values = read_json(kept)
    evaluations = {
        split: Evaluation.of(
            corpus.split(split),
            [Translation(*pair) for pair in found["translations"]],
            found["sentences_per_second"],
            corpus.source_language,
            corpus.target_language,
        )
        for split, found in values["evaluations"].items()
    }
    agreement = values["agreement"] and Agreement.from_json(values["agreement"])
    measurements = kept_measurements(directory, plan) or measure_and_save(
        directory, InferenceModel.of(load_model(directory / "model")), corpus, evaluations, settings.seed, plan
    )
    saved_model = directory / values["saved_model"]
    return TrainedModel(settings, summary, evaluations, agreement, measurements, saved_model, values["model_uri"])


def _evaluate(
    corpus: Corpus,
    settings: TrainingSettings,
    summary: TrainingSummary,
    directory: Path,
    run: Run,
    test_splits: Sequence[str],
    plan: MeasurementPlan | None,
    evaluated_on: Mapping[str, str],
) -> None:
    """Evaluates, measures, exports and logs a trained model; what `_trained_model` reads is written last."""
    loaded = load_model(directory / "model")
    ready = InferenceModel.of(loaded)
    evaluations, datasets = {}, {}
    for split in test_splits:
        text = corpus.split(split)
        datasets[split] = _log_dataset(run, corpus, split)
        evaluations[split] = evaluate(ready.translator, text, corpus.source_language, corpus.target_language)
        run.log_table(
            {
                "source": text.sources,
                "reference": text.targets,
                "hypothesis": evaluations[split].hypotheses,
                "score": [translation.score for translation in evaluations[split].translations],
            },
            f"hypotheses_{split}",
        )
    metrics = {"valid_bleu": summary.valid_bleu, "valid_loss": summary.valid_loss}
    for split, evaluation in evaluations.items():
        metrics |= {f"{split}_bleu": evaluation.bleu.score, f"{split}_chrf": evaluation.chrf.score}
    metrics["test_sentences_per_second"] = evaluations["test"].sentences_per_second
    agreement = None
    if corpus.agreement:
        agreement = agreement_accuracy(ready.scorer, corpus.agreement)
        metrics["agreement_accuracy"] = agreement.total.accuracy
    measurements = measure_and_save(directory, ready, corpus, evaluations, settings.seed, plan)
    metrics |= {"test_ter": measurements.ter.score, "test_latency_ms": measurements.latency_ms}
    metrics |= {f"{split}_perplexity": perplexity for split, perplexity in measurements.perplexity.items()}
    shutil.rmtree(directory / "export", ignore_errors=True)  # of an evaluation that was interrupted
    saved_model = export_directory(
        directory / "model", directory / "export", loaded, scores=_scores(corpus, evaluations)
    )
    logged = run.log_translation_model(
        saved_model,
        directory / "model",
        metrics=metrics,
        step=summary.steps,
        dataset=datasets["test"],
        parameters={"architecture": settings.architecture, "model_config": asdict(settings.model_config)},
        tags={
            "bleu_signature": evaluations["test"].bleu.signature,
            "chrf_signature": evaluations["test"].chrf.signature,
            "ter_signature": measurements.ter.signature,
            "lineage": " < ".join(loaded.description.lineage),
        },
    )
    write_json(
        directory / _RESULT,
        {
            "evaluated_on": evaluated_on,
            "evaluations": {
                split: {
                    "translations": evaluation.translations,
                    "sentences_per_second": evaluation.sentences_per_second,
                }
                for split, evaluation in evaluations.items()
            },
            "agreement": agreement and agreement.as_json(),
            "saved_model": str(saved_model.relative_to(directory)),
            "model_uri": logged.model_uri,
        },
    )


def _evaluated_on(corpus: Corpus, splits: Sequence[str], model: Path) -> dict[str, str]:
    """By which what is on disk is known to be of the same model and test sentences."""
    return {split: corpus.split(split).sha256 for split in splits} | {"model": weights_sha256(model)}


def _scores(corpus: Corpus, evaluations: Mapping[str, Evaluation]) -> list[ReportedScore]:
    return [
        ReportedScore(f"{corpus.name} {split}", metric, figure.score, figure.signature)
        for split, evaluation in evaluations.items()
        for metric, figure in (("BLEU", evaluation.bleu), ("chrF", evaluation.chrf))
    ]
