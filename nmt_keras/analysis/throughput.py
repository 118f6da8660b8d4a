"""Training step time and encoding time by sentence length: what is computed in sequence, and what in parallel."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import keras
import numpy as np

from nmt_keras.decoding.compilation import compile_inference
from nmt_keras.models.base import TranslationModel
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID
from nmt_keras.training.losses import LabelSmoothedCrossEntropy


class StepTime(NamedTuple):
    """The time of one batch.

    Args:
        length: tokens of each sentence, on both sides.
        rows: sentences of the batch; rows * length is the same for all lengths, but for rounding.
        training_ms: forward pass, backward pass and a plain gradient step, the fastest of several.
        encoding_ms: the encoder alone, the fastest of several.
    """

    length: int
    rows: int
    training_ms: float
    encoding_ms: float


def step_times(
    model: TranslationModel, vocabulary_size: int, lengths: Sequence[int], batch_tokens: int, repeats: int
) -> list[StepTime]:
    """Times batches that hold equally many tokens, as few long sentences or as many short ones.

    A recurrence takes a step for each position, one after the other; attention takes all positions at once, and its
    scores grow with the square of the length. XLA is not used, so that a new length need not be compiled.

    Args:
        model: any architecture; it is trained on nonsense and of no use afterwards.
        vocabulary_size: V; token ids are drawn from it.
        lengths: tokens of a sentence, each at least 1.
        batch_tokens: rows * length.
        repeats: measurements of each, after two that compile.
    """
    # Adam would take most of the time to compile, and its time does not depend on the length.
    model.compile(optimizer="sgd", loss=LabelSmoothedCrossEntropy(0.1), jit_compile=False)
    encode = compile_inference(model, model.encode, 1)
    random = np.random.default_rng(0)
    calls: list[Callable[[], object]] = []
    rows = [max(1, batch_tokens // length) for length in lengths]
    for shape in zip(rows, lengths, strict=True):
        ids = random.integers(EOS_ID + 1, vocabulary_size, shape, "int32")
        inputs = {"source_ids": ids, "target_in_ids": np.insert(ids[:, :-1], 0, BOS_ID, axis=1)}
        weights = np.full(shape, 1 / ids.size, "float32")
        calls += [partial(model.train_on_batch, inputs, ids, weights), partial(encode, ids)]
    # Round by round, so that what disturbs the machine for a while disturbs all lengths alike.
    fastest = np.min([[_milliseconds(call) for call in calls] for _ in range(repeats + 2)][2:], axis=0)
    return [
        StepTime(length, row, float(training), float(encoding))
        for length, row, (training, encoding) in zip(lengths, rows, fastest.reshape(-1, 2), strict=True)
    ]


def _milliseconds(function: Callable[[], object]) -> float:
    """The time of a call that waits for its result."""
    began = time.perf_counter()
    keras.tree.map_structure(np.asarray, function())
    return 1000 * (time.perf_counter() - began)
