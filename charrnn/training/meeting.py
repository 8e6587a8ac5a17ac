"""A place in shared memory where processes wait for each other, thousands of times a second.

Each process has a counter, which only it writes: how often it has arrived. One that arrives raises its own, and looks
at those of the others until none is behind. Who waits first *spins*: it looks again and again, which answers within a
microsecond, a hundredth of what a pipe or a signal takes. If that has not helped for a while, another program has a
core that one of them needs. Then whoever waits *yields* its own, to the one who is late if that waits for the same
core, and spins on. Sleeping at once would be worse: who sleeps beside a busy program gets its core back when that has
had its turn, a few milliseconds later, as long as hundreds of steps. Only who waits for long *sleeps*.

What a process wrote before it arrived, the others must see once they have seen it arrive. Processors of the x86 family
show all stores in the order in which they were made; others, such as ARM's, are told to (`_fence`).
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable

import numpy as np

from charrnn.arrays import Array
from charrnn.training.shared_memory import LINE, ArrayLayout

SPINS = 2000
"""Times that the counter of one who is late is looked at before the core is offered: some 100 microseconds."""

YIELDS, SPINS_OF_A_YIELD = 1000, 400
"""Times that the core is offered before the first sleep, and looks after each: some 20 milliseconds in all."""

FIRST_SLEEP, LAST_SLEEP = 20e-6, 20e-3
"""Seconds of the first sleep and of the longest; each is a twentieth of what has been waited, and no more is lost."""

SHOWS_STORES_IN_ORDER = platform.machine().lower() in ("x86_64", "amd64", "i686", "i386")
"""Whether this is a processor of the x86 family."""

offer_core: Callable[[], None] = getattr(os, "sched_yield", lambda: None)
"""Lets another process have this core, if one waits for it; nothing where the system has no such call."""


class Meeting:
    """Is one process's place at a meeting: call `meet` as often as all others do."""

    def __init__(self, arrivals: Array, number: int, check: Callable[[], None]) -> None:
        """`arrivals` has a cache line of integers for each process, zero at first, and `number` is which is ours.

        `check` is called now and then while we sleep: it raises where there is nobody to wait for any more.
        """
        self._seen = memoryview(arrivals.reshape(-1).data)  # an item of it is read in a third of the time of an array's
        width = arrivals.shape[1]
        self._mine = number * width
        self._others = [other * width for other in range(len(arrivals)) if other != number]
        self._count = 0
        self._check = check
        self._held = threading.Lock()
        self._held.acquire()

    @classmethod
    def layout(cls, processes: int) -> ArrayLayout:
        """Returns shape and type of `arrivals`: no two counters share a cache line."""
        return (processes, LINE // 8), np.dtype(np.int64).str

    def meet(self) -> None:
        """Returns once all have called it as often as this process."""
        seen, self._count = self._seen, self._count + 1
        if not SHOWS_STORES_IN_ORDER:
            self._fence()
        count = seen[self._mine] = self._count
        for other in self._others:
            if seen[other] < count:
                self._wait(other)
        if not SHOWS_STORES_IN_ORDER:
            self._fence()

    def _fence(self) -> None:
        """Lets nothing that stands before it in the program happen after what stands behind it.

        Python has no call for that, but to release a lock and to acquire it "synchronize memory" (POSIX, section 4.12).
        """
        self._held.release()
        self._held.acquire()

    def _wait(self, other: int) -> None:
        seen, count = self._seen, self._count
        for _ in range(SPINS):
            if seen[other] >= count:
                return
        for _ in range(YIELDS):
            offer_core()
            for _ in range(SPINS_OF_A_YIELD):
                if seen[other] >= count:
                    return
        began = time.monotonic()
        while seen[other] < count:
            waited = time.monotonic() - began
            time.sleep(min(LAST_SLEEP, max(FIRST_SLEEP, waited / 20)))
            self._check()
