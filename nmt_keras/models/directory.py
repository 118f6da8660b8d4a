"""A trained model on disk: weights, vocabulary and description, which belong together.

model.json            architecture, model_config, languages, the vocabulary's hash, search settings, lineage
vocabulary.model      the SentencePiece model
model.weights.h5      the weights, readable on every backend
held_out.json         some sentences that it was not trained on, by which exports of it are checked
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from nmt_keras.config import ARCHITECTURES, ArchitectureConfig, SearchConfig
from nmt_keras.errors import ConfigError, DamagedFileError, ModelError
from nmt_keras.models.base import TranslationModel
from nmt_keras.models.factory import build_model
from nmt_keras.system.files import atomic_write, read_json, write_json
from nmt_keras.text.tokenizer import Tokenizer

_FORMAT = 2
DESCRIPTION, VOCABULARY, WEIGHTS = MODEL_FILES = ("model.json", "vocabulary.model", "model.weights.h5")
"""The files that decide how a model directory translates."""
HELD_OUT = "held_out.json"
_HDF5_BYTES = 2048  # of one array in an HDF5 file, beside its content; less in truth


@dataclass(frozen=True)
class ModelDescription:
    """What is needed, beside weights and vocabulary, to use a model.

    Args:
        architecture: name, as `--architecture` takes it.
        model_config: sizes and rates of the architecture.
        source_language: code of the language it reads.
        target_language: code of the language it writes.
        vocabulary_sha256: hash of the vocabulary it was trained with.
        search: how it translates by default.
        lineage: the models it was initialised from, the nearest first.
    """

    architecture: str
    model_config: ArchitectureConfig
    source_language: str
    target_language: str
    vocabulary_sha256: str
    search: SearchConfig
    lineage: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelDescription":
        """The description that `asdict` turned into `values`."""
        values = dict(values)
        texts = ("source_language", "target_language", "vocabulary_sha256")
        if not all(isinstance(text, str) for text in (*(values[name] for name in texts), *values["lineage"])):
            raise ValueError(f"{', '.join(texts)} and lineage must be texts")
        return cls(
            **values
            | {
                "model_config": ARCHITECTURES[values["architecture"]].configure(**values["model_config"]),
                "search": SearchConfig(**values["search"]),
                "lineage": tuple(values["lineage"]),
            }
        )


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for use."""

    model: TranslationModel
    tokenizer: Tokenizer
    description: ModelDescription


def save_description(directory: Path, tokenizer: Tokenizer, description: ModelDescription) -> None:
    """Writes the vocabulary and the description; the weights follow with `save_weights`."""
    with atomic_write(directory / VOCABULARY) as temporary:
        temporary.write_bytes(tokenizer.proto)
    write_json(directory / DESCRIPTION, {"format": _FORMAT} | asdict(description))


def load_vocabulary(directory: Path) -> Tokenizer:
    """The vocabulary that `save_description` wrote."""
    return Tokenizer((directory / VOCABULARY).read_bytes())


def save_weights(directory: Path, model: TranslationModel) -> None:
    """Writes the weights of a model that was not compiled (else the optimizer's state would go with them)."""
    write_weights(directory / WEIGHTS, model)


def write_weights(path: Path, model: keras.Model) -> None:
    """Writes the weights of a model, and of its optimizer, as PATH.weights.h5."""
    optimizer = getattr(model, "optimizer", None)  # a model that was not compiled has none
    variables = [*model.variables, *(optimizer.variables if optimizer else ())]
    size = sum(math.prod(variable.shape) * 4 + _HDF5_BYTES for variable in variables)
    # HDF5 ends its process, even where the error is caught, if a file finds no room.
    with atomic_write(path, size) as temporary:
        model.save_weights(temporary)


def save_held_out(directory: Path, sentences: Sequence[str]) -> None:
    """Writes sentences of the source language that the model is not trained on."""
    write_json(directory / HELD_OUT, list(sentences))


def weights_sha256(directory: Path) -> str:
    """The hash of a model's weights, hexadecimal."""
    return hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()


def read_held_out(directory: Path) -> list[str]:
    """The sentences that `save_held_out` wrote; none where there is no such file.

    Raises:
        DamagedFileError: the file holds something else.
    """
    path = directory / HELD_OUT
    sentences: list[str] = read_json(path, list) if path.is_file() else []
    if not all(isinstance(sentence, str) and _encodable(sentence) for sentence in sentences):
        raise DamagedFileError(f"{path} must be a list of sentences. Received: something else in it.")
    return sentences


def _encodable(text: str) -> bool:
    """Whether UTF-8 can spell a text; JSON can hold half a character."""
    return text == text.encode(errors="ignore").decode()


def load_model(directory: Path) -> LoadedModel:
    """Reads a model directory.

    Raises:
        ModelError: a file is missing or unreadable, or the vocabulary is not the one of the training.
    """
    missing = [name for name in MODEL_FILES if not (directory / name).is_file()]
    if missing:
        raise ModelError(
            f"A model directory holds {DESCRIPTION}, {VOCABULARY} and {WEIGHTS}. "
            f"Received: {directory} without {', '.join(missing)}. "
            f"Train one with `nmt-keras train --output {directory}`."
        )
    try:
        values = read_json(directory / DESCRIPTION)
        if values.pop("format") != _FORMAT:
            raise ValueError(f"this version reads format {_FORMAT}")
        description = ModelDescription.from_json(values)
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
        raise ModelError(f"{directory / DESCRIPTION} is not a model description: {error!r}.") from None
    proto = (directory / VOCABULARY).read_bytes()
    if (sha256 := hashlib.sha256(proto).hexdigest()) != description.vocabulary_sha256:
        raise ModelError(
            f"The vocabulary must be the one that the model was trained with, whose SHA-256 is "
            f"{description.vocabulary_sha256}. Received: {directory / VOCABULARY} with {sha256}."
        )
    try:
        tokenizer = Tokenizer(proto)
    except RuntimeError as error:
        raise ModelError(f"{directory / VOCABULARY} is no SentencePiece model: {error}.") from None
    model = build_model(description.model_config, tokenizer.vocabulary_size)
    try:
        model.load_weights(directory / WEIGHTS)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{directory / WEIGHTS} does not fit the {description.architecture} that {DESCRIPTION} "
            f"describes: {str(error).splitlines()[0]}"
        ) from None
    return LoadedModel(model, tokenizer, description)
