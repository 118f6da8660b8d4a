"""The commands that read and change the model registry."""

import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from jsonargparse import Namespace

from nmt_keras.cli.inputs import check_languages, load_test_set
from nmt_keras.errors import ModelError, UserError


def run_models(options: Namespace) -> None:
    from nmt_keras.report.summary import print_versions
    from nmt_keras.tracking.registry import versions

    print_versions(versions(options.name), options.name)


def run_register(options: Namespace) -> None:
    from nmt_keras.models.directory import load_model
    from nmt_keras.serving.model_card import training_facts
    from nmt_keras.serving.savedmodel import export_directory, readable_card
    from nmt_keras.tracking.aliases import promote_candidate
    from nmt_keras.tracking.registry import check_name, default_model_name, register, resolve
    from nmt_keras.tracking.runs import earlier_run, start_run
    from nmt_keras.training.run_directory import CHECKPOINT, SUMMARY

    directory = resolve(options.model)
    if (directory / CHECKPOINT).exists() and not (directory / SUMMARY).exists():
        raise ModelError(f"A model to register must be trained to the end. Received: {directory}; go on with it first.")
    loaded = load_model(directory)
    description = loaded.description
    name = options.name or default_model_name(description.source_language, description.target_language)
    check_name(name)
    facts = training_facts(directory)
    tags = {"architecture": description.architecture} | ({"corpus": facts["corpus"]} if "corpus" in facts else {})
    with TemporaryDirectory() as temporary:
        export = export_directory(directory, Path(temporary), loaded)
        # Not before: a run that opens again and fails would be a training that failed.
        with start_run("register", name, earlier=earlier_run(directory)) as run:
            card = readable_card(export)
            logged = run.log_translation_model(
                export,
                directory,
                metrics={figure: facts[figure] for figure in ("valid_bleu", "valid_loss") if figure in facts},
                step=int(facts.get("steps", 0)),
                parameters={"architecture": description.architecture, "model_config": asdict(description.model_config)},
                tags={"lineage": " < ".join(description.lineage)},
            )
    version = register(logged.model_uri, name, tags, card)
    aliases = ", ".join(promote_candidate(name, version)) or "a newer one is the candidate"
    print(f"{options.model} is version {version} of {name}: {aliases}.")


def run_rollback(options: Namespace) -> None:
    from nmt_keras.serving.savedmodel import checked_card, newest_version
    from nmt_keras.tracking.aliases import roll_back
    from nmt_keras.tracking.registry import resolve

    def check(version: int) -> None:
        checked_card(newest_version(resolve(f"models:/{options.name}/{version}", "saved_model")))

    present, previous = roll_back(options.name, check)
    print(f"{options.name}: champion is version {previous} again, in place of version {present}.")


def run_promote(options: Namespace) -> int:
    from nmt_keras.experiments.promotion import PromotionRules

    rules = PromotionRules(options.min_gain, options.max_fall, options.max_milliseconds, options.export_sentences)
    text, corpus, split = load_test_set(options)
    from nmt_keras.experiments.promotion import evaluate_candidate
    from nmt_keras.models.directory import load_model
    from nmt_keras.serving.savedmodel import newest_version
    from nmt_keras.tracking.aliases import ROLLED_BACK, champion_of, decision_of, promote_champion, record
    from nmt_keras.tracking.registry import add_version, resolve, version_of

    name = options.name
    model = options.model or f"models:/{name}@candidate"
    version, present = version_of(model, name), champion_of(name)
    if version is not None and version == present:
        print(f"Version {version} of {name} is the champion already.")
        return 0
    if version is not None and not options.force and decision_of(name, version) == ROLLED_BACK:
        raise UserError(f"Version {version} of {name} was rolled back. --force promotes it all the same.")
    champion = None
    try:
        champion = None if present is None else load_model(resolve(f"models:/{name}/{present}"))
    except ModelError as error:
        if not options.force:
            raise ModelError(f"{error} --force promotes without a comparison.") from None
        print(f"The champion cannot be compared with: {error}", file=sys.stderr)
    reference = model if version is None else f"models:/{name}/{version}"
    candidate = load_model(resolve(reference))
    check_languages(options, candidate)
    results = evaluate_candidate(candidate, newest_version(resolve(reference, "saved_model")), champion, text, rules)
    for result in results:
        print(f"{'kept  ' if result.kept else 'BROKEN'}  {result.rule}: {result.figures}")
    broken = [result for result in results if not result.kept]
    decision = ("forced" if options.force else "refused") if broken else "promoted"
    reason = "; ".join(f"{result.rule}: {result.figures}" for result in broken) or "all rules are kept"
    if options.dry_run:
        print(f"Nothing was changed. Without --dry-run: {decision} ({reason}).")
        return 2 if decision == "refused" else 0
    if version is None:
        version = add_version(model, name)
    if decision != "refused":
        promote_champion(name, version, present)
    figures = {result.rule.replace(" ", "_"): result.figures for result in results}
    test_set = f"{corpus or options.source_file} {split or ''} {text.sha256}"
    record(name, version, figures | {"decision": decision, "reason": reason, "test_set": test_set})
    if decision == "refused":
        raise UserError(f"Version {version} of {name} was refused: {reason}. --force promotes it all the same.")
    instead = f" in place of version {present}" if present else ""
    print(f"{decision.capitalize()}: version {version} of {name} is the champion{instead}.")
    return 0
