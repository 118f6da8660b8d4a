"""What every architecture promises to the trainer, the search and the exporter."""

from functools import lru_cache
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nmt_keras.config import ArchitectureConfig, SearchConfig
from nmt_keras.decoding.compilation import compile_inference
from nmt_keras.decoding.search import beam_search
from nmt_keras.models.factory import build_model
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID

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
LENGTH = TARGET_IN.shape[1]  # the same in most calls: JAX compiles for each shape
JAX = keras.backend.backend() == "jax"


@pytest.fixture(scope="module")
def built(model_config: ArchitectureConfig) -> Any:
    return build_model(model_config, V)


@pytest.fixture
def model(built: Any, model_config: ArchitectureConfig, draw_weights: Any) -> Any:
    # Gates halve what passes.
    return draw_weights(built, seed=11, gain=2.0 if getattr(model_config, "cell", "rnn") != "rnn" else 1.0)


@lru_cache(maxsize=4)
def compiled(model: Any, method: str) -> Any:
    """A method of the model; compiled on JAX, which otherwise compiles each of its operations by itself."""

    def function(*arguments: Any) -> Any:
        return getattr(model, method)(*arguments)

    return compile_inference(model, function, 0) if JAX else function


def call(model: Any, source_ids: np.ndarray, target_in_ids: np.ndarray) -> np.ndarray:
    logits = compiled(model, "__call__")({"source_ids": source_ids, "target_in_ids": target_in_ids})
    return ops.convert_to_numpy(logits)


def encode(model: Any, source_ids: np.ndarray) -> Any:
    return compiled(model, "encode")(source_ids)


def decode_step(model: Any, token_ids: Any, step: int, state: Any, memory: Any) -> tuple[np.ndarray, Any]:
    token_ids, step = (ops.convert_to_tensor(value, "int32") for value in (token_ids, step))
    logits, state = compiled(model, "decode_step")(token_ids, step, state, memory)
    return ops.convert_to_numpy(logits), state


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


def test_steps_equal_the_whole_sequence(model: Any) -> None:
    whole = call(model, SOURCE, TARGET_IN)
    memory = encode(model, SOURCE)
    state = model.initial_state(memory, LENGTH + 4)  # a search does not know how long a translation will be
    shapes = keras.tree.map_structure(lambda leaf: tuple(leaf.shape), state)
    for step in range(LENGTH):
        logits, state = decode_step(model, TARGET_IN[:, step], step, state, memory)
        np.testing.assert_allclose(logits, whole[:, step], atol=1e-5, rtol=1e-5)
        assert keras.tree.map_structure(lambda leaf: tuple(leaf.shape), state) == shapes


def test_nothing_is_remembered_between_calls(model: Any) -> None:
    before = call(model, SOURCE, TARGET_IN)
    memory = encode(model, SOURCE[::-1])
    decode_step(model, [9, 4, 7, 7], 0, model.initial_state(memory, LENGTH), memory)
    call(model, SOURCE[::-1], TARGET_IN[::-1])
    np.testing.assert_array_equal(call(model, SOURCE, TARGET_IN), before)


def test_later_target_tokens_change_no_earlier_logit(model: Any) -> None:
    before = call(model, SOURCE, TARGET_IN)
    for t in range(1, LENGTH):
        other = TARGET_IN.copy()
        other[:, t:] = (other[:, t:] + 5) % (V - 4) + 4
        after = call(model, SOURCE, other)
        np.testing.assert_allclose(after[:, :t], before[:, :t], atol=1e-6)
        assert np.abs(after[:, t] - before[:, t]).max(axis=-1).min() > 1e-3  # at its own step it does


def test_padding_changes_no_real_logit(model: Any) -> None:
    before = call(model, SOURCE, TARGET_IN)
    poison_padding(model)
    logits = call(model, padded(SOURCE, 3), padded(TARGET_IN, 4))[:, :LENGTH]
    not_pad = [token for token in range(V) if token != PAD_ID]  # a tied PAD row changes PAD's own logit
    np.testing.assert_allclose(logits[REAL][:, not_pad], before[REAL][:, not_pad], atol=1e-5)


def test_padding_of_the_source_does_not_matter_to_steps(model: Any) -> None:
    not_pad = [token for token in range(V) if token != PAD_ID]
    logits = []
    for source_ids in (SOURCE, SOURCE if JAX else padded(SOURCE, 3)):  # which compiles for each shape
        memory = encode(model, source_ids)
        state = model.initial_state(memory, LENGTH)
        first, state = decode_step(model, [BOS_ID] * 4, 0, state, memory)
        second, _ = decode_step(model, [7, 8, 9, 10], 1, state, memory)
        logits.append(np.stack([first, second])[..., not_pad])
        poison_padding(model)
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-5)


def test_an_empty_row_gives_numbers(model: Any) -> None:
    empty = np.full_like(SOURCE, PAD_ID)
    assert np.isfinite(call(model, empty, TARGET_IN)).all()


def test_memory_and_state_lead_with_the_batch(model: Any) -> None:
    memory = encode(model, SOURCE)
    state = model.initial_state(memory, 7)
    for nest in (memory, state):
        leaves = keras.tree.flatten(nest)
        assert leaves
        assert all(leaf.shape[0] == len(SOURCE) for leaf in leaves)


def test_rows_can_be_gathered(model: Any) -> None:
    """The search repeats memory and reorders state: a hypothesis is its rows, wherever they stand."""
    order = np.array([2, 0, 0, 3])
    memory = encode(model, SOURCE)
    state = model.initial_state(memory, LENGTH)
    _, state = decode_step(model, [BOS_ID] * 4, 0, state, memory)
    tokens = np.array([7, 8, 9, 10])
    expected, _ = decode_step(model, tokens, 1, state, memory)

    def gather(nest: Any) -> Any:
        return keras.tree.map_structure(lambda leaf: ops.take(leaf, order, axis=0), nest)

    logits, _ = decode_step(model, tokens[order], 1, gather(state), gather(memory))
    np.testing.assert_allclose(logits, expected[order], atol=1e-5, rtol=1e-5)


def test_a_hypothesis_scores_what_forced_decoding_gives(model: Any) -> None:
    config = SearchConfig(beam_size=3, length_penalty=0.8, max_length_ratio=0.5, extra_length=LENGTH - 3)
    search = compile_inference(model, lambda source_ids: beam_search(model, source_ids, config, 3), 1)
    ids, scores = search(SOURCE)  # (B, K, L) and (B, K)
    assert ids.shape[2] == LENGTH
    lengths = (ids != PAD_ID).sum(axis=2)
    assert len(set(lengths.ravel())) > 1
    for rank in range(3):
        target_in_ids = np.roll(ids[:, rank], 1, axis=1)
        target_in_ids[:, 0] = BOS_ID
        log_probs = ops.log_softmax(call(model, SOURCE, target_in_ids))
        chosen = np.take_along_axis(ops.convert_to_numpy(log_probs), ids[:, rank, :, None], axis=2)[..., 0]  # (B, L)
        forced = np.where(ids[:, rank] != PAD_ID, chosen, 0).sum(axis=1)
        np.testing.assert_allclose(scores[:, rank], forced / ((5 + lengths[:, rank]) / 6) ** 0.8, atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="shapes are the same on every backend")
def test_vocabulary_layers_are_those_that_follow_the_vocabulary(model_config: ArchitectureConfig) -> None:
    small, large = build_model(model_config, 50), build_model(model_config, 90)
    assert small.count_params_outside_embeddings() == large.count_params_outside_embeddings() > 0
    assert large.count_params() > small.count_params()
    for layer in small.vocabulary_layers:
        assert any(50 in weight.shape for weight in layer.weights)
