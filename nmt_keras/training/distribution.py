"""Devices: one, or several that share each batch."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from nmt_keras.errors import ConfigError

Scope = Callable[[], AbstractContextManager[Any]]


def distribute(devices: str) -> tuple[Scope, int]:
    """Where variables are made and how many devices share a batch.

    TensorFlow: tf.distribute.MirroredStrategy over GPUs, or over that many logical CPU devices. JAX:
    keras.distribution.DataParallel. Call it before any other TensorFlow work: logical devices cannot be made later.

    Args:
        devices: a number, or "all".

    Returns:
        What makes the scope to build, compile and fit the model in, each time anew, and the number of devices.

    Raises:
        ConfigError: not a number above 0, or more than there are.
    """
    if devices != "all" and not (devices.isdecimal() and int(devices) > 0):
        raise ConfigError(f"--devices must be a number above 0, or all. Received: {devices!r}.")
    wanted = None if devices == "all" else int(devices)
    if wanted == 1:
        return nullcontext, 1
    match keras.backend.backend():
        case "tensorflow":
            return _mirrored(wanted)
        case "jax":
            return _data_parallel(wanted)
        case backend:
            raise ConfigError(f"--devices above 1 needs --backend tensorflow or jax. Received: {backend}.")


def _limit(wanted: int | None, available: int, what: str) -> int:
    if wanted is not None and wanted > available:
        raise ConfigError(f"--devices must be at most {available}, the number of {what}. Received: {wanted}.")
    return wanted or available


def _mirrored(wanted: int | None) -> tuple[Scope, int]:
    import tensorflow as tf

    if gpus := tf.config.list_logical_devices("GPU") if tf.config.list_physical_devices("GPU") else []:
        names = [gpu.name for gpu in gpus[: _limit(wanted, len(gpus), "GPUs")]]
    else:
        count = _limit(wanted, os.cpu_count() or 1, "processors")
        if count == 1:
            return nullcontext, 1
        processor = tf.config.list_physical_devices("CPU")[0]
        if len(tf.config.get_logical_device_configuration(processor) or ()) < count:
            tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * count)
        names = [f"/cpu:{number}" for number in range(count)]
    return tf.distribute.MirroredStrategy(names).scope, len(names)


def _data_parallel(wanted: int | None) -> tuple[Scope, int]:
    available = keras.distribution.list_devices()
    names = available[: _limit(wanted, len(available), "JAX devices")]
    return keras.distribution.DataParallel(devices=names).scope, len(names)
