from dataclasses import replace

import pytest

from nmt_keras.errors import ConfigError
from nmt_keras.training.settings import TrainingSettings


def test_faults_are_reported_together(settings: TrainingSettings) -> None:
    with pytest.raises(ConfigError, match=r"(?s)--seed must .* Received: -1\..*--max-minutes must .* Received: 0\."):
        replace(settings, seed=-1, max_minutes=0)
    with pytest.raises(ConfigError, match="--seed"):
        replace(settings, seed=2**32)
    assert replace(settings, seed=0, max_minutes=0.5).max_minutes == 0.5


def test_budgets(settings: TrainingSettings) -> None:
    assert settings.within("10min") == replace(settings, max_minutes=10.0)
    assert settings.within("0.5min") == replace(settings, max_minutes=0.5)
    assert settings.within("2M-tokens") == replace(settings, max_tokens=2_000_000)
    assert settings.within("1.5k-tokens") == replace(settings, max_tokens=1_500)
    assert settings.within("700-tokens") == replace(settings, max_tokens=700)
    assert settings.within("20epochs") == replace(settings, training=replace(settings.training, epochs=20))


@pytest.mark.parametrize("budget", ["", "10", "min", "0min", "-1min", "2.5epochs", "0epochs", "2m-tokens", "5hours"])
def test_other_budgets_are_refused(settings: TrainingSettings, budget: str) -> None:
    with pytest.raises(ConfigError, match=rf"--budget must be like .* Received: '{budget}'\."):
        settings.within(budget)
