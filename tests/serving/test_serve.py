"""What `nmt-keras export` and `serve` make of models of before, and of options."""

import logging
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn
from jsonargparse import Namespace

from nmt_keras.cli import serve as serving_commands
from nmt_keras.cli.main import main
from nmt_keras.cli.serve import _listener, _locator, run_serve
from nmt_keras.errors import ModelError, UserError
from nmt_keras.models.directory import LoadedModel, save_description, save_held_out, save_weights
from nmt_keras.serving import savedmodel
from nmt_keras.serving.served_model import ServedModel, Translate
from nmt_keras.serving.signatures import ServingSignatures


@pytest.fixture
def without_card(export_path: Path, tmp_path: Path) -> Path:
    """An exported model as they were before they had cards."""
    path = shutil.copytree(export_path, tmp_path / "old" / "1")
    for name in ("model_card.json", "MODEL_CARD.md"):
        (path / name).unlink()
    return path.parent


def test_an_export_without_a_card_is_to_be_made_anew(without_card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--check", str(without_card)]) == 2
    message = capsys.readouterr().err
    assert "model_card.json is not the card of an exported model" in message
    assert "Export the model anew." in message


def test_a_model_directory_is_exported_once(
    export_path: Path,
    loaded: LoadedModel,
    held_out: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved = []

    def save(server: ServingSignatures, path: Path) -> None:
        saved.append(server)
        ignored = shutil.ignore_patterns("*card.json", "*.md")
        shutil.copytree(export_path, path, ignore=ignored, dirs_exist_ok=True)

    monkeypatch.setattr(savedmodel, "_save", save)  # tracing takes long
    directory = tmp_path / "model"
    save_description(directory, loaded.tokenizer, loaded.description)
    save_weights(directory, loaded.model)
    with pytest.raises(ModelError, match=r"model keeps no held-out .* export --model .*model --source-file"):
        _locator(str(directory))()
    save_held_out(directory, held_out)
    served = [ServedModel(str(directory), _locator(str(directory))) for _ in range(2)]
    assert served[0].exported.path.is_relative_to(tmp_path / "cache")
    assert len(saved) == 1
    (served[0].exported.path / "saved_model.pb").write_bytes(b"half of it")
    served[1] = ServedModel(str(directory), _locator(str(directory)))
    assert len(saved) == 2  # the damaged one was made anew
    assert served[1].refresh() is None
    assert len(saved) == 2
    weights = (directory / "model.weights.h5").read_bytes()
    (directory / "model.weights.h5").write_bytes(b"half of them")
    assert served[1].refresh() is False
    assert served[1].answer(served[1].exported, Translate(), held_out[:1])[0]["translation"]
    (directory / "model.weights.h5").write_bytes(weights)
    assert served[1].refresh() is None


def test_a_model_directory_is_looked_at_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, made = tmp_path / "model", []

    def export(of: Path, reference: str) -> Path:
        made.append((of / "model.weights.h5").read_bytes())
        if made[-1] == b"bad":
            raise ModelError(f"no model: {reference}")
        (tmp_path / "cache" / made[-1].decode() / "1").mkdir(parents=True)
        return tmp_path / "cache" / made[-1].decode() / "1"

    now = [0.0]
    monkeypatch.setattr(serving_commands, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(serving_commands, "_exported", export)
    directory.mkdir()
    (directory / "model.json").touch()
    locate = _locator(str(directory))
    for weights in (b"first", b"other"):  # as many bytes
        (directory / "model.weights.h5").unlink(missing_ok=True)
        (directory / "model.weights.h5").write_bytes(weights)
        assert [locate() for _ in range(3)] == [tmp_path / "cache" / weights.decode() / "1"] * 3
    (directory / "model.weights.h5").write_bytes(b"bad")
    for _ in range(3):
        with pytest.raises(ModelError, match="no model"):
            locate()
    assert made == [b"first", b"other", b"bad"]
    (directory / "held_out.json").touch()  # what was missing may be there now
    with pytest.raises(ModelError, match="no model"):
        locate()
    assert made == [b"first", b"other", b"bad", b"bad"]
    now[0] = 3600.0
    for _ in range(2):
        with pytest.raises(ModelError, match="no model"):
            locate()
    assert made == [b"first", b"other", b"bad", b"bad", b"bad"]
    shutil.rmtree(directory)
    with pytest.raises(ModelError, match="which is no directory"):
        locate()


def test_a_model_that_changes_while_it_is_read_is_not_kept(
    loaded: LoadedModel, held_out: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "model"
    save_description(directory, loaded.tokenizer, loaded.description)
    save_weights(directory, loaded.model)
    save_held_out(directory, held_out)

    def load(path: Path) -> LoadedModel:
        (path / "model.weights.h5").write_bytes(b"of another training")
        return loaded

    monkeypatch.setattr("nmt_keras.models.directory.load_model", load)
    with pytest.raises(ModelError, match=r"must stay as it is while it is read\. Received: .*model, which was written"):
        _locator(str(directory))()
    assert not (tmp_path / "cache").exists()


def test_an_address_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with _listener("127.0.0.1", 0) as other:  # of a server that loads its model
        port = str(other.getsockname()[1])
        assert main(["serve", "--model", "no-such-model", "--port", port]) == 2
    assert f"must be an address of this machine that is free. Received: 127.0.0.1 {port}" in capsys.readouterr().err
    for _ in range(2):  # it is free now, and again
        assert main(["serve", "--model", "no-such-model", "--port", port]) == 2
        assert "'no-such-model', which is no directory" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["x" * 64, "..", "192.0.2.1", "::1%none"])
def test_a_host_that_is_none(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--model", "no-such-model", "--host", host]) == 2
    assert f"must be an address of this machine that is free. Received: {host} 8080" in capsys.readouterr().err


def test_a_closed_stream_hinders_no_server(export_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `nmt-keras serve ... >&-` starts it."""
    ran: list[uvicorn.Config] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: ran.append(self.config))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for name in ("uvicorn", "uvicorn.access"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])  # those of this test end with it
    monkeypatch.setattr(sys, "stdout", None)
    limits = {"max_batch": 1, "max_waiting": 64, "max_seconds": 1.0, "reload_seconds": 1.0}
    with _listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    run_serve(Namespace(model=[str(export_path)], host="127.0.0.1", port=port, **limits))
    assert len(ran) == 1


def test_an_export_that_cannot_be_written_is_told(
    loaded: LoadedModel, held_out: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    def full(*_: object, **__: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "saved_model.pb; No space left on device\nmore")

    monkeypatch.setattr(ServingSignatures, "functions", {})
    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(UserError, match=r"room for it\. Received: .*full: saved_model\.pb; No space left .*e$"):
        savedmodel.export_savedmodel(loaded, tmp_path / "full", held_out)
    assert not (tmp_path / "full").exists()
