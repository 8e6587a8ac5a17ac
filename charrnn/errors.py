"""One exception for each exit code. A message is one line: what, where, what to do."""

from __future__ import annotations

from charrnn.advice import CONTROL


class CharrnnError(Exception):
    """Is an error that a user can cause. The command line prints its lines and exits with `exit_code`."""

    exit_code = 1

    def __init__(self, *messages: str) -> None:
        """Takes one message, or several where all the errors of a file are reported at once."""
        super().__init__("\n".join(messages))
        self.messages = messages


class ConfigError(CharrnnError):
    """Says that a command or a configuration is not as it must be."""

    exit_code = 2


class DataError(CharrnnError):
    """Says that data cannot be read, decoded, split or encoded."""

    exit_code = 3


class CheckpointError(CharrnnError):
    """Says that a file is not a charrnn checkpoint, or does not fit."""

    exit_code = 4


class DivergedError(CharrnnError):
    """Says that the loss, a gradient or a weight became infinite or not a number, or the loss hopeless."""

    exit_code = 5

    def __init__(self, what: str, advice: str = "lower optim.learning_rate") -> None:
        super().__init__(f"{what}; {advice}")
        self.what = what
        """What happened, without the advice that the message ends with."""


class OutputError(CharrnnError):
    """Says that input or output failed: the disk is full, read-only or gone."""

    exit_code = 6


class LockedError(CharrnnError):
    """Says that another process is using the run directory."""

    exit_code = 7


class Interrupted(CharrnnError):
    """Says that a signal asked the process to stop; everything was saved first."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def one_line(text: str) -> str:
    """Escapes what would move a terminal's cursor or turn its text around, as the name of a file may."""
    return CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
