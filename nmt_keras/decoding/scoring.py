"""Forced decoding: the probability that a model gives to a translation that is already there."""

from typing import Any

from keras import ops

from nmt_keras.models.base import TranslationModel
from nmt_keras.text.special_tokens import PAD_ID

Tensor = Any


def token_log_probs(
    model: TranslationModel, source_ids: Tensor, target_in_ids: Tensor, target_out_ids: Tensor
) -> Tensor:
    """log p(target token | source, earlier target tokens).

    Args:
        model: any architecture.
        source_ids: (B, S) int32.
        target_in_ids: (B, T) int32, BOS and then the target without its last token.
        target_out_ids: (B, T) int32, the target, ended by EOS.

    Returns:
        (B, T) float32, in nats; 0 at padding.
    """
    logits = model({"source_ids": source_ids, "target_in_ids": target_in_ids}, training=False)
    log_probs = -ops.sparse_categorical_crossentropy(target_out_ids, logits, from_logits=True)
    return ops.where(target_out_ids == PAD_ID, 0.0, log_probs)


def length_penalty(length: Tensor, exponent: float) -> Tensor:
    """((5 + length) / 6)^exponent, which divides a hypothesis's log-probability (Wu et al. 2016).

    Args:
        length: tokens of the hypothesis, EOS included.
        exponent: 0 for no penalty; the larger, the longer the translations.
    """
    return ((5.0 + ops.cast(length, "float32")) / 6.0) ** exponent
