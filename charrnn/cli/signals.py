"""Signals. Most commands leave at once; training notes them, and leaves where it can save."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
SAVING = "SIGUSR1"


class StoppedBySignal(KeyboardInterrupt):
    """Says that a signal ended the command where it was; like Ctrl-C, nothing on the way should catch it."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(what)
        self.number = number


@contextmanager
def leaving() -> Iterator[None]:
    """Makes a signal to stop raise StoppedBySignal within the block; one to save finds nothing to be saved."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise StoppedBySignal(number, f"stopped by {name_of(number)}, nothing was changed; run the command again")

    with _handled(leave, STOPPING), _handled(lambda number, frame: None, [SAVING]):
        yield


class Noted:
    """Notes signals within its block, and no more, so that no update is cut in two. A second INT leaves at once."""

    def __init__(self, patient: bool = False) -> None:
        """Who is `patient` does not leave at a second INT: a launcher sends one on that the terminal has sent too."""
        self.patient = patient
        self.stop = 0
        """The number of the signal that asked to stop."""
        self.save = False
        """Whether one asked to save."""
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Noted:
        self._stack.enter_context(_handled(self._note_stop, STOPPING))
        self._stack.enter_context(_handled(self._note_save, [SAVING]))
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def note(self, number: int) -> None:
        """Notes a signal that another process got."""
        if name_of(number) == SAVING:
            self.save = True
        else:
            self.stop = self.stop or number

    def take(self) -> list[int]:
        """Returns the signals that were noted since the last time."""
        saving = [int(getattr(signal, SAVING))] if self.save else []
        found = saving + [self.stop] * bool(self.stop)
        self.stop, self.save = 0, False
        return found

    def _note_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stop and number == signal.SIGINT and not self.patient:
            raise StoppedBySignal(number, "stopped at once; what was saved before, if anything, is whole")
        self.stop = number

    def _note_save(self, number: int, frame: FrameType | None) -> None:
        self.save = True


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Holds INT back until its end; from processes that are started in it, for their whole life."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def name_of(number: int) -> str:
    """Returns the name of a signal, such as SIGINT."""
    return signal.Signals(number).name


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None], names: Iterable[str]) -> Iterator[None]:
    """Has signals handled, but for those that this system has not, or that we were started to ignore, as by nohup."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # elsewhere, Python lets nobody handle them
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
