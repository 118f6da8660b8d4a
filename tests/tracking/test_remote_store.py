"""The same calls against a tracking server, whose artifacts are not on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import requests

from nmt_keras.tracking import registry, runs
from nmt_keras.tracking.promotion import promote_candidate


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A tracking server with a store of its own, set as the one to use."""
    directory = tmp_path / "server"
    directory.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
            ],
            cwd=directory,
            env={**environment, "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    try:
        deadline = time.monotonic() + 300
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not answer:\n{log.read_text()}")
            with suppress(requests.ConnectionError):
                if requests.get(f"{address}/health", timeout=5).ok:
                    break
            time.sleep(0.5)
        yield directory
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


@pytest.mark.heavy
def test_a_model_is_logged_registered_and_downloaded_once(server, directories, tmp_path, monkeypatch, capfd) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with runs.start_run("job", "remote") as run:
        run.log_parameters({"seed": 1})
        run.log_metrics({"valid_loss": 2.0}, step=5)
        logged = run.log_translation_model(*directories, metrics={"test_bleu": 30.0})
    promote_candidate("remote", registry.register(logged.model_uri, "remote"))

    resolved = registry.resolve("models:/remote@champion")
    assert (resolved / "weights.h5").read_bytes() == (directories[1] / "weights.h5").read_bytes()
    assert server not in resolved.parents
    (resolved / "mark").touch()
    again = registry.resolve(f"runs:/{run.run_id}/model")
    assert again == resolved
    assert sorted(path.name for path in again.iterdir()) == ["config.yaml", "mark", "weights.h5"]
    assert [path.name for path in resolved.parent.iterdir()] == [f"{logged.model_id}-model"]
    assert runs.rank_models("remote")[0]["test_bleu"] == 30.0
    assert list(work.iterdir()) == []
    assert capfd.readouterr() == ("", "")
