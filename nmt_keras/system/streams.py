"""Standard streams that end no work: closed, full or broken, or unable to spell what is printed."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from nmt_keras.errors import UserError


class LossyStream:
    """A text stream that passes over what cannot be written: progress must not end a training of hours.

    Args:
        stream: where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            discard(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            discard(self._stream)


def discard(stream: TextIO) -> None:
    """Lets all that is written to a stream from now on, and what it still holds, vanish."""
    with suppress(OSError):  # a stream in memory has no descriptor
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def discard_unwritable() -> None:
    """Lets what stdout still holds vanish if it cannot be written; else the end of the process would tell of it."""
    try:
        sys.stdout.flush()
    except OSError:
        discard(sys.stdout)


@contextmanager
def usable_streams() -> Iterator[None]:
    """Makes stdin, stdout and stderr usable, whatever the caller closed.

    A closed stream becomes that of an empty device: else the next file that is opened, such as a database, would get
    its number, and what C libraries print there. Characters that an encoding lacks are printed as "?".
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            empty = open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            empty.was_closed = True  # type: ignore[attr-defined]
            setattr(sys, name, empty)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    stderr, sys.stderr = sys.stderr, cast(TextIO, LossyStream(sys.stderr))
    try:
        yield
    finally:
        sys.stderr = stderr


def require_open(name: str) -> None:
    """Raises a UserError where the caller closed "stdin" or "stdout"."""
    if getattr(getattr(sys, name), "was_closed", False):
        raise UserError(f"{name} must be open for this command. Received: a closed {name}.")
