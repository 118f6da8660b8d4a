import itertools

import numpy as np
import pytest

from nmt_keras.data.batching import BatchShape, batches_by_length, bucket_shapes, shuffled_batches

LENGTHS = np.random.default_rng(0).integers(2, 40, 500)


def room(lengths: np.ndarray, uppers: list[int]) -> int:
    """Slots that the pairs take when each goes to the shortest upper length that holds it."""
    return sum(min(upper for upper in uppers if upper >= length) for length in lengths.tolist())


def cheapest(lengths: np.ndarray, num_shapes: int) -> int:
    """By trying all choices of upper lengths."""
    present = sorted(set(lengths.tolist()))
    return min(
        room(lengths, [*choice, present[-1]])
        for size in range(num_shapes)
        for choice in itertools.combinations(present[:-1], size)
    )


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("num_shapes", [1, 2, 3, 5])
def test_the_ladder_wastes_the_least(seed: int, num_shapes: int) -> None:
    random = np.random.default_rng(seed)
    lengths = random.choice(random.integers(1, 30, 8), 40)
    shapes = bucket_shapes(lengths, batch_tokens=120, num_shapes=num_shapes)
    uppers = [shape.length for shape in shapes]
    assert uppers == sorted(set(uppers))
    assert len(uppers) <= num_shapes
    assert uppers[-1] == lengths.max()
    assert room(lengths, uppers) == cheapest(lengths, num_shapes)


def test_more_shapes_than_lengths() -> None:
    assert [shape.length for shape in bucket_shapes(np.array([7, 3, 3, 7, 5]), 100, 10)] == [3, 5, 7]
    assert bucket_shapes(np.array([4] * 30), 100, 3) == [BatchShape(25, 4)]


@pytest.mark.parametrize("row_multiple", [1, 2, 3])
def test_batches_fill_their_budget(row_multiple: int) -> None:
    for shape in bucket_shapes(LENGTHS, 400, 5, row_multiple):
        assert shape.rows % row_multiple == 0
        assert shape.rows * shape.length <= 400 < (shape.rows + row_multiple) * shape.length


@pytest.mark.parametrize("row_multiple", [1, 3])
@pytest.mark.parametrize("batch_tokens", [600, 10**9])
def test_no_batch_has_rows_for_more_pairs_than_there_are(batch_tokens: int, row_multiple: int) -> None:
    shapes = bucket_shapes(LENGTHS, batch_tokens, 5, row_multiple)
    assert len(shapes) == 5
    shorter, rows = 0, []
    for shape in shapes:
        pairs = sum(shorter < length <= shape.length for length in LENGTHS.tolist())
        needed = next(number for number in range(pairs, pairs + row_multiple) if number % row_multiple == 0)
        rows.append(min(needed, batch_tokens // shape.length // row_multiple * row_multiple))
        shorter = shape.length
    assert [shape.rows for shape in shapes] == rows
    if batch_tokens == 10**9:
        assert len(LENGTHS) <= sum(rows) < len(LENGTHS) + 5 * row_multiple


def test_of_many_lengths_the_shapes_are_nearly_the_best() -> None:
    lengths = np.random.default_rng(3).permutation(np.arange(1, 100_001))
    shapes = bucket_shapes(lengths, 10**6, 4)
    # With every length once, buckets of equal width are the best: (1/4)^2 + (1/4)(2/4) + ... of all squared.
    assert [shape.length for shape in shapes] == pytest.approx([25_000, 50_000, 75_000, 100_000], rel=0.01)
    assert shapes[-1].length == 100_000


def test_few_sentences_are_scored_in_few_rows() -> None:
    ((shape, members),) = batches_by_length(np.array([3, 5, 4]), batch_tokens=4096)
    assert (shape, members.tolist()) == (BatchShape(3, 8), [1, 2, 0])


def test_a_sentence_longer_than_the_budget_has_a_batch_of_its_own() -> None:
    assert bucket_shapes(np.array([50]), 20, 1) == [BatchShape(1, 50)]
    assert bucket_shapes(np.array([50]), 20, 1, row_multiple=4) == [BatchShape(4, 50)]


def test_each_pair_is_in_one_batch_that_holds_it() -> None:
    shapes = bucket_shapes(LENGTHS, 200, 4)
    assert len(shapes) == 4
    uppers = [0, *(shape.length for shape in shapes)]
    for number in range(3):
        batches = shuffled_batches(LENGTHS, shapes, seed=1, pass_index=number)
        assert sorted(np.concatenate([indices for _, indices in batches])) == list(range(len(LENGTHS)))
        for shape, indices in batches:
            assert 0 < len(indices) <= shape.rows
            shorter = uppers[uppers.index(shape.length) - 1]
            assert ((LENGTHS[indices] <= shape.length) & (LENGTHS[indices] > shorter)).all()
        partly_filled = [shape for shape, indices in batches if len(indices) < shape.rows]
        assert len(partly_filled) == len(set(partly_filled))  # at most one of each shape


def as_lists(batches: list[tuple[BatchShape, np.ndarray]]) -> list[tuple[BatchShape, list[int]]]:
    return [(shape, indices.tolist()) for shape, indices in batches]


def test_the_order_depends_on_seed_and_pass_alone() -> None:
    shapes = bucket_shapes(LENGTHS, 200, 4)
    first = as_lists(shuffled_batches(LENGTHS, shapes, seed=1, pass_index=0))
    np.random.default_rng(0).random(10)
    assert as_lists(shuffled_batches(LENGTHS, shapes, seed=1, pass_index=0)) == first
    others = [shuffled_batches(LENGTHS, shapes, seed, number) for seed, number in ((1, 1), (2, 0), (0, 1))]
    plans = [first, *map(as_lists, others)]
    for one, other in itertools.combinations(plans, 2):
        assert len(one) == len(other)
        assert [shape for shape, _ in one] != [shape for shape, _ in other]  # batches come in another order
        members = [{frozenset(indices) for _, indices in plan} for plan in (one, other)]
        assert len(members[0] & members[1]) < 3  # and hold other pairs
