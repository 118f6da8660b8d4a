"""What a Python program uses: corpora in, models out; the commands are callers of the same functions."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import keras
import numpy as np

from nmt_keras.analysis.alignment import AttentionMap, attention_maps
from nmt_keras.analysis.evaluation import Evaluation
from nmt_keras.analysis.evaluation import evaluate as evaluate_translator
from nmt_keras.config import ARCHITECTURES, Preset, SearchConfig, load_preset
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.decoding.translator import Scorer, Translation, Translator
from nmt_keras.errors import ConfigError
from nmt_keras.experiments.measurements import FULL_PLAN, MeasurementPlan
from nmt_keras.experiments.run import Outcome, run_experiment, train_tracked
from nmt_keras.models.directory import HELD_OUT, MODEL_FILES, LoadedModel, load_model
from nmt_keras.serving.savedmodel import export_directory
from nmt_keras.system.files import new_directory
from nmt_keras.system.processes import processors
from nmt_keras.tracking.registry import resolve
from nmt_keras.tracking.runs import UntrackedRun
from nmt_keras.training.settings import TrainingSettings, TrainingSummary
from nmt_keras.training.xla import has_gpu


class Model:
    """A translation model: text in, text out. `train` and `load` make one.

    Args:
        directory: of the model.
        summary: what came of its training, where it was trained just now.

    Example:
        >>> model.translate("one two three")
        '...'
        >>> model.translate(["one two", "three"], beam_size=1)
        ['...', '...']
    """

    def __init__(self, directory: Path, summary: TrainingSummary | None = None) -> None:
        self.directory = directory.absolute()
        self.summary = summary
        self._translators: dict[tuple[SearchConfig, int], Translator] = {}

    def __repr__(self) -> str:
        return f"<nmt_keras.Model {self.directory}>"

    @cached_property
    def loaded(self) -> LoadedModel:
        """The Keras model (`loaded.model`), its tokenizer and its description; read when they are first needed."""
        return load_model(self.directory)

    @overload
    def translate(self, text: str, **search: Any) -> str: ...
    @overload
    def translate(self, text: Sequence[str], **search: Any) -> list[str]: ...
    def translate(self, text: str | Sequence[str], **search: Any) -> str | list[str]:
        """Translate a sentence, or several.

        Args:
            text: one sentence, or a list of N.
            search: settings of `SearchConfig` in place of the model's own: `beam_size`, `length_penalty`,
                `batch_size`, ...

        Returns:
            The translation, or the list of N in the order of the sentences. A blank sentence stays blank.

        Raises:
            ConfigError: a setting breaks its rule.

        Example:
            >>> model.translate("one two three", beam_size=5)
            '...'
        """
        if isinstance(text, str):
            return self.translate([text], **search)[0]
        return [best.text for best in self.translator(**search).translate(list(text))]

    @overload
    def n_best(self, text: str, n: int, **search: Any) -> list[Translation]: ...
    @overload
    def n_best(self, text: Sequence[str], n: int, **search: Any) -> list[list[Translation]]: ...
    def n_best(self, text: str | Sequence[str], n: int, **search: Any) -> list[Translation] | list[list[Translation]]:
        """Find the n best translations of a sentence, or of each of several.

        Args:
            text: one sentence, or a list of N.
            n: translations of each, at most the beam size.
            search: as in `translate`.

        Returns:
            Translations (`text`, and `score`: log-probability divided by the length penalty), the best first; fewer
            than n where there are no more.

        Raises:
            ConfigError: n is not from 1 to the beam size, or a setting breaks its rule.

        Example:
            >>> best, second = model.n_best("one two three", 2, beam_size=4)
            >>> best.score >= second.score
            True
        """
        if isinstance(text, str):
            return self.n_best([text], n, **search)[0]
        return self.translator(n, **search).n_best(list(text))

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> np.ndarray:
        """Score given translations: log p(target | source), in nats, summed over the target's tokens with EOS.

        Args:
            sources: N sentences.
            targets: their translations, as many.

        Returns:
            (N,) float64.

        Raises:
            CorpusError: there are not as many targets as sources.

        Example:
            >>> model.score(["one two"], ["deux un"]).shape
            (1,)
        """
        return self._scorer.score(ParallelText(list(sources), list(targets), "the given sentences"))[0]

    def attention(self, source: str, target: str | None = None, words: bool = False) -> dict[str, AttentionMap]:
        """Look at what each target token attends to.

        Args:
            source: a sentence.
            target: its translation; the model's own by default.
            words: merge the tokens of each word.

        Returns:
            By kind, "cross" and, of a Transformer, "encoder_self" and "decoder_self": the tokens (`rows`, `columns`)
            and the `weights`, (layers, heads, rows, columns) float32.

        Raises:
            ModelError: the architecture has no attention.

        Example:
            >>> cross = model.attention("one two")["cross"]
            >>> cross.weights.shape[-1] == len(cross.columns)
            True
        """
        return attention_maps(self.loaded, source, self.translate(source) if target is None else target, words)

    def save(self, directory: str | Path) -> None:
        """Copy the model, without what is left of its training, to a directory that `load` reads.

        Args:
            directory: new or empty.

        Raises:
            ConfigError: it holds something.

        Example:
            >>> model.save("copy")
            >>> nmt_keras.load("copy").translate("one") == model.translate("one")
            True
        """
        path = Path(directory)
        if path.exists() and any(path.iterdir()):
            raise ConfigError(f"A model is saved to a new directory. Received: {path}, which holds something.")
        path.mkdir(parents=True, exist_ok=True)
        for name in (*MODEL_FILES, HELD_OUT):
            if (self.directory / name).is_file():
                shutil.copyfile(self.directory / name, path / name)

    def translator(self, n: int = 1, **search: Any) -> Translator:
        """Return the compiled search with these settings, made once.

        Args:
            n: translations of each sentence.
            search: as in `translate`.
        """
        own = self.loaded.description.search
        if unknown := [name for name in search if name not in vars(own)]:
            raise ConfigError(f"A search has the settings {', '.join(vars(own))}. Received: {', '.join(unknown)}.")
        config = replace(own, **{name: value for name, value in search.items() if value is not None})
        if not 1 <= n <= config.beam_size:
            raise ConfigError(f"n must be from 1 to the beam size, {config.beam_size}. Received: {n}.")
        if (config, n) not in self._translators:
            self._translators[config, n] = Translator(self.loaded.model, self.loaded.tokenizer, config, n)
        return self._translators[config, n]

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self.loaded.model, self.loaded.tokenizer)


def load(reference: str | Path) -> Model:
    """Load a model.

    Args:
        reference: its directory, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID/MODEL_NAME.

    Raises:
        ModelError: the reference names no model, or one that is incomplete.

    Example:
        >>> nmt_keras.load("out").translate(["one two"], beam_size=5)
        ['...']
    """
    model = Model(resolve(str(reference)))
    assert model.loaded  # what is wrong with it is found out here
    return model


def train(
    corpus: Corpus,
    architecture: str = "transformer",
    *,
    preset: str | Preset = "tiny",
    output: str | Path | None = None,
    seed: int = 1,
    max_minutes: float | None = None,
    devices: str = "1",
    init_from: str | Path | None = None,
    track: bool = True,
) -> Model:
    """Train a model; an unfinished training in `output` goes on, a finished one is left as it is.

    Args:
        corpus: what to train on, from `load_corpus`.
        architecture: one of `nmt_keras.ARCHITECTURES`.
        preset: a name, or settings from `load_preset`.
        output: directory; by default one in outputs/, named by corpus, languages, architecture, preset and seed.
        seed: of weights, dropout, vocabulary and order of the data.
        max_minutes: limit of the wall time, counted from the start of the process; None for no limit.
        devices: devices that share each batch, a number or "all".
        init_from: model (as `load` takes it) whose weights and vocabulary to start from.
        track: whether MLflow logs the training.

    Returns:
        The model with the best weights; `summary` says what came of the training.

    Raises:
        ConfigError: a setting breaks its rule, or the directory was begun with others.
        CorpusError: no pair is left to train on.
        TrainingError: the training diverged.

    Example:
        >>> model = nmt_keras.train(corpus, "transformer", preset="debug", output="out")
        >>> model.summary.epochs
        1
    """
    settings = _settings(_preset(preset, [architecture]), architecture, seed, max_minutes, devices, init_from)
    languages = f"{corpus.source_language}-{corpus.target_language}"
    name = "-".join(filter(None, [Path(corpus.name).name, languages, architecture, settings.preset, f"seed{seed}"]))
    directory = Path(output or f"outputs/{name}")
    return Model(directory, train_tracked(corpus, settings, directory, parent=None if track else UntrackedRun()))


def compare(
    corpus: Corpus,
    architectures: Iterable[str] = tuple(ARCHITECTURES),
    *,
    preset: str | Preset = "quick",
    seeds: Iterable[int] = (1, 2, 3),
    budget: str | None = None,
    max_minutes: float | None = None,
    output: str | Path | None = None,
    jobs: int | None = None,
    devices: str = "1",
    init_from: str | Path | None = None,
    test_sets: int | None = None,
    plan: MeasurementPlan = FULL_PLAN,
    track: bool = True,
) -> Outcome:
    """Train several architectures with several seeds, evaluate all, and register the one that validates best.

    Args:
        corpus: what to train and test on, from `load_corpus`.
        architectures: of `nmt_keras.ARCHITECTURES`.
        preset: a name, or settings from `load_preset`.
        seeds: each architecture is trained with each.
        budget: limit of each training, such as "10min", "2M-tokens" or "20epochs"; the preset's by default.
        max_minutes: limit of the wall time of each training.
        output: directory, in which an interrupted comparison goes on; by default one in outputs/.
        jobs: trainings at once; by default 2 on one device without a GPU or a time limit, else 1.
        devices: devices that share each batch, a number or "all".
        init_from: model (as `load` takes it) whose weights and vocabulary to start from.
        test_sets: test sets at most; all by default.
        plan: how much is measured.
        track: whether MLflow logs the trainings and registers the best model.

    Returns:
        What the experiment found: `models` by name ("lstm-seed2"), `failures`, and the name of the `best`.

    Raises:
        ConfigError: a setting breaks its rule, or Keras runs on another backend than TensorFlow.
        TrainingError: every training failed.

    Example:
        >>> outcome = nmt_keras.compare(
        ...     corpus, ["rnn", "transformer"], preset="debug", seeds=[1], output="both", track=False
        ... )
        >>> sorted(outcome.models)
        ['rnn-seed1', 'transformer-seed1']
        >>> outcome.best in outcome.models
        True
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            "A comparison exports what it trains, which needs the backend tensorflow. "
            f"Received: {keras.backend.backend()}. `train` takes every backend."
        )
    settings = _preset(preset, architectures)
    trainings = [
        _settings(settings, architecture, seed, max_minutes, devices, init_from)
        for seed in seeds
        for architecture in settings.architectures
    ]
    if budget:
        trainings = [each.within(budget) for each in trainings]
    jobs = _jobs(jobs, alone=devices != "1" or any(each.max_minutes for each in trainings))
    directory = Path(output) if output else new_directory("outputs/comparison")
    print(f"What is trained goes to {directory}: after an interruption, --output {directory} goes on.", file=sys.stderr)
    # The sentences of test_agreement are for agreement accuracy alone.
    others = [split for split in corpus.splits if split.startswith("test_") and split != "test_agreement"]
    test_splits = ["test", *others][:test_sets]
    parent = None if track else UntrackedRun()
    return run_experiment(corpus, trainings, directory, test_splits, plan, jobs, parent)


def evaluate(model: Model, text: ParallelText | Corpus, split: str = "test", **search: Any) -> Evaluation:
    """Measure BLEU and chrF of a model on a test set.

    Args:
        model: to measure.
        text: sentences with their references, or a corpus.
        split: of the corpus.
        search: as in `Model.translate`.

    Returns:
        The figures (`bleu.score`, `chrf.score`, `by_length`) and the translations (`hypotheses`).

    Raises:
        CorpusError: the corpus has no such split.

    Example:
        >>> evaluation = nmt_keras.evaluate(model, corpus, "test", beam_size=1)
        >>> 0 <= evaluation.bleu.score <= 100
        True
        >>> len(evaluation.hypotheses) == len(corpus.split("test"))
        True
    """
    text = text.split(split) if isinstance(text, Corpus) else text
    description = model.loaded.description
    return evaluate_translator(
        model.translator(**search), text, description.source_language, description.target_language
    )


def export(model: Model, output: str | Path, held_out: Sequence[str] | None = None, **options: Any) -> Path:
    """Write a SavedModel that takes and gives raw strings, and needs nothing of this package.

    Args:
        model: to export.
        output: directory; the model becomes its next version.
        held_out: sentences that the export must translate as the model does; by default validation sentences that
            were kept from the training.
        options: as `serving.savedmodel.export_directory` takes them: `config`, `limits`, `model_license`, `xla`, ...

    Returns:
        The directory of the version.

    Raises:
        ConfigError: there is no held-out sentence, or Keras runs on another backend than TensorFlow.
        ModelError: the exported model translates otherwise; nothing is written.

    Example:
        >>> nmt_keras.export(model, "served").name
        '1'
    """
    return export_directory(model.directory, Path(output), model.loaded, held_out, **options)


def _preset(preset: str | Preset, architectures: Iterable[str]) -> Preset:
    names = list(dict.fromkeys(architectures))
    if isinstance(preset, str):
        return load_preset(preset, names)
    if missing := [name for name in names if name not in preset.architectures]:
        raise ConfigError(f"The preset must have the sizes of each architecture. Received: none of {missing}.")
    return replace(preset, architectures={name: preset.architectures[name] for name in names})


def _settings(
    preset: Preset,
    architecture: str,
    seed: int,
    max_minutes: float | None,
    devices: str,
    init_from: str | Path | None,
) -> TrainingSettings:
    return TrainingSettings(
        architecture=architecture,
        model_config=preset.architectures[architecture],
        vocabulary=preset.vocabulary,
        training=preset.training,
        search=preset.search,
        seed=seed,
        devices=devices,
        max_minutes=max_minutes,
        init_from=None if init_from is None else resolve(str(init_from)),
        init_reference=None if init_from is None else str(init_from),
        preset=preset.name,
    )


def _jobs(jobs: int | None, alone: bool) -> int:
    """Trainings at once; one where each must have the whole machine."""
    if jobs is not None:
        if jobs < 1 or (alone and jobs > 1):
            raise ConfigError(
                "--jobs must be at least 1, and 1 where a training is limited in time or has several devices. "
                f"Received: --jobs {jobs}."
            )
        return jobs
    # One training keeps few processors busy; accelerators are not shared, nor processors that cannot be told apart.
    shareable = hasattr(os, "sched_setaffinity") and len(processors()) > 1
    return 2 if shareable and not alone and not has_gpu() else 1
