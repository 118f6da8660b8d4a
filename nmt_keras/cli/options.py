"""The options of `nmt-keras`, in groups that several commands share; each function adds one group to a parser."""

import os
from argparse import ArgumentTypeError

from jsonargparse import ArgumentParser

from nmt_keras.config import Backend

DEMO = ("--architectures", "rnn,lstm,gru,lstm-attention,transformer", "--seeds", "1", "--budget", "400k-tokens")
"""What `compare --demo` stands for; options beside it go before it."""


class InvalidOptionError(ArgumentTypeError, ValueError):
    """What a type of an option raises: argparse tells the text of the one, jsonargparse, for files, of the other."""


def text(value: object) -> str:
    """The type of an option that is taken as it was given, and not read as YAML.

    Raises:
        InvalidOptionError: it is empty, or has bytes that are no characters here.
    """
    if not isinstance(value, str) or not value:
        raise InvalidOptionError(f"must be a text that is not empty, in quotes in a file. Received: {value!r}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidOptionError(f"must be text in the encoding of this locale. Received: {value!r}.") from None
    return value


def path(value: object) -> str:
    """The type of an option that names a file or directory, among others; `~` is the home directory.

    Raises:
        InvalidOptionError: as `text`, or there is no such home directory.
    """
    expanded = os.path.expanduser(text(value))
    if expanded.startswith("~"):
        raise InvalidOptionError(f"starts with ~, which must be a home directory (./~ is a name). Received: {value!r}.")
    return expanded


def paths(value: object) -> str | list[str]:
    """The type of a path of an option that may be repeated, which is checked one by one and all together."""
    return [path(one) for one in value] if isinstance(value, list) else path(value)


def whole(value: object) -> int:
    """The type of a whole number; YAML would read 1:30 as 90, and "#5" as nothing."""
    try:
        return int(str(value))
    except ValueError:
        raise InvalidOptionError(f"must be a whole number. Received: {value!r}.") from None


def number(value: object) -> float:
    """The type of a number, as `whole`."""
    try:
        return float(str(value))
    except ValueError:
        raise InvalidOptionError(f"must be a number. Received: {value!r}.") from None


def add_corpus(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--corpus",
        type=path,
        default="phrasebook",
        help="phrasebook, multi30k, or a directory with train.SRC, train.TGT, valid.SRC, ... or one TSV per split",
    )
    parser.add_argument("--source-language", type=text, default="en", help="code of the source language")
    parser.add_argument("--target-language", type=text, default="fr", help="code of the target language")
    parser.add_argument(
        "--data-dir",
        type=path,
        default=None,
        help="directory that holds multi30k/, in place of a download (default: NMT_KERAS_DATA)",
    )


def add_backend(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--backend",
        type=Backend | None,
        default=None,
        help="Keras backend: tensorflow, jax or torch (default: KERAS_BACKEND, else tensorflow)",
    )


def add_seed(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--seed",
        type=whole,
        default=1,
        help="of weights, dropout, vocabulary and order of the data; not of the phrasebook",
    )


def add_comparison(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--demo",
        action="store_true",
        help=f"a demonstration: two test sets at most, and, unless given, {' '.join(DEMO)}",
    )
    parser.add_argument(
        "--seeds", type=text, default="1,2,3", help="whole numbers with commas; each architecture is trained with each"
    )
    parser.add_argument(
        "--budget",
        type=text,
        default=None,
        help="limit of each training, such as 10min, 2M-tokens (of the target) or 20epochs (default: the preset's)",
    )


def add_jobs(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=whole,
        default=None,
        help="trainings at once, each on its share of the CPUs (default: 2 on one device without a GPU or a time "
        "limit, else 1)",
    )


def add_time_limit(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--max-minutes",
        type=number,
        default=None,
        help="limit of a training's wall time, from the start of its process, with loading, compilation and "
        "validation; time before an interruption counts, too",
    )


def add_training(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        action="config",
        help="YAML file with any of these options but --preset, --demo and the architectures",
    )
    parser.add_argument(
        "--output",
        type=path,
        default=None,
        help="directory; an unfinished training there goes on (default: a name in outputs/)",
    )
    parser.add_argument("--devices", type=text, default="1", help="devices that share each batch: a number, or all")
    parser.add_argument(
        "--init-from",
        type=path,
        default=None,
        help="model (as --model elsewhere) whose weights and vocabulary to start from; of the same sizes",
    )
    add_backend(parser)


def add_model(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=path,
        default="models:/nmt-en-fr@champion",
        help="a directory, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID/model",
    )
    add_backend(parser)


def add_search(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--beam-size",
        type=whole,
        default=None,
        help="hypotheses kept in the search; 1 is greedy (default: the model's)",
    )
    parser.add_argument(
        "--length-penalty",
        type=number,
        default=None,
        help="the larger, the longer the translations (default: the model's)",
    )
    parser.add_argument(
        "--batch-size", type=whole, default=None, help="sentences searched at once (default: the model's)"
    )


def add_hypotheses(parser: ArgumentParser) -> None:
    parser.add_argument("--output", type=path, default=None, help="file for the translations, one a line")


def add_n_best(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--n-best",
        type=whole,
        default=None,
        help="print up to so many translations of each sentence, a line each: number, score and translation, with tabs "
        "between them",
    )


def add_test_set(parser: ArgumentParser) -> None:
    parser.add_argument("--split", type=text, default="test", help="split of the corpus to test on")
    parser.add_argument("--source-file", type=path, default=None, help="sources, a line each, instead of a corpus")
    parser.add_argument("--reference-file", type=path, default=None, help="their references, a line each")


def add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_export(parser: ArgumentParser) -> None:
    parser.add_argument("--output", type=path, default="export", help="directory; the model becomes its next version")
    parser.add_argument(
        "--check", type=path, default=None, help="write nothing, but check the exported model in this directory"
    )
    parser.add_argument(
        "--source-file",
        type=path,
        default=None,
        help="sentences that must come out as they do here (default: validation sentences kept from the training)",
    )
    parser.add_argument(
        "--max-source-tokens",
        type=whole,
        default=256,
        help="longer sources are split into sentences, longer sentences are cut",
    )
    parser.add_argument("--max-beam-size", type=whole, default=10, help="largest beam that a request may ask for")
    parser.add_argument("--license", type=text, default=None, help="licence of the model, for its card")
    parser.add_argument(
        "--xla", action="store_true", help="compile the search with XLA, which a server must have (see docs/serving.md)"
    )


def add_served(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=paths,
        action="append",
        required=True,
        help="an exported model, a model directory, models:/NAME@ALIAS or runs:/RUN_ID/MODEL_NAME; may be repeated",
    )
    parser.add_argument("--host", type=text, default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=whole, default=8080, help="port to listen on")
    parser.add_argument("--max-batch", type=whole, default=64, help="sentences computed at once")
    parser.add_argument(
        "--max-waiting",
        type=whole,
        default=256,
        help="sentences that may wait for each model; to more the answer is 503",
    )
    parser.add_argument(
        "--max-seconds", type=number, default=60.0, help="longest time to an answer; after that it is 504"
    )
    parser.add_argument(
        "--reload-seconds", type=number, default=30.0, help="time between looks at whether an alias has moved"
    )


def add_phrasebook_seed(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=whole, default=1, help="of the phrasebook that the model was trained on")


def add_alignment_error(parser: ArgumentParser) -> None:
    parser.add_argument("--split", type=text, default="test", help="split of the phrasebook")


def add_figure(parser: ArgumentParser) -> None:
    parser.add_argument("--output", type=path, required=True, help="FILE.png or .svg: a figure; FILE.json: all numbers")


def add_attention(parser: ArgumentParser) -> None:
    parser.add_argument("--source", type=text, required=True, help="a sentence")
    parser.add_argument("--target", type=text, default=None, help="its translation; by default the model's own")
    parser.add_argument("--words", action="store_true", help="merge the tokens of each word")
    parser.add_argument(
        "--kind",
        type=text,
        default="cross",
        help="attention in the figure: cross and, of a Transformer, encoder_self or decoder_self",
    )
    parser.add_argument("--layer", type=whole, default=None, help="layer in the figure, from 0 (default: their mean)")
    parser.add_argument("--head", type=whole, default=None, help="head in the figure, from 0 (default: their mean)")


def add_gradient_flow(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--length",
        type=whole,
        default=None,
        help="length of the sources that are looked at, in tokens with EOS (default: the most frequent)",
    )
    parser.add_argument("--seed", type=whole, default=1, help="of the untrained model's weights")


def add_name(parser: ArgumentParser) -> None:
    parser.add_argument("--name", type=text, default="nmt-en-fr", help="name of the registered model")


def add_register(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=path, required=True, help="a trained model: its directory, or as --model elsewhere"
    )
    parser.add_argument("--name", type=text, default=None, help="name to register it under (default: nmt-SRC-TGT)")


def add_promotion(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=path,
        default=None,
        help="models:/NAME@ALIAS, models:/NAME/VERSION, or a logged model, which becomes the next version "
        "(default: the candidate)",
    )
    parser.add_argument("--min-gain", type=number, default=0.5, help="BLEU to gain over the champion, significantly")
    parser.add_argument(
        "--max-fall", type=number, default=2.0, help="BLEU that sentences of one length may lose at most"
    )
    parser.add_argument(
        "--max-milliseconds",
        type=number,
        default=None,
        help="largest median time of one sentence (default: no limit)",
    )
    parser.add_argument(
        "--export-sentences",
        type=whole,
        default=50,
        help="test sentences that the registered export must translate as the model in memory",
    )
    parser.add_argument("--dry-run", action="store_true", help="measure, print the decision, and change nothing")
    parser.add_argument("--force", action="store_true", help="promote even if a rule is broken; its tags record that")


def add_describe(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--length", type=whole, default=25, help="tokens of source and target that the arithmetic is counted for"
    )


def add_phrasebook(parser: ArgumentParser) -> None:
    parser.add_argument("--size", type=whole, default=40_000, help="pairs to train on")
    parser.add_argument("--seed", type=whole, default=1, help="of the sentences")
    parser.add_argument("--output", type=path, required=True, help="directory, new or empty")
