"""Attention against float64 NumPy that goes head by head."""

import keras
import numpy as np
import pytest
from keras import ops

from nmt_keras.layers.attention import CrossAttention, SelfAttention, attention_weights
from nmt_keras.layers.masks import causal_mask, padding_mask

BATCH, LENGTH, SOURCE, DIM, HEADS = 3, 6, 5, 12, 3
HEAD_DIM = DIM // HEADS


def draw(layer: keras.layers.Layer, seed: int) -> None:
    random = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape).astype("float32"))


def softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()


def attend(query: np.ndarray, keys: np.ndarray, values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One sentence: query (T, d), keys and values (S, d), mask (T, S) -> heads side by side (T, d), weights."""
    weights = np.zeros((HEADS, len(query), len(keys)))
    context = np.zeros((len(query), DIM))
    for head in range(HEADS):
        columns = slice(head * HEAD_DIM, (head + 1) * HEAD_DIM)
        for t in range(len(query)):
            allowed = np.flatnonzero(mask[t])
            scores = keys[allowed, columns] @ query[t, columns] / np.sqrt(HEAD_DIM)
            weights[head, t, allowed] = softmax(scores)
        context[:, columns] = weights[head] @ values[:, columns]
    return context, weights


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(BATCH, LENGTH, DIM)).astype("float32")


def test_masks() -> None:
    np.testing.assert_array_equal(np.array(padding_mask(np.array([[5, 3, 0], [0, 0, 0]]))), [[1, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(np.array(causal_mask(3)), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])


def test_weights_are_a_distribution_over_what_the_mask_allows() -> None:
    random = np.random.default_rng(0)
    query, keys = (random.normal(size=(2, HEADS, n, 4)).astype("float32") * 5 for n in (3, 7))
    mask = random.random((2, 1, 3, 7)) < 0.5
    mask[..., 2] = True
    weights = np.array(attention_weights(query, keys, mask))
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    assert (weights[~np.broadcast_to(mask, weights.shape)] == 0).all()
    assert np.isfinite(np.array(attention_weights(query, keys, np.zeros_like(mask)))).all()


def test_self_attention(x: np.ndarray) -> None:
    layer = SelfAttention(DIM, HEADS)
    layer.build((None, None, DIM))
    draw(layer, 2)
    projections = layer.query_key_value.kernel.numpy().astype("float64")
    out_kernel, out_bias = (weight.numpy().astype("float64") for weight in layer.output_projection.weights)
    real = np.array([6, 4, 1])
    mask = np.tril(np.ones((LENGTH, LENGTH), bool)) & (np.arange(LENGTH)[None, :] < real[:, None])[:, None, :]
    mask[:, :, 0] = True
    output, weights = layer(x, mask[:, None], return_attention_scores=True)
    for b in range(BATCH):
        query, keys, values = (
            x[b].astype("float64") @ projections[:, part * DIM : (part + 1) * DIM] for part in range(3)
        )
        context, expected = attend(query, keys, values, mask[b])
        np.testing.assert_allclose(np.array(weights)[b], expected, atol=1e-5)
        np.testing.assert_allclose(np.array(output)[b], context @ out_kernel + out_bias, atol=2e-4, rtol=1e-4)


def test_cross_attention(x: np.ndarray) -> None:
    encoded = np.random.default_rng(3).normal(size=(BATCH, SOURCE, DIM)).astype("float32")
    layer = CrossAttention(DIM, HEADS)
    layer.build((None, None, DIM))
    draw(layer, 4)
    query_kernel = layer.query.kernel.numpy().astype("float64")
    key_value = layer.key_value.kernel.numpy().astype("float64")
    out_kernel, out_bias = (weight.numpy().astype("float64") for weight in layer.output_projection.weights)
    mask = np.arange(SOURCE)[None, :] < np.array([5, 2, 3])[:, None]
    keys, values = layer.keys_values(encoded)
    assert keys.shape == values.shape == (BATCH, HEADS, SOURCE, HEAD_DIM)
    output, weights = layer(x, keys, values, mask[:, None, None, :], return_attention_scores=True)
    for b in range(BATCH):
        source = encoded[b].astype("float64")
        context, expected = attend(
            x[b].astype("float64") @ query_kernel,
            source @ key_value[:, :DIM],
            source @ key_value[:, DIM:],
            np.broadcast_to(mask[b], (LENGTH, SOURCE)),
        )
        np.testing.assert_allclose(np.array(weights)[b], expected, atol=1e-5)
        np.testing.assert_allclose(np.array(output)[b], context @ out_kernel + out_bias, atol=2e-4, rtol=1e-4)


def test_step_by_step_equals_the_whole_sequence(x: np.ndarray) -> None:
    layer = SelfAttention(DIM, HEADS)
    layer.build((None, None, DIM))
    draw(layer, 5)
    whole = np.array(layer(x, causal_mask(LENGTH)))
    # What lies behind the step in the cache must not matter.
    keys = values = ops.full((BATCH, HEADS, LENGTH + 2, HEAD_DIM), 1e4)
    for step in range(LENGTH):
        output, keys, values = layer.step(x[:, step : step + 1], ops.convert_to_tensor(step, "int32"), keys, values)
        assert keys.shape == values.shape == (BATCH, HEADS, LENGTH + 2, HEAD_DIM)
        np.testing.assert_allclose(np.array(output)[:, 0], whole[:, step], atol=1e-5, rtol=1e-5)


def test_dropout_of_weights_acts_in_training_alone(x: np.ndarray) -> None:
    keras.utils.set_random_seed(1)
    layer = SelfAttention(DIM, HEADS, dropout_rate=0.5)
    layer.build((None, None, DIM))
    draw(layer, 6)
    mask = causal_mask(LENGTH)
    still = np.array(layer(x, mask, training=False))
    np.testing.assert_array_equal(still, np.array(layer(x, mask)))
    several = np.array([np.array(layer(x, mask, training=True)) for _ in range(400)])
    assert np.abs(several[0] - still).max() > 0.1
    assert np.abs(several[0] - several[1]).max() > 0.1
    spread = several.std(axis=0) / np.sqrt(400)
    assert (np.abs(several.mean(axis=0) - still) < 5 * spread + 1e-4).all()  # scaled to keep the mean
