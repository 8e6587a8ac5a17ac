"""The cores that this process may use, and how the work of a batch is shared among them."""

from __future__ import annotations

import math
import os
import re
from typing import NamedTuple

from charrnn import cgroups, system

LEAST_WORK = 2e8
"""Floating-point operations of a batch below which a second process costs more than it brings."""

LEAST_ROWS = 8
"""Rows for each process; with fewer, the matrix products lose more than is won."""

LEAST_PRODUCT = 1 << 20
"""Multiplications in one step's product below which a second thread of BLAS costs more than it brings."""


class Plan(NamedTuple):
    """Says how the work of a batch is shared."""

    processes: int
    blas_threads: int
    """Threads of BLAS, which computes the matrix products, in each process."""
    ranks: int = 1
    """Ranks that a launcher started, which share the rows; each has so many processes."""

    def __str__(self) -> str:
        if self.ranks > 1:
            return f"{self.ranks} ranks of {self._replace(ranks=1)}"
        if self.processes > 1:
            return f"{self.processes} processes"
        return "1 process" if self.blas_threads == 1 else f"{self.blas_threads} threads"


VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What tells a BLAS, and us, how many threads to have."""


class Found(NamedTuple):
    """Holds what limits the cores of this process."""

    affinity: int
    """Cores that the system may run it on."""
    quota: float
    """Cores' worth of time that its control group has; infinite where that has no limit."""
    variables: dict[str, int]
    """What the environment says, by the name of the variable."""

    @property
    def given(self) -> int:
        """The cores that there are for us. A quota is rounded: half a core is worth a process, and less is not."""
        quota = self.affinity if math.isinf(self.quota) else int(self.quota + 0.5)
        return max(1, min(self.affinity, quota))

    @property
    def cores(self) -> int:
        """The cores to use: what is given, or less where a user has said so."""
        return min([self.given, *self.variables.values()])


def find() -> Found:
    """Returns what limits the cores of this process."""
    affinity = len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
    set_to = {name: re.match(r"\s*(\d+)", os.environ.get(name, "")) for name in VARIABLES}  # OMP's may be `4,2`
    variables = {name: int(match[1]) for name, match in set_to.items() if match and int(match[1])}
    return Found(affinity, cgroups.cpus(), variables)


_ours: dict[str, str] = {}
"""The variables that `settle` has added, with their values."""


def variables_given() -> dict[str, int]:
    """Returns what the environment says by a user's wish: without the variables that are ours."""
    return {name: n for name, n in find().variables.items() if os.environ[name] != _ours.get(name)}


def available_cores() -> int:
    """Returns the number of cores that this process may use: what it may run on, its time, and what a user has set."""
    return find().cores


def settle() -> None:
    """Tells BLAS, in the environment, to start no more threads than there are cores; to be called before it is loaded.

    Where threads cannot be started there is one core for us: a BLAS that fails to start one ends the program.
    """
    found = find()
    scarce = system.limit("RLIMIT_AS") < system.LITTLE or not system.allows_threads(2 * found.affinity + 2)
    if scarce or found.cores < found.affinity:
        told = dict.fromkeys(VARIABLES, "1" if scarce else str(found.cores))
        _ours.update({name: value for name, value in told.items() if name not in found.variables})
        os.environ |= told


def environment_of(threads: int) -> dict[str, str]:
    """Returns the environment for a process whose BLAS has so many threads, and no memory for more."""
    return {**os.environ, **dict.fromkeys(VARIABLES, str(threads))}


def plan(work: float, rows: int, step_product: int, threads: int | None) -> Plan:
    """Returns what is fastest on `threads` cores, or on all where that is None.

    `work` is a batch's floating-point operations, `rows` its rows, and `step_product` the multiplications of one row's
    step.
    """
    cores = threads or available_cores()
    if os.name == "posix" and work >= LEAST_WORK:
        processes = min(cores, rows // LEAST_ROWS)
        if processes > 1:
            return Plan(processes, 1)
    return Plan(1, blas_threads(rows * step_product, cores))


def blas_threads(product: int, cores: int | None = None) -> int:
    """Returns the threads for products of so many multiplications: `cores` (all by default), or one for small ones."""
    return (cores or available_cores()) if product >= LEAST_PRODUCT else 1
