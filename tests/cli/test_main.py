"""The command line from raw files to translations, in one process where the work is heavy."""

import errno
import getpass
import io
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import Namespace

from nmt_keras import api
from nmt_keras.cli import main as cli
from nmt_keras.cli import train as commands
from nmt_keras.cli import translate
from nmt_keras.cli.main import main
from nmt_keras.errors import ConfigError, DamagedFileError, TrainingError
from nmt_keras.experiments import run as experiment
from nmt_keras.system.files import locked_directory, new_directory

TRAIN = [
    "--preset", "debug", "--training.epochs", "8", "--vocabulary.size", "300",
    "--training.batch_tokens", "160", "--source-language", "eng", "--target-language", "fra",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(digit_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory that `nmt-keras train` made."""
    directory = tmp_path_factory.mktemp("work")
    before = Path.cwd()
    os.chdir(directory)
    try:
        assert main(["train", "--corpus", str(digit_files), "--output", "model", *TRAIN]) == 0
    finally:
        os.chdir(before)
    return directory / "model"


def _snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in directory.iterdir()}


def test_train_logs_to_mlflow_and_leaves_a_complete_model(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"model.json", "model.weights.h5", "vocabulary.model", "training.json"} <= names
    assert not [name for name in names if "checkpoint" in name or name.startswith(".")]
    assert (trained.parent / "mlflow.db").is_file()


def test_finished_directory_is_left_untouched(
    trained: Path, digit_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    before = _snapshot(trained)
    assert main(["train", "--corpus", str(digit_files), "--output", "model", *TRAIN]) == 0
    assert _snapshot(trained) == before
    assert "finished" in capsys.readouterr().err


def test_other_settings_in_the_same_directory_are_refused(
    trained: Path, digit_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.parent)
    assert main(["train", "--corpus", str(digit_files), "--output", "model", *TRAIN, "--seed", "7"]) == 2
    error = capsys.readouterr().err
    assert "seed: begun with 1, received 7" in error
    assert "learning_rate" not in error  # only what differs


def test_evaluate_prints_one_json_object_and_writes_no_store(
    trained: Path,
    digit_files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    import sacrebleu

    monkeypatch.chdir(tmp_path)
    languages = ["--source-language", "eng", "--target-language", "fra"]
    assert main(["evaluate", "--model", str(trained), "--corpus", str(digit_files), "--json", *languages]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["sentences"] == 12
    assert figures["split"] == "test"
    files = ["--source-file", str(digit_files / "test.eng"), "--reference-file", str(digit_files / "test.fra")]
    assert main(["evaluate", "--model", str(trained), *files, "--json"]) == 0
    of_files = json.loads(capsys.readouterr().out)
    assert of_files["bleu"] == figures["bleu"]
    assert of_files["corpus"] is None
    assert main(["evaluate", "--model", str(trained), *files, "--output", "translated.fra"]) == 0
    capsys.readouterr()
    # Against sacreBLEU on what `translate` gives for the same sentences.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((digit_files / "test.eng").read_bytes())))
    assert main(["translate", "--model", str(trained)]) == 0
    hypotheses = capsys.readouterr().out.splitlines()
    references = (digit_files / "test.fra").read_text(encoding="utf-8").splitlines()
    assert figures["bleu"]["score"] == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references]).score)
    assert Path("translated.fra").read_text(encoding="utf-8").splitlines() == hypotheses
    assert [path.name for path in tmp_path.iterdir()] == ["translated.fra"]


def test_the_n_best_translations(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"one two three\n\nsix\n"
    rows = []
    for options in ([], ["--n-best", "3"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        assert main(["translate", "--model", str(trained), "--beam-size", "4", *options]) == 0
        rows.append([line.split("\t") for line in capsys.readouterr().out.splitlines()])
    best, n_best = rows
    with monkeypatch.context() as patch:
        patch.setattr(translate, "_WRITTEN_AT_ONCE", 2)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + text)))
        assert main(["translate", "--model", str(trained), "--beam-size", "4", "--n-best", "3"]) == 0
        assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == n_best
    assert [number for number, _, _ in n_best] == ["1", "1", "1", "2", "3", "3", "3"]
    assert [n_best[row][2] for row in (0, 3, 4)] == [line for (line,) in best]
    for start in (0, 4):
        scores = [float(score) for _, score, _ in n_best[start : start + 3]]
        assert scores == sorted(scores, reverse=True)
        assert len({translation for _, _, translation in n_best[start : start + 3]}) > 1
    for wrong in ("5", "0"):
        assert main(["translate", "--model", str(trained), "--beam-size", "4", "--n-best", wrong]) == 2
        assert f"Received: --n-best {wrong}, and a beam of 4." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"one two\n\nsix\n", 3),
        (b"one", 1),
        (b"\n\n", 2),
        (b"", 0),
        (b"one\r\ntwo\r\n", 2),
        (b"\xef\xbb\xbf", 0),
        ("a\u2028b\n".encode(), 1),
    ],
)
def test_translate_gives_as_many_lines_as_it_takes(
    trained: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
    text: bytes,
    lines: int,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(["translate", "--model", str(trained), "--beam-size", "2"]) == 0
    out = capfdbinary.readouterr().out
    assert out.count(b"\n") == lines
    if lines:
        given = text.removesuffix(b"\n").split(b"\n")
        translated = out.removesuffix(b"\n").split(b"\n")
        assert all(line == b"" for source, line in zip(given, translated, strict=True) if source == b"")
        assert any(translated) == any(given)


def test_an_export_translates_like_the_model(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--model", str(trained), "--output", "out"]) == 0
    assert (tmp_path / "out" / "1" / "saved_model.pb").is_file()
    capsys.readouterr()
    text = b"one two three\n\nfour\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert main(["translate", "--model", str(trained)]) == 0
    expected = capsys.readouterr().out
    from nmt_keras.serving import standalone

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    monkeypatch.setattr(sys, "argv", ["standalone.py", str(tmp_path / "out" / "1")])
    standalone.main()
    assert capsys.readouterr().out == expected


def test_a_trained_model_is_registered_by_the_run_that_trained_it(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    from nmt_keras.tracking.registry import resolve

    monkeypatch.chdir(trained.parent)
    assert main(["register", "--model", "model"]) == 0
    assert "model is version 1 of nmt-eng-fra: candidate, champion." in capsys.readouterr().out
    assert _snapshot(resolve("models:/nmt-eng-fra@champion")).keys() == _snapshot(trained).keys()
    weights = [directory / "model.weights.h5" for directory in (trained, resolve("models:/nmt-eng-fra/1"))]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.data.params["training.epochs"] == "8"
    assert "train_loss" in run.data.metrics
    assert run.data.metrics["valid_loss"] == json.loads((trained / "training.json").read_text())["valid_loss"]
    version = mlflow.MlflowClient().get_model_version_by_alias("nmt-eng-fra", "champion")
    assert version.run_id == run.info.run_id
    corpus = Path(json.loads((trained / "settings.json").read_text())["corpus"]).name
    assert run.info.run_name == f"transformer {corpus} debug seed1"
    assert "# transformer, eng-fra" in version.description
    assert version.tags["corpus"] == str(json.loads((trained / "settings.json").read_text())["corpus"])


def test_an_unfinished_training_is_not_registered(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, tmp_path / "model")
    (tmp_path / "model" / "training.json").rename(tmp_path / "model" / "checkpoint.json")
    assert main(["register", "--model", "model"]) == 2
    assert "must be trained to the end. Received: model; go on with it first." in capsys.readouterr().err
    assert not Path("mlflow.db").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--preset", "huge"], "--preset must be one of debug"),
        (["train", "--training.learning_rate", "-1"], "--training.learning_rate must be from"),
        (["train", "--training.learning_speed", "1"], "learning_speed"),
        (["train", "--corpus", "no-such-corpus"], "no-such-corpus"),
        (["train", "--architecture", "perceptron"], "perceptron"),
        (["translate", "--model", "no-such-directory"], "no-such-directory"),
        (["train", "--backend", "torch"], "The backend torch needs the package torch. Received: it is not installed."),
        (["evaluate", "--source-file", "x"], "--source-file and --reference-file go together"),
        (["translate", "--model", "models:/nothing@champion"], "models:/nothing@champion"),
        (["models"], "nmt-en-fr needs an MLflow store"),
        (["rollback", "--name", "other"], "other needs an MLflow store"),
        (["promote", "--max-fall", "-1"], "--max-fall must be at least 0. Received: --max-fall -1.0"),
        (["fly"], "fly"),
    ],
)
def test_mistakes_of_users_end_with_2_and_no_traceback(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "torch" else find_spec(name))
    monkeypatch.setenv("KERAS_BACKEND", os.environ["KERAS_BACKEND"])
    try:
        code = main(arguments)
    except SystemExit as exit_:  # the argument parser's own errors
        code = int(exit_.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_unknown_key_in_a_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("training:\n  epochz: 3\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--config", str(file)])
    assert "epochz" in capsys.readouterr().err


def test_settings_are_written_as_a_file_that_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    received = []
    monkeypatch.setitem(cli._COMMANDS, "train", replace(cli._COMMANDS["train"], run=received.append))
    chosen = ["train", "--preset", "quick", "--architecture", "lstm"]
    given = [*chosen, "--training.epochs", "3", "--lstm.hidden_dim", "20", "--seed", "9"]
    with pytest.raises(SystemExit, match="0"):
        main([*given, "--print_config"])
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed)["training"]["epochs"] == 3
    (tmp_path / "settings.yaml").write_text(printed)
    assert main(given) == 0
    assert main([*chosen, "--config", "settings.yaml"]) == 0
    one, other = ({**options.as_dict(), "config": None, "command_line": None} for options in received)
    assert one == other


def test_a_backend_that_is_not_known(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    assert main(["train"]) == 2
    assert "KERAS_BACKEND must be one of tensorflow, jax, torch. Received: 'theano'." in capsys.readouterr().err


def test_a_failed_training_is_no_mistake_of_the_user(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(options: object) -> None:
        raise TrainingError("it diverged")

    monkeypatch.setitem(cli._COMMANDS, "train", replace(cli._COMMANDS["train"], run=fail))
    assert main(["train"]) == 1
    assert capsys.readouterr().err == "nmt-keras: it diverged\n"


@pytest.mark.parametrize(
    ("jobs", "devices", "limited_time"), [(0, "1", False), (-1, "1", False), (2, "1", True), (2, "2", False)]
)
def test_trainings_at_once_share_no_machine_that_each_must_have(jobs: int, devices: str, limited_time: bool) -> None:
    with pytest.raises(ConfigError, match=f"--jobs must be at least 1, and 1 where .* Received: --jobs {jobs}"):
        api._jobs(jobs, alone=limited_time or devices != "1")
    assert api._jobs(None, alone=True) == 1
    assert api._jobs(3, alone=False) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_an_interruption(
    number: signal.Signals, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(options: object) -> None:
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setitem(cli._COMMANDS, "train", replace(cli._COMMANDS["train"], run=train))
    assert main(["train"]) == 1
    assert "interrupted. With the same --output a training goes on" in capsys.readouterr().err


def test_underscores_in_options_are_hyphens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--source_file=x"]) == 2
    assert "go together" in capsys.readouterr().err


def test_a_signal_that_the_caller_ignores_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(options: object) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` has it
    try:
        monkeypatch.setitem(cli._COMMANDS, "train", replace(cli._COMMANDS["train"], run=train))
        assert main(["train"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


PATHS = {
    "train": ["--corpus", "--data-dir", "--output", "--init-from"],
    "translate": ["--model"],
    "evaluate": ["--model", "--corpus", "--data-dir", "--output", "--source-file", "--reference-file"],
    "export": ["--model", "--output", "--check", "--source-file"],
    "serve": ["--model"],
    "phrasebook": ["--output"],
    "promote": ["--model", "--corpus", "--source-file", "--reference-file"],
    "gradient-flow": ["--output"],
}
REQUIRED = {"serve": ["--model", "m"], "phrasebook": ["--output", "o"], "gradient-flow": ["--output", "o.png"]}


@pytest.mark.parametrize(
    ("given", "received"),
    [
        ("#1", "#1"),
        ("~", "HOME"),
        ("null", "null"),
        ("~/m", "HOME/m"),
        ("./~", "./~"),
        ("a: b", "a: b"),
        ("010", "010"),
    ],
)
def test_a_path_is_the_text_that_was_given(
    given: str, received: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for command, options in PATHS.items():
        parsed: list[Namespace] = []
        monkeypatch.setitem(cli._COMMANDS, command, replace(cli._COMMANDS[command], run=parsed.append))
        for option in options:
            main([command, *REQUIRED.get(command, []), f"{option}={given}"])
            value = parsed[-1][option.removeprefix("--").replace("-", "_")]
            assert value in (expected := received.replace("HOME", str(tmp_path)), ["m", expected]), (command, option)
    if ":" not in given:
        Path("c.yaml").write_text(f"corpus: '{given}'\noutput: '{given}'\n", encoding="utf-8")
        parsed = []
        monkeypatch.setitem(cli._COMMANDS, "train", replace(cli._COMMANDS["train"], run=parsed.append))
        assert main(["train", "--config", "c.yaml"]) == 0
        assert {parsed[0].corpus, parsed[0].output} == {received.replace("HOME", str(tmp_path))}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", ""], "--output: must be a text that is not empty"),
        (["--output", "m\udcff"], "must be text in the encoding of this locale"),
        (["--output", "~nobody.of.this.name/m"], "starts with ~, which must be a home directory"),
        (["--training.max_tokens", "#5"], "--training.max_tokens must be a number"),
        (["--training.steps_per_epoch=1:30"], "Received: '1:30'"),
        (["--backend", "#jax"], "--backend must be a number, a name"),
        (["--max-minutes", "1:30"], "--max-minutes: must be a number. Received: '1:30'."),
        (["--seed", "1:30"], "--seed: must be a whole number. Received: '1:30'."),
        (["--seed", "#5"], "--seed: must be a whole number. Received: '#5'."),
        (["--training.steps_per_epoch", " #5"], "--training.steps_per_epoch must be a number"),
        (["--config", "latin.yaml"], "A file of --config must be YAML in UTF-8"),
        (["--config", "ring.yaml"], "A file of --config must be YAML in UTF-8"),
        (["--config", "null.yaml"], "--training must hold settings, or not be there. Received: null."),
        (["--config", "c.yaml"], 'Parser key "corpus": must be a text that is not empty, in quotes in a file'),
    ],
)
def test_a_value_that_would_be_read_as_another_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.yaml").write_text("corpus: 2024\n", encoding="utf-8")
    Path("latin.yaml").write_bytes(b"corpus: \xe9t\xe9\n")
    Path("ring.yaml").write_text("a: &a [*a]\n")
    Path("null.yaml").write_text("training: null\n")
    try:
        code = main(["train", *arguments])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err


def test_a_user_without_a_home_directory_gets_one_for_the_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    cleanups: list[Callable[[], None]] = []
    monkeypatch.setattr(cli.atexit, "register", cleanups.append)
    cli._provide_home()
    home = Path("~").expanduser()
    assert home.is_dir()
    assert getpass.getuser() == str(os.getuid())
    cli._provide_home()
    assert len(cleanups) == 1
    cleanups[0]()
    assert not home.exists()


def test_a_closed_stream_of_a_command_that_only_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert main(["models"]) == 2
    assert "stdout must be open for this command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            OSError(errno.ENOSPC, "x", "out/m"),
            1,
            "No space left on device: out/m. Free some space. With the same --output",
        ),
        (PermissionError(errno.EACCES, "x", "out"), 1, "Permission denied: out."),
        (MemoryError(), 1, "There is not enough memory"),
        (DamagedFileError("checkpoint.json is damaged"), 2, "nmt-keras: checkpoint.json is damaged\n"),
    ],
)
def test_what_the_system_refuses_is_told_in_one_message(
    error: Exception, code: int, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(options: object) -> None:
        raise error

    monkeypatch.setitem(cli._COMMANDS, "train", replace(cli._COMMANDS["train"], run=fail))
    assert main(["train"]) == code
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_the_second_of_two_trainings_in_one_directory_opens_no_run(
    digit_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    train_in = experiment.train_in
    arguments = ["train", "--corpus", str(digit_files), "--output", "model", *TRAIN, "--training.epochs", "1"]

    def train_twice(*given: Any) -> Any:
        monkeypatch.setattr(experiment, "train_in", train_in)
        opened = Path("model/mlflow_run.json").read_bytes()
        assert main(arguments) == 2
        assert "nothing is trained at present. Received: model, where another process trains" in capsys.readouterr().err
        assert Path("model/mlflow_run.json").read_bytes() == opened
        return train_in(*given)

    monkeypatch.setattr(experiment, "train_in", train_twice)
    assert main(arguments) == 0
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.info.status == "FINISHED"
    assert json.loads(Path("model/mlflow_run.json").read_text())["run_id"] == run.info.run_id


def test_an_experiment_has_a_directory_of_its_own(
    digit_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["compare", "--corpus", str(digit_files), *TRAIN, "--architectures", "rnn,lstm", "--output", "run"]
    with locked_directory(Path("run")):
        assert main(arguments) == 2
    assert "nothing is trained at present. Received: run, where" in capsys.readouterr().err
    assert not Path("mlflow.db").exists()
    assert not list(Path("run").iterdir())
    assert len({new_directory("outputs/comparison") for _ in range(3)}) == 3


def test_a_report_is_there_before_anything_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def print_report() -> None:
        done.append("tables")
        raise BrokenPipeError

    monkeypatch.setattr(commands, "_run_from_options", lambda *_: (None, None))
    monkeypatch.setattr(commands, "_report", lambda *_: done.append("report") or print_report)
    assert main(["compare", "--architectures", "rnn,lstm"]) == 1
    assert done == ["report", "tables"]
