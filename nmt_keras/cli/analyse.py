"""The commands that look into a model, trained or not; as in `commands.py`, figures go to stdout."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from nmt_keras.cli.inputs import check_languages, given_preset, load_model_option, load_test_set
from nmt_keras.config import MOST_SEED, out_of_range, raise_faults
from nmt_keras.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from nmt_keras.models.directory import LoadedModel


def run_describe(options: Namespace) -> None:
    preset = given_preset(options, [options.architecture])
    from nmt_keras.analysis.structure import structure
    from nmt_keras.models.factory import build_model

    raise_faults(out_of_range("--length", options.length, 1, 10_000))
    model_config = preset.architectures[options.architecture]
    described = structure(build_model(model_config, preset.vocabulary.size), options.length, options.length)
    if options.json:
        given = {
            "architecture": options.architecture,
            "model_config": asdict(model_config),
            "vocabulary_size": preset.vocabulary.size,
        }
        print(json.dumps(given | described.as_json()))
        return
    print(f"{options.architecture}: " + ", ".join(f"{name} {value}" for name, value in asdict(model_config).items()))
    for layer in described.layers:
        shape = "" if layer.output_shape is None else str(layer.output_shape)
        print(f"{layer.name:<20} {shape:<18} {layer.parameters:>13,}")
    print(
        f"parameters: {described.parameters:,}, outside embeddings and output projection "
        f"{described.parameters_outside_embeddings:,}\n"
        f"multiply-adds for each target token, at {options.length} source and target tokens: "
        f"{described.multiply_adds_per_target_token:,.0f} (decoder {described.decoder_multiply_adds:,}, and a "
        f"share of the encoder's {described.encoder_multiply_adds:,})"
    )


def _english_french_model(options: Namespace) -> "LoadedModel":
    """The model, to be measured on the phrasebook."""
    from nmt_keras.data.phrasebook import NOTICE

    loaded = load_model_option(options)
    languages = f"{loaded.description.source_language}-{loaded.description.target_language}"
    if languages != "en-fr":
        raise ModelError(
            f"This is measured on the phrasebook, with a model that translates en-fr. "
            f"Received: --model {options.model}, which translates {languages}."
        )
    print(NOTICE, file=sys.stderr)
    return loaded


def run_agreement(options: Namespace) -> None:
    from nmt_keras.analysis.agreement import agreement_accuracy
    from nmt_keras.data.phrasebook import agreement_pairs
    from nmt_keras.decoding.translator import Scorer

    loaded = _english_french_model(options)
    agreement = agreement_accuracy(Scorer(loaded.model, loaded.tokenizer), agreement_pairs(options.seed))
    if options.json:
        print(json.dumps({"seed": options.seed} | agreement.as_json()))
        return
    rows = {f"{first}-{last} words": row for (first, last), row in agreement.by_distance.items()}
    for name, row in (rows | {"all": agreement.total}).items():
        print(
            f"{name:>11}: {row.correct:4d} of {row.pairs:4d} right, {row.accuracy:6.1%} "
            f"(95% interval {row.low:.1%} to {row.high:.1%})"
        )


def run_alignment_error(options: Namespace) -> None:
    from nmt_keras.analysis.alignment import alignment_errors
    from nmt_keras.data.phrasebook import phrasebook_pairs

    loaded = _english_french_model(options)
    splits = phrasebook_pairs(seed=options.seed)
    if options.split not in splits:
        raise ConfigError(f"--split must be one of {', '.join(splits)}. Received: --split {options.split}.")
    pairs = splits[options.split]
    scores = alignment_errors(loaded, pairs)
    best = min(range(len(scores)), key=lambda layer: scores[layer].error_rate)
    if options.json:
        layers = [{"layer": layer} | asdict(score) for layer, score in enumerate(scores)]
        given = {"seed": options.seed, "split": options.split, "sentences": len(pairs)}
        print(json.dumps(given | {"best_layer": best, "layers": layers}))
        return
    for layer, score in enumerate(scores):
        print(
            f"layer {layer}: alignment error rate {score.error_rate:.1%}, precision {score.precision:.1%}, "
            f"recall {score.recall:.1%}"
        )
    print(f"best: layer {best}, of {len(scores)}, on the {len(pairs):,} sentences of {options.split}")


def _output_file(options: Namespace) -> Path:
    path = Path(options.output)
    if path.suffix not in {".png", ".svg", ".json"}:
        raise ConfigError(f"--output must end in .png, .svg or .json. Received: --output {options.output}.")
    return path


def run_attention(options: Namespace) -> None:
    path = _output_file(options)
    from nmt_keras.analysis.alignment import AXES, attention_maps
    from nmt_keras.report.figures import attention_map
    from nmt_keras.system.files import write_json

    loaded = load_model_option(options)
    target = options.target
    if target is None:
        from nmt_keras.decoding.translator import Translator

        (translation,) = Translator(loaded.model, loaded.tokenizer, loaded.description.search).translate(
            [options.source]
        )
        target = translation.text
    maps = attention_maps(loaded, options.source, target, options.words)
    if path.suffix == ".json":
        given = {"model": options.model, "source": options.source, "target": target, "words": options.words}
        write_json(path, given | {"attention": {kind: of_kind.as_json() for kind, of_kind in maps.items()}})
    else:
        if options.kind not in maps:
            raise ConfigError(f"--kind must be one of {', '.join(maps)}. Received: --kind {options.kind}.")
        chosen = maps[options.kind]
        parts = {"layer": options.layer, "head": options.head}
        which = ", ".join(f"mean of {name}s" if index is None else f"{name} {index}" for name, index in parts.items())
        attention_map(
            chosen.mean(options.layer, options.head),
            chosen.rows,
            chosen.columns,
            *AXES[options.kind],
            title=f"{options.kind}: {which}",
            path=path,
        )
    print(f"{path}: {options.source} -> {target}")


def run_gradient_flow(options: Namespace) -> None:
    path = _output_file(options)
    raise_faults(out_of_range("--seed", options.seed, 0, MOST_SEED))
    from nmt_keras.analysis.gradient_flow import gradient_flow, sentences_of_length, untrained
    from nmt_keras.data.dataset import TokenizedText
    from nmt_keras.report.figures import gradient_norms
    from nmt_keras.system.files import write_json

    text, corpus, split = load_test_set(options)
    loaded = load_model_option(options)
    check_languages(options, loaded)
    inputs, target_out_ids = sentences_of_length(TokenizedText(text, loaded.tokenizer), options.length)
    sentences, length = inputs["source_ids"].shape
    models = {"before training": untrained(loaded, options.seed), "after training": loaded.model}
    flows = {name: gradient_flow(model, inputs, target_out_ids) for name, model in models.items()}
    if path.suffix == ".json":
        given = {"model": options.model, "corpus": corpus, "split": split, "length": length, "sentences": sentences}
        write_json(path, given | {name.partition(" ")[0]: flow.as_json() for name, flow in flows.items()})
    else:
        panels = {
            f"{name}, loss {flow.loss:.2f} nats": {str(state): norms for state, norms in flow.norms.items()}
            for name, flow in flows.items()
        }
        gradient_norms(panels, path)
    print(f"{path}: {sentences} sentences of {length} source tokens")
