"""Which sentence pairs share a batch: a few fixed shapes, shuffled by seed and pass.

XLA compiles once per shape, so all batches come in a few (rows, length) shapes. A pair goes to the shortest length
that holds both its sides; rows without a pair are empty (all padding).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_MOST_LENGTHS = 1024  # lengths that shapes are chosen from: memory grows with the square of their number


@dataclass(frozen=True)
class BatchShape:
    """`rows` sentence pairs with room for `length` tokens on each side."""

    rows: int
    length: int


def round_up_to_8(length: int) -> int:
    """The next multiple of 8: padded to such lengths, batches come in few shapes to compile."""
    return -(-length // 8) * 8


def batches_by_length(
    lengths: np.ndarray, batch_tokens: int, most_rows: int | None = None
) -> Iterator[tuple[BatchShape, np.ndarray]]:
    """Batches of similar length, the longest first.

    Args:
        lengths: (N,) int, tokens.
        batch_tokens: rows * length is at most this (but there is at least one row).
        most_rows: rows at most; never more than there are lengths.

    Yields:
        A shape, whose length is `round_up_to_8`, and the indices (at most `rows`) of what goes into it.
    """
    order = np.argsort(lengths, kind="stable")[::-1]
    most_rows = min(most_rows or len(order), len(order))
    start = 0
    while start < len(order):
        length = round_up_to_8(int(lengths[order[start]]))
        shape = BatchShape(min(max(1, batch_tokens // length), most_rows), length)
        yield shape, order[start : start + shape.rows]
        start += shape.rows


def bucket_shapes(lengths: np.ndarray, batch_tokens: int, num_shapes: int, row_multiple: int = 1) -> list[BatchShape]:
    """The shapes that waste the least room on padding.

    The upper lengths of the buckets are chosen by dynamic programming over the histogram of lengths:
    cost(bucket) = pairs in it * its upper length. Of more than a thousand lengths, every so many-th is tried.

    Args:
        lengths: (N,) int, the longer side of each pair in tokens.
        batch_tokens: rows * length is at most this (but there is at least one row, or `row_multiple`); no shape has
            more rows than pairs that go to it.
        num_shapes: number of shapes at most.
        row_multiple: rows are a multiple of this (the number of devices).

    Returns:
        Shapes by rising length; the last holds the longest pair.
    """
    present = np.unique(lengths)
    present = present[:: -len(present) // _MOST_LENGTHS][::-1]  # the longest among them
    num_shapes = min(num_shapes, len(present))
    below = np.searchsorted(np.sort(lengths), [0, *present], side="right")  # pairs no longer than present[i - 1]
    # best[i]: least room for the i shortest lengths with the buckets used so far; cut[k][i]: its last bucket's start
    best = np.concatenate([[0.0], np.full(len(present), np.inf)])
    cuts = []
    for _ in range(num_shapes):
        cost = best[:, None] + np.where(
            np.arange(len(present) + 1)[:, None] < np.arange(len(present) + 1)[None, :],
            (below[None, :] - below[:, None]) * np.concatenate([[0], present])[None, :],
            np.inf,
        )
        cuts.append(cost.argmin(axis=0))
        best = cost.min(axis=0)
    end, shapes = len(present), []
    for cut in reversed(cuts):
        start, length = int(cut[end]), int(present[end - 1])
        multiples = min(batch_tokens // length // row_multiple, -(-int(below[end] - below[start]) // row_multiple))
        shapes.append(BatchShape(max(multiples, 1) * row_multiple, length))
        end = start
    return shapes[::-1]


def shuffled_batches(
    lengths: np.ndarray, shapes: list[BatchShape], seed: int, pass_index: int
) -> list[tuple[BatchShape, np.ndarray]]:
    """The batches of one pass over all pairs, in a random order that depends on the seed and the pass alone.

    Args:
        lengths: (N,) int, the longer side of each pair in tokens.
        shapes: as `bucket_shapes` gives them.
        seed: of the training.
        pass_index: counted from 0.

    Returns:
        Batches: a shape and the indices (at most `rows`) of its pairs. Each pair is in exactly one batch.
    """
    random = np.random.default_rng((seed, pass_index))
    order = random.permutation(len(lengths))
    bucket = np.searchsorted([shape.length for shape in shapes], lengths[order])
    batches = [
        (shape, members[start : start + shape.rows])
        for place, shape in enumerate(shapes)
        for members in [order[bucket == place]]
        for start in range(0, len(members), shape.rows)
    ]
    return [batches[index] for index in random.permutation(len(batches))]
