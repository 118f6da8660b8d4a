"""The names of architectures, and which of those that are tested need not be tested on every backend."""

from dataclasses import asdict

from nmt_keras.config import ARCHITECTURES, ArchitectureConfig

MADE_OF_THE_SAME_PARTS = {"rnn", "gru", "rnn-attention", "lstm-attention", "transformer-no-positions"}
"""Each part of these is a part of others, too: elsewhere than on TensorFlow only their answers are compared."""


def architecture_of(sizes: ArchitectureConfig) -> str:
    """The name that `--architecture` has for given sizes."""
    return next(
        name
        for name, architecture in ARCHITECTURES.items()
        if type(sizes) is architecture.sizes and architecture.fixed.items() <= asdict(sizes).items()
    )
