from typing import Any

import pytest

from nmt_keras.config import SearchConfig, TrainingConfig, TransformerConfig, VocabularyConfig
from nmt_keras.training.settings import TrainingSettings


@pytest.fixture(scope="session")
def settings() -> TrainingSettings:
    """A training of some seconds: 4 epochs on the digits."""
    return TrainingSettings(
        "transformer",
        TransformerConfig(1, 1, model_dim=16, num_heads=2, feed_forward_dim=32, dropout_rate=0.2),
        VocabularyConfig(330),
        TrainingConfig(
            epochs=4,
            batch_tokens=160,
            batch_shapes=2,
            max_length=20,
            learning_rate=0.01,
            warmup_steps=10,
            average_decay=0.8,
            jit_compile=False,
        ),
        SearchConfig(beam_size=2, max_length_ratio=0.5, extra_length=2),  # validation must keep to it, too
        seed=7,
    )


@pytest.fixture
def silent() -> Any:
    """Takes figures and forgets them."""
    return lambda figures, step: None
