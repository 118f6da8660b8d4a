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
