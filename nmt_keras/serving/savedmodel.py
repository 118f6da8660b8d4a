"""Exported models on disk: written whole or not at all, checked whenever they are read.

VERSION/saved_model.pb, variables/       the SavedModel
VERSION/model_card.json, MODEL_CARD.md   what it is, and the hashes of its files
VERSION/assets.extra/held_out.json       sentences, and their translations by the model in memory
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import keras
import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the tokenizer's operations)

from nmt_keras.config import SearchConfig
from nmt_keras.decoding.translator import Translator
from nmt_keras.errors import ConfigError, DamagedFileError, ModelError, UserError
from nmt_keras.models.directory import LoadedModel, load_model, read_held_out
from nmt_keras.serving.model_card import Provenance, ReportedScore, as_markdown, model_card, training_facts
from nmt_keras.serving.signatures import ServingLimits, ServingSignatures
from nmt_keras.serving.standalone import plain_path
from nmt_keras.system.files import read_json, write_json

FORMAT = 2
"""Of the files of an exported model."""
_CARD, _READABLE_CARD, _HELD_OUT = "model_card.json", "MODEL_CARD.md", "assets.extra/held_out.json"
_GRAPH, _VARIABLES = "saved_model.pb", "variables/variables.data-00000-of-00001"
_SIGNATURES = ("serving_default", "translate_n_best", "score")  # every exported model has them
_TOLERANCE = 1e-4  # nats; what rounding may change


@dataclass(frozen=True, eq=False)  # each is itself
class ExportedModel:
    """An exported model, ready for use.

    Args:
        path: its directory.
        card: what `model_card.json` says of it.
        signatures: by name; each takes and gives tensors by keyword.
        root: what holds the variables, to which signatures have weak references only.
    """

    path: Path
    card: Mapping[str, Any]
    signatures: Mapping[str, Any]
    root: Any


def export_savedmodel(
    loaded: LoadedModel,
    directory: Path,
    held_out: Sequence[str],
    config: SearchConfig | None = None,
    version: int | None = None,
    limits: ServingLimits | None = None,
    provenance: Provenance | None = None,
    xla: bool = False,
) -> Path:
    """Writes DIRECTORY/VERSION, the layout that TensorFlow Serving watches, if the model there translates alike.

    `serving_default` has the input `source` and the outputs `translation`, `score` and `status`; `ServingSignatures`
    describes the other signatures. A program that loads them must import tensorflow_text, and nothing of this package.

    Args:
        loaded: the model.
        directory: made if it is not there.
        held_out: sentences that the exported model must translate as `loaded` does; those that are longer than the
            limits allow are passed over.
        config: how translations are searched for; the model's own settings by default.
        version: names the subdirectory; by default the one above the highest that is there.
        limits: what a request may ask for.
        provenance: what the model card says of the model's origin.
        xla: compile the search with XLA, which not every server can.

    Returns:
        DIRECTORY/VERSION.

    Raises:
        ConfigError: the version is there already, there is no held-out sentence, or Keras runs on another backend.
        ModelError: the exported model translates otherwise; nothing is written.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"export needs the TensorFlow backend; models of every backend can be exported with it. "
            f"Received: backend {keras.backend.backend()}. Give --backend tensorflow."
        )
    compute_in_float32()
    if version is None:
        version = 1 + max((int(path.name) for path in directory.glob("*/") if path.name.isdecimal()), default=0)
    path = directory / str(version)
    if path.exists():
        raise ConfigError(f"--output must not hold version {version} yet. Received: {path}, which exists.")
    config = config or loaded.description.search
    limits = limits or ServingLimits(max_beam_size=max(ServingLimits().max_beam_size, config.beam_size))
    server = ServingSignatures(loaded, config, limits, xla)
    lengths = map(len, loaded.tokenizer.encode_all(held_out))
    held_out = [
        text for text, length in zip(held_out, lengths, strict=True) if length <= server.limits.max_source_tokens
    ]
    if not held_out:
        raise ConfigError(
            "An export is checked with held-out sentences, none longer than --max-source-tokens. Received: none. "
            "Give them with `nmt-keras export --source-file FILE`."
        )
    temporary = directory / f".{version}.{uuid4().hex}.partial"  # processes in containers share their numbers
    try:
        temporary.mkdir(parents=True)  # what is wrong with the directory is found out before the long part
        _save(server, temporary)
        expected = Translator(loaded.model, loaded.tokenizer, config).translate(held_out)
        translations, scores = zip(*expected, strict=True)
        write_json(temporary / _HELD_OUT, {"sources": list(held_out), "translations": translations, "scores": scores})
        card = model_card(loaded, server, provenance or Provenance({}))
        (temporary / _READABLE_CARD).write_text(as_markdown(card), encoding="utf-8")
        write_json(temporary / _CARD, {"format": FORMAT} | card | {"files": _hashes(temporary)})
        check_export(load_export(temporary))
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
            raise ConfigError(f"--output must have one writer. Received: {path}, made by another meanwhile.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with suppress(OSError):  # it holds other versions, or was never made
            directory.rmdir()
    return path


def export_directory(
    directory: Path,
    output: Path,
    loaded: LoadedModel | None = None,
    held_out: Sequence[str] | None = None,
    scores: Sequence[ReportedScore] = (),
    model_license: str | None = None,
    **options: Any,
) -> Path:
    """Write OUTPUT/VERSION of a model directory, with what the directory tells of its training on the card.

    Args:
        directory: of the model.
        output: made if it is not there.
        loaded: the model, if it is at hand.
        held_out: sentences to check the export with; those kept in the directory by default.
        scores: of the model, for its card.
        model_license: for its card, such as "CC-BY-4.0".
        options: `config`, `version`, `limits` and `xla` as `export_savedmodel` takes them.

    Returns:
        OUTPUT/VERSION.

    Raises:
        ConfigError: as `export_savedmodel`.
        ModelError: the directory holds no model, or the exported model translates otherwise.
        DamagedFileError: a file of the directory is damaged.
    """
    return export_savedmodel(
        loaded or load_model(directory),
        output,
        read_held_out(directory) if held_out is None else held_out,
        provenance=Provenance(training_facts(directory), scores, model_license),
        **options,
    )


def _save(server: ServingSignatures, path: Path) -> None:
    # The functions lie in the signatures; as attributes of the root, each would be traced once more.
    root = tf.Module()
    root.weights = [variable.value for variable in server.model.variables]
    concrete = {name: function.get_concrete_function() for name, function in server.functions.items()}
    try:
        with plain_path(str(path)) as plain:
            tf.saved_model.save(root, plain, signatures=concrete)
    except (OSError, tf.errors.OpError) as error:  # such as a full disk
        raise UserError(
            f"An export needs a directory with room for it. Received: {path.parent}: {_first_line(error)}"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]


def _hashes(directory: Path) -> dict[str, str]:
    hashes = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != _CARD:
            with path.open("rb") as file:
                hashes[path.relative_to(directory).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def newest_version(directory: Path) -> Path:
    """The directory itself if it is an exported model, else its subdirectory of the highest version.

    Raises:
        ModelError: it is neither.
    """
    if (directory / _GRAPH).is_file():
        return directory
    versions = [path for path in directory.glob("*/") if path.name.isdecimal() and (path / _GRAPH).is_file()]
    if not versions:
        raise ModelError(
            f"An exported model holds {_GRAPH}, in a directory named by its version or given itself. "
            f"Received: {directory}, which has none. Write one with `nmt-keras export --output {directory}`."
        )
    return max(versions, key=lambda path: int(path.name))


def load_export(path: Path) -> ExportedModel:
    """Reads an exported model of this package. Its graph runs; no file is unpickled, and no Python of it is run.

    Args:
        path: of a version, as `export_savedmodel` returns it.

    Raises:
        ModelError: as `checked_card`, or TensorFlow cannot load it.
    """
    card = checked_card(path)
    compute_in_float32()
    try:
        with plain_path(str(path)) as plain:
            root = tf.saved_model.load(plain)
        signatures = {name: root.signatures[name] for name in {*_SIGNATURES, *card["signatures"]}}
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise ModelError(f"{path} cannot be loaded with tensorflow {tf.__version__}: {_first_line(error)}") from None
    return ExportedModel(path, card, signatures, root)


def compute_in_float32() -> None:
    """GPUs round to ten bits otherwise, and would differ from a CPU by more than what is checked."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


def read_card(path: Path) -> Any:
    """What the card in a directory says, unchecked; it has the hashes of all files.

    Raises:
        OSError, DamagedFileError: there is none, or it is damaged.
    """
    return read_json(path / _CARD)


def readable_card(path: Path) -> str:
    """The card of an exported model as Markdown; empty where somebody removed it."""
    card = path / _READABLE_CARD
    return card.read_text(encoding="utf-8") if card.is_file() else ""


def checked_card(path: Path) -> dict[str, Any]:
    """The card of an exported model whose files are whole.

    Args:
        path: as `load_export`.

    Raises:
        ModelError: a file is missing or not the one that was written, or the model is of another format.
    """
    try:
        card = read_card(path)
        if card["format"] != FORMAT:
            raise ModelError(
                f"{path / _CARD} must be of format {FORMAT}. Received: format {card['format']}. Export the model anew."
            )
        files = dict(card["files"])
        list(card["signatures"])
        int(card["limits"]["max_beam_size"])  # servers read it
    except (OSError, ValueError, KeyError, TypeError, OverflowError, DamagedFileError) as error:
        raise ModelError(
            f"{path / _CARD} is not the card of an exported model: {error!r}. Export the model anew."
        ) from None
    present = _hashes(path)
    changed = sorted(
        name for name in {_GRAPH, _VARIABLES, _HELD_OUT, *files} if files.get(name) != present.get(name, "")
    )
    if changed:
        raise ModelError(
            f"The files of an exported model must be as they were written ({_CARD} holds their SHA-256). "
            f"Received: {path} with {', '.join(changed)} missing or changed. Export the model anew."
        )
    return dict(card)


def check_export(exported: ExportedModel) -> int:
    """Translates the held-out sentences again, and compares with what the model gave in memory (`check_translations`).

    Returns:
        The number of sentences.
    """
    held_out = read_json(exported.path / _HELD_OUT)
    check_translations(exported, held_out["sources"], held_out["translations"], held_out["scores"])
    return len(held_out["sources"])


def check_translations(
    exported: ExportedModel, sources: Sequence[str], translations: Sequence[str], scores: Sequence[float]
) -> None:
    """Compares what an exported model makes of sentences with what the model in memory made of them.

    Where rounding decides a tie, another translation will do whose log-probability is the same to 1e-4.

    Raises:
        ModelError: a translation or a score is another.
    """
    source = tf.constant(list(sources), tf.string)
    found = exported.signatures["serving_default"](source=source)
    texts = [text.decode() for text in found["translation"].numpy()]
    alike = np.array([one == other for one, other in zip(texts, translations, strict=True)])
    if not alike.all():
        forced = [
            exported.signatures["score"](source=source, target=tf.constant(target, tf.string))["log_prob"].numpy()
            for target in (texts, list(translations))
        ]
        alike |= np.abs(forced[0] - forced[1]) <= _TOLERANCE
    alike &= np.abs(found["score"].numpy() - scores) <= _TOLERANCE
    if not alike.all():
        first = int(np.argmin(alike))
        raise ModelError(
            f"An exported model must translate as the model that it was made of. Received: {exported.path}, in which "
            f"{(~alike).sum()} of {len(alike)} sentences differ, such as {sources[first]!r}: {texts[first]!r} in place "
            f"of {translations[first]!r}. No such model should be served; export it anew."
        )
