"""Architectures are compared at equal size."""

from importlib import resources

import pytest
import yaml

from nmt_keras.config import ARCHITECTURES
from nmt_keras.models.factory import build_model


@pytest.mark.parametrize("preset", ["quick", "tiny"])
def test_a_preset_s_architectures_have_equally_many_parameters(preset: str) -> None:
    sizes = yaml.safe_load(resources.files("nmt_keras").joinpath("presets", f"{preset}.yaml").read_text())
    counts = {
        name: build_model(architecture.configure(**sizes[name]), 50).count_params_outside_embeddings()
        for name, architecture in ARCHITECTURES.items()
    }
    assert max(counts.values()) < 1.15 * min(counts.values()), counts
