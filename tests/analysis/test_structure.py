"""The structure of a model against counts by hand."""

import json
from typing import Any

import keras
import pytest
from keras import ops

from nmt_keras.analysis.structure import multiply_adds, structure
from nmt_keras.cli.main import main
from nmt_keras.config import ArchitectureConfig, RecurrentAttentionConfig, RecurrentConfig, TransformerConfig
from nmt_keras.models.factory import build_model

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="multiply-adds are counted in TensorFlow's graph"
)

V, S, T = 50, 11, 7
E, H = 8, 12  # widths of embeddings and states
D, F = 16, 24  # widths of a Transformer and of its feed-forward networks
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def recurrence(cell: str, inputs: int, units: int) -> int:
    """One step."""
    return GATES[cell] * (inputs * units + units * units)


# Sizes, multiply-adds of the whole encoder, and of one step of the decoder.
BY_HAND: dict[str, tuple[ArchitectureConfig, int, int]] = {
    "rnn": (RecurrentConfig("rnn", 1, E, H), S * recurrence("rnn", E, H), recurrence("rnn", E + H, H) + H * V),
    "lstm, 2 layers": (
        RecurrentConfig("lstm", 2, E, H),
        S * (recurrence("lstm", E, H) + recurrence("lstm", H, H)),
        recurrence("lstm", E + H, H) + recurrence("lstm", H, H) + H * V,
    ),
    "gru, bidirectional": (
        RecurrentConfig("gru", 1, E, H, encoder_direction="bidirectional"),
        S * 2 * recurrence("gru", E, H // 2) + H * H,  # and the bridge
        recurrence("gru", E + H, H) + H * V,
    ),
    "lstm-attention": (  # keys, scores and contexts, attentional vector
        RecurrentAttentionConfig("lstm", 1, E, H),
        S * recurrence("lstm", E, H) + S * H * H,
        recurrence("lstm", E, H) + 2 * S * H + 2 * H * H + H * V,
    ),
    "gru-attention, additive": (  # the query is projected, and the score is a product with v
        RecurrentAttentionConfig("gru", 1, E, H, attention="additive"),
        S * recurrence("gru", E, H) + S * H * H,
        recurrence("gru", E + H, H) + H * H + 2 * S * H + 2 * H * H + H * V,
    ),
    "transformer": (  # projections, scores and contexts, feed-forward network; keys and values of each decoder layer
        TransformerConfig(3, 2, D, 4, F),
        3 * (S * 4 * D * D + 2 * S * S * D + S * 2 * D * F) + 2 * S * 2 * D * D,
        2 * (4 * D * D + 2 * T * D + 2 * D * D + 2 * S * D + 2 * D * F) + D * V,
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_arithmetic_by_hand(name: str) -> None:
    model_config, encoder, decoder = BY_HAND[name]
    found = structure(build_model(model_config, V), S, T)
    assert (found.source_length, found.target_length) == (S, T)
    assert (found.encoder_multiply_adds, found.decoder_multiply_adds) == (encoder, decoder)
    assert found.multiply_adds_per_target_token == pytest.approx((encoder + T * decoder) / T)


def test_products_of_any_shape_are_counted() -> None:
    a, b, c = ops.ones((5, 3)), ops.ones((5, 7)), ops.ones((2, 4, 3, 6))
    assert multiply_adds(lambda: ops.matmul(ops.transpose(a), b)) == 3 * 5 * 7
    assert multiply_adds(lambda: ops.matmul(c, ops.swapaxes(c, -1, -2))) == 2 * 4 * 3 * 6 * 3
    assert multiply_adds(lambda: (ops.matmul(a, ops.transpose(a)) + 1, ops.tanh(c))) == 5 * 3 * 5


@pytest.mark.parametrize(
    "model_config",
    [
        "rnn-2-layers", "lstm-bidirectional", "lstm-attention-feeding", "gru-attention-additive", "transformer",
        "transformer-untied",
    ],
    indirect=True,
)  # fmt: skip
def test_layers_of_any_architecture(model_config: ArchitectureConfig) -> None:
    model = build_model(model_config, V)
    found = structure(model, S, T)
    assert found.parameters == sum(layer.parameters for layer in found.layers) == model.count_params()
    assert found.parameters_outside_embeddings == model.count_params_outside_embeddings()
    shapes = {layer.name: layer.output_shape for layer in found.layers}
    transformer = isinstance(model_config, TransformerConfig)
    width = model_config.model_dim if transformer else model_config.hidden_dim
    blocks = {"encoder_block_0": S, "decoder_block_0": T} if transformer else {"encoder": S, "decoder": T}
    assert {name: shapes[name] for name in blocks} == {name: (1, length, width) for name, length in blocks.items()}
    if not model_config.tied_embeddings:
        output = "output_embedding" if transformer else "output_projection"
        assert shapes[output] == (1, T, V)
        assert (shapes["source_embedding"][1], shapes["target_embedding"][1]) == (S, T)  # type: ignore[index]
    without_shape = [name for name, shape in shapes.items() if shape is None]
    assert without_shape == (["positions"] if transformer and model_config.positions == "learned" else [])


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["describe", "--architecture", "lstm", "--preset", "debug", "--lstm.hidden_dim", "20", "--length", "9"]
    assert main([*arguments, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    model_config = RecurrentConfig("lstm", 1, 32, 20, dropout_rate=0.1)
    expected: dict[str, Any] = structure(build_model(model_config, 600), 9, 9).as_json()
    assert figures["vocabulary_size"] == 600
    assert figures["model_config"]["hidden_dim"] == 20
    assert figures["parameters"] == 2 * 600 * 32 + 20 * 600 + 600 + 4 * 20 * (32 + 20 + 1) + 4 * 20 * (52 + 20 + 1)
    assert {key: figures[key] for key in expected if key != "layers"} == {
        key: value for key, value in expected.items() if key != "layers"
    }
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for layer in figures["layers"]:
        row = next(line for line in out.splitlines() if line.startswith(layer["name"] + " "))
        assert row.endswith(f" {layer['parameters']:,}")
        assert str(tuple(layer["output_shape"])) in row
    assert f"parameters: {figures['parameters']:,}," in out
    assert f"tokens: {figures['multiply_adds_per_target_token']:,.0f} (" in out
    assert main([*arguments, "--length", "0"]) == 2
    assert "--length must be from 1 to 10,000. Received: --length=0." in capsys.readouterr().err
