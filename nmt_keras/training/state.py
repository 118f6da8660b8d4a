"""What a training has done so far."""

from dataclasses import dataclass, field


@dataclass
class TrainingState:
    """What callbacks add to while a training runs; a checkpoint keeps it beside the weights.

    Args:
        epochs: that have ended.
        seconds: wall time, that of earlier processes included.
        history: figures of each validation, in order, as `TrainingSummary` has them.
        validation_seconds: that the last validation took, 0 if there was none.
        update_seconds: time of the updates that were measured.
        update_tokens: real target tokens of those updates.
        losses: training loss every few updates, as `TrainingSummary` has them.
    """

    epochs: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    validation_seconds: float = 0.0
    update_seconds: float = 0.0
    update_tokens: int = 0
    losses: list[dict[str, float]] = field(default_factory=list)

    @property
    def tokens_per_second(self) -> float:
        """Real target tokens trained on per second of updates."""
        return self.update_tokens / self.update_seconds if self.update_seconds else 0.0
