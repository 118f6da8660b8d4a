"""The commands that translate: lines, a test set; and the one that writes the phrasebook."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from nmt_keras.cli.inputs import check_languages, load_model_option, load_test_set, search_config
from nmt_keras.config import out_of_range, raise_faults
from nmt_keras.errors import ConfigError, UserError
from nmt_keras.system.files import atomic_write
from nmt_keras.system.streams import require_open

if TYPE_CHECKING:
    pass

_WRITTEN_AT_ONCE = 10_000
"""Sentences that are translated before any translation is written: an interruption costs no more."""


def run_translate(options: Namespace) -> None:
    from nmt_keras.decoding.translator import Translator
    from nmt_keras.system.progress import progress_bar

    require_open("stdin")
    loaded = load_model_option(options)
    search = search_config(options, loaded)
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


def run_evaluate(options: Namespace) -> None:
    from nmt_keras.analysis.evaluation import evaluate
    from nmt_keras.decoding.translator import Translator
    from nmt_keras.metrics.tokenization import length_unit

    if options.output is not None and Path(options.output).is_dir():
        raise ConfigError(f"--output must be a file. Received: {options.output}, a directory.")
    text, corpus, split = load_test_set(options)
    loaded = load_model_option(options)
    check_languages(options, loaded)
    search = search_config(options, loaded)
    languages = loaded.description.source_language, loaded.description.target_language
    evaluation = evaluate(Translator(loaded.model, loaded.tokenizer, search), text, *languages)
    if options.output is not None:
        with atomic_write(Path(options.output)) as temporary:
            temporary.write_bytes(b"".join(map(_line, evaluation.hypotheses)))
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
        print(f"{lengths:>8} {length_unit(languages[0])}: {row['sentences']:5d} sentences, {scores}")


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
