"""What a training is asked for, and what came of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from nmt_keras.config import (
    MOST_SEED,
    ArchitectureConfig,
    SearchConfig,
    TrainingConfig,
    VocabularyConfig,
    field_faults,
    number,
    raise_faults,
)
from nmt_keras.errors import ConfigError

_MANY_EPOCHS = 10_000  # where something else is the limit


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that a training depends on, beside the text.

    Args:
        architecture: name.
        model_config: sizes and rates of the architecture.
        vocabulary: of the text, unless `init_from` brings one.
        training: schedule and regularisation.
        search: for the model that is kept; validation is greedy.
        seed: of weights, dropout, vocabulary and order.
        devices: number of devices, or "all".
        max_minutes: wall time to the end of training, or None for no limit.
        init_from: directory of a model whose weights and vocabulary to start from, or None.
        init_reference: what the user called that model.
        preset: name of the preset that the settings began with.
    """

    architecture: str
    model_config: ArchitectureConfig
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    seed: int = number(1, 0, MOST_SEED)
    devices: str = "1"
    max_minutes: float | None = number(None, 1e-9, 10**7)
    init_from: Path | None = None
    init_reference: str | None = None
    preset: str = ""

    def __post_init__(self) -> None:
        raise_faults(field_faults(self))

    def within(self, budget: str) -> "TrainingSettings":
        """The same training with this budget in place of its limits.

        Args:
            budget: wall time, target tokens or epochs: "10min", "2M-tokens", "800k-tokens", "20epochs".

        Raises:
            ConfigError: none of these forms, or out of range.
        """
        match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)(min|k-tokens|M-tokens|-tokens|epochs)", budget)
        amount, unit = (float(match[1]), match[2]) if match else (0.0, "")
        try:
            match unit:
                case "min":
                    return self._limited(max_minutes=amount)
                case "epochs" if amount.is_integer():
                    return self._limited(epochs=int(amount))
                case "k-tokens" | "M-tokens" | "-tokens":
                    return self._limited(max_tokens=round(amount * {"k": 1e3, "M": 1e6, "-": 1}[unit[0]]))
        except ConfigError as error:
            raise ConfigError(f"--budget {budget}: {error}") from None
        raise ConfigError(
            f"--budget must be like 10min, 2M-tokens, 800k-tokens or 20epochs, with at most 15 digits. "
            f"Received: {budget!r}."
        )

    def _limited(
        self, max_minutes: float | None = None, epochs: int = _MANY_EPOCHS, max_tokens: int | None = None
    ) -> "TrainingSettings":
        training = replace(self.training, epochs=epochs, max_tokens=max_tokens)
        return replace(self, max_minutes=max_minutes, training=training)


class TrainingCost(NamedTuple):
    """What a training takes of a machine.

    Args:
        tokens_per_second: real target tokens trained on per second, compilation and validation excluded.
        processors: that the training had to itself.
    """

    tokens_per_second: float
    processors: int


@dataclass(frozen=True)
class TrainingSummary:
    """What came of a training.

    Args:
        architecture: name.
        max_minutes: limit of its time, or None.
        epochs: begun.
        steps: updates done.
        parameters: trainable weights.
        parameters_outside_embeddings: of these, the ones outside embeddings and output projection.
        cost: of its updates.
        peak_memory_bytes: the most memory that the process had at once.
        valid_bleu: of the kept weights, greedy search.
        valid_loss: of the kept weights, nats per token.
        dropped: training pairs left out, by reason.
        history: figures of each validation, in order: "epoch", "step", "train_loss", "valid_loss", "valid_bleu" and
            "training_seconds", those of all updates so far, compilation and validation excluded.
        losses: training loss every few updates: "step", "training_seconds" and "train_loss".
    """

    architecture: str
    max_minutes: float | None
    epochs: int
    steps: int
    parameters: int
    parameters_outside_embeddings: int
    cost: TrainingCost
    peak_memory_bytes: int
    valid_bleu: float
    valid_loss: float
    dropped: Mapping[str, int]
    history: list[dict[str, float]]
    losses: list[dict[str, float]]
