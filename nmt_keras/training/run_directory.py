"""The files of a training, by which it goes on after an interruption and is left alone when it is finished.

settings.json                 what the training was begun with; binding from the first checkpoint on
checkpoint.json               epochs done, history, and the name of the file with the weights that go with them
checkpoint-00007.weights.h5   weights and optimizer state
training.json                 the summary; only a finished training has it, and no checkpoint
mlflow_run.json               the MLflow run that it is logged to, if any; it may be there before all else
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import keras

from nmt_keras.config import changed_keys, field_faults, flatten_dict, raise_faults
from nmt_keras.errors import ConfigError, DamagedFileError
from nmt_keras.models.directory import write_weights
from nmt_keras.system.files import locked_directory, read_json, remove_partial, write_json
from nmt_keras.training.settings import TrainingCost, TrainingSummary
from nmt_keras.training.state import TrainingState

MLFLOW_RUN = "mlflow_run.json"
SETTINGS, CHECKPOINT, SUMMARY = "settings.json", "checkpoint.json", "training.json"
_ANOTHER_OUTPUT = (
    "Put back a copy of it, or train into another --output (--init-from starts from a model that is whole)."
)


class RunDirectory:
    """A directory in which one training runs; made by `open_run_directory`.

    Args:
        path: of the directory.
        settings: everything that must be the same when the training goes on.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.settings = settings

    @property
    def begun(self) -> bool:
        """Whether there is a training to go on with, or a finished one."""
        return any((self.path / name).exists() for name in (CHECKPOINT, SUMMARY))

    def begin(self) -> None:
        """Writes down what is trained, once that is known to be possible."""
        write_json(self.path / SETTINGS, self.settings)

    def summary(self) -> TrainingSummary | None:
        """The summary of a finished training.

        Raises:
            DamagedFileError: it cannot be read.
        """
        path = self.path / SUMMARY
        if not path.exists():
            return None
        with _damage_told(path):
            values = read_json(path)
            summary = TrainingSummary(**values | {"cost": TrainingCost(*values["cost"])})
            raise_faults(field_faults(summary))
            return summary

    def restore(self, model: keras.Model) -> TrainingState | None:
        """Loads the last checkpoint into a compiled model and returns the state that was saved with it, or None.

        Raises:
            DamagedFileError: it cannot be read.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        with _damage_told(path):
            values = read_json(path)
            weights = self.path / values["weights"]
            state = TrainingState(**{field.name: values[field.name] for field in fields(TrainingState)})
            raise_faults(field_faults(state))
            figures = [row[name] for row in state.history for name in ("epoch", "valid_bleu", "valid_loss")]
            if state.epochs < 0 or not all(isinstance(figure, int | float) for figure in figures):
                raise ValueError("epochs and the figures of the history must be numbers, not below 0")
        with _damage_told(weights):
            model.load_weights(weights)
        return state

    def save(self, model: keras.Model, state: TrainingState) -> None:
        """Saves a checkpoint. The weights are written first, then the file that names them: the two always fit.

        Args:
            model: compiled.
            state: what goes with the weights.
        """
        name = f"checkpoint-{state.epochs:05d}.weights.h5"
        write_weights(self.path / name, model)
        write_json(self.path / CHECKPOINT, {"weights": name} | asdict(state))
        for old in self.path.glob("checkpoint-*.weights.h5"):
            if old.name != name:
                old.unlink()

    def finish(self, summary: TrainingSummary) -> None:
        """Writes the summary and removes the checkpoint."""
        write_json(self.path / SUMMARY, asdict(summary))
        for checkpoint in self.path.glob("checkpoint*"):
            checkpoint.unlink()


@contextmanager
def open_run_directory(path: Path, settings: Mapping[str, Any]) -> Iterator[RunDirectory]:
    """Makes a directory to train in, or opens that of an earlier training, and keeps others out meanwhile.

    Args:
        path: it need not be there.
        settings: everything that must be the same when the training goes on.

    Raises:
        ConfigError: another process trains there, or the directory was begun with other settings, or holds something
            else.
        DamagedFileError: the settings cannot be read.
    """
    with locked_directory(path):
        remove_partial(path)
        run = RunDirectory(path, settings)
        kept = _kept_settings(path)
        if kept is None and any(file.name != MLFLOW_RUN for file in path.iterdir()):
            raise ConfigError(
                f"--output must be a new directory, or one that an earlier training began. Received: {path}, "
                f"which holds other files."
            )
        if kept is not None and run.begun:
            _check_settings(path, flatten_dict(kept), flatten_dict(settings))
        yield run


def _kept_settings(path: Path) -> dict[str, Any] | None:
    """The settings of a training; many programs have a file of that name."""
    try:
        kept: dict[str, Any] = read_json(path / SETTINGS)
    except FileNotFoundError:
        return None
    except DamagedFileError as error:
        if (path / SUMMARY).exists() or (path / CHECKPOINT).exists():
            raise DamagedFileError(f"{error} {_ANOTHER_OUTPUT}") from None
        return None
    return kept if "train_sha256" in kept else None


def _check_settings(path: Path, begun: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    differences = [
        f"{name}: begun with {begun.get(name)!r}, received {given.get(name)!r}"
        for name in changed_keys(given, begun)
        if name != "corpus"  # which may lie elsewhere by now: its hashes tell whether it is the same
    ]
    if differences:
        raise ConfigError(
            f"{path} was begun with other settings:\n  "
            + "\n  ".join(differences)
            + "\nGive the same settings to go on, or another --output."
        )


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except DamagedFileError as error:
        raise DamagedFileError(f"{error} {_ANOTHER_OUTPUT}") from None
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ConfigError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DamagedFileError(
            f"{path} must be as the training left it. Received a damaged file: {reason}. {_ANOTHER_OUTPUT}"
        ) from None
