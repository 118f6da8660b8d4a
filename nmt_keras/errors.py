"""The errors that a user sees: a message without a traceback; exit code 2 where not said."""

import errno
import os
from collections.abc import Sequence


class UserError(Exception):
    """What the user gave cannot be used. The message says the rule, the value received, where, and what to do.

    Example:
        >>> try:
        ...     nmt_keras.load("no such directory")
        ... except nmt_keras.UserError as error:
        ...     print(error)
        A model is a directory, models:/NAME@ALIAS, ... Received: 'no such directory', which is no directory.
    """


class ConfigError(UserError):
    """A setting breaks its rule.

    Example:
        >>> nmt_keras.SearchConfig(beam_size=0)
        Traceback (most recent call last):
            ...
        nmt_keras.errors.ConfigError: beam_size must be from 1 to 1,000. Received: beam_size=0.
    """


class TrainingError(UserError):
    """A training failed; exit code 1.

    Example:
        >>> issubclass(nmt_keras.TrainingError, nmt_keras.UserError)
        True
    """


class ModelError(UserError):
    """A model reference names no model, or one that is incomplete or inconsistent.

    Example:
        >>> nmt_keras.load("empty")
        Traceback (most recent call last):
            ...
        nmt_keras.errors.ModelError: A model directory holds model.json, vocabulary.model ... Received: ...
    """


class DamagedFileError(ModelError):
    """A file that this program wrote does not hold what was written any more.

    Example:
        >>> issubclass(nmt_keras.DamagedFileError, nmt_keras.ModelError)
        True
    """


class CorpusError(UserError):
    """A corpus cannot be read.

    Args:
        faults: every fault found, one line each, with file and line number where there is one.

    Example:
        >>> try:
        ...     nmt_keras.load_corpus("empty")
        ... except nmt_keras.CorpusError as error:
        ...     len(error.faults)
        3
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), " Free some space."),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), " Give a place that may be written to."),
    errno.ENAMETOOLONG: " Give a shorter name.",
}
_OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "ResourceExhausted", "OOM when allocating", "out of memory", "allocate memory")


def user_message(error: BaseException) -> str | None:
    """Return what to tell a user of an error, or None for a fault of the program, whose traceback is needed.

    Args:
        error: a `UserError`, or what the system refused: a file, a device that is full, memory.
    """
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else str(error)  # HDF5's own text is a page long
        names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        place = f": {' and '.join(names)}" if names else ""
        return f"The system refused what was tried. Received: {reason}{place}.{_ADVICE.get(error.errno or 0, '')}"
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY):
        return f"There is not enough memory for this model and batch. Received: {text.splitlines()[0][:300]}"
    return None
