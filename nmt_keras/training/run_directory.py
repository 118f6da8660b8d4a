"""The files of a training, by which it goes on after an interruption and is left alone when it is finished.

settings.json                 what the training was begun with; binding from the first checkpoint on
checkpoint.json               epochs done, history, and the name of the file with the weights that go with them
checkpoint-00007.weights.h5   weights and optimizer state
training.json                 the summary; only a finished training has it, and no checkpoint
mlflow_run.json               the MLflow run that it is logged to, if any; it may be there before all else
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from nmt_keras.config import differing, flat
from nmt_keras.errors import ConfigError
from nmt_keras.files import read_json, write_json
from nmt_keras.training.settings import TrainingCost, TrainingSummary

MLFLOW_RUN = "mlflow_run.json"
_SETTINGS, CHECKPOINT, SUMMARY = "settings.json", "checkpoint.json", "training.json"


class RunDirectory:
    """A directory in which one training runs.

    Args:
        path: it need not be there.
        settings: everything that must be the same when the training goes on.

    Raises:
        ConfigError: the directory was begun with other settings, or holds something else.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.settings = settings
        if not _holds_settings(path):
            if path.exists() and any(file.name != MLFLOW_RUN for file in path.iterdir()):
                raise ConfigError(
                    f"--output must be a new directory, or one that an earlier training began. Received: {path}, "
                    f"which holds other files."
                )
            return
        if not self.begun:
            return
        begun, given = flat(read_json(path / _SETTINGS)), flat(settings)
        differences = [
            f"{name}: begun with {begun.get(name)!r}, received {given.get(name)!r}"
            for name in differing(given, begun)
            if name != "corpus"  # which may lie elsewhere by now: its hashes tell whether it is the same
        ]
        if differences:
            raise ConfigError(
                f"{path} was begun with other settings:\n  "
                + "\n  ".join(differences)
                + "\nGive the same settings to go on, or another --output."
            )

    @property
    def begun(self) -> bool:
        """Whether there is a training to go on with, or a finished one."""
        return any((self.path / name).exists() for name in (CHECKPOINT, SUMMARY))

    def begin(self) -> None:
        """Writes down what is trained, once that is known to be possible."""
        write_json(self.path / _SETTINGS, self.settings)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes of this machine from training here meanwhile.

        Raises:
            ConfigError: another one does.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with the process, however it ends
            except BlockingIOError:
                raise ConfigError(
                    f"--output must be a directory in which nothing is trained at present. Received: {self.path}, "
                    f"where another process trains. Wait for it, or give another --output."
                ) from None
            yield
        finally:
            os.close(descriptor)

    def summary(self) -> TrainingSummary | None:
        """The summary of a finished training."""
        path = self.path / SUMMARY
        if not path.exists():
            return None
        values = read_json(path)
        return TrainingSummary(**values | {"cost": TrainingCost(*values["cost"])})

    def restore(self, model: keras.Model) -> dict[str, Any] | None:
        """Loads the last checkpoint into a compiled model and returns what was saved with it, or None."""
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        state: dict[str, Any] = read_json(path)
        model.load_weights(self.path / state["weights"])
        return state

    def save(self, model: keras.Model, state: Mapping[str, Any]) -> None:
        """Saves a checkpoint. The weights are written first, then the file that names them: the two always fit."""
        name = f"checkpoint-{state['epochs']:05d}.weights.h5"
        model.save_weights(self.path / name)
        write_json(self.path / CHECKPOINT, {"weights": name, **state})
        for old in self.path.glob("checkpoint-*.weights.h5"):
            if old.name != name:
                old.unlink()

    def finish(self, summary: TrainingSummary) -> None:
        """Writes the summary and removes the checkpoint."""
        write_json(self.path / SUMMARY, asdict(summary))
        for checkpoint in self.path.glob("checkpoint*"):
            checkpoint.unlink()


def _holds_settings(path: Path) -> bool:
    """Whether there are settings of a training; many programs have a file of that name."""
    try:
        return "train_sha256" in read_json(path / _SETTINGS)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return False
