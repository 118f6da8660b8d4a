"""Callbacks by themselves, told what a training would tell them."""

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nmt_keras.data.batching import BatchShape
from nmt_keras.errors import TrainingError
from nmt_keras.training import callbacks
from nmt_keras.training.callbacks import LogTrainingLoss, ProgressDisplay, ThroughputMeter, TimeLimit, TokenBudget
from nmt_keras.training.state import TrainingState


def loss_log(tokens: np.ndarray, logged: list[dict[str, Any]]) -> LogTrainingLoss:
    """A log of every third update; epochs have as many updates as `tokens` has entries."""
    batches: Any = SimpleNamespace(steps_per_epoch=len(tokens), target_tokens=lambda epoch: tokens)
    log = LogTrainingLoss(batches, TrainingState(), lambda figures, step: logged.append(dict(figures)), every=3)
    log.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.1)))
    return log


def test_the_training_loss_is_that_of_the_updates_since_the_last_one_logged() -> None:
    random = np.random.default_rng(5)
    tokens = random.integers(2, 60, 8)
    losses = random.uniform(1, 9, (2, 8))  # of the batches of two epochs
    logged: list[dict[str, Any]] = []
    log = loss_log(tokens, logged)
    for epoch in range(2):
        log.on_epoch_begin(epoch)
        for batch in range(8):
            mean = np.average(losses[epoch, : batch + 1], weights=tokens[: batch + 1])  # what Keras' metric gives
            log.on_train_batch_end(batch, {"token_loss": mean})
    # Updates 3, 6, 9, 12 and 15; with an epoch the mean begins anew.
    windows = [(0, slice(0, 3)), (0, slice(3, 6)), (1, slice(0, 1)), (1, slice(1, 4)), (1, slice(4, 7))]
    expected = [np.average(losses[epoch, part], weights=tokens[part]) for epoch, part in windows]
    assert [figures["train_loss"] for figures in logged] == pytest.approx(expected)
    assert [row["train_loss"] for row in log.state.losses] == pytest.approx(expected)


def test_an_epoch_is_followed_step_by_step() -> None:
    """However many steps it has, and whatever comes after them."""

    def first(values: list[Any]) -> Callable[[int], Iterator[Any]]:
        def of_epoch(epoch: int) -> Iterator[Any]:
            yield from values
            pytest.fail("no more steps were done")

        return of_epoch

    one, other = BatchShape(2, 3), BatchShape(1, 9)
    batches: Any = SimpleNamespace(
        steps_per_epoch=10**9,
        plan=first([(one, None), (other, None), (one, None)]),
        target_tokens=first([5, 7, 9]),
        target_tokens_before=lambda epoch: 100 * epoch,
    )
    state = TrainingState()
    cost = ThroughputMeter(batches, state)
    log = LogTrainingLoss(batches, state, lambda figures, step: None, every=3)
    budget = TokenBudget(batches, 221)
    model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.1), stop_training=False)
    for callback in (cost, log, budget):
        callback.set_model(model)
        callback.on_epoch_begin(2)
    stopped = []
    for batch in range(3):
        for callback in (cost, log, budget):
            callback.on_train_batch_end(batch, {"token_loss": 2.0})
        stopped.append(model.stop_training)
    assert stopped == [False, False, True]  # 200 + 5 + 7 + 9
    assert state.update_tokens == 9  # but the first of each shape
    assert [row["step"] for row in log.state.losses] == [2 * 10**9 + 1]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_training_that_diverged_ends(loss: float) -> None:
    log = loss_log(np.array([5, 7]), [])
    log.on_epoch_begin(3)
    log.on_train_batch_end(0, {"token_loss": 4.0})
    with pytest.raises(TrainingError, match=rf"finite number\. Received: {loss} at step 8\..*learning_rate"):
        log.on_train_batch_end(1, {"token_loss": loss})


@pytest.mark.parametrize(
    ("tokens_per_second", "deadline", "left"),
    [(100.0, None, "4:00"), (100.0, 59.7, "1:00"), (100.0, -3.0, "0:00"), (500.0, 100.0, "0:48")],
)
def test_the_time_left(
    tokens_per_second: float,
    deadline: float | None,
    left: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(time=lambda: 1000.0))
    batches: Any = SimpleNamespace(steps_per_epoch=4, steps_per_pass=5, text=SimpleNamespace(num_target_tokens=10_000))
    state = TrainingState(update_seconds=10.0, update_tokens=round(10 * tokens_per_second))
    display = ProgressDisplay(batches, 4, None if deadline is None else 1000.0 + deadline, state)
    display.on_epoch_begin(0)
    display.on_train_batch_end(3, {"token_loss": 2.5})  # 12 steps of 2,000 tokens are left
    line = capsys.readouterr().err
    assert line == f"epoch 1/4  step 4/4  loss 2.500  {tokens_per_second:,.0f} tokens/s  {left} left\n"


@pytest.mark.parametrize(("seconds", "stops"), [(40.0, False), (60.0, True)])
def test_time_for_another_update_without_its_validation_is_no_time(seconds: float, stops: bool) -> None:
    """The deadline is in 60 seconds, and an epoch of no more than one update has just been validated."""
    limit = TimeLimit(time.time() + 60, TrainingState(validation_seconds=seconds, history=[{"epoch": 1}]))
    model = SimpleNamespace(stop_training=False)
    limit.set_model(model)
    limit.on_epoch_end(1)  # which was not validated
    assert not model.stop_training
    limit.on_epoch_end(0)
    assert model.stop_training == stops
