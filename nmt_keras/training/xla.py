"""Whether XLA compiles the training step, and why."""

from typing import NamedTuple

import keras

from nmt_keras.config import TrainingConfig
from nmt_keras.models.base import TranslationModel


class XlaChoice(NamedTuple):
    """Whether XLA compiles the training step, and the reason, for the log."""

    used: bool
    reason: str


def choose_xla(model: TranslationModel, config: TrainingConfig, num_devices: int) -> XlaChoice:
    """JAX always uses XLA, PyTorch never; TensorFlow on one device, unless it keeps the model from better kernels.

    Args:
        model: any architecture.
        config: `jit_compile` says whether XLA is wanted.
        num_devices: devices that share a batch.
    """
    match keras.backend.backend():
        case "jax":
            return XlaChoice(True, "JAX compiles with nothing else, and is very slow without")
        case "torch":
            return XlaChoice(False, "PyTorch has none")
    if not config.jit_compile:
        return XlaChoice(False, "training.jit_compile is false")
    if num_devices > 1:
        return XlaChoice(False, "it fails under MirroredStrategy (a variable on another device)")
    if model.has_cudnn_kernels and has_gpu():
        return XlaChoice(False, "it would rule cuDNN's kernels out")
    return XlaChoice(True, "it fuses operations, and runs loops over time with less overhead")


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
