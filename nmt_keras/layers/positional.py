"""Sinusoidal positions (Vaswani et al. 2017, section 3.5)."""

import math
from typing import Any

from keras import ops

Tensor = Any


def sinusoidal_encoding(positions: Tensor, model_dim: int) -> Tensor:
    """The fixed encoding of positions.

    PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(pos / 10000^(2i/d)). The wave length grows
    with i, from 2 pi to 10000 * 2 pi: low dimensions vary fast, high ones slowly.

    Args:
        positions: (...,) positions, counted from 0.
        model_dim: d, an even number.

    Returns:
        (..., d) float32.
    """
    rates = ops.exp(ops.arange(0, model_dim, 2, dtype="float32") * (-math.log(10_000.0) / model_dim))
    angles = ops.cast(positions, "float32")[..., None] * rates
    waves = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)  # (..., d/2, 2)
    return ops.reshape(waves, (*ops.shape(angles)[:-1], model_dim))
