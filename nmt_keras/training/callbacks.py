"""What happens between the batches and epochs of a training."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from nmt_keras.data.batching import BatchShape
from nmt_keras.data.dataset import TrainingBatches
from nmt_keras.energy import EnergyMeter

Logs = dict[str, Any] | None
LogMetrics = Callable[[Mapping[str, float], int], None]

_DRAWS_PER_EPOCH = 2**18  # apart from the epoch before; times some thousand epochs, still an int32
_BAR_SECONDS = 0.5  # between updates of the progress bar
_LINE_SECONDS = 10.0  # between lines of progress where there is no terminal
_KEPT = ("training_seconds", "training_tokens", "training_joules", "losses")  # by a checkpoint
_VALIDATION_MARGIN = 1.3  # the next validation may take this much longer than the last


class EpochOrder(keras.callbacks.Callback):
    """Tells data and dropout which epoch comes next, so that a resumed training sees what it would have seen."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.batches.next_epoch = epoch
        for variable in self.model.variables:
            if variable.name == "seed_generator_state":  # (2,): a seed, and the number of draws so far
                seed = int(keras.ops.convert_to_numpy(variable)[0])
                variable.assign([seed, epoch * _DRAWS_PER_EPOCH])


class TrainingProgress(keras.callbacks.Callback):
    """Shows epoch, step, loss, speed and time left on stderr, and logs loss, rate and speed at steps.

    Args:
        batches: the training data.
        epochs: passes at most.
        deadline: end of training in seconds since the Unix epoch, or None.
        log_metrics: takes figures by name, and the update they belong to.
        log_every: updates between logged figures.
    """

    def __init__(
        self,
        batches: TrainingBatches,
        epochs: int,
        deadline: float | None,
        log_metrics: LogMetrics,
        log_every: int = 20,
    ) -> None:
        super().__init__()
        self.batches = batches
        self.steps_per_epoch = batches.steps_per_epoch
        self.target_lengths = batches.text.target_lengths
        self.epochs = epochs
        self.deadline = deadline
        self.log_metrics = log_metrics
        self.log_every = log_every
        self.training_seconds = 0.0
        self.training_tokens = 0.0
        self.training_joules: float | None = 0.0  # None where the machine does not tell
        self.losses: list[dict[str, float]] = []  # of the updates since the one logged before, to draw learning curves
        self._compiled: set[BatchShape] = set()
        self._seconds: list[float] = []  # of the latest steps
        self._energy = EnergyMeter()
        self._shown = 0.0
        self.bar: Progress | None = None

    @property
    def tokens_per_second(self) -> float:
        """Real target tokens per second, over all steps but the first of each shape, which compile."""
        return self.training_tokens / self.training_seconds if self.training_seconds else 0.0

    @property
    def joules_per_token(self) -> float | None:
        """What the machine used over the same steps, if it tells."""
        if self.training_joules is None or not self.training_tokens:
            return None
        return self.training_joules / self.training_tokens

    @property
    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {name: getattr(self, name) for name in _KEPT}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.__dict__.update(state)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.epoch = epoch
        self.plan = self.batches.plan(epoch)
        self._step_ended = time.time()
        self._tokens = self._logged_tokens = 0  # of this epoch
        self._logged_loss = 0.0  # its sum over them
        self._energy.joules()
        console = Console(stderr=True)
        text = "epoch {task.fields[epoch]}/{task.fields[epochs]}  step {task.completed}/{task.total}"
        self.bar = bar = Progress(
            TextColumn(text),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._show_seconds = _BAR_SECONDS if console.is_terminal else _LINE_SECONDS
        self.task = bar.add_task("train", total=self.steps_per_epoch, epoch=epoch + 1, epochs=self.epochs, figures="")
        bar.start()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        now = time.time()
        seconds, self._step_ended = now - self._step_ended, now
        joules = self._energy.joules()
        shape, pairs = self.plan[batch]
        tokens = int(self.target_lengths[pairs].sum())
        self._tokens += tokens
        if shape in self._compiled:
            self.training_seconds += seconds
            self.training_tokens += tokens
            if self.training_joules is not None:
                self.training_joules = None if joules is None else self.training_joules + joules
            self._seconds = [*self._seconds[-99:], seconds]
        self._compiled.add(shape)
        step = self.epoch * self.steps_per_epoch + batch + 1
        mean = float((logs or {})["token_loss"])  # since the epoch began
        if now - self._shown > self._show_seconds:
            self._shown = now
            self._show(batch + 1, step, mean, now)
        if step % self.log_every == 0:
            loss = (mean * self._tokens - self._logged_loss) / (self._tokens - self._logged_tokens)
            self._logged_loss, self._logged_tokens = mean * self._tokens, self._tokens
            self.losses.append({"step": step, "training_seconds": self.training_seconds, "train_loss": loss})
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            self.log_metrics(
                {"train_loss": loss, "learning_rate": rate, "tokens_per_second": self.tokens_per_second}, step
            )

    def _show(self, done: int, step: int, loss: float, now: float) -> None:
        figures = f"loss {loss:.3f}"
        if self._seconds:
            left = (self.epochs * self.steps_per_epoch - step) * sum(self._seconds) / len(self._seconds)
            if self.deadline is not None:
                left = min(left, self.deadline - now)
            figures += f"  {self.tokens_per_second:,.0f} tokens/s  {left // 60:.0f}:{left % 60:02.0f} left"
        if self.bar is not None and not self.bar.disable:
            self.bar.update(self.task, completed=done, figures=figures)
        else:
            place = f"epoch {self.epoch + 1}/{self.epochs}  step {done}/{self.steps_per_epoch}"
            print(f"{place}  {figures}", file=sys.stderr, flush=True)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.close()

    def close(self) -> None:
        """Gives the terminal back, also after an interruption in the middle of an epoch."""
        if self.bar is not None:
            self.bar.stop()


class Validation(keras.callbacks.Callback):
    """After each epoch: averages the weights, measures them, keeps the best, stops when nothing improves.

    Args:
        measure: validates the averaged weights; returns figures by name, "valid_bleu" and "valid_loss" among them.
        keep_best: called when the averaged weights are the best so far.
        every: epochs between validations; an epoch that ends the training is always validated.
        patience: validations without improvement before training stops.
        log_metrics: takes figures by name, and the update they belong to.
        history: figures of the validations before, when a training is resumed; grows by one entry for each.
        seconds: that the last of them took, 0 if there was none.
    """

    def __init__(
        self,
        measure: Callable[[], dict[str, float]],
        keep_best: Callable[[], None],
        every: int,
        patience: int,
        log_metrics: LogMetrics,
        history: list[dict[str, float]],
        seconds: float = 0.0,
    ) -> None:
        super().__init__()
        self.measure = measure
        self.keep_best = keep_best
        self.every = every
        self.patience = patience
        self.log_metrics = log_metrics
        self.history = history
        self.seconds = seconds

    @staticmethod
    def quality(figures: Mapping[str, float]) -> tuple[float, float]:
        """What a validation is judged by: BLEU to a tenth, then loss."""
        # Rounded, so that the loss decides while BLEU still is near 0 everywhere.
        return round(figures["valid_bleu"], 1), -figures["valid_loss"]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if (epoch + 1) % self.every and not last:
            return
        began = time.time()
        figures = self.measure()
        self.seconds = time.time() - began
        step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        figures = {
            "epoch": epoch + 1,
            "step": step,
            "train_loss": float((logs or {})["token_loss"]),
        } | figures
        self.log_metrics({name: figures[name] for name in ("valid_bleu", "valid_loss")}, step)
        earlier = [self.quality(entry) for entry in self.history]
        self.history.append(figures)
        better = not earlier or self.quality(figures) > max(earlier)
        if better:
            self.keep_best()
        print(
            f"epoch {epoch + 1}  step {step}  train loss {figures['train_loss']:.3f}  "
            f"valid loss {figures['valid_loss']:.3f}  valid BLEU {figures['valid_bleu']:.1f}"
            f"{'  (best so far)' if better else ''}",
            file=sys.stderr,
            flush=True,
        )
        qualities = [*earlier, self.quality(figures)]
        if len(qualities) - 1 - qualities.index(max(qualities)) >= self.patience:
            print(f"Nothing better in {self.patience} validations: training stops.", file=sys.stderr)
            self.model.stop_training = True


class Deadline(keras.callbacks.Callback):
    """Stops training early enough that the validation that follows still ends in time, if there was one before.

    Args:
        deadline: in seconds since the Unix epoch, as `time.time` counts.
        validation: tells how long a validation takes.
    """

    def __init__(self, deadline: float, validation: Validation) -> None:
        super().__init__()
        self.deadline = deadline
        self.validation = validation
        self._step_began = 0.0

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._step_began = time.time()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        now = time.time()
        another = now + (now - self._step_began)
        if another + _VALIDATION_MARGIN * self.validation.seconds > self.deadline:
            print("--max-minutes is nearly over: training stops.", file=sys.stderr)
            self.model.stop_training = True


class TokenBudget(keras.callbacks.Callback):
    """Stops training when so many real target tokens were trained on, those before a resumption included.

    Args:
        batches: the training data.
        tokens: the budget.
    """

    def __init__(self, batches: TrainingBatches, tokens: int) -> None:
        super().__init__()
        self.batches = batches
        self.tokens = tokens

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        lengths = self.batches.text.target_lengths
        in_batches = [lengths[rows].sum() for _, rows in self.batches.plan(epoch)]
        self._seen = epoch * lengths.sum() + np.cumsum(in_batches)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self._seen[batch] >= self.tokens:
            self.model.stop_training = True


class Checkpoint(keras.callbacks.Callback):
    """Calls `save` after each epoch with the number of epochs done."""

    def __init__(self, save: Callable[[int], None]) -> None:
        super().__init__()
        self.save = save

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.save(epoch + 1)
