"""Several devices share each batch, and learn what one device learns."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nmt_keras.errors import ConfigError
from nmt_keras.training.distribution import distribute

# Gradients are always cut: that must happen to their sum, not on each device.
PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
import keras
import numpy as np
from nmt_keras.config import TrainingConfig, TransformerConfig, VocabularyConfig
from nmt_keras.data.parallel_text import Corpus, ParallelText
from nmt_keras.models.directory import load_model
from nmt_keras.training import trainer
from nmt_keras.training.callbacks import ReproducibleEpochs
from nmt_keras.training.settings import TrainingSettings

# The same rows in each batch, whatever the number of devices.
batches, loss_log = trainer.TrainingBatches, trainer.LogTrainingLoss
trainer.TrainingBatches = lambda *arguments: batches(*arguments[:4], num_devices=2)
trainer.LogTrainingLoss = lambda *arguments: loss_log(*arguments, every=1)
text = json.loads(Path(sys.argv[1]).read_text())
corpus = Corpus("digits", "en", "fr", {name: ParallelText(*sides) for name, sides in text.items()})
settings = TrainingSettings(
    "transformer",
    TransformerConfig(1, 1, 16, 2, 32, dropout_rate=0.0, inner_dropout_rate=0.0),
    VocabularyConfig(330),
    TrainingConfig(
        epochs=2, batch_tokens=160, batch_shapes=2, max_length=20, learning_rate=0.01, warmup_steps=10,
        ema_decay=0.5, clip_norm=0.1, jit_compile=False,
    ),
)
masks = []
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    scope, _ = trainer.distribute("2")
    with scope():
        dropout = keras.Sequential([keras.layers.Dropout(0.5)])
        dropout.build((None, 64))
        order = ReproducibleEpochs(SimpleNamespace())
        order.set_model(dropout)
        for epoch in (1, 1, 2):
            order.on_epoch_begin(epoch)
            of_each = tf.distribute.get_strategy().run(tf.function(lambda: dropout(tf.ones((1, 64)), training=True)))
            masks.append([mask.numpy().tolist() for mask in of_each.values])
shares = set()
if keras.backend.backend() == "jax":
    from keras.src.backend.jax import distribution_lib

    distribute_data_input = distribution_lib.distribute_data_input

    def watched(*arguments, **options):
        data = distribute_data_input(*arguments, **options)
        shares.add(data.shape[0] // data.addressable_shards[0].data.shape[0])
        return data

    distribution_lib.distribute_data_input = watched
found = []
for devices in ("2", "1"):  # TensorFlow must know how many it has from the beginning
    shares.clear()
    summary = trainer.train(corpus, replace(settings, devices=devices), Path(devices), lambda figures, step: None)
    weights = [float(np.abs(weight).sum()) for weight in load_model(Path(devices)).model.get_weights()]
    of_training = {"history": summary.history, "losses": summary.losses, "weights": weights}
    found.append(of_training | {"shares": list(shares), "masks": masks})
print(json.dumps(found))
"""


def run(backend: str, text: Path) -> list[dict[str, Any]]:
    """What two devices learn, and what one does."""
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(text)]
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"  # JAX's two
    environment = {"KERAS_BACKEND": backend, "XLA_FLAGS": flags}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.index("2 devices") < done.stderr.index("1 device\n")
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.heavy
@pytest.mark.parametrize(
    "backend",
    [
        pytest.param("tensorflow", marks=pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")),
        pytest.param("jax", marks=pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")),
    ],
)
def test_two_devices_learn_what_one_learns(backend: str, digits: Any, tmp_path: Path) -> None:
    text = tmp_path / "text.json"
    text.write_text(
        json.dumps({name: (list(split.sources), list(split.targets)) for name, split in digits.splits.items()})
    )
    two, one = run(backend, text)
    assert [entry["step"] for entry in one["history"]] == [entry["step"] for entry in two["history"]]
    rounding = 2e-5  # some forty units in the last place of a loss near 5 in float32, which are summed in another order
    for first, second in zip(one["history"], two["history"], strict=True):
        assert second["train_loss"] == pytest.approx(first["train_loss"], abs=rounding)
        assert second["valid_loss"] == pytest.approx(first["valid_loss"], abs=rounding)
    assert len(one["losses"]) > 2
    assert [row["train_loss"] for row in two["losses"]] == pytest.approx(
        [row["train_loss"] for row in one["losses"]], abs=rounding
    )
    assert two["weights"] == pytest.approx(one["weights"], rel=1e-4)
    if backend == "tensorflow":
        first, again, other = two["masks"]
        assert first[0] != first[1]  # of two devices
        assert again == first
        assert other[0] not in first
    if backend == "jax":
        assert (one["shares"], two["shares"]) == ([], [2])  # of each batch, one for each device


@pytest.mark.parametrize("devices", ["0", "-1", "two", "", "1.5"])
def test_no_number_of_devices(devices: str) -> None:
    with pytest.raises(ConfigError, match=f"--devices must be a number above 0, or all. Received: '{devices}'"):
        distribute(devices)


def test_more_devices_than_there_are() -> None:
    with pytest.raises(ConfigError, match=r"--devices must be at most \d+.* Received: 5000"):
        distribute("5000")


def test_one_device_needs_no_strategy() -> None:
    scope, num_devices = distribute("1")
    with scope():
        assert num_devices == 1
