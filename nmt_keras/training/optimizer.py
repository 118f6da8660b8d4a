"""Adam on the gradient of the whole batch, with an average of the weights that soon forgets the first ones."""

from collections.abc import Sequence
from typing import Any

import keras

Tensor = Any


class WholeBatchAdam(keras.optimizers.Adam):
    """Adam (Kingma and Ba 2015) that clips the gradient only after it is summed.

    With TensorFlow, Keras' own Adam clips before the devices' gradients are summed, and takes the norm of an
    embedding's gradient before the occurrences of a token are.

    The decay of the average of the weights is min(ema_momentum, n / (n + 9)) after n updates. With Keras' constant
    decay of 0.9999, two thirds of the average would still be the initial weights after 4,000 updates.

    Args: as `keras.optimizers.Adam`.
    """

    def apply(self, grads: Sequence[Tensor], trainable_variables: Sequence[Tensor] | None = None) -> None:
        if keras.backend.backend() == "tensorflow":
            grads = self._summed(grads)
        super().apply(grads, trainable_variables)

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None:
        done = keras.ops.cast(self.iterations, "float32")  # before this update
        decay = keras.ops.minimum(self.ema_momentum, done / (done + 9.0))
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            average.assign(decay * average + (1.0 - decay) * variable)

    def _summed(self, grads: Sequence[Tensor]) -> Sequence[Tensor]:
        import tensorflow as tf

        grads = [tf.convert_to_tensor(grad) for grad in grads]  # sums the slices of an embedding's gradient
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return grads
        grads = replica.all_reduce(tf.distribute.ReduceOp.SUM, grads)
        if self.global_clipnorm is not None:
            grads, _ = tf.clip_by_global_norm(grads, self.global_clipnorm)
        return [grad / replica.num_replicas_in_sync for grad in grads]  # Keras sums over the devices once more
