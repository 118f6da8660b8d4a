"""Learning rates over the steps of a training."""

from typing import Any

import keras
from keras import ops

Tensor = Any


class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to a peak, then decay with 1/sqrt(step).

    rate(step) = peak * min(step / warmup, sqrt(warmup / step)), steps counted from 1

    Args:
        peak: the highest rate, reached at step `warmup_steps`. Vaswani et al. use (model_dim * warmup)^-0.5.
        warmup_steps: steps of warm-up.

    Reference: Vaswani et al. 2017, section 5.3.
    """

    def __init__(self, peak: float, warmup_steps: int) -> None:
        self.peak = peak
        self.warmup_steps = warmup_steps

    def __call__(self, step: Tensor) -> Tensor:
        step = ops.cast(step, "float32") + 1.0
        return self.peak * ops.minimum(step / self.warmup_steps, ops.sqrt(self.warmup_steps / step))

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup_steps": self.warmup_steps}
