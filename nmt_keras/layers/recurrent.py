"""Stacks of recurrent layers: the encoder reads whole sentences, the decoder also goes step by step.

`recurrence.py` has the recurrences of each layer. A state is a list: [h] for RNN and GRU, [h, c] for the LSTM, each
(B, H) float.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from nmt_keras.config import RecurrentConfig
from nmt_keras.layers.dropout import sequence_dropout
from nmt_keras.layers.masks import reverse_sequences
from nmt_keras.layers.recurrence import recurrent_layer
from nmt_keras.layers.state_key import StateKey

Tensor = Any
States = list[list[Tensor]]
StateHook = Callable[[StateKey, Tensor], None]


def unrolled(layer: keras.layers.Layer, x: Tensor, mask: Tensor, number: int, on_state: StateHook) -> list[Tensor]:
    """What `layer(x, mask=mask)` gives, step by step, with each state shown to `on_state`.

    The loop that Keras' layers run is closed to others: no gradient can be taken with respect to a state inside.

    Args:
        layer: as `recurrent_layer` makes it.
        x: (B, S, d) float, S known.
        mask: (B, S) bool, True at real tokens.
        number: index of the layer in its stack, counted from 0.
        on_state: takes the key and the value (B, H) of each state that a step computes.
    """
    states = layer.get_initial_state(ops.shape(x)[0])
    outputs = []
    for t in range(x.shape[1]):
        _, new_states = layer.cell(x[:, t], states, training=False)
        for part, state in zip("hC", new_states, strict=False):
            on_state(StateKey(number, layer.name, part), state)
        states = [ops.where(mask[:, t, None], new, old) for new, old in zip(new_states, states, strict=True)]
        outputs.append(states[0])
    return [ops.stack(outputs, axis=1), *states]  # (B, S, H), then (B, H) each


class EncoderLayer(keras.layers.Layer):
    """One layer of the encoder: a recurrence in each direction, and a bridge where there are two.

    Args:
        config: sizes and rates.
        number: of the layer in its stack, counted from 0.
    """

    def __init__(self, config: RecurrentConfig, number: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # Keras attaches masks to tensors, and warns where one gets lost
        self.number = number
        self.hidden_dim = config.hidden_dim
        names = {"bidirectional": ("forward", "backward")}.get(config.encoder_direction, (config.encoder_direction,))
        self.directions = [recurrent_layer(config, config.hidden_dim // len(names), name) for name in names]
        activations = ("tanh", "linear") if config.cell == "lstm" else ("tanh",)
        self.bridges = [
            keras.layers.Dense(config.hidden_dim, activation=activation, name="bridge")
            for activation in activations
            if len(names) > 1
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for layer in self.directions:
            layer.build(input_shape)
        for bridge in self.bridges:
            bridge.build((None, self.hidden_dim))

    def call(
        self, x: Tensor, mask: Tensor, training: bool | None = None, on_state: StateHook | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Inputs (B, S, d) and mask (B, S) bool -> outputs (B, S, H) and the last state."""
        outputs, last = [], []
        # cuDNN refuses a mask with a row of padding only, as the last batch of a shape has.
        steps = ops.concatenate([ops.ones_like(mask[:, :1]), mask[:, 1:]], axis=1)  # (B, S)
        for layer in self.directions:
            backward = layer.name == "backward"
            read = reverse_sequences(x, mask) if backward else x
            # Masked steps carry the state on.
            if on_state is None:
                output, *state = layer(read, mask=steps, training=training)
            else:
                output, *state = unrolled(layer, read, mask, self.number, on_state)
            outputs.append(reverse_sequences(output, mask) if backward else output)
            last.append(state)
        output = ops.concatenate(outputs, axis=-1)
        if not self.bridges:
            return output, last[0]
        both = [ops.concatenate(parts, axis=-1) for parts in zip(*last, strict=True)]
        return output, [bridge(part) for bridge, part in zip(self.bridges, both, strict=True)]


class RecurrentEncoder(keras.layers.Layer):
    """Reads the source forward, backward or both ways.

    A bidirectional layer has H / 2 units each way; a bridge makes the decoder's first states of its last ones:
    h = tanh(W [h_forward; h_backward] + b), and c the same without tanh.

    Args:
        config: sizes and rates.
    """

    def __init__(self, config: RecurrentConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.layers = [EncoderLayer(config, number, name=f"layer_{number}") for number in range(config.num_layers)]
        self.dropout = sequence_dropout(config.dropout_rate)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for number, layer in enumerate(self.layers):
            layer.build((None, None, self.config.hidden_dim) if number else input_shape)

    def call(
        self, x: Tensor, mask: Tensor, training: bool | None = None, on_state: StateHook | None = None
    ) -> tuple[Tensor, States]:
        """Embeddings (B, S, E) and mask (B, S) bool -> outputs (B, S, H) and the last state of each layer."""
        states: States = []
        for number, layer in enumerate(self.layers):
            output, state = layer(x, mask, training=training, on_state=on_state)
            output = self.dropout(output, training=training)
            x = x + output if self.config.residual and number else output
            states.append(state)
        return x, states


class RecurrentDecoder(keras.layers.Layer):
    """A stack of forward recurrent layers that starts from given states.

    Args:
        config: sizes and rates.
    """

    def __init__(self, config: RecurrentConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.layers = [recurrent_layer(config, config.hidden_dim, "forward") for _ in range(config.num_layers)]
        self.dropout = sequence_dropout(config.dropout_rate)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for number, layer in enumerate(self.layers):
            layer.build((None, None, self.config.hidden_dim) if number else input_shape)

    def call(self, x: Tensor, states: States, training: bool | None = None) -> Tensor:
        """All steps at once: inputs (B, T, d) and the first state of each layer -> outputs (B, T, H)."""
        for number, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            output, *_ = layer(x, initial_state=state, training=training)
            output = self.dropout(output, training=training)
            x = x + output if self.config.residual and number else output
        return x

    def dropout_masks(self, batch_size: Tensor, training: bool | None) -> list[Tensor]:
        """For each layer a factor (B, H) of its outputs, the same at all steps as in `call`."""
        ones = ops.ones((batch_size, 1, self.config.hidden_dim))
        return [self.dropout(ones, training=training)[:, 0] for _ in self.layers]

    def step(self, x: Tensor, states: States, dropout_masks: Sequence[Tensor] = ()) -> tuple[Tensor, States]:
        """One step: inputs (B, d) and the state of each layer -> output (B, H) and the new states."""
        new_states = []
        for number, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            output, new_state = layer.cell(x, state, training=False)
            if dropout_masks:
                output *= dropout_masks[number]
            x = x + output if self.config.residual and number else output
            new_states.append(list(new_state))
        return x, new_states
