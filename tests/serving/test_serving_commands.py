"""What `nmt-keras export` and `serve` make of models of before, and of options."""

import shutil
import socket
from pathlib import Path

import pytest

from nmt_keras.cli import main
from nmt_keras.errors import ModelError
from nmt_keras.models.directory import LoadedModel, save_description, save_held_out, save_weights
from nmt_keras.serving import savedmodel
from nmt_keras.serving.served_model import ServedModel
from nmt_keras.serving.signatures import TranslationServer
from nmt_keras.serving_commands import _locator


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

    def save(server: TranslationServer, path: Path) -> None:
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
    (directory / "model.weights.h5").write_bytes(b"of a training that goes on")
    assert [model.refresh() for model in served] == [None, None]


def test_an_address_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert main(["serve", "--model", "no-such-model", "--port", port]) == 2
    assert f"must be an address of this machine that is free. Received: 127.0.0.1 {port}" in capsys.readouterr().err
