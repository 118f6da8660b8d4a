"""One training, from parallel text to a model directory; interrupted, it goes on with the same command."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

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
from nmt_keras.training.xla import choose_xla

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
    summary = _train(run, corpus, settings, log_metrics, began)
    run.finish(summary)
    return summary


def _train(
    run: RunDirectory,
    corpus: Corpus,
    settings: TrainingSettings,
    log_metrics: LogMetrics,
    began: float | None,
) -> TrainingSummary:
    directory = run.path
    sharing, num_devices = distribute(settings.devices)
    corpus, counts = clean_corpus(corpus)
    tokenizer, initial = (load_vocabulary(directory), None) if run.begun else _vocabulary(corpus, settings)
    text = TokenizedText(corpus.split("train"), tokenizer)
    dropped = counts["train"] | {"too_many_tokens": text.drop_long(settings.training.max_length)}
    config = settings.training
    keras.utils.set_random_seed(settings.seed)  # not before: a model to start from draws, and is not loaded again
    with sharing():
        model = build_model(settings.model_config, tokenizer.vocabulary_size, config.precision)
        averaged = build_model(settings.model_config, tokenizer.vocabulary_size)
        if initial:
            model.set_weights(initial.model.get_weights())
        xla = choose_xla(model, config, num_devices)
        _compile(model, config, xla.used)
        if num_devices > 1:  # else Keras builds its metrics from a distributed batch, whose dtypes it misreads
            model.test_on_batch(*text.batch(BatchShape(num_devices, int(text.lengths.max())), np.arange(0)))
    averaged.set_weights(model.get_weights())
    print(
        f"{model.name}: {model.count_params():,} parameters, backend {keras.backend.backend()}, "
        f"{num_devices} device{'s' * (num_devices > 1)}\n"
        f"{'XLA' if xla.used else 'no XLA'}: {xla.reason}",
        file=sys.stderr,
    )
    # Only XLA compiles for each shape; without it, more shapes cost nothing and save padding.
    num_shapes = config.batch_shapes if xla.used else 4 * config.batch_shapes
    batches = TrainingBatches(text, config.batch_tokens, num_shapes, settings.seed, num_devices, config.steps_per_epoch)
    _say_what_is_trained(corpus, tokenizer, batches, dropped, counts["valid"])

    state = run.restore(model)
    if state is None:
        state = {"epochs": 0, "seconds": 0.0, "history": [], "validation_seconds": 0.0, "cost": [], "losses": []}
        run.begin()
        save_description(directory, tokenizer, _description(corpus, settings, tokenizer, initial))
        save_held_out(directory, corpus.split("valid").sources[:HELD_OUT_SENTENCES])
    else:
        print(f"Going on after epoch {state['epochs']} of {directory}.", file=sys.stderr)
    began = (began or psutil.Process().create_time()) - state["seconds"]
    deadline = None if settings.max_minutes is None else began + 60 * settings.max_minutes
    epochs = _epochs(config, batches)

    cost = ThroughputMeter(batches, *state["cost"])
    losses = LogTrainingLoss(batches, cost, log_metrics, state["losses"])
    display = ProgressDisplay(batches, epochs, deadline, cost)
    measure = _measure(model, averaged, tokenizer, corpus, settings.search)
    validation = Validation(
        lambda: {"training_seconds": cost.seconds} | measure(),
        lambda: save_weights(directory, averaged),
        config.validate_every,
        config.patience,
        log_metrics,
        state["history"],
        state["validation_seconds"],
    )

    def save_checkpoint(epochs: int) -> None:
        state = {
            "epochs": epochs,
            "seconds": time.time() - began,
            "history": validation.history,
            "validation_seconds": validation.seconds,
            "cost": [cost.seconds, cost.tokens],
            "losses": losses.losses,
        }
        run.save(model, state)

    checkpoint = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: save_checkpoint(epoch + 1))
    callbacks = [ReproducibleEpochs(batches), cost, losses, display, validation, checkpoint]
    if deadline is not None:
        callbacks.append(TimeLimit(deadline, validation))
    if config.max_tokens is not None:
        callbacks.append(TokenBudget(batches, config.max_tokens))
    with sharing(), closing(display):  # JAX shares a batch by the distribution that is set while `fit` runs
        model.fit(
            batches.dataset(),
            initial_epoch=state["epochs"],
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
    return _summary(settings, model, cost, validation.history, losses.losses, dropped)


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


def _say_what_is_trained(
    corpus: Corpus,
    tokenizer: Tokenizer,
    batches: TrainingBatches,
    dropped: Mapping[str, int],
    dropped_valid: Mapping[str, int],
) -> None:
    def told(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in counts.items() if count) or "none"

    shapes = ", ".join(f"{shape.rows}x{shape.length}" for shape in batches.shapes)
    print(
        f"{corpus.name}: {len(batches.text):,} pairs, {batches.text.num_target_tokens:,} target tokens, "
        f"vocabulary {tokenizer.vocabulary_size:,}; left out: {told(dropped)}\n"
        f"validation: {len(corpus.split('valid')):,} pairs; left out: {told(dropped_valid)}\n"
        f"batches (rows x length): {shapes}; {batches.steps_per_pass} a pass, "
        f"{batches.padding_share:.0%} padding",
        file=sys.stderr,
    )


def _summary(
    settings: TrainingSettings,
    model: TranslationModel,
    cost: ThroughputMeter,
    history: list[dict[str, float]],
    losses: list[dict[str, float]],
    dropped: Mapping[str, int],
) -> TrainingSummary:
    best = max(history, key=Validation.quality)
    return TrainingSummary(
        architecture=settings.architecture,
        max_minutes=settings.max_minutes,
        epochs=int(history[-1]["epoch"]),
        steps=int(history[-1]["step"]),
        parameters=model.count_params(),
        parameters_outside_embeddings=model.count_params_outside_embeddings(),
        cost=TrainingCost(cost.tokens_per_second, len(processors())),
        peak_memory_bytes=peak_memory_bytes(),
        valid_bleu=best["valid_bleu"],
        valid_loss=best["valid_loss"],
        dropped=dropped,
        history=history,
        losses=losses,
    )
