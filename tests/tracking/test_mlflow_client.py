"""Which store there is, who makes it, and what is said when it fails."""

import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from nmt_keras.errors import ModelError, UserError
from nmt_keras.tracking import mlflow_client, registry, runs

REGISTER = """
import sys
from pathlib import Path
from nmt_keras.tracking import registry, runs
from nmt_keras.tracking.aliases import promote_candidate

print("ready", flush=True)
sys.stdin.readline()
with runs.start_run("job", "together") as run:
    run.log_dataset("tiny", "train", sha256="a" * 64, pairs=3, origin="x", context="training")
    run.log_table({"a": ["b"]}, "table")
    logged = run.log_translation_model(Path("m"), Path("m"), metrics={})
version = registry.register(logged.model_uri, "new")
promote_candidate("new", version)
print(registry.resolve(f"models:/new/{version}"))
"""


def started(directory: Path) -> subprocess.Popen[str]:
    """A process that registers a model from a directory once it is told to."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", REGISTER],
        cwd=directory,
        env=environment | {"PYTHONPATH": str(Path(registry.__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("name", "processes"), [("plain", 2), ('50%25 l\'été #1? ;x [v1] "q" a:b', 1)], ids=["together", "odd directory"]
)
def test_processes_that_find_no_store_make_one_and_share_it(tmp_path, monkeypatch, name, processes) -> None:
    directory = tmp_path / "parent" / name
    (directory / "m").mkdir(parents=True)
    (directory / "m" / "weights.h5").write_bytes(b"weights")
    all_started = [started(directory) for _ in range(processes)]
    for process in all_started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    printed = [process.communicate("\n")[0].strip() for process in all_started]
    assert [process.returncode for process in all_started] == [0] * processes
    for path in printed:
        assert directory in Path(path).parents
        assert (Path(path) / "weights.h5").read_bytes() == b"weights"
    assert sorted(path.name for path in directory.iterdir()) == ["m", "mlflow.db", "mlruns"]
    assert [path.name for path in directory.parent.iterdir()] == [name]  # nothing is made beside it
    if processes > 1:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{directory}/mlflow.db")
        found = registry.versions("new")
        assert [version.number for version in found] == [2, 1]
        assert "candidate" in found[0].aliases
        assert sorted(alias for version in found for alias in version.aliases) == ["candidate", "champion"]


def test_a_store_that_cannot_be_made_leaves_nothing(tmp_path, monkeypatch) -> None:
    from mlflow.store.tracking import sqlalchemy_store

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "mlflow.db")

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(sqlalchemy_store.SqlAlchemyStore, "_initialize_store_state", full)
    with pytest.raises(UserError, match="No space left on device"), runs.start_run("job", "full"):
        pytest.fail("the run was opened")
    assert list(tmp_path.iterdir()) == []


def test_every_command_uses_the_directory_of_an_older_mlflow(tmp_path, directories, monkeypatch) -> None:
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.MlflowClient(tracking_uri=str(tmp_path / "mlruns")).search_experiments()
    with runs.start_run("job", "older") as run:
        logged = run.log_translation_model(*directories, metrics={})
    registry.register(logged.model_uri, "older")
    assert [version.number for version in registry.versions("older")] == [1]
    assert tmp_path in registry.resolve("models:/older/1").parents
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"])
def test_a_local_store_that_is_named_but_not_there_is_not_made(store, tmp_path, monkeypatch, variable) -> None:
    monkeypatch.setenv(variable, f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(ModelError, match=rf"{variable}=sqlite.*there is no .*other\.db"):
        registry.versions("any")
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize(
    ("uri", "cause"),
    [
        ("http://[", "Invalid IPv6"),
        ("gopher://me:secret@host/x", "unsupported URI"),
        ("sqlite:///text", "is no SQLite database"),
        ("sqlite:///folder", "Is a directory"),
        ("sqlite:/text", "Could not parse"),
        ("mssql+nodriver://me:secret@host/x?password=secret", "nodriver"),
    ],
)
def test_a_store_that_cannot_be_addressed_is_named(tmp_path, monkeypatch, capfd, uri, cause) -> None:
    (tmp_path / "text").write_text("This is no database.")
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ModelError, match=f"MLFLOW_TRACKING_URI=.*{cause}") as caught:
        registry.versions("any")
    message = str(caught.value)
    assert f"MLFLOW_TRACKING_URI={uri.replace('me:secret', '***').replace('secret', '***')}" in message
    assert "secret" not in message
    assert capfd.readouterr() == ("", "")


def test_a_number_that_is_none_is_named(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "abc")
    with pytest.raises(ModelError, match="'abc' for MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        registry.versions("any")


def test_a_store_that_is_only_read_says_so_without_its_statement(store, monkeypatch, capfd) -> None:
    uri = f"sqlite:///file:{store}/mlflow.db?mode=ro&uri=true"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UserError, match="readonly database") as caught, runs.start_run("job", "read-only"):
        pytest.fail("the run was opened")
    assert uri in str(caught.value)
    assert "SQL:" not in str(caught.value)
    assert "Background" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_what_is_waited_for_is_told(monkeypatch, capfd) -> None:
    monkeypatch.setattr(mlflow_client, "_PATIENCE", 0.1)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@{address}")
        with pytest.raises(ModelError, match="timed out"):
            registry.resolve("models:/any/1")
    assert capfd.readouterr().err == (
        f"Resolving models:/any/1: waiting for the MLflow store MLFLOW_TRACKING_URI=http://***@{address}, "
        "which does not answer yet.\n"
    )
