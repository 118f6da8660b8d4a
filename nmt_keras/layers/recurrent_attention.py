"""Attention of a recurrent decoder to the encoder's outputs.

general:     a_t = softmax_i(h_i^T W_a s_t)              (Luong et al. 2015, the bilinear score)
dot:         a_t = softmax_i(h_i^T s_t)
scaled_dot:  a_t = softmax_i(h_i^T s_t / sqrt(H))
additive:    a_t = softmax_i(v^T tanh(W_a s_{t-1} + U_a h_i))    (Bahdanau et al. 2015)

c_t = sum_i a_t^i h_i, and the attentional vector tanh(W [c_t; s_t]) goes to the output projection.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nmt_keras.config import RecurrentAttentionConfig
from nmt_keras.layers.masks import masked_softmax
from nmt_keras.layers.recurrent import RecurrentDecoder

Tensor = Any
Memory = Any
State = Any


class AttentionScore(keras.layers.Layer):
    """The weights a_t of the source positions.

    Args:
        attention: general, dot, scaled_dot or additive.
        hidden_dim: H.
    """

    def __init__(self, attention: str, hidden_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention
        self.hidden_dim = hidden_dim
        if attention in {"general", "additive"}:
            self.key_projection = keras.layers.Dense(hidden_dim, use_bias=False, name="key")
        if attention == "additive":
            self.query_projection = keras.layers.Dense(hidden_dim, use_bias=False, name="query")
            self.score = keras.layers.Dense(1, use_bias=False, name="score")

    def build(self, input_shape: Any = None) -> None:
        if self.attention in {"general", "additive"}:
            self.key_projection.build((None, None, self.hidden_dim))
        if self.attention == "additive":
            self.query_projection.build((None, None, self.hidden_dim))
            self.score.build((None, None, self.hidden_dim))

    def keys(self, encoded: Tensor) -> Tensor:
        """What is the same at all steps: encoder outputs (B, S, H) -> keys (B, S, H)."""
        return self.key_projection(encoded) if self.attention in {"general", "additive"} else encoded

    def call(self, query: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Decoder states (B, T, H), keys (B, S, H), mask (B, S) bool -> weights (B, T, S); each row sums to 1."""
        if self.attention == "additive":
            hidden = ops.tanh(self.query_projection(query)[:, :, None, :] + keys[:, None, :, :])  # (B, T, S, H)
            scores = self.score(hidden)[..., 0]  # (B, T, S)
        else:
            scores = ops.matmul(query, ops.swapaxes(keys, 1, 2))  # (B, T, S)
            if self.attention == "scaled_dot":
                scores *= 1.0 / math.sqrt(self.hidden_dim)
        return masked_softmax(scores, mask[:, None, :])


class AttentionDecoder(keras.layers.Layer):
    """A recurrent decoder that looks back at the encoder's outputs.

    In Luong's order the recurrence runs over all steps first, and attention is one batched product after it. With
    input feeding, and in Bahdanau's order, where the context is an input of the step, each step needs the one before.

    Memory: {"keys", "values"} (B, S, H), {"mask"} (B, S) bool, {"states"} the decoder's first states.
    State: {"states"}, and with input feeding {"fed"}, the last attentional vector (B, H).

    Args:
        config: sizes and rates.
    """

    def __init__(self, config: RecurrentAttentionConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.context_enters = config.attention == "additive"
        self.stepwise = self.context_enters or config.input_feeding
        self.decoder = RecurrentDecoder(config, name="recurrence")
        self.attention = AttentionScore(config.attention, config.hidden_dim, name="attention")
        self.combine = keras.layers.Dense(config.hidden_dim, "tanh", use_bias=False, name="combine")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        fed_dim = self.config.hidden_dim if self.stepwise else 0
        self.decoder.build((None, None, (input_shape[-1] or 0) + fed_dim))
        self.attention.build()
        self.combine.build((None, None, 2 * self.config.hidden_dim))

    def initial_state(self, memory: Memory) -> State:
        """The state before the first step."""
        state = {"states": memory["states"]}
        if self.config.input_feeding:
            state["fed"] = ops.zeros_like(memory["states"][-1][0])
        return state

    def _attend(self, query: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Decoder states (B, T, H) -> contexts (B, T, H) and weights (B, T, S)."""
        weights = self.attention(query, memory["keys"], memory["mask"])
        return ops.matmul(weights, memory["values"]), weights

    def call(self, x: Tensor, memory: Memory, training: bool | None = None) -> tuple[Tensor, Tensor]:
        """All steps: embeddings (B, T, E) -> attentional vectors (B, T, H) and weights (B, T, S)."""
        if self.stepwise:
            return self._call_stepwise(x, memory, training)
        s = self.decoder(x, memory["states"], training=training)
        context, weights = self._attend(s, memory)
        return self.combine(ops.concatenate([context, s], axis=-1)), weights

    def _call_stepwise(self, x: Tensor, memory: Memory, training: bool | None) -> tuple[Tensor, Tensor]:
        masks = self.decoder.dropout_masks(ops.shape(x)[0], training)
        # Keras' scan wants outputs of the same structure as what it carries.
        state = self.initial_state(memory)
        nothing = (ops.zeros_like(memory["states"][-1][0]), ops.zeros_like(memory["keys"][:, :, 0]))

        def body(carry: Any, x_t: Tensor) -> Any:
            vector, weights, state = self.step(x_t, carry[0], memory, masks)
            carry = (state, (vector, weights))
            return carry, carry

        _, (_, (vectors, weights)) = ops.scan(body, (state, nothing), ops.swapaxes(x, 0, 1))
        return ops.swapaxes(vectors, 0, 1), ops.swapaxes(weights, 0, 1)

    def step(
        self, x: Tensor, state: State, memory: Memory, dropout_masks: Sequence[Tensor] = ()
    ) -> tuple[Tensor, Tensor, State]:
        """One step: embedding (B, E) -> attentional vector (B, H), weights (B, S) and the new state."""
        if self.context_enters:
            context, weights = self._attend(state["states"][-1][0][:, None, :], memory)  # the query is s_{t-1}
            x = ops.concatenate([x, context[:, 0]], axis=-1)
        if self.config.input_feeding:
            x = ops.concatenate([x, state["fed"]], axis=-1)
        s, states = self.decoder.step(x, state["states"], dropout_masks)
        if not self.context_enters:
            context, weights = self._attend(s[:, None, :], memory)
        vector = self.combine(ops.concatenate([context[:, 0], s], axis=-1))
        new_state = {"states": states}
        if self.config.input_feeding:
            new_state["fed"] = vector
        return vector, weights[:, 0], new_state
