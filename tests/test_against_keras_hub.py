"""The Transformer's blocks give what keras-hub's give with the same weights, and so does the tokenizer."""

from typing import Any

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from nmt_keras.config import TransformerConfig
from nmt_keras.layers.masks import causal_mask
from nmt_keras.layers.transformer import DecoderBlock, EncoderBlock
from nmt_keras.text.tokenizer import Tokenizer

DIM, HEADS, FEED_FORWARD = 12, 3, 20
SOURCE_MASK = np.arange(6) < np.array([[6], [4], [1]])  # (B, S)
OPTIONS = pytest.mark.parametrize(
    ("pre_norm", "activation"), [(True, "relu"), (False, "gelu")], ids=["pre-norm", "post-norm"]
)


def draw(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    """Draws the weights of a keras-hub layer. Biases of queries, keys and values stay 0: ours has none."""
    random = np.random.default_rng(7)
    drawn = {}
    for weight in layer.weights:
        path = weight.path.split("/", 1)[1]
        if not path.endswith(("query/bias", "key/bias", "value/bias")):
            weight.assign(random.normal(size=weight.shape) * (0.5 if "kernel" in path else 0.3) + ("gamma" in path))
        drawn[path] = weight.numpy()
    return drawn


def copy_attention(drawn: dict[str, np.ndarray], theirs: str, ours: Any, fused: dict[Any, list[str]]) -> None:
    """Products by (d, heads, head_dim) become columns of (d, d), those of a fused product side by side."""
    for dense, names in fused.items():
        dense.kernel.assign(
            np.concatenate([drawn[f"{theirs}/{name}/kernel"].reshape(DIM, DIM) for name in names], axis=1)
        )
    ours.output_projection.set_weights(
        [drawn[f"{theirs}/attention_output/kernel"].reshape(DIM, DIM), drawn[f"{theirs}/attention_output/bias"]]
    )


def copy_rest(drawn: dict[str, np.ndarray], block: Any, norms: dict[str, Any]) -> None:
    for name, residual in norms.items():
        residual.norm.set_weights([drawn[f"{name}/gamma"], drawn[f"{name}/beta"]])
    for name, dense in (("intermediate", block.feed_forward.hidden), ("output", block.feed_forward.output_projection)):
        dense.set_weights([drawn[f"feedforward_{name}_dense/{part}"] for part in ("kernel", "bias")])


def model_config(pre_norm: bool, activation: Any) -> TransformerConfig:
    return TransformerConfig(
        model_dim=DIM,
        num_heads=HEADS,
        feed_forward_dim=FEED_FORWARD,
        dropout_rate=0.0,
        inner_dropout_rate=0.0,
        pre_norm=pre_norm,
        activation=activation,
    )


def hub_options(pre_norm: bool, activation: str) -> dict[str, Any]:
    return {"activation": activation, "layer_norm_epsilon": 1e-6, "normalize_first": pre_norm}


@OPTIONS
def test_encoder_block(pre_norm: bool, activation: str) -> None:
    x = np.random.default_rng(1).normal(size=(3, 6, DIM)).astype("float32")
    theirs = keras_hub.layers.TransformerEncoder(FEED_FORWARD, HEADS, **hub_options(pre_norm, activation))
    theirs.build(x.shape)
    drawn = draw(theirs)
    ours = EncoderBlock(model_config(pre_norm, activation))
    ours.build(x.shape)
    copy_attention(
        drawn, "self_attention_layer", ours.attention, {ours.attention.query_key_value: ["query", "key", "value"]}
    )
    copy_rest(
        drawn,
        ours,
        {
            "self_attention_layer_norm": ours.attention_residual,
            "feedforward_layer_norm": ours.feed_forward_residual,
        },
    )
    output = ops.convert_to_numpy(ours(x, SOURCE_MASK[:, None, None, :]))
    expected = ops.convert_to_numpy(theirs(x, padding_mask=SOURCE_MASK))
    np.testing.assert_allclose(output[SOURCE_MASK], expected[SOURCE_MASK], atol=1e-4)


@OPTIONS
def test_decoder_block(pre_norm: bool, activation: str) -> None:
    random = np.random.default_rng(2)
    x, encoded = (random.normal(size=(3, length, DIM)).astype("float32") for length in (5, 6))
    theirs = keras_hub.layers.TransformerDecoder(FEED_FORWARD, HEADS, **hub_options(pre_norm, activation))
    theirs.build(x.shape, encoded.shape)
    drawn = draw(theirs)
    ours = DecoderBlock(model_config(pre_norm, activation))
    ours.build(x.shape)
    self_attention, cross_attention = ours.self_attention, ours.cross_attention
    copy_attention(drawn, "self_attention", self_attention, {self_attention.query_key_value: ["query", "key", "value"]})
    copy_attention(
        drawn,
        "cross_attention",
        cross_attention,
        {cross_attention.query: ["query"], cross_attention.key_value: ["key", "value"]},
    )
    copy_rest(
        drawn,
        ours,
        {
            "self_attention_layer_norm": ours.self_attention_residual,
            "cross_attention_layer_norm": ours.cross_attention_residual,
            "feedforward_layer_norm": ours.feed_forward_residual,
        },
    )
    keys, values = cross_attention.keys_values(encoded)
    output = ours(x, causal_mask(5), keys, values, SOURCE_MASK[:, None, None, :])
    expected = theirs(x, encoded, encoder_padding_mask=SOURCE_MASK)
    np.testing.assert_allclose(ops.convert_to_numpy(output), ops.convert_to_numpy(expected), atol=1e-4)


def test_tokenizer(tokenizer: Tokenizer) -> None:
    sentences = ["one two three", "L’été, c’est à côté !", "", "👍 one", "seven  nine"]
    theirs = keras_hub.tokenizers.SentencePieceTokenizer(proto=tokenizer.proto, add_eos=True)
    ours = tokenizer.encode_all(sentences)
    assert [ids.tolist() for ids in ours] == list(map(list, theirs(sentences)))
    assert max(map(len, ours)) > 10
