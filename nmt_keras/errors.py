"""The errors that a user sees: a message without a traceback; exit code 2 where not said."""

from collections.abc import Sequence


class UserError(Exception):
    """What the user gave cannot be used. The message says the rule, the value received, where, and what to do."""


class ConfigError(UserError):
    """A setting breaks its rule."""


class TrainingError(UserError):
    """A training failed; exit code 1."""


class ModelError(UserError):
    """A model reference names no model, or one that is incomplete or inconsistent."""


class CorpusError(UserError):
    """A corpus cannot be read.

    Args:
        faults: every fault found, one line each, with file and line number where there is one.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))
