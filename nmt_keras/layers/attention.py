"""Multi-head scaled dot-product attention, over a whole sequence and one step at a time.

Head(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V; the heads are concatenated and projected by W_O
(Vaswani et al. 2017, section 3.2). Queries, keys and values have no bias: softmax cancels a key bias.
"""

import math
from typing import Any

import keras
from keras import ops

from nmt_keras.layers.masks import masked_softmax, set_slice

Tensor = Any


def attention_weights(query: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d_k)) over the keys that `mask` allows.

    Args:
        query: (B, heads, T, head_dim) float.
        keys: (B, heads, S, head_dim) float.
        mask: bool, broadcasts to (B, heads, T, S); True = may be attended to.

    Returns:
        (B, heads, T, S) float; each row sums to 1.
    """
    scores = ops.matmul(query, ops.swapaxes(keys, -1, -2)) * (1.0 / math.sqrt(query.shape[-1]))
    return masked_softmax(scores, mask)


class _Attention(keras.layers.Layer):
    """What self-attention and cross-attention share: heads, weighted sum and output projection."""

    def __init__(self, model_dim: int, num_heads: int, dropout_rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_dim = model_dim
        self.num_heads = num_heads
        self.head_dim = model_dim // num_heads
        self.dropout = keras.layers.Dropout(dropout_rate, noise_shape=(None, 1, None, None))  # shared by the heads
        self.output_projection = keras.layers.Dense(model_dim, name="output_projection")

    def split_heads(self, x: Tensor, parts: int) -> list[Tensor]:
        """(B, T, parts * model_dim) -> `parts` tensors (B, heads, T, head_dim)."""
        x = ops.reshape(x, (-1, ops.shape(x)[1], parts, self.num_heads, self.head_dim))
        x = ops.transpose(x, (2, 0, 3, 1, 4))  # (parts, B, heads, T, head_dim)
        return [x[part] for part in range(parts)]

    def weighted_sum(self, weights: Tensor, values: Tensor, training: bool | None) -> Tensor:
        """Weights (B, heads, T, S) and values (B, heads, S, head_dim) -> (B, T, model_dim)."""
        context = ops.matmul(self.dropout(weights, training=training), values)  # (B, heads, T, head_dim)
        context = ops.transpose(context, (0, 2, 1, 3))
        return self.output_projection(ops.reshape(context, (-1, ops.shape(context)[1], self.model_dim)))


class SelfAttention(_Attention):
    """Attention of a sequence to itself, with one fused product for queries, keys and values.

    Args:
        model_dim: width of inputs and outputs, a multiple of num_heads.
        num_heads: number of heads.
        dropout_rate: dropout on the attention weights.
    """

    def __init__(self, model_dim: int, num_heads: int, dropout_rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(model_dim, num_heads, dropout_rate, **kwargs)
        self.query_key_value = keras.layers.Dense(3 * model_dim, use_bias=False, name="query_key_value")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.query_key_value.build(input_shape)
        self.output_projection.build(input_shape)

    def call(
        self, x: Tensor, mask: Tensor, training: bool | None = None, return_attention_scores: bool = False
    ) -> Tensor:
        """x (B, T, model_dim), mask broadcasting to (B, heads, T, T) -> (B, T, model_dim).

        With `return_attention_scores`, a pair of that and the attention weights (B, heads, T, T).
        """
        query, keys, values = self.split_heads(self.query_key_value(x), 3)
        weights = attention_weights(query, keys, mask)
        output = self.weighted_sum(weights, values, training)
        return (output, weights) if return_attention_scores else output

    def step(self, x: Tensor, step: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One position that sees itself and the earlier ones.

        Args:
            x: (B, 1, model_dim) the input at `step`.
            step: scalar int32, counted from 0.
            keys: (B, heads, L, head_dim), filled up to `step` (exclusive).
            values: as `keys`.

        Returns:
            Output (B, 1, model_dim), and keys and values with position `step` filled.
        """
        query, key, value = self.split_heads(self.query_key_value(x), 3)
        keys = set_slice(keys, step, key, axis=2)
        values = set_slice(values, step, value, axis=2)
        seen = ops.arange(ops.shape(keys)[2]) <= step  # (L,)
        return self.weighted_sum(attention_weights(query, keys, seen), values, False), keys, values


class CrossAttention(_Attention):
    """Attention of a target sequence to the encoder's outputs, whose keys and values are computed once.

    Args:
        model_dim: width of inputs and outputs, a multiple of num_heads.
        num_heads: number of heads.
        dropout_rate: dropout on the attention weights.
    """

    def __init__(self, model_dim: int, num_heads: int, dropout_rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(model_dim, num_heads, dropout_rate, **kwargs)
        self.query = keras.layers.Dense(model_dim, use_bias=False, name="query")
        self.key_value = keras.layers.Dense(2 * model_dim, use_bias=False, name="key_value")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.query.build(input_shape)
        self.key_value.build(input_shape)
        self.output_projection.build(input_shape)

    def keys_values(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Encoder outputs (B, S, model_dim) -> keys and values (B, heads, S, head_dim)."""
        keys, values = self.split_heads(self.key_value(encoded), 2)
        return keys, values

    def call(
        self,
        x: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Tensor:
        """x (B, T, model_dim), keys and values (B, heads, S, head_dim), mask broadcasting to (B, heads, T, S)
        -> (B, T, model_dim).

        With `return_attention_scores`, a pair of that and the attention weights (B, heads, T, S).
        """
        (query,) = self.split_heads(self.query(x), 1)
        weights = attention_weights(query, keys, mask)
        output = self.weighted_sum(weights, values, training)
        return (output, weights) if return_attention_scores else output
