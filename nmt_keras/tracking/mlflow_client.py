"""MLflow, loaded on first use and kept from printing."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from nmt_keras.errors import UserError

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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except mlflow.exceptions.MlflowException as error:
            raise error_type(f"{doing} failed in the MLflow store {mlflow.get_tracking_uri()}: {error}") from error


def has_store() -> bool:
    """Whether there is a store to read: one that is set, or the default one in the working directory."""
    return "MLFLOW_TRACKING_URI" in os.environ or Path("mlflow.db").exists()
