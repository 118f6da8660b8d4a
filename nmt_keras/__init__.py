"""Train, compare, register and serve neural machine translation models on your own parallel text.

    import nmt_keras

    corpus = nmt_keras.load_corpus("phrasebook")  # or a directory
    model = nmt_keras.train(corpus, "transformer", preset="quick", output="out")
    model.translate("I am eating.")  # str -> str, list -> list
    nmt_keras.load("models:/nmt-en-fr@champion").translate(["I am eating."], beam_size=5)

Heavy packages are imported when a name of this module is first used. The Keras backend is the one that
KERAS_BACKEND names; TensorFlow by default.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nmt_keras.api import Model, compare, evaluate, export, load, train
    from nmt_keras.config import (
        ARCHITECTURES,
        PRESETS,
        Preset,
        RecurrentAttentionConfig,
        RecurrentConfig,
        SearchConfig,
        TrainingConfig,
        TransformerConfig,
        VocabularyConfig,
        load_preset,
    )
    from nmt_keras.data.corpora import load_corpus
    from nmt_keras.data.parallel_text import Corpus, ParallelText
    from nmt_keras.errors import ConfigError, CorpusError, DamagedFileError, ModelError, TrainingError, UserError

__all__ = [
    "ARCHITECTURES",
    "PRESETS",
    "ConfigError",
    "Corpus",
    "CorpusError",
    "DamagedFileError",
    "Model",
    "ModelError",
    "ParallelText",
    "Preset",
    "RecurrentAttentionConfig",
    "RecurrentConfig",
    "SearchConfig",
    "TrainingConfig",
    "TrainingError",
    "TransformerConfig",
    "UserError",
    "VocabularyConfig",
    "compare",
    "evaluate",
    "export",
    "load",
    "load_corpus",
    "load_preset",
    "train",
]

_API = {"Model", "compare", "evaluate", "export", "load", "train"}
_DATA = {"load_corpus": "data.corpora", "Corpus": "data.parallel_text", "ParallelText": "data.parallel_text"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _API:
        module = "api"
    elif name in _DATA:
        module = _DATA[name]
    else:
        module = "errors" if name.endswith("Error") else "config"
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
