"""Models that are damaged, of another version or hostile: refused at the start, and never put in a good one's place."""

import json
import pickle
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from server_load import send_all, serving, translate

from nmt_keras.cli.main import main
from nmt_keras.config import TransformerConfig
from nmt_keras.errors import ModelError
from nmt_keras.models.directory import LoadedModel, load_model, save_description, save_weights
from nmt_keras.models.factory import build_model
from nmt_keras.system.files import read_json, write_json
from nmt_keras.tracking import runs
from nmt_keras.tracking.aliases import promote_champion
from nmt_keras.tracking.registry import register


@pytest.fixture
def model_directory(loaded: LoadedModel, tmp_path: Path) -> Path:
    """The shared model as a training leaves it."""
    directory = tmp_path / "trained"
    save_description(directory, loaded.tokenizer, loaded.description)
    save_weights(directory, loaded.model)
    return directory


@pytest.fixture
def versions(export_path: Path, tmp_path: Path) -> Path:
    """A directory with version 1 of an exported model."""
    shutil.copytree(export_path, tmp_path / "versions" / "1")
    return tmp_path / "versions"


def _add(versions: Path, number: int, damage: str | None = None) -> None:
    """Adds a copy of version 1, whole or with a file cut in half."""
    temporary = Path(shutil.copytree(versions / "1", versions / ".partial"))
    if damage:
        content = (temporary / damage).read_bytes()
        (temporary / damage).write_bytes(content[: len(content) // 2])
    temporary.rename(versions / str(number))


def _refused(capsys: pytest.CaptureFixture[str], path: Path) -> str:
    """What `nmt-keras serve` says of a model that it does not serve."""
    assert main(["serve", "--model", str(path)]) == 2  # else an error would come here with its traceback
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said[said.index("nmt-keras: ") :]


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/variables.data-00000-of-00001", "model_card.json"])
def test_no_damaged_export_is_served(versions: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    _add(versions, 2, file)
    said = _refused(capsys, versions)
    assert str(versions / "2") in said
    assert file in said


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "vocabulary.model").unlink(), "without vocabulary.model"),
        (lambda path: (path / "vocabulary.model").write_bytes(b"other"), "must be the one that the model was trained"),
        (lambda path: _set(path, format=3), "this version reads format 2"),
        (lambda path: _set(path, model_config={"gates": 5}), "model.json is not a model description"),
        (lambda path: save_weights(path, _narrower()), "model.weights.h5 does not fit the transformer"),
    ],
    ids=["no vocabulary", "another vocabulary", "format", "unknown sizes", "other shapes"],
)
def test_no_model_that_does_not_fit_is_served(
    model_directory: Path, damage: Callable[[Path], Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(model_directory)
    assert message in _refused(capsys, model_directory)


def _set(directory: Path, **values: Any) -> None:
    write_json(directory / "model.json", read_json(directory / "model.json") | values)


def _narrower() -> Any:
    return build_model(TransformerConfig(1, 1, model_dim=8, num_heads=2, feed_forward_dim=16), 330)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What a program that must not run would leave."""
    return tmp_path / "mark"


@pytest.fixture
def program(tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that can be imported, and would leave the mark."""
    path = tmp_path / "hostile" / "hostile.py"
    path.parent.mkdir()
    path.write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nclass Hostile:\n    pass\n")
    monkeypatch.syspath_prepend(path.parent)
    runpy.run_path(str(path))
    mark.unlink()  # it was there: the program works
    return path


class _Payload:
    def __init__(self, program: Path) -> None:
        self.program = program

    def __reduce__(self) -> tuple[Any, ...]:
        return runpy.run_path, (str(self.program),)


@pytest.mark.parametrize("place", ["architecture", "model_config", "search", "lineage", "class_name"])
def test_a_description_names_no_class_of_its_own(model_directory: Path, program: Path, mark: Path, place: str) -> None:
    foreign = {"module": "hostile", "class_name": "Hostile", "config": {}, "registered_name": "hostile>Hostile"}
    _set(model_directory, **{place: "hostile.Hostile" if place == "architecture" else foreign})
    if place == "lineage":  # is told, and never used
        assert set(load_model(model_directory).description.lineage) == set(foreign)
    else:
        with pytest.raises(ModelError, match=r"model\.json is not a model description"):
            load_model(model_directory)
    assert not mark.exists()


@pytest.mark.parametrize("place", ["weight", "attribute", "beside"])
def test_weights_are_numbers(model_directory: Path, program: Path, mark: Path, place: str) -> None:
    """Keras keeps a model's configuration as an attribute of the file, and older HDF5 files held pickled objects."""
    payload = pickle.dumps(_Payload(program))
    config = {"class_name": "Lambda", "config": {"function": {"class_name": "Hostile", "module": "hostile"}}}
    with h5py.File(model_directory / "model.weights.h5", "r+") as file:
        if place == "weight":
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            del file[names[0]]
            file[names[0]] = [payload.hex().encode()]
        elif place == "attribute":
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["pickle"] = payload.hex()
        else:
            file["pickle"] = [payload.hex().encode()]
            (model_directory / "config.json").write_text(json.dumps(config))
            (model_directory / "python_model.pkl").write_bytes(payload)
    if place == "weight":
        with pytest.raises(ModelError, match=r"model\.weights\.h5 does not fit"):
            load_model(model_directory)
    else:
        load_model(model_directory)
    assert not mark.exists()
    pickle.loads(payload)
    assert mark.exists()  # the payload works


@pytest.mark.heavy
def test_a_running_server_takes_no_damaged_model_and_runs_no_program(
    versions: Path, model_directory: Path, program: Path, mark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest version of a directory, and the champion of a registry, whose MLflow models hold a hostile program."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    _add(versions, 3, "variables/variables.data-00000-of-00001")
    with runs.start_run("three versions", "faults") as run:
        uris = [
            run.log_translation_model(versions / path, model_directory, metrics={}, name=f"model{number}").model_uri
            for number, path in enumerate(("1", "3", "1"))
        ]
    shutil.rmtree(versions / "3")
    for number, uri in enumerate(uris, start=1):
        assert register(uri, "served") == number
    stored = [path for path in tmp_path.rglob("pyfunc.py") if "artifacts" in path.parts]
    assert len(stored) == 3
    for path in stored:
        shutil.copy(program, path)

    promote_champion("served", 1, instead_of=None)
    models = (str(versions), "models:/served@champion")
    options = ["--model", models[0], "--model", models[1], "--reload-seconds", "0.2"]
    with serving(tmp_path / "server.log", *options) as server:

        def answers() -> list[list[str]]:
            requests = [translate(["one two", "nine"], model=model) for model in models]
            return [reply.translations() for reply in send_all(server.port, requests, clients=1)]

        before = answers()
        _add(versions, 2, "saved_model.pb")
        promote_champion("served", 2, instead_of=1)
        for model in models:
            server.wait_for_metric(f'nmt_reloads_total{{model="{model}",result="failed"}}', 1)
        assert answers() == before
        _add(versions, 3)
        promote_champion("served", 3, instead_of=2)
        for model in models:
            server.wait_for_metric(f'nmt_reloads_total{{model="{model}",result="loaded"}}', 1)
        assert answers() == before
        log = server.log.read_text()
    assert f"{versions} goes on with {versions / '1'}: The files of an exported model must be as they were" in log
    assert f"{versions} is now {versions / '3'}" in log
    assert f"{models[1]} goes on with" in log
    assert "Traceback" not in log
    assert not mark.exists()
