"""A user's keras.json may name another precision; the project computes in its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from nmt_keras.cli.main import main
options = ["--preset", "debug", "--training.epochs", "1", "--vocabulary.size", "300", "--training.batch_tokens", "500"]
languages = ["--source-language", "eng", "--target-language", "fra"]
assert main(["train", "--corpus", sys.argv[1], "--architecture", "lstm-attention", *options, *languages]) == 0
"""


def losses(corpus: Path, directory: Path, floatx: str) -> list[dict[str, float]]:
    """The figures of a training with that precision in keras.json, times left out."""
    (directory / "keras").mkdir(parents=True)
    settings = {"floatx": floatx, "epsilon": 1e-7, "backend": "tensorflow", "image_data_format": "channels_last"}
    (directory / "keras" / "keras.json").write_text(json.dumps(settings))
    environment = os.environ | {"KERAS_HOME": str(directory / "keras"), "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", PROGRAM, str(corpus)], check=True, cwd=directory, env=environment)
    (summary,) = directory.glob("outputs/*/training.json")
    history: list[dict[str, float]] = json.loads(summary.read_text())["history"]
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in history]


@pytest.mark.heavy
@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_the_precision_of_keras_json_changes_nothing(floatx: str, digit_files: Path, tmp_path: Path) -> None:
    expected = losses(digit_files, tmp_path / "expected", "float32")
    assert losses(digit_files, tmp_path / floatx, floatx) == expected
    assert expected[-1]["valid_loss"] > 0
