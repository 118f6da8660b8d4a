"""The name that `--architecture` has for given sizes."""

from dataclasses import asdict

from nmt_keras.config import ARCHITECTURES, ArchitectureConfig


def architecture_of(sizes: ArchitectureConfig) -> str:
    return next(
        name
        for name, architecture in ARCHITECTURES.items()
        if type(sizes) is architecture.sizes and architecture.fixed.items() <= asdict(sizes).items()
    )
