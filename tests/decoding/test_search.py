"""Beam search against enumeration of all translations, and against a slow search over plain lists."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from nmt_keras.config import ArchitectureConfig, SearchConfig
from nmt_keras.decoding.compilation import compile_inference
from nmt_keras.decoding.scoring import length_penalty, token_log_probs
from nmt_keras.decoding.search import beam_search
from nmt_keras.models.base import TranslationModel
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID

SOURCE = np.array(
    [
        [4, 5, 5, 4, 5, EOS_ID],
        [5, 4, EOS_ID, PAD_ID, PAD_ID, PAD_ID],
        [5, 5, 4, EOS_ID, PAD_ID, PAD_ID],
        [EOS_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID, PAD_ID],
    ],
    "int32",
)
Translation = tuple[int, ...]
LogProbs = Callable[[list[Translation]], np.ndarray]


def search(model: Any, source_ids: np.ndarray, config: SearchConfig, num_best: int | None = None) -> Any:
    """Ids (B, N, L) and scores (B, N) by the search under test, without compilation; all K by default."""
    ids, scores = beam_search(model, ops.convert_to_tensor(source_ids), config, num_best or config.beam_size)
    return ops.convert_to_numpy(ids), ops.convert_to_numpy(scores)


def limit(source: np.ndarray, config: SearchConfig) -> int:
    return int(config.max_length_ratio * int((source != PAD_ID).sum())) + config.extra_length


def penalty(length: int, exponent: float) -> float:
    return ((5 + length) / 6) ** exponent


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype("float64") - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def next_log_probs(model: Any, source: np.ndarray) -> LogProbs:
    """Prefixes of one length -> log-probabilities (N, V) of what follows, by `call` on the whole prefixes."""

    def log_probs(prefixes: list[Translation]) -> np.ndarray:
        target_in_ids = np.array([[BOS_ID, *prefix] for prefix in prefixes], "int32")
        source_ids = np.tile(source, (len(prefixes), 1))
        logits = model({"source_ids": source_ids, "target_in_ids": target_in_ids}, training=False)
        return log_softmax(ops.convert_to_numpy(logits)[:, -1])

    return log_probs


def translation_log_probs(model: Any, source: np.ndarray, translations: list[Translation]) -> list[float]:
    """log p of whole translations, by one `call` on all of them."""
    longest = max(map(len, translations))
    target_in_ids = np.full((len(translations), longest), PAD_ID, "int32")
    for row, tokens in zip(target_in_ids, translations, strict=True):
        row[: len(tokens)] = [BOS_ID, *tokens[:-1]]
    source_ids = np.tile(source, (len(translations), 1))
    logits = ops.convert_to_numpy(model({"source_ids": source_ids, "target_in_ids": target_in_ids}, training=False))
    return [
        sum(float(row[t, token]) for t, token in enumerate(tokens))
        for row, tokens in zip(log_softmax(logits), translations, strict=True)
    ]


def all_translations(vocabulary_size: int, longest: int) -> list[Translation]:
    """All sequences of real tokens that end with EOS and have at most `longest` tokens."""
    words = range(EOS_ID + 1, vocabulary_size)
    return [(*sequence, EOS_ID) for length in range(longest) for sequence in itertools.product(words, repeat=length)]


def slow_beam_search(
    log_probs: LogProbs, beam_size: int, longest: int, exponent: float
) -> list[tuple[float, Translation]]:
    """The documented search, over lists of (log-probability, tokens)."""
    live: list[tuple[float, Translation]] = [(0.0, ())]
    finished: list[tuple[float, Translation]] = []
    for step in range(longest):
        candidates = []
        for (total, prefix), row in zip(live, log_probs([prefix for _, prefix in live]), strict=True):
            words = [] if step + 1 == longest else range(EOS_ID + 1, len(row))
            candidates += [(total + row[token], (*prefix, token)) for token in (EOS_ID, *words)]
        candidates = sorted(candidates, reverse=True)[: 2 * beam_size]
        finished += [
            (total / penalty(step + 1, exponent), tokens)
            for total, tokens in candidates[:beam_size]
            if tokens[-1] == EOS_ID
        ]
        if len(finished) >= beam_size:
            break
        live = [candidate for candidate in candidates if candidate[1][-1] != EOS_ID][:beam_size]
    return sorted(finished, reverse=True)[:beam_size]


def tokens_of(ids: np.ndarray) -> Translation:
    return tuple(ids[ids != PAD_ID].tolist())


def assert_well_formed(ids: np.ndarray, scores: np.ndarray, source_ids: np.ndarray, config: SearchConfig) -> None:
    for source, hypotheses, row in zip(source_ids, ids, scores, strict=True):
        assert (np.diff(row) <= 0).all()  # best first
        for hypothesis, score in zip(hypotheses, row, strict=True):
            tokens = tokens_of(hypothesis)
            if score < -1e8:
                continue
            assert tokens.index(EOS_ID) == len(tokens) - 1
            assert hypothesis[: len(tokens)].tolist() == list(tokens)  # PAD after EOS alone
            assert {UNKNOWN_ID, BOS_ID}.isdisjoint(tokens)
            assert len(tokens) <= limit(source, config)
        found = [tokens_of(hypothesis) for hypothesis, score in zip(hypotheses, row, strict=True) if score > -1e8]
        assert len(set(found)) == len(found) > 0


@pytest.mark.parametrize(("seed", "exponent"), [(2, 0.6), (3, 2.0)])
def test_a_large_beam_finds_the_best_of_all_translations(
    model_config: ArchitectureConfig, build: Any, exponent: float, seed: int
) -> None:
    vocabulary_size, longest = (6, 5) if seed % 2 else (8, 3)
    translations = all_translations(vocabulary_size, longest)
    model = build(model_config, vocabulary_size, seed=seed, gain=3.0)
    # A ratio so small that every limit is extra_length.
    config = SearchConfig(
        beam_size=len(translations), length_penalty=exponent, max_length_ratio=0.1, extra_length=longest
    )
    ids, scores = search(model, SOURCE, config)
    assert ids.shape == (len(SOURCE), len(translations), longest)
    for row, source in enumerate(SOURCE):
        log_probs = translation_log_probs(model, source, translations)
        expected = {
            tokens: log_prob / penalty(len(tokens), exponent)
            for tokens, log_prob in zip(translations, log_probs, strict=True)
        }
        found = {tokens_of(hypothesis): score for hypothesis, score in zip(ids[row], scores[row], strict=True)}
        assert found.keys() == expected.keys()
        for tokens, score in expected.items():
            assert found[tokens] == pytest.approx(score, abs=1e-4)
        best = max(expected, key=lambda tokens: expected[tokens])
        assert tokens_of(ids[row, 0]) == best
    assert_well_formed(ids, scores, SOURCE, config)


def test_more_hypotheses_than_translations(model_config: ArchitectureConfig, build: Any) -> None:
    model = build(model_config, 6, seed=3)
    ids, scores = search(model, SOURCE, SearchConfig(beam_size=9, max_length_ratio=0.1, extra_length=2))
    assert ((scores > -1e8).sum(axis=1) == len(all_translations(6, 2))).all()
    assert (scores[:, 3:] == np.float32(-1e9)).all()
    assert (ids[:, 3:] == PAD_ID).all()


@pytest.mark.parametrize(("beam_size", "exponent"), [(1, 1.0), (2, 0.0), (3, 1.0), (4, 0.6)])
def test_a_small_beam_is_what_the_slow_search_finds(
    model_config: ArchitectureConfig, build: Any, beam_size: int, exponent: float
) -> None:
    model = build(model_config, 9, seed=beam_size, gain=3.0)
    config = SearchConfig(beam_size=beam_size, length_penalty=exponent, max_length_ratio=1.0, extra_length=3)
    ids, scores = search(model, SOURCE, config)
    for row, source in enumerate(SOURCE):
        expected = slow_beam_search(next_log_probs(model, source), beam_size, limit(source, config), exponent)
        real = scores[row] > -1e8
        assert [tokens_of(hypothesis) for hypothesis in ids[row][real]] == [tokens for _, tokens in expected]
        np.testing.assert_allclose(scores[row][real], [score for score, _ in expected], atol=1e-4)
    assert_well_formed(ids, scores, SOURCE, config)


@pytest.mark.parametrize("num_best", [1, 3])
def test_fewer_are_the_best_of_all(model_config: ArchitectureConfig, build: Any, num_best: int) -> None:
    model = build(model_config, 9, seed=7, gain=3.0)
    config = SearchConfig(beam_size=4, length_penalty=1.0, max_length_ratio=2.0, extra_length=5)
    ids, scores = search(model, SOURCE, config)
    best_ids, best_scores = search(model, SOURCE, config, num_best)
    np.testing.assert_array_equal(best_ids, ids[:, :num_best])
    np.testing.assert_allclose(best_scores, scores[:, :num_best], atol=1e-4)


def test_greedy_search_takes_the_best_token_each_time(model_config: ArchitectureConfig, build: Any) -> None:
    model = build(model_config, 12, seed=8, gain=3.0)
    config = SearchConfig(beam_size=1, max_length_ratio=1.0, extra_length=2)
    ids, _ = search(model, SOURCE, config)
    for row, source in enumerate(SOURCE):
        expected: Translation = ()
        while EOS_ID not in expected:
            (row_log_probs,) = next_log_probs(model, source)([expected])
            row_log_probs[[PAD_ID, UNKNOWN_ID, BOS_ID]] = -np.inf
            last = len(expected) + 1 == limit(source, config)
            expected = (*expected, EOS_ID if last else int(row_log_probs.argmax()))
        assert tokens_of(ids[row, 0]) == expected


@pytest.mark.parametrize("beam_size", [1, 3])
def test_scores_are_those_of_forced_decoding(model_config: ArchitectureConfig, build: Any, beam_size: int) -> None:
    model = build(model_config, 10, seed=4, gain=3.0)
    config = SearchConfig(beam_size=beam_size, length_penalty=0.7, max_length_ratio=1.0, extra_length=2)
    ids, scores = search(model, SOURCE, config)
    for k in range(beam_size):
        target_out_ids = ids[:, k]
        target_in_ids = np.roll(target_out_ids, 1, axis=1)
        target_in_ids[:, 0] = BOS_ID
        log_probs = ops.convert_to_numpy(
            token_log_probs(
                model,
                ops.convert_to_tensor(SOURCE),
                ops.convert_to_tensor(target_in_ids),
                ops.convert_to_tensor(target_out_ids),
            )
        )
        assert (log_probs[target_out_ids == PAD_ID] == 0).all()
        lengths = (target_out_ids != PAD_ID).sum(axis=1)
        expected = log_probs.sum(axis=1) / [penalty(int(length), 0.7) for length in lengths]
        np.testing.assert_allclose(scores[:, k], expected, atol=1e-4)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_rest_of_the_batch_and_padding_do_not_matter(
    model_config: ArchitectureConfig, build: Any, beam_size: int
) -> None:
    model = build(model_config, 10, seed=5, gain=3.0)
    config = SearchConfig(beam_size=beam_size, max_length_ratio=1.0, extra_length=2)
    ids, scores = search(model, SOURCE, config)
    more_padding = np.pad(SOURCE[::-1], ((0, 0), (0, 3)), constant_values=PAD_ID)
    ids_padded, scores_padded = search(model, more_padding, config)
    for row, source in enumerate(SOURCE):
        ids_alone, scores_alone = search(model, source[None, source != PAD_ID], config)
        expected = [tokens_of(hypothesis) for hypothesis in ids_alone[0]]
        assert [tokens_of(hypothesis) for hypothesis in ids[row]] == expected
        assert [tokens_of(hypothesis) for hypothesis in ids_padded[-1 - row]] == expected
        np.testing.assert_allclose(scores[row], scores_alone[0], atol=1e-4)
        np.testing.assert_allclose(scores_padded[-1 - row], scores_alone[0], atol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="jit_compile is TensorFlow's")
@pytest.mark.parametrize("beam_size", [1, 3])
def test_compiled_by_xla_it_finds_the_same(model_config: ArchitectureConfig, build: Any, beam_size: int) -> None:
    import tensorflow as tf

    model = build(model_config, 10, seed=6, gain=3.0)
    config = SearchConfig(beam_size=beam_size, max_length_ratio=1.0, extra_length=2)
    ids, scores = search(model, SOURCE, config)
    compiled = tf.function(lambda ids: beam_search(model, ids, config, beam_size), jit_compile=True)
    compiled_ids, compiled_scores = compiled(tf.constant(SOURCE))
    np.testing.assert_array_equal(compiled_ids, ids)
    np.testing.assert_allclose(compiled_scores, scores, atol=1e-4)


class Table(TranslationModel):
    """The next token depends on the step and the token before alone.

    Args:
        log_probs: (steps, V, V), [step, previous token, next token].
    """

    def __init__(self, log_probs: np.ndarray) -> None:
        super().__init__()
        self.log_probs = ops.convert_to_tensor(log_probs, "float32")
        self.steps_taken = 0
        self.built = True

    @property
    def vocabulary_layers(self) -> list[keras.layers.Layer]:
        return []

    def encode(self, source_ids: Any, training: bool | None = None) -> Any:
        return {"source": source_ids}

    def decode(self, target_in_ids: Any, memory: Any, training: bool | None = None) -> Any:
        raise NotImplementedError

    def initial_state(self, memory: Any, max_length: int) -> Any:
        return {"nothing": ops.zeros((ops.shape(memory["source"])[0], 1))}

    def decode_step(self, token_ids: Any, step: Any, state: Any, memory: Any) -> Any:
        self.steps_taken += 1
        return ops.take(ops.take(self.log_probs, step, axis=0), token_ids, axis=0), state


def table(steps: int, vocabulary_size: int, probabilities: dict[tuple[int, int], dict[int, float]]) -> Table:
    """(step, previous token) -> next token -> probability; anything else has 1e-6."""
    values = np.full((steps, vocabulary_size, vocabulary_size), 1e-6)
    for (step, previous), row in probabilities.items():
        for token, probability in row.items():
            values[step, previous, token] = probability
    return Table(np.log(values / values.sum(axis=-1, keepdims=True)))


ONE_WORD = np.array([[4, EOS_ID]], "int32")
FOUR_STEPS = SearchConfig(beam_size=2, length_penalty=0.0, max_length_ratio=0.1, extra_length=4)


def test_a_hypothesis_that_ends_early_is_not_lost() -> None:
    a, b = 4, 5
    spread = {a: 0.45, b: 0.45, EOS_ID: 0.1}
    model = table(
        4,
        6,
        {(0, BOS_ID): {EOS_ID: 0.4, a: 0.35, b: 0.25}}
        | {(step, token): spread for step in (1, 2, 3) for token in (a, b)},
    )
    ids, scores = search(model, ONE_WORD, FOUR_STEPS)
    assert tokens_of(ids[0, 0]) == (EOS_ID,)
    assert scores[0, 0] == pytest.approx(math.log(0.4), abs=1e-4)
    assert len(tokens_of(ids[0, 1])) == 4  # it went on to the end for the other
    assert scores[0, 1] < scores[0, 0] - 1


def test_a_beam_sees_past_the_best_first_token() -> None:
    a, b, c = 4, 5, 6
    model = table(
        4,
        7,
        {
            (0, BOS_ID): {a: 0.6, b: 0.4},
            (1, a): {a: 0.34, b: 0.33, c: 0.33},
            (1, b): {c: 1.0},
            (2, a): {EOS_ID: 1.0},
            (2, b): {EOS_ID: 1.0},
            (2, c): {EOS_ID: 1.0},
        },
    )
    greedy, _ = search(model, ONE_WORD, SearchConfig(1, 0.0, 0.1, 4))
    assert tokens_of(greedy[0, 0]) == (a, a, EOS_ID)
    ids, scores = search(model, ONE_WORD, FOUR_STEPS)
    assert tokens_of(ids[0, 0]) == (b, c, EOS_ID)
    assert scores[0, 0] == pytest.approx(math.log(0.4), abs=1e-3)


def test_the_length_penalty_prefers_the_longer() -> None:
    a, b = 4, 5
    model = table(
        4,
        6,
        {
            (0, BOS_ID): {EOS_ID: 0.51, a: 0.49},
            (1, a): {a: 0.9, b: 0.1},
            (2, a): {EOS_ID: 1.0},
            (2, b): {EOS_ID: 1.0},
        },
    )
    without, _ = search(model, ONE_WORD, FOUR_STEPS)
    with_penalty, scores = search(model, ONE_WORD, SearchConfig(2, 1.0, 0.1, 4))
    assert tokens_of(without[0, 0]) == (EOS_ID,)
    assert tokens_of(with_penalty[0, 0]) == (a, a, EOS_ID)
    assert scores[0].tolist() == pytest.approx([math.log(0.49 * 0.9) / (8 / 6), math.log(0.51)], abs=1e-3)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX traces the loop's body once")
@pytest.mark.parametrize(("num_best", "exponent", "steps"), [(1, 0.0, 2), (1, 1.0, 5), (2, 0.0, 30)])
def test_the_search_ends_when_nothing_better_can_come(num_best: int, exponent: float, steps: int) -> None:
    """The first to end is "a EOS", p = 0.56. The best that lives beside it, "b a ...", has 0.297 after two steps, then
    half as much with each. Without a length penalty it is beaten at once. With one, it may at the limit of 30 tokens
    still reach log(0.297 / 4) / (35 / 6) = -0.45 after four steps, above log(0.56) / (7 / 6) = -0.50, but only -0.56
    after five. A second hypothesis never ends before the limit."""
    a, b = 4, 5
    halves = {(step, token): {a: 0.5, b: 0.5} for step in range(2, 30) for token in (a, b)}
    first = {(0, BOS_ID): {a: 0.7, b: 0.3}, (1, a): {EOS_ID: 0.8, a: 0.1, b: 0.1}, (1, b): {a: 0.99, EOS_ID: 0.01}}
    model = table(30, 6, first | halves)
    ids, _ = search(model, ONE_WORD, SearchConfig(2, exponent, 0.1, 30), num_best)
    assert tokens_of(ids[0, 0]) == (a, EOS_ID)
    assert model.steps_taken == steps


def test_the_length_penalty_s_formula() -> None:
    lengths = np.array([1, 7, 25])
    expected = [((5 + length) / 6) ** 0.8 for length in lengths]
    np.testing.assert_allclose(np.array(length_penalty(lengths, 0.8)), expected, rtol=1e-6)
    np.testing.assert_array_equal(np.array(length_penalty(lengths, 0.0)), [1, 1, 1])


@pytest.mark.parametrize("ratio", [0.29, 1.1])
def test_the_longest_translation_fits_whatever_the_rounding(ratio: float) -> None:
    """A model that never ends by itself: each translation is as long as it may be, and ends with EOS."""
    never = table(130, 5, {(step, token): {4: 1.0} for step in range(130) for token in (BOS_ID, 4)})
    config = SearchConfig(1, max_length_ratio=ratio, extra_length=1)
    compiled = compile_inference(never, lambda ids: beam_search(never, ids, config), 1)
    for length in (10, 100):
        source_ids = np.array([[*[4] * (length - 1), EOS_ID]], "int32")
        for ids, _ in (search(never, source_ids, config), compiled(source_ids)):  # known and unknown shapes
            tokens = tokens_of(ids[0, 0])
            assert tokens == (*[4] * (len(tokens) - 1), EOS_ID)
            assert len(tokens) == ids.shape[2]
            assert abs(len(tokens) - 1 - ratio * length) < 1
