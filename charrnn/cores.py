"""The cores that this process may use, and how the work of a batch is shared among them."""

from __future__ import annotations

import os
from typing import NamedTuple

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

    def __str__(self) -> str:
        if self.processes > 1:
            return f"{self.processes} processes"
        return "1 process" if self.blas_threads == 1 else f"{self.blas_threads} threads"


def available_cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


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
