"""The recurrent models, with and without attention, against float64 loops over their equations."""

from typing import Any

import numpy as np
import pytest
from keras import ops
from numpy_equations import attention_weights, recurrent_step, weights

from nmt_keras.config import RecurrentAttentionConfig, RecurrentConfig
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID

V = 11
SOURCE = np.array([[5, 9, 4, 7, EOS_ID], [8, 6, EOS_ID, PAD_ID, PAD_ID], [EOS_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID]])
TARGET_IN = np.array([[BOS_ID, 4, 10, 5], [BOS_ID, 7, 7, 9], [BOS_ID, 6, 8, 4]])
SIZES = {"embedding_dim": 6, "hidden_dim": 8}
READING_ORDERS = {"forward": (1,), "backward": (-1,), "bidirectional": (1, -1)}

FIXED_CONTEXT = [
    RecurrentConfig("rnn", 3, **SIZES),
    RecurrentConfig("rnn", 2, encoder_direction="bidirectional", residual=True, **SIZES),
    RecurrentConfig("lstm", **SIZES),
    RecurrentConfig("lstm", 3, residual=True, encoder_direction="backward", **SIZES),
    RecurrentConfig("lstm", 2, encoder_direction="bidirectional", **SIZES),
    RecurrentConfig("gru", 2, tied_embeddings=True, **SIZES),
    RecurrentConfig("gru", 2, reset_after=False, encoder_direction="bidirectional", **SIZES),
]
ATTENTION = [
    RecurrentAttentionConfig("rnn", **SIZES),
    RecurrentAttentionConfig("lstm", 2, attention="dot", residual=True, **SIZES),
    RecurrentAttentionConfig("gru", attention="scaled_dot", encoder_direction="bidirectional", **SIZES),
    RecurrentAttentionConfig("gru", reset_after=False, attention="additive", **SIZES),
    RecurrentAttentionConfig("lstm", 2, attention="additive", encoder_direction="backward", **SIZES),
    RecurrentAttentionConfig("lstm", 2, input_feeding=True, tied_embeddings=True, **SIZES),
    RecurrentAttentionConfig("rnn", 2, input_feeding=True, attention="dot", residual=True, **SIZES),
]


def embedding(config: RecurrentConfig, layer: Any) -> np.ndarray:
    """(V, E)."""
    return weights(layer)[0] * (np.sqrt(config.embedding_dim) if config.tied_embeddings else 1.0)


def encode(model: Any, source_ids: np.ndarray) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """Source without padding (S,) -> outputs (S, H) and the decoder's first states."""
    config, encoder = model.config, model.encoder
    embeddings = embedding(config, model.source_embedding)
    orders = READING_ORDERS[config.encoder_direction]
    x = embeddings[source_ids]
    states = []
    for number, encoder_layer in enumerate(encoder.layers):
        outputs, last = [], []
        for order, layer in zip(orders, encoder_layer.directions, strict=True):
            state = [np.zeros(config.hidden_dim // len(orders))] * (2 if config.cell == "lstm" else 1)
            read = []
            for x_t in x[::order]:
                state = recurrent_step(layer, config.cell, x_t, state)
                read.append(state[0])
            outputs.append(np.array(read)[::order])
            last.append(state)
        output = np.concatenate(outputs, axis=1)
        x = x + output if config.residual and number > 0 else output
        if config.encoder_direction == "bidirectional":
            (forward, backward), bridges = last, [weights(bridge) for bridge in encoder_layer.bridges]
            bridged = [
                np.concatenate(pair) @ w + b
                for pair, (w, b) in zip(zip(forward, backward, strict=True), bridges, strict=True)
            ]
            states.append([np.tanh(bridged[0]), *bridged[1:]])
        else:
            states.append(last[0])
    return x, states


def decoder_step(config: RecurrentConfig, layers: Any, x: np.ndarray, states: list[list[np.ndarray]]) -> np.ndarray:
    """x_t (d,) -> output (H,); replaces the states by the new ones."""
    for number, layer in enumerate(layers):
        states[number] = recurrent_step(layer, config.cell, x, states[number])
        x = x + states[number][0] if config.residual and number > 0 else states[number][0]
    return x


def expected_logits(model: Any, source_ids: np.ndarray, target_in_ids: np.ndarray) -> np.ndarray:
    """One sentence without its padding: source_ids (S,), target_in_ids (T,) -> logits (T, V)."""
    config = model.config
    encoded, states = encode(model, source_ids)
    embeddings = embedding(config, model.target_embedding)
    w_o, *b_o = weights(model.output_projection)
    if config.tied_embeddings:
        matrix, *b_o = weights(model.target_embedding)
        w_o = w_o @ matrix.T
    if not isinstance(config, RecurrentAttentionConfig):
        h_last = states[-1][0]  # enters every step
        steps = [np.concatenate([embeddings[token], h_last]) for token in target_in_ids]
        return np.array([decoder_step(config, model.decoder.layers, x, states) @ w_o + b_o[0] for x in steps])

    def context(query: np.ndarray) -> np.ndarray:
        return attention_weights(config.attention, model.decoder.attention, query, encoded) @ encoded

    layers, (w_c,) = model.decoder.decoder.layers, weights(model.decoder.combine)
    vector = np.zeros(config.hidden_dim)
    logits = []
    for token in target_in_ids:
        x = embeddings[token]
        if config.attention == "additive":  # the query is the state before the step
            c = context(states[-1][0])
            s = decoder_step(config, layers, np.concatenate([x, c]), states)
        else:
            s = decoder_step(config, layers, np.concatenate([x, vector]) if config.input_feeding else x, states)
            c = context(s)
        vector = np.tanh(np.concatenate([c, s]) @ w_c)
        logits.append(vector @ w_o + b_o[0])
    return np.array(logits)


def name(config: RecurrentConfig) -> str:
    attention = f"{config.attention}{'-feeding' * config.input_feeding}-" if hasattr(config, "attention") else ""
    return f"{config.cell}-{attention}{config.num_layers}-{config.encoder_direction}"


@pytest.mark.parametrize("config", [*FIXED_CONTEXT, *ATTENTION], ids=name)
def test_the_equations(build: Any, config: RecurrentConfig) -> None:
    model = build(config, V, seed=1, gain=1.0 if config.cell == "rnn" else 3.0)  # gates let half of it pass
    logits = ops.convert_to_numpy(model({"source_ids": SOURCE, "target_in_ids": TARGET_IN}))
    assert logits.std() > 0.3
    for row, (source_ids, target_in_ids) in enumerate(zip(SOURCE, TARGET_IN, strict=True)):
        expected = expected_logits(model, source_ids[source_ids != PAD_ID], target_in_ids)
        np.testing.assert_allclose(logits[row], expected, atol=2e-5)


def test_the_context_enters_every_step(build: Any) -> None:
    model = build(RecurrentConfig("rnn", **SIZES), V)
    memory = model.encode(SOURCE)
    assert set(memory) == {"context", "states"}
    # With the recurrence cut, only the context can tell of the source.
    model.decoder.layers[0].cell.recurrent_kernel.assign(np.zeros((8, 8)))
    logits = [
        ops.convert_to_numpy(model.decode(TARGET_IN, {"states": memory["states"], "context": context}))
        for context in (memory["context"], -memory["context"])
    ]
    assert np.abs(logits[0] - logits[1]).max(axis=-1).min() > 0.05


def test_parameters_are_counted(build: Any) -> None:
    model = build(RecurrentConfig("rnn", 2, embedding_dim=6, hidden_dim=9), V)
    encoder = (6 * 9 + 9 * 9 + 9) + (9 * 9 + 9 * 9 + 9)
    decoder = ((6 + 9) * 9 + 9 * 9 + 9) + (9 * 9 + 9 * 9 + 9)
    vocabulary = 2 * V * 6 + 9 * V + V
    assert model.count_params() == encoder + decoder + vocabulary
    assert model.count_params_outside_embeddings() == encoder + decoder
