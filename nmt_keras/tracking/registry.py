"""The model registry: a name with numbered versions and aliases, and what a user may give as a model."""

import os
from collections.abc import Mapping
from contextlib import redirect_stderr
from datetime import datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from nmt_keras.errors import ModelError
from nmt_keras.tracking.mlflow_client import load_mlflow, local_path, mlflow_errors, require_store

_FIGURES = ("valid_bleu", "valid_loss", "test_bleu", "test_chrf", "test_sentences_per_second")
FORMS = "a directory, models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or runs:/RUN_ID/MODEL_NAME"


def default_model_name(source_language: str, target_language: str) -> str:
    """What models of a language pair are registered as, and their experiment is called, unless told otherwise."""
    return f"nmt-{source_language}-{target_language}"


def check_name(name: str) -> None:
    """Raises a ModelError for a name under which MLflow would not find a model again, or that it does not take."""
    # MLflow reads names in addresses (models:/NAME@ALIAS) and, quoted, in searches; its databases take 256 characters.
    if (
        set(name) & set("/:#?@")
        or {"'", '"'} <= set(name)
        or name.strip() in ("", ".", "..")
        or not name.isprintable()
        or len(name) > 256
    ):
        raise ModelError(
            "The name of a registered model must have 1 to 256 characters, all of them printable, none of / : # ? @, "
            f"and not both kinds of quotes. Received: {name!r}. Give another --name."
        )


def register(model_uri: str, name: str, tags: Mapping[str, str] | None = None, description: str = "") -> int:
    """Add a logged model to the registry as the next version of a name.

    A version carries no metrics in MLflow, so the figures that versions are told apart by (`_FIGURES`) become its tags.

    Args:
        model_uri: models:/m-ID (`LoggedModel.model_uri`).
        name: of the registered model; made if it is new.
        tags: of the version; they win over figures of the same name.
        description: of the version, in Markdown; the model's card.

    Returns:
        the version.

    Raises:
        ModelError: no such model, or a name that `check_name` does not take.
    """
    check_name(name)
    with mlflow_errors(ModelError, f"Registering {model_uri} as {name!r}"):
        mlflow = load_mlflow()
        # An unknown model is found out here, before MLflow would create the name.
        model = mlflow.MlflowClient().get_logged_model(model_uri.removeprefix("models:/"))
        figures = sorted((row for row in model.metrics or [] if row.key in _FIGURES), key=lambda row: row.timestamp)
        with redirect_stderr(StringIO()):  # MLflow tells of each step there
            registered = mlflow.register_model(
                model_uri, name, tags={**{row.key: f"{row.value:.6g}" for row in figures}, **(tags or {})}
            )
        if description:
            mlflow.MlflowClient().update_model_version(name, registered.version, description)
    return int(registered.version)


def resolve(reference: str, artifact: Literal["model", "saved_model"] = "model") -> Path:
    """The model directory that a reference names; downloaded once where the store is on another machine.

    Args:
        reference: a directory, models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or
            runs:/RUN_ID/MODEL_NAME.
        artifact: the model directory, or the exported model beside it; a directory is returned as it is.

    Raises:
        ModelError: the reference has none of these forms, or names no model of this project.
    """
    directory = Path(reference)
    if directory.is_dir():
        return directory
    if not reference.startswith(("models:/", "runs:/")):
        raise ModelError(f"A model is {FORMS}. Received: {reference!r}, which is no directory.")
    require_store(reference)
    with mlflow_errors(ModelError, f"Resolving {reference}"):
        model = _described(reference)
        stored = model.flavors.get("python_function", {}).get("artifacts", {}).get(artifact)
        if stored is None or model.model_id is None:
            raise ModelError(f"{reference} is a model of another project: it holds no artifact named {artifact!r}.")
        location = load_mlflow().MlflowClient().get_logged_model(model.model_id).artifact_location
        return _fetch(location, stored["path"], f"{model.model_id}-{artifact}")


def version_of(reference: str, name: str) -> int | None:
    """The version of a registered model that a reference names; None for a logged model that is none (`add_version`).

    Args:
        reference: models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or runs:/RUN_ID/MODEL_NAME.
        name: of the registered model.

    Raises:
        ModelError: the reference names no version of it and no logged model.
    """
    require_store(reference)
    with mlflow_errors(ModelError, f"Looking up {reference}"):
        registered = _registered(reference)
        if registered is None:
            source = f"models:/{_described(reference).model_id}"
            return max((int(version.version) for version in _versions(name) if version.source == source), default=None)
        if registered[0] == name:
            return int(_registered_version(*registered).version)
    raise ModelError(
        f"A version of {name} is models:/{name}@ALIAS or models:/{name}/VERSION, or a logged model models:/m-ID or "
        f"runs:/RUN_ID/MODEL_NAME, which becomes its next. Received: {reference!r}."
    )


def add_version(reference: str, name: str) -> int:
    """Registers a logged model, models:/m-ID or runs:/RUN_ID/MODEL_NAME, as the next version of `name`."""
    with mlflow_errors(ModelError, f"Looking up {reference}"):
        model_id = _described(reference).model_id
    return register(f"models:/{model_id}", name)


class Version(NamedTuple):
    """A version of a registered model.

    Args:
        number: counted from 1.
        created: when it was registered.
        aliases: that name it.
        tags: its figures and what was decided of it, by name.
    """

    number: int
    created: datetime
    aliases: list[str]
    tags: Mapping[str, str]


def versions(name: str) -> list[Version]:
    """All versions of a registered model, the newest first.

    Raises:
        ModelError: no such model.
    """
    require_store(name)
    with mlflow_errors(ModelError, f"Listing the versions of {name!r}"):
        aliases = load_mlflow().MlflowClient().get_registered_model(name).aliases
        found = [
            Version(
                int(version.version),
                datetime.fromtimestamp(version.creation_timestamp / 1000),
                sorted(alias for alias, number in aliases.items() if int(number) == int(version.version)),
                version.tags,
            )
            for version in _versions(name)
        ]
    return sorted(found, key=lambda version: -version.number)


def _versions(name: str) -> list[Any]:
    """MLflow's versions of a registered model."""
    quote = '"' if "'" in name else "'"
    search = load_mlflow().MlflowClient().search_model_versions
    found = page = search(f"name = {quote}{name}{quote}")
    while page.token:
        page = search(f"name = {quote}{name}{quote}", page_token=page.token)
        found += page
    return list(found)


def _registered(reference: str) -> tuple[str, str, str] | None:
    """The name, "@" or "/", and the alias or version of a registered model; None for a logged model.

    MLflow's own parser reads a "?" in a name as the end of an address, and an "@" as the end of the name.
    """
    text = reference.removeprefix("models:/").rstrip("/")
    if reference.startswith("runs:/") or not {"@", "/"} & set(text):
        return None
    name, separator, which = text.rpartition("/" if "/" in text else "@")
    return name, separator, which


def _registered_version(name: str, separator: str, which: str) -> Any:
    """MLflow's version of a registered model that an alias or a number names."""
    client = load_mlflow().MlflowClient()
    return client.get_model_version_by_alias(name, which) if separator == "@" else client.get_model_version(name, which)


def _described(reference: str) -> Any:
    """What MLflow's file MLmodel says of a logged or registered model.

    `mlflow.models.Model.load` would leave a temporary directory behind.

    Raises:
        ModelError: no such model.
    """
    mlflow = load_mlflow()
    from mlflow.models import Model

    client = mlflow.MlflowClient()
    location = reference.rstrip("/")
    try:
        if (registered := _registered(reference)) is not None:
            version = _registered_version(*registered)
            location = client.get_model_version_download_uri(version.name, version.version)
        elif reference.startswith("models:/"):
            location = client.get_logged_model(location.removeprefix("models:/")).artifact_location
        with TemporaryDirectory() as temporary:
            return Model.load(_download(location, "MLmodel", temporary))
    except (mlflow.exceptions.MlflowException, OSError) as error:
        if isinstance(error.__context__, OSError):  # of the connection: there is nothing to look up
            raise
        raise ModelError(
            f"{reference} names no model; a model is {FORMS}. {_known(reference)} (MLflow: {error})"
        ) from error


def _download(location: str, path: str, destination: str | None = None) -> str:
    """The path of an artifact below a location, without a destination in place if that is on this machine.

    `mlflow.artifacts.download_artifacts` takes both as one address, in which a path is not quoted.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return str(get_artifact_repository(location).download_artifacts(path, destination))


def _fetch(location: str, path: str, name: str) -> Path:
    """The directory of an artifact: in place if the store is on this machine, or in the user's cache."""
    from platformdirs import user_cache_dir

    if local_path(location) is not None:
        return Path(_download(location, path))
    kept = Path(user_cache_dir("nmt_keras")) / "models" / name  # a logged model never changes
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=kept.parent) as temporary:
            downloaded = _download(location, path, temporary)
            try:
                os.replace(downloaded, kept)
            except OSError:
                if not kept.is_dir():  # otherwise another process was first
                    raise
    return kept


def _known(reference: str) -> str:
    """What the registry has, as a sentence for an error message."""
    client = load_mlflow().MlflowClient()
    name = (_registered(reference) or [reference.removeprefix("models:/")])[0]
    names = sorted(model.name for model in client.search_registered_models(max_results=1000))
    if name not in names:
        return f"Registered are: {', '.join(names) or 'none'}."
    versions = sorted(int(found.version) for found in _versions(name))
    aliases = sorted(client.get_registered_model(name).aliases.items())
    return (
        f"{name} has the versions {', '.join(map(str, versions)) or 'none'} "
        f"and the aliases {', '.join(f'{alias} (version {version})' for alias, version in aliases) or 'none'}."
    )
