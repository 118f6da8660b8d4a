"""What every architecture promises to the optimizer: it starts from ignorance, and all of it learns."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nmt_keras.config import ArchitectureConfig
from nmt_keras.models.factory import build_model
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID
from nmt_keras.training.losses import LabelSmoothedCrossEntropy

V = 17
# One for each kind of loop, bridge and block.
MEMORISING = [
    "rnn", "lstm", "lstm-bidirectional", "gru-reset-before", "lstm-attention-feeding", "gru-attention",
    "gru-attention-additive", "transformer-post-norm", "transformer-untied",
]  # fmt: skip
# Without XLA, JAX would compile each operation by itself; TensorFlow needs no graph for a single step.
JAX, TENSORFLOW = (keras.backend.backend() == name for name in ("jax", "tensorflow"))


def batch(random: np.random.Generator, rows: int, length: int, vocabulary_size: int) -> tuple[dict, np.ndarray]:
    """Random inputs, and labels without padding."""
    source_ids, labels = random.integers(EOS_ID + 1, vocabulary_size, (2, rows, length), dtype="int32")
    source_ids[:, -1] = labels[:, -1] = EOS_ID
    target_in_ids = np.roll(labels, 1, axis=1)
    target_in_ids[:, 0] = BOS_ID
    return {"source_ids": source_ids, "target_in_ids": target_in_ids}, labels


@pytest.mark.skipif(not TENSORFLOW, reason="Keras draws weights in the same way on every backend")
def test_a_new_model_knows_nothing(model_config: ArchitectureConfig) -> None:
    keras.utils.set_random_seed(3)
    vocabulary_size = 2000
    model = build_model(model_config, vocabulary_size)
    inputs, labels = batch(np.random.default_rng(4), 32, 12, vocabulary_size)
    loss = ops.mean(ops.sparse_categorical_crossentropy(labels, model(inputs), from_logits=True))
    assert float(loss) == pytest.approx(np.log(vocabulary_size), rel=0.05)


def test_every_weight_has_a_gradient(model_config: ArchitectureConfig, build: object) -> None:
    model = build(model_config, V, seed=11, gain=2.0 if getattr(model_config, "cell", "rnn") != "rnn" else 1.0)
    inputs, labels = batch(np.random.default_rng(12), 4, 6, V)
    inputs["source_ids"][1, 3:] = inputs["target_in_ids"][2, 4:] = labels[2, 4:] = PAD_ID
    before = model.get_weights()
    # A step of gradient descent subtracts rate * gradient; at this rate hardly any digit of it is lost.
    model.compile(keras.optimizers.SGD(1e3), LabelSmoothedCrossEntropy(0.1), jit_compile=JAX, run_eagerly=TENSORFLOW)
    model.train_on_batch(inputs, labels, (labels != PAD_ID) / np.float32((labels != PAD_ID).sum()))
    for weight, old, new in zip(model.weights, before, model.get_weights(), strict=False):  # the optimizer has its own
        gradient = (old - new) / 1e3
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 1e-6, weight.path


@pytest.mark.parametrize("model_config", ["lstm-bidirectional", "gru-attention-additive", "transformer"], indirect=True)
def test_bfloat16_computes_nearly_the_same(model_config: ArchitectureConfig, draw_weights: Any) -> None:
    inputs, labels = batch(np.random.default_rng(12), 4, 6, V)
    inputs["source_ids"][1, 3:] = inputs["target_in_ids"][2, 4:] = labels[2, 4:] = PAD_ID
    losses, gradients = [], []
    for precision in ("float32", "bfloat16"):
        model = draw_weights(build_model(model_config, V, precision), seed=11, gain=1.0)
        before = model.get_weights()
        model.compile(
            keras.optimizers.SGD(1e3), LabelSmoothedCrossEntropy(0.1), jit_compile=JAX, run_eagerly=TENSORFLOW
        )
        losses.append(model.train_on_batch(inputs, labels, (labels != PAD_ID) / np.float32((labels != PAD_ID).sum())))
        after = model.get_weights()
        assert {weight.dtype for weight in after} == {np.dtype("float32")}
        gradients.append(np.concatenate([(old - new).ravel() for old, new in zip(before, after, strict=False)]))
    one, other = gradients
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.98


@pytest.mark.heavy
@pytest.mark.parametrize("model_config", MEMORISING, indirect=True)
def test_a_batch_can_be_memorised(model_config: ArchitectureConfig) -> None:
    keras.utils.set_random_seed(5)
    model = build_model(model_config, V)
    inputs, labels = batch(np.random.default_rng(6), 8, 5, V)
    model.compile(keras.optimizers.Adam(0.01), LabelSmoothedCrossEntropy(0.0), jit_compile=JAX)
    losses = (model.train_on_batch(inputs, labels) / labels.size for _ in range(400))  # of one token, in nats
    # Below ln 2 / 40, each of the 40 labels has a probability above a half.
    assert any(loss < 0.015 for loss in losses)
    assert (ops.convert_to_numpy(model(inputs)).argmax(axis=-1) == labels).all()
