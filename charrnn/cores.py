"""The cores that this process may use, and how the work of a batch is shared among them."""

from __future__ import annotations

import math
import os
import re
from typing import NamedTuple

from charrnn import cgroups, processor, system

LEAST_WORK = 5e7
"""Floating-point operations of a batch below which a second process is not thought of: a millisecond of work, which
ends sooner than a process has begun."""

LEAST_PRODUCT = 1 << 20
"""Multiplications in one step's product below which a second thread of BLAS costs more than it brings."""


class Plan(NamedTuple):
    """Says how the work of a batch is shared."""

    rows: int = 1
    """Groups of processes, each of which has some of the batch's rows."""
    units: int = 1
    """Processes in a group, each of which has some of the network's units."""
    blas_threads: int = 1
    """Threads of BLAS, which computes the matrix products, in each process."""
    ranks: int = 1
    """Ranks that a launcher started, which share the rows; each has so many processes."""

    @property
    def processes(self) -> int:
        """How many processes there are, on each rank."""
        return self.rows * self.units

    def __str__(self) -> str:
        if self.ranks > 1:
            return f"{self.ranks} ranks of {self._replace(ranks=1)}"
        if self.units > 1:
            return f"{self.processes} processes, {self.rows}x{self.units} (rows x units)"
        if self.processes > 1:
            return f"{self.processes} processes"
        return "1 process" if self.blas_threads == 1 else f"{self.blas_threads} threads"

    @classmethod
    def said(cls, text: str) -> Plan | None:
        """Returns the plan of which `text` is the `str`; None where it is that of none."""
        match = re.fullmatch(
            r"(?:(\d+) ranks of )?(?:(\d+) process(?:es)?(?:, (\d+)x(\d+)(?: \(rows x units\))?)?|(\d+) threads)", text
        )
        if not match:
            return None
        ranks, processes, rows, units, threads = (int(number or 1) for number in match.groups())
        return cls(rows, units, threads, ranks) if match[3] else cls(processes, 1, threads, ranks)


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
    physical: int | None = None
    """How many cores of their own those are that the system may run it on; None where that is not known."""

    @property
    def given(self) -> int:
        """The cores that there are for us. A quota is rounded: half a core is worth a process, and less is not."""
        quota = self.affinity if math.isinf(self.quota) else int(self.quota + 0.5)
        return max(1, min(self.affinity, quota))

    @property
    def cores(self) -> int:
        """The cores to use: what is given, without second threads of a core; or less where a user has said so."""
        return min([self.given, self.physical or self.given, *self.variables.values()])

    @property
    def why(self) -> str:
        """What it is that sets the number of cores to use, in words."""
        limits = {"the second thread of a core is not counted": self.physical or self.given, **self.variables}
        if not math.isinf(self.quota):
            limits["quota of the control group"] = max(1, int(self.quota + 0.5))
        limits = {"affinity": self.affinity, **limits}
        return min(limits, key=lambda name: limits[name])


def find() -> Found:
    """Returns what limits the cores of this process."""
    allowed = processor.allowed()
    set_to = {name: re.match(r"\s*(\d+)", os.environ.get(name, "")) for name in VARIABLES}  # OMP's may be `4,2`
    variables = {name: int(match[1]) for name, match in set_to.items() if match and int(match[1])}
    return Found(len(allowed), cgroups.cpus(), variables, processor.physical(allowed))


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


def blas_threads(product: int, cores: int | None = None) -> int:
    """Returns the threads for products of so many multiplications: `cores` (all by default), or one for small ones."""
    return (cores or available_cores()) if product >= LEAST_PRODUCT else 1
