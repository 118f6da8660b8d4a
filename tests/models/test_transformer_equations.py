"""The whole Transformer, with each of its options, against float64 NumPy that goes head by head."""

from typing import Any

import numpy as np
import pytest
from keras import ops
from numpy_equations import softmax, weights
from scipy.special import ndtr

from nmt_keras.config import TransformerConfig
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID

V = 13
SOURCE = np.array([[5, 9, 4, 7, EOS_ID], [8, 6, EOS_ID, PAD_ID, PAD_ID], [EOS_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID]])
TARGET_IN = np.array([[BOS_ID, 4, 10, 5, 12], [BOS_ID, 7, 7, 9, 4], [BOS_ID, 6, 8, 4, 11]])


def layer_norm(layer: Any, x: np.ndarray) -> np.ndarray:
    gamma, beta = weights(layer)
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-6) * gamma + beta


def attention(query: np.ndarray, keys: np.ndarray, values: np.ndarray, heads: int, causal: bool) -> np.ndarray:
    dim = query.shape[1] // heads
    parts = []
    for head in range(heads):
        columns = slice(head * dim, (head + 1) * dim)
        scores = query[:, columns] @ keys[:, columns].T / np.sqrt(dim)
        if causal:
            scores[np.triu_indices(len(scores), 1)] = -np.inf
        parts.append(softmax(scores) @ values[:, columns])
    return np.concatenate(parts, axis=1)


def self_attention(layer: Any, x: np.ndarray, causal: bool) -> np.ndarray:
    query, keys, values = np.split(x @ weights(layer.query_key_value)[0], 3, axis=1)
    kernel, bias = weights(layer.output_projection)
    return attention(query, keys, values, layer.num_heads, causal) @ kernel + bias


def cross_attention(layer: Any, x: np.ndarray, encoded: np.ndarray) -> np.ndarray:
    keys, values = np.split(encoded @ weights(layer.key_value)[0], 2, axis=1)
    kernel, bias = weights(layer.output_projection)
    return attention(x @ weights(layer.query)[0], keys, values, layer.num_heads, causal=False) @ kernel + bias


def feed_forward(layer: Any, x: np.ndarray, activation: str) -> np.ndarray:
    (w_1, b_1), (w_2, b_2) = weights(layer.hidden), weights(layer.output_projection)
    hidden = x @ w_1 + b_1
    # GELU(x) = x P(N(0, 1) < x)
    return (np.maximum(hidden, 0) if activation == "relu" else hidden * ndtr(hidden)) @ w_2 + b_2


def embed(model: Any, embedding: Any, ids: np.ndarray) -> np.ndarray:
    config = model.config
    x = weights(embedding)[0][ids] * np.sqrt(config.model_dim)
    for position in range(len(ids)):
        if config.positions == "learned":
            x[position] += weights(model.learned_positions)[0][min(position, config.max_positions - 1)]
        elif config.positions == "sinusoidal":
            for i in range(config.model_dim // 2):
                angle = position / 10000 ** (2 * i / config.model_dim)
                x[position, 2 * i] += np.sin(angle)
                x[position, 2 * i + 1] += np.cos(angle)
    return x


def expected_logits(model: Any, source_ids: np.ndarray, target_in_ids: np.ndarray) -> np.ndarray:
    """One sentence without its padding: source_ids (S,), target_in_ids (T,) -> logits (T, V)."""

    def sublayer(norm: Any, x: np.ndarray, function: Any) -> np.ndarray:
        if model.config.pre_norm:
            return x + function(layer_norm(norm, x))
        return layer_norm(norm, x + function(x))

    def feed(block: Any, x: np.ndarray) -> np.ndarray:
        return sublayer(
            block.feed_forward_residual.norm, x, lambda x: feed_forward(block.feed_forward, x, model.config.activation)
        )

    x = embed(model, model.source_embedding, source_ids)
    for block in model.encoder_blocks:
        x = sublayer(block.attention_residual.norm, x, lambda x, block=block: self_attention(block.attention, x, False))
        x = feed(block, x)
    encoded = layer_norm(model.encoder_norm, x) if model.config.pre_norm else x
    y = embed(model, model.target_embedding, target_in_ids)
    for block in model.decoder_blocks:
        y = sublayer(
            block.self_attention_residual.norm, y, lambda y, block=block: self_attention(block.self_attention, y, True)
        )
        y = sublayer(
            block.cross_attention_residual.norm,
            y,
            lambda y, block=block: cross_attention(block.cross_attention, y, encoded),
        )
        y = feed(block, y)
    if model.config.pre_norm:
        y = layer_norm(model.decoder_norm, y)
    matrix, bias = weights(model.output_embedding)
    return y @ matrix.T + bias


CONFIGS = {
    "pre-norm": TransformerConfig(2, 3, 16, 4, 20),
    "one-head": TransformerConfig(1, 1, 16, 1, 20),
    "post-norm": TransformerConfig(2, 2, 16, 2, 20, pre_norm=False),
    "learned-positions": TransformerConfig(1, 2, 16, 4, 20, positions="learned", max_positions=3, activation="gelu"),
    "untied": TransformerConfig(2, 1, 16, 2, 20, positions="none", tied_embeddings=False),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_the_equations(build: Any, config: TransformerConfig) -> None:
    model = build(config, V, seed=config.num_heads)
    logits = ops.convert_to_numpy(model({"source_ids": SOURCE, "target_in_ids": TARGET_IN}))
    assert logits.std() > 0.3
    for row, (source_ids, target_in_ids) in enumerate(zip(SOURCE, TARGET_IN, strict=True)):
        expected = expected_logits(model, source_ids[source_ids != PAD_ID], target_in_ids)
        np.testing.assert_allclose(logits[row], expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_parameters_are_counted(build: Any, pre_norm: bool) -> None:
    model = build(TransformerConfig(2, 1, 16, 4, 20, pre_norm=pre_norm), V)
    norm = 2 * 16
    attend = 4 * 16 * 16 + 16
    feed = 16 * 20 + 20 + 20 * 16 + 16
    encoder_block = attend + feed + 2 * norm
    decoder_block = 2 * attend + feed + 3 * norm
    inside = 2 * encoder_block + decoder_block + (2 * norm if pre_norm else 0)
    assert model.count_params_outside_embeddings() == inside
    assert model.count_params() == inside + V * 16 + V
