"""Token embeddings whose matrix can also be the output projection."""

import math
from typing import Any

import keras
from keras import ops

Tensor = Any


class TiedEmbedding(keras.layers.Layer):
    """Embedding E (V, d), scaled by sqrt(d) on the way in; logits x E^T + b on the way out.

    E is drawn with variance 0.5625 / d: logits of a normalized x have variance 0.5625, which costs 0.28 nats over the
    uniform distribution, so that a new model's loss lies within 5% of ln V.

    Args:
        vocabulary_size: V.
        model_dim: d.
        projects: whether `logits` is used, and needs a bias.

    Reference: Press and Wolf 2017; Vaswani et al. 2017, section 3.4.
    """

    def __init__(self, vocabulary_size: int, model_dim: int, projects: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.model_dim = model_dim
        self.projects = projects

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.vocabulary_size, self.model_dim),
            initializer=keras.initializers.RandomNormal(stddev=0.75 * self.model_dim**-0.5),
        )
        if self.projects:
            self.bias = self.add_weight(name="bias", shape=(self.vocabulary_size,), initializer="zeros")

    def call(self, ids: Tensor) -> Tensor:
        """ids (...,) int32 -> (..., d)."""
        return ops.take(self.embeddings, ids, axis=0) * math.sqrt(self.model_dim)

    def logits(self, x: Tensor) -> Tensor:
        """x (..., d) -> (..., V)."""
        # Outside `call`, not every backend casts weights to what the layer computes in.
        embeddings, bias = (ops.cast(weight, x.dtype) for weight in (self.embeddings, self.bias))
        return ops.matmul(x, ops.transpose(embeddings)) + bias
