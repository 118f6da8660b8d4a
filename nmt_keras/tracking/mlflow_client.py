"""MLflow, loaded on first use and kept from printing; which store there is, and what is said when it fails."""

import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Timer
from types import ModuleType
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

from nmt_keras.errors import ModelError, UserError

# What the user has set in the environment stays as it is.
_ENVIRONMENT = {
    "GIT_PYTHON_REFRESH": "quiet",  # a machine without git is no fault
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # a uv.lock that lies about is not a logged model's environment
}
_PATIENCE = 4.0  # seconds, before it is said what is waited for
_LOCAL_PATIENCE = 30.0  # a first start makes a database


def load_mlflow() -> ModuleType:
    """MLflow with its warnings and progress messages off (set MLFLOW_LOGGING_LEVEL to see them).

    Raises:
        UserError: a variable of the environment has a value that MLflow cannot be loaded with.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import mlflow
        except ValueError as error:
            raise UserError(f"MLflow cannot be loaded with the settings of the environment: {error}") from error

    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        for logger in ("mlflow", "alembic"):
            logging.getLogger(logger).setLevel(logging.ERROR)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # `mlflow_errors` tells of its errors
    if not mlflow.is_tracking_uri_set():
        default = mlflow.get_tracking_uri()
        if default.startswith("sqlite:") and unquote(default) != default:
            # MLflow quotes the path of the working directory, and SQLAlchemy takes it as it is.
            mlflow.set_tracking_uri("sqlite:///mlflow.db")
    return mlflow


@contextmanager
def mlflow_errors(error_type: type[UserError], doing: str) -> Iterator[None]:
    """Turn what MLflow and its store raise into an error for the user, and keep their warnings to themselves.

    A store that is slow to answer is told of.

    Args:
        error_type: the error to raise.
        doing: what was tried, as the message's start: "Registering model 'x'".
    """
    mlflow = load_mlflow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _told_if_slow(doing):
                for uri in _addresses():
                    database = local_path(uri)
                    if database is not None and uri.startswith("sqlite"):
                        _make(database)
                yield
        except UserError:
            raise
        except Exception as error:  # the store's engine, its drivers and MLflow's plugins raise what they like
            kind = "" if isinstance(error, mlflow.exceptions.MlflowException) else f"{type(error).__name__}: "
            raise error_type(
                without_passwords(f"{doing} failed in the MLflow store {_stores()}: {kind}{_cause(str(error))}")
            ) from error


def require_store(what: str) -> None:
    """Raises a ModelError where there is no store to read `what` from, lest MLflow make an empty one."""
    load_mlflow()
    for uri in _addresses():
        path = local_path(uri)
        if path is not None and not path.exists():
            raise ModelError(
                f"{what} needs an MLflow store: set MLFLOW_TRACKING_URI, or start from the directory that "
                f"holds mlflow.db. Received: {_stores()}, and there is no {path}."
            )


def new_artifact_location() -> str | None:
    """Where the artifacts of a new experiment go; None leaves it to the store, beside a local database ./mlruns."""
    root = _artifact_root()
    local = load_mlflow().get_tracking_uri().startswith("sqlite")
    return f"{root}/{uuid4().hex}" if local and root.startswith("file:") else None


def _artifact_root() -> str:
    """Where artifacts lie beside a local database.

    As an address if the path holds characters that mean something there: MLflow takes it for one.
    """
    path = Path("mlruns").absolute()
    return str(path) if quote(str(path)) == str(path) else path.as_uri()


def without_passwords(text: str) -> str:
    """A text in which the addresses name no user and no password."""
    for uri in _addresses():
        scheme, separator, rest = uri.partition("://")
        if "@" in rest and local_path(uri) is None:
            text = text.replace(uri, f"{scheme}{separator}***@{rest.rpartition('@')[2]}")
    return re.sub(r"(?<=://)[^/\s]+(?=@)|(?i:(?<=password=))[^&\s]+", "***", text)


def _addresses() -> list[str]:
    """The address of the tracking store, and the registry's if it is another one."""
    mlflow = load_mlflow()
    tracking = mlflow.get_tracking_uri()
    with suppress(ValueError):  # no address at all
        return list(dict.fromkeys([tracking, mlflow.get_registry_uri()]))
    return [tracking]


def _stores() -> str:
    tracking, *registry = _addresses()
    return f"MLFLOW_TRACKING_URI={tracking}" + "".join(f", MLFLOW_REGISTRY_URI={uri}" for uri in registry)


def local_path(uri: str) -> Path | None:
    """The database file or the directory of a store on this machine; None for any other store."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        if uri.startswith("sqlite"):
            database = make_url(uri).database
            return None if not database or database.startswith((":memory:", "file:")) else Path(database).absolute()
        address = urlsplit(uri)
    except (ArgumentError, ValueError):  # which MLflow will tell of
        return None
    return Path(unquote(address.path)).absolute() if address.scheme in ("", "file") else None


@cache
def _make(database: Path) -> None:
    """Makes the database of a local store, if there is none.

    It takes its place only when it is whole: of processes that make one at once, the first to be ready wins, and one
    that is killed leaves none that cannot be used.
    """
    if database.exists():
        with database.open("rb") as file:  # MLflow would try for minutes
            if file.read(16) not in (b"", b"SQLite format 3\0"):
                raise ValueError(f"{database} is no SQLite database")
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with TemporaryDirectory(prefix=".mlflow-", dir=database.parent) as temporary:
        made = Path(os.path.relpath(temporary)) / "mlflow.db"  # the working directory may not fit into an address
        SqlAlchemyStore(f"sqlite:///{made}", _artifact_root()).engine.dispose()
        try:
            os.link(made, database)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            os.replace(made, database)


@contextmanager
def _told_if_slow(doing: str) -> Iterator[None]:
    local = all(local_path(uri) for uri in _addresses())
    began = time.monotonic()
    told = Event()

    def tell() -> None:
        told.set()
        store = without_passwords(_stores())
        print(f"{doing}: waiting for the MLflow store {store}, which does not answer yet.", file=sys.stderr)

    timer = Timer(_LOCAL_PATIENCE if local else _PATIENCE, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if told.is_set():
        print(f"{doing}: the MLflow store answered after {time.monotonic() - began:.0f} seconds.", file=sys.stderr)


def _cause(text: str) -> str:
    """What went wrong in a store, without the statement that it was told."""
    cause = re.split(r"\s*\[SQL: |\s*\(Background on this error at: ", text)[0]
    if "readonly database" in cause:
        paths = [path for uri in _addresses() if (path := local_path(uri))]
        fixed = [path for file in paths for path in (file, file.parent) if not os.access(path, os.W_OK)]
        return f"{cause}; there is no permission to write to {fixed[0]}" if fixed else cause
    return cause
