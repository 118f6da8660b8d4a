"""One way to run a function of a model's weights, compiled by whichever backend is in use."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def compile_inference(model: keras.Model, function: Callable[..., Any], num_arguments: int) -> Callable[..., Any]:
    """Compiles a function that reads the model's weights and changes none.

    Args:
        model: whose weights `function` reads.
        function: takes `num_arguments` tensors (rows, length) int32; returns a nest of tensors.
        num_arguments: number of its arguments.

    Returns:
        A function from NumPy arrays to a nest of NumPy arrays. It sees later changes of the weights.
    """
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            signature = [tf.TensorSpec((None, None), tf.int32)] * num_arguments
            run = tf.function(function, input_signature=signature)
        case "jax":
            import jax

            def stateless(values: list[Any], *arguments: Any) -> Any:
                with keras.StatelessScope(zip(model.variables, values, strict=True)):
                    return function(*arguments)

            compiled = jax.jit(stateless)

            def run(*arguments: Any) -> Any:
                return compiled([variable.value for variable in model.variables], *arguments)

        case _:
            import torch

            def run(*arguments: Any) -> Any:
                with torch.no_grad():
                    return function(*map(keras.ops.convert_to_tensor, arguments))

    def call(*arguments: np.ndarray) -> Any:
        return keras.tree.map_structure(keras.ops.convert_to_numpy, run(*arguments))

    return call
