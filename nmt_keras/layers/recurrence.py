"""One recurrence over a sequence: Keras' layers, with the products of all inputs taken out of the loop.

tanh RNN: h_t = tanh(W x_t + U h_{t-1} + b)
LSTM:     i, f, o = sigma(W x_t + U h_{t-1} + b);  c_t = f c_{t-1} + i tanh(W_c x_t + U_c h_{t-1} + b_c);
          h_t = o tanh(c_t)                                          (Hochreiter and Schmidhuber 1997; Gers et al. 2000)
GRU:      z, r = sigma(W x_t + U h_{t-1} + b);  h_t = z h_{t-1} + (1 - z) g, where the candidate is
          g = tanh(W_g x_t + b_g + r (U_g h_{t-1} + b_r)) with `reset_after`, the form of the fused kernels, and
          g = tanh(W_g x_t + U_g (r h_{t-1}) + b_g) without          (Cho et al. 2014)

Where cuDNN applies, Keras' layers call it. Elsewhere they step through their cell, and each step multiplies its input
by W; here one product over all steps does, and the loop is left with U h_{t-1}.
"""

from typing import Any

import keras
from keras import ops

from nmt_keras.config import RecurrentConfig

Tensor = Any
States = list[Tensor]


class _Loop(keras.layers.RNN):
    """A recurrent layer whose loop gets W x_t + b of all steps, computed at once.

    Keras' SimpleRNN, LSTM and GRU call `inner_loop` of what stands behind them: by inheritance, of this class.
    """

    def inner_loop(self, sequences: Tensor, initial_state: Any, mask: Tensor | None, training: bool = False) -> Any:
        """Inputs (B, T, d) and first states -> last output (B, H), outputs (B, T, H) and last states."""
        loop = keras.layers.RNN(_Step(self), return_sequences=True, return_state=True, dtype=self.dtype_policy)
        outputs, *states = loop(self.project(sequences), initial_state=initial_state, mask=mask)
        return states[0], outputs, states

    def project(self, x: Tensor) -> Tensor:
        """What the inputs alone give, of all gates: (B, T, d) -> (B, T, gates * H)."""
        return ops.matmul(x, self.cell.kernel) + self.cell.bias

    def advance(self, projected: Tensor, states: States) -> States:
        """One step: `project` of its input (B, gates * H) and the states (B, H) -> the new states."""
        raise NotImplementedError


class _Step:
    """The cell of a loop over inputs that are projected already."""

    def __init__(self, layer: _Loop) -> None:
        self.layer = layer
        self.state_size = layer.cell.state_size
        self.compute_dtype = layer.cell.compute_dtype

    def call(self, projected: Tensor, states: States) -> tuple[Tensor, States]:
        new_states = self.layer.advance(projected, states)
        return new_states[0], new_states

    __call__ = call


class TanhRNN(keras.layers.SimpleRNN, _Loop):
    """keras.layers.SimpleRNN."""

    def advance(self, projected: Tensor, states: States) -> States:
        return [ops.tanh(projected + ops.matmul(states[0], self.cell.recurrent_kernel))]


class LSTM(keras.layers.LSTM, _Loop):
    """keras.layers.LSTM."""

    def advance(self, projected: Tensor, states: States) -> States:
        h, c = states
        i, f, g, o = ops.split(projected + ops.matmul(h, self.cell.recurrent_kernel), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return [ops.sigmoid(o) * ops.tanh(c), c]


class GRU(keras.layers.GRU, _Loop):
    """keras.layers.GRU, with the reset gate after or before the product."""

    def project(self, x: Tensor) -> Tensor:
        bias = self.cell.bias[0] if self.reset_after else self.cell.bias  # with it, a second row is of U_g h + b_r
        return ops.matmul(x, self.cell.kernel) + bias

    def advance(self, projected: Tensor, states: States) -> States:
        (h,), units = states, self.units
        kernel = self.cell.recurrent_kernel
        if self.reset_after:
            recurrent = ops.matmul(h, kernel) + self.cell.bias[1]
        else:
            recurrent = ops.matmul(h, kernel[:, : 2 * units])
        z, r = ops.split(ops.sigmoid(projected[:, : 2 * units] + recurrent[:, : 2 * units]), 2, axis=-1)
        if self.reset_after:
            candidate = r * recurrent[:, 2 * units :]
        else:
            candidate = ops.matmul(r * h, kernel[:, 2 * units :])
        return [z * h + (1 - z) * ops.tanh(projected[:, 2 * units :] + candidate)]


def recurrent_layer(config: RecurrentConfig, units: int, name: str) -> keras.layers.Layer:
    """One recurrence over whole sequences; its `cell` does one step."""
    options = {"return_sequences": True, "return_state": True, "name": name}
    if config.cell != "rnn" and keras.config.dtype_policy().compute_dtype != "float32":
        options["use_cudnn"] = False  # JAX calls it for float32 alone
    match config.cell:
        case "rnn":
            return TanhRNN(units, **options)
        case "lstm":
            return LSTM(units, **options)
        case "gru":
            return GRU(units, reset_after=config.reset_after, **options)


def cudnn_applies(config: RecurrentConfig, masked: bool, dtype: str) -> bool:
    """Whether Keras calls cuDNN for this recurrence on a GPU, with the backend in use; in float32 alone.

    With TensorFlow always for an LSTM and for a GRU that resets after the product, with PyTorch where there is no mask,
    with JAX where there is none and for the LSTM alone.

    Args:
        config: the cell.
        masked: whether the layer is called with a mask.
        dtype: what it computes in.
    """
    fused = dtype == "float32" and (config.cell == "lstm" or (config.cell == "gru" and config.reset_after))
    match keras.backend.backend():
        case "torch":
            return fused and not masked
        case "jax":
            return fused and not masked and config.cell == "lstm"
    return fused
