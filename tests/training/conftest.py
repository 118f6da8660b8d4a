from typing import Any

import keras
import pytest

from nmt_keras.config import SearchConfig, TrainingConfig, TransformerConfig, VocabularyConfig
from nmt_keras.training import trainer
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
            ema_decay=0.8,
            jit_compile=False,
        ),
        SearchConfig(beam_size=2, max_length_ratio=0.5, extra_length=2),  # validation must keep to it, too
        seed=7,
    )


@pytest.fixture
def silent() -> Any:
    """Takes figures and forgets them."""
    return lambda figures, step: None


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training step that is not traced, which takes longer than some updates."""
    compile_model = trainer._compile

    def without_a_graph(model: keras.Model, *arguments: Any) -> None:
        compile_model(model, *arguments)
        model.run_eagerly = True

    monkeypatch.setattr(trainer, "_compile", without_a_graph)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validations that find the same each time."""
    monkeypatch.setattr(trainer, "_measure", lambda *_: lambda: {"valid_bleu": 1.0, "valid_loss": 2.0})
