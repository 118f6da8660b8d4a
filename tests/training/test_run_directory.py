"""The directory of a training: who may use it, and what is left in it."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recording import MODEL_FILES

from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.errors import ConfigError
from nmt_keras.training import trainer
from nmt_keras.training.run_directory import CHECKPOINT, RunDirectory
from nmt_keras.training.settings import TrainingSettings
from nmt_keras.training.trainer import finished_training, train


@pytest.mark.usefixtures("eager", "unmeasured")
def test_pairs_that_are_left_out_do_not_make_it_another_training(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Any
) -> None:
    text = digits.split("train")
    train_split = ParallelText([*text.sources, "", "one"], [*text.targets, "un", "un " * 60])
    corpus = replace(digits, splits={**digits.splits, "train": train_split})
    short = replace(settings, training=replace(settings.training, epochs=1))
    summary = train(corpus, short, tmp_path / "model", silent)
    assert sum(summary.dropped.values()) == 2
    assert finished_training(corpus, short, tmp_path / "model") == summary


def test_the_same_text_may_lie_elsewhere(tmp_path: Path) -> None:
    begun = {"corpus": "DIR", "train_sha256": "a", "seed": 1}
    run = RunDirectory(tmp_path, begun)
    run.begin()
    (tmp_path / CHECKPOINT).touch()
    RunDirectory(tmp_path, begun | {"corpus": "DIR/"})
    with pytest.raises(ConfigError, match="train_sha256: begun with 'a', received 'b'") as error:
        RunDirectory(tmp_path, begun | {"corpus": "DIR/", "train_sha256": "b"})
    assert "corpus" not in str(error.value)


@pytest.mark.usefixtures("eager", "unmeasured")
def test_one_process_trains_in_a_directory(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, silent: Any
) -> None:
    short = replace(settings, training=replace(settings.training, epochs=1))
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
    short = replace(settings, training=replace(settings.training, epochs=1))

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
