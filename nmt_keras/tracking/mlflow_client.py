"""MLflow, loaded on first use and kept from printing."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from nmt_keras.errors import ModelError, UserError

# What the user has set in the environment stays as it is.
_ENVIRONMENT = {
    "GIT_PYTHON_REFRESH": "quiet",  # a machine without git is no fault
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # a uv.lock that lies about is not a logged model's environment
}


def load_mlflow() -> ModuleType:
    """MLflow with its warnings and progress messages off (set MLFLOW_LOGGING_LEVEL to see them)."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        for logger in ("mlflow", "alembic"):
            logging.getLogger(logger).setLevel(logging.WARNING)
    return mlflow


@contextmanager
def mlflow_errors(error_type: type[UserError], doing: str) -> Iterator[None]:
    """Turn what MLflow and its store raise into an error for the user, and keep their warnings to themselves.

    Args:
        error_type: the error to raise.
        doing: what was tried, as the message's start: "Registering model 'x'".
    """
    mlflow = load_mlflow()
    from sqlalchemy.exc import SQLAlchemyError  # of the store's engine, whose errors MLflow does not always turn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (mlflow.exceptions.MlflowException, SQLAlchemyError) as error:
            raise error_type(f"{doing} failed in the MLflow store {mlflow.get_tracking_uri()}: {error}") from error


def require_store(what: str) -> None:
    """Raises a ModelError where there is no store to read `what` from, lest MLflow make an empty one."""
    if "MLFLOW_TRACKING_URI" not in os.environ and not Path("mlflow.db").exists():
        raise ModelError(
            f"{what} needs an MLflow store: set MLFLOW_TRACKING_URI, or start from the directory that "
            f"holds mlflow.db. Received: no MLFLOW_TRACKING_URI, and no mlflow.db in {Path.cwd()}."
        )
