"""Many calls of a function, shared among the cores."""

from __future__ import annotations

import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from charrnn.cli import signals
from charrnn.cores import available_cores

MANY = 20
"""Calls from which on processes are worth starting."""

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


def mapped(function: Callable[[Argument], Answer], arguments: Sequence[Argument]) -> Iterator[Answer]:
    """Yields what the function returns for each argument, in their order; both must be such as pickle knows."""
    cores = available_cores()
    if len(arguments) < MANY or cores == 1:
        yield from map(function, arguments)
        return
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), initializer=_end_with_parent) as pool:
        with signals.interrupts_held():  # from the processes that begin here: Ctrl-C goes to all, and is for us
            answers = pool.map(function, arguments)
        yield from answers


def _end_with_parent() -> None:
    """Lets this process end when the one that started it does, however that dies; else it would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
