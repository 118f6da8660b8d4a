from types import SimpleNamespace
from typing import Any

import pytest

from nmt_keras.analysis import throughput
from nmt_keras.analysis.throughput import step_times
from nmt_keras.text.special_tokens import BOS_ID


def test_batches_of_all_lengths_hold_as_many_tokens(build, contract_configs) -> None:
    times = step_times(build(contract_configs["gru"], 50), 50, (4, 8, 32), 64, repeats=1)
    assert [(time.length, time.rows) for time in times] == [(4, 16), (8, 8), (32, 2)]
    assert all(time.training_ms > 0 and time.encoding_ms > 0 for time in times)


def test_the_fastest_of_the_later_times_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that only the model advances: a second a token to train, half of that to encode, more later."""

    class Model:
        def __init__(self) -> None:
            self.now = 0.0
            self.trained, self.encoded = 0, 0

        def compile(self, **_: Any) -> None: ...

        def train_on_batch(self, inputs: Any, labels: Any, weights: Any) -> float:
            assert (inputs["target_in_ids"][:, 0] == BOS_ID).all()
            assert (inputs["target_in_ids"][:, 1:] == labels[:, :-1]).all()
            assert weights.sum() == pytest.approx(1)
            self.trained += 1
            self.now += labels.shape[1] + self.trained // 7  # from the fourth round on
            return 0.0

        def encode(self, ids: Any) -> int:
            self.encoded += 1
            self.now += 0 if self.encoded <= 4 else ids.shape[1] / 2  # the first two rounds compile
            return 0

    model: Any = Model()
    monkeypatch.setattr(throughput, "compile_inference", lambda model, function, number: function)
    monkeypatch.setattr(throughput, "time", SimpleNamespace(perf_counter=lambda: model.now))
    times = step_times(model, 50, (4, 8), 64, repeats=3)
    assert [(time.training_ms, time.encoding_ms) for time in times] == [(4000, 2000), (8000, 4000)]
