from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nmt_keras.data.batching import BatchShape
from nmt_keras.training.callbacks import TrainingProgress


def test_the_training_loss_is_that_of_the_updates_since_the_last_one_logged() -> None:
    random = np.random.default_rng(5)
    lengths = random.integers(1, 30, 16)
    losses = random.uniform(1, 9, (2, 8))  # of the batches of two epochs, two sentences in each
    plan = [(BatchShape(2, 30), np.array([2 * batch, 2 * batch + 1])) for batch in range(8)]
    batches: Any = SimpleNamespace(
        steps_per_epoch=8, text=SimpleNamespace(target_lengths=lengths), plan=lambda epoch: plan
    )
    logged: list[dict[str, Any]] = []
    progress = TrainingProgress(batches, 2, None, lambda figures, step: logged.append(dict(figures)), log_every=3)
    progress.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.1)))
    tokens = lengths.reshape(8, 2).sum(axis=1)
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        for batch in range(8):
            mean = np.average(losses[epoch, : batch + 1], weights=tokens[: batch + 1])  # what Keras' metric gives
            progress.on_train_batch_end(batch, {"token_loss": mean})
        progress.on_epoch_end(epoch)
    # Updates 3, 6, 9, 12 and 15; with an epoch the mean begins anew.
    windows = [(0, slice(0, 3)), (0, slice(3, 6)), (1, slice(0, 1)), (1, slice(1, 4)), (1, slice(4, 7))]
    expected = [np.average(losses[epoch, part], weights=tokens[part]) for epoch, part in windows]
    assert [figures["train_loss"] for figures in logged] == pytest.approx(expected)
    assert [row["train_loss"] for row in progress.losses] == pytest.approx(expected)
