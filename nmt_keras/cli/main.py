"""The command line: `nmt-keras COMMAND`, and the same functions behind `python -m pipelines.COMMAND`.

Heavy packages are imported by the command that needs them, after the backend is chosen.
"""

import atexit
import getpass
import os
import re
import shlex
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from typing import get_args

from jsonargparse import ArgumentParser, Namespace

from nmt_keras.cli.analyse import (
    run_agreement,
    run_alignment_error,
    run_attention,
    run_describe,
    run_gradient_flow,
)
from nmt_keras.cli.options import (
    DEMO,
    add_alignment_error,
    add_attention,
    add_comparison,
    add_corpus,
    add_describe,
    add_export,
    add_figure,
    add_gradient_flow,
    add_hypotheses,
    add_jobs,
    add_json,
    add_model,
    add_n_best,
    add_name,
    add_phrasebook,
    add_phrasebook_seed,
    add_promotion,
    add_register,
    add_search,
    add_seed,
    add_served,
    add_test_set,
    add_time_limit,
    add_training,
)
from nmt_keras.cli.registry import run_models, run_promote, run_register, run_rollback
from nmt_keras.cli.serve import run_export, run_serve
from nmt_keras.cli.train import run_compare, run_main, run_prepare, run_train
from nmt_keras.cli.translate import run_evaluate, run_phrasebook, run_translate
from nmt_keras.config import ARCHITECTURES, PRESETS, SECTIONS, Backend, load_preset
from nmt_keras.errors import ConfigError, TrainingError, UserError, user_message
from nmt_keras.system.allocator import keep_freed_memory
from nmt_keras.system.processes import end_on_signals
from nmt_keras.system.streams import discard, discard_unwritable, require_open, usable_streams
from nmt_keras.version import VERSION


@dataclass(frozen=True)
class Command:
    """One command of `nmt-keras`.

    Args:
        run: does it, with the parsed options; returns the exit code, or None for 0.
        options: functions that add its options to a parser.
        help: what it does, in a few words.
        preset: the default of --preset; None for a command that trains nothing.
        architectures: the default of --architectures, or of --architecture if it is one.
        backend: the default of --backend, or what a command without that option uses, even if it needs none; the
            environment's where it is None.
        only_prints: whether nothing is left of it but what it prints.
    """

    run: Callable[[Namespace], int | None]
    options: tuple[Callable[[ArgumentParser], None], ...]
    help: str
    preset: str | None = None
    architectures: str = ""
    backend: Backend | None = None
    only_prints: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0, 2 for wrong usage or input and for a refused promotion, 1 for anything else.
    """
    with usable_streams():
        if threading.current_thread() is threading.main_thread():
            end_on_signals()
        arguments = [_hyphenated(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
        if arguments[:1] == ["compare"] and "--demo" in arguments:
            arguments[1:1] = DEMO
        try:
            return _run(arguments)
        except KeyboardInterrupt:
            print(f"nmt-keras: interrupted. {_goes_on(arguments)}".rstrip(), file=sys.stderr)
            return 1
        except BrokenPipeError:  # the reader of our output has gone
            discard(sys.stdout)
            return 1
        except Exception as error:
            if (message := user_message(error)) is None:
                raise
            goes_on = "" if isinstance(error, UserError) else _goes_on(arguments)
            print(f"nmt-keras: {message} {goes_on}".rstrip(), file=sys.stderr)
            discard_unwritable()
            return 2 if isinstance(error, UserError) and not isinstance(error, TrainingError) else 1


def _run(arguments: Sequence[str]) -> int:
    name, options = _parse(arguments)
    command = _COMMANDS[name]
    options.command_line = shlex.join(["nmt-keras", *arguments])
    if command.only_prints:
        require_open("stdout")
    _choose_backend(options.get("backend") or command.backend)
    _provide_home()
    keep_freed_memory()
    code = command.run(options) or 0
    sys.stdout.flush()
    return code


def _goes_on(arguments: Sequence[str]) -> str:
    return "With the same --output a training goes on from its last epoch." if arguments[:1] in _TRAINING else ""


def _hyphenated(argument: str) -> str:
    """--max_minutes as --max-minutes: MLflow spells parameters with underscores."""
    return re.sub(r"^--[a-z_]+(?==|$)", lambda option: option[0].replace("_", "-"), argument)


def _parse(arguments: Sequence[str]) -> tuple[str, Namespace]:
    _check_values(arguments)
    parser = ArgumentParser(
        allow_abbrev=False,
        prog="nmt-keras",
        description="Train, compare, register and serve neural machine translation models.",
        version=VERSION,
    )
    commands = parser.add_subcommands(dest="command")
    decisive: dict[str, dict[str, str]] = {}
    for name, command in _COMMANDS.items():
        subparser = ArgumentParser(
            allow_abbrev=False, prog=f"nmt-keras {name}", description=command.help, print_config="--print-config"
        )
        for add_options in command.options:
            add_options(subparser)
        if command.preset is not None:
            decisive[name] = _add_sections(subparser, command, arguments)
        commands.add_subcommand(name, subparser, help=command.help)
    try:
        parsed = parser.parse_args(list(arguments))
    except (UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"A file of --config must be YAML in UTF-8. Received: {error}.") from None
    options = parsed[parsed.command]
    if options.get("demo") and "--demo" not in arguments:
        raise ConfigError("--demo must be given on the command line, not in a file.")
    for option, value in decisive.get(parsed.command, {}).items():
        if options[option] != value:
            raise ConfigError(
                f"--{option} must be given on the command line, not in a file. Received: {options[option]!r} in a file."
            )
    return parsed.command, options


def _check_values(arguments: Sequence[str]) -> None:
    """Settings are read as YAML, to which "#5" is a comment, and so null, and 1:30 is 90."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, given, value = argument.partition("=")
        value = (value if given else following).strip()
        if re.fullmatch(r"--(backend|\w[\w-]*\.\w+)", option) and re.match(r"#|[-+]?\d+:", value):
            raise ConfigError(f"{option} must be a number, a name, true, false or null. Received: {value!r}.")


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
    option = "architectures" if "," in command.architectures else "architecture"
    value = _given(arguments, f"--{option}", command.architectures)
    names = value.split(",") if option == "architectures" else [value]
    defaults = load_preset(preset, names)
    parser.add_argument("--preset", type=str, default=preset, help=f"one of {', '.join(PRESETS)}")
    parser.add_argument(
        f"--{option}",
        type=str,
        default=value,
        help=f"{'with commas, of' if option == 'architectures' else 'one of'} {', '.join(ARCHITECTURES)}",
    )
    sections = {name: getattr(defaults, name) for name in SECTIONS} | dict(defaults.architectures)
    for name, section in sections.items():
        fixed = ARCHITECTURES[name].fixed if name in ARCHITECTURES else {}
        parser.add_class_arguments(type(section), name, skip=set(fixed))
        parser.set_defaults({f"{name}.{key}": item for key, item in asdict(section).items() if key not in fixed})
    return {"preset": preset, option: value}


def _choose_backend(backend: Backend | None) -> None:
    if backend:
        os.environ["KERAS_BACKEND"] = backend
    chosen = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if chosen not in get_args(Backend):
        raise ConfigError(f"KERAS_BACKEND must be one of {', '.join(get_args(Backend))}. Received: {chosen!r}.")
    if find_spec(chosen) is None:
        raise ConfigError(
            f"The backend {chosen} needs the package {chosen}. Received: it is not installed. "
            f"pip install 'nmt-keras[{chosen}]' installs it."
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _provide_home() -> None:
    """Gives a user without a home directory, as containers have them, one for the time of the process: Keras,
    Matplotlib and caches would make a directory named "~" otherwise."""
    if not os.path.isdir(os.path.expanduser("~")):
        home = TemporaryDirectory(prefix="nmt_keras-", ignore_cleanup_errors=True)
        os.environ["HOME"] = home.name
        atexit.register(home.cleanup)
    try:
        getpass.getuser()
    except (KeyError, OSError):  # MLflow asks for the name
        os.environ["USER"] = str(os.getuid())


_TRAINING = (["main"], ["compare"], ["train"])
_COMMANDS = {
    "main": Command(
        run_main,
        (add_corpus, add_seed, add_jobs, add_time_limit, add_training),
        "train two architectures, register the better one and translate with it",
        preset="quick",
        architectures="rnn,transformer",
    ),
    "compare": Command(
        run_compare,
        (add_corpus, add_comparison, add_jobs, add_training),
        "train several architectures with several seeds, test their differences and write a report",
        preset="quick",
        architectures="rnn,lstm,gru,rnn-attention,lstm-attention,gru-attention,transformer",
    ),
    "prepare": Command(
        run_prepare, (add_corpus,), "read a corpus and report what is odd in it", backend="tensorflow", only_prints=True
    ),
    "train": Command(
        run_train,
        (add_corpus, add_seed, add_time_limit, add_training),
        "train one model",
        preset="tiny",
        architectures="transformer",
    ),
    "evaluate": Command(
        run_evaluate,
        (add_model, add_corpus, add_test_set, add_json, add_search, add_hypotheses),
        "measure BLEU and chrF of a model on a test set",
        only_prints=True,
    ),
    "describe": Command(
        run_describe,
        (add_describe, add_json),
        "list the layers, parameters and arithmetic of an architecture",
        preset="tiny",
        architectures="transformer",
        backend="tensorflow",
        only_prints=True,
    ),
    "agreement": Command(
        run_agreement,
        (add_model, add_phrasebook_seed, add_json),
        "measure how often an en-fr model prefers the right gender and number",
        only_prints=True,
    ),
    "attention": Command(
        run_attention, (add_model, add_attention, add_figure), "draw what a model attends to in a sentence pair"
    ),
    "alignment-error": Command(
        run_alignment_error,
        (add_model, add_alignment_error, add_phrasebook_seed, add_json),
        "measure how far an en-fr model's attention is from the phrasebook's word links",
        only_prints=True,
    ),
    "gradient-flow": Command(
        run_gradient_flow,
        (add_model, add_corpus, add_test_set, add_gradient_flow, add_figure),
        "measure how much of the loss's gradient reaches each encoder state, before and after training",
        backend="tensorflow",
    ),
    "register": Command(
        run_register, (add_register,), "add a trained model to the registry, as the candidate", backend="tensorflow"
    ),
    "models": Command(
        run_models, (add_name,), "list the versions of a registered model", backend="tensorflow", only_prints=True
    ),
    "promote": Command(
        run_promote,
        (add_name, add_promotion, add_corpus, add_test_set),
        "make a version the champion if it is better than the present one",
        backend="tensorflow",
    ),
    "rollback": Command(
        run_rollback,
        (add_name,),
        "make the champion before the present one the champion again",
        backend="tensorflow",
    ),
    "translate": Command(
        run_translate,
        (add_model, add_search, add_n_best),
        "translate lines from stdin to stdout",
        only_prints=True,
    ),
    "export": Command(
        run_export,
        (add_model, add_export, add_search),
        "write a SavedModel that takes and gives raw strings, or check one",
        backend="tensorflow",
        only_prints=True,
    ),
    "serve": Command(
        run_serve, (add_served,), "serve exported models with a page and JSON endpoints", backend="tensorflow"
    ),
    "phrasebook": Command(
        run_phrasebook, (add_phrasebook,), "write the phrasebook as plain files", backend="tensorflow"
    ),
}
