from dataclasses import replace

import pytest

from nmt_keras.errors import ConfigError
from nmt_keras.training.settings import TrainingSettings


def test_faults_are_reported_together(settings: TrainingSettings) -> None:
    with pytest.raises(
        ConfigError, match=r"(?s)seed must .* Received: seed=-1\..*max_minutes must .*: max_minutes=0\."
    ):
        replace(settings, seed=-1, max_minutes=0)
    with pytest.raises(ConfigError, match="seed must"):
        replace(settings, seed=2**32)
    assert replace(settings, seed=0, max_minutes=0.5).max_minutes == 0.5


@pytest.mark.parametrize(
    ("budget", "minutes", "tokens", "epochs"),
    [
        ("10min", 10.0, None, None),
        ("0.5min", 0.5, None, None),
        ("2M-tokens", None, 2_000_000, None),
        ("1.5k-tokens", None, 1_500, None),
        ("700-tokens", None, 700, None),
        ("20epochs", None, None, 20),
    ],
)
def test_a_budget_is_the_only_limit(
    settings: TrainingSettings, budget: str, minutes: float | None, tokens: int | None, epochs: int | None
) -> None:
    limited = replace(settings, max_minutes=3.0, training=replace(settings.training, epochs=3, max_tokens=5))
    within = limited.within(budget)
    assert (within.max_minutes, within.training.max_tokens) == (minutes, tokens)
    assert within.training.epochs == epochs or (epochs is None and within.training.epochs >= 1_000)
    assert replace(within.training, epochs=3, max_tokens=5) == limited.training


@pytest.mark.parametrize(
    "budget", ["", "10", "min", "-1min", "2.5epochs", "2m-tokens", "5hours", "nanmin", f"{'9' * 400}min"]
)
def test_other_budgets_are_refused(settings: TrainingSettings, budget: str) -> None:
    with pytest.raises(ConfigError, match=rf"--budget must be like .* Received: '{budget}'\."):
        settings.within(budget)


@pytest.mark.parametrize(
    "budget", ["0min", "0epochs", "0.2-tokens", "999999999999min", "999999999999epochs", "999999999999M-tokens"]
)
def test_budgets_out_of_range_are_refused(settings: TrainingSettings, budget: str) -> None:
    with pytest.raises(ConfigError, match=rf"^--budget {budget}: (max_minutes|epochs|max_tokens) must be from .* to "):
        settings.within(budget)


@pytest.mark.parametrize("minutes", [0.0, 1e9, float("inf"), float("nan")])
def test_minutes_are_bounded(settings: TrainingSettings, minutes: float) -> None:
    with pytest.raises(ConfigError, match=rf"max_minutes must be from 1e-09 to .* Received: max_minutes={minutes}\."):
        replace(settings, max_minutes=minutes)
