"""Whole trainings of a tiny model on a made-up corpus."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from recording import MODEL_FILES, Recorder, batches_of

from nmt_keras.config import RecurrentConfig
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.decoding.translator import Scorer, Translator
from nmt_keras.errors import ConfigError
from nmt_keras.metrics.corpus_scores import bleu
from nmt_keras.models.directory import load_model
from nmt_keras.training import trainer
from nmt_keras.training.settings import TrainingSettings, TrainingSummary
from nmt_keras.training.trainer import train


@pytest.fixture(scope="module")
def whole(
    digits: Corpus, settings: TrainingSettings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, TrainingSummary, Recorder]:
    """Four epochs in one go."""
    directory = tmp_path_factory.mktemp("whole") / "model"
    with pytest.MonkeyPatch.context() as patch:
        recorder = Recorder(patch)
        patch.setattr(trainer, "processors", lambda: range(os.cpu_count() or 1))
        summary = train(digits, settings, directory, recorder.log_metrics)
    return directory, summary, recorder


def contents(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


def test_each_pair_is_seen_once_per_epoch(
    digits: Corpus, settings: TrainingSettings, whole: tuple[Path, TrainingSummary, Recorder]
) -> None:
    directory, summary, recorder = whole
    batches = batches_of(digits, settings, directory)
    assert batches.steps_per_epoch > 3
    assert summary.epochs == 4
    assert summary.steps == len(recorder.weights) == 4 * batches.steps_per_epoch
    assert recorder.epochs == [0, 1, 2, 3]
    assert [entry["epoch"] for entry in summary.history] == [1, 2, 3, 4]
    assert [entry["step"] for entry in summary.history] == [n * batches.steps_per_epoch for n in (1, 2, 3, 4)]
    assert [step for figures, step in recorder.figures if "valid_bleu" in figures] == [
        entry["step"] for entry in summary.history
    ]
    logged = [step for figures, step in recorder.figures if "train_loss" in figures]
    assert logged == [step for step in range(1, summary.steps + 1) if step % 20 == 0]


def test_costs_are_those_of_all_updates_but_the_first_of_each_shape(
    digits: Corpus, settings: TrainingSettings, whole: tuple[Path, TrainingSummary, Recorder]
) -> None:
    directory, summary, _ = whole
    batches = batches_of(digits, settings, directory)
    lengths = batches.text.target_lengths
    shapes, tokens = zip(
        *((shape, lengths[rows].sum()) for n in range(4) for shape, rows in batches.plan(n)), strict=True
    )
    counted = [tokens[n] for n, shape in enumerate(shapes) if shape in shapes[:n]]
    assert 0 < len(counted) < len(shapes)
    assert summary.cost.tokens_per_second == pytest.approx(sum(counted) / summary.history[-1]["training_seconds"])
    assert summary.cost.processors == os.cpu_count()


def test_it_learns(whole: tuple[Path, TrainingSummary, Recorder]) -> None:
    _, summary, _ = whole
    losses = [entry["train_loss"] for entry in summary.history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.7 * losses[0]
    assert summary.valid_loss < summary.history[0]["valid_loss"]


def test_figures_belong_to_the_weights_that_are_kept(
    digits: Corpus, settings: TrainingSettings, whole: tuple[Path, TrainingSummary, Recorder]
) -> None:
    directory, summary, _ = whole
    assert {path.name for path in directory.iterdir()} == MODEL_FILES
    loaded = load_model(directory)
    valid = digits.split("valid")
    translator = Translator(loaded.model, loaded.tokenizer, replace(settings.search, beam_size=1))
    hypotheses = [translation.text for translation in translator.translate(valid.sources)]
    assert bleu(hypotheses, valid.targets).score == pytest.approx(summary.valid_bleu)
    assert Scorer(loaded.model, loaded.tokenizer).cross_entropy(valid) == pytest.approx(summary.valid_loss, rel=1e-5)
    assert loaded.description.search == settings.search
    assert (loaded.description.source_language, loaded.description.target_language) == ("en", "fr")
    assert summary.parameters == loaded.model.count_params()
    assert json.loads((directory / "training.json").read_text())["valid_bleu"] == summary.valid_bleu


def test_what_is_kept_is_the_average_of_the_weights(
    settings: TrainingSettings, whole: tuple[Path, TrainingSummary, Recorder]
) -> None:
    directory, summary, recorder = whole
    best = max(summary.history, key=lambda entry: (round(entry["valid_bleu"], 1), -entry["valid_loss"]))
    average = recorder.weights[0]
    for done, weights in enumerate(recorder.weights[1 : int(best["step"])], start=1):
        decay = min(settings.training.ema_decay, done / (done + 9))
        average = [decay * old + (1 - decay) * new for old, new in zip(average, weights, strict=True)]
    kept = load_model(directory).model.get_weights()
    last = recorder.weights[int(best["step"]) - 1]
    assert max(np.abs(one - other).max() for one, other in zip(kept, last, strict=True)) > 1e-3
    for one, other in zip(kept, average, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_finished_directory_is_left_as_it_is(
    digits: Corpus, settings: TrainingSettings, whole: tuple[Path, TrainingSummary, Recorder], silent: Callable
) -> None:
    directory, summary, _ = whole
    before = contents(directory)
    assert train(digits, settings, directory, silent) == summary
    assert train(digits, replace(settings, max_minutes=1.0), directory, silent) == summary
    assert contents(directory) == before


def test_an_interrupted_training_goes_on(
    digits: Corpus,
    settings: TrainingSettings,
    whole: tuple[Path, TrainingSummary, Recorder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silent: Callable,
) -> None:
    directory, summary, recorder = whole

    def interrupt(figures: Any, step: int) -> None:
        if "valid_bleu" in figures and step == summary.history[2]["step"]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(digits, settings, tmp_path / "model", interrupt)
    assert not (tmp_path / "model" / "training.json").exists()
    keras.utils.set_random_seed(99)  # another process starts with another state
    monkeypatch.setattr(trainer, "train_vocabulary", lambda *_: b"")  # another version might train another one
    resumed = Recorder(monkeypatch)
    gone_on = train(digits, settings, tmp_path / "model", resumed.log_metrics)
    assert resumed.epochs == [2, 3]
    assert len(resumed.weights) == len(recorder.weights) // 2
    for one, other in zip(resumed.weights[-1], recorder.weights[-1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert [entry.keys() for entry in gone_on.history] == [entry.keys() for entry in summary.history]
    for one, other in zip(gone_on.history, summary.history, strict=True):
        assert one | {"training_seconds": 0} == pytest.approx(other | {"training_seconds": 0}, abs=1e-5)
    seconds = [entry["training_seconds"] for entry in gone_on.history]
    assert seconds == sorted(seconds)
    assert seconds[2] > 0  # of the epochs before the interruption: the one after it compiles
    kept = load_model(tmp_path / "model").model.get_weights()
    for one, other in zip(kept, load_model(directory).model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert {path.name for path in (tmp_path / "model").iterdir()} == MODEL_FILES
    assert train(digits, settings, tmp_path / "model", silent) == gone_on


def test_other_settings_are_refused_and_named(
    digits: Corpus, settings: TrainingSettings, whole: tuple[Path, TrainingSummary, Recorder], silent: Callable
) -> None:
    directory, _, _ = whole
    before = contents(directory)
    other = replace(settings, seed=8, training=replace(settings.training, learning_rate=0.5))
    with pytest.raises(ConfigError) as error:
        train(digits, other, directory, silent)
    message = str(error.value)
    assert "seed: begun with 7, received 8" in message
    assert "training.learning_rate: begun with 0.01, received 0.5" in message
    assert message.count("begun with") == 3  # these two, and the headline

    text = digits.split("train")
    changed = ParallelText([*text.sources[:-1], "nine nine"], text.targets)
    with pytest.raises(ConfigError, match="train_sha256: begun with"):
        train(replace(digits, splits=dict(digits.splits) | {"train": changed}), settings, directory, silent)
    model_config = RecurrentConfig("rnn", embedding_dim=8, hidden_dim=8)
    with pytest.raises(ConfigError, match="architecture: begun with 'transformer', received 'rnn'"):
        train(digits, replace(settings, architecture="rnn", model_config=model_config), directory, silent)
    assert contents(directory) == before


@pytest.mark.usefixtures("eager")
def test_the_time_limit_stops_training_with_a_model_to_show(
    digits: Corpus,
    settings: TrainingSettings,
    whole: tuple[Path, TrainingSummary, Recorder],
    tmp_path: Path,
    silent: Callable,
) -> None:
    limited = replace(settings, max_minutes=1e-6)
    summary = train(digits, limited, tmp_path / "model", silent, began=time.time())
    assert summary.steps == 1
    assert len(summary.history) == 1
    assert Scorer(*load_and_take(tmp_path / "model")).cross_entropy(digits.split("valid")) == pytest.approx(
        summary.valid_loss, rel=1e-5
    )
    assert summary.valid_loss > whole[1].valid_loss


def load_and_take(directory: Path) -> tuple[Any, Any]:
    loaded = load_model(directory)
    return loaded.model, loaded.tokenizer


@pytest.mark.usefixtures("eager")
def test_starting_from_another_model(
    digits: Corpus,
    settings: TrainingSettings,
    whole: tuple[Path, TrainingSummary, Recorder],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory, summary, _ = whole
    text = digits.split("train")
    other = replace(digits, splits=dict(digits.splits) | {"train": ParallelText(text.sources[:30], text.targets[:30])})
    start = replace(
        settings,
        init_from=directory,
        init_reference="models:/digits@champion",
        model_config=replace(settings.model_config, dropout_rate=0.1),  # which changes no weight
        training=replace(settings.training, epochs=1, learning_rate=1e-9),
        seed=1,
    )
    recorder = Recorder(monkeypatch)
    child = train(other, start, tmp_path / "child", recorder.log_metrics)
    # A rate of nearly nothing changes nearly nothing.
    for one, kept in zip(recorder.weights[-1], load_model(directory).model.get_weights(), strict=True):
        np.testing.assert_allclose(one, kept, atol=1e-6)
    assert child.valid_loss == pytest.approx(summary.valid_loss, abs=1e-4)
    loaded = load_model(tmp_path / "child")
    assert loaded.tokenizer.proto == load_model(directory).tokenizer.proto
    assert loaded.description.lineage == ("models:/digits@champion",)
    grandchild = replace(start, init_from=tmp_path / "child", init_reference="child")
    train(other, replace(grandchild, max_minutes=1e-6), tmp_path / "grandchild", recorder.log_metrics, time.time())
    assert load_model(tmp_path / "grandchild").description.lineage == ("child", "models:/digits@champion")


def test_starting_from_a_model_of_other_sizes_is_refused(
    digits: Corpus,
    settings: TrainingSettings,
    whole: tuple[Path, TrainingSummary, Recorder],
    tmp_path: Path,
    silent: Callable,
) -> None:
    model_config = replace(settings.model_config, feed_forward_dim=48, dropout_rate=0.1)
    other = replace(settings, init_from=whole[0], init_reference="a model", model_config=model_config)
    with pytest.raises(ConfigError) as error:
        train(digits, other, tmp_path / "model", silent)
    assert str(error.value).splitlines() == [
        "--init-from needs a model of the same architecture and sizes. Received: a model, with other ones:",
        "  feed_forward_dim: 48, and 32 in that model",
    ]


@pytest.mark.heavy
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="XLA is a choice with TensorFlow alone")
def test_compiled_by_xla_it_learns_the_same(
    digits: Corpus, settings: TrainingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = digits.split("train")
    few = replace(digits, splits=dict(digits.splits) | {"train": ParallelText(text.sources[:24], text.targets[:24])})
    weights = []
    for jit_compile, batch_shapes in ((False, 1), (True, 4)):  # the same batches: without XLA there are four times 1
        training = replace(settings.training, epochs=1, jit_compile=jit_compile, batch_shapes=batch_shapes)
        model_config = replace(settings.model_config, dropout_rate=0.0, inner_dropout_rate=0.0)
        with monkeypatch.context() as patch:
            recorder = Recorder(patch)
            directory = tmp_path / f"jit_{jit_compile}"
            train(few, replace(settings, model_config=model_config, training=training), directory, recorder.log_metrics)
        weights.append(recorder.weights[-1])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)
