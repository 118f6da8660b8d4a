"""What happens in a training, written down."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nmt_keras.data.dataset import TokenizedText, TrainingBatches
from nmt_keras.data.parallel_text import Corpus
from nmt_keras.models.directory import load_model
from nmt_keras.training import trainer
from nmt_keras.training.settings import TrainingSettings

MODEL_FILES = {
    "model.json", "vocabulary.model", "model.weights.h5", "held_out.json", "settings.json", "training.json",
}  # fmt: skip


class Recorder:
    """A training whose figures and weights are written down as it runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.figures: list[tuple[dict[str, float], int]] = []
        self.weights: list[list[np.ndarray]] = []  # after each update
        self.epochs: list[int] = []  # whose order the data was read in
        recorder = self

        class RecordingOrder(trainer.ReproducibleEpochs):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                recorder.weights.append([variable.numpy() for variable in self.model.trainable_variables])

        class RecordingBatches(trainer.TrainingBatches):
            def epoch(self, number: int) -> Iterator[Any]:
                recorder.epochs.append(number)
                return super().epoch(number)

        monkeypatch.setattr(trainer, "ReproducibleEpochs", RecordingOrder)
        monkeypatch.setattr(trainer, "TrainingBatches", RecordingBatches)

    def log_metrics(self, figures: Any, step: int) -> None:
        self.figures.append((dict(figures), step))


def batches_of(corpus: Corpus, settings: TrainingSettings, directory: Path) -> TrainingBatches:
    """The batches of a training in `directory`, without XLA."""
    config = settings.training
    text = TokenizedText(corpus.split("train"), load_model(directory).tokenizer)
    return TrainingBatches(text, config.batch_tokens, 4 * config.batch_shapes, settings.seed)
