"""An update against float64 NumPy."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nmt_keras.config import ArchitectureConfig, RecurrentConfig, TransformerConfig
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID
from nmt_keras.training.losses import LabelSmoothedCrossEntropy, token_cross_entropy
from nmt_keras.training.optimizer import WholeBatchAdam

V = 11
# Tokens recur, on both sides: an embedding's gradient is a sum over its occurrences.
SOURCE = np.array([[5, 9, 5, 5, EOS_ID], [9, 6, 5, 9, EOS_ID]])
LABELS = np.array([[4, 4, 8, EOS_ID], [8, 4, 4, EOS_ID]])
INPUTS = {"source_ids": SOURCE, "target_in_ids": np.concatenate([np.full((2, 1), BOS_ID), LABELS[:, :-1]], axis=1)}


def gradient(model: Any) -> list[np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(token_cross_entropy(ops.convert_to_tensor(LABELS), model(INPUTS), 0.1))
    grads = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    return [tf.convert_to_tensor(grad).numpy().astype("float64") for grad in grads]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="gradients are taken with TensorFlow's tape")
@pytest.mark.parametrize(
    ("model_config", "clip_norm"),
    [
        (RecurrentConfig("rnn", 1, embedding_dim=8, hidden_dim=12, dropout_rate=0.0), 0.05),
        (RecurrentConfig("rnn", 1, embedding_dim=8, hidden_dim=12, dropout_rate=0.0), 100.0),
        (
            TransformerConfig(
                1, 1, model_dim=16, num_heads=2, feed_forward_dim=16, dropout_rate=0.0, inner_dropout_rate=0.0
            ),
            0.05,
        ),
    ],
)
def test_updates_are_adam_s_of_the_clipped_gradient(
    model_config: ArchitectureConfig, build: Any, clip_norm: float
) -> None:
    rate, beta_1, beta_2, epsilon = 0.1, 0.9, 0.98, 0.01  # an epsilon that lets the gradient's size matter
    model = build(model_config, V, seed=2)
    model.compile(
        optimizer=WholeBatchAdam(rate, beta_1, beta_2, epsilon, global_clipnorm=clip_norm),
        loss=LabelSmoothedCrossEntropy(0.1),
        run_eagerly=True,
    )
    weights = [weight.astype("float64") for weight in model.get_weights()]
    first = [np.zeros_like(weight) for weight in weights]
    second = [np.zeros_like(weight) for weight in weights]
    for step in (1, 2, 3):
        grads = gradient(model)
        norm = np.sqrt(sum((grad**2).sum() for grad in grads))
        assert 0.1 < norm < 50
        for place, grad in enumerate(grads):
            clipped = grad * min(1, clip_norm / norm)
            first[place] = beta_1 * first[place] + (1 - beta_1) * clipped
            second[place] = beta_2 * second[place] + (1 - beta_2) * clipped**2
            corrected = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
            weights[place] = weights[place] - corrected * first[place] / (np.sqrt(second[place]) + epsilon)
        model.train_on_batch(INPUTS, LABELS, sample_weight=np.full(LABELS.shape, 1 / LABELS.size))
        for updated, expected in zip(model.trainable_variables, weights, strict=True):
            np.testing.assert_allclose(updated.numpy(), expected, atol=1e-4, err_msg=updated.path)
