"""The ranks of a job: processes that a launcher such as `mpiexec` started, on one machine or many, joined by MPI.

Rank 0 leads: it alone has the text, the run and its directory, and decides. The others wait for its orders, and do what
each says. So all ranks take the same way, and none waits for one that has taken another.
"""

from __future__ import annotations

import enum
import os
import socket
import time
import warnings
from typing import Any, NamedTuple

import numpy as np

from charrnn import cores
from charrnn.arrays import Array
from charrnn.errors import ConfigError

SPIN = 0.002
"""Seconds for which a rank that waits for an order asks without a pause; an update's order comes sooner than that."""

LONGEST_PAUSE = 0.01
"""Seconds between two questions at most, where a rank waits long, as while rank 0 evaluates."""

LAST_WORDS = 0.5
"""Seconds before all ranks are ended by force: a launcher that is told to may drop what a rank has just printed."""

SIGNAL = 1
"""The tag of messages to rank 0 that tell of a signal."""


class Order(enum.IntEnum):
    """Is what rank 0 wants done next; what more there is to know of it follows."""

    BEGIN = 1
    """Make yourself ready for a model."""
    LOAD = 2
    """Take over the parameters, and what the optimizer keeps."""
    STEP = 3
    """Compute the gradient of your rows, and add it to that of all."""
    COLLECT = 4
    """Hand over the state of your rows, and the checksum of your parameters."""
    JUDGE = 5
    """Count what your piece of the validation part is worth."""
    END = 6
    """Leave, with an exit code."""


class Seat(NamedTuple):
    """Says where a rank is, and which cores it may use."""

    host: str
    affinity: frozenset[int]
    cores: int


class World:
    """Is all ranks, seen by one of them. Whatever it does, all of them must do, but for `tell` and `heard`."""

    def __init__(self, comm: Any) -> None:
        """`comm` is a communicator of mpi4py."""
        self.comm = comm
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.seats: list[Seat] = comm.allgather(_seat())
        """The place of each rank."""
        self.busy = False
        """Whether rank 0 is within an order: if it left now, the others would wait for ever."""
        self.ended = False
        """Whether rank 0 has said that this is the end."""
        self._received = np.zeros(0)
        self._told: list[Any] = []
        """Messages on their way."""

    @property
    def library(self) -> str:
        """Which MPI it is, as in `MPICH Version: 5.0.2`."""
        from mpi4py import MPI

        return " ".join(MPI.Get_library_version().split("\n")[0].split("\0")[0].split()).split(",")[0]

    @property
    def name(self) -> str:
        """How messages call this rank."""
        return self.name_of(self.rank)

    def name_of(self, rank: int) -> str:
        """Returns how messages call a rank: `rank 3 on node-2`."""
        return f"rank {rank} on {self.seats[rank].host}"

    def rows(self, count: int, rank: int) -> slice:
        """Returns which of `count` rows a rank has; as equal as can be, and none where there are too few."""
        return slice(count * rank // self.size, count * (rank + 1) // self.size)

    def cores_each(self) -> int:
        """Returns how many cores every rank may use. Ranks that may run on the same cores share them equally."""
        return min(
            max(1, seat.cores // sum(s.host == seat.host and bool(s.affinity & seat.affinity) for s in self.seats))
            for seat in self.seats
        )

    def give(self, order: Order) -> None:
        """Tells all others, as rank 0, what comes next."""
        self.comm.Ibcast(np.array([order], np.int64)).Wait()  # a blocking one would not meet theirs

    def next_order(self, heard: Any = lambda: None) -> Order:
        """Waits for the next order of rank 0. Calls `heard` again and again meanwhile, after signals for instance."""
        number = np.zeros(1, np.int64)
        request = self.comm.Ibcast(number)
        began = time.monotonic()
        pause = 0.0
        while not request.Test():
            heard()
            if time.monotonic() - began > SPIN:
                pause = min(LONGEST_PAUSE, pause + 1e-4)
                time.sleep(pause)
        return Order(int(number[0]))

    def add(self, vector: Array) -> None:
        """Puts the sum of the vectors of all ranks in place of each, the same to the last bit on all of them.

        It is an all-reduce, of the fewest bytes that there can be: each rank adds up one slice of all vectors, in the
        order of the ranks, and then all hand each other their sums. So every number is added in one place, and in the
        same order for the same number of ranks, whatever MPI is used.
        """
        n, N = self.size, vector.size
        bounds = np.array([N * rank // n for rank in range(n + 1)])
        sizes, mine = np.diff(bounds), slice(bounds[self.rank], bounds[self.rank + 1])
        length = mine.stop - mine.start
        if self._received.size != n * length or self._received.dtype != vector.dtype:
            self._received = np.empty(n * length, vector.dtype)
        received, places = self._received, np.arange(n) * length
        self.comm.Alltoallv([vector, (sizes, bounds[:-1])], [received, (np.full(n, length), places)])
        total = received.reshape(n, length).sum(axis=0)
        self.comm.Allgatherv(total, [vector, (sizes, bounds[:-1])])

    def all_of(self, number: float) -> Array:
        """Returns the numbers that the ranks have, in their order: (n,)."""
        numbers = np.zeros(self.size)
        self.comm.Allgather(np.array([number], np.float64), numbers)
        return numbers

    def tell(self, signal: int) -> None:
        """Tells rank 0 of a signal that this rank got."""
        self._told.append(self.comm.isend(signal, dest=0, tag=SIGNAL))

    def heard(self) -> list[int]:
        """Returns the signals, as rank 0, that others got since the last time."""
        found = []
        while self.comm.iprobe(tag=SIGNAL):
            found.append(self.comm.recv(tag=SIGNAL))
        return found

    def leave(self, code: int) -> None:
        """Ends the work of all ranks with an exit code, in good order if they can hear of it, and else by force."""
        if self.rank == 0 and self.size > 1 and not self.busy:
            self.give(Order.END)
            self.comm.bcast(code)
            self.heard()
        elif self.size > 1 and not self.ended:
            time.sleep(LAST_WORDS)
            self.comm.Abort(code or 1)
        from mpi4py import MPI

        MPI.Finalize()


def _seat() -> Seat:
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return Seat(socket.gethostname(), frozenset(affinity), cores.available_cores())


def join() -> World:
    """Returns the ranks that were started together, of which this is one.

    Raises ImportError where mpi4py is not installed, and ConfigError where it finds no MPI.
    """
    try:
        with warnings.catch_warnings():  # of a launcher of another MPI, for which we have an error
            warnings.simplefilter("ignore")
            from mpi4py import MPI
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise ConfigError(f"mpi4py finds no MPI ({why}); load one, or install one with: pip install mpich") from None
    return World(MPI.COMM_WORLD)
