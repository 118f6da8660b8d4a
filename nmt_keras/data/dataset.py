"""Parallel text as batches of token ids, for training and for scoring."""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np

from nmt_keras.data.batching import BatchShape, batches_by_length, bucket_shapes, shuffled_batches
from nmt_keras.data.parallel_text import ParallelText
from nmt_keras.errors import CorpusError
from nmt_keras.text.special_tokens import BOS_ID, PAD_ID
from nmt_keras.text.tokenizer import Tokenizer

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]


def pad(rows: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Token ids of several sentences -> (rows, length) int32, PAD after each end and in rows left over."""
    ids = np.full(shape, PAD_ID, "int32")
    for row, sentence in zip(ids, rows, strict=False):
        row[: len(sentence)] = sentence
    return ids


class TokenizedText:
    """The token ids of parallel text; each sentence ends with EOS.

    Args:
        text: the sentences.
        tokenizer: the model's vocabulary.

    Attributes:
        source_ids: of each source, (S,) int32.
        target_ids: of each target, (T,) int32.
        target_lengths: (N,) int64 tokens of each target, EOS included.
        lengths: (N,) int64 tokens of the longer side of each pair.
    """

    def __init__(self, text: ParallelText, tokenizer: Tokenizer) -> None:
        self._set(tokenizer.encode_all(text.sources), tokenizer.encode_all(text.targets))

    def _set(self, source_ids: list[np.ndarray], target_ids: list[np.ndarray]) -> None:
        self.source_ids, self.target_ids = source_ids, target_ids
        self.target_lengths = np.array([len(ids) for ids in target_ids], "int64")
        self.lengths = np.maximum(np.array([len(ids) for ids in source_ids], "int64"), self.target_lengths)

    def __len__(self) -> int:
        return len(self.source_ids)

    @property
    def num_target_tokens(self) -> int:
        """Real target tokens, EOS included."""
        return int(self.target_lengths.sum())

    def drop_long(self, max_length: int) -> int:
        """Removes the pairs with a side of more than `max_length` tokens, and returns their number.

        Raises:
            CorpusError: no pair would be left.
        """
        kept = np.flatnonzero(self.lengths <= max_length)
        dropped = len(self) - len(kept)
        if not len(kept):
            raise CorpusError(
                [
                    f"Training needs pairs with at most --training.max_length {max_length} tokens on either side, EOS "
                    f"included. Received: {dropped:,} pairs after cleaning, all longer; the shortest has "
                    f"{self.lengths.min()} tokens, the longest {self.lengths.max()}."
                ]
            )
        self._set([self.source_ids[i] for i in kept], [self.target_ids[i] for i in kept])
        return dropped

    def batch(self, shape: BatchShape, indices: np.ndarray) -> Batch:
        """Inputs, labels and weights of some pairs.

        Returns:
            {"source_ids", "target_in_ids"} (rows, length) int32, target_out_ids (rows, length) int32, and weights
            (rows, length) float32: 1 / (real target tokens of the batch) at real tokens, 0 at padding. A loss that
            is the weighted sum is the mean over real tokens, on however many devices the rows are spread.
        """
        size = (shape.rows, shape.length)
        source_ids = pad([self.source_ids[i] for i in indices], size)
        target_out_ids = pad([self.target_ids[i] for i in indices], size)
        target_in_ids = np.roll(target_out_ids, 1, axis=1)
        target_in_ids[:, 0] = BOS_ID
        real = target_out_ids != PAD_ID
        inputs = {"source_ids": source_ids, "target_in_ids": target_in_ids}
        return inputs, target_out_ids, real / np.float32(max(real.sum(), 1))

    def batches(self, batch_tokens: int) -> Iterator[tuple[np.ndarray, Batch]]:
        """All pairs, the longest first, in batches of similar length.

        Args:
            batch_tokens: token slots of a batch on each side (but there is at least one row).

        Yields:
            The indices of the pairs, and their `batch`, whose first rows they are.
        """
        for shape, members in batches_by_length(self.lengths, batch_tokens):
            yield members, self.batch(shape, members)


class TrainingBatches:
    """The training text as a tf.data dataset: passes over all pairs, each in another order, cut into epochs.

    Args:
        text: tokenized pairs, at least one.
        batch_tokens: token slots of a batch on each side.
        num_shapes: number of (rows, length) shapes.
        seed: of the order.
        num_devices: rows are a multiple of this.
        steps_per_epoch: batches in an epoch; None for as many as a pass has.
    """

    def __init__(
        self,
        text: TokenizedText,
        batch_tokens: int,
        num_shapes: int,
        seed: int,
        num_devices: int = 1,
        steps_per_epoch: int | None = None,
    ) -> None:
        self.text = text
        self.shapes = bucket_shapes(text.lengths, batch_tokens, num_shapes, num_devices)
        self._pass = lru_cache(maxsize=2)(partial(shuffled_batches, text.lengths, self.shapes, seed))
        self.steps_per_pass = len(self._pass(0))  # the same in each
        self.steps_per_epoch = steps_per_epoch or self.steps_per_pass
        self.next_epoch = 0

    def plan(self, epoch: int) -> Iterator[tuple[BatchShape, np.ndarray]]:
        """Shape and pairs of each batch of that epoch, counted from 0."""
        start = epoch * self.steps_per_epoch
        for step in range(start, start + self.steps_per_epoch):
            pass_index, place = divmod(step, self.steps_per_pass)
            yield self._pass(pass_index)[place]

    def target_tokens(self, epoch: int) -> Iterator[int]:
        """Real target tokens of each batch of that epoch."""
        return (int(self.text.target_lengths[pairs].sum()) for _, pairs in self.plan(epoch))

    def target_tokens_before(self, epoch: int) -> int:
        """Real target tokens of all epochs before that one."""
        passes, rest = divmod(epoch * self.steps_per_epoch, self.steps_per_pass)
        begun = sum(int(self.text.target_lengths[pairs].sum()) for _, pairs in self._pass(passes)[:rest])
        return passes * self.text.num_target_tokens + begun

    @property
    def padding_share(self) -> float:
        """Share of the target slots of a pass that hold padding."""
        slots = sum(shape.rows * shape.length for shape, _ in self._pass(0))
        return 1 - self.text.num_target_tokens / slots

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of that epoch, counted from 0."""
        for shape, indices in self.plan(number):
            yield self.text.batch(shape, indices)

    def dataset(self) -> Any:
        """A tf.data.Dataset; each pass over it yields the epoch `next_epoch`, which the trainer sets."""
        import tensorflow as tf

        ids = tf.TensorSpec((None, None), tf.int32)
        signature = (
            {"source_ids": ids, "target_in_ids": ids},
            ids,
            tf.TensorSpec((None, None), tf.float32),
        )
        dataset = tf.data.Dataset.from_generator(lambda: self.epoch(self.next_epoch), output_signature=signature)
        # Without a known size, Keras would find the end of an epoch by a step that fails half-way.
        counted = dataset.apply(tf.data.experimental.assert_cardinality(self.steps_per_epoch))
        # tf.data's tuner sleeps for up to a minute, and an iterator waits for it when its epoch is over.
        options = tf.data.Options()
        options.autotune.enabled = False
        return counted.prefetch(8).with_options(options)
