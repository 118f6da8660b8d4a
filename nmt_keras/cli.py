"""The command line: `nmt-keras COMMAND`, and the same functions behind `python -m pipelines.COMMAND`.

Heavy packages are imported by the command that needs them, after the backend is chosen.
"""

import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml
from jsonargparse import ArgumentParser, Namespace

from nmt_keras.config import ArchitectureName, Backend, Preset
from nmt_keras.errors import ConfigError, UserError

if TYPE_CHECKING:
    from nmt_keras.data.parallel_text import Corpus
    from nmt_keras.training.trainer import TrainingSettings

PRESETS = ("debug", "quick", "tiny", "base", "big")
_SECTIONS = tuple(Preset.__dataclass_fields__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0, 2 for wrong usage or input, 1 for anything else.
    """
    arguments = [_hyphenated(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    try:
        name, options = _parse(arguments)
        _choose_backend(options)
        _COMMANDS[name][0](options)
        sys.stdout.flush()
    except UserError as error:
        print(f"nmt-keras: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nmt-keras: interrupted; the same command goes on from the last epoch.", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _hyphenated(argument: str) -> str:
    """--max_minutes as --max-minutes: MLflow spells parameters with underscores."""
    return re.sub(r"^--[a-z_]+(?==|$)", lambda option: option[0].replace("_", "-"), argument)


def _parse(arguments: Sequence[str]) -> tuple[str, Namespace]:
    parser = ArgumentParser(
        prog="nmt-keras",
        description="Train, compare, register and serve neural machine translation models.",
    )
    commands = parser.add_subcommands(dest="command")
    preset = _preset_of(arguments)
    for name, (_, add_options, text) in _COMMANDS.items():
        command = ArgumentParser(prog=f"nmt-keras {name}", description=text)
        add_options(command)
        if "training" in add_options.__name__:
            _add_sections(command, preset)
        commands.add_subcommand(name, command, help=text)
    options = parser.parse_args(list(arguments))
    return options.command, options[options.command]


def _preset_of(arguments: Sequence[str]) -> str | None:
    """The preset, which must be known before its values can be the defaults of other options."""
    for place, argument in enumerate(arguments):
        if argument.startswith("--preset="):
            return argument.removeprefix("--preset=")
        if argument == "--preset" and place + 1 < len(arguments):
            return arguments[place + 1]
    return None


def _choose_backend(options: Namespace) -> None:
    if backend := options.get("backend"):
        os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _add_corpus(parser: ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--corpus",
        default=default,
        help="phrasebook, multi30k, or a directory with train.SRC, train.TGT, valid.SRC, ... or one TSV per split",
    )
    parser.add_argument("--source-language", default="en", help="code of the source language")
    parser.add_argument("--target-language", default="fr", help="code of the target language")
    parser.add_argument(
        "--data-dir", type=str | None, default=None, help="read named corpora here instead of downloading them"
    )


def _add_backend(parser: ArgumentParser) -> None:
    parser.add_argument("--backend", type=Backend | None, default=None, help="Keras backend")


def _add_sections(parser: ArgumentParser, preset: str | None) -> None:
    """The settings of the preset, each an option of its own: --training.epochs 5."""
    if preset is not None and preset not in PRESETS:
        raise ConfigError(f"--preset must be one of {', '.join(PRESETS)}. Received: {preset!r}.")
    for section in _SECTIONS:
        kind = Preset.__dataclass_fields__[section].default_factory
        parser.add_class_arguments(kind, section)  # type: ignore[arg-type]
    text = resources.files("nmt_keras").joinpath("presets", f"{preset or parser.get_default('preset')}.yaml")
    values = yaml.safe_load(text.read_text(encoding="utf-8"))
    parser.set_defaults(
        {f"{section}.{key}": value for section, items in values.items() for key, value in items.items()}
    )


def _add_training(parser: ArgumentParser, preset: str) -> None:
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    parser.add_argument("--preset", type=str, default=preset, help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--seed", type=int, default=1, help="of weights, dropout, vocabulary and order")
    parser.add_argument("--output", type=str | None, default=None, help="directory; made if it is not there")
    parser.add_argument(
        "--max-minutes", type=float | None, default=None, help="wall time of a training, from the start of the process"
    )
    parser.add_argument("--devices", type=str, default="1", help="number of devices, or all")
    parser.add_argument("--init-from", type=str | None, default=None, help="model whose weights to start from")
    _add_backend(parser)


def _add_model(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=str,
        default="models:/nmt-en-fr@champion",
        help="a directory, models:/NAME@ALIAS or runs:/RUN_ID/MODEL_NAME",
    )
    _add_backend(parser)


def _add_search(parser: ArgumentParser) -> None:
    parser.add_argument("--beam-size", type=int | None, default=None, help="hypotheses kept; 1 is greedy")
    parser.add_argument("--length-penalty", type=float | None, default=None, help="the larger, the longer")
    parser.add_argument("--batch-size", type=int | None, default=None, help="sentences searched at once")


def _main_training_options(parser: ArgumentParser) -> None:
    _add_corpus(parser, "phrasebook")
    _add_training(parser, "quick")


def _train_training_options(parser: ArgumentParser) -> None:
    _add_corpus(parser, "phrasebook")
    parser.add_argument("--architecture", type=ArchitectureName, default="transformer")
    _add_training(parser, "tiny")


def _prepare_options(parser: ArgumentParser) -> None:
    _add_corpus(parser, "phrasebook")


def _evaluate_options(parser: ArgumentParser) -> None:
    _add_model(parser)
    _add_corpus(parser, "phrasebook")
    parser.add_argument("--split", type=str, default="test", help="of the corpus")
    parser.add_argument("--source-file", type=str | None, default=None, help="instead of a corpus")
    parser.add_argument("--reference-file", type=str | None, default=None, help="instead of a corpus")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    _add_search(parser)


def _translate_options(parser: ArgumentParser) -> None:
    _add_model(parser)
    _add_search(parser)


def _export_options(parser: ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("--output", type=str, default="export", help="directory; the model goes to OUTPUT/1")
    _add_search(parser)


def _load_corpus(options: Namespace) -> "Corpus":
    from nmt_keras.data.corpora import load_corpus

    corpus = load_corpus(
        options.corpus, options.source_language, options.target_language, options.data_dir, options.get("seed", 1)
    )
    if corpus.notice:
        print(corpus.notice, file=sys.stderr)
    return corpus


def _settings(options: Namespace, architecture: str) -> "TrainingSettings":
    from nmt_keras.tracking.registry import resolve
    from nmt_keras.training.trainer import TrainingSettings

    preset = Preset(
        **{name: Preset.__dataclass_fields__[name].default_factory(**options[name].as_dict()) for name in _SECTIONS}
    )
    return TrainingSettings(
        architecture=architecture,
        sizes=preset.architecture(architecture),
        vocabulary=preset.vocabulary,
        training=preset.training,
        search=preset.search,
        seed=options.seed,
        devices=options.devices,
        max_minutes=options.max_minutes,
        init_from=resolve(options.init_from) if options.init_from else None,
        init_reference=options.init_from,
    )


def _prepare(options: Namespace) -> None:
    from nmt_keras.data.audit import audit, render

    print(render(audit(_load_corpus(options))))


def _train(options: Namespace) -> None:
    from nmt_keras.experiment import tracked_training

    corpus = _load_corpus(options)
    output = options.output or (
        f"outputs/{Path(options.corpus).name}-{options.source_language}-{options.target_language}-"
        f"{options.architecture}-{options.preset}-seed{options.seed}"
    )
    summary = tracked_training(corpus, _settings(options, options.architecture), Path(output))
    print(
        f"{output}: valid BLEU {summary.valid_bleu:.2f}, {summary.epochs} epochs, {summary.parameters:,} parameters, "
        f"{summary.tokens_per_second:,.0f} target tokens/s"
    )


def _main(options: Namespace) -> None:
    from datetime import datetime

    from nmt_keras.experiment import run_experiment, translate_standalone
    from nmt_keras.report.summary import print_listed, print_table

    corpus = _load_corpus(options)
    directory = Path(options.output or f"outputs/main-{datetime.now():%Y%m%d-%H%M%S}")
    trainings = [_settings(options, architecture) for architecture in get_args(ArchitectureName)]
    outcome = run_experiment(corpus, trainings, directory)
    if corpus.listed:
        print("\nThe exported model, loaded by a new process without nmt_keras, translates sentences it never saw:")
        saved_model = outcome.models[outcome.best].saved_model
        print_listed(corpus.listed, translate_standalone(saved_model, list(corpus.listed)))
    print()
    print_table(
        outcome.rows(), f"{corpus.name}, {corpus.source_language}-{corpus.target_language}, split test"
    )
    name = outcome.registered_name
    print(f"\nRegistered {outcome.best} as {name} version {outcome.version}: {', '.join(outcome.aliases)}.")
    if corpus.notice:
        print(f"{corpus.notice} For real text: mlflow run . --env-manager local -P corpus=multi30k -P preset=tiny")
    print(
        f"""Next:
  mlflow ui
  echo "I am eating." | nmt-keras translate --model models:/{name}@candidate
  mlflow models serve -m models:/{name}@candidate --env-manager local --port 5001"""
    )


def _load_model(options: Namespace) -> tuple[Any, Any]:
    from dataclasses import replace

    from nmt_keras.models.directory import load_model
    from nmt_keras.tracking.registry import resolve

    loaded = load_model(resolve(options.model))
    given = {name: options[name] for name in ("beam_size", "length_penalty", "batch_size")}
    search = replace(
        loaded.description.search, **{name: value for name, value in given.items() if value is not None}
    )
    return loaded, search


def _evaluate(options: Namespace) -> None:
    from nmt_keras.evaluation import evaluate

    text, corpus, split = _test_set(options)
    loaded, search = _load_model(options)
    evaluation = evaluate(loaded, text, search)
    if options.json:
        figures = evaluation.as_json() | {"corpus": corpus, "split": split, "sentences": len(text)}
        print(json.dumps(figures | {"search": asdict(search)}, ensure_ascii=False))
        return
    print(f"{corpus} {split}: {len(text):,} sentences, {evaluation.sentences_per_second:.1f} sentences/s")
    for name, score in (("BLEU", evaluation.bleu), ("chrF", evaluation.chrf)):
        print(f"{name} {score.score:.2f}  {score.signature}")
    for row in evaluation.by_length:
        words = f"{row['from']}-{row['to']}" if row["to"] else f"{row['from']}+"
        print(f"{words:>8} words: {row['sentences']:5d} sentences, BLEU {row['bleu']:.2f}, chrF {row['chrf']:.2f}")


def _test_set(options: Namespace) -> tuple[Any, str | None, str | None]:
    """The text to evaluate on, its corpus and split (None for files)."""
    if options.source_file is None and options.reference_file is None:
        corpus = _load_corpus(options)
        return corpus.split(options.split), corpus.name, options.split
    if options.source_file is None or options.reference_file is None:
        raise ConfigError(
            f"--source-file and --reference-file go together. Received: --source-file {options.source_file}, "
            f"--reference-file {options.reference_file}."
        )
    from nmt_keras.data.text_files import read_line_pair
    from nmt_keras.errors import CorpusError

    faults: list[str] = []
    text = read_line_pair(Path(options.source_file), Path(options.reference_file), faults)
    if text is None or faults:
        raise CorpusError(faults)
    return text, None, None


def _translate(options: Namespace) -> None:
    from nmt_keras.evaluation import translate

    loaded, search = _load_model(options)
    try:
        lines = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"stdin:{line}: text must be UTF-8. Received: byte 0x{error.object[error.start]:02x}."
        ) from None
    if not lines:
        return
    sentences = [line.removesuffix("\r") for line in lines.removesuffix("\n").split("\n")]
    translations, _ = translate(loaded, sentences, search)
    for translation in translations:
        # A model may write a line break by its bytes; as many lines go out as came in.
        sys.stdout.buffer.write(" ".join(translation.text.split("\n")).encode() + b"\n")


def _export(options: Namespace) -> None:
    from nmt_keras.serving.savedmodel import export_savedmodel

    loaded, search = _load_model(options)
    print(export_savedmodel(loaded, Path(options.output), search))


_COMMANDS: dict[str, tuple[Callable[[Namespace], None], Callable[[ArgumentParser], None], str]] = {
    "main": (
        _main,
        _main_training_options,
        "train every architecture, compare them, register and serve the best",
    ),
    "prepare": (_prepare, _prepare_options, "read a corpus and report what is odd about it"),
    "train": (_train, _train_training_options, "train one model"),
    "evaluate": (_evaluate, _evaluate_options, "BLEU and chrF of a model"),
    "translate": (_translate, _translate_options, "translate lines from stdin to stdout"),
    "export": (_export, _export_options, "write a SavedModel that takes and gives raw strings"),
}
