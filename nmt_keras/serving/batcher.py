"""Concurrent requests share a batch: while one is computed, those that come meanwhile wait to be the next."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple


class QueueFullError(Exception):
    """As many sentences wait as may; the caller should try again later."""


class _Job(NamedTuple):
    kind: Hashable
    sentence: str
    answer: Future[Any]


class Batcher:
    """Computes sentences in batches, in a thread of its own.

    Args:
        compute: takes a kind and sentences of that kind, at most `max_batch`; returns as many answers.
        max_batch: sentences computed at once.
        max_waiting: sentences that may wait.
        max_characters: computed at once, lest a few long sentences keep all others waiting; one that is longer is
            computed by itself.
    """

    def __init__(
        self,
        compute: Callable[[Any, list[str]], Sequence[Any]],
        max_batch: int,
        max_waiting: int,
        max_characters: int = 10_000,
    ) -> None:
        self._compute = compute
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._max_characters = max_characters
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Sentences that wait."""
        return len(self._jobs)

    def submit(self, kind: Hashable, sentences: Sequence[str]) -> list[Future[Any]]:
        """Queues sentences, all or none; their answers come as futures, in their order.

        Raises:
            QueueFullError: too many sentences wait, or the batcher is closed.
        """
        jobs = [_Job(kind, sentence, Future()) for sentence in sentences]
        with self._changed:
            if self._closed or len(self._jobs) + len(jobs) > self._max_waiting:
                raise QueueFullError
            self._jobs.extend(jobs)
            self._changed.notify()
        return [job.answer for job in jobs]

    def close(self) -> None:
        """Computes what waits, and takes nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next_batch():
            try:
                answers = self._compute(batch[0].kind, [job.sentence for job in batch])
                for job, answer in zip(batch, answers, strict=True):
                    job.answer.set_result(answer)
            except Exception as error:  # whoever asked is told; the next batch may fare better
                for job in batch:
                    if not job.answer.done():
                        job.answer.set_exception(error)

    def _next_batch(self) -> list[_Job]:
        """The next sentences of one kind that someone still waits for; none when all is done."""
        with self._changed:
            while True:
                batch: list[_Job] = []
                others: deque[_Job] = deque()
                characters = 0
                while self._jobs and len(batch) < self._max_batch:
                    job = self._jobs.popleft()
                    too_many = characters + len(job.sentence) > self._max_characters
                    if batch and (too_many or job.kind != batch[0].kind):
                        others.append(job)
                    elif job.answer.set_running_or_notify_cancel():
                        batch.append(job)
                        characters += len(job.sentence)
                self._jobs.extendleft(reversed(others))
                if batch or self._closed:
                    return batch
                self._changed.wait()
