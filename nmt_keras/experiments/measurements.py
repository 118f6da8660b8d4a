"""What a comparison wants to know of a trained model beside its translations; measured once and kept on disk."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from nmt_keras.analysis.alignment import AttentionMap, attention_maps
from nmt_keras.analysis.evaluation import Evaluation, InferenceModel, median_latency_ms
from nmt_keras.analysis.gradient_flow import gradient_flow, sentences_of_length, untrained
from nmt_keras.analysis.throughput import StepTime, step_times
from nmt_keras.data.dataset import TokenizedText
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.errors import ModelError
from nmt_keras.layers.state_key import StateKey
from nmt_keras.metrics.corpus_scores import Score, ter
from nmt_keras.metrics.tokenization import sentence_lengths
from nmt_keras.models.directory import LoadedModel
from nmt_keras.models.factory import build_model
from nmt_keras.system.files import read_object, write_json

_FILE = "measurements.json"
_MIN_GRADIENT_SENTENCES = 8  # that a mean is taken over


class MeasurementPlan(NamedTuple):
    """How much is measured.

    Args:
        timed_sentences: that latency is the median of.
        step_lengths: tokens of the sentences whose training steps are timed.
        step_tokens: tokens of a timed batch.
        step_repeats: measurements of each.
        gradient_sentences: that gradient norms are averaged over, at most.
        attended_sentences: whose attention is kept.
    """

    timed_sentences: int
    step_lengths: tuple[int, ...]
    step_tokens: int
    step_repeats: int
    gradient_sentences: int
    attended_sentences: int


FULL_PLAN = MeasurementPlan(30, (8, 32, 128), 2048, 7, 64, 10)
SHORT_PLAN = MeasurementPlan(10, (8, 64), 512, 3, 16, 4)


StateNorms = Sequence[tuple[StateKey, Sequence[float]]]


@dataclass(frozen=True)
class Measurements:
    """Plain figures of one model.

    Args:
        ter: translation edit rate on the split test.
        perplexity: by test split; e^(cross-entropy in nats per target token of the vocabulary).
        latency_ms: median time of one sentence alone.
        vocabulary_sha256: of the model.
        step_times: of training and encoding by length; empty where the model was not looked into closely.
        gradient_norms: "before training" and "after training" -> (encoder state, norm by distance); empty likewise.
        attention: sentence pairs with what the model attends to; empty likewise, and without attention:
            "source", "target", and "maps" by kind as `attention_to_json` gives them.
    """

    ter: Score
    perplexity: Mapping[str, float]
    latency_ms: float
    vocabulary_sha256: str
    step_times: Sequence[StepTime] = ()
    gradient_norms: Mapping[str, StateNorms] | None = None
    attention: Sequence[Mapping[str, Any]] = ()


def measure_and_save(
    directory: Path,
    model: InferenceModel,
    corpus: Corpus,
    evaluations: Mapping[str, Evaluation],
    seed: int,
    plan: MeasurementPlan | None,
) -> Measurements:
    """Measures a model and keeps the figures in its directory.

    Args:
        directory: of the training in the experiment.
        model: to measure.
        corpus: what it was evaluated on.
        evaluations: by split, "test" among them.
        seed: of the training.
        plan: which further measurements to make; None for none of those that are much the same for every seed.
    """
    figures = _measure(model, corpus, evaluations, seed, plan)
    write_json(directory / _FILE, {"plan": plan} | asdict(figures))
    return figures


def kept_measurements(directory: Path, plan: MeasurementPlan | None) -> Measurements | None:
    """What `measure_and_save` left there with this plan, or with any where none is asked for."""
    values = read_object(directory / _FILE)
    if not values:
        return None
    kept = values.pop("plan")
    if plan is not None and kept != [list(value) if isinstance(value, tuple) else value for value in plan]:
        return None
    return Measurements(
        **values
        | {
            "ter": Score(**values["ter"]),
            "step_times": [StepTime(*times) for times in values["step_times"]],
            "gradient_norms": values["gradient_norms"]
            and {
                when: [(StateKey(*state), norms) for state, norms in of_states]
                for when, of_states in values["gradient_norms"].items()
            },
        }
    )


def _measure(
    model: InferenceModel,
    corpus: Corpus,
    evaluations: Mapping[str, Evaluation],
    seed: int,
    plan: MeasurementPlan | None,
) -> Measurements:
    test = corpus.split("test")
    plan_or_short = plan or SHORT_PLAN
    return Measurements(
        ter=ter(evaluations["test"].hypotheses, test.targets, corpus.target_language),
        perplexity={split: float(np.exp(model.scorer.cross_entropy(corpus.split(split)))) for split in evaluations},
        latency_ms=median_latency_ms(model.translator, test.sources[: plan_or_short.timed_sentences]),
        vocabulary_sha256=model.loaded.tokenizer.sha256,
        **_measure_in_depth(model.loaded, test, evaluations["test"], seed, plan) if plan else {},
    )


def _measure_in_depth(
    loaded: LoadedModel, test: ParallelText, evaluation: Evaluation, seed: int, plan: MeasurementPlan
) -> dict[str, Any]:
    vocabulary_size = loaded.tokenizer.vocabulary_size
    fresh = build_model(loaded.description.model_config, vocabulary_size)
    return {
        "step_times": step_times(fresh, vocabulary_size, plan.step_lengths, plan.step_tokens, plan.step_repeats),
        "gradient_norms": _gradient_norms(loaded, test, seed, plan.gradient_sentences),
        "attention": _attention(loaded, test, evaluation, plan.attended_sentences),
    }


def _gradient_norms(loaded: LoadedModel, test: ParallelText, seed: int, most: int) -> dict[str, StateNorms] | None:
    if keras.backend.backend() != "tensorflow":
        return None
    tokenized = TokenizedText(test, loaded.tokenizer)
    lengths = np.bincount([len(ids) for ids in tokenized.source_ids])
    often = np.flatnonzero(lengths >= min(_MIN_GRADIENT_SENTENCES, int(lengths.max())))
    inputs, target_out_ids = sentences_of_length(tokenized, int(often.max()))  # the longest that are not too few
    inputs, target_out_ids = {name: ids[:most] for name, ids in inputs.items()}, target_out_ids[:most]
    models = {"before training": untrained(loaded, seed), "after training": loaded.model}
    flows = {when: gradient_flow(model, inputs, target_out_ids) for when, model in models.items()}
    return {when: [(state, norms.tolist()) for state, norms in flow.norms.items()] for when, flow in flows.items()}


def _attention(loaded: LoadedModel, test: ParallelText, evaluation: Evaluation, sentences: int) -> list[dict[str, Any]]:
    """The model's own translations of the same few sentences for every model, from short ones to long ones."""
    order = np.argsort(sentence_lengths(test.sources, loaded.description.source_language), kind="stable")
    chosen = order[np.unique(np.linspace(0.25 * len(order), 0.95 * (len(order) - 1), sentences).astype(int))]
    pairs = []
    for index in chosen:
        source, target = test.sources[index], evaluation.hypotheses[index]
        try:
            maps = attention_maps(loaded, source, target)
        except ModelError:  # none to look at
            return []
        pairs.append(
            {"source": source, "target": target, "maps": {kind: attention_to_json(m) for kind, m in maps.items()}}
        )
    return pairs


def attention_to_json(attention: AttentionMap) -> dict[str, Any]:
    """An attention map as short JSON.

    Returns:
        "rows" and "columns", the tokens; "layers" and "heads", their numbers; and "weights", base64 of
        layers * heads * rows * columns bytes, of which 255 stands for 1.
    """
    layers, heads, *_ = attention.weights.shape
    weights = np.rint(255 * attention.weights).astype("uint8")
    return {
        "rows": attention.rows,
        "columns": attention.columns,
        "layers": layers,
        "heads": heads,
        "weights": base64.b64encode(weights.tobytes()).decode(),
    }
