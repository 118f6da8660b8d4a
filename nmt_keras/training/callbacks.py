"""What happens between the batches and epochs of a training."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from nmt_keras.data.batching import BatchShape
from nmt_keras.data.dataset import TrainingBatches
from nmt_keras.errors import TrainingError
from nmt_keras.training.state import TrainingState

Logs = dict[str, Any]
LogMetrics = Callable[[Mapping[str, float], int], None]

# More than an epoch draws, so that no two epochs share a draw, but for those 8,192 apart: PyTorch counts in int32.
_DRAWS_PER_EPOCH, _DRAWS = 2**18, 2**31
_BAR_SECONDS = 0.5  # between updates of the progress bar
_LINE_SECONDS = 10.0  # between lines of progress where there is no terminal
_VALIDATION_MARGIN = 1.3  # the next validation may take this much longer than the last


class ReproducibleEpochs(keras.callbacks.Callback):
    """Tells data and dropout which epoch comes next, so that a resumed training sees what it would have seen.

    Devices that share a batch draw differently: the rows of one would be dropped like those of another otherwise.
    """

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.batches.next_epoch = epoch
        for variable in self.model.variables:
            if variable.name == "seed_generator_state":  # (2,): a seed, and the number of draws so far
                seed = int(keras.ops.convert_to_numpy(variable)[0])  # of the first device
                draws = epoch * _DRAWS_PER_EPOCH % _DRAWS
                variable.assign([seed, draws])
                # MirroredStrategy has a copy for each device; PyTorch's tensors have a method of that name.
                copies = getattr(variable.value, "values", None)
                for device, copy in enumerate(copies if isinstance(copies, tuple) else ()):
                    copy.assign([seed + device, draws])


def _mean_loss(model: keras.Model, logs: Logs | None) -> float:
    """Of a token, since the epoch began. With several devices Keras logs the mean of theirs, however few tokens one
    has."""
    strategy = getattr(model, "distribute_strategy", None)
    several = strategy is not None and strategy.num_replicas_in_sync > 1
    return float((model.get_metrics_result() if several else logs or {})["token_loss"])


class ThroughputMeter(keras.callbacks.Callback):
    """Measures all updates but the first of each shape of batch, which compiles.

    Args:
        batches: the training data.
        state: gains the seconds and tokens of such updates.
    """

    def __init__(self, batches: TrainingBatches, state: TrainingState) -> None:
        super().__init__()
        self.batches = batches
        self.state = state
        self._compiled: set[BatchShape] = set()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._plan = zip(self.batches.plan(epoch), self.batches.target_tokens(epoch), strict=True)
        self._ended = time.time()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        seconds, self._ended = time.time() - self._ended, time.time()
        (shape, _), tokens = next(self._plan)
        if shape in self._compiled:
            self.state.update_seconds += seconds
            self.state.update_tokens += tokens
        self._compiled.add(shape)


class LogTrainingLoss(keras.callbacks.Callback):
    """Logs learning rate (the next), speed, and the loss of the updates since the one logged before, or since the epoch
    began.

    Args:
        batches: the training data.
        state: gains the logged losses; its speed is logged with them.
        log_metrics: takes figures by name, and the update they belong to.
        every: updates between logged figures.

    Raises:
        TrainingError: the loss is no finite number any more. The training is not finished; what earlier epochs left
            stays.
    """

    def __init__(
        self,
        batches: TrainingBatches,
        state: TrainingState,
        log_metrics: LogMetrics,
        every: int = 20,
    ) -> None:
        super().__init__()
        self.batches = batches
        self.state = state
        self.log_metrics = log_metrics
        self.every = every

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._first_step = epoch * self.batches.steps_per_epoch + 1
        self._tokens = accumulate(self.batches.target_tokens(epoch))
        self._logged_tokens, self._logged_loss = 0, 0.0  # of this epoch; the loss is the sum over the tokens

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        step, tokens = self._first_step + batch, next(self._tokens)
        mean = _mean_loss(self.model, logs)
        if not math.isfinite(mean):
            raise TrainingError(
                f"The training loss must be a finite number. Received: {mean} at step {step}. Give a lower "
                "--training.learning_rate or more --training.warmup_steps, and another --output."
            )
        if step % self.every:
            return
        total = mean * tokens
        loss = (total - self._logged_loss) / (tokens - self._logged_tokens)
        self._logged_tokens, self._logged_loss = tokens, total
        self.state.losses.append({"step": step, "training_seconds": self.state.update_seconds, "train_loss": loss})
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        speed = self.state.tokens_per_second
        self.log_metrics({"train_loss": loss, "learning_rate": rate, "tokens_per_second": speed}, step)


class ProgressDisplay(keras.callbacks.Callback):
    """Shows epoch, step, loss, speed and time left on stderr: a bar on a terminal, elsewhere a line now and then.

    Args:
        batches: the training data.
        epochs: at most.
        deadline: end of training in seconds since the Unix epoch, or None.
        state: of the training, for its speed.
    """

    def __init__(self, batches: TrainingBatches, epochs: int, deadline: float | None, state: TrainingState) -> None:
        super().__init__()
        self.batches = batches
        self.epochs = epochs
        self.deadline = math.inf if deadline is None else deadline
        self.state = state
        self._shown = 0.0
        self._bar: Progress | None = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        console = Console(stderr=True)
        if console.is_terminal:
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True)
            self._task = self._bar.add_task("", total=self.batches.steps_per_epoch)
            self._bar.start()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        now = time.time()
        if now - self._shown < (_BAR_SECONDS if self._bar else _LINE_SECONDS):
            return
        self._shown = now
        steps = self.batches.steps_per_epoch
        text = (
            f"epoch {self._epoch + 1}/{self.epochs}  step {batch + 1}/{steps}  loss {_mean_loss(self.model, logs):.3f}"
        )
        if speed := self.state.tokens_per_second:
            tokens_per_step = self.batches.text.num_target_tokens / self.batches.steps_per_pass
            left = (steps * (self.epochs - self._epoch) - batch - 1) * tokens_per_step / speed
            minutes, seconds = divmod(max(0, round(min(left, self.deadline - now))), 60)
            text += f"  {speed:,.0f} tokens/s  {minutes}:{seconds:02} left"
        if self._bar:
            self._bar.update(self._task, completed=batch + 1, description=text)
        else:
            print(text, file=sys.stderr, flush=True)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.close()

    def close(self) -> None:
        """Gives the terminal back, also after an interruption in the middle of an epoch."""
        if self._bar:
            self._bar.stop()
            self._bar = None


class Validation(keras.callbacks.Callback):
    """After each epoch: averages the weights, measures them, keeps the best, stops when nothing improves.

    Args:
        measure: validates the averaged weights; returns figures by name, "valid_bleu" and "valid_loss" among them.
        keep_best: called when the averaged weights are the best so far.
        every: epochs between validations; an epoch that ends the training is always validated.
        patience: validations without improvement before training stops.
        log_metrics: takes figures by name, and the update they belong to.
        state: gains the figures of each validation, and the time that the last took.
    """

    def __init__(
        self,
        measure: Callable[[], dict[str, float]],
        keep_best: Callable[[], None],
        every: int,
        patience: int,
        log_metrics: LogMetrics,
        state: TrainingState,
    ) -> None:
        super().__init__()
        self.measure = measure
        self.keep_best = keep_best
        self.every = every
        self.patience = patience
        self.log_metrics = log_metrics
        self.state = state

    @staticmethod
    def quality(figures: Mapping[str, float]) -> tuple[float, float]:
        """What a validation is judged by: BLEU to a tenth, then loss."""
        # Rounded, so that the loss decides while BLEU still is near 0 everywhere.
        return round(figures["valid_bleu"], 1), -figures["valid_loss"]

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if (epoch + 1) % self.every and not last:
            return
        began = time.time()
        figures = self.measure()
        self.state.validation_seconds = time.time() - began
        step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        figures = {
            "epoch": epoch + 1,
            "step": step,
            "train_loss": (logs or {})["token_loss"],
            "training_seconds": self.state.update_seconds,
        } | figures
        self.log_metrics({name: figures[name] for name in ("valid_bleu", "valid_loss")}, step)
        earlier = [self.quality(entry) for entry in self.state.history]
        self.state.history.append(figures)
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


class TimeLimit(keras.callbacks.Callback):
    """Stops training early enough that the validation that follows still ends in time, if there was one before.

    Args:
        deadline: in seconds since the Unix epoch, as `time.time` counts.
        state: tells how long a validation takes; `Validation` must come first among the callbacks.
    """

    def __init__(self, deadline: float, state: TrainingState) -> None:
        super().__init__()
        self.deadline = deadline
        self.state = state
        self._step_began = self._step_seconds = 0.0

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._step_began = time.time()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._step_seconds = time.time() - self._step_began
        self._stop_if_late()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.state.history and self.state.history[-1]["epoch"] == epoch + 1:
            self._stop_if_late()  # what another update makes would have to be validated, too

    def _stop_if_late(self) -> None:
        another = time.time() + self._step_seconds + _VALIDATION_MARGIN * self.state.validation_seconds
        if another > self.deadline and not self.model.stop_training:
            print("The time is nearly over: training stops.", file=sys.stderr)
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

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._seen = self.batches.target_tokens_before(epoch)
        self._tokens = self.batches.target_tokens(epoch)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._seen += next(self._tokens)
        if self._seen >= self.tokens:
            self.model.stop_training = True
