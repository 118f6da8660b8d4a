"""The commands that write and run exported models."""

from pathlib import Path

from jsonargparse import Namespace

from nmt_keras.commands import given_search
from nmt_keras.errors import UserError


def run_export(options: Namespace) -> None:
    if options.check is not None:
        from nmt_keras.serving.savedmodel import check_export, load_export, newest_version

        path = newest_version(Path(options.check))
        print(f"{path}: {check_export(load_export(path))} held-out sentences are translated as by the model in memory")
        return
    from nmt_keras.models.directory import load_model, read_held_out
    from nmt_keras.serving.model_card import Provenance, training_facts
    from nmt_keras.serving.savedmodel import export_savedmodel
    from nmt_keras.serving.signatures import ServingLimits
    from nmt_keras.tracking.registry import resolve

    limits = ServingLimits(options.max_source_tokens, options.max_beam_size)
    directory = resolve(options.model)
    held_out = read_held_out(directory) if options.source_file is None else _read_sentences(Path(options.source_file))
    loaded = load_model(directory)
    print(
        export_savedmodel(
            loaded,
            Path(options.output),
            held_out,
            given_search(options, loaded),
            limits=limits,
            provenance=Provenance(training_facts(directory), license=options.license),
        )
    )


def _read_sentences(path: Path) -> list[str]:
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"--source-file must be a text file in UTF-8, a sentence a line. Received: {path}: {error}."
        ) from None
    return [line.removesuffix("\r") for line in text.split("\n") if line]
