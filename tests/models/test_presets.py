"""Architectures are compared at equal size."""

import pytest

from nmt_keras.config import ARCHITECTURES, load_preset
from nmt_keras.models.factory import build_model


@pytest.mark.parametrize("preset", ["quick", "tiny"])
def test_a_preset_s_architectures_have_equally_many_parameters(preset: str) -> None:
    architectures = load_preset(preset).architectures
    assert architectures.keys() == ARCHITECTURES.keys()
    counts = {name: build_model(sizes, 50).count_params_outside_embeddings() for name, sizes in architectures.items()}
    assert max(counts.values()) < 1.15 * min(counts.values()), counts
