import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from nmt_keras.errors import ModelError
from nmt_keras.tracking import registry, runs
from nmt_keras.tracking.aliases import promote_candidate


def test_versions_are_counted_and_carry_the_figures(client, log_model) -> None:
    first = log_model("registry", test_bleu=30.123456789, test_chrf=50.0)
    second = log_model("registry", test_bleu=31.0)
    assert registry.register(first.model_uri, "counted", {"architecture": "lstm", "test_chrf": "mine"}) == 1
    assert registry.register(second.model_uri, "counted") == 2
    assert client.get_model_version("counted", "1").tags == {
        "test_bleu": "30.1235",
        "test_chrf": "mine",
        "architecture": "lstm",
    }
    assert client.get_model_version("counted", "2").tags == {"test_bleu": "31"}
    third = log_model("counted", test_bleu=32.0, train_loss=1.5)  # of the two, versions are told apart by the first
    assert registry.register(third.model_uri, "counted", description="# A card") == 3
    assert client.get_model_version("counted", "3").tags == {"test_bleu": "32"}
    assert client.get_model_version("counted", "3").description == "# A card"
    assert client.get_model_version("counted", "2").source == second.model_uri
    link = client.get_logged_model(second.model_id).tags["mlflow.modelVersions"]
    assert [(row["name"], int(row["version"])) for row in json.loads(link)] == [("counted", 2)]


@pytest.mark.parametrize("name", ["a/b", "", " ", "..", "a:b", "a#b", "a?b", "a@b", "a\nb", "\udce9", "'\"", "x" * 257])
def test_a_name_that_is_not_found_again_is_refused_before_anything_is_made(client, name) -> None:
    with pytest.raises(ModelError, match="The name of a registered model must") as caught:
        registry.register("models:/m-0123", name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["l'été", 'a "b"', "50%25 & more; it\\'s [a] `b`", "x" * 256, "m-fr"])
def test_a_name_that_is_registered_is_found_again(client, log_model, directories, name) -> None:
    logged = log_model("names", test_bleu=1.0)
    version = registry.register(logged.model_uri, name)
    promote_candidate(name, version)
    assert [found.aliases for found in registry.versions(name)] == [["candidate", "champion"]]
    for reference in (f"models:/{name}@champion", f"models:/{name}/{version}"):
        assert contents(registry.resolve(reference)) == contents(directories[1])
        assert registry.version_of(reference, name) == version
    assert registry.version_of(logged.model_uri, name) == version
    with pytest.raises(ModelError, match="has the versions 1"):
        registry.resolve(f"models:/{name}/7")


@pytest.mark.parametrize("name", ["p@q", "who?"])
def test_a_name_that_only_other_programs_take_is_found(client, log_model, directories, name) -> None:
    client.create_registered_model(name)
    version = client.create_model_version(name, log_model("names", test_bleu=1.0).model_uri).version
    client.set_registered_model_alias(name, "best", version)
    for reference in (f"models:/{name}@best", f"models:/{name}/{version}"):
        assert contents(registry.resolve(reference)) == contents(directories[1])


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_registering_an_unknown_model_leaves_no_name_behind(client) -> None:
    with pytest.raises(ModelError, match="m-0123"):
        registry.register("models:/m-0123", "left-behind")
    assert "left-behind" not in [model.name for model in client.search_registered_models()]


def test_registering_prints_nothing(log_model, capfd) -> None:
    registry.register(log_model("registry", test_bleu=1.0).model_uri, "quiet")
    assert capfd.readouterr() == ("", "")


def test_every_form_of_reference_gives_the_model_directory(
    store, client, directories, log_model, tmp_path, monkeypatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    logged = log_model("forms", test_bleu=1.0)
    version = registry.register(logged.model_uri, "forms")
    promote_candidate("forms", version)
    run_id = client.get_logged_model(logged.model_id).source_run_id
    for reference in (
        "models:/forms@champion",
        f"models:/forms/{version}",
        logged.model_uri,
        f"runs:/{run_id}/model",
    ):
        resolved = registry.resolve(reference)
        assert store in resolved.parents
        assert sorted(path.name for path in resolved.iterdir()) == ["config.yaml", "weights.h5"]
        assert (resolved / "weights.h5").read_bytes() == (directories[1] / "weights.h5").read_bytes()
    assert list(temporary.iterdir()) == []  # servers look again and again


def test_an_alias_names_the_version_it_was_set_to(store, client, tmp_path) -> None:
    paths = []
    for architecture in ("lstm", "transformer"):
        model = tmp_path / architecture
        model.mkdir()
        (model / "config.yaml").write_text(architecture)
        with runs.start_run("train", "aliases") as run:
            logged = run.log_translation_model(model, model, metrics={})
        client.set_registered_model_alias("aliases", "best", str(registry.register(logged.model_uri, "aliases")))
        paths.append(registry.resolve("models:/aliases@best"))
    assert [(path / "config.yaml").read_text() for path in paths] == ["lstm", "transformer"]
    assert all(store in path.parents for path in paths)


@pytest.mark.parametrize("reference", ["models:/listed@nobody", "models:/listed/9", "models:/listed"])
def test_an_unknown_version_or_alias_lists_those_that_exist(log_model, reference) -> None:
    version = registry.register(log_model("listed", test_bleu=1.0).model_uri, "listed")
    promote_candidate("listed", version)
    with pytest.raises(ModelError) as caught:
        registry.resolve(reference)
    message = str(caught.value)
    assert reference in message
    assert "listed has the versions 1" in message
    assert "candidate (version" in message
    assert "champion (version 1)" in message


@pytest.mark.parametrize("reference", ["models:/nobody/1", "models:/m-0123", "models:/", "runs:/0123/model", "runs:/"])
def test_an_unknown_model_lists_the_forms_and_the_names(log_model, reference) -> None:
    registry.register(log_model("names", test_bleu=1.0).model_uri, "present")
    with pytest.raises(ModelError, match=r"models:/NAME@ALIAS.*Registered are: .*present"):
        registry.resolve(reference)


def test_a_model_of_another_project_is_refused(store, directories) -> None:
    import mlflow
    import mlflow.pyfunc

    with runs.start_run("train", "foreign"):
        info = mlflow.pyfunc.log_model(
            name="foreign",
            python_model=str(runs.PYFUNC_FILE),
            artifacts={"saved_model": str(directories[0])},
            pip_requirements=["mlflow"],
            input_example=None,
        )
    with pytest.raises(ModelError, match="no artifact named 'model'"):
        registry.resolve(info.model_uri)


def test_what_is_no_reference_at_all_lists_the_forms() -> None:
    with pytest.raises(ModelError, match=r"A model is a directory, models:/NAME@ALIAS.*Received: 'transfomer'"):
        registry.resolve("transfomer")


def test_without_a_store_none_is_made(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="set MLFLOW_TRACKING_URI"):
        registry.resolve("models:/translator@champion")
    assert list(tmp_path.iterdir()) == []


def test_a_local_directory_needs_no_mlflow(tmp_path) -> None:
    (tmp_path / "model").mkdir()
    program = (
        "import sys\n"
        "from nmt_keras.tracking.registry import resolve\n"
        "print(resolve('model'))\n"
        "sys.exit('mlflow' in sys.modules)\n"
    )
    project = Path(registry.__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(project), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "model\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
