"""The same calls against a tracking server, whose artifacts are not on this machine."""

import tempfile

import pytest

from nmt_keras.tracking import registry, runs
from nmt_keras.tracking.aliases import promote_candidate


@pytest.mark.heavy
def test_a_model_is_logged_registered_and_downloaded_once(
    tracking_server, directories, tmp_path, monkeypatch, capfd
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with runs.start_run("job", "remote") as run:
        run.log_parameters({"seed": 1})
        run.log_metrics({"valid_loss": 2.0}, step=5)
        logged = run.log_translation_model(*directories, metrics={"test_bleu": 30.0})
    promote_candidate("remote", registry.register(logged.model_uri, "remote"))

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    resolved = registry.resolve("models:/remote@champion")
    assert (resolved / "weights.h5").read_bytes() == (directories[1] / "weights.h5").read_bytes()
    assert tracking_server not in resolved.parents
    (resolved / "mark").touch()
    again = registry.resolve(f"runs:/{run.run_id}/model")
    assert again == resolved
    assert sorted(path.name for path in again.iterdir()) == ["config.yaml", "mark", "weights.h5"]
    assert [path.name for path in resolved.parent.iterdir()] == [f"{logged.model_id}-model"]
    assert registry.versions("remote")[0].tags["test_bleu"] == "30"
    assert list(work.iterdir()) == list(temporary.iterdir()) == []
    assert capfd.readouterr() == ("", "")
