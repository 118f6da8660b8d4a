"""One training, from parallel text to a model directory; interrupted, it goes on with the same command."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import psutil

from nmt_keras.config import SearchConfig, TrainingConfig, changed_keys
from nmt_keras.data.batching import BatchShape
from nmt_keras.data.cleaning import clean_corpus
from nmt_keras.data.dataset import TokenizedText, TrainingBatches
from nmt_keras.data.parallel_text import Corpus
from nmt_keras.decoding.translator import Scorer, Translator
from nmt_keras.errors import ConfigError
from nmt_keras.metrics.corpus_scores import bleu
from nmt_keras.models.base import TranslationModel
from nmt_keras.models.directory import (
    LoadedModel,
    ModelDescription,
    load_model,
    load_vocabulary,
    save_description,
    save_held_out,
    save_weights,
)
from nmt_keras.models.factory import build_model
from nmt_keras.system.processes import peak_memory_bytes, processors
from nmt_keras.text.tokenizer import Tokenizer, train_vocabulary
from nmt_keras.training.callbacks import (
    LogMetrics,
    LogTrainingLoss,
    ProgressDisplay,
    ReproducibleEpochs,
    ThroughputMeter,
    TimeLimit,
    TokenBudget,
    Validation,
)
from nmt_keras.training.distribution import distribute
from nmt_keras.training.losses import LabelSmoothedCrossEntropy, TokenLoss
from nmt_keras.training.optimizer import WholeBatchAdam
from nmt_keras.training.run_directory import RunDirectory, open_run_directory
from nmt_keras.training.schedules import InverseSquareRoot
from nmt_keras.training.settings import TrainingCost, TrainingSettings, TrainingSummary
from nmt_keras.training.state import TrainingState
from nmt_keras.training.xla import XlaChoice, choose_xla

HELD_OUT_SENTENCES = 32
"""Validation sources that are kept with the model, to check exports of it by."""


def train(
    corpus: Corpus,
    settings: TrainingSettings,
    directory: Path,
    log_metrics: LogMetrics,
    began: float | None = None,
) -> TrainingSummary:
    """Trains a model and leaves the best weights, by `Validation.quality`, in `directory`.

    A finished directory is left untouched; an unfinished one is gone on with.

    Args:
        corpus: the splits "train" and "valid" are read.
        settings: what to train, and how.
        directory: made if it is not there.
        log_metrics: takes figures by name, and the update they belong to.
        began: what `max_minutes` counts from, in seconds since the Unix epoch; the start of the process by default.
            The time before an interruption counts too.

    Raises:
        ConfigError: the directory was begun with other settings, or a setting cannot be used.
        CorpusError: no pair is left to train on.
        TrainingError: training diverged.
    """
    with open_training(corpus, settings, directory) as run:
        return run.summary() or train_in(run, corpus, settings, log_metrics, began)


def open_training(corpus: Corpus, settings: TrainingSettings, directory: Path) -> AbstractContextManager[RunDirectory]:
    """Opens the directory of a training, to go on with it or to begin; raises as `open_run_directory`."""
    return open_run_directory(directory, _fixed_settings(corpus, settings))


def train_in(
    run: RunDirectory,
    corpus: Corpus,
    settings: TrainingSettings,
    log_metrics: LogMetrics,
    began: float | None = None,
) -> TrainingSummary:
    """Trains in a directory that `open_training` opened, and that holds no finished training; else as `train`."""
    sharing, num_devices = distribute(settings.devices)
    data = _prepare_data(run, corpus, settings)
    keras.utils.set_random_seed(settings.seed)  # not before: a model to start from draws, and is not loaded again
    with sharing():
        models = _build_models(data, settings, num_devices)
    batches = _batches(data, settings, num_devices, models.xla)
    _say_what_is_trained(data, models, batches, num_devices)
    state = _begin_or_resume(run, data, settings, models.trained)
    began = (began or psutil.Process().create_time()) - state.seconds
    callbacks, display = _callbacks(run, data, settings, models, batches, state, log_metrics, began)
    with sharing(), closing(display):  # JAX shares a batch by the distribution that is set while `fit` runs
        models.trained.fit(
            batches.dataset(),
            initial_epoch=state.epochs,
            epochs=_epochs(settings.training, batches),
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
    summary = _summary(settings, models.trained, state, data.dropped)
    run.finish(summary)
    return summary


class _Data(NamedTuple):
    """What a training reads.

    Args:
        corpus: without the pairs that cleaning drops.
        text: the training pairs as tokens.
        tokenizer: the vocabulary.
        initial: the model to start from, if there is one.
        dropped: training pairs left out, by reason.
        dropped_valid: validation pairs left out, by reason.
    """

    corpus: Corpus
    text: TokenizedText
    tokenizer: Tokenizer
    initial: LoadedModel | None
    dropped: Mapping[str, int]
    dropped_valid: Mapping[str, int]


class _Models(NamedTuple):
    """The model that is trained, the one that gets its averaged weights to be validated, and whether XLA is used."""

    trained: TranslationModel
    averaged: TranslationModel
    xla: XlaChoice


def _prepare_data(run: RunDirectory, corpus: Corpus, settings: TrainingSettings) -> _Data:
    """Cleans the corpus, makes or reads the vocabulary, and tokenizes the training text."""
    corpus, counts = clean_corpus(corpus)
    tokenizer, initial = (load_vocabulary(run.path), None) if run.begun else _vocabulary(corpus, settings)
    text = TokenizedText(corpus.split("train"), tokenizer)
    dropped = counts["train"] | {"too_many_tokens": text.drop_long(settings.training.max_length)}
    return _Data(corpus, text, tokenizer, initial, dropped, counts["valid"])


def _build_models(data: _Data, settings: TrainingSettings, num_devices: int) -> _Models:
    """Builds and compiles what is trained, from the weights of `data.initial` if there are any."""
    config, vocabulary_size = settings.training, data.tokenizer.vocabulary_size
    model = build_model(settings.model_config, vocabulary_size, config.precision)
    averaged = build_model(settings.model_config, vocabulary_size)
    if data.initial:
        model.set_weights(data.initial.model.get_weights())
    xla = choose_xla(model, config, num_devices)
    _compile(model, config, xla.used)
    if num_devices > 1:  # else Keras builds its metrics from a distributed batch, whose dtypes it misreads
        shape = BatchShape(num_devices, int(data.text.lengths.max()))
        model.test_on_batch(*data.text.batch(shape, np.arange(0)))
    averaged.set_weights(model.get_weights())
    return _Models(model, averaged, xla)


def _batches(data: _Data, settings: TrainingSettings, num_devices: int, xla: XlaChoice) -> TrainingBatches:
    config = settings.training
    # Only XLA compiles for each shape; without it, more shapes cost nothing and save padding.
    num_shapes = config.batch_shapes if xla.used else 4 * config.batch_shapes
    return TrainingBatches(
        data.text, config.batch_tokens, num_shapes, settings.seed, num_devices, config.steps_per_epoch
    )


def _begin_or_resume(
    run: RunDirectory, data: _Data, settings: TrainingSettings, model: TranslationModel
) -> TrainingState:
    """Restores the last checkpoint; where there is none, writes down what is trained."""
    if (state := run.restore(model)) is not None:
        print(f"Going on after epoch {state.epochs} of {run.path}.", file=sys.stderr)
        return state
    run.begin()
    save_description(run.path, data.tokenizer, _description(data.corpus, settings, data.tokenizer, data.initial))
    save_held_out(run.path, data.corpus.split("valid").sources[:HELD_OUT_SENTENCES])
    return TrainingState()


def _callbacks(
    run: RunDirectory,
    data: _Data,
    settings: TrainingSettings,
    models: _Models,
    batches: TrainingBatches,
    state: TrainingState,
    log_metrics: LogMetrics,
    began: float,
) -> tuple[list[keras.callbacks.Callback], ProgressDisplay]:
    """What happens between batches and epochs, in this order; and the display, which is to be closed."""
    config = settings.training
    deadline = None if settings.max_minutes is None else began + 60 * settings.max_minutes
    display = ProgressDisplay(batches, _epochs(config, batches), deadline, state)
    validation = Validation(
        _measure(models.trained, models.averaged, data.tokenizer, data.corpus, settings.search),
        lambda: save_weights(run.path, models.averaged),
        config.validate_every,
        config.patience,
        log_metrics,
        state,
    )

    def save_checkpoint(epoch: int, _: Any) -> None:
        state.epochs, state.seconds = epoch + 1, time.time() - began
        run.save(models.trained, state)

    callbacks = [
        ReproducibleEpochs(batches),
        ThroughputMeter(batches, state),
        LogTrainingLoss(batches, state, log_metrics),
        display,
        validation,
        keras.callbacks.LambdaCallback(on_epoch_end=save_checkpoint),
    ]
    if deadline is not None:
        callbacks.append(TimeLimit(deadline, state))
    if config.max_tokens is not None:
        callbacks.append(TokenBudget(batches, config.max_tokens))
    return callbacks, display


def finished_training(corpus: Corpus, settings: TrainingSettings, directory: Path) -> TrainingSummary | None:
    """What came of the training in `directory`, or None where it is not finished, or not begun.

    Raises:
        ConfigError: the directory was begun with other settings, holds something else, or another process trains there.
    """
    if not directory.exists():
        return None
    with open_training(corpus, settings, directory) as run:
        return run.summary()


def _measure(
    model: TranslationModel,
    averaged: TranslationModel,
    tokenizer: Tokenizer,
    corpus: Corpus,
    search: SearchConfig,
) -> Callable[[], dict[str, float]]:
    """A function that gives `averaged` the moving average of the weights of `model` and validates it, greedily."""
    translator = Translator(averaged, tokenizer, replace(search, beam_size=1, batch_size=128))
    scorer = Scorer(averaged, tokenizer)
    valid = corpus.split("valid")

    def measure() -> dict[str, float]:
        model.optimizer.finalize_variable_values(averaged.trainable_variables)
        hypotheses = [translation.text for translation in translator.translate(valid.sources)]
        score = bleu(hypotheses, valid.targets, corpus.target_language).score
        return {"valid_bleu": score, "valid_loss": scorer.cross_entropy(valid)}

    return measure


def _epochs(config: TrainingConfig, batches: TrainingBatches) -> int:
    """Epochs at most, by whichever limit is reached first."""
    if config.max_tokens is None:
        return config.epochs
    epochs = config.max_tokens // batches.text.num_target_tokens * batches.steps_per_pass // batches.steps_per_epoch
    while batches.target_tokens_before(epochs) < config.max_tokens:
        epochs += 1
    return min(config.epochs, epochs)


def _fixed_settings(corpus: Corpus, settings: TrainingSettings) -> dict[str, Any]:
    """What may not change between a training and its continuation: all but the time limit and a name."""
    fixed = asdict(settings) | {
        "corpus": corpus.name,
        "languages": f"{corpus.source_language}-{corpus.target_language}",
        "train_sha256": corpus.split("train").sha256,
        "valid_sha256": corpus.split("valid").sha256,
        "backend": keras.backend.backend(),
        "init_from": settings.init_from and str(settings.init_from),  # an alias may have moved since
    }
    del fixed["max_minutes"], fixed["preset"]
    return fixed


def _vocabulary(corpus: Corpus, settings: TrainingSettings) -> tuple[Tokenizer, LoadedModel | None]:
    if settings.init_from is not None:
        initial = load_model(settings.init_from)
        own, other = (
            {"architecture": of.architecture} | asdict(of.model_config) for of in (settings, initial.description)
        )
        differences = [
            f"{name}: {own.get(name)!r}, and {other.get(name)!r} in that model"
            for name in changed_keys(own, other)
            if not name.endswith("dropout_rate")  # which changes no weight
        ]
        if differences:
            raise ConfigError(
                f"--init-from needs a model of the same architecture and sizes. Received: {settings.init_reference}, "
                "with other ones:\n  " + "\n  ".join(differences)
            )
        return initial.tokenizer, initial
    text = corpus.split("train")
    proto = train_vocabulary(
        [*text.sources, *text.targets],
        settings.vocabulary.size,
        settings.vocabulary.character_coverage,
        settings.seed,
    )
    return Tokenizer(proto), None


def _description(
    corpus: Corpus, settings: TrainingSettings, tokenizer: Tokenizer, initial: LoadedModel | None
) -> ModelDescription:
    lineage = (settings.init_reference or "", *initial.description.lineage) if initial else ()
    return ModelDescription(
        settings.architecture,
        settings.model_config,
        corpus.source_language,
        corpus.target_language,
        tokenizer.sha256,
        settings.search,
        lineage,
    )


def _compile(model: TranslationModel, config: TrainingConfig, jit_compile: bool) -> None:
    optimizer = WholeBatchAdam(
        InverseSquareRoot(config.learning_rate, config.warmup_steps),
        beta_2=0.98,
        epsilon=1e-9,
        global_clipnorm=config.clip_norm,
        use_ema=True,
        ema_momentum=config.ema_decay,
    )
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer=optimizer,
        loss=LabelSmoothedCrossEntropy(config.label_smoothing),
        metrics=[TokenLoss()],
        jit_compile=jit_compile,
    )


def _say_what_is_trained(data: _Data, models: _Models, batches: TrainingBatches, num_devices: int) -> None:
    def told(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in counts.items() if count) or "none"

    shapes = ", ".join(f"{shape.rows}x{shape.length}" for shape in batches.shapes)
    model, xla = models.trained, models.xla
    print(
        f"{model.name}: {model.count_params():,} parameters, backend {keras.backend.backend()}, "
        f"{num_devices} device{'s' * (num_devices > 1)}\n"
        f"{'XLA' if xla.used else 'no XLA'}: {xla.reason}\n"
        f"{data.corpus.name}: {len(data.text):,} pairs, {data.text.num_target_tokens:,} target tokens, "
        f"vocabulary {data.tokenizer.vocabulary_size:,}; left out: {told(data.dropped)}\n"
        f"validation: {len(data.corpus.split('valid')):,} pairs; left out: {told(data.dropped_valid)}\n"
        f"batches (rows x length): {shapes}; {batches.steps_per_pass} a pass, "
        f"{batches.padding_share:.0%} padding",
        file=sys.stderr,
    )


def _summary(
    settings: TrainingSettings,
    model: TranslationModel,
    state: TrainingState,
    dropped: Mapping[str, int],
) -> TrainingSummary:
    history = state.history
    best = max(history, key=Validation.quality)
    return TrainingSummary(
        architecture=settings.architecture,
        max_minutes=settings.max_minutes,
        epochs=int(history[-1]["epoch"]),
        steps=int(history[-1]["step"]),
        parameters=model.count_params(),
        parameters_outside_embeddings=model.count_params_outside_embeddings(),
        cost=TrainingCost(state.tokens_per_second, len(processors())),
        peak_memory_bytes=peak_memory_bytes(),
        valid_bleu=best["valid_bleu"],
        valid_loss=best["valid_loss"],
        dropped=dropped,
        history=history,
        losses=state.losses,
    )
