"""Aliases of a registered model: `candidate` is the newest to consider, `champion` the one in use."""

from nmt_keras.errors import ModelError
from nmt_keras.tracking.mlflow_client import load_mlflow, mlflow_errors

CANDIDATE = "candidate"
CHAMPION = "champion"


def promote_candidate(name: str, version: int) -> list[str]:
    """Make a version the candidate, and the champion too where there is none yet.

    Args:
        name: of the registered model.
        version: of that model.

    Returns:
        the aliases that were set.

    Raises:
        ModelError: no such model or version.
    """
    with mlflow_errors(ModelError, f"Promoting version {version} of {name!r}"):
        client = load_mlflow().MlflowClient()
        aliases = [CANDIDATE]
        if CHAMPION not in client.get_registered_model(name).aliases:
            aliases.append(CHAMPION)
        for alias in aliases:
            client.set_registered_model_alias(name, alias, str(version))
    return aliases


def promote_champion(name: str, version: int) -> list[str]:
    """Make a version the champion (`models:/NAME@champion`); arguments and errors as `promote_candidate`."""
    with mlflow_errors(ModelError, f"Promoting version {version} of {name!r}"):
        load_mlflow().MlflowClient().set_registered_model_alias(name, CHAMPION, str(version))
    return [CHAMPION]
