from types import SimpleNamespace
from typing import Any

import keras
import pytest
import tensorflow as tf

from nmt_keras.config import TrainingConfig
from nmt_keras.training.xla import choose_xla


@pytest.mark.parametrize(
    ("backend", "wanted", "gpu", "devices", "used", "reason"),
    [
        ("tensorflow", True, False, 1, True, "fuses"),
        ("tensorflow", False, False, 1, False, "jit_compile is false"),
        ("tensorflow", True, False, 2, False, "MirroredStrategy"),
        ("tensorflow", True, True, 1, False, "cuDNN"),
        ("jax", False, True, 2, True, "JAX"),
        ("torch", True, False, 1, False, "PyTorch"),
    ],
)
def test_xla_is_used_where_it_helps(
    backend: str, wanted: bool, gpu: bool, devices: int, used: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * gpu)
    model: Any = SimpleNamespace(has_cudnn_kernels=True)
    choice = choose_xla(model, TrainingConfig(jit_compile=wanted), devices)
    assert choice.used == used
    assert reason in choice.reason
