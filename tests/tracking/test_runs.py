import json
import pickle
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from nmt_keras.errors import UserError
from nmt_keras.tracking import runs


def test_a_run_is_written_to_the_default_store_in_the_working_directory(store, client) -> None:
    with runs.start_run("job", "default-store", tags={"corpus": "tiny"}) as run:
        run.log_parameters({"seed": 7})
        (store / "curves.png").write_bytes(b"png")
        run.log_file(store / "curves.png")
    assert (store / "mlflow.db").is_file()
    artifacts = store / "mlruns" / run.experiment_id / run.run_id / "artifacts"
    assert (artifacts / "curves.png").read_bytes() == b"png"
    written = client.get_run(run.run_id)
    assert written.info.status == "FINISHED"
    assert written.info.run_name == "job"
    assert written.data.tags["corpus"] == "tiny"
    assert client.get_experiment(run.experiment_id).name == "default-store"


def test_a_run_is_tagged_with_the_commit_of_the_project(client, monkeypatch) -> None:
    tags = {"mlflow.source.git.commit": "c" * 40, "git_dirty": "true"}
    asked = []
    monkeypatch.setattr(runs, "git_tags", lambda file: asked.append(file) or tags)
    with runs.start_run("job", "commits") as run:
        pass
    assert tags.items() <= client.get_run(run.run_id).data.tags.items()
    assert asked == [Path(runs.__file__)]


def test_a_child_belongs_to_its_parent(client) -> None:
    with runs.start_run("job", "nested") as job:
        with runs.start_run("lstm", "nested", parent=job) as first:
            pass
        with runs.start_run("transformer", "nested", parent=job) as second:
            pass
    for child, name in ((first, "lstm"), (second, "transformer")):
        written = client.get_run(child.run_id)
        assert written.data.tags["mlflow.parentRunId"] == job.run_id
        assert written.info.run_name == name
        assert written.info.experiment_id == job.experiment_id
    assert "mlflow.parentRunId" not in client.get_run(job.run_id).data.tags


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("bad"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(3), "FAILED")],
)
def test_how_a_run_ended_is_its_status(client, error, status) -> None:
    opened = []

    def job() -> None:
        with (
            runs.start_run("job", "endings") as outer,
            runs.start_run("lstm", "endings", parent=outer) as run,
        ):
            opened.extend([outer, run])
            run.log_metrics({"valid_loss": 3.5}, step=40)
            raise error

    with pytest.raises(type(error)):
        job()
    for ended in opened:
        assert client.get_run(ended.run_id).info.status == status
    assert client.get_run(opened[1].run_id).data.metrics == {"valid_loss": 3.5}
    with runs.start_run("next", "endings") as after:
        pass
    assert client.get_run(after.run_id).info.status == "FINISHED"


def test_parameters_are_flattened(client) -> None:
    settings = {"seed": 1, "model": {"name": "lstm", "encoder": {"layers": 2, "extra": {}}}, "rate": 0.5}
    with runs.start_run("job", "parameters") as run:
        run.log_parameters(settings)
        run.log_parameters({f"many.{index}": index for index in range(150)})
    written = client.get_run(run.run_id).data.params
    assert len(written) == 155
    assert {key: value for key, value in written.items() if not key.startswith("many.")} == {
        "seed": "1",
        "model.name": "lstm",
        "model.encoder.layers": "2",
        "model.encoder.extra": "{}",
        "rate": "0.5",
    }


def test_a_run_that_mlflow_run_opened_is_resumed_with_its_parameters(client, monkeypatch) -> None:
    experiment = client.create_experiment("opened-by-mlflow-run")
    opened = client.create_run(experiment, run_name="gentle-fox").info.run_id
    client.log_param(opened, "rate", "0.10")
    monkeypatch.setenv("MLFLOW_RUN_ID", opened)
    with runs.start_run("job", "another-name") as job:
        job.log_parameters({"rate": 0.1, "seed": 3})
        with runs.start_run("lstm", "another-name", parent=job) as child:
            pass
    assert job.run_id == opened
    assert job.experiment_id == experiment
    written = client.get_run(opened)
    assert written.data.params == {"rate": "0.10", "seed": "3"}
    assert written.info.run_name == "gentle-fox"
    assert written.info.status == "FINISHED"
    assert client.get_run(child.run_id).info.experiment_id == experiment
    assert client.get_experiment_by_name("another-name") is None


def test_an_earlier_run_goes_on_if_the_store_has_it(client) -> None:
    with runs.start_run("job", "continued") as first:
        first.log_metrics({"loss": 1.0}, step=1)
    with runs.start_run("job", "continued", earlier=first.run_id) as second:
        assert client.get_run(second.run_id).info.status == "RUNNING"
        second.log_metrics({"loss": 0.5}, step=2)
    assert second.run_id == first.run_id
    assert [metric.value for metric in client.get_metric_history(first.run_id, "loss")] == [1.0, 0.5]
    client.delete_run(first.run_id)
    for gone in (first.run_id, "0" * 32):
        with runs.start_run("job", "continued", earlier=gone) as other:
            assert other.run_id != gone


def test_metrics_are_written_in_few_batches_and_none_is_lost(client, monkeypatch) -> None:
    sizes = []
    write = type(client).log_batch

    def log_batch(self, run_id, metrics=(), **rest):
        sizes.append(len(metrics))
        return write(self, run_id, metrics=metrics, **rest)

    monkeypatch.setattr(runs, "FLUSH_SECONDS", 3600)
    with runs.start_run("job", "metrics") as run:
        monkeypatch.setattr(type(client), "log_batch", log_batch)
        for step in range(600):
            run.log_metrics({"train_loss": 1 / (step + 1), "learning_rate": step * 1e-5}, step)
    assert sum(sizes) == 1200
    assert len(sizes) <= 4
    history = client.get_metric_history(run.run_id, "train_loss")
    assert {point.step: point.value for point in history} == {step: 1 / (step + 1) for step in range(600)}


def test_metrics_are_written_while_the_run_goes_on(client, monkeypatch) -> None:
    monkeypatch.setattr(runs, "FLUSH_SECONDS", 0)
    with runs.start_run("job", "going-on") as run:
        run.log_metrics({"train_loss": 2.5}, step=10)
        assert client.get_run(run.run_id).data.metrics == {"train_loss": 2.5}


def test_data_sets_are_recorded_by_their_hash(client) -> None:
    with runs.start_run("job", "data") as run:
        for split, digit, origin in (
            ("train", "a", "https://example.org/corpus"),
            ("test", "b", "corpus/test"),
        ):
            context = "training" if split == "train" else "evaluation"
            run.log_dataset("tiny", split, sha256=digit * 64, pairs=29, origin=origin, context=context)
    inputs = {found.dataset.name: found for found in client.get_run(run.run_id).inputs.dataset_inputs}
    assert set(inputs) == {"tiny-train", "tiny-test"}
    test = inputs["tiny-test"]
    assert test.dataset.digest == "b" * 32
    assert json.loads(test.dataset.profile) == {"pairs": 29, "split": "test", "sha256": "b" * 64}
    assert json.loads(test.dataset.source) == {"uri": "corpus/test"}
    assert {tag.key: tag.value for tag in test.tags} == {"mlflow.data.context": "evaluation"}
    assert json.loads(inputs["tiny-train"].dataset.source) == {"url": "https://example.org/corpus"}


def test_a_table_keeps_its_columns(client) -> None:
    columns = {"source": ["A dog.", "Zwei Hunde."], "hypothesis": ["Un chien.", "Deux « chiens »."]}
    with runs.start_run("job", "tables") as run:
        run.log_table(columns, "hypotheses")
        for _ in range(2):
            run.log_table({"pair": ["é"]}, "tables/pairs")
        run.log_table({"pair": ["a", "b"], "p": [0.5, None]}, "tables/pairs")
    table = client.load_table(run.experiment_id, "hypotheses.json", run_ids=[run.run_id])
    assert table.to_dict("list") == columns
    later = client.load_table(run.experiment_id, "tables/pairs.json", run_ids=[run.run_id])
    assert later["pair"].tolist() == ["a", "b"]
    assert later["p"].tolist()[0] == 0.5


def test_system_metrics_are_sampled(client, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with runs.start_run("job", "system") as run:
        deadline = time.monotonic() + 60
        while not (sampled := client.get_run(run.run_id).data.metrics) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert "system/cpu_utilization_percentage" in sampled


def test_nothing_is_printed(capfd, log_model) -> None:
    log_model("quiet", test_bleu=20.0)
    assert capfd.readouterr() == ("", "")


def test_a_logged_model_holds_both_directories_and_explicit_requirements(client, directories) -> None:
    import yaml

    with runs.start_run("job", "models") as run:
        dataset = run.log_dataset("tiny", "test", sha256="c" * 64, pairs=10, origin="x", context="evaluation")
        logged = run.log_translation_model(
            *directories,
            metrics={"test_bleu": 31.25, "test_chrf": 55.0},
            step=1200,
            dataset=dataset,
            parameters={"model": {"dim": 64}},
            tags={"architecture": "lstm"},
        )
    model = client.get_logged_model(logged.model_id)
    assert logged.model_uri == f"models:/{logged.model_id}"
    assert model.source_run_id == run.run_id
    assert model.params == {"model.dim": "64"}
    assert model.tags["architecture"] == "lstm"
    assert {(row.key, row.value, row.step, row.dataset_name, row.dataset_digest) for row in model.metrics} == {
        ("test_bleu", 31.25, 1200, "tiny-test", "c" * 32),
        ("test_chrf", 55.0, 1200, "tiny-test", "c" * 32),
    }
    assert client.get_run(run.run_id).data.metrics == {"test_bleu": 31.25, "test_chrf": 55.0}

    root = Path(model.artifact_location)
    stored = yaml.safe_load((root / "MLmodel").read_text())
    for name, directory in zip(("saved_model", "model"), directories, strict=True):
        copy = root / stored["flavors"]["python_function"]["artifacts"][name]["path"]
        assert contents(copy) == contents(directory)
    assert json.loads(stored["signature"]["inputs"]) == [{"type": "any", "name": "source", "required": True}]
    assert (root / "pyfunc.py").read_text() == runs.PYFUNC_FILE.read_text()
    requirements = (root / "requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in requirements} == set(runs.PYFUNC_PACKAGES)
    assert all(line.partition("==")[2] for line in requirements)


def test_a_lock_file_in_the_working_directory_is_not_logged_with_a_model(store, client, log_model) -> None:
    for name in ("uv.lock", "pyproject.toml"):
        (store / name).write_text("")
    logged = log_model("locks", test_bleu=1.0)
    root = Path(client.get_logged_model(logged.model_id).artifact_location)
    assert {"uv.lock", "pyproject.toml"}.isdisjoint(contents(root))


def test_a_missing_directory_is_named(store, directories) -> None:
    with (
        pytest.raises(UserError, match=r"must be a directory\. Received: nowhere"),
        runs.start_run("job", "models") as run,
    ):
        run.log_translation_model(Path("nowhere"), directories[1], metrics={})


def test_an_experiment_that_only_a_server_can_write_is_refused(client) -> None:
    client.create_experiment("made-by-a-server", artifact_location="mlflow-artifacts:/77")
    with (
        pytest.raises(UserError, match="set MLFLOW_TRACKING_URI to the server"),
        runs.start_run("job", "made-by-a-server"),
    ):
        pytest.fail("the run was opened")


def test_a_deleted_experiment_is_an_error_for_the_user(client) -> None:
    client.delete_experiment(client.create_experiment("deleted"))
    with pytest.raises(UserError, match="deleted"), runs.start_run("job", "deleted"):
        pytest.fail("the run was opened")


def test_the_environment_names_another_experiment(client, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of my own")
    with runs.start_run("job", "nmt-en-fr") as run:
        pass
    assert client.get_experiment(client.get_run(run.run_id).info.experiment_id).name == "of my own"


def test_an_untracked_run_leaves_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with runs.resume_or_start_run(tmp_path / "m", "job", "any", runs.UntrackedRun()) as opened:
        run = pickle.loads(pickle.dumps(opened))  # as a training's own process gets it
        run.log_parameters({"seed": 1})
        run.log_metrics({"train_loss": 1.0}, 20)
        assert run.log_dataset("c", "train", sha256="00", pairs=1, origin="o", context="training") is None
        assert run.log_translation_model(tmp_path, tmp_path, metrics={}).model_uri == ""
    assert list(tmp_path.iterdir()) == []


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_what_is_made_in_a_directory_has_one_run(client, tmp_path) -> None:
    tags = {"corpus": "tiny"}
    with suppress(KeyboardInterrupt), runs.resume_or_start_run(tmp_path, "job", "kept", tags=tags) as first:
        first.log_metrics({"train_loss": 5.0}, step=20)
        raise KeyboardInterrupt
    with runs.resume_or_start_run(tmp_path, "job", "kept", tags={"corpus": "another"}) as second:
        second.log_metrics({"train_loss": 4.0}, step=40)
    assert second.run_id == first.run_id == runs.earlier_run(tmp_path)
    written = client.get_run(first.run_id)
    assert written.info.status == "FINISHED"
    assert written.data.tags["corpus"] == "tiny"
    assert [figure.step for figure in client.get_metric_history(first.run_id, "train_loss")] == [20, 40]


def test_figures_wait_for_a_store_that_does_not_answer(client, capsys, monkeypatch) -> None:
    monkeypatch.setattr(runs, "FLUSH_SECONDS", 0.0)
    with runs.start_run("job", "outage") as run:
        with monkeypatch.context() as patch:
            patch.setattr(run._client, "log_batch", lambda *_, **__: raise_(OperationalError("select", {}, None)))
            run.log_metrics({"train_loss": 5.0}, step=20)
        assert "Logging metrics failed in the MLflow store" in capsys.readouterr().err
        run.log_metrics({"train_loss": 4.0}, step=40)
    assert [figure.step for figure in client.get_metric_history(run.run_id, "train_loss")] == [20, 40]


def test_a_store_that_fails_at_the_end_hides_no_other_error(client, capsys, monkeypatch) -> None:
    def fail(patch: pytest.MonkeyPatch) -> None:
        with runs.start_run("job", "outage") as run:
            patch.setattr(run._client, "log_batch", lambda *_, **__: raise_(OperationalError("select", {}, None)))
            run.log_metrics({"train_loss": 5.0}, step=20)
            raise ValueError("of the training")

    with monkeypatch.context() as patch, pytest.raises(ValueError, match="of the training"):
        fail(patch)
    assert "Logging metrics failed in the MLflow store" in capsys.readouterr().err


def raise_(error: Exception) -> None:
    raise error
