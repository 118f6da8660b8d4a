"""The commands that read a corpus and train on it: load, call, print. Figures go to stdout, all else to stderr."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from nmt_keras.cli.inputs import given_preset, load_corpus_option
from nmt_keras.errors import ConfigError
from nmt_keras.system.files import new_directory

if TYPE_CHECKING:
    from nmt_keras.data.parallel_text import Corpus
    from nmt_keras.experiments.measurements import MeasurementPlan
    from nmt_keras.experiments.run import Outcome


def run_prepare(options: Namespace) -> None:
    from nmt_keras.data.audit import audit, render

    print(render(audit(load_corpus_option(options))))


def run_train(options: Namespace) -> None:
    preset = given_preset(options, [options.architecture])
    corpus = load_corpus_option(options)
    from nmt_keras import api

    given = {"preset": preset, "output": options.output, "seed": options.seed}
    model = api.train(corpus, options.architecture, **given, **_shared(options))
    summary = model.summary
    assert summary is not None
    print(
        f"{options.output or model.directory}: valid BLEU {summary.valid_bleu:.2f}, {summary.epochs} epochs, "
        f"{summary.parameters:,} parameters, {summary.cost.tokens_per_second:,.0f} target tokens/s"
    )


def _shared(options: Namespace) -> dict[str, Any]:
    """The arguments that `train` and `compare` share."""
    return {"max_minutes": options.get("max_minutes"), "devices": options.devices, "init_from": options.init_from}


def run_main(options: Namespace) -> int:
    from nmt_keras.experiments.measurements import SHORT_PLAN

    corpus, outcome = _run_from_options(options, "main", [options.seed], SHORT_PLAN, 2)
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
    from nmt_keras.experiments.measurements import FULL_PLAN

    corpus, outcome = _run_from_options(options, "comparison", seeds, FULL_PLAN, 2 if options.demo else None)
    _report(options, corpus, outcome)()
    return _failed(outcome)


def _report(options: Namespace, corpus: "Corpus", outcome: "Outcome") -> Callable[[], None]:
    """Writes the page of an experiment; returns what prints its tables, which may fail where nobody reads them."""
    from nmt_keras.experiments.comparison import compare_architectures, of_shared_seeds, rows
    from nmt_keras.experiments.report import write_report
    from nmt_keras.metrics.tokenization import length_unit
    from nmt_keras.report.summary import print_by_length, print_comparisons, print_scores

    outcome = replace(outcome, models=of_shared_seeds(outcome.models))
    seeds = ", ".join(map(str, sorted({model.settings.seed for model in outcome.models.values()})))
    table = rows(outcome.models)
    comparisons = {split: compare_architectures(outcome.models, corpus, split) for split in table[0].bleu}
    path = write_report(corpus, outcome, comparisons, options.command_line)

    def print_tables() -> None:
        print_scores(table, f"{corpus.name}, {corpus.source_language}-{corpus.target_language}, seed {seeds}")
        print_by_length(table, length_unit(corpus.source_language))
        for split, pairs in comparisons.items():
            if pairs:
                print_comparisons(pairs, split)
        print(f"\nReport: {path}")

    return print_tables


def _run_from_options(
    options: Namespace, kind: str, seeds: Sequence[int], plan: "MeasurementPlan", test_sets: int | None
) -> "tuple[Corpus, Outcome]":
    """Trains, evaluates and registers what the options ask for."""
    preset = given_preset(options, list(dict.fromkeys(options.architectures.split(","))))
    corpus = load_corpus_option(options)
    from nmt_keras import api

    return corpus, api.compare(
        corpus,
        preset.architectures,
        preset=preset,
        seeds=seeds,
        budget=options.get("budget"),
        output=options.output or new_directory(f"outputs/{kind}"),
        jobs=options.jobs,
        test_sets=test_sets,
        plan=plan,
        **_shared(options),
    )


def _failed(outcome: "Outcome") -> int:
    """The exit code; what failed is told last, so that it is not overlooked."""
    for name, why in outcome.failures.items():
        print(f"{name} failed: {why}", file=sys.stderr)
    return 1 if outcome.failures else 0
