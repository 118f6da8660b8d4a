"""What each command does with its options: load, call, print. Figures go to stdout, all else to stderr."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

from nmt_keras.config import ARCHITECTURES, SECTIONS, Preset, SearchConfig
from nmt_keras.errors import ConfigError, CorpusError, ModelError, UserError

if TYPE_CHECKING:
    from nmt_keras.data.parallel_text import Corpus, ParallelText
    from nmt_keras.experiment import Outcome
    from nmt_keras.models.directory import LoadedModel
    from nmt_keras.training.settings import TrainingSettings


def _load_corpus(options: Namespace) -> "Corpus":
    from nmt_keras.data.corpora import load_corpus

    # Without --seed: what one command trains on, another must not test on.
    corpus = load_corpus(options.corpus, options.source_language, options.target_language, options.data_dir)
    if corpus.notice:
        print(corpus.notice, file=sys.stderr)
    return corpus


def _preset(options: Namespace, architectures: Sequence[str]) -> Preset:
    made: dict[str, Any] = {}
    faults = []
    for name in (*SECTIONS, *architectures):
        make = ARCHITECTURES[name].configure if name in ARCHITECTURES else SECTIONS[name]
        try:
            made[name] = make(**options[name.replace("-", "_")].as_dict())
        except ConfigError as error:
            faults += [f"--{name}.{fault}" for fault in str(error).splitlines()]
    if faults:
        raise ConfigError("\n".join(faults))
    return Preset({name: made.pop(name) for name in architectures}, **made)


def _settings(options: Namespace, preset: Preset, architecture: str, seed: int) -> "TrainingSettings":
    from nmt_keras.tracking.registry import resolve
    from nmt_keras.training.settings import TrainingSettings

    return TrainingSettings(
        architecture=architecture,
        sizes=preset.architectures[architecture],
        vocabulary=preset.vocabulary,
        training=preset.training,
        search=preset.search,
        seed=seed,
        devices=options.devices,
        max_minutes=options.max_minutes,
        init_from=resolve(options.init_from) if options.init_from else None,
        init_reference=options.init_from,
    )


def run_prepare(options: Namespace) -> None:
    from nmt_keras.data.audit import audit, render

    print(render(audit(_load_corpus(options))))


def run_train(options: Namespace) -> None:
    preset = _preset(options, [options.architecture])
    corpus = _load_corpus(options)
    from nmt_keras.experiment import tracked_training

    output = options.output or (
        f"outputs/{Path(options.corpus).name}-{options.source_language}-{options.target_language}-"
        f"{options.architecture}-{options.preset}-seed{options.seed}"
    )
    summary = tracked_training(corpus, _settings(options, preset, options.architecture, options.seed), Path(output))
    print(
        f"{output}: valid BLEU {summary.valid_bleu:.2f}, {summary.epochs} epochs, {summary.parameters:,} parameters, "
        f"{summary.tokens_per_second:,.0f} target tokens/s"
    )


def run_main(options: Namespace) -> int:
    corpus, outcome = _experiment(options, "main", [options.seed])
    from nmt_keras.comparison import rows
    from nmt_keras.experiment import translate_standalone
    from nmt_keras.report.summary import print_by_length, print_listed, print_scores

    if corpus.listed:
        print("\nThe exported model, loaded by a new process without nmt_keras, translates sentences it never saw:")
        saved_model = outcome.models[outcome.best].saved_model
        print_listed(corpus.listed, translate_standalone(saved_model, list(corpus.listed)))
    table = rows(outcome.models)
    print_scores(table, f"{corpus.name}, {corpus.source_language}-{corpus.target_language}")
    print_by_length(table)
    name = outcome.registered_name
    print(f"\nRegistered {outcome.best} as {name} version {outcome.version}: {', '.join(outcome.aliases)}.")
    if corpus.notice:
        print(f"{corpus.notice} For real text: mlflow run . --env-manager local -P corpus=multi30k -P preset=tiny")
    print(
        f"""Next:
  mlflow ui
  echo "I am eating." | nmt-keras translate --model models:/{name}@candidate
  mlflow models serve -m models:/{name}@candidate --env-manager local --port 5001"""
    )
    return _failed(outcome)


def run_compare(options: Namespace) -> int:
    try:
        seeds = sorted({int(seed) for seed in options.seeds.split(",")})
    except ValueError:
        raise ConfigError(f"--seeds must be whole numbers with commas. Received: {options.seeds!r}.") from None
    corpus, outcome = _experiment(options, "comparison", seeds)
    from nmt_keras.comparison import compare_architectures, rows
    from nmt_keras.report.summary import print_by_length, print_comparisons, print_scores

    table = rows(outcome.models)
    print_scores(table, f"{corpus.name}, {corpus.source_language}-{corpus.target_language}, seeds {options.seeds}")
    print_by_length(table)
    if len(table) > 1:
        for split in table[0].bleu:
            print_comparisons(compare_architectures(outcome.models, corpus, split), split)
    return _failed(outcome)


def _experiment(options: Namespace, kind: str, seeds: Sequence[int]) -> "tuple[Corpus, Outcome]":
    """Trains, evaluates and registers what the options ask for."""
    preset = _preset(options, options.architectures.split(","))
    corpus = _load_corpus(options)
    from nmt_keras.experiment import run_experiment

    directory = Path(options.output or f"outputs/{kind}-{datetime.now():%Y%m%d-%H%M%S}")
    trainings = [
        _settings(options, preset, architecture, seed) for seed in seeds for architecture in preset.architectures
    ]
    if budget := options.get("budget"):
        trainings = [settings.within(budget) for settings in trainings]
    return corpus, run_experiment(corpus, trainings, directory)


def _failed(outcome: "Outcome") -> int:
    """The exit code; what failed is told last, so that it is not overlooked."""
    for name, why in outcome.failures.items():
        print(f"{name} failed: {why}", file=sys.stderr)
    return 1 if outcome.failures else 0


def _load_model(options: Namespace) -> "LoadedModel":
    from nmt_keras.models.directory import load_model
    from nmt_keras.tracking.registry import resolve

    return load_model(resolve(options.model))


def _load_model_and_search(options: Namespace) -> "tuple[LoadedModel, SearchConfig]":
    loaded = _load_model(options)
    given = {name: options[name] for name in ("beam_size", "length_penalty", "batch_size")}
    search = replace(loaded.description.search, **{name: value for name, value in given.items() if value is not None})
    return loaded, search


def run_evaluate(options: Namespace) -> None:
    from nmt_keras.evaluation import evaluate

    text, corpus, split = _test_set(options)
    loaded, search = _load_model_and_search(options)
    evaluation = evaluate(loaded, text, search)
    if options.json:
        figures = evaluation.as_json() | {"corpus": corpus, "split": split, "sentences": len(text)}
        print(json.dumps(figures | {"search": asdict(search)}, ensure_ascii=False))
        return
    print(f"{corpus} {split}: {len(text):,} sentences, {evaluation.sentences_per_second:.1f} sentences/s")
    for name, score in (("BLEU", evaluation.bleu), ("chrF", evaluation.chrf)):
        print(f"{name} {score.score:.2f}  {score.signature}")
    for row in evaluation.by_length:
        words = f"{row['from']}-{row['to']}" if row["to"] else f"{row['from']}+"
        print(f"{words:>8} words: {row['sentences']:5d} sentences, BLEU {row['bleu']:.2f}, chrF {row['chrf']:.2f}")


def _test_set(options: Namespace) -> "tuple[ParallelText, str | None, str | None]":
    """The text to evaluate on, its corpus and split (None for files)."""
    if options.source_file is None and options.reference_file is None:
        corpus = _load_corpus(options)
        return corpus.split(options.split), corpus.name, options.split
    if options.source_file is None or options.reference_file is None:
        raise ConfigError(
            f"--source-file and --reference-file go together. Received: --source-file {options.source_file}, "
            f"--reference-file {options.reference_file}."
        )
    from nmt_keras.data.text_files import read_line_pair

    faults: list[str] = []
    text = read_line_pair(Path(options.source_file), Path(options.reference_file), faults)
    if text is None or faults:
        raise CorpusError(faults)
    return text, None, None


def _load_english_french_model(options: Namespace) -> "LoadedModel":
    """The model, to be measured on the phrasebook."""
    from nmt_keras.data.phrasebook import NOTICE

    loaded = _load_model(options)
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

    loaded = _load_english_french_model(options)
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

    splits = phrasebook_pairs(seed=options.seed)
    if options.split not in splits:
        raise ConfigError(f"--split must be one of {', '.join(splits)}. Received: --split {options.split}.")
    pairs = splits[options.split]
    scores = alignment_errors(_load_english_french_model(options), pairs)
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


def _check_ending(options: Namespace, *endings: str) -> Path:
    path = Path(options.output).expanduser()
    if path.suffix not in endings:
        raise ConfigError(f"--output must end in {' or '.join(endings)}. Received: --output {options.output}.")
    return path


def run_align(options: Namespace) -> None:
    path = _check_ending(options, ".png", ".svg", ".json")
    from nmt_keras.analysis.alignment import AXES, attention_maps
    from nmt_keras.files import write_json
    from nmt_keras.report.figures import attention_map

    loaded = _load_model(options)
    target = options.target
    if target is None:
        from nmt_keras.evaluation import translate

        (translation,), _ = translate(loaded, [options.source], loaded.description.search)
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
    path = _check_ending(options, ".png", ".svg", ".json")
    from nmt_keras.analysis.gradient_flow import gradient_flow, sentences_of_length, untrained
    from nmt_keras.data.dataset import TokenizedText
    from nmt_keras.files import write_json
    from nmt_keras.report.figures import gradient_norms

    text, corpus, split = _test_set(options)
    loaded = _load_model(options)
    inputs, target_out_ids = sentences_of_length(TokenizedText(text, loaded.tokenizer), options.length)
    sentences, length = inputs["source_ids"].shape
    models = {"before training": untrained(loaded, options.seed), "after training": loaded.model}
    flows = {name: gradient_flow(model, inputs, target_out_ids) for name, model in models.items()}
    if path.suffix == ".json":
        given = {"model": options.model, "corpus": corpus, "split": split, "length": length, "sentences": sentences}
        write_json(path, given | {name.partition(" ")[0]: flow.as_json() for name, flow in flows.items()})
    else:
        gradient_norms({f"{name}, loss {flow.loss:.2f} nats": flow.norms for name, flow in flows.items()}, path)
    print(f"{path}: {sentences} sentences of {length} source tokens")


def run_translate(options: Namespace) -> None:
    from nmt_keras.evaluation import translate

    loaded, search = _load_model_and_search(options)
    try:
        lines = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"stdin:{line}: text must be UTF-8. Received: byte 0x{error.object[error.start]:02x}."
        ) from None
    if not lines:
        return
    sentences = [line.removesuffix("\r") for line in lines.removesuffix("\n").split("\n")]
    translations, _ = translate(loaded, sentences, search)
    for translation in translations:
        # A model may write a line break by its bytes; as many lines go out as came in.
        sys.stdout.buffer.write(" ".join(translation.text.split("\n")).encode() + b"\n")


def run_export(options: Namespace) -> None:
    from nmt_keras.serving.savedmodel import export_savedmodel

    loaded, search = _load_model_and_search(options)
    print(export_savedmodel(loaded, Path(options.output), search))


def run_phrasebook(options: Namespace) -> None:
    from nmt_keras.data.phrasebook import NOTICE, write_phrasebook

    if options.size < 1:
        raise ConfigError(f"--size must be at least 1. Received: --size {options.size}.")
    sizes = write_phrasebook(Path(options.output).expanduser(), options.size, options.seed)
    print(NOTICE, file=sys.stderr)
    print(f"{options.output}: pairs in " + ", ".join(f"{split} {pairs:,}" for split, pairs in sizes.items()))
