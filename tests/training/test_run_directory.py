"""The directory of a training: who may use it, and what is left in it."""

import json
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from recording import MODEL_FILES

from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.errors import ConfigError, DamagedFileError
from nmt_keras.training import trainer
from nmt_keras.training.run_directory import CHECKPOINT, open_run_directory
from nmt_keras.training.settings import TrainingSettings
from nmt_keras.training.state import TrainingState
from nmt_keras.training.trainer import finished_training, train


@pytest.mark.usefixtures("eager", "unmeasured")
def test_pairs_that_are_left_out_do_not_make_it_another_training(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Any
) -> None:
    text = digits.split("train")
    train_split = ParallelText([*text.sources, "", "one"], [*text.targets, "un", "un " * 60])
    corpus = replace(digits, splits={**digits.splits, "train": train_split})
    short = settings_of_one_epoch(settings)
    summary = train(corpus, short, tmp_path / "model", silent)
    assert sum(summary.dropped.values()) == 2
    assert finished_training(corpus, short, tmp_path / "model") == summary


def test_the_same_text_may_lie_elsewhere(tmp_path: Path) -> None:
    begun = {"corpus": "DIR", "train_sha256": "a", "seed": 1}
    with open_run_directory(tmp_path, begun) as run:
        run.begin()
    (tmp_path / CHECKPOINT).touch()
    with open_run_directory(tmp_path, begun | {"corpus": "DIR/"}) as run:
        assert run.begun
    other = open_run_directory(tmp_path, begun | {"corpus": "DIR/", "train_sha256": "b"})
    with pytest.raises(ConfigError, match="train_sha256: begun with 'a', received 'b'") as error, other:
        pass
    assert "corpus" not in str(error.value)


@pytest.mark.usefixtures("eager", "unmeasured")
def test_one_process_trains_in_a_directory(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Any
) -> None:
    short = settings_of_one_epoch(settings)
    refused = []

    def train_again(*_: Any) -> None:
        with pytest.raises(ConfigError, match=r"nothing is trained at present\. Received: .*model, where another"):
            train(digits, short, tmp_path / "model", silent)
        refused.append(True)

    train(digits, short, tmp_path / "model", train_again)
    assert refused


@pytest.mark.usefixtures("eager", "unmeasured")
def test_interrupted_after_its_last_epoch_it_only_finishes(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: Callable
) -> None:
    short = settings_of_one_epoch(settings)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer.RunDirectory, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(digits, short, tmp_path / "model", silent)
    weights = (tmp_path / "model" / "model.weights.h5").read_bytes()
    summary = train(digits, short, tmp_path / "model", silent)
    assert summary.epochs == 1
    assert len(summary.history) == 1
    assert (tmp_path / "model" / "model.weights.h5").read_bytes() == weights
    assert {path.name for path in (tmp_path / "model").iterdir()} == MODEL_FILES


@pytest.mark.usefixtures("eager", "unmeasured")
def test_a_mistake_binds_a_directory_to_nothing(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Callable
) -> None:
    with pytest.raises(ConfigError, match="--devices must be"):
        train(digits, replace(settings, devices="5000"), tmp_path / "model", silent)
    assert finished_training(digits, settings, tmp_path / "model") is None
    train(digits, replace(settings, max_minutes=1e-6), tmp_path / "model", silent, began=time.time())
    assert (tmp_path / "model" / "settings.json").exists()


@pytest.mark.parametrize(("name", "content"), [("thesis.txt", "precious"), ("settings.json", '{"precious": true}')])
def test_a_directory_with_other_files_is_refused(
    name: str, content: str, digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Callable
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match="must be a new directory"):
        train(digits, settings, tmp_path, silent)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, content)]


STATE = {"weights": "checkpoint-00001.weights.h5"} | asdict(TrainingState())
WRONG_STATES = [
    json.dumps(STATE | wrong)
    for wrong in (
        {"weights": 5}, {"epochs": "1"}, {"epochs": -5}, {"epochs": True}, {"history": None}, {"history": [{}]},
        {"history": [{"epoch": 1, "valid_bleu": "a", "valid_loss": 1.0}]}, {"update_seconds": None},
    )
]  # fmt: skip
DAMAGES = {
    "checkpoint.json": [
        "",
        '{"epochs": 1',
        "[1]",
        '{"weights": "checkpoint-00001.weights.h5", "epochs": 1}',
        *WRONG_STATES,
    ],
    "checkpoint-00001.weights.h5": ["", "\x89HDF"],
    "settings.json": ["", '{"train_sha256": '],
    "training.json": ["", '{"cost": [1, 2]}', "3"],
}


@pytest.fixture(scope="module")
def interrupted(digits: Corpus, settings: TrainingSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a training that ended after its checkpoint, and before its summary."""
    directory = tmp_path_factory.mktemp("interrupted") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_measure", lambda *_: lambda: {"valid_bleu": 1.0, "valid_loss": 2.0})
        patch.setattr(trainer.RunDirectory, "finish", lambda *_: None)
        train(digits, settings_of_one_epoch(settings), directory, lambda *_: None)
    return directory


@pytest.mark.usefixtures("eager", "unmeasured")
@pytest.mark.parametrize(("name", "content"), [(name, one) for name, all_of in DAMAGES.items() for one in all_of])
def test_a_damaged_file_of_a_training_is_told(
    name: str, content: str, interrupted: Path, digits: Corpus, settings: TrainingSettings, tmp_path: Path
) -> None:
    shutil.copytree(interrupted, tmp_path / "model")
    assert name == "training.json" or (tmp_path / "model" / name).exists()
    (tmp_path / "model" / name).write_text(content, encoding="latin-1")
    files = {path: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    with pytest.raises(DamagedFileError, match=rf"model/{name} must .* or train into another --output"):
        train(digits, settings_of_one_epoch(settings), tmp_path / "model", lambda *_: None)
    assert {path: path.read_bytes() for path in (tmp_path / "model").iterdir()} == files


def settings_of_one_epoch(settings: TrainingSettings) -> TrainingSettings:
    return replace(settings, training=replace(settings.training, epochs=1))


@pytest.mark.usefixtures("eager", "unmeasured")
def test_a_full_disk_costs_no_file_and_no_process(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Callable
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))  # room for the weights, not for a checkpoint
    try:
        with pytest.raises(OSError, match="File too large"):
            train(digits, settings_of_one_epoch(settings), tmp_path / "model", silent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in (tmp_path / "model").iterdir() if "checkpoint" in path.name or path.name[0] == "."]
    assert train(digits, settings_of_one_epoch(settings), tmp_path / "model", silent).epochs == 1
