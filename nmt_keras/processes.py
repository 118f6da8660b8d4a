"""Calls in processes of their own, several at once, each on its share of the processors."""

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from queue import Queue
from typing import Any, TextIO

from nmt_keras.allocator import keep_freed_memory


def call_at_once(function: Callable[..., Any], calls: Mapping[str, Sequence[Any]], jobs: int) -> list[str]:
    """Calls a function with each of the arguments and waits for all.

    Args:
        function: of a module that can be imported; what it returns is lost.
        calls: by name, the arguments. What a call says on stderr is led by its name.
        jobs: calls at once.

    Returns:
        The names of the calls that failed; why, they said themselves.
    """
    context = get_context("spawn")  # a forked TensorFlow hangs
    shares: Queue[list[int]] = Queue()
    for share in _shares(jobs):
        shares.put(share)

    def call(name: str) -> int | None:
        share = shares.get()
        process = context.Process(target=_call, args=(name, share, function, calls[name]), name=name)
        process.start()
        process.join()
        shares.put(share)
        return process.exitcode

    with ThreadPoolExecutor(jobs) as pool:
        codes = dict(zip(calls, pool.map(call, calls), strict=True))
    return [name for name, code in codes.items() if code]


def processors() -> list[int]:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _shares(jobs: int) -> list[list[int]]:
    """Equal parts, lest one call be measured at an advantage over another; the same one where there are too few."""
    all_of_them = processors()
    size = max(1, len(all_of_them) // jobs)
    starts = (job * size % len(all_of_them) for job in range(jobs))
    return [all_of_them[start : start + size] for start in starts]


def _call(name: str, share: Sequence[int], function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    sys.stderr = _Named(name, sys.stderr)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, share)
    keep_freed_memory()
    try:
        function(*arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        print(f"failed: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)


class _Named(io.TextIOBase):
    """Lines of a stream, each led by a name."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name = name
        self.stream = stream
        self.begun = ""

    def write(self, text: str) -> int:
        *lines, self.begun = (self.begun + text).split("\n")
        for line in lines:
            self.stream.write(f"{self.name}: {line}\n")
        self.stream.flush()
        return len(text)
