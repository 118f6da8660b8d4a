"""The layers of a model, and the arithmetic that a target token costs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from nmt_keras.analysis.backend import require_tensorflow
from nmt_keras.models.base import TranslationModel
from nmt_keras.text.special_tokens import BOS_ID


@dataclass(frozen=True)
class LayerStructure:
    """One layer of a model.

    Args:
        name: of the layer.
        output_shape: of its first output, with B = 1; None where that does not depend on the sentence.
        parameters: number of its weights.
    """

    name: str
    output_shape: tuple[int, ...] | None
    parameters: int


@dataclass(frozen=True)
class ModelStructure:
    """The layers of a model, and the multiply-adds of its matrix products.

    Args:
        layers: those that have weights.
        parameters: number of weights.
        parameters_outside_embeddings: of these, the ones outside embeddings and output projection.
        source_length: S, source tokens of the sentence that the arithmetic is for.
        target_length: T, its target tokens.
        encoder_multiply_adds: of the whole source.
        decoder_multiply_adds: of one target token, the logits included.
    """

    layers: list[LayerStructure]
    parameters: int
    parameters_outside_embeddings: int
    source_length: int
    target_length: int
    encoder_multiply_adds: int
    decoder_multiply_adds: int

    @property
    def multiply_adds_per_target_token(self) -> float:
        """decoder + encoder / T; a multiply-add is 2 FLOP."""
        return self.decoder_multiply_adds + self.encoder_multiply_adds / self.target_length

    def as_json(self) -> dict[str, Any]:
        """What `nmt-keras describe --json` prints of it."""
        return asdict(self) | {"multiply_adds_per_target_token": self.multiply_adds_per_target_token}


def structure(model: TranslationModel, source_length: int, target_length: int) -> ModelStructure:
    """Describes a model that is about to translate S source tokens into T target tokens.

    Args:
        model: any architecture, newly built: it is called with symbolic inputs, which its layers remember.
        source_length: S, at least 1.
        target_length: T, at least 1; the decoder's caches hold so many.

    Raises:
        ConfigError: the backend is not TensorFlow, in whose graph the arithmetic is counted.
    """
    source_ids = np.full((1, source_length), BOS_ID, "int32")

    def encode() -> Any:
        # Watched, a recurrence is a graph without a loop.
        return model.encode(source_ids, training=False, on_state=lambda *_: None)

    def encode_and_step() -> Any:
        memory = encode()
        return model.decode_step(np.array([BOS_ID]), 0, model.initial_state(memory, target_length), memory)

    encoder = multiply_adds(encode)
    return ModelStructure(
        _layers(model, source_length, target_length),
        model.count_params(),
        model.count_params_outside_embeddings(),
        source_length,
        target_length,
        encoder,
        multiply_adds(encode_and_step) - encoder,
    )


def _layers(model: TranslationModel, source_length: int, target_length: int) -> list[LayerStructure]:
    source, target = (keras.Input(batch_shape=(1, n), dtype="int32") for n in (source_length, target_length))
    logits = model.decode(target, model.encode(source))
    layers = []
    for layer in filter(keras.layers.Layer.count_params, model.layers):
        # An output embedding of its own is never called: it makes the logits. Learned positions take no input.
        output = getattr(layer, "output", logits if layer in model.vocabulary_layers else None)
        first = keras.tree.flatten(output)[0]
        shape = None if first is None else tuple(first.shape)
        layers.append(LayerStructure(layer.name, shape, layer.count_params()))
    return layers


def multiply_adds(function: Callable[[], Any]) -> int:
    """Counts the multiply-adds of the matrix products that a function consists of.

    A product (M, K) x (K, N) has M K N of them, and as many times more as there are matrices in a batch. Everything
    else (look-ups, sums, normalization, softmax, activations) grows more slowly with the sizes and is not counted.

    Args:
        function: of no argument, whose graph has no loop.

    Raises:
        ConfigError: the backend is not TensorFlow.
    """
    require_tensorflow("Counting multiply-adds")
    import tensorflow as tf

    total = 0
    for operation in tf.function(function, autograph=False).get_concrete_function().graph.get_operations():
        if operation.type == "MatMul":
            inner = -2 if operation.get_attr("transpose_a") else -1
        elif operation.type in {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"}:
            inner = -2 if operation.get_attr("adj_x") else -1
        else:
            continue
        total += operation.outputs[0].shape.num_elements() * operation.inputs[0].shape[inner]
    return total
