import keras
import numpy as np
import pytest

from nmt_keras.training.schedules import InverseSquareRoot


def test_the_formula() -> None:
    schedule = InverseSquareRoot(peak=0.004, warmup_steps=100)
    rates = [float(schedule(step)) for step in range(1000)]
    expected = [0.004 * min(step / 100, (100 / step) ** 0.5) for step in range(1, 1001)]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    assert np.argmax(rates) == 99
    assert rates[0] == pytest.approx(0.00004)  # never 0: the first update counts


def test_the_rate_of_the_original_transformer() -> None:
    model_dim, warmup = 512, 4000
    schedule = InverseSquareRoot((model_dim * warmup) ** -0.5, warmup)
    for step in (1, 777, 4000, 100_000):
        original = model_dim**-0.5 * min(step**-0.5, step * warmup**-1.5)
        assert float(schedule(step - 1)) == pytest.approx(original, rel=1e-5)


def test_an_optimizer_takes_it() -> None:
    optimizer = keras.optimizers.SGD(InverseSquareRoot(1.0, 4))
    weight = keras.Variable(np.zeros(1))
    path = []
    for _ in range(6):
        optimizer.apply([np.ones(1, "float32")], [weight])
        path.append(weight.numpy().item())
    np.testing.assert_allclose(-np.diff([0, *path]), [0.25, 0.5, 0.75, 1, 2 / 5**0.5, 2 / 6**0.5], rtol=1e-5)


def test_it_can_be_rebuilt() -> None:
    schedule = InverseSquareRoot.from_config(InverseSquareRoot(0.3, 7).get_config())
    assert float(schedule(6)) == pytest.approx(0.3)
