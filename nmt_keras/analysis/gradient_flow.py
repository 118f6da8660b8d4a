"""How much of the loss's gradient reaches each encoder state, by its distance to the last position read."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nmt_keras.analysis.backend import require_tensorflow
from nmt_keras.data.batching import BatchShape
from nmt_keras.data.dataset import TokenizedText
from nmt_keras.errors import ConfigError
from nmt_keras.layers.state_key import StateKey
from nmt_keras.models.base import TranslationModel
from nmt_keras.models.directory import LoadedModel
from nmt_keras.models.factory import build_model
from nmt_keras.text.special_tokens import PAD_ID
from nmt_keras.training.losses import token_cross_entropy

_MOST_SENTENCES = 256


@dataclass(frozen=True)
class GradientFlow:
    """The gradient at each encoder state of one model, averaged over sentences of one length.

    Args:
        loss: mean cross-entropy of a sentence's target tokens, in nats.
        norms: for each kind of state (S,) float: at index d, the mean Euclidean norm of the gradient of a sentence's
            loss with respect to the state at distance d.
    """

    loss: float
    norms: dict[StateKey, np.ndarray]

    def as_json(self) -> dict[str, Any]:
        """What `nmt-keras gradient-flow --output FILE.json` holds of it."""
        states = [state._asdict() | {"norm_by_distance": norms.tolist()} for state, norms in self.norms.items()]
        return {"loss": self.loss, "states": states}


def sentences_of_length(text: TokenizedText, length: int | None) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The first pairs whose source has one length, so that a distance means the same in each of them.

    Args:
        text: at least one pair.
        length: S, source tokens, EOS included; None for the one that most sources have.

    Returns:
        {"source_ids" (B, S), "target_in_ids" (B, T)} and target_out_ids (B, T), int32.

    Raises:
        ConfigError: no source has that length.
    """
    lengths = np.array([len(ids) for ids in text.source_ids])
    if length is None:
        length = int(np.bincount(lengths).argmax())
    members = np.flatnonzero(lengths == length)[:_MOST_SENTENCES]
    if not members.size:
        raise ConfigError(
            f"--length must be the number of tokens of some source, EOS included: from {lengths.min()} to "
            f"{lengths.max()}, not all of them. Received: --length {length}."
        )
    inputs, target_out_ids, _ = text.batch(BatchShape(len(members), int(text.lengths[members].max())), members)
    return inputs | {"source_ids": inputs["source_ids"][:, :length]}, target_out_ids


def untrained(loaded: LoadedModel, seed: int) -> TranslationModel:
    """A model of the same sizes, as it is before training."""
    keras.utils.set_random_seed(seed)
    return build_model(loaded.description.model_config, loaded.tokenizer.vocabulary_size)


def gradient_flow(model: TranslationModel, inputs: dict[str, np.ndarray], target_out_ids: np.ndarray) -> GradientFlow:
    """The norms of `state_gradients`, by distance.

    The distance of a state is the number of positions from its own to the last one read: S - 1 - t at source position
    t. A recurrence that goes backward reads position 0 last, so there it is t.

    Args:
        model: any architecture.
        inputs: as `sentences_of_length` gives them.
        target_out_ids: as `sentences_of_length` gives them.
    """
    losses, gradients = state_gradients(model, inputs, target_out_ids)
    norms = {state: np.linalg.norm(g, axis=-1).mean(axis=0)[::-1] for state, g in gradients.items()}
    return GradientFlow(float(losses.mean()), norms)


def state_gradients(
    model: TranslationModel, inputs: dict[str, np.ndarray], target_out_ids: np.ndarray
) -> tuple[np.ndarray, dict[StateKey, np.ndarray]]:
    """Each sentence's loss, and its gradient with respect to the encoder states of the same sentence.

    d loss / d h_t is the total derivative: through the later states that h_t leads to and, with attention, through
    what is read of h_t itself. The loss of a sentence is the mean cross-entropy of its target tokens.

    Args:
        model: any architecture.
        inputs: {"source_ids" (B, S), "target_in_ids" (B, T)} int32, the sources without padding.
        target_out_ids: (B, T) int32, PAD after the end.

    Returns:
        Losses (B,) in nats; and for each kind of state that `on_state` is called with, gradients (B, S, d) in the
        order of reading.

    Raises:
        ConfigError: the backend is not TensorFlow, whose tape takes the gradients.

    Reference: Bengio et al. 1994; Pascanu et al. 2013, "On the difficulty of training recurrent neural networks".
    """
    require_tensorflow("A gradient with respect to encoder states")
    import tensorflow as tf

    real = (target_out_ids != PAD_ID).astype("float32")
    states: dict[StateKey, list[Any]] = {}
    with tf.GradientTape() as tape:
        memory = model.encode(
            inputs["source_ids"],
            training=False,
            on_state=lambda state, value: states.setdefault(state, []).append(value),
        )
        logits = model.decode(inputs["target_in_ids"], memory, training=False)
        losses = tf.reduce_sum(token_cross_entropy(target_out_ids, logits) * (real / real.sum(1, keepdims=True)), 1)
    gradients = tape.gradient(losses, states, unconnected_gradients="zero")
    # One tensor (B, S, d), or S of them (B, d).
    return losses.numpy(), {
        state: np.concatenate([np.reshape(g, (len(real), -1, g.shape[-1])) for g in of_steps], axis=1)
        for state, of_steps in gradients.items()
    }
