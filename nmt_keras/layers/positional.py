"""Positions, which attention alone cannot tell: sinusoidal (Vaswani et al. 2017, section 3.5) or learned."""

import math
from typing import Any

import keras
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


class LearnedPositions(keras.layers.Layer):
    """A trained vector for each of the first positions (Gehring et al. 2017); later positions share the last one.

    Args:
        max_positions: number of vectors.
        model_dim: d.
    """

    def __init__(self, max_positions: int, model_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_positions = max_positions
        self.model_dim = model_dim

    def build(self, input_shape: Any = None) -> None:
        self.positions = self.add_weight(
            name="positions",
            shape=(self.max_positions, self.model_dim),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, positions: Tensor) -> Tensor:
        """Positions (...,) int32, counted from 0 -> (..., d)."""
        return ops.take(self.positions, ops.minimum(positions, self.max_positions - 1), axis=0)
