"""A SavedModel that takes and gives raw strings, and needs nothing of this project to run."""

import shutil
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from nmt_keras.config import SearchConfig
from nmt_keras.decoding.search import beam_search
from nmt_keras.errors import ConfigError
from nmt_keras.models.directory import LoadedModel


class TranslationServer(tf.Module):
    """Tokenizer, model and beam search in one graph.

    Args:
        loaded: the model.
        config: how translations are searched for; fixed in the graph.
    """

    def __init__(self, loaded: LoadedModel, config: SearchConfig) -> None:
        super().__init__(name="translation_server")
        self.tokenizer = loaded.tokenizer
        self.model = loaded.model
        self.config = config

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="source")])
    def translate(self, source: Any) -> dict[str, Any]:
        """Sentences (B,) string -> {"translation": (B,) string, "score": (B,) float32}; empty stays empty."""
        ids = self.tokenizer.encode(source)
        empty = ids.row_lengths() == 1  # nothing but EOS
        hypotheses, scores = beam_search(self.model, ids.to_tensor(), self.config)
        return {
            "translation": tf.where(empty, "", self.tokenizer.decode(hypotheses[:, 0])),
            "score": tf.where(empty, 0.0, scores[:, 0]),
        }


def export_savedmodel(
    loaded: LoadedModel, directory: Path, config: SearchConfig | None = None, version: int = 1
) -> Path:
    """Writes DIRECTORY/VERSION/saved_model.pb, the layout that TensorFlow Serving watches.

    The signature `serving_default` has the input `source` and the outputs `translation` and `score`. A program that
    loads it must import tensorflow_text, which registers the tokenizer's operations.

    Args:
        loaded: the model.
        directory: made if it is not there.
        config: how translations are searched for; the model's own settings by default.
        version: names the subdirectory.

    Returns:
        DIRECTORY/VERSION.

    Raises:
        ConfigError: the version is there already, or Keras runs on another backend.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"export needs the TensorFlow backend; models of every backend can be exported with it. "
            f"Received: backend {keras.backend.backend()}. Give --backend tensorflow."
        )
    path = directory / str(version)
    if path.exists():
        raise ConfigError(f"--output must not hold version {version} yet. Received: {path}, which exists.")
    server = TranslationServer(loaded, config or loaded.description.search)
    beside = directory / f".{version}.partial"
    try:
        tf.saved_model.save(server, str(beside), signatures={"serving_default": server.translate})
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return path
