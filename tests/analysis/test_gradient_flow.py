"""Gradients of encoder states against products of Jacobians and differences of the loss, in float64 NumPy."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from nmt_keras.analysis.gradient_flow import gradient_flow, sentences_of_length, state_gradients, untrained
from nmt_keras.cli.main import main
from nmt_keras.config import (
    ArchitectureConfig,
    RecurrentAttentionConfig,
    RecurrentConfig,
    SearchConfig,
    TransformerConfig,
)
from nmt_keras.data.dataset import TokenizedText
from nmt_keras.data.parallel_text import Corpus
from nmt_keras.errors import ConfigError
from nmt_keras.layers.state_key import StateKey
from nmt_keras.models.directory import ModelDescription, load_model, save_description, save_weights
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="gradients are taken with TensorFlow's tape"
)

V = 17
S = 21
TARGET_IN = np.array([[BOS_ID, 4, 10, 5], [BOS_ID, 7, PAD_ID, PAD_ID], [BOS_ID, 11, 13, PAD_ID]], "int32")
TARGET_OUT = np.array([[4, 10, 5, EOS_ID], [7, EOS_ID, PAD_ID, PAD_ID], [11, 13, EOS_ID, PAD_ID]], "int32")


def sources(length: int) -> np.ndarray:
    ids = np.random.default_rng(length).integers(4, V, (len(TARGET_IN), length)).astype("int32")
    ids[:, -1] = EOS_ID
    return ids


def weight(variable: Any) -> np.ndarray:
    return variable.numpy().astype("float64")


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """The mean over the real tokens of one sentence."""
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -np.mean([log_probs[t, token] for t, token in enumerate(labels) if token != PAD_ID])


def differences(loss: Any, shape: tuple[int, ...], step: float = 1e-5) -> np.ndarray:
    """The gradient at zero, by central differences."""
    gradient = np.zeros(shape)
    for index in np.ndindex(shape):
        shift = np.zeros(shape)
        shift[index] = step
        gradient[index] = (loss(shift) - loss(-shift)) / (2 * step)
    return gradient


@pytest.mark.parametrize("embedding_size", [1e-6, 2.0], ids=["inputs near zero", "large inputs"])
@pytest.mark.parametrize("radius", [0.5, 1.0, 1.5])
def test_the_tanh_rnn_s_gradients_are_products_of_jacobians(build: Any, radius: float, embedding_size: float) -> None:
    """d h_T / d h_t = prod_k diag(1 - h_k^2) U^T, k from t + 1 to T; the recurrent matrix U is `radius` times an
    orthogonal one. Near zero the norm is radius^(T - t) of the last one: it vanishes, holds or explodes."""
    model = build(RecurrentConfig("rnn", 1, embedding_dim=8, hidden_dim=12, dropout_rate=0.0), V, seed=2)
    encoder, decoder = model.encoder.layers[0].directions[0].cell, model.decoder.layers[0].cell
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(12, 12)))
    encoder.recurrent_kernel.assign(radius * rotation)
    model.source_embedding.embeddings.assign(embedding_size * weight(model.source_embedding.embeddings))
    encoder.bias.assign(np.zeros(12))
    source_ids = sources(S)
    x = weight(model.source_embedding.embeddings)[source_ids] @ weight(encoder.kernel)
    recurrent = weight(encoder.recurrent_kernel)
    h = [np.tanh(x[:, 0])]
    for t in range(1, S):
        h.append(np.tanh(x[:, t] + h[-1] @ recurrent))

    def loss(sentence: int, last: np.ndarray) -> float:
        state, logits = last, []
        for token in TARGET_IN[sentence]:
            inputs = np.concatenate([weight(model.target_embedding.embeddings)[token], last])
            state = np.tanh(
                inputs @ weight(decoder.kernel) + state @ weight(decoder.recurrent_kernel) + weight(decoder.bias)
            )
            logits.append(state @ weight(model.output_projection.kernel) + weight(model.output_projection.bias))
        return cross_entropy(np.array(logits), TARGET_OUT[sentence])

    last_gradient = np.array([differences(lambda d, n=n: loss(n, h[-1][n] + d), (12,)) for n in range(3)])
    inputs = {"source_ids": source_ids, "target_in_ids": TARGET_IN}
    losses, gradients = state_gradients(model, inputs, TARGET_OUT)
    np.testing.assert_allclose(losses, [loss(n, h[-1][n]) for n in range(3)], rtol=1e-5)
    assert gradients.keys() == {(0, "forward", "h")}
    norms = gradient_flow(model, inputs, TARGET_OUT).norms[StateKey(0, "forward", "h")]
    for n in range(3):
        jacobian = np.eye(12)  # d h_T / d h_t, rows are of h_t
        for t in reversed(range(S)):
            expected = jacobian @ last_gradient[n]
            of_state = gradients[StateKey(0, "forward", "h")][n, t]
            np.testing.assert_allclose(of_state, expected, atol=2e-4 * np.linalg.norm(expected) + 1e-12)
            jacobian = recurrent @ np.diag(1 - h[t][n] ** 2) @ jacobian
    if embedding_size < 1:
        np.testing.assert_allclose(norms / norms[0], radius ** np.arange(S), rtol=1e-3)
    else:
        assert norms[-1] / norms[0] < 0.5 * radius ** (S - 1)  # saturated units let less through


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_attention_loss(
    weights: dict[str, np.ndarray], source_ids: np.ndarray, sentence: int, shift_h: np.ndarray, shift_c: np.ndarray
) -> float:
    """The loss of one sentence, where each encoder state is shifted by (S, H). A backward encoder is given the source
    backward: attention does not care for the order."""

    def step(side: str, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = x @ weights[f"{side} kernel"] + h @ weights[f"{side} recurrent_kernel"] + weights[f"{side} bias"]
        i, f, candidate, o = np.split(z, 4)
        return sigmoid(o), sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)

    h = c = np.zeros(shift_h.shape[1])
    read = []
    for t, token in enumerate(source_ids[sentence]):
        output_gate, c = step("encoder", weights["source"][token], h, c)
        c = c + shift_c[t]
        h = output_gate * np.tanh(c) + shift_h[t]
        read.append(h)
    values = np.array(read)
    logits = []
    for token in TARGET_IN[sentence]:
        output_gate, c = step("decoder", weights["target"][token], h, c)
        h = output_gate * np.tanh(c)
        attention = np.exp(values @ weights["keys"] @ h)
        context = attention @ values / attention.sum()
        vector = np.tanh(np.concatenate([context, h]) @ weights["combine"])
        logits.append(vector @ weights["output"] + weights["output bias"])
    return cross_entropy(np.array(logits), TARGET_OUT[sentence])


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_gradients_of_the_lstm_s_states_with_attention(build: Any, direction: Any) -> None:
    model_config = RecurrentAttentionConfig("lstm", 1, 5, 6, dropout_rate=0.0, encoder_direction=direction)
    model = build(model_config, V, seed=4, gain=2.0)
    source_ids = sources(5)
    losses, gradients = state_gradients(model, {"source_ids": source_ids, "target_in_ids": TARGET_IN}, TARGET_OUT)
    assert list(gradients) == [(0, direction, "h"), (0, direction, "C")]
    cells = {"encoder": model.encoder.layers[0].directions[0].cell, "decoder": model.decoder.decoder.layers[0].cell}
    weights = {
        f"{side} {name}": weight(getattr(cell, name))
        for side, cell in cells.items()
        for name in ("kernel", "recurrent_kernel", "bias")
    } | {
        "source": weight(model.source_embedding.embeddings),
        "target": weight(model.target_embedding.embeddings),
        "keys": weight(model.decoder.attention.key_projection.kernel),
        "combine": weight(model.decoder.combine.kernel),
        "output": weight(model.output_projection.kernel),
        "output bias": weight(model.output_projection.bias),
    }
    read_ids = source_ids[:, :: -1 if direction == "backward" else 1]
    zero = np.zeros((5, 6))
    for n in range(3):
        assert losses[n] == pytest.approx(lstm_attention_loss(weights, read_ids, n, zero, zero), rel=1e-5)
        for_h = differences(lambda shift, n=n: lstm_attention_loss(weights, read_ids, n, shift, zero), (5, 6))
        for_c = differences(lambda shift, n=n: lstm_attention_loss(weights, read_ids, n, zero, shift), (5, 6))
        assert min(np.linalg.norm(for_h, axis=1).min(), np.linalg.norm(for_c, axis=1).min()) > 1e-3
        np.testing.assert_allclose(gradients[StateKey(0, direction, "h")][n], for_h, atol=2e-6, rtol=1e-4)
        np.testing.assert_allclose(gradients[StateKey(0, direction, "C")][n], for_c, atol=2e-6, rtol=1e-4)


def test_gradients_of_the_transformer_s_blocks(build: Any) -> None:
    """The states are put in place of the encoder, and the loss is differentiated by Keras' own cross-entropy."""
    import tensorflow as tf

    model = build(TransformerConfig(3, 1, 16, 2, 24, dropout_rate=0, inner_dropout_rate=0), V, seed=5)
    source_ids = sources(7)
    states: dict[StateKey, Any] = {}
    memory = model.encode(source_ids, on_state=states.__setitem__)
    _, gradients = state_gradients(model, {"source_ids": source_ids, "target_in_ids": TARGET_IN}, TARGET_OUT)
    assert list(gradients) == list(states) == [(0, "", ""), (1, "", ""), (2, "", "")]
    real = TARGET_OUT != PAD_ID
    for layer, state in enumerate(states.values()):
        with tf.GradientTape() as tape:
            tape.watch(state)
            x = state
            for block in model.encoder_blocks[layer + 1 :]:
                x = block(x, memory["mask"][:, None, None, :])
            keys, values = model.decoder_blocks[0].cross_attention.keys_values(model.encoder_norm(x))
            logits = model.decode(TARGET_IN, {"cross": [{"keys": keys, "values": values}], "mask": memory["mask"]})
            losses = keras.losses.sparse_categorical_crossentropy(TARGET_OUT, logits, from_logits=True)
            loss = tf.reduce_sum(losses * real / real.sum(axis=1, keepdims=True))
        expected = tape.gradient(loss, state).numpy()
        assert np.linalg.norm(expected, axis=-1).min() > 1e-3
        np.testing.assert_allclose(gradients[StateKey(layer)], expected, atol=1e-6, rtol=1e-4)


def test_what_is_watched_is_what_is_computed(model_config: ArchitectureConfig, build: Any) -> None:
    """With a hook the encoder goes step by step; the memory is the same, padding and all."""
    model = build(model_config, V, seed=6, gain=2.0)
    source_ids = sources(6)
    source_ids[1, 3:] = PAD_ID
    source_ids[2, 1:] = PAD_ID
    watched: list[tuple[StateKey, Any]] = []
    memories = [model.encode(source_ids), model.encode(source_ids, on_state=lambda *state: watched.append(state))]
    for before, after in zip(*map(keras.tree.flatten, memories), strict=True):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (before, after)), atol=1e-5)
    keys = [key for key, _ in watched]
    if isinstance(model_config, TransformerConfig):
        assert keys == [StateKey(layer) for layer in range(model_config.num_encoder_layers)]
        return
    directions = {"bidirectional": ["forward", "backward"]}.get(
        model_config.encoder_direction, [model_config.encoder_direction]
    )
    parts = "hC" if model_config.cell == "lstm" else "h"
    assert set(keys) == set(product(range(model_config.num_layers), directions, parts))
    assert {keys.count(key) for key in keys} == {6}
    # Without padding, the last state watched is the last one of the layer.
    last = dict(watched)[StateKey(model_config.num_layers - 1, directions[0], "h")]
    if len(directions) == 1:
        np.testing.assert_allclose(last[0], memories[1]["states"][-1][0][0], atol=1e-6)


def test_norms_are_means_over_the_sentences_by_distance(build: Any) -> None:
    model = build(RecurrentConfig("gru", 2, 8, 12, dropout_rate=0.3), V, seed=7)
    inputs = {"source_ids": sources(6), "target_in_ids": TARGET_IN}
    losses, gradients = state_gradients(model, inputs, TARGET_OUT)
    flow = gradient_flow(model, inputs, TARGET_OUT)
    assert flow.loss == pytest.approx(losses.mean())
    assert len(flow.norms) == 2
    for name, norms in flow.norms.items():
        for distance in range(6):
            lengths = [np.sqrt((gradients[name][n, 5 - distance] ** 2).sum()) for n in range(3)]
            assert norms[distance] == pytest.approx(np.mean(lengths), rel=1e-5)


def test_sentences_of_one_length(digits: Corpus, tokenizer: Any) -> None:
    text = TokenizedText(digits.split("train"), tokenizer)
    lengths = [len(ids) for ids in text.source_ids]
    for length in (None, max(lengths)):
        inputs, target_out_ids = sentences_of_length(text, length)
        wanted = length or max(sorted(set(lengths)), key=lengths.count)
        members = [n for n, of_source in enumerate(lengths) if of_source == wanted]
        assert inputs["source_ids"].tolist() == [text.source_ids[n].tolist() for n in members]
        for row, n in enumerate(members):
            target = text.target_ids[n].tolist()
            assert target_out_ids[row][: len(target)].tolist() == target
            assert set(target_out_ids[row][len(target) :].tolist()) <= {PAD_ID}
            assert inputs["target_in_ids"][row][: len(target)].tolist() == [BOS_ID, *target[:-1]]
    with pytest.raises(ConfigError, match=rf"from {min(lengths)} to {max(lengths)}.*Received: --length 99"):
        sentences_of_length(text, 99)


def test_other_backends_are_refused(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(RecurrentConfig("gru", 1, 8, 12), V)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ConfigError, match=r"needs --backend tensorflow\. Received: jax"):
        state_gradients(model, {"source_ids": sources(3), "target_in_ids": TARGET_IN}, TARGET_OUT)


def test_command(
    tmp_path: Path, build: Any, tokenizer: Any, digit_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_config = RecurrentConfig("lstm", 1, 8, 12)
    description = ModelDescription("lstm", model_config, "eng", "fra", tokenizer.sha256, SearchConfig())
    save_description(tmp_path / "model", tokenizer, description)
    save_weights(tmp_path / "model", build(model_config, tokenizer.vocabulary_size, seed=9, gain=3.0))
    arguments = ["gradient-flow", "--model", str(tmp_path / "model"), "--seed", "5"]
    arguments += ["--source-file", str(digit_files / "train.eng"), "--reference-file", str(digit_files / "train.fra")]
    assert main([*arguments, "--output", "flow.json"]) == 0
    written = json.loads((tmp_path / "flow.json").read_text())
    loaded = load_model(tmp_path / "model")
    lines = [(digit_files / f"train.{side}").read_text(encoding="utf-8").splitlines() for side in ("eng", "fra")]
    from nmt_keras.data.parallel_text import ParallelText

    inputs, target_out_ids = sentences_of_length(TokenizedText(ParallelText(*lines), tokenizer), None)
    assert (written["sentences"], written["length"]) == inputs["source_ids"].shape
    for name, model in (("before", untrained(loaded, 5)), ("after", loaded.model)):
        flow = gradient_flow(model, inputs, target_out_ids)
        assert written[name]["loss"] == pytest.approx(flow.loss)
        for state, (key, norms) in zip(written[name]["states"], flow.norms.items(), strict=True):
            np.testing.assert_allclose(state.pop("norm_by_distance"), norms, rtol=1e-4)
            assert state == {"layer": 0, "direction": "forward", "part": key.part}
    assert written["before"]["loss"] == pytest.approx(np.log(tokenizer.vocabulary_size), rel=0.05)
    assert abs(written["after"]["loss"] - written["before"]["loss"]) > 0.01
    assert main([*arguments, "--output", "flow.png"]) == 0
    with Image.open(tmp_path / "flow.png") as image:
        assert image.width > 1000
    assert main([*arguments, "--output", "flow.txt"]) == 2
    assert "--output must end in .png, .svg or .json. Received: --output flow.txt." in capsys.readouterr().err
    for seed in ("-1", str(2**32)):
        assert main([*arguments, "--output", "flow.json", "--seed", seed]) == 2
        assert f"--seed must be from 0 to 4,294,967,295. Received: --seed={seed}." in capsys.readouterr().err
