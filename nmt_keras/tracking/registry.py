"""The model registry: a name with numbered versions and aliases, and what a user may give as a model."""

from collections.abc import Mapping
from pathlib import Path

from nmt_keras.errors import ModelError
from nmt_keras.tracking.mlflow_client import has_store, load_mlflow, mlflow_errors

FORMS = "a directory, models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or runs:/RUN_ID/MODEL_NAME"


def register(model_uri: str, name: str, tags: Mapping[str, str] | None = None) -> int:
    """Add a logged model to the registry as the next version of a name.

    A version carries no metrics in MLflow, so the model's figures become tags of the version, by their names.

    Args:
        model_uri: models:/m-ID (`LoggedModel.model_uri`).
        name: of the registered model; made if it is new.
        tags: of the version; they win over figures of the same name.

    Returns:
        the version.

    Raises:
        ModelError: no such model, or a name that MLflow does not take.
    """
    with mlflow_errors(ModelError, f"Registering {model_uri} as {name!r}"):
        mlflow = load_mlflow()
        client = mlflow.MlflowClient()
        model = client.get_logged_model(model_uri.removeprefix("models:/"))
        try:
            client.create_registered_model(name)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        figures = sorted(model.metrics or [], key=lambda row: row.timestamp)
        registered = client.create_model_version(
            name,
            source=model_uri,
            run_id=model.source_run_id,
            model_id=model.model_id,
            tags={**{row.key: f"{row.value:.6g}" for row in figures}, **(tags or {})},
        )
    return int(registered.version)


def resolve(reference: str) -> Path:
    """The model directory that a reference names; downloaded where the artifacts are not on this machine.

    Args:
        reference: a directory, models:/NAME@ALIAS, models:/NAME/VERSION, models:/m-ID or
            runs:/RUN_ID/MODEL_NAME.

    Raises:
        ModelError: the reference has none of these forms, or names no model of this project.
    """
    directory = Path(reference)
    if directory.is_dir():
        return directory
    if not reference.startswith(("models:/", "runs:/")):
        raise ModelError(f"A model is {FORMS}. Received: {reference!r}, which is no directory.")
    if not has_store():
        raise ModelError(
            f"{reference} needs an MLflow store: set MLFLOW_TRACKING_URI, or start from the directory that "
            f"holds mlflow.db. Received: no MLFLOW_TRACKING_URI, and no mlflow.db in {Path.cwd()}."
        )
    mlflow = load_mlflow()
    with mlflow_errors(ModelError, f"Resolving {reference}"):
        from mlflow.models import Model

        try:
            model = Model.load(reference.rstrip("/"))
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise ModelError(
                f"{reference} names no model; a model is {FORMS}. {_known(reference)} (MLflow: {error})"
            ) from error
        artifact = model.flavors.get("python_function", {}).get("artifacts", {}).get("model")
        if artifact is None:
            raise ModelError(
                f"{reference} is a model of another project: it holds no artifact named 'model'."
            )
        location = mlflow.MlflowClient().get_logged_model(model.model_id).artifact_location
        return Path(mlflow.artifacts.download_artifacts(f"{location}/{artifact['path']}"))


def _known(reference: str) -> str:
    """What the registry has, as a sentence for an error message."""
    client = load_mlflow().MlflowClient()
    name = reference.removeprefix("models:/").split("@")[0].split("/")[0]
    for model in client.search_registered_models():
        if model.name == name:
            versions = sorted(
                int(found.version) for found in client.search_model_versions(f"name = '{name}'")
            )
            aliases = [f"{alias} (version {version})" for alias, version in sorted(model.aliases.items())]
            return (
                f"{name} has the versions {', '.join(map(str, versions)) or 'none'} "
                f"and the aliases {', '.join(aliases) or 'none'}."
            )
    names = sorted(model.name for model in client.search_registered_models())
    return f"Registered are: {', '.join(names) or 'none'}."
