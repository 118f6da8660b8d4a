"""What each command does with its options: load, call, print. Figures go to stdout, all else to stderr."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from nmt_keras.config import ARCHITECTURES, SECTIONS, Preset, SearchConfig, out_of_range, raise_faults
from nmt_keras.errors import ConfigError, CorpusError, UserError
from nmt_keras.system.files import written_whole
from nmt_keras.system.processes import processors
from nmt_keras.system.streams import require_open

if TYPE_CHECKING:
    from nmt_keras.data.parallel_text import Corpus, ParallelText
    from nmt_keras.experiments.measurements import Effort
    from nmt_keras.experiments.run import Outcome
    from nmt_keras.models.directory import LoadedModel
    from nmt_keras.training.settings import TrainingSettings

_WRITTEN_AT_ONCE = 10_000
"""Sentences that are translated before any translation is written: an interruption costs no more."""


def _load_corpus(options: Namespace, only: str | None = None) -> "Corpus":
    from nmt_keras.data.corpora import load_corpus

    # Without --seed: what one command trains on, another must not test on.
    languages = options.source_language, options.target_language
    corpus = load_corpus(options.corpus, *languages, options.data_dir, only=only)
    if corpus.notice:
        print(corpus.notice, file=sys.stderr)
    return corpus


def given_preset(options: Namespace, architectures: Sequence[str]) -> Preset:
    """The settings of these architectures; all faults are reported together."""
    made: dict[str, Any] = {}
    faults = []
    for name in (*SECTIONS, *architectures):
        make = ARCHITECTURES[name].configure if name in ARCHITECTURES else SECTIONS[name]
        try:
            made[name] = make(**options[name.replace("-", "_")].as_dict())
        except ConfigError as error:
            faults += [f"--{name}.{fault}" for fault in str(error).splitlines()]
    if faults:
        raise ConfigError("\n".join(faults))
    return Preset({name: made.pop(name) for name in architectures}, **made)


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


def run_prepare(options: Namespace) -> None:
    from nmt_keras.data.audit import audit, render

    print(render(audit(_load_corpus(options))))


def run_train(options: Namespace) -> None:
    preset = given_preset(options, [options.architecture])
    corpus = _load_corpus(options)
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
    corpus = _load_corpus(options)
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


def given_model(options: Namespace) -> "LoadedModel":
    """The model of --model."""
    from nmt_keras.models.directory import load_model
    from nmt_keras.tracking.registry import resolve

    return load_model(resolve(options.model))


def given_search(options: Namespace, loaded: "LoadedModel") -> SearchConfig:
    """The model's own settings of the search, but for those that are given."""
    given = {name: options[name] for name in ("beam_size", "length_penalty", "batch_size")}
    return replace(loaded.description.search, **{name: value for name, value in given.items() if value is not None})


def run_evaluate(options: Namespace) -> None:
    from nmt_keras.analysis.evaluation import evaluate
    from nmt_keras.decoding.translator import Translator
    from nmt_keras.metrics.tokenization import unit

    if options.output is not None and Path(options.output).is_dir():
        raise ConfigError(f"--output must be a file. Received: {options.output}, a directory.")
    text, corpus, split = given_test_set(options)
    loaded = given_model(options)
    check_languages(options, loaded)
    search = given_search(options, loaded)
    languages = loaded.description.source_language, loaded.description.target_language
    evaluation = evaluate(Translator(loaded.model, loaded.tokenizer, search), text, *languages)
    if options.output is not None:
        with written_whole(Path(options.output)) as beside:
            beside.write_bytes(b"".join(map(_line, evaluation.hypotheses)))
    if options.json:
        figures = evaluation.as_json() | {"corpus": corpus, "split": split, "sentences": len(text)}
        print(json.dumps(figures | {"search": asdict(search)}))
        return
    print(f"{corpus} {split}: {len(text):,} sentences, {evaluation.sentences_per_second:.1f} sentences/s")
    for name, score in (("BLEU", evaluation.bleu), ("chrF", evaluation.chrf)):
        print(f"{name} {score.score:.2f}  {score.signature}")
    for row in evaluation.by_length:
        lengths = f"{row['from']}-{row['to']}" if row["to"] else f"{row['from']}+"
        scores = f"BLEU {row['bleu']:.2f}, chrF {row['chrf']:.2f}"
        print(f"{lengths:>8} {unit(languages[0])}: {row['sentences']:5d} sentences, {scores}")


def given_test_set(options: Namespace) -> "tuple[ParallelText, str | None, str | None]":
    """The text to evaluate on, its corpus and split (None for files)."""
    if options.source_file is None and options.reference_file is None:
        corpus = _load_corpus(options, options.split)
        return corpus.split(options.split), corpus.name, options.split
    if options.source_file is None or options.reference_file is None:
        raise ConfigError(
            f"--source-file and --reference-file go together. Received: --source-file {options.source_file}, "
            f"--reference-file {options.reference_file}."
        )
    from nmt_keras.data.text_files import read_line_pair

    faults: list[str] = []
    text = read_line_pair(Path(options.source_file), Path(options.reference_file), faults)
    if text is None or faults:
        raise CorpusError(faults)
    return text, None, None


def check_languages(options: Namespace, loaded: "LoadedModel") -> None:
    """A model is measured on a corpus of its own languages; files are taken as they are.

    Raises:
        ConfigError: the corpus is of others.
    """
    description = loaded.description
    languages = f"{description.source_language}-{description.target_language}"
    given = f"{options.source_language}-{options.target_language}"
    if options.source_file is None and given != languages:
        raise ConfigError(
            f"The corpus must be of the model's languages, {languages}. Received: {given}. "
            f"Give --source-language and --target-language."
        )


def run_translate(options: Namespace) -> None:
    from nmt_keras.decoding.translator import Translator
    from nmt_keras.system.progress import progress_bar

    require_open("stdin")
    loaded = given_model(options)
    search = given_search(options, loaded)
    n_best = 1 if options.n_best is None else options.n_best
    if not 1 <= n_best <= search.beam_size:
        raise ConfigError(
            f"--n-best must be at least 1 and at most the beam size. Received: --n-best {options.n_best}, "
            f"and a beam of {search.beam_size}."
        )
    try:
        lines = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"stdin:{line}: text must be UTF-8. Received: byte 0x{error.object[error.start]:02x}."
        ) from None
    if not lines:
        return
    sentences = [line.removesuffix("\r") for line in lines.removesuffix("\n").split("\n")]
    translator = Translator(loaded.model, loaded.tokenizer, search, n_best)
    with progress_bar("translating", len(sentences)) as advance:
        for start in range(0, len(sentences), _WRITTEN_AT_ONCE):
            translations = translator.n_best(sentences[start : start + _WRITTEN_AT_ONCE], advance)
            for number, found in enumerate(translations, start=start + 1):
                for text, score in found:
                    place = "" if options.n_best is None else f"{number}\t{score:.4f}\t"
                    sys.stdout.buffer.write(place.encode() + _line(text))
            sys.stdout.buffer.flush()


def _line(translation: str) -> bytes:
    """A line to write; a model may spell a line break by its bytes."""
    return " ".join(translation.split("\n")).encode() + b"\n"


def run_phrasebook(options: Namespace) -> None:
    from nmt_keras.data.phrasebook import NOTICE, write_phrasebook
    from nmt_keras.data.phrasebook.splits import MOST_PAIRS

    raise_faults(out_of_range("--size", options.size, 1, MOST_PAIRS))
    sizes = write_phrasebook(Path(options.output), options.size, options.seed)
    print(NOTICE, file=sys.stderr)
    print(f"{options.output}: pairs in " + ", ".join(f"{split} {pairs:,}" for split, pairs in sizes.items()))
