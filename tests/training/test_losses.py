import keras
import numpy as np
import pytest
from keras import ops

from nmt_keras.text.special_tokens import PAD_ID
from nmt_keras.training.losses import LabelSmoothedCrossEntropy, TokenLoss, token_cross_entropy

V = 11
random = np.random.default_rng(0)
LOGITS = (random.normal(size=(3, 4, V)) * 3).astype("float32")
LABELS = np.array([[4, 10, 3, PAD_ID], [9, 3, PAD_ID, PAD_ID], [5, 6, 7, 3]], "int32")
WEIGHTS = ((LABELS != PAD_ID) / (LABELS != PAD_ID).sum()).astype("float32")


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype("float64")
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def cross_entropy(labels: np.ndarray, logits: np.ndarray, smoothing: float) -> np.ndarray:
    """-sum_v q(v) log p(v) with q = (1 - e) one_hot(y) + e / V, written out."""
    log_probs = log_softmax(logits)
    losses = np.zeros(labels.shape)
    for place in np.ndindex(labels.shape):
        for token in range(V):
            share = smoothing / V + (1 - smoothing if token == labels[place] else 0)
            losses[place] -= share * log_probs[place][token]
    return losses


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy(smoothing: float) -> None:
    losses = ops.convert_to_numpy(
        token_cross_entropy(ops.convert_to_tensor(LABELS), ops.convert_to_tensor(LOGITS), smoothing)
    )
    np.testing.assert_allclose(losses, cross_entropy(LABELS, LOGITS, smoothing), rtol=1e-5)
    reference = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction="none")
    np.testing.assert_allclose(losses, ops.convert_to_numpy(reference(np.eye(V)[LABELS], LOGITS)), rtol=1e-5)


def test_cross_entropy_of_huge_logits_is_finite() -> None:
    losses = token_cross_entropy(ops.convert_to_tensor(LABELS), ops.convert_to_tensor(LOGITS * 1e4), 0.1)
    assert np.isfinite(ops.convert_to_numpy(losses)).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_over_real_tokens(smoothing: float) -> None:
    loss = LabelSmoothedCrossEntropy(smoothing)(LABELS, LOGITS, sample_weight=WEIGHTS)
    expected = cross_entropy(LABELS, LOGITS, smoothing)[LABELS != PAD_ID].mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_token_loss_is_the_mean_over_all_batches() -> None:
    metric = TokenLoss()
    batches = [(LABELS, LOGITS), (LABELS[:1, :2], -LOGITS[:1, :2]), (np.full((2, 4), PAD_ID), LOGITS[:2])]
    losses = []
    for labels, logits in batches:
        metric.update_state(labels, logits, sample_weight=np.full(labels.shape, 7.0))
        losses += cross_entropy(labels, logits, 0.0)[labels != PAD_ID].tolist()
    assert float(metric.result()) == pytest.approx(np.mean(losses), rel=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0
