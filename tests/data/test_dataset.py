from itertools import islice
from typing import Any

import numpy as np
import pytest

from nmt_keras.data.batching import BatchShape
from nmt_keras.data.dataset import TokenizedText, TrainingBatches, pad
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.errors import CorpusError
from nmt_keras.text.special_tokens import BOS_ID, EOS_ID, PAD_ID


@pytest.fixture
def text(digits: Corpus, tokenizer: Any) -> TokenizedText:
    return TokenizedText(digits.split("train"), tokenizer)


def real(row: np.ndarray) -> list[int]:
    return row[row != PAD_ID].tolist()


def test_pad() -> None:
    ids = pad([np.array([5, 6, 3]), np.array([3])], (3, 4))
    assert ids.dtype == np.int32
    assert ids.tolist() == [[5, 6, 3, 0], [3, 0, 0, 0], [0, 0, 0, 0]]


def test_both_sides_are_tokenized(digits: Corpus, tokenizer: Any, text: TokenizedText) -> None:
    split = digits.split("train")
    assert len(text) == len(split)
    for side, ids in ((split.sources, text.source_ids), (split.targets, text.target_ids)):
        assert [row.tolist() for row in ids] == [row.tolist() for row in tokenizer.encode_all(side)]
    assert text.num_target_tokens == sum(row.size for row in text.target_ids)
    lengths = [max(s.size, t.size) for s, t in zip(text.source_ids, text.target_ids, strict=True)]
    assert text.lengths.tolist() == lengths
    assert text.num_target_tokens != sum(row.size for row in text.source_ids)


def test_a_batch(text: TokenizedText) -> None:
    indices = np.array([3, 0, 7])
    length = int(text.lengths[indices].max()) + 2
    inputs, target_out_ids, weights = text.batch(BatchShape(5, length), indices)
    assert inputs.keys() == {"source_ids", "target_in_ids"}
    for array in (*inputs.values(), target_out_ids, weights):
        assert array.shape == (5, length)
    for row, index in enumerate(indices):
        target = text.target_ids[index].tolist()
        assert real(inputs["source_ids"][row]) == text.source_ids[index].tolist()
        assert real(target_out_ids[row]) == target
        # The decoder reads BOS and then each token but the last; what follows EOS has no weight.
        assert inputs["target_in_ids"][row, : len(target)].tolist() == [BOS_ID, *target[:-1]]
        assert target_out_ids[row, len(target) - 1] == EOS_ID
    assert (inputs["source_ids"][3:] == PAD_ID).all()
    assert (target_out_ids[3:] == PAD_ID).all()
    assert weights.dtype == np.float32
    assert weights.sum() == pytest.approx(1, rel=1e-6)
    assert ((weights > 0) == (target_out_ids != PAD_ID)).all()
    assert len(np.unique(weights[weights > 0])) == 1


@pytest.mark.parametrize("batch_tokens", [1, 70, 100_000])
def test_all_pairs_in_batches_of_similar_length(text: TokenizedText, batch_tokens: int) -> None:
    seen: list[int] = []
    for members, (inputs, target_out_ids, _) in text.batches(batch_tokens):
        rows, length = target_out_ids.shape
        assert rows == 1 or rows * length <= batch_tokens
        longest = max(len(ids) for member in members for ids in (text.source_ids[member], text.target_ids[member]))
        assert 0 <= length - longest < 8
        for row, member in enumerate(members):
            for ids, of_batch in ((text.source_ids, inputs["source_ids"]), (text.target_ids, target_out_ids)):
                expected = ids[member].tolist()
                assert of_batch[row].tolist() == expected + [PAD_ID] * (length - len(expected))
        seen += members.tolist()
    assert sorted(seen) == list(range(len(text)))
    assert (np.diff(text.lengths[seen]) <= 0).all()


def test_long_pairs_are_dropped_whole(digits: Corpus, tokenizer: Any, text: TokenizedText) -> None:
    lengths = text.lengths
    limit = int(np.median(lengths))
    kept = [row.tolist() for row, length in zip(text.source_ids, lengths, strict=True) if length <= limit]
    assert text.drop_long(limit) == (lengths > limit).sum() > 0
    assert len(text) == len(kept)
    assert [row.tolist() for row in text.source_ids] == kept
    assert text.lengths.max() == limit
    assert text.drop_long(limit) == 0


def test_a_limit_that_no_pair_meets_is_named_with_what_there_is(text: TokenizedText) -> None:
    shortest, longest = min(text.lengths), max(text.lengths)
    with pytest.raises(CorpusError) as caught:
        text.drop_long(int(shortest) - 1)
    for part in (
        f"--training.max_length {shortest - 1} ",
        "96 pairs",
        f"shortest has {shortest}",
        f"longest {longest}",
    ):
        assert part in str(caught.value)
    assert text.drop_long(int(shortest)) < 96


def pairs_of(batch: Any) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    inputs, target_out_ids, _ = batch
    return [
        (tuple(real(np.asarray(source))), tuple(real(np.asarray(target))))
        for source, target in zip(inputs["source_ids"], target_out_ids, strict=True)
        if np.asarray(source).any()
    ]


def test_an_epoch_of_the_dataset(text: TokenizedText) -> None:
    batches = TrainingBatches(text, batch_tokens=100, num_shapes=3, seed=2, num_devices=2)
    every_pair = sorted(
        (tuple(s.tolist()), tuple(t.tolist())) for s, t in zip(text.source_ids, text.target_ids, strict=True)
    )
    dataset = batches.dataset()
    assert int(dataset.cardinality()) == batches.steps_per_epoch > 5
    orders = []
    for epoch in (0, 3, 0):
        batches.next_epoch = epoch
        passed = list(dataset.as_numpy_iterator())
        assert len(passed) == batches.steps_per_epoch
        for one, other in zip(passed, batches.epoch(epoch), strict=True):
            np.testing.assert_array_equal(one[0]["source_ids"], other[0]["source_ids"])
            np.testing.assert_array_equal(one[0]["target_in_ids"], other[0]["target_in_ids"])
            np.testing.assert_array_equal(one[1], other[1])
            np.testing.assert_array_equal(one[2], other[2])
            assert BatchShape(*one[1].shape) in batches.shapes
            assert one[1].shape[0] % 2 == 0
        orders.append([pair for batch in passed for pair in pairs_of(batch)])
        assert sorted(orders[-1]) == every_pair
    assert orders[0] == orders[2] != orders[1]


def test_epochs_of_so_many_steps_are_parts_of_the_passes(text: TokenizedText) -> None:
    passes = TrainingBatches(text, batch_tokens=100, num_shapes=3, seed=2)
    assert passes.steps_per_pass > 5
    parts = TrainingBatches(text, 100, 3, seed=2, steps_per_epoch=passes.steps_per_pass * 2 // 3)
    batches = [indices.tolist() for number in range(2) for _, indices in passes.plan(number)]
    in_parts = [indices.tolist() for epoch in range(3) for _, indices in parts.plan(epoch)]
    assert in_parts == batches[: len(in_parts)]
    assert int(parts.dataset().cardinality()) == parts.steps_per_epoch == len(in_parts) / 3
    tokens = [sum(len(text.target_ids[index]) for index in indices) for indices in batches]
    assert [number for epoch in range(3) for number in parts.target_tokens(epoch)] == tokens[: len(in_parts)]
    for epoch in range(4):
        assert parts.target_tokens_before(epoch) == sum(tokens[: epoch * parts.steps_per_epoch])


def test_an_epoch_without_an_end_in_sight_begins_at_once(text: TokenizedText) -> None:
    passes = TrainingBatches(text, batch_tokens=100, num_shapes=3, seed=2)
    endless = TrainingBatches(text, 100, 3, seed=2, steps_per_epoch=10**9)
    steps = passes.steps_per_pass + 2
    expected = [indices.tolist() for number in range(2) for _, indices in passes.plan(number)][:steps]
    assert [indices.tolist() for _, indices in islice(endless.plan(0), steps)] == expected
    assert endless.target_tokens_before(1) > 10**9
    dataset = endless.dataset()
    assert int(dataset.cardinality()) == 10**9
    first = next(iter(dataset))
    np.testing.assert_array_equal(first[1], next(passes.epoch(0))[1])


def test_padding_is_measured(text: TokenizedText) -> None:
    batches = TrainingBatches(text, batch_tokens=100, num_shapes=2, seed=2)
    slots = padding = 0
    for _, target_out_ids, _ in batches.epoch(0):
        slots += target_out_ids.size
        padding += int((target_out_ids == PAD_ID).sum())
    assert 0 < padding < slots
    assert batches.padding_share == pytest.approx(padding / slots)


def test_a_single_pair(tokenizer: Any) -> None:
    text = TokenizedText(ParallelText(["one"], ["un"]), tokenizer)
    batches = TrainingBatches(text, 1000, 6, seed=1)
    assert batches.steps_per_epoch == 1
    ((inputs, _, weights),) = batches.epoch(5)
    assert real(inputs["source_ids"][0]) == text.source_ids[0].tolist()
    assert weights.sum() == pytest.approx(1)
