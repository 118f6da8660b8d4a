"""What only one backend can do."""

import keras

from nmt_keras.errors import ConfigError


def require_tensorflow(task: str) -> None:
    """Raises ConfigError on other backends.

    Args:
        task: what needs TensorFlow, to begin a sentence with.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(f"{task} needs --backend tensorflow. Received: {keras.backend.backend()}.")
