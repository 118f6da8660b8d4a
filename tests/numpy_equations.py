"""Equations in float64 NumPy, for one sentence and one step at a time: what tests hold the layers against."""

from typing import Any

import numpy as np


def weights(layer: Any) -> list[np.ndarray]:
    """The weights of a layer, as float64."""
    return [weight.numpy().astype("float64") for weight in layer.weights]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def recurrent_step(layer: Any, cell: str, x: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
    """x_t (d,) and the state [h] or [h, c], each (H,) -> the new state, with the weights of a Keras layer.

    tanh RNN  h' = tanh(W x + U h + b)
    LSTM      c' = f c + i tanh(a_c), h' = o tanh(c'); i, f, o = sigma(a_i), sigma(a_f), sigma(a_o); a = W x + U h + b
    GRU       h' = z h + (1 - z) g; z, r = sigma(a_z), sigma(a_r);
              g = tanh(W x + b + r (U h + b_r)), its bias of two rows, or g = tanh(W x + U (r h) + b), its bias of one
    """
    w, u, b = weights(layer)
    h = state[0]
    if cell == "rnn":
        return [np.tanh(x @ w + h @ u + b)]
    if cell == "lstm":
        a_i, a_f, a_c, a_o = np.split(x @ w + h @ u + b, 4)
        c = sigmoid(a_f) * state[1] + sigmoid(a_i) * np.tanh(a_c)
        return [sigmoid(a_o) * np.tanh(c), c]
    (w_z, w_r, w_g), (u_z, u_r, u_g) = np.split(w, 3, axis=1), np.split(u, 3, axis=1)
    if b.ndim == 2:
        (b_z, b_r, b_g), (d_z, d_r, d_g) = np.split(b[0], 3), np.split(b[1], 3)
        z, r = sigmoid(x @ w_z + h @ u_z + b_z + d_z), sigmoid(x @ w_r + h @ u_r + b_r + d_r)
        g = np.tanh(x @ w_g + b_g + r * (h @ u_g + d_g))
    else:
        b_z, b_r, b_g = np.split(b, 3)
        z, r = sigmoid(x @ w_z + h @ u_z + b_z), sigmoid(x @ w_r + h @ u_r + b_r)
        g = np.tanh(x @ w_g + (r * h) @ u_g + b_g)
    return [z * h + (1 - z) * g]


def attention_weights(attention: str, layer: Any, query: np.ndarray, encoded: np.ndarray) -> np.ndarray:
    """Decoder state s (H,) and encoder outputs h_i (S, H) -> a (S,), with the weights of an `AttentionScore`."""
    scores = np.zeros(len(encoded))
    for i, h in enumerate(encoded):
        match attention:
            case "dot":
                scores[i] = h @ query
            case "scaled_dot":
                scores[i] = h @ query / np.sqrt(len(query))
            case "general":
                (w_a,) = weights(layer.key_projection)
                scores[i] = h @ w_a @ query
            case "additive":
                (u_a,), (w_a,), (v,) = map(weights, (layer.key_projection, layer.query_projection, layer.score))
                scores[i] = (np.tanh(query @ w_a + h @ u_a) @ v).item()
    return softmax(scores)
