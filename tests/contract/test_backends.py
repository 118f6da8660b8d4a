"""A model is the same on every backend, wherever it was saved, and every backend trains by the same command."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from architecture_names import architecture_of
from saved_answers import saved_answers

from nmt_keras.config import SearchConfig
from nmt_keras.models.directory import ModelDescription, save_description, save_weights

TESTS = Path(__file__).parents[1]
OTHER_BACKENDS = pytest.mark.parametrize(
    "backend",
    [
        pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
        for name in ("tensorflow", "jax", "torch")
        if name != keras.backend.backend()
    ],
)


def python(*arguments: str, **environment: str) -> str:
    """Runs Python in a process of its own, and returns what it prints."""
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, contract_sizes: Any, build: Any, tokenizer: Any) -> Path:
    """Models with drawn weights, saved by the backend of this process: a directory for each."""
    root = tmp_path_factory.mktemp("saved")
    for name, sizes in contract_sizes.items():
        model = build(sizes, tokenizer.vocabulary_size, seed=21, gain=2.0)
        description = ModelDescription(architecture_of(sizes), sizes, "en", "fr", tokenizer.sha256, SearchConfig())
        (root / name).mkdir()
        save_description(root / name, tokenizer, description)
        save_weights(root / name, model)
    return root


@pytest.fixture(scope="module")
def expected(saved: Path) -> dict[str, Any]:
    """The answers of the backend of this process."""
    return {path.name: saved_answers(path) for path in saved.iterdir()}


@pytest.mark.heavy
@OTHER_BACKENDS
def test_a_saved_model_answers_the_same(backend: str, saved: Path, expected: dict[str, Any]) -> None:
    path = os.pathsep.join([str(TESTS), *sys.path])
    answers = json.loads(python("-m", "saved_answers", str(saved), KERAS_BACKEND=backend, PYTHONPATH=path))
    assert answers.keys() == expected.keys()
    for name, own in expected.items():
        assert np.std(own["logits"]) > 0.3, name
        np.testing.assert_allclose(answers[name]["logits"], own["logits"], atol=1e-4, err_msg=name)
        assert len(set(own["translations"])) > 2, name
        assert answers[name]["translations"] == own["translations"], name


@pytest.mark.heavy
@OTHER_BACKENDS
@pytest.mark.parametrize("architecture", ["lstm-attention", "transformer"])
def test_the_same_command_trains(backend: str, architecture: str, digit_files: Path) -> None:
    program = "import sys; from nmt_keras.cli import main; sys.exit(main())"
    python(
        "-c", program, "train", "--backend", backend, "--architecture", architecture, "--preset", "debug",
        "--corpus", str(digit_files), "--source-language", "eng", "--target-language", "fra", "--output", "model",
        "--vocabulary.size", "300", "--training.epochs", "3", "--training.batch_tokens", "512",
    )  # fmt: skip
    losses = [entry["train_loss"] for entry in json.loads(Path("model/training.json").read_text())["history"]]
    assert losses[0] > losses[1] > losses[2]
    assert json.loads(Path("model/settings.json").read_text())["backend"] == backend
