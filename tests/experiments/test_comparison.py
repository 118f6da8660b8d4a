"""`nmt-keras compare` on a corpus of the user's own: interrupted by a failure, gone on with, and done."""

import html
import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from not_exported import not_exported
from PIL import Image
from sacrebleu.metrics import BLEU

from nmt_keras.cli import main as cli
from nmt_keras.cli.main import main
from nmt_keras.data.corpora import load_corpus
from nmt_keras.experiments import measurements
from nmt_keras.experiments import report as comparison_report
from nmt_keras.experiments import run as experiment
from nmt_keras.experiments.measurements import MeasurementPlan
from nmt_keras.system.files import read_json

COMPARE = [
    "compare", "--preset", "debug", "--architectures", "gru,transformer", "--seeds", "1,2", "--budget", "12k-tokens",
    "--vocabulary.size", "300", "--training.batch_tokens", "160", "--training.learning_rate", "0.02",
    "--source-language", "eng", "--target-language", "fra", "--output", "comparison",
]  # fmt: skip


def train_here(function: Callable[..., None], calls: Mapping[str, Sequence[Any]], jobs: int) -> dict[str, str]:
    """As `run_in_processes`, in this process (`test_processes.py` has real processes)."""
    for arguments in calls.values():
        function(*arguments)
    return {}


@pytest.mark.heavy
def test_a_failure_costs_one_training_and_the_same_command_makes_up_for_it(
    digit_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*COMPARE, "--corpus", str(digit_files)]
    evaluate, evaluated = experiment.evaluate, []

    def fails_at_third(*arguments: Any) -> Any:
        evaluated.append(arguments)
        if len(evaluated) == 3:
            raise RuntimeError("out of order")
        return evaluate(*arguments)

    monkeypatch.setattr(experiment, "evaluate", fails_at_third)
    monkeypatch.setattr(experiment, "run_in_processes", train_here)
    monkeypatch.setattr(experiment, "export_directory", not_exported)
    monkeypatch.setattr(measurements, "FULL_PLAN", MeasurementPlan(2, (8, 32), 64, 1, 8, 3))  # little of each
    assert main(command) == 1
    assert "gru-seed2 failed: RuntimeError: out of order" in capsys.readouterr().err.splitlines()
    results = {path.parent.name for path in Path("comparison").glob("*/result.json")}
    assert results == {"gru-seed1", "transformer-seed1", "transformer-seed2"}

    assert main(command) == 0
    assert len(evaluated) == 5  # only what failed was done again
    out = capsys.readouterr().out
    measured = {path: path.stat().st_mtime_ns for path in Path("comparison").glob("*/measurements.json")}
    assert len(measured) == 4
    versions = mlflow.MlflowClient().search_model_versions("name = 'nmt-eng-fra'")
    check_report(out.splitlines()[-1], shlex.join(["nmt-keras", *command]))
    monkeypatch.setattr(comparison_report, "chart_image", not_drawn)  # drawing takes long, and is done
    assert main(command) == 0
    assert len(mlflow.MlflowClient().search_model_versions("name = 'nmt-eng-fra'")) == len(versions)
    assert len(evaluated) == 5
    assert capsys.readouterr().out == out
    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    parents = [run.info.run_id for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(parents) == 1
    assert [run.info.status for run in runs if run.info.run_id not in parents] == ["FINISHED"] * 4
    assert {path: path.stat().st_mtime_ns for path in measured} == measured

    references = load_corpus(str(digit_files), "eng", "fra").split("test").targets
    means = {}
    for architecture in ("gru", "transformer"):
        scores = [
            BLEU().corpus_score([text for text, _ in translations], [references]).score
            for seed in (1, 2)
            for result in [read_json(Path(f"comparison/{architecture}-seed{seed}/result.json"))]
            for translations in [result["evaluations"]["test"]["translations"]]
        ]
        means[architecture] = statistics.fmean(scores)
        assert means[architecture] > 0
        cells = next(line for line in out.splitlines() if line.startswith(f"| {architecture} ")).split("|")
        assert cells[2].strip() == f"{means[architecture]:.2f} ± {statistics.stdev(scores):.2f}"
    (difference,) = [line for line in out.splitlines() if line.startswith("| gru - transformer ")]
    assert difference.split("|")[2].strip() == f"{means['gru'] - means['transformer']:+.2f}"
    assert difference.split("|")[-2].strip() in {"different", "not significant"}

    # Other weights in the place of a model are another model.
    weights = [Path(f"comparison/gru-seed{seed}/model/model.weights.h5") for seed in (1, 2)]
    weights[0].write_bytes(weights[1].read_bytes())
    monkeypatch.setattr(experiment, "evaluate", fails)
    assert main(command) == 1
    assert "gru-seed1 failed: RuntimeError: evaluated anew" in capsys.readouterr().err.splitlines()


def not_drawn(chart: Any, path: Path) -> Path:
    Image.new("RGB", (1, 1)).save(path)
    return path


def fails(*_: Any) -> None:
    raise RuntimeError("evaluated anew")


def check_report(line: str, command: str) -> None:
    """The page is where the last line says, tells how to make it again, and is in MLflow with images and tables."""
    import mlflow

    assert line == "Report: comparison/report.html"
    page = Path("comparison/report.html").read_text(encoding="utf-8")
    assert html.escape(command, quote=False) in page
    assert "Two are called different where both tests" in page
    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    parent = max(
        (run for run in runs if "mlflow.parentRunId" not in run.data.tags), key=lambda run: run.info.start_time
    )
    client = mlflow.MlflowClient()
    top = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "images", "tables"} <= top
    tables = {artifact.path for artifact in client.list_artifacts(parent.info.run_id, "tables")}
    assert tables == {"tables/scores.json", "tables/pairs-test.json"}
    images = [artifact.path for artifact in client.list_artifacts(parent.info.run_id, "images")]
    for name in ("ranking", "length", "step-time", "gradients"):
        assert any(image.startswith(f"images/{name}") for image in images)


@pytest.mark.parametrize("seeds", [",", "1,x", "1;2"])
def test_seeds_are_whole_numbers(seeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--seeds", seeds]) == 2
    assert f"--seeds must be whole numbers with commas. Received: {seeds!r}." in capsys.readouterr().err


def test_quick_is_no_setting_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "settings.yaml").write_text("demo: true\n")
    assert main(["compare", "--config", str(tmp_path / "settings.yaml")]) == 2
    assert "--demo must be given on the command line, not in a file." in capsys.readouterr().err


def test_what_quick_stands_for_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[Any] = []
    command = replace(cli._COMMANDS["compare"], run=received.append)
    monkeypatch.setitem(cli._COMMANDS, "compare", command)
    assert main(["compare", "--demo"]) == 0
    assert main(["compare", "--architectures", "gru", "--seeds=2", "--demo"]) == 0
    assert [(options.architectures, options.seeds, options.budget) for options in received] == [
        ("rnn,lstm,gru,lstm-attention,transformer", "1", "400k-tokens"),
        ("gru", "2", "400k-tokens"),
    ]
