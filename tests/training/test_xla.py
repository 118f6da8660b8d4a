from types import SimpleNamespace
from typing import Any

import keras
import pytest

from nmt_keras.config import TrainingConfig
from nmt_keras.training.xla import choose_xla


@pytest.mark.parametrize(
    ("backend", "wanted", "gains", "devices", "used", "reason"),
    [
        ("tensorflow", True, True, 1, True, "faster"),
        ("tensorflow", False, True, 1, False, "jit_compile is false"),
        ("tensorflow", True, True, 2, False, "MirroredStrategy"),
        ("tensorflow", True, False, 1, False, "loops over time"),
        ("jax", False, False, 2, True, "JAX"),
        ("torch", True, True, 1, False, "PyTorch"),
    ],
)
def test_xla_is_used_where_it_helps(
    backend: str, wanted: bool, gains: bool, devices: int, used: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    model: Any = SimpleNamespace(gains_from_xla=gains)
    choice = choose_xla(model, TrainingConfig(jit_compile=wanted), devices)
    assert choice.used == used
    assert reason in choice.reason
