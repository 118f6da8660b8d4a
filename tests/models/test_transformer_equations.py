"""The whole Transformer, pre-norm and post-norm, against float64 NumPy that goes sentence by sentence, head by head."""

from typing import Any

import numpy as np
import pytest

from nmt_keras.config import TransformerConfig
from nmt_keras.special_tokens import BOS_ID, EOS_ID, PAD_ID

V = 13
SOURCE = np.array([[5, 9, 4, 7, EOS_ID], [8, 6, EOS_ID, PAD_ID, PAD_ID], [EOS_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID]])
TARGET_IN = np.array([[BOS_ID, 4, 10, 5, 12], [BOS_ID, 7, 7, 9, 4], [BOS_ID, 6, 8, 4, 11]])


def weights(layer: Any) -> list[np.ndarray]:
    return [weight.numpy().astype("float64") for weight in layer.weights]


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
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        parts.append(scores / scores.sum(axis=1, keepdims=True) @ values[:, columns])
    return np.concatenate(parts, axis=1)


def self_attention(layer: Any, x: np.ndarray, causal: bool) -> np.ndarray:
    query, keys, values = np.split(x @ weights(layer.query_key_value)[0], 3, axis=1)
    kernel, bias = weights(layer.output_projection)
    return attention(query, keys, values, layer.num_heads, causal) @ kernel + bias


def cross_attention(layer: Any, x: np.ndarray, encoded: np.ndarray) -> np.ndarray:
    keys, values = np.split(encoded @ weights(layer.key_value)[0], 2, axis=1)
    kernel, bias = weights(layer.output_projection)
    return attention(x @ weights(layer.query)[0], keys, values, layer.num_heads, causal=False) @ kernel + bias


def feed_forward(layer: Any, x: np.ndarray) -> np.ndarray:
    (w_1, b_1), (w_2, b_2) = weights(layer.hidden), weights(layer.output_projection)
    return np.maximum(x @ w_1 + b_1, 0) @ w_2 + b_2


def embed(model: Any, ids: np.ndarray) -> np.ndarray:
    dim = model.config.model_dim
    x = model.embedding.embeddings.numpy().astype("float64")[ids] * np.sqrt(dim)
    for position in range(len(ids)):
        for i in range(dim // 2):
            angle = position / 10000 ** (2 * i / dim)
            x[position, 2 * i] += np.sin(angle)
            x[position, 2 * i + 1] += np.cos(angle)
    return x


def expected_logits(model: Any, source_ids: np.ndarray, target_in_ids: np.ndarray) -> np.ndarray:
    """One sentence without its padding: source_ids (S,), target_in_ids (T,) -> logits (T, V)."""

    def sublayer(norm: Any, x: np.ndarray, function: Any) -> np.ndarray:
        if model.config.pre_norm:
            return x + function(layer_norm(norm, x))
        return layer_norm(norm, x + function(x))

    x = embed(model, source_ids)
    for block in model.encoder_blocks:
        x = sublayer(block.attention_residual.norm, x, lambda x, block=block: self_attention(block.attention, x, False))
        x = sublayer(block.feed_forward_residual.norm, x, lambda x, block=block: feed_forward(block.feed_forward, x))
    encoded = layer_norm(model.encoder_norm, x) if model.config.pre_norm else x
    y = embed(model, target_in_ids)
    for block in model.decoder_blocks:
        y = sublayer(
            block.self_attention_residual.norm, y, lambda y, block=block: self_attention(block.self_attention, y, True)
        )
        y = sublayer(
            block.cross_attention_residual.norm,
            y,
            lambda y, block=block: cross_attention(block.cross_attention, y, encoded),
        )
        y = sublayer(block.feed_forward_residual.norm, y, lambda y, block=block: feed_forward(block.feed_forward, y))
    if model.config.pre_norm:
        y = layer_norm(model.decoder_norm, y)
    return y @ model.embedding.embeddings.numpy().astype("float64").T + model.embedding.bias.numpy().astype("float64")


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize(("encoder_layers", "decoder_layers", "heads"), [(1, 1, 1), (2, 3, 4)])
def test_the_equations(build: Any, pre_norm: bool, encoder_layers: int, decoder_layers: int, heads: int) -> None:
    sizes = TransformerConfig(encoder_layers, decoder_layers, 16, heads, 20, dropout_rate=0.3, pre_norm=pre_norm)
    model = build(sizes, V, seed=heads)
    logits = np.array(model({"source_ids": SOURCE, "target_in_ids": TARGET_IN}))
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
