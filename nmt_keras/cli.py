"""The command line: `nmt-keras COMMAND`, and the same functions behind `python -m pipelines.COMMAND`.

Heavy packages are imported by the command that needs them, after the backend is chosen.
"""

import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources

import yaml
from jsonargparse import ArgumentParser, Namespace

from nmt_keras.allocator import keep_freed_memory
from nmt_keras.analysis_commands import (
    run_agreement,
    run_align,
    run_alignment_error,
    run_describe,
    run_gradient_flow,
)
from nmt_keras.commands import (
    run_compare,
    run_evaluate,
    run_main,
    run_phrasebook,
    run_prepare,
    run_train,
    run_translate,
)
from nmt_keras.config import ARCHITECTURES, SECTIONS, Backend
from nmt_keras.errors import ConfigError, UserError
from nmt_keras.registry_commands import run_models, run_promote, run_register, run_rollback
from nmt_keras.serving_commands import run_export, run_serve

PRESETS = ("debug", "quick", "tiny", "base", "big")
QUICK = ("--architectures", "rnn,lstm,gru,lstm-attention,transformer", "--seeds", "1", "--budget", "400k-tokens")
"""What `compare --quick` stands for; options beside it go before it."""


@dataclass(frozen=True)
class Command:
    """One command of `nmt-keras`.

    Args:
        run: does it, with the parsed options; returns the exit code, or None for 0.
        options: functions that add its options to a parser.
        help: what it does, in a few words.
        preset: the default of --preset; None for a command that trains nothing.
        architectures: the default of --architectures, or of --architecture if it is one.
        backend: the default of --backend; the environment's where it is None.
    """

    run: Callable[[Namespace], int | None]
    options: tuple[Callable[[ArgumentParser], None], ...]
    help: str
    preset: str | None = None
    architectures: str = ""
    backend: Backend | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0, 2 for wrong usage or input, 1 for anything else.
    """
    arguments = [_hyphenated(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    if arguments[:1] == ["compare"] and "--quick" in arguments:
        arguments[1:1] = QUICK
    try:
        name, options = _parse(arguments)
        options.command_line = shlex.join(["nmt-keras", *arguments])
        _choose_backend(options.get("backend") or _COMMANDS[name].backend)
        keep_freed_memory()
        code = _COMMANDS[name].run(options) or 0
        sys.stdout.flush()
    except UserError as error:
        print(f"nmt-keras: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nmt-keras: interrupted. A training goes on from its last epoch with the same --output.", file=sys.stderr)
        return 1
    except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        print(f"nmt-keras: a file or directory cannot be used. Received: {error}.", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _hyphenated(argument: str) -> str:
    """--max_minutes as --max-minutes: MLflow spells parameters with underscores."""
    return re.sub(r"^--[a-z_]+(?==|$)", lambda option: option[0].replace("_", "-"), argument)


def _parse(arguments: Sequence[str]) -> tuple[str, Namespace]:
    parser = ArgumentParser(
        prog="nmt-keras",
        description="Train, compare, register and serve neural machine translation models.",
    )
    commands = parser.add_subcommands(dest="command")
    decisive: dict[str, dict[str, str]] = {}
    for name, command in _COMMANDS.items():
        subparser = ArgumentParser(prog=f"nmt-keras {name}", description=command.help)
        for add_options in command.options:
            add_options(subparser)
        if command.preset is not None:
            decisive[name] = _add_sections(subparser, command, arguments)
        commands.add_subcommand(name, subparser, help=command.help)
    parsed = parser.parse_args(list(arguments))
    options = parsed[parsed.command]
    for option, value in decisive.get(parsed.command, {}).items():
        if options[option] != value:
            raise ConfigError(
                f"--{option} must be given on the command line, not in a file. Received: {options[option]!r} in a file."
            )
    return parsed.command, options


def _given(arguments: Sequence[str], option: str, default: str) -> str:
    """The value of an option that must be known before others can be declared; the last, where it is repeated."""
    value = default
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{option}="):
            value = argument.removeprefix(f"{option}=")
        if argument == option and place + 1 < len(arguments):
            value = arguments[place + 1]
    return value


def _add_sections(parser: ArgumentParser, command: Command, arguments: Sequence[str]) -> dict[str, str]:
    """The settings of the preset, each an option of its own: --training.epochs 5, --transformer.model_dim 64.

    Returns:
        The options that decide which others there are, and with what defaults.
    """
    preset = _given(arguments, "--preset", command.preset or "")
    if preset not in PRESETS:
        raise ConfigError(f"--preset must be one of {', '.join(PRESETS)}. Received: {preset!r}.")
    parser.add_argument("--preset", type=str, default=preset, help=f"one of {', '.join(PRESETS)}")
    option = "architectures" if "," in command.architectures else "architecture"
    value = _given(arguments, f"--{option}", command.architectures)
    names = value.split(",") if option == "architectures" else [value]
    if unknown := [name for name in names if name not in ARCHITECTURES]:
        raise ConfigError(f"--{option} knows {', '.join(ARCHITECTURES)}. Received: {', '.join(unknown)!r}.")
    parser.add_argument(f"--{option}", type=str, default=value, help=f"of {', '.join(ARCHITECTURES)}")
    sections: dict[str, type] = SECTIONS | {name: ARCHITECTURES[name].sizes for name in names}
    for name, section in sections.items():
        fixed = ARCHITECTURES[name].fixed if name in ARCHITECTURES else {}
        parser.add_class_arguments(section, name, skip=set(fixed))
    text = resources.files("nmt_keras").joinpath("presets", f"{preset}.yaml").read_text(encoding="utf-8")
    parser.set_defaults(
        {
            f"{section}.{key}": setting
            for section, items in yaml.safe_load(text).items()
            if section in sections
            for key, setting in items.items()
        }
    )
    return {"preset": preset, option: value}


def _choose_backend(backend: Backend | None) -> None:
    if backend:
        os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _add_corpus(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--corpus",
        default="phrasebook",
        help="phrasebook, multi30k, or a directory with train.SRC, train.TGT, valid.SRC, ... or one TSV per split",
    )
    parser.add_argument("--source-language", default="en", help="code of the source language")
    parser.add_argument("--target-language", default="fr", help="code of the target language")
    parser.add_argument(
        "--data-dir", type=str | None, default=None, help="read named corpora here instead of downloading them"
    )


def _add_backend(parser: ArgumentParser) -> None:
    parser.add_argument("--backend", type=Backend | None, default=None, help="Keras backend")


def _add_seed(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of weights, dropout, vocabulary and order")


def _add_comparison(parser: ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help=f"short for {' '.join(QUICK)}")
    parser.add_argument("--seeds", type=str, default="1,2,3", help="each architecture is trained with each of them")
    parser.add_argument(
        "--budget",
        type=str | None,
        default=None,
        help="of each training, such as 10min, 2M-tokens or 20epochs (default: what the preset says)",
    )


def _add_jobs(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=int | None,
        default=None,
        help="trainings at once, each on its share of the CPUs (default: 2 without a GPU or a time limit, else 1)",
    )


def _add_time_limit(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--max-minutes",
        type=float | None,
        default=None,
        help="wall time of a training, from the start of the process",
    )


def _add_training(parser: ArgumentParser) -> None:
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    parser.add_argument("--output", type=str | None, default=None, help="directory; made if it is not there")
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


def _add_test_set(parser: ArgumentParser) -> None:
    parser.add_argument("--split", type=str, default="test", help="of the corpus")
    parser.add_argument("--source-file", type=str | None, default=None, help="instead of a corpus")
    parser.add_argument("--reference-file", type=str | None, default=None, help="instead of a corpus")


def _add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _add_export(parser: ArgumentParser) -> None:
    parser.add_argument("--output", type=str, default="export", help="directory; the model goes to OUTPUT/1")
    parser.add_argument(
        "--check", type=str | None, default=None, help="write nothing, but check the exported model in this directory"
    )
    parser.add_argument(
        "--source-file",
        type=str | None,
        default=None,
        help="sentences that must come out as they do here (default: validation sentences kept from the training)",
    )
    parser.add_argument("--max-source-tokens", type=int, default=256, help="longer sources are split, or cut")
    parser.add_argument("--max-beam-size", type=int, default=10, help="that a request may ask for")
    parser.add_argument("--license", type=str | None, default=None, help="of the model, for its card")
    parser.add_argument(
        "--xla", action="store_true", help="compile the search with XLA, which a server must have (see README)"
    )


def _add_served(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=str,
        action="append",
        required=True,
        help="an exported model, a model directory, models:/NAME@ALIAS or runs:/RUN_ID/MODEL_NAME; may be repeated",
    )
    parser.add_argument("--host", type=str, default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="to listen on")
    parser.add_argument("--max-batch", type=int, default=64, help="sentences computed at once")
    parser.add_argument("--max-waiting", type=int, default=256, help="sentences; to more the answer is 503")
    parser.add_argument("--max-seconds", type=float, default=60.0, help="for an answer; after that it is 504")
    parser.add_argument(
        "--reload-seconds", type=float, default=30.0, help="between looks at whether an alias has moved"
    )


def _add_phrasebook_seed(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of the phrasebook that the model was trained on")


def _add_alignment_error(parser: ArgumentParser) -> None:
    parser.add_argument("--split", type=str, default="test", help="of the phrasebook")


def _add_figure(parser: ArgumentParser) -> None:
    parser.add_argument("--output", type=str, required=True, help="FILE.png or .svg: a figure; FILE.json: all numbers")


def _add_align(parser: ArgumentParser) -> None:
    parser.add_argument("--source", type=str, required=True, help="a sentence")
    parser.add_argument("--target", type=str | None, default=None, help="its translation; by default the model's own")
    parser.add_argument("--words", action="store_true", help="merge the tokens of each word")
    parser.add_argument(
        "--kind",
        type=str,
        default="cross",
        help="of attention in the figure: cross and, of a Transformer, encoder_self or decoder_self",
    )
    parser.add_argument("--layer", type=int | None, default=None, help="in the figure, from 0; by default their mean")
    parser.add_argument("--head", type=int | None, default=None, help="in the figure, from 0; by default their mean")


def _add_gradient_flow(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--length",
        type=int | None,
        default=None,
        help="tokens of the sources, EOS included; by default what most of them have",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the untrained model's weights")


def _add_name(parser: ArgumentParser) -> None:
    parser.add_argument("--name", type=str, default="nmt-en-fr", help="of the registered model")


def _add_register(parser: ArgumentParser) -> None:
    parser.add_argument("--model", type=str, required=True, help="directory of a trained model")
    parser.add_argument("--name", type=str | None, default=None, help="to register it under (default: nmt-SRC-TGT)")


def _add_promotion(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=str | None,
        default=None,
        help="models:/NAME@ALIAS, models:/NAME/VERSION, or a logged model, which becomes the next version "
        "(default: the candidate)",
    )
    parser.add_argument("--min-gain", type=float, default=0.5, help="BLEU above the champion's, significantly")
    parser.add_argument("--max-fall", type=float, default=2.0, help="BLEU that sentences of one length may lose")
    parser.add_argument("--max-milliseconds", type=float | None, default=None, help="median time of one sentence")
    parser.add_argument("--export-sentences", type=int, default=50, help="compared with the exported model's")
    parser.add_argument("--dry-run", action="store_true", help="measure, and change nothing")
    parser.add_argument("--force", action="store_true", help="promote whatever is found; that is recorded")


def _add_describe(parser: ArgumentParser) -> None:
    parser.add_argument("--length", type=int, default=25, help="source and target tokens that the arithmetic is for")


def _add_phrasebook(parser: ArgumentParser) -> None:
    parser.add_argument("--size", type=int, default=40_000, help="pairs to train on")
    parser.add_argument("--seed", type=int, default=1, help="of the sentences")
    parser.add_argument("--output", type=str, required=True, help="directory, new or empty")


_COMMANDS = {
    "main": Command(
        run_main,
        (_add_corpus, _add_seed, _add_jobs, _add_time_limit, _add_training),
        "train two architectures, register and serve the better one",
        preset="quick",
        architectures="rnn,transformer",
    ),
    "describe": Command(
        run_describe,
        (_add_describe, _add_json),
        "layers, parameters and arithmetic of a model",
        preset="tiny",
        architectures="transformer",
    ),
    "compare": Command(
        run_compare,
        (_add_corpus, _add_comparison, _add_jobs, _add_training),
        "train architectures with several seeds and tell whether they differ",
        preset="quick",
        architectures="rnn,lstm,gru,rnn-attention,lstm-attention,gru-attention,transformer",
    ),
    "prepare": Command(run_prepare, (_add_corpus,), "read a corpus and report what is odd about it"),
    "train": Command(
        run_train,
        (_add_corpus, _add_seed, _add_time_limit, _add_training),
        "train one model",
        preset="tiny",
        architectures="transformer",
    ),
    "evaluate": Command(
        run_evaluate, (_add_model, _add_corpus, _add_test_set, _add_json, _add_search), "BLEU and chrF of a model"
    ),
    "agreement": Command(
        run_agreement,
        (_add_model, _add_phrasebook_seed, _add_json),
        "how often an en-fr model prefers the right gender and number",
    ),
    "align": Command(run_align, (_add_model, _add_align, _add_figure), "what a model attends to in a sentence pair"),
    "alignment-error": Command(
        run_alignment_error,
        (_add_model, _add_alignment_error, _add_phrasebook_seed, _add_json),
        "how far an en-fr model's attention is from the phrasebook's word links",
    ),
    "gradient-flow": Command(
        run_gradient_flow,
        (_add_model, _add_corpus, _add_test_set, _add_gradient_flow, _add_figure),
        "how much of the loss's gradient reaches each encoder state, before and after training",
    ),
    "register": Command(run_register, (_add_register, _add_backend), "log a trained model and register it"),
    "models": Command(run_models, (_add_name,), "list the versions of a registered model"),
    "promote": Command(
        run_promote,
        (_add_name, _add_promotion, _add_corpus, _add_test_set),
        "make a version the champion if it is better than the present one",
    ),
    "rollback": Command(run_rollback, (_add_name,), "make the champion before the present one the champion again"),
    "translate": Command(run_translate, (_add_model, _add_search), "translate lines from stdin to stdout"),
    "export": Command(
        run_export,
        (_add_model, _add_export, _add_search),
        "write a SavedModel that takes and gives raw strings, or check one",
        backend="tensorflow",
    ),
    "serve": Command(
        run_serve, (_add_served,), "a page and JSON endpoints in front of exported models", backend="tensorflow"
    ),
    "phrasebook": Command(run_phrasebook, (_add_phrasebook,), "write the phrasebook as plain files"),
}
