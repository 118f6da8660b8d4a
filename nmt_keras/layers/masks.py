"""Which positions are real tokens, and which a decoder position may see. True means: may be attended to."""

from typing import Any

from keras import ops

from nmt_keras.special_tokens import PAD_ID

Tensor = Any


def padding_mask(ids: Tensor) -> Tensor:
    """True where `ids` (B, S) int32 holds a real token."""
    return ops.not_equal(ids, PAD_ID)


def causal_mask(length: int) -> Tensor:
    """(length, length) bool: position t (row) sees the positions up to and including t."""
    positions = ops.arange(length)
    return positions[:, None] >= positions[None, :]
