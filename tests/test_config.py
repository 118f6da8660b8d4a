import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from functools import partial
from typing import Any, get_type_hints

import pytest

from nmt_keras.config import (
    RecurrentAttentionConfig,
    RecurrentConfig,
    SearchConfig,
    TrainingConfig,
    TransformerConfig,
    VocabularyConfig,
)
from nmt_keras.errors import ConfigError


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (VocabularyConfig, {"size": -5}),
        (VocabularyConfig, {"size": 0}),
        (VocabularyConfig, {"size": 260}),
        (VocabularyConfig, {"character_coverage": 1.01}),
        (VocabularyConfig, {"character_coverage": 0.97}),
        (TransformerConfig, {"num_decoder_layers": 0}),
        (TransformerConfig, {"num_heads": 0}),
        (TransformerConfig, {"model_dim": 126}),
        (TransformerConfig, {"model_dim": 15}),
        (TransformerConfig, {"dropout_rate": 1.0}),
        (TransformerConfig, {"dropout_rate": -0.1}),
        (TransformerConfig, {"dropout_rate": float("nan")}),
        (partial(RecurrentConfig, "gru"), {"hidden_dim": -1}),
        (partial(RecurrentConfig, "gru"), {"num_layers": 0}),
        (partial(RecurrentConfig, "rnn", encoder_direction="bidirectional"), {"hidden_dim": 7}),
        (partial(RecurrentAttentionConfig, "rnn", attention="additive"), {"input_feeding": True}),
        (TrainingConfig, {"label_smoothing": 1.0}),
        (TrainingConfig, {"ema_decay": 1.0}),
        (TrainingConfig, {"learning_rate": 0.0}),
        (TrainingConfig, {"learning_rate": float("nan")}),
        (TrainingConfig, {"batch_tokens": 99}),
        (SearchConfig, {"beam_size": 0}),
        (SearchConfig, {"extra_length": 0}),
        (SearchConfig, {"length_penalty": -0.5}),
        (SearchConfig, {"max_length_ratio": 0.0}),
    ],
)
def test_a_value_that_breaks_its_rule_is_named(config: type, wrong: dict[str, float]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigError, match=rf"{name} must be .* Received: {name}={value}\."):
        config(**wrong)


@pytest.mark.parametrize(
    ("config", "right"),
    [
        (VocabularyConfig, {"character_coverage": 0.98}),
        (TransformerConfig, {"dropout_rate": 0.0, "model_dim": 12, "num_heads": 3}),
        (TrainingConfig, {"label_smoothing": 0.0, "ema_decay": 0.0, "batch_tokens": 100}),
        (SearchConfig, {"beam_size": 1, "length_penalty": 0.0, "extra_length": 1}),
    ],
)
def test_the_ends_of_a_range_are_allowed(config: type, right: dict[str, float]) -> None:
    for name, value in right.items():
        assert getattr(config(**right), name) == value


NUMBERS = [
    (config, name, kind)
    for config in (VocabularyConfig, TransformerConfig, RecurrentAttentionConfig, TrainingConfig, SearchConfig)
    for name, kind in get_type_hints(config).items()
    if kind in (int, float, int | None)
]


@pytest.mark.parametrize(("config", "name", "kind"), NUMBERS)
def test_every_number_has_bounds(config: type, name: str, kind: Any) -> None:
    make = partial(config, "gru") if config is RecurrentAttentionConfig else config
    wrong = (-1.0, 1e31, 1e300, math.inf, -math.inf, math.nan) if kind is float else (-1, 0, 10**18, 10**400)
    for value in wrong:
        with pytest.raises(
            ConfigError, match=rf"(?m)^{name} must be from [\d.,e+-]+ to [\d.,e+-]+\. Received: {name}="
        ):
            make(**{name: value})


def test_all_faults_of_one_rule_are_reported_together() -> None:
    with pytest.raises(ConfigError) as error:
        TransformerConfig(num_encoder_layers=0, num_decoder_layers=-2)
    assert "num_encoder_layers=0" in str(error.value)
    assert "num_decoder_layers=-2" in str(error.value)


def test_faults_of_different_rules_are_reported_together() -> None:
    with pytest.raises(ConfigError) as error:
        TrainingConfig(epochs=0, label_smoothing=1.5, batch_tokens=20)
    for fault in ("epochs=0", "label_smoothing=1.5", "batch_tokens=20"):
        assert fault in str(error.value)


def test_settings_cannot_change() -> None:
    with pytest.raises(FrozenInstanceError):
        SearchConfig().beam_size = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: TransformerConfig(positions="xx"), "positions must be one of sinusoidal, learned, none"),
        (lambda: TransformerConfig(model_dim=64.0), "model_dim must be a whole number. Received: model_dim=64.0."),
        (lambda: TransformerConfig(pre_norm=1), "pre_norm must be true or false. Received: pre_norm=1."),
        (lambda: TransformerConfig(num_heads=True), "num_heads must be a whole number. Received: num_heads=True."),
        (lambda: SearchConfig(batch_size="8"), "batch_size must be a whole number. Received: batch_size='8'."),
        (lambda: SearchConfig(length_penalty=None), "length_penalty must be a number. Received: length_penalty=None."),
        (lambda: TrainingConfig(max_tokens="5"), "max_tokens must be a whole number. Received: max_tokens='5'."),
    ],
)
def test_a_value_of_another_type_is_a_fault(make: Callable[[], Any], fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        make()
    assert fault in str(error.value)
    assert TrainingConfig(max_tokens=None, learning_rate=1).learning_rate == 1
