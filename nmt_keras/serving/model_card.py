"""What a user of an exported model must know of it (Mitchell et al. 2019), as JSON and as Markdown."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from nmt_keras.errors import DamagedFileError
from nmt_keras.models.directory import LoadedModel
from nmt_keras.serving.signatures import ServingSignatures
from nmt_keras.system.files import read_json
from nmt_keras.training.run_directory import SETTINGS, SUMMARY
from nmt_keras.version import versions

_PACKAGES = ("keras", "tensorflow", "tensorflow-text")
_OF_TRAINING = ("corpus", "train_sha256", "valid_sha256", "backend")
_OF_SUMMARY = ("epochs", "steps", "valid_bleu", "valid_loss")


class ReportedScore(NamedTuple):
    """A figure of the model.

    Args:
        test_set: what it was measured on.
        metric: "BLEU" or "chrF".
        score: from 0 to 100.
        signature: sacreBLEU's, by which others can measure the same.
    """

    test_set: str
    metric: str
    score: float
    signature: str


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from; a card says of everything that is not known that it is not.

    Args:
        training: facts of the training: corpus and hashes of its text, backend, epochs, validation.
        scores: of the finished model.
        license: under which the model may be used, such as "CC-BY-4.0".
    """

    training: dict[str, Any]
    scores: Sequence[ReportedScore] = ()
    license: str | None = None


def training_facts(model_directory: Path) -> dict[str, Any]:
    """What a directory that was trained into tells of the training; empty for one that holds nothing but the model.

    Raises:
        DamagedFileError: a file of the training is damaged.
    """
    facts: dict[str, Any] = {}
    for name, kept, kind in ((SETTINGS, _OF_TRAINING, str), (SUMMARY, _OF_SUMMARY, int | float)):
        path = model_directory / name
        if path.is_file():
            values = read_json(path)
            found = {key: values[key] for key in kept if key in values}
            if wrong := [key for key, value in found.items() if not isinstance(value, kind)]:
                raise DamagedFileError(f"{path} must be as the training left it. Received another {', '.join(wrong)}.")
            facts |= found
    return facts


def model_card(loaded: LoadedModel, server: ServingSignatures, provenance: Provenance) -> dict[str, Any]:
    """The card, but for the files, which are not written yet."""
    description = loaded.description
    return {
        "architecture": description.architecture,
        "source_language": description.source_language,
        "target_language": description.target_language,
        "license": provenance.license,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": loaded.model.count_params(),
        "model_config": asdict(description.model_config),
        "lineage": list(description.lineage),
        "vocabulary": {"size": loaded.tokenizer.vocabulary_size, "sha256": loaded.tokenizer.sha256},
        "training": provenance.training,
        "scores": [score._asdict() for score in provenance.scores],
        "search": asdict(server.config),
        "xla": server.xla,
        "limits": asdict(server.limits) | {"max_target_tokens": server.max_target_tokens},
        "signatures": list(server.functions),
        "versions": versions(_PACKAGES) | {"python": platform.python_version()},
    }


def as_markdown(card: dict[str, Any]) -> str:
    """The card for people."""
    limits, search = card["limits"], card["search"]
    scores = [
        f"| {row['test_set']} | {row['metric']} | {row['score']:.2f} | {row['signature']} |" for row in card["scores"]
    ]
    return "\n".join(
        [
            f"# {card['architecture']}, {card['source_language']}-{card['target_language']}",
            "",
            f"Translates from {card['source_language']} to {card['target_language']}. Made {card['created']}.",
            "",
            f"- Licence: {card['license'] or 'not stated'}",
            f"- Parameters: {card['parameters']:,}",
            f"- Vocabulary: {card['vocabulary']['size']:,} pieces, SHA-256 {card['vocabulary']['sha256']}",
            f"- Initialised from: {', '.join(card['lineage']) or 'nothing'}",
            *(f"- Training, {name}: {value}" for name, value in card["training"].items()),
            "",
            "## Scores",
            "",
            *(
                ["| test set | metric | score | signature |", "| --- | --- | --- | --- |", *scores]
                if scores
                else ["None."]
            ),
            "",
            "## Limits",
            "",
            f"A source of more than {limits['max_source_tokens']} tokens is split at sentence boundaries, or cut. "
            f"Beams have at most {limits['max_beam_size']} hypotheses (default {search['beam_size']}). The model "
            "knows the kind of text it was trained on; its translations can be wrong, and read well all the same.",
            "",
            "## Use",
            "",
            f"Signatures: {', '.join(card['signatures'])}. Import `tensorflow_text` before the model is loaded.",
            "",
            "Made with " + ", ".join(f"{name} {number}" for name, number in card["versions"].items()) + ".",
            "",
        ]
    )
