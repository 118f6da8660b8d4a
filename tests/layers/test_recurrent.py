"""The recurrences, over whole sequences and step by step, against Keras' own layers."""

from importlib import import_module
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nmt_keras.config import RecurrentConfig
from nmt_keras.layers.recurrence import cudnn_applies, recurrent_layer
from nmt_keras.layers.recurrent import RecurrentDecoder, RecurrentEncoder

DIM, UNITS = 5, 7
LAYERS: dict[str, tuple[RecurrentConfig, type, dict[str, Any]]] = {
    "rnn": (RecurrentConfig("rnn", hidden_dim=UNITS), keras.layers.SimpleRNN, {}),
    "lstm": (RecurrentConfig("lstm", hidden_dim=UNITS), keras.layers.LSTM, {}),
    "gru": (RecurrentConfig("gru", hidden_dim=UNITS), keras.layers.GRU, {}),
    "gru-reset-before": (
        RecurrentConfig("gru", hidden_dim=UNITS, reset_after=False),
        keras.layers.GRU,
        {"reset_after": False},
    ),
}


STOCK = pytest.mark.parametrize(("config", "stock", "options"), LAYERS.values(), ids=list(LAYERS))


def stock_layer(config: RecurrentConfig, stock: type, options: dict[str, Any]) -> tuple[Any, Any, list[Any]]:
    """Keras' layer with random weights, inputs (B, T, d) and a first state of it."""
    random = np.random.default_rng(3)
    x = random.normal(size=(4, 9, DIM)).astype("float32")
    state = [random.normal(size=(4, UNITS)).astype("float32") for _ in range(2 if config.cell == "lstm" else 1)]
    layer = stock(UNITS, return_sequences=True, return_state=True, **options)
    layer.build(x.shape)
    layer.set_weights([random.normal(size=weight.shape) for weight in layer.weights])
    return layer, x, state


@STOCK
@pytest.mark.parametrize("masked", [False, True])
def test_whole_sequences_equal_the_stock_layer(
    config: RecurrentConfig, stock: type, options: dict[str, Any], masked: bool
) -> None:
    layer, x, state = stock_layer(config, stock, options)
    mask = ops.convert_to_tensor(np.arange(9) < np.array([[9], [1], [4], [8]])) if masked else None
    own = recurrent_layer(config, UNITS, "own")
    own.build(x.shape)
    own.set_weights(layer.get_weights())
    x, state = ops.convert_to_tensor(x), list(map(ops.convert_to_tensor, state))
    for mine, expected in zip(
        own(x, initial_state=state, mask=mask), layer(x, initial_state=state, mask=mask), strict=True
    ):
        np.testing.assert_allclose(ops.convert_to_numpy(mine), ops.convert_to_numpy(expected), atol=1e-5)


@STOCK
def test_steps_equal_the_stock_layer(config: RecurrentConfig, stock: type, options: dict[str, Any]) -> None:
    layer, x, state = stock_layer(config, stock, options)
    decoder = RecurrentDecoder(config)
    decoder.build(x.shape)
    decoder.set_weights(layer.get_weights())

    whole, *last = map(ops.convert_to_numpy, layer(x, initial_state=list(map(ops.convert_to_tensor, state))))
    states = [list(map(ops.convert_to_tensor, state))]
    for t in range(x.shape[1]):
        output, states = decoder.step(ops.convert_to_tensor(x[:, t]), states)
        np.testing.assert_allclose(ops.convert_to_numpy(output), whole[:, t], atol=1e-5)
    for own, stock_state in zip(states[0], last, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(own), stock_state, atol=1e-5)


@pytest.mark.parametrize(
    ("backend", "cell", "reset_after", "masked", "fused"),
    [
        ("tensorflow", "lstm", True, True, True),
        ("tensorflow", "gru", False, False, False),
        ("tensorflow", "rnn", True, False, False),
        ("jax", "lstm", True, False, True),
        ("jax", "lstm", True, True, False),
        ("jax", "gru", True, False, False),
        ("torch", "gru", True, False, True),
        ("torch", "gru", True, True, False),
    ],
)
def test_where_cudnn_applies(
    backend: str, cell: Any, reset_after: bool, masked: bool, fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    config = RecurrentConfig(cell, reset_after=reset_after)
    assert cudnn_applies(config, masked, "float32") == fused
    assert not cudnn_applies(config, masked, "bfloat16")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow calls cuDNN with a mask")
def test_cudnn_gets_no_mask_that_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    rnn = import_module("keras.src.backend.tensorflow.rnn")
    lstm = import_module("keras.src.layers.rnn.lstm")
    from tensorflow.errors import InvalidArgumentError

    masks: list[Any] = []

    def no_cudnn_here(x: Any, h: Any, c: Any, mask: Any, **_: Any) -> Any:
        masks.append(mask)
        raise NotImplementedError

    monkeypatch.setattr(lstm.backend, "lstm", no_cudnn_here)
    model_config = RecurrentConfig("lstm", num_layers=2, hidden_dim=8, encoder_direction="bidirectional")
    mask = ops.convert_to_tensor(np.arange(6) < np.array([[6], [2], [0]]))
    RecurrentEncoder(model_config)(ops.ones((3, 6, 4)), mask)
    with pytest.raises(InvalidArgumentError, match="right-padded"):
        rnn._assert_valid_mask(mask)
    assert len(masks) == 4
    for seen in masks:
        rnn._assert_valid_mask(seen)
        np.testing.assert_array_equal(seen[:2], mask[:2])
