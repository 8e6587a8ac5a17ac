"""What a process runs that another one started for a run of its sweep: `charrnn`, until the other one is gone."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
from typing import NoReturn

from charrnn.cli import launching
from charrnn.cli import main as program
from charrnn.cli.signals import SAVING

GRACE = 30
"""Seconds in which a run should have saved, after which it is ended as it is."""


def main() -> NoReturn:
    """Runs the command line as standard input says: a byte is SIGUSR1, and its end is SIGTERM."""
    for name in itertools.chain(*launching.VARIABLES):  # it was the sweep that a launcher started, and not this
        os.environ.pop(name, None)
    save = getattr(signal, SAVING, None)
    if save:  # so that one that comes before training begins does no harm
        signal.signal(save, lambda number, frame: None)
    with contextlib.suppress(RuntimeError):  # no thread can be started: then it is stopped by a signal alone
        threading.Thread(target=_listen, args=(save,), daemon=True).start()
    program.main()


def _listen(save: int | None) -> None:
    """Waits until nobody holds the other end of standard input any more, and lets this process save and end."""
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            if save:
                os.kill(os.getpid(), save)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
