"""What the last bits of a result depend on, beside the configuration and the text."""

from __future__ import annotations

import functools
import platform

import numpy as np

from charrnn import blas, system
from charrnn.version import __version__

BLAS_BUFFER = 32 << 20
"""Bytes that OpenBLAS takes for itself at the first product."""


@functools.cache
def environment() -> dict[str, str]:
    """Returns the versions that compute here, and for what processor: no BLAS promises the same sums as another.

    Raises MemoryError where BLAS would find no memory to work in: it ends the program then, without a word of why.
    """
    system.require(BLAS_BUFFER)
    found = [f"{b['internal_api']} {b['version']} {b.get('architecture', '')}".strip() for b in blas.libraries()]
    return {
        "charrnn": __version__,
        "numpy": np.__version__,
        "blas": ", ".join(found) or "unknown",
        "machine": platform.machine(),
    }
