"""The main job on a corpus of the user's own, and its model in the three ways it is used."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nmt_keras.cli.main import main
from nmt_keras.experiments.run import translate_standalone

pytestmark = pytest.mark.heavy

RUN = [
    "main", "--preset", "debug", "--training.epochs", "12", "--vocabulary.size", "300",
    "--training.batch_tokens", "160", "--source-language", "eng", "--target-language", "fra", "--output", "run",
]  # fmt: skip


@pytest.fixture(scope="module")
def work(digit_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory in which the main job has run."""
    directory = tmp_path_factory.mktemp("work")
    before = Path.cwd()
    os.chdir(directory)
    try:
        assert main([*RUN, "--corpus", str(digit_files)]) == 0
        yield directory
    finally:
        os.chdir(before)


def test_each_architecture_is_a_child_of_one_run(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    import mlflow

    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(run.data.tags["mlflow.runName"] for run in children) == ["rnn-seed1", "transformer-seed1"]
    for child in children:
        assert child.info.status == "FINISHED"
        assert {"valid_bleu", "test_bleu", "test_chrf", "valid_loss"} <= set(child.data.metrics)
        assert child.data.params["training.epochs"] == "12"
        assert {dataset.dataset.name.rsplit("-", 1)[1] for dataset in child.inputs.dataset_inputs} == {
            "train",
            "valid",
            "test",
        }
    assert "What each word attends to" in (work / "run" / "report.html").read_text(encoding="utf-8")


def test_the_better_model_is_registered(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    import mlflow

    client = mlflow.MlflowClient()
    registered = client.get_model_version_by_alias("nmt-eng-fra", "champion")
    assert client.get_model_version_by_alias("nmt-eng-fra", "candidate").version == registered.version == 1
    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    chosen = next(run for run in runs if run.info.run_id == registered.run_id)
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert chosen.data.tags["mlflow.runName"] == f"{registered.tags['architecture']}-seed1"
    # The run's last figure is of the kept weights, by which the choice is made.
    assert chosen.data.metrics["valid_bleu"] == max(run.data.metrics["valid_bleu"] for run in children)


def test_savedmodel_pyfunc_and_command_line_translate_alike(
    work: Path, digit_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow
    import pandas as pd

    monkeypatch.chdir(work)
    text = (digit_files / "train.eng").read_text(encoding="utf-8")
    sentences = text.removesuffix("\n").split("\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    capsys.readouterr()
    assert main(["translate", "--model", "models:/nmt-eng-fra@champion"]) == 0
    by_command = capsys.readouterr().out.removesuffix("\n").split("\n")
    pyfunc = mlflow.pyfunc.load_model("models:/nmt-eng-fra@champion")
    by_pyfunc = [line.replace("\n", " ") for line in pyfunc.predict(pd.DataFrame({"source": sentences}))]
    version = mlflow.MlflowClient().get_model_version_by_alias("nmt-eng-fra", "champion")
    export = work / "run" / f"{version.tags['architecture']}-seed1" / "export" / "1"
    by_export = translate_standalone(export, sentences)
    assert len(set(by_command)) > 20  # not all the same nonsense
    differing = [
        index
        for index, translations in enumerate(zip(by_command, by_pyfunc, by_export, strict=True))
        if len(set(translations)) > 1
    ]
    # Batches of another make-up may round a tie the other way.
    assert len(differing) <= 2
