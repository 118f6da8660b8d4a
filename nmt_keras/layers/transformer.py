"""The Transformer's encoder and decoder blocks (Vaswani et al. 2017), pre-norm or post-norm.

pre-norm:  x = x + sublayer(LayerNorm(x))     (Xiong et al. 2020: trains without care)
post-norm: x = LayerNorm(x + sublayer(x))     (the paper's own order)
"""

from typing import Any

import keras

from nmt_keras.config import TransformerConfig
from nmt_keras.layers.attention import CrossAttention, SelfAttention
from nmt_keras.layers.dropout import sequence_dropout

Tensor = Any


class FeedForward(keras.layers.Layer):
    """FFN(x) = W_2 f(W_1 x + b_1) + b_2, where f is ReLU or GELU, with dropout on the hidden units."""

    def __init__(self, config: TransformerConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(config.feed_forward_dim, activation=config.activation, name="hidden")
        self.dropout = sequence_dropout(config.inner_dropout_rate)
        self.output_projection = keras.layers.Dense(config.model_dim, name="output_projection")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.hidden.build(input_shape)
        self.output_projection.build((*input_shape[:-1], self.hidden.units))

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """x (..., model_dim) -> (..., model_dim)."""
        return self.output_projection(self.dropout(self.hidden(x), training=training))


class _Residual(keras.layers.Layer):
    """The residual connection around a sublayer: `add(x, sublayer(enter(x)))`."""

    def __init__(self, dropout_rate: float, pre_norm: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pre_norm = pre_norm
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        self.dropout = sequence_dropout(dropout_rate)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.norm.build(input_shape)

    def enter(self, x: Tensor) -> Tensor:
        """The sublayer's input."""
        return self.norm(x) if self.pre_norm else x

    def add(self, x: Tensor, sublayer_output: Tensor, training: bool | None) -> Tensor:
        """x (B, T, model_dim) plus the sublayer's output, with dropout."""
        total = x + self.dropout(sublayer_output, training=training)
        return total if self.pre_norm else self.norm(total)


class EncoderBlock(keras.layers.Layer):
    """Self-attention over the source, then a feed-forward network.

    Args:
        config: sizes and rates.
    """

    def __init__(self, config: TransformerConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sizes = (config.model_dim, config.num_heads, config.inner_dropout_rate)
        self.attention = SelfAttention(*sizes, name="self_attention")
        self.attention_residual = _Residual(config.dropout_rate, config.pre_norm, name="self_attention_residual")
        self.feed_forward = FeedForward(config, name="feed_forward")
        self.feed_forward_residual = _Residual(config.dropout_rate, config.pre_norm, name="feed_forward_residual")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for layer in (
            self.attention,
            self.attention_residual,
            self.feed_forward,
            self.feed_forward_residual,
        ):
            layer.build(input_shape)

    def call(
        self, x: Tensor, mask: Tensor, training: bool | None = None, return_attention_scores: bool = False
    ) -> Tensor:
        """x (B, S, model_dim), mask broadcasting to (B, heads, S, S) -> (B, S, model_dim).

        With `return_attention_scores`, a pair of that and the attention weights (B, heads, S, S).
        """
        residual = self.attention_residual
        attended, weights = self.attention(residual.enter(x), mask, training=training, return_attention_scores=True)
        x = residual.add(x, attended, training)
        residual = self.feed_forward_residual
        x = residual.add(x, self.feed_forward(residual.enter(x), training=training), training)
        return (x, weights) if return_attention_scores else x


class DecoderBlock(keras.layers.Layer):
    """Causal self-attention, cross-attention to the encoder's outputs, then a feed-forward network.

    Args: as `EncoderBlock`.
    """

    def __init__(self, config: TransformerConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sizes = (config.model_dim, config.num_heads, config.inner_dropout_rate)
        self.self_attention = SelfAttention(*sizes, name="self_attention")
        self.self_attention_residual = _Residual(config.dropout_rate, config.pre_norm, name="self_attention_residual")
        self.cross_attention = CrossAttention(*sizes, name="cross_attention")
        self.cross_attention_residual = _Residual(config.dropout_rate, config.pre_norm, name="cross_attention_residual")
        self.feed_forward = FeedForward(config, name="feed_forward")
        self.feed_forward_residual = _Residual(config.dropout_rate, config.pre_norm, name="feed_forward_residual")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for layer in (
            self.self_attention,
            self.self_attention_residual,
            self.cross_attention,
            self.cross_attention_residual,
            self.feed_forward,
            self.feed_forward_residual,
        ):
            layer.build(input_shape)

    def call(
        self,
        x: Tensor,
        self_mask: Tensor,
        cross_keys: Tensor,
        cross_values: Tensor,
        cross_mask: Tensor,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Tensor:
        """All T positions at once.

        Args:
            x: (B, T, model_dim).
            self_mask: bool, broadcasts to (B, heads, T, T).
            cross_keys: (B, heads, S, head_dim), from `cross_attention.keys_values`.
            cross_values: as `cross_keys`.
            cross_mask: bool, broadcasts to (B, heads, T, S).
            training: apply dropout.
            return_attention_scores: return the attention weights, too.

        Returns:
            (B, T, model_dim), and if asked for, the weights of self-attention (B, heads, T, T) and of cross-attention
            (B, heads, T, S).
        """
        residual = self.self_attention_residual
        attended, self_weights = self.self_attention(
            residual.enter(x), self_mask, training=training, return_attention_scores=True
        )
        x = residual.add(x, attended, training)
        x, cross_weights = self._after_self_attention(x, cross_keys, cross_values, cross_mask, training)
        return (x, self_weights, cross_weights) if return_attention_scores else x

    def step(
        self,
        x: Tensor,
        step: Tensor,
        state: dict[str, Tensor],
        cross_keys: Tensor,
        cross_values: Tensor,
        cross_mask: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Position `step` alone: x (B, 1, model_dim) and the cache {"keys", "values"} (B, heads, L, head_dim)
        -> (B, 1, model_dim) and the cache with this position filled."""
        residual = self.self_attention_residual
        attended, keys, values = self.self_attention.step(residual.enter(x), step, state["keys"], state["values"])
        x = residual.add(x, attended, training=False)
        x, _ = self._after_self_attention(x, cross_keys, cross_values, cross_mask, training=False)
        return x, {"keys": keys, "values": values}

    def _after_self_attention(
        self, x: Tensor, cross_keys: Tensor, cross_values: Tensor, cross_mask: Tensor, training: bool | None
    ) -> tuple[Tensor, Tensor]:
        residual = self.cross_attention_residual
        attended, weights = self.cross_attention(
            residual.enter(x), cross_keys, cross_values, cross_mask, training=training, return_attention_scores=True
        )
        x = residual.add(x, attended, training)
        residual = self.feed_forward_residual
        return residual.add(x, self.feed_forward(residual.enter(x), training=training), training), weights
