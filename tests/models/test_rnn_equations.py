"""The recurrent model against a float64 loop over its equations."""

from typing import Any

import numpy as np
import pytest

from nmt_keras.config import RecurrentConfig
from nmt_keras.special_tokens import BOS_ID, EOS_ID, PAD_ID

V = 11
SOURCE = np.array([[5, 9, 4, 7, EOS_ID], [8, 6, EOS_ID, PAD_ID, PAD_ID], [EOS_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID]])
TARGET_IN = np.array([[BOS_ID, 4, 10, 5], [BOS_ID, 7, 7, 9], [BOS_ID, 6, 8, 4]])


def cell(layer: Any, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """tanh(W x + U h + b), one product after the other."""
    w, u, b = (weight.numpy().astype("float64") for weight in layer.weights)
    result = np.zeros(len(b))
    for unit in range(len(b)):
        result[unit] = np.tanh(w[:, unit] @ x + u[:, unit] @ h + b[unit])
    return result


def expected_logits(model: Any, source_ids: np.ndarray, target_in_ids: np.ndarray) -> np.ndarray:
    """One sentence without its padding: source_ids (S,), target_in_ids (T,) -> logits (T, V)."""
    source_embeddings = model.source_embedding.embeddings.numpy().astype("float64")
    target_embeddings = model.target_embedding.embeddings.numpy().astype("float64")
    w_out, b_out = (weight.numpy().astype("float64") for weight in model.output_projection.weights)
    hidden = [np.zeros(model.config.hidden_dim) for _ in model.encoder_layers]
    for token in source_ids:
        below = source_embeddings[token]
        for number, layer in enumerate(model.encoder_layers):
            below = hidden[number] = cell(layer, below, hidden[number])
    context = hidden[-1].copy()
    logits = []
    for token in target_in_ids:
        below = np.concatenate([target_embeddings[token], context])  # W_sc h_T enters every step
        for number, layer in enumerate(model.decoder_layers):
            below = hidden[number] = cell(layer, below, hidden[number])
        logits.append(below @ w_out + b_out)
    return np.array(logits)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_the_equations(build: Any, num_layers: int) -> None:
    model = build(RecurrentConfig("rnn", num_layers, embedding_dim=6, hidden_dim=9), V, seed=num_layers)
    logits = np.array(model({"source_ids": SOURCE, "target_in_ids": TARGET_IN}))
    assert logits.std() > 0.3
    for row, (source_ids, target_in_ids) in enumerate(zip(SOURCE, TARGET_IN, strict=True)):
        expected = expected_logits(model, source_ids[source_ids != PAD_ID], target_in_ids)
        np.testing.assert_allclose(logits[row], expected, atol=2e-5)


def test_the_context_enters_every_step(build: Any) -> None:
    model = build(RecurrentConfig("rnn", 1, embedding_dim=6, hidden_dim=9), V)
    memory = model.encode(SOURCE)
    before = np.array(model.decode(TARGET_IN, memory))
    _, _, *rest = (memory["context"], memory["states"])
    assert rest == []
    other = {"states": memory["states"], "context": -memory["context"]}
    after = np.array(model.decode(TARGET_IN, other))
    # With the recurrence cut, the context still reaches the last step.
    model.decoder_layers[0].cell.recurrent_kernel.assign(np.zeros((9, 9)))
    cut, cut_other = (np.array(model.decode(TARGET_IN, each)) for each in (memory, other))
    assert np.abs(before - after)[:, 0].min(axis=-1).max() > 1e-4
    assert np.abs(cut - cut_other)[:, -1].max() > 0.05


def test_parameters_are_counted(build: Any) -> None:
    model = build(RecurrentConfig("rnn", 2, embedding_dim=6, hidden_dim=9), V)
    encoder = (6 * 9 + 9 * 9 + 9) + (9 * 9 + 9 * 9 + 9)
    decoder = ((6 + 9) * 9 + 9 * 9 + 9) + (9 * 9 + 9 * 9 + 9)
    vocabulary = 2 * V * 6 + 9 * V + V
    assert model.count_params() == encoder + decoder + vocabulary
    assert model.count_params_outside_embeddings() == encoder + decoder
