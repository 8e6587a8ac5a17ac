"""Which BLAS computes the products of matrices here."""

from __future__ import annotations

import functools
from typing import Any

from threadpoolctl import threadpool_info


@functools.cache
def libraries() -> list[dict[str, Any]]:
    """Returns what threadpoolctl knows of each BLAS in this process."""
    return [library for library in threadpool_info() if library["user_api"] == "blas"]


def kernels() -> set[str]:
    """Returns for which processors the kernels are that are in use, as OpenBLAS names them; nothing of another BLAS."""
    return {library.get("architecture", "") for library in libraries() if library["internal_api"] == "openblas"}
