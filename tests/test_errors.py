"""What users are told of errors that are no fault of the program."""

import errno

import pytest

from nmt_keras.errors import ConfigError, user_message

REFUSED = "The system refused what was tried. Received:"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConfigError("a rule"), "a rule"),
        (
            OSError(errno.ENOSPC, "full", "out/m"),
            "The system refused what was tried. Received: No space left on device: out/m. Free some space.",
        ),
        (
            OSError(errno.EROFS, "x", b"a", None, "b"),
            "The system refused what was tried. Received: Read-only file system: a and b. "
            "Give a place that may be written to.",
        ),
        (OSError("a page of HDF5"), "The system refused what was tried. Received: a page of HDF5."),
        (MemoryError(), "There is not enough memory for this model and batch. Received: MemoryError: "),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes\nBufferAssignment"),
            "There is not enough memory for this model and batch. Received: RuntimeError: RESOURCE_EXHAUSTED: Out of "
            "memory allocating 9 bytes",
        ),
        (ValueError("a fault of the program"), None),
    ],
)
def test_an_error_is_told_by_its_cause(error: Exception, message: str | None) -> None:
    assert user_message(error) == message
