"""What the last bits of a result depend on, beside the configuration and the text."""

from __future__ import annotations

import functools
import platform
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from charrnn import system
from charrnn.version import __version__

BLAS_BUFFER = 32 << 20
"""Bytes that OpenBLAS takes for itself at the first product."""


@functools.cache
def environment() -> dict[str, str]:
    """Returns the versions that compute here, and for what processor: no BLAS promises the same sums as another.

    Raises MemoryError where BLAS would find no memory to work in: it ends the program then, without a word of why.
    """
    blas = [f"{b['internal_api']} {b['version']} {b.get('architecture', '')}".strip() for b in _blas()]
    return {
        "charrnn": __version__,
        "numpy": np.__version__,
        "blas": ", ".join(blas) or "unknown",
        "machine": platform.machine(),
    }


def blas_kernels() -> set[str]:
    """Returns for which processor the kernels of BLAS are that compute here, as OpenBLAS names it; nothing of others.

    Raises MemoryError as `environment` does.
    """
    return {str(library.get("architecture", "")) for library in _blas() if library["internal_api"] == "openblas"}


@functools.cache
def _blas() -> list[dict[str, Any]]:
    system.require(BLAS_BUFFER)
    return [library for library in threadpool_info() if library["user_api"] == "blas"]
