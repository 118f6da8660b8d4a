"""The names of architectures, and which of those that are tested need not be tested on every backend."""

from dataclasses import asdict

from nmt_keras.config import ARCHITECTURES, ArchitectureConfig

MADE_OF_THE_SAME_PARTS = {"rnn", "gru", "rnn-attention", "lstm-attention", "transformer-no-positions"}
"""Each part of these is a part of others, too: elsewhere than on TensorFlow only their answers are compared."""


def architecture_of(model_config: ArchitectureConfig) -> str:
    """The name that `--architecture` has for a given configuration."""
    return next(
        name
        for name, architecture in ARCHITECTURES.items()
        if type(model_config) is architecture.config_class
        and architecture.fixed.items() <= asdict(model_config).items()
    )
