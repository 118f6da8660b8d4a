"""From the sizes of an architecture to a built model."""

import keras

from nmt_keras.config import (
    ArchitectureConfig,
    Precision,
    RecurrentAttentionConfig,
    RecurrentConfig,
    TransformerConfig,
)
from nmt_keras.models.attention_rnn import RecurrentAttention
from nmt_keras.models.base import TranslationModel
from nmt_keras.models.rnn import RecurrentSeq2Seq
from nmt_keras.models.transformer import Transformer


def build_model(config: ArchitectureConfig, vocabulary_size: int, precision: Precision = "float32") -> TranslationModel:
    """A model with all its weights created, drawn from Keras' current random seed.

    Args:
        config: the sizes; its type is the architecture.
        vocabulary_size: V.
        precision: what the model computes in; its weights are float32.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    try:
        return _built(config, vocabulary_size)
    finally:
        keras.config.set_dtype_policy(before)


def _built(config: ArchitectureConfig, vocabulary_size: int) -> TranslationModel:
    model: TranslationModel
    match config:
        case TransformerConfig():
            model = Transformer(config, vocabulary_size, name="transformer")
        case RecurrentAttentionConfig():
            model = RecurrentAttention(config, vocabulary_size, name=f"{config.cell}_attention")
        case RecurrentConfig():
            model = RecurrentSeq2Seq(config, vocabulary_size, name=config.cell)
    model.build()
    return model
