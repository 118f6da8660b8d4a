"""Which positions are real tokens, and which a decoder position may see. True means: may be attended to."""

from typing import Any

from keras import ops

from nmt_keras.text.special_tokens import PAD_ID

Tensor = Any


def padding_mask(ids: Tensor) -> Tensor:
    """True where `ids` (B, S) int32 holds a real token."""
    return ops.not_equal(ids, PAD_ID)


def causal_mask(length: int) -> Tensor:
    """(length, length) bool: position t (row) sees the positions up to and including t."""
    positions = ops.arange(length)
    return positions[:, None] >= positions[None, :]


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis, where only what `mask` allows gets a share.

    Args:
        scores: (..., S) float of any precision; the softmax is computed in float32.
        mask: bool, broadcasts to the shape of `scores`; a row without any True gets equal shares.
    """
    return ops.cast(ops.softmax(ops.where(mask, ops.cast(scores, "float32"), -1e9), axis=-1), scores.dtype)


def reverse_sequences(x: Tensor, mask: Tensor) -> Tensor:
    """The real positions of each sentence from the last to the first; the padding stays behind.

    Args:
        x: (B, S, d) float.
        mask: (B, S) bool, True at real tokens, which come first.

    Returns:
        (B, S, d) float.
    """
    positions = ops.arange(ops.shape(mask)[1])
    lengths = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # (B, 1)
    reversed_positions = ops.where(mask, lengths - 1 - positions, positions)  # (B, S)
    return ops.take_along_axis(x, reversed_positions[:, :, None], axis=1)


def set_slice(x: Tensor, position: Tensor, values: Tensor, axis: int) -> Tensor:
    """`x` with other values at one position of an axis.

    `keras.ops.slice_update` would need XLA with TensorFlow, compiled anew for each shape, and a server that has it.

    Args:
        x: of any shape.
        position: scalar int32.
        values: the shape of `x`, but 1 along the axis.
        axis: counted from 0.
    """
    positions = ops.reshape(ops.arange(ops.shape(x)[axis]), (-1, *(1,) * (len(x.shape) - 1 - axis)))
    return ops.where(positions == position, values, x)
