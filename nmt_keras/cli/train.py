"""The commands that read a corpus and train on it: load, call, print. Figures go to stdout, all else to stderr."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from nmt_keras.cli.inputs import given_preset, load_corpus_option
from nmt_keras.config import Preset
from nmt_keras.errors import ConfigError
from nmt_keras.system.processes import processors

if TYPE_CHECKING:
    from nmt_keras.data.parallel_text import Corpus
    from nmt_keras.experiments.measurements import Effort
    from nmt_keras.experiments.run import Outcome
    from nmt_keras.training.settings import TrainingSettings


def run_prepare(options: Namespace) -> None:
    from nmt_keras.data.audit import audit, render

    print(render(audit(load_corpus_option(options))))


def run_train(options: Namespace) -> None:
    preset = given_preset(options, [options.architecture])
    corpus = load_corpus_option(options)
    from nmt_keras.experiments.run import train_tracked

    output = options.output or (
        f"outputs/{Path(options.corpus).name}-{options.source_language}-{options.target_language}-"
        f"{options.architecture}-{options.preset}-seed{options.seed}"
    )
    summary = train_tracked(corpus, _settings(options, preset, options.architecture, options.seed), Path(output))
    print(
        f"{output}: valid BLEU {summary.valid_bleu:.2f}, {summary.epochs} epochs, {summary.parameters:,} parameters, "
        f"{summary.cost.tokens_per_second:,.0f} target tokens/s"
    )


def run_main(options: Namespace) -> int:
    from nmt_keras.experiments.measurements import BRIEF

    corpus, outcome = _experiment(options, "main", [options.seed], BRIEF)
    from nmt_keras.experiments.run import translate_standalone
    from nmt_keras.report.summary import print_listed

    print_report = _report(options, corpus, outcome)
    if corpus.listed:
        print("\nThe exported model, loaded by a new process without nmt_keras, translates sentences it never saw:")
        saved_model = outcome.models[outcome.best].saved_model
        print_listed(corpus.listed, translate_standalone(saved_model, list(corpus.listed)))
    print_report()
    name = outcome.registered_name
    print(f"Registered {outcome.best} as {name} version {outcome.version}: {', '.join(outcome.aliases)}.")
    if corpus.notice:
        parameters = "-P corpus=multi30k -P preset=tiny -P max_minutes=40"
        print(f"{corpus.notice} For real text: mlflow run . --env-manager local {parameters}")
    sentence = next(iter(corpus.listed), corpus.split("test").sources[0])
    print(
        f"""Next:
  mlflow ui
  echo {shlex.quote(sentence)} | nmt-keras translate --model models:/{name}@candidate
  mlflow models serve -m models:/{name}@candidate --env-manager local --port 5001"""
    )
    return _failed(outcome)


def run_compare(options: Namespace) -> int:
    try:
        seeds = sorted({int(seed) for seed in options.seeds.split(",")})
    except ValueError:
        raise ConfigError(f"--seeds must be whole numbers with commas. Received: {options.seeds!r}.") from None
    from nmt_keras.experiments.measurements import THOROUGH

    corpus, outcome = _experiment(options, "comparison", seeds, THOROUGH)
    _report(options, corpus, outcome)()
    return _failed(outcome)


def _report(options: Namespace, corpus: "Corpus", outcome: "Outcome") -> Callable[[], None]:
    """Writes the page of an experiment; returns what prints its tables, which may fail where nobody reads them."""
    from nmt_keras.experiments.comparison import compare_architectures, of_shared_seeds, rows
    from nmt_keras.experiments.report import write_report
    from nmt_keras.metrics.tokenization import unit
    from nmt_keras.report.summary import print_by_length, print_comparisons, print_scores

    outcome = replace(outcome, models=of_shared_seeds(outcome.models))
    seeds = ", ".join(map(str, sorted({model.settings.seed for model in outcome.models.values()})))
    table = rows(outcome.models)
    comparisons = {split: compare_architectures(outcome.models, corpus, split) for split in table[0].bleu}
    path = write_report(corpus, outcome, comparisons, options.command_line)

    def print_tables() -> None:
        print_scores(table, f"{corpus.name}, {corpus.source_language}-{corpus.target_language}, seed {seeds}")
        print_by_length(table, unit(corpus.source_language))
        for split, pairs in comparisons.items():
            if pairs:
                print_comparisons(pairs, split)
        print(f"\nReport: {path}")

    return print_tables


def _experiment(options: Namespace, kind: str, seeds: Sequence[int], effort: "Effort") -> "tuple[Corpus, Outcome]":
    """Trains, evaluates and registers what the options ask for."""
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        raise ConfigError(
            "main and compare export what they train, which needs --backend tensorflow. "
            f"Received: {os.environ['KERAS_BACKEND']}. `nmt-keras train` takes every backend."
        )
    preset = given_preset(options, list(dict.fromkeys(options.architectures.split(","))))
    corpus = load_corpus_option(options)
    from nmt_keras.experiments.run import run_experiment

    directory = Path(options.output) if options.output else _new_directory(kind)
    trainings = [
        _settings(options, preset, architecture, seed) for seed in seeds for architecture in preset.architectures
    ]
    if budget := options.get("budget"):
        trainings = [settings.within(budget) for settings in trainings]
    jobs = _jobs(options, limited_time=any(settings.max_minutes for settings in trainings))
    print(f"What is trained goes to {directory}: after an interruption, --output {directory} goes on.", file=sys.stderr)
    # The sentences of test_agreement are for agreement accuracy alone.
    others = [split for split in corpus.splits if split.startswith("test_") and split != "test_agreement"]
    quick = kind == "main" or options.quick
    test_splits = ["test", *(others[:1] if quick else others)]
    return corpus, run_experiment(corpus, trainings, directory, test_splits, effort, jobs)


def _settings(options: Namespace, preset: Preset, architecture: str, seed: int) -> "TrainingSettings":
    from nmt_keras.tracking.registry import resolve
    from nmt_keras.training.settings import TrainingSettings

    return TrainingSettings(
        architecture=architecture,
        sizes=preset.architectures[architecture],
        vocabulary=preset.vocabulary,
        training=preset.training,
        search=preset.search,
        seed=seed,
        devices=options.devices,
        max_minutes=options.get("max_minutes"),  # of `compare` it is a budget
        init_from=resolve(options.init_from) if options.init_from else None,
        init_reference=options.init_from,
    )


def _new_directory(kind: str) -> Path:
    """Makes a directory of the present second; of two commands that start in it, each gets its own."""
    path = Path(f"outputs/{kind}-{datetime.now():%Y%m%d-%H%M%S}")
    while True:
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            path = path.with_name(f"{path.name}-2")


def _jobs(options: Namespace, limited_time: bool) -> int:
    """Trainings at once; one where each must have the whole machine."""
    alone = limited_time or options.devices != "1"
    if options.jobs is not None:
        if options.jobs < 1 or (alone and options.jobs > 1):
            raise ConfigError(
                "--jobs must be at least 1, and 1 where a training is limited in time or has several devices. "
                f"Received: --jobs {options.jobs}."
            )
        return options.jobs
    from nmt_keras.training.xla import has_gpu

    # One training keeps few processors busy; accelerators are not shared, nor processors that cannot be told apart.
    shareable = hasattr(os, "sched_setaffinity") and len(processors()) > 1
    return 2 if shareable and not alone and not has_gpu() else 1


def _failed(outcome: "Outcome") -> int:
    """The exit code; what failed is told last, so that it is not overlooked."""
    for name, why in outcome.failures.items():
        print(f"{name} failed: {why}", file=sys.stderr)
    return 1 if outcome.failures else 0
