"""What every architecture promises to the trainer, the search and the exporter."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nmt_keras.config import ArchitectureConfig
from nmt_keras.models.factory import build_model
from nmt_keras.special_tokens import BOS_ID, EOS_ID, PAD_ID
from nmt_keras.training.losses import token_cross_entropy

V = 17
SOURCE = np.array(
    [
        [5, 9, 4, 7, 12, EOS_ID],
        [8, 6, EOS_ID, PAD_ID, PAD_ID, PAD_ID],
        [16, 15, 14, 13, EOS_ID, PAD_ID],
        [EOS_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID],
    ],
    "int32",
)
TARGET_IN = np.array(
    [
        [BOS_ID, 4, 10, 5, 12],
        [BOS_ID, 7, 7, PAD_ID, PAD_ID],
        [BOS_ID, 6, PAD_ID, PAD_ID, PAD_ID],
        [BOS_ID, 11, 13, 4, PAD_ID],
    ],
    "int32",
)
REAL = TARGET_IN != PAD_ID


@pytest.fixture
def model(sizes: ArchitectureConfig, build: Any) -> Any:
    # Gates halve what passes.
    return build(sizes, V, seed=11, gain=2.0 if getattr(sizes, "cell", "rnn") != "rnn" else 1.0)


def call(model: Any, source_ids: np.ndarray, target_in_ids: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(model({"source_ids": source_ids, "target_in_ids": target_in_ids}, training=False))


def padded(ids: np.ndarray, columns: int) -> np.ndarray:
    return np.pad(ids, ((0, 0), (0, columns)), constant_values=PAD_ID)


def poison_padding(model: Any) -> None:
    """Makes the rows of PAD huge in each embedding, so that any use of them shows."""
    poisoned = 0
    for layer in model.vocabulary_layers:
        for weight in layer.weights:
            if weight.path.endswith("embeddings"):
                values = weight.numpy()
                values[PAD_ID] = 1e4
                weight.assign(values)
                poisoned += 1
    assert poisoned


def test_logits_are_not_degenerate(model: Any) -> None:
    logits = call(model, SOURCE, TARGET_IN)
    assert logits.shape == (4, 5, V)
    assert logits.dtype == np.float32
    assert logits[REAL].std() > 0.3
    assert np.abs(logits[0] - logits[3])[0].max() > 0.05  # the source matters at the first step
    assert logits[REAL].std(axis=0).min() > 0.05


@pytest.mark.parametrize("max_length", [5, 9])
def test_steps_equal_the_whole_sequence(model: Any, max_length: int) -> None:
    whole = call(model, SOURCE, TARGET_IN)
    memory = model.encode(SOURCE, training=False)
    state = model.initial_state(memory, max_length)
    shapes = keras.tree.map_structure(lambda leaf: tuple(leaf.shape), state)
    for step in range(TARGET_IN.shape[1]):
        logits, state = model.decode_step(
            ops.convert_to_tensor(TARGET_IN[:, step]), ops.convert_to_tensor(step, "int32"), state, memory
        )
        np.testing.assert_allclose(ops.convert_to_numpy(logits), whole[:, step], atol=1e-5, rtol=1e-5)
        assert keras.tree.map_structure(lambda leaf: tuple(leaf.shape), state) == shapes


def test_nothing_is_remembered_between_calls(model: Any) -> None:
    before = call(model, SOURCE, TARGET_IN)
    memory = model.encode(SOURCE[:2], training=False)
    state = model.initial_state(memory, 3)
    model.decode_step(ops.convert_to_tensor([9, 4]), ops.convert_to_tensor(0, "int32"), state, memory)
    call(model, SOURCE[2:], TARGET_IN[2:, :2])
    np.testing.assert_array_equal(call(model, SOURCE, TARGET_IN), before)


def test_later_target_tokens_change_no_earlier_logit(model: Any) -> None:
    before = call(model, SOURCE, TARGET_IN)
    for t in range(1, TARGET_IN.shape[1]):
        other = TARGET_IN.copy()
        other[:, t:] = (other[:, t:] + 5) % (V - 4) + 4
        after = call(model, SOURCE, other)
        np.testing.assert_allclose(after[:, :t], before[:, :t], atol=1e-6)
        assert np.abs(after[:, t] - before[:, t]).max(axis=-1).min() > 1e-3  # at its own step it does


def test_padding_changes_no_real_logit(model: Any) -> None:
    before = call(model, SOURCE, TARGET_IN)
    poison_padding(model)
    logits = call(model, padded(SOURCE, 3), TARGET_IN)
    not_pad = [token for token in range(V) if token != PAD_ID]  # a tied PAD row changes PAD's own logit
    np.testing.assert_allclose(logits[REAL][:, not_pad], before[REAL][:, not_pad], atol=1e-5)
    logits = call(model, SOURCE, padded(TARGET_IN, 4))[:, : TARGET_IN.shape[1]]
    np.testing.assert_allclose(logits[REAL][:, not_pad], before[REAL][:, not_pad], atol=1e-5)


def test_padding_of_the_source_does_not_matter_to_steps(model: Any) -> None:
    poison_padding(model)
    not_pad = [token for token in range(V) if token != PAD_ID]
    logits = []
    for source_ids in (SOURCE, padded(SOURCE, 3)):
        memory = model.encode(source_ids, training=False)
        state = model.initial_state(memory, 6)
        first, state = model.decode_step(
            ops.full((4,), BOS_ID, "int32"), ops.convert_to_tensor(0, "int32"), state, memory
        )
        second, _ = model.decode_step(
            ops.convert_to_tensor([7, 8, 9, 10]), ops.convert_to_tensor(1, "int32"), state, memory
        )
        logits.append(ops.convert_to_numpy(ops.stack([first, second]))[..., not_pad])
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-5)


def test_an_empty_row_gives_numbers(model: Any) -> None:
    empty = np.full_like(SOURCE, PAD_ID)
    assert np.isfinite(call(model, empty, TARGET_IN)).all()


def test_memory_and_state_lead_with_the_batch(model: Any) -> None:
    memory = model.encode(SOURCE, training=False)
    state = model.initial_state(memory, 7)
    for nest in (memory, state):
        leaves = keras.tree.flatten(nest)
        assert leaves
        assert all(leaf.shape[0] == len(SOURCE) for leaf in leaves)


def test_rows_can_be_gathered(model: Any) -> None:
    """The search repeats memory and reorders state: a hypothesis is its rows, wherever they stand."""
    order = np.array([2, 0, 0, 3])
    memory = model.encode(SOURCE, training=False)
    state = model.initial_state(memory, 4)
    zero, one = (ops.convert_to_tensor(step, "int32") for step in (0, 1))
    _, state = model.decode_step(ops.full((4,), BOS_ID, "int32"), zero, state, memory)
    tokens = np.array([7, 8, 9, 10])
    expected, _ = model.decode_step(ops.convert_to_tensor(tokens), one, state, memory)

    def gather(nest: Any) -> Any:
        return keras.tree.map_structure(lambda leaf: ops.take(leaf, order, axis=0), nest)

    logits, _ = model.decode_step(ops.convert_to_tensor(tokens[order]), one, gather(state), gather(memory))
    np.testing.assert_allclose(
        ops.convert_to_numpy(logits), ops.convert_to_numpy(expected)[order], atol=1e-5, rtol=1e-5
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="gradients are taken with TensorFlow's tape")
def test_every_weight_has_a_gradient(model: Any) -> None:
    import tensorflow as tf

    labels = np.where(REAL, np.roll(TARGET_IN, -1, axis=1) + 4, PAD_ID) % V
    with tf.GradientTape() as tape:
        logits = model({"source_ids": SOURCE, "target_in_ids": TARGET_IN}, training=True)
        loss = tf.reduce_sum(token_cross_entropy(ops.convert_to_tensor(labels), logits) * REAL)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, weight.path
        size = np.abs(tf.convert_to_tensor(gradient).numpy())
        assert size.max() > 1e-6, weight.path
        assert np.isfinite(size).all(), weight.path


def test_a_new_model_knows_nothing(sizes: ArchitectureConfig) -> None:
    keras.utils.set_random_seed(3)
    vocabulary_size = 2000
    model = build_model(sizes, vocabulary_size)
    random = np.random.default_rng(4)
    source_ids, labels = (random.integers(4, vocabulary_size, (32, 12)) for _ in range(2))
    target_in_ids = np.concatenate([np.full((32, 1), BOS_ID), labels[:, :-1]], axis=1)
    logits = ops.convert_to_tensor(call(model, source_ids, target_in_ids))
    loss = float(ops.mean(token_cross_entropy(ops.convert_to_tensor(labels), logits)))
    assert loss == pytest.approx(np.log(vocabulary_size), rel=0.05)


def test_a_batch_can_be_memorised(sizes: ArchitectureConfig) -> None:
    keras.utils.set_random_seed(5)
    model = build_model(sizes, V)
    random = np.random.default_rng(6)
    source_ids = np.array([[*random.integers(4, V, 5), EOS_ID] for _ in range(8)])
    labels = np.array([[*random.integers(4, V, 4), EOS_ID] for _ in range(8)])
    target_in_ids = np.roll(labels, 1, axis=1)
    target_in_ids[:, 0] = BOS_ID
    model.compile(
        optimizer=keras.optimizers.Adam(0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    import tensorflow as tf

    inputs = {"source_ids": source_ids, "target_in_ids": target_in_ids}
    one_batch = tf.data.Dataset.from_tensors((inputs, labels)).cache().repeat(400)
    model.fit(one_batch, epochs=1, shuffle=False, verbose=0)
    assert (call(model, source_ids, target_in_ids).argmax(axis=-1) == labels).all()


def test_vocabulary_layers_are_those_that_follow_the_vocabulary(sizes: ArchitectureConfig) -> None:
    small, large = build_model(sizes, 50), build_model(sizes, 90)
    assert small.count_params_outside_embeddings() == large.count_params_outside_embeddings() > 0
    assert large.count_params() > small.count_params()
    for layer in small.vocabulary_layers:
        assert any(50 in weight.shape for weight in layer.weights)
