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
from saved_answers import all_answers

from nmt_keras.config import SearchConfig
from nmt_keras.models.directory import ModelDescription, save_description, save_weights

pytestmark = pytest.mark.heavy
TESTS = Path(__file__).parents[1]
TRAINED = {"tensorflow": "gru", "jax": "lstm-attention", "torch": "transformer"}
OTHER_BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in TRAINED
    if name != keras.backend.backend()
]
# Trains as `nmt-keras` does, and then prints the answers of saved models.
PROGRAM = """
import json, sys
from pathlib import Path
from nmt_keras.cli.main import main
saved, *command = sys.argv[1:]
if code := main(command):
    sys.exit(code)
from saved_answers import all_answers
print(json.dumps(all_answers(Path(saved))))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, contract_configs: Any, build: Any, tokenizer: Any) -> Path:
    """Models with drawn weights, saved by the backend of this process: a directory for each."""
    root = tmp_path_factory.mktemp("saved")
    for name, model_config in contract_configs.items():
        model = build(model_config, tokenizer.vocabulary_size, seed=21, gain=2.0)
        description = ModelDescription(
            architecture_of(model_config), model_config, "en", "fr", tokenizer.sha256, SearchConfig()
        )
        (root / name).mkdir()
        save_description(root / name, tokenizer, description)
        save_weights(root / name, model)
    return root


@pytest.fixture(scope="module")
def expected(saved: Path) -> dict[str, Any]:
    """The answers of the backend of this process."""
    return all_answers(saved)


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_it_trains_by_the_same_command_and_answers_alike(
    backend: str, saved: Path, expected: dict[str, Any], digit_files: Path
) -> None:
    command = [
        sys.executable, "-W", "ignore", "-c", PROGRAM, str(saved),
        "train", "--backend", backend, "--architecture", TRAINED[backend], "--preset", "debug",
        "--corpus", str(digit_files), "--source-language", "eng", "--target-language", "fra", "--output", "model",
        "--vocabulary.size", "300", "--training.epochs", "3", "--training.batch_tokens", "160",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]

    history = json.loads(Path("model/training.json").read_text())["history"]
    for figure in ("train_loss", "valid_loss"):  # the latter is of the moving average
        first, second, third = (entry[figure] for entry in history)
        assert first > second > third
        assert third < 0.98 * first
    assert json.loads(Path("model/settings.json").read_text())["backend"] == backend

    answers = json.loads(done.stdout.splitlines()[-1])
    assert answers.keys() == expected.keys()
    for name, own in expected.items():
        assert np.std(own["logits"]) > 0.3, name
        np.testing.assert_allclose(answers[name]["logits"], own["logits"], atol=1e-4, err_msg=name)
        assert answers[name]["translations"] == own["translations"], name
    translated = [own["translations"] for own in expected.values() if own["translations"]]
    assert len(translated) > 3
    assert all(len(set(translations)) > 2 for translations in translated)
