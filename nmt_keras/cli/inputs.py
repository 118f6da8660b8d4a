"""What several commands are given: a corpus, a preset, a model, a search, a test set."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from nmt_keras.config import ARCHITECTURES, SECTIONS, Preset, SearchConfig
from nmt_keras.errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from nmt_keras.data.parallel_text import Corpus, ParallelText
    from nmt_keras.models.directory import LoadedModel


def load_corpus_option(options: Namespace, only: str | None = None) -> "Corpus":
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
        section = options[name.replace("-", "_")]
        if section is None:
            faults.append(f"--{name} must hold settings, or not be there. Received: null.")
            continue
        try:
            made[name] = make(**section.as_dict())
        except ConfigError as error:
            faults += [f"--{name}.{fault}" for fault in str(error).splitlines()]
    if faults:
        raise ConfigError("\n".join(faults))
    return Preset({name: made.pop(name) for name in architectures}, **made, name=options.preset)


def load_model_option(options: Namespace) -> "LoadedModel":
    """The model of --model."""
    from nmt_keras.models.directory import load_model
    from nmt_keras.tracking.registry import resolve

    return load_model(resolve(options.model))


def search_config(options: Namespace, loaded: "LoadedModel") -> SearchConfig:
    """The model's own settings of the search, but for those that are given."""
    given = {name: options[name] for name in ("beam_size", "length_penalty", "batch_size")}
    return replace(loaded.description.search, **{name: value for name, value in given.items() if value is not None})


def load_test_set(options: Namespace) -> "tuple[ParallelText, str | None, str | None]":
    """The text to evaluate on, its corpus and split (None for files)."""
    if options.source_file is None and options.reference_file is None:
        corpus = load_corpus_option(options, options.split)
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
