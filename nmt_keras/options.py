"""The options of `nmt-keras`, in groups that several commands share; each function adds one group to a parser."""

from jsonargparse import ArgumentParser

from nmt_keras.config import Backend

QUICK = ("--architectures", "rnn,lstm,gru,lstm-attention,transformer", "--seeds", "1", "--budget", "400k-tokens")
"""What `compare --quick` stands for; options beside it go before it."""


def add_corpus(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--corpus",
        type=str,
        default="phrasebook",
        help="phrasebook, multi30k, or a directory with train.SRC, train.TGT, valid.SRC, ... or one TSV per split",
    )
    parser.add_argument("--source-language", type=str, default="en", help="code of the source language")
    parser.add_argument("--target-language", type=str, default="fr", help="code of the target language")
    parser.add_argument(
        "--data-dir", type=str | None, default=None, help="read named corpora here instead of downloading them"
    )


def add_backend(parser: ArgumentParser) -> None:
    parser.add_argument("--backend", type=Backend | None, default=None, help="Keras backend")


def add_seed(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of weights, dropout, vocabulary and order")


def add_comparison(parser: ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help=f"two test sets at most, and {' '.join(QUICK)}")
    parser.add_argument("--seeds", type=str, default="1,2,3", help="each architecture is trained with each of them")
    parser.add_argument(
        "--budget",
        type=str | None,
        default=None,
        help="of each training, such as 10min, 2M-tokens or 20epochs (default: what the preset says)",
    )


def add_jobs(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=int | None,
        default=None,
        help="trainings at once, each on its share of the CPUs (default: 2 without a GPU or a time limit, else 1)",
    )


def add_time_limit(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--max-minutes",
        type=float | None,
        default=None,
        help="wall time of a training, from the start of the process; that before an interruption counts too",
    )


def add_training(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        action="config",
        help="YAML file with any of these options but --preset, --quick and the architectures",
    )
    parser.add_argument("--output", type=str | None, default=None, help="directory; made if it is not there")
    parser.add_argument("--devices", type=str, default="1", help="number of devices, or all")
    parser.add_argument("--init-from", type=str | None, default=None, help="model whose weights to start from")
    add_backend(parser)


def add_model(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=str,
        default="models:/nmt-en-fr@champion",
        help="a directory, models:/NAME@ALIAS or runs:/RUN_ID/MODEL_NAME",
    )
    add_backend(parser)


def add_search(parser: ArgumentParser) -> None:
    parser.add_argument("--beam-size", type=int | None, default=None, help="hypotheses kept; 1 is greedy")
    parser.add_argument("--length-penalty", type=float | None, default=None, help="the larger, the longer")
    parser.add_argument("--batch-size", type=int | None, default=None, help="sentences searched at once")


def add_hypotheses(parser: ArgumentParser) -> None:
    parser.add_argument("--output", type=str | None, default=None, help="file for the translations, one a line")


def add_n_best(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--n-best",
        type=int | None,
        default=None,
        help="translations of each sentence; each line then is the sentence's number, the score and the translation, "
        "with tabs between them",
    )


def add_test_set(parser: ArgumentParser) -> None:
    parser.add_argument("--split", type=str, default="test", help="of the corpus")
    parser.add_argument("--source-file", type=str | None, default=None, help="instead of a corpus")
    parser.add_argument("--reference-file", type=str | None, default=None, help="instead of a corpus")


def add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_export(parser: ArgumentParser) -> None:
    parser.add_argument("--output", type=str, default="export", help="directory; the model becomes its next version")
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


def add_served(parser: ArgumentParser) -> None:
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


def add_phrasebook_seed(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="of the phrasebook that the model was trained on")


def add_alignment_error(parser: ArgumentParser) -> None:
    parser.add_argument("--split", type=str, default="test", help="of the phrasebook")


def add_figure(parser: ArgumentParser) -> None:
    parser.add_argument("--output", type=str, required=True, help="FILE.png or .svg: a figure; FILE.json: all numbers")


def add_align(parser: ArgumentParser) -> None:
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


def add_gradient_flow(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--length",
        type=int | None,
        default=None,
        help="tokens of the sources, EOS included; by default what most of them have",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the untrained model's weights")


def add_name(parser: ArgumentParser) -> None:
    parser.add_argument("--name", type=str, default="nmt-en-fr", help="of the registered model")


def add_register(parser: ArgumentParser) -> None:
    parser.add_argument("--model", type=str, required=True, help="directory of a trained model")
    parser.add_argument("--name", type=str | None, default=None, help="to register it under (default: nmt-SRC-TGT)")


def add_promotion(parser: ArgumentParser) -> None:
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


def add_describe(parser: ArgumentParser) -> None:
    parser.add_argument("--length", type=int, default=25, help="source and target tokens that the arithmetic is for")


def add_phrasebook(parser: ArgumentParser) -> None:
    parser.add_argument("--size", type=int, default=40_000, help="pairs to train on")
    parser.add_argument("--seed", type=int, default=1, help="of the sentences")
    parser.add_argument("--output", type=str, required=True, help="directory, new or empty")
