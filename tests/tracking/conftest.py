import warnings
from pathlib import Path

import pytest

from nmt_keras.tracking import runs
from nmt_keras.tracking.mlflow_client import load_mlflow

ENVIRONMENT = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_LOGGING_LEVEL")


@pytest.fixture(scope="session")
def store_directory(tmp_path_factory) -> Path:
    """One directory for all tests: MLflow takes seconds to make a database."""
    directory = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, when it opens a database
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        patch.chdir(directory)
        load_mlflow().MlflowClient().search_experiments()
    return directory


@pytest.fixture
def store(store_directory, monkeypatch) -> Path:
    """The working directory holds the default store: mlflow.db and mlruns/."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(store_directory)
    return store_directory


@pytest.fixture
def client(store):
    """MLflow's own client, to see what was written."""
    return load_mlflow().MlflowClient()


@pytest.fixture
def directories(tmp_path) -> tuple[Path, Path]:
    """Stand-ins for an exported SavedModel and a model directory; both have the same last name."""
    saved_model = tmp_path / "export" / "lstm"
    model = tmp_path / "models" / "lstm"
    (saved_model / "variables").mkdir(parents=True)
    (saved_model / "saved_model.pb").write_bytes(b"graph")
    (saved_model / "variables" / "variables.index").write_bytes(b"index")
    model.mkdir(parents=True)
    (model / "config.yaml").write_text("architecture: lstm\n")
    (model / "weights.h5").write_bytes(bytes(range(256)))
    return saved_model, model


@pytest.fixture
def log_model(store, directories):
    """Log a model with the given figures in a run of its own."""

    def log(experiment: str, **metrics: float) -> runs.LoggedModel:
        with runs.start_run("train", experiment) as run:
            return run.log_translation_model(*directories, metrics=metrics, step=900)

    return log
