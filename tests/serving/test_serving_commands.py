"""What `nmt-keras export` and `serve` make of models of before, and of options."""

import shutil
from pathlib import Path

import pytest

from nmt_keras.cli import main
from nmt_keras.errors import ModelError
from nmt_keras.models.directory import LoadedModel, save_description, save_held_out, save_weights
from nmt_keras.serving import savedmodel
from nmt_keras.serving.served_model import ServedModel
from nmt_keras.serving.signatures import TranslationServer
from nmt_keras.serving_commands import _locator
from nmt_keras.tracking.registry import register
from nmt_keras.tracking.runs import start_run


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


def test_a_registered_model_without_a_card_is_exported_anew(
    without_card: Path,
    export_path: Path,
    loaded: LoadedModel,
    held_out: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved = []

    def save(server: TranslationServer, path: Path) -> None:
        saved.append(server)
        shutil.copytree(export_path, path, ignore=shutil.ignore_patterns("*card.json", "*.md"))

    monkeypatch.setattr(savedmodel, "_save", save)  # tracing takes long
    directory = tmp_path / "model"
    save_description(directory, loaded.tokenizer, loaded.description)
    save_weights(directory, loaded.model)
    with start_run("transformer", "old") as run:
        logged = [run.log_translation_model(without_card, directory, metrics={}, name="bare")]
        save_held_out(directory, held_out)
        logged.append(run.log_translation_model(without_card, directory, metrics={}, name="checked"))
    for model in logged:
        register(model.model_uri, "old")

    with pytest.raises(
        ModelError, match=r"models:/old/1 keeps no held-out .* export --model models:/old/1 --source-file"
    ):
        _locator("models:/old/1")()
    locate = _locator("models:/old/2")
    served = ServedModel("models:/old/2", locate)
    assert served.exported.path.is_relative_to(tmp_path / "cache")
    assert len(saved) == 1
    assert served.refresh() is None
