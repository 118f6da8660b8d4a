"""Calls in processes of their own, several at once, each on its share of the processors."""

import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from typing import Any

from nmt_keras.errors import user_message
from nmt_keras.system.allocator import keep_freed_memory
from nmt_keras.system.streams import LossyStream

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""The signals, beside Ctrl-C, that ask a program to end."""


def run_in_processes(function: Callable[..., Any], calls: Mapping[str, Sequence[Any]], jobs: int) -> dict[str, str]:
    """Calls a function with each of the arguments and waits for all.

    Args:
        function: of a module that can be imported; what it returns is lost.
        calls: by name, the arguments. What a call says on stderr is led by its name.
        jobs: calls at once.

    Returns:
        Why calls failed, by name; each has said so on stderr.
    """
    context = get_context("spawn")  # a forked TensorFlow hangs
    shares: Queue[list[int]] = Queue()
    for share in _shares(jobs):
        shares.put(share)
    interrupted = threading.Event()

    def call(name: str) -> str | None:
        share = shares.get()
        failure, error_sender = context.Pipe(duplex=False)
        process = context.Process(target=_call, args=(name, share, error_sender, function, calls[name]), name=name)
        try:
            process.start()
        except OSError as error:  # also where it ended before it had read what it was given
            return _report_failure(name, f"its process did not start: {error}")
        else:
            if interrupted.is_set():  # before the process was known
                process.terminate()
            error_sender.close()  # so that the pipe ends with the process
            why = None
            with suppress(EOFError):
                why = str(failure.recv())
            process.join()
            return why or _report_failure(name, _exit_reason(process.exitcode))
        finally:
            shares.put(share)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            failures = dict(zip(calls, pool.map(call, calls), strict=True))
        except KeyboardInterrupt:  # by a signal that the others may not have had
            interrupted.set()
            for process in active_children():
                process.terminate()
            raise
    return {name: failure for name, failure in failures.items() if failure is not None}


def end_on_signals() -> None:
    """Lets the signals by which systems and closed terminals end a program end it in good order, as Ctrl-C does."""
    for number in ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, signal.default_int_handler)


def peak_memory_bytes() -> int:
    """The most memory that this process had at once, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # resource's figure begins with that of the process that started this one
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


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


def _exit_reason(code: int | None) -> str | None:
    """Why a process that told no error failed, if it did."""
    if code is not None and code < 0:
        want = ", often for want of memory" if -code == signal.SIGKILL else ""
        return f"its process was ended by {signal.Signals(-code).name}{want}"
    return f"its process ended with code {code}" if code else None


def _report_failure(name: str, why: str | None) -> str | None:
    """Says for a process why it failed."""
    if why:
        print(f"{name}: failed: {why}", file=sys.stderr)
    return why


def _call(
    name: str, share: Sequence[int], error_sender: Connection, function: Callable[..., Any], arguments: Sequence[Any]
) -> None:
    sys.stderr = _Named(name, LossyStream(sys.stderr))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, share)
    keep_freed_memory()
    for number in (signal.SIGINT, *ENDING):
        signal.signal(number, _interrupt)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        function(*arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        failure = user_message(error) or f"{type(error).__name__}: {error}"
        print(f"failed: {failure}", file=sys.stderr)
        if user_message(error) is None:
            traceback.print_exc()
        error_sender.send(failure)
        sys.exit(1)


def _interrupt(*_: Any) -> None:
    """What follows an interruption is tidying up, which further signals must not interrupt."""
    for number in (signal.SIGINT, *ENDING):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """A call whose caller was killed must not go on, least of all beside the next one."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Named(io.TextIOBase):
    """Lines of a stream, each led by a name."""

    def __init__(self, name: str, stream: LossyStream) -> None:
        self.name = name
        self.stream = stream
        self.begun = ""

    def write(self, text: str) -> int:
        *lines, self.begun = (self.begun + text).split("\n")
        for line in lines:
            self.stream.write(f"{self.name}: {line}\n")
        self.stream.flush()
        return len(text)
