"""The cores that this process may use, and how the work of a window is shared among them."""

from __future__ import annotations

import os
from typing import NamedTuple

from charrnn.nn.model import CharLM

LEAST_WORK = 2e8
"""Floating-point operations of a window below which a second process costs more than it brings."""

LEAST_ROWS = 8
"""Rows for each process; with fewer, the matrix products lose more than is won."""

LEAST_PRODUCT = 1 << 20
"""Multiplications in one step's product below which a second thread of BLAS costs more than it brings."""


class Plan(NamedTuple):
    """How the work of a window is shared."""

    processes: int
    blas_threads: int
    """For the matrix products of each process."""

    def __str__(self) -> str:
        if self.processes > 1:
            return f"{self.processes} processes"
        return "1 process" if self.blas_threads == 1 else f"{self.blas_threads} threads"


def plan(model: CharLM, seq_length: int, batch_size: int, threads: int | None) -> Plan:
    """What is fastest for windows of this shape on `threads` cores, or on all where that is None."""
    cores = threads or available_cores()
    if os.name == "posix" and 6 * seq_length * batch_size * model.num_parameters >= LEAST_WORK:
        processes = min(cores, batch_size // LEAST_ROWS)
        if processes > 1:
            return Plan(processes, 1)
    return Plan(1, blas_threads(model, batch_size, cores))


def blas_threads(model: CharLM, rows: int, cores: int | None = None) -> int:
    """For the products of one process that steps through `rows` texts side by side: `cores`, or one for small ones."""
    product = rows * len(model.stack.cell.gates) * model.hidden_size**2
    return (cores or available_cores()) if product >= LEAST_PRODUCT else 1


def available_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
