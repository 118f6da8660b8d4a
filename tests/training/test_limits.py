"""What ends a training: time, tokens, steps, and that nothing improves."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording import Recorder, batches_of

from nmt_keras.data.parallel_text import Corpus
from nmt_keras.errors import TrainingError
from nmt_keras.training import trainer
from nmt_keras.training.settings import TrainingSettings
from nmt_keras.training.trainer import train


@pytest.mark.usefixtures("eager", "unmeasured")
def test_the_time_before_an_interruption_counts(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Callable
) -> None:
    validated: list[int] = []

    def interrupt(figures: Any, step: int) -> None:
        validated.extend([step] * ("valid_bleu" in figures))
        if len(validated) == 2:
            raise KeyboardInterrupt

    limited = replace(settings, max_minutes=60.0)
    with pytest.raises(KeyboardInterrupt):
        train(digits, limited, tmp_path / "model", interrupt, began=time.time() - 50 * 60)
    checkpoint = json.loads((tmp_path / "model" / "checkpoint.json").read_text())
    assert 50 * 60 < checkpoint["seconds"] < 60 * 60
    summary = train(digits, limited, tmp_path / "model", silent, began=time.time() - 11 * 60)
    assert summary.steps == validated[0] + 1


@pytest.mark.usefixtures("eager", "unmeasured")
def test_a_training_that_diverges_before_its_first_validation_keeps_nothing(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Callable
) -> None:
    hasty = replace(settings, training=replace(settings.training, learning_rate=1e30, warmup_steps=1))
    with pytest.raises(TrainingError, match=r"Received: nan at step \d+\. Give a lower --training\.learning_rate"):
        train(digits, hasty, tmp_path / "model", silent)
    assert not (tmp_path / "model" / "model.weights.h5").exists()


@pytest.mark.usefixtures("eager", "unmeasured")
def test_epochs_of_so_many_steps(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(settings, training=replace(settings.training, steps_per_epoch=4, max_tokens=1200, epochs=9))
    with monkeypatch.context() as patch:
        recorder = Recorder(patch)
        summary = train(digits, short, tmp_path / "model", recorder.log_metrics)
    batches = batches_of(digits, settings, tmp_path / "model")
    assert batches.steps_per_pass > 4
    tokens = np.cumsum([tokens for number in range(4) for tokens in batches.target_tokens(number)])
    assert summary.steps == len(recorder.weights) == 1 + np.searchsorted(tokens, 1200)
    assert summary.steps > batches.steps_per_pass + 1
    assert summary.epochs == -(-summary.steps // 4)
    assert [entry["step"] for entry in summary.history][:2] == [4, 8]

    def interrupt(figures: Any, step: int) -> None:
        if "valid_bleu" in figures and step == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(digits, short, tmp_path / "again", interrupt)
    resumed = Recorder(monkeypatch)
    assert train(digits, short, tmp_path / "again", resumed.log_metrics).steps == summary.steps
    assert resumed.epochs[0] == 2
    for one, other in zip(resumed.weights[-1], recorder.weights[-1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.usefixtures("eager")
def test_training_stops_when_nothing_improves(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Callable
) -> None:
    qualities = iter([(0.0, 5.0), (3.0, 4.0), (2.0, 3.0), (3.0, 4.5), (9.0, 1.0)])

    def quality_of_epoch(self: Any) -> None:
        bleu, loss = next(qualities)
        self.measure = lambda: {"valid_bleu": bleu, "valid_loss": loss}

    class Scripted(trainer.Validation):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            quality_of_epoch(self)
            super().on_epoch_end(epoch, logs)

    monkeypatch.setattr(trainer, "Validation", Scripted)
    patient = replace(settings, training=replace(settings.training, epochs=5, patience=2))
    summary = train(digits, patient, tmp_path / "model", silent)
    assert [entry["valid_bleu"] for entry in summary.history] == [0.0, 3.0, 2.0, 3.0]
    assert (summary.valid_bleu, summary.valid_loss) == (3.0, 4.0)


@pytest.mark.usefixtures("eager", "unmeasured")
def test_a_budget_of_tokens_ends_an_epoch_early(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Any
) -> None:
    budget = 700
    limited = replace(settings, training=replace(settings.training, max_tokens=budget))
    summary = train(digits, limited, tmp_path / "model", silent)
    batches = batches_of(digits, settings, tmp_path / "model")
    seen, steps = 0, 0
    for _, indices in [batch for epoch in range(4) for batch in batches.plan(epoch)]:
        if seen >= budget:
            break
        seen += sum(len(batches.text.target_ids[index]) for index in indices)
        steps += 1
    assert summary.steps == steps
    assert steps % batches.steps_per_epoch  # in the middle of an epoch
    assert (summary.epochs, len(summary.history)) == (-(-steps // batches.steps_per_epoch), summary.epochs)
