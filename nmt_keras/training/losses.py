"""Cross-entropy per token, smoothed for training and plain for reading."""

from typing import Any

import keras
from keras import ops

from nmt_keras.text.special_tokens import PAD_ID

Tensor = Any


def token_cross_entropy(labels: Tensor, logits: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy with the target (1 - e) one_hot(y) + e / V, without a (B, T, V) log-softmax.

    loss = logsumexp(z) - sum_v z_v ((1 - e) [v = y] + e / V)

    Args:
        labels: y, (B, T) int32.
        logits: z, (B, T, V) float of any precision.
        label_smoothing: e, at least 0 and below 1.

    Returns:
        (B, T) float32, in nats.

    Reference: Szegedy et al. 2016, section 7.
    """
    logits = ops.cast(logits, "float32")
    # A comparison instead of a gather: its gradient is no scatter, and one pass over the logits takes both terms.
    is_label = labels[..., None] == ops.arange(logits.shape[-1], dtype=labels.dtype)
    share = label_smoothing / logits.shape[-1]
    expected = ops.sum(ops.where(is_label, 1.0 - label_smoothing + share, share) * logits, axis=-1)
    return ops.logsumexp(logits, axis=-1) - expected


class LabelSmoothedCrossEntropy(keras.losses.Loss):
    """The sum over tokens of weight * smoothed cross-entropy; the weights carry the normalisation."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__(name="label_smoothed_cross_entropy", reduction="sum")
        self.label_smoothing = label_smoothing

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Labels (B, T), logits (B, T, V) -> (B, T)."""
        return token_cross_entropy(ops.cast(y_true, "int32"), y_pred, self.label_smoothing)


class TokenLoss(keras.metrics.Metric):
    """Mean cross-entropy of the real tokens seen so far, without smoothing, in nats."""

    def __init__(self, name: str = "token_loss") -> None:
        super().__init__(name=name)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        labels = ops.cast(y_true, "int32")
        real = ops.cast(labels != PAD_ID, self.dtype)
        self.total.assign_add(ops.sum(token_cross_entropy(labels, y_pred) * real))
        self.count.assign_add(ops.sum(real))

    def result(self) -> Tensor:
        return self.total / ops.maximum(self.count, 1.0)
